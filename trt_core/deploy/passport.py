"""The passport of a build, and the rules that decide whether an engine loads somewhere."""

from __future__ import annotations

from trt_core.deploy.targets import is_jetson, release_of
from trt_core.domain.artifacts import BuildRecord, ModelRecord
from trt_core.domain.engine import EngineLayer, EngineRecord, Sm, sm_from_text
from trt_core.domain.passport import LoadAnswer, Passport, PlanHeader, Target
from trt_core.domain.precision import Precision
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidInput

_DTYPES = {
    Precision.FP32: "float32",
    Precision.FP16: "float16",
    Precision.BF16: "bfloat16",
    Precision.INT8: "int8",
    Precision.FP8: "float8e4m3fn",
}
# Major versions across which a version-compatible engine is promised to load; 9 was never a general release.
_PROMISED = ((8, 10), (10, 11))
_AMPERE = Sm(major=8, minor=0)


def passport_of(build: BuildRecord, model: ModelRecord, record: EngineRecord, header: PlanHeader | None) -> Passport:
    """Everything recorded about a build, in one value; what was not recorded stays empty."""
    host = dict(build.host)
    targets = _targets(build, header)
    return Passport(
        build_id=build.id,
        name=model.name,
        backend=build.request.backend,
        tensorrt=header.version if header else build.backend_version,
        targets=targets,
        gpu=host.get("gpu", ""),
        driver=host.get("driver", ""),
        cuda=host.get("cuda", ""),
        os=host.get("os", ""),
        precision=build.recipe.precision,
        profiles=build.request.profiles,
        inputs=tuple(_engine_tensor(item, record) for item in model.inputs),
        outputs=tuple(_engine_tensor(item, record) for item in model.outputs),
        formats=tuple((item.name, item.format) for item in record.io_tensors if item.format),
        plugins=tuple(sorted({_plugin(layer) for layer in record.layers if "plugin" in layer.kind.lower()})),
        version_compatible=build.request.options.version_compatible,
        hardware_compatibility=build.request.options.hardware_compatibility,
        model_sha256=model.sha256,
        engine_sha256=build.engine_sha256,
        engine_bytes=build.engine_bytes,
        header=header,
    )


def _plugin(layer: EngineLayer) -> str:
    """What the engine calls the plugin; the inspector has the library's own name in the tactic."""
    return layer.kernel or layer.name


def _targets(build: BuildRecord, header: PlanHeader | None) -> tuple[Sm, ...]:
    if header and header.targets:
        return header.targets
    if build.request.target is not None:
        return (build.request.target,)
    try:
        return (sm_from_text(dict(build.host).get("sm") or build.target),)
    except InvalidInput:
        return ()


def _engine_tensor(spec: TensorSpec, record: EngineRecord) -> TensorSpec:
    """The model's tensor with the dtype that the engine has for it, where its record tells."""
    found = next((item for item in record.io_tensors if item.name == spec.name), None)
    dtype = _DTYPES.get(found.precision, spec.dtype) if found else spec.dtype
    return TensorSpec(name=spec.name, dtype=dtype if spec.is_floating else spec.dtype, shape=spec.shape)


def will_it_load(passport: Passport, target: Target) -> LoadAnswer:
    """Whether the engine deserializes there, by the first rule that says no; the last one says yes.

    Rules from NVIDIA's documentation of engine portability: one runtime, one operating system, one version unless
    version-compatible, one architecture unless hardware-compatible.
    """
    answers = [rule(passport, target) for rule in (_runtime, _system, _version, _architecture)]
    for wanted in (False, None):
        for answer in answers:
            if answer is not None and answer.loads is wanted:
                return answer
    costs = [answer for answer in answers if answer is not None]
    reason = " ".join(answer.reason for answer in costs)
    return LoadAnswer(
        loads=True,
        rule=costs[-1].rule if costs else "same-place",
        reason=reason or _same(passport, target),
        cost=" ".join(answer.cost for answer in costs if answer.cost),
    )


def _same(passport: Passport, target: Target) -> str:
    """What was compared and is the same; what the target leaves open is said."""
    asked = [name for name, value in (("version", target.tensorrt), ("architecture", target.sm)) if value]
    same = f"{', '.join(['Runtime', *asked[:-1]])} and {asked[-1]} are" if asked else "The runtime is"
    wants = "" if target.sm else f" It wants {' or '.join(str(item) for item in passport.targets)}; no GPU was named."
    kind = "those" if asked else "that"
    return f"{same} {kind} it was built with.{wants}"


def _runtime(passport: Passport, target: Target) -> LoadAnswer | None:
    if passport.backend == target.runtime:
        return None
    own = "TensorRT-RTX" if passport.backend == "rtx" else "TensorRT"
    where = "Triton's tensorrt_plan platform" if target.triton else target.name
    return LoadAnswer(
        loads=False,
        rule="one-runtime",
        reason=f"The plan is {own}'s, and {where} reads only plans of {_library(target)}.",
        remedy="Build the variant with TensorRT on the target GPU: the bundle has the script and the job for it.",
    )


def _library(target: Target) -> str:
    return "TensorRT-RTX" if target.runtime == "rtx" else "TensorRT"


def _system(passport: Passport, target: Target) -> LoadAnswer | None:
    own = passport.os.split()[0].lower() if passport.os else ""
    if passport.backend == "rtx" or not own or own == target.os:
        return None
    return LoadAnswer(
        loads=False,
        rule="one-operating-system",
        reason=f"It was built on {own}; an engine does not cross to {target.os}.",
        remedy=f"Build it on {target.os}.",
    )


def _version(passport: Passport, target: Target) -> LoadAnswer | None:
    if not target.tensorrt:
        return None
    if not passport.tensorrt:
        return LoadAnswer(
            loads=None, rule="same-version", reason="The engine's version was not recorded.", remedy="Build it anew."
        )
    own, there = release_of(passport.tensorrt), release_of(target.tensorrt)
    same = own[: len(there)] == there[: len(own)]
    if same:
        return None
    if passport.backend == "rtx":
        return _version_refused(passport, target, "A TensorRT-RTX plan never crosses releases.")
    if not passport.version_compatible:
        return _version_refused(passport, target, "An engine loads in the version that built it and in no other.")
    if own > there or (own[0] != there[0] and (own[0], there[0]) not in _PROMISED):
        return _version_refused(passport, target, "Version compatibility reaches one major version ahead, never back.")
    return LoadAnswer(
        loads=True,
        rule="version-compatible",
        reason=f"Built version-compatible with {passport.tensorrt}, so {target.tensorrt} loads it.",
        cost="The runtime must allow host code from the plan, and the engine may be slower.",
    )


def _version_refused(passport: Passport, target: Target, rule: str) -> LoadAnswer:
    fits = f"Triton {target.triton} has" if target.triton else "the target has"
    return LoadAnswer(
        loads=False,
        rule="same-version",
        reason=f"{rule} It was built with {passport.tensorrt}; {fits} {target.tensorrt}.",
        remedy="Choose a target with the same version, or build with the target's.",
    )


def _architecture(passport: Passport, target: Target) -> LoadAnswer | None:
    if target.sm is None and passport.targets:
        return None
    if target.sm is None or not passport.targets:
        return LoadAnswer(
            loads=None,
            rule="same-architecture",
            reason="The GPU that the engine was built on was not recorded.",
            remedy="Build it anew, or read the architecture from the machine that built it.",
        )
    if target.sm in passport.targets:
        return None
    own = ", ".join(str(item) for item in passport.targets)
    crosses = passport.hardware_compatibility == "ampere_plus" and passport.targets[0] >= _AMPERE <= target.sm
    if crosses and not any(is_jetson(sm) for sm in (target.sm, *passport.targets)):
        return LoadAnswer(
            loads=True,
            rule="hardware-compatible",
            reason=f"Built on {own} for Ampere and newer, so {target.sm} loads it.",
            cost="It leaves out what only one architecture has, so it may be slower there than an engine of its own.",
        )
    return LoadAnswer(
        loads=False,
        rule="same-architecture",
        reason=f"It was built for {own}; {target.gpu or 'the target'} is {target.sm}.",
        remedy=f"Build it on {target.sm}, or with hardware compatibility ampere_plus if both are desktop or "
        "data-centre GPUs from Ampere on.",
    )
