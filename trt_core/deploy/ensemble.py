"""An ensemble around the model: two Python models that pass tensors on, for the user's own pre- and post-processing."""

from __future__ import annotations

from trt_core.deploy.batching import chosen_batch, served_dims
from trt_core.deploy.order import Order
from trt_core.deploy.templating import filled
from trt_core.deploy.triton_config import quoted, triton_type
from trt_core.domain.deployment import GeneratedFile
from trt_core.domain.tensors import TensorSpec

Specs = tuple[TensorSpec, ...]


def ensemble_files(order: Order) -> list[GeneratedFile]:
    """Models `<name>_pre` and `<name>_post` that hand tensors on, and `<name>_pipeline` over the three."""
    passport = order.passport
    files = []
    for role, specs in (("pre", passport.inputs), ("post", passport.outputs)):
        name = f"{order.name}_{role}"
        config = [*_head(order, name), 'backend: "python"', *_tensors(order, specs, specs, out_prefix="ready_")]
        config += ["instance_group { count: 1 kind: KIND_CPU }"]
        code = filled("python_model.py", role=role, names=[spec.name for spec in specs])
        files += [
            GeneratedFile(path=f"model_repository/{name}/config.pbtxt", content=_joined(config)),
            GeneratedFile(path=f"model_repository/{name}/1/model.py", content=code),
        ]
    name = f"{order.name}_pipeline"
    config = [*_head(order, name), 'platform: "ensemble"', *_tensors(order, passport.inputs, passport.outputs)]
    config += ["ensemble_scheduling {", *_steps(order), "}"]
    files.append(GeneratedFile(path=f"model_repository/{name}/config.pbtxt", content=_joined(config)))
    # Triton wants a version folder even where an ensemble has nothing to put into it.
    files.append(GeneratedFile(path=f"model_repository/{name}/1/.keep"))
    return files


def _head(order: Order, name: str) -> list[str]:
    return [f"name: {quoted(name)}", f"max_batch_size: {chosen_batch(order.passport, order.wish.max_batch)}"]


def _tensors(order: Order, inputs: Specs, outputs: Specs, *, out_prefix: str = "") -> list[str]:
    batched = chosen_batch(order.passport, order.wish.max_batch) > 0
    lines = []
    for field, specs, prefix in (("input", inputs, ""), ("output", outputs, out_prefix)):
        for spec in specs:
            dims = ", ".join(map(str, served_dims(spec, batched=batched) or (1,)))
            kind = triton_type(spec, order.served_by)
            lines.append(f"{field} {{ name: {quoted(prefix + spec.name)} data_type: {kind} dims: [ {dims} ] }}")
    return lines


def _steps(order: Order) -> list[str]:
    inputs = [spec.name for spec in order.passport.inputs]
    outputs = [spec.name for spec in order.passport.outputs]
    return [
        *_step(f"{order.name}_pre", {n: n for n in inputs}, {f"ready_{n}": f"ready_{n}" for n in inputs}),
        *_step(order.name, {n: f"ready_{n}" for n in inputs}, {n: f"raw_{n}" for n in outputs}),
        *_step(f"{order.name}_post", {n: f"raw_{n}" for n in outputs}, {f"ready_{n}": n for n in outputs}),
    ]


def _step(model: str, inputs: dict[str, str], outputs: dict[str, str]) -> list[str]:
    lines = ["  step {", f"    model_name: {quoted(model)}", "    model_version: -1"]
    lines += [f"    input_map {{ key: {quoted(k)} value: {quoted(v)} }}" for k, v in inputs.items()]
    lines += [f"    output_map {{ key: {quoted(k)} value: {quoted(v)} }}" for k, v in outputs.items()]
    return [*lines, "  }"]


def _joined(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
