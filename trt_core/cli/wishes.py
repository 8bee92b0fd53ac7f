"""From arguments to what the workbench is asked for."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from trt_core.cli.switches import switches
from trt_core.domain.artifacts import ArtifactKind, ModelRecord
from trt_core.domain.engine import BuilderOptions, Sm, sm_from_text
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.plans import Plan, plan_from_text
from trt_core.domain.precision import CalibrationMethod, KeepRule, Precision, Recipe
from trt_core.domain.profiles import OptimizationProfile, profile_from_texts, shape_from_text
from trt_core.domain.requests import BenchSpec, BuildSpec, DivergeSpec, InspectSpec, QuantizeSpec
from trt_core.errors import InvalidInput, UnreadableModel
from trt_core.workbench import Workbench

_PLAN_BYTES = 64 << 20
_PRECISIONS = {item.value: item for item in Precision if item is not Precision.UNKNOWN}
ARTIFACT_ID = re.compile(r"[a-z]-[0-9a-f]{12}(-[0-9]{1,4})?")


def model_record(bench: Workbench, text: str) -> ModelRecord:
    """The model that an argument names: a file, or the id of one that the workspace has."""
    if ARTIFACT_ID.fullmatch(text) and not Path(text).exists():
        return bench.library.model(text)
    path = Path(text)
    if not path.is_file():
        raise UnreadableModel(f"There is no file {text!r}.", remedy="Check the path, or give the id of a stored model.")
    return bench.library.add_file(path, trusted=True)


def data_id(bench: Workbench, path: Path | None, model_id: str) -> str:
    """The id of a data file, brought into the workspace; empty for none."""
    if path is None:
        return ""
    return bench.library.add_data(path, name=path.name, model_id=model_id).id


def inspect_spec(bench: Workbench, options: argparse.Namespace) -> InspectSpec:
    """The wish of `inspect`."""
    model_id = model_record(bench, options.model).id
    return InspectSpec(model_id=model_id, backend=options.backend, target=target(options.sm), prove=options.prove)


def quantize_spec(
    bench: Workbench,
    options: argparse.Namespace,
    model_id: str,
    *,
    cache_id: str = "",
    otherwise: Precision | None = None,
) -> QuantizeSpec:
    """The wish of `quantize`, and the first half of `build`; a calibration cache stands in for data.

    `otherwise` is the precision where neither an argument nor a plan names one; without it that is InvalidInput.
    What was not asked for is as the plan has it: with another rest or calibration it would not be what was proven.
    """
    plan = _plan(options)
    usual = plan.recipe if plan is not None else Recipe(precision=_asked_precision(options, otherwise))
    recipe = Recipe(
        precision=usual.precision,
        rest=Precision(options.rest) if options.rest else usual.rest,
        method=CalibrationMethod(options.method) if options.method else usual.method,
        percentile=usual.percentile if options.percentile is None else percentile(options.percentile),
        keep=_rules(options, plan),
        normalize=usual.normalize and not options.no_normalize,
        attention=options.attention or usual.attention,
    )
    data = cache_id or data_id(bench, options.data, model_id)
    return QuantizeSpec(model_id=model_id, recipe=recipe, data_id=data)


def build_spec(bench: Workbench, options: argparse.Namespace, model_id: str) -> BuildSpec:
    """The wish of `build`."""
    if options.calibration == "implicit":
        bench.builds.require_implicit_calibration(options.backend)
    if options.timing_cache is not None:
        bench.builds.require_timing_cache(options.backend)
    brought = _timings(bench, options.timing_cache)
    return BuildSpec(
        variant=quantize_spec(
            bench, options, model_id, cache_id=_cache_id(bench, options, model_id), otherwise=Precision.FP32
        ),
        backend=options.backend,
        target=target(options.sm),
        profiles=_profiles(options.profile_words),
        options=BuilderOptions(
            optimization_level=options.optimization_level,
            workspace_mb=options.workspace_mb,
            version_compatible=options.version_compatible,
            hardware_compatibility=options.hardware_compatibility,
            timing_cache=brought,
            calibration="implicit" if options.calibration == "implicit" else "",
            **switches(options),
        ),
        rebuild=options.rebuild,
    )


def _timings(bench: Workbench, path: Path | None) -> str:
    if path is None or str(path) == "off":
        return "off" if path is not None else ""
    return bench.builds.bring_timing_cache(path)


def _cache_id(bench: Workbench, options: argparse.Namespace, model_id: str) -> str:
    """The id of the calibration cache that was named, brought into the workspace; empty for none."""
    named = options.calibration_cache
    if not named:
        return ""
    if options.data is not None or options.calibration != "implicit":
        raise InvalidInput(
            "--calibration-cache stands in for the data of implicit calibration.",
            remedy="Give it with --calibration implicit, without --data.",
        )
    if ARTIFACT_ID.fullmatch(named) and not Path(named).exists():
        return bench.caches.record(named).id
    return bench.caches.add(Path(named), name=Path(named).name, model_id=model_id).id


def bench_spec(bench: Workbench, options: argparse.Namespace) -> BenchSpec:
    """The wish of `bench`: a model's file, or the id of a model, variant or build."""
    text = options.subject
    is_id = ARTIFACT_ID.fullmatch(text) and text[0] in (ArtifactKind.VARIANT.value, ArtifactKind.BUILD.value)
    subject_id = text if is_id else model_record(bench, text).id
    shapes = []
    for word in options.shape:
        name, equals, sizes = word.rpartition("=")
        if not equals:
            raise InvalidInput(f"Shape {word!r} names no input.", remedy="Write it as x=8x3x32x32.")
        shapes.append((name, shape_from_text(sizes, context=word)))
    if options.batch < 1:
        raise InvalidInput(f"Batch {options.batch}.", remedy="Ask for one or more.")
    request = LatencyRequest(
        shapes=tuple(shapes),
        warmup=options.warmup,
        iterations=options.iterations,
        duration_s=options.duration,
        streams=options.streams,
        threads=options.threads,
        cuda_graph=options.cuda_graph,
        transfers=options.transfers,
    )
    model_id = bench.latency.model_of(subject_id)
    return BenchSpec(
        subject_id=subject_id,
        request=request,
        backend=options.backend,
        batch=options.batch,
        data_id=data_id(bench, options.data, model_id),
        program=options.program,
    )


def diverge_spec(bench: Workbench, options: argparse.Namespace, model_id: str) -> DivergeSpec:
    """The wish of `diverge`; of a file in low precision the layers alone are measured as well: they tell its faults."""
    is_file = _names_a_file(options.against)
    return DivergeSpec(
        model_id=model_id,
        against=() if is_file else precisions(options.against),
        candidate_id=model_record(bench, options.against).id if is_file else "",
        data_id=data_id(bench, options.data, model_id),
        calibration_id=data_id(bench, options.calibration_data, model_id),
        samples=options.samples,
        mode=options.mode or ("both" if is_file else "cumulative"),
        rest=Precision(options.rest),
        method=CalibrationMethod(options.method),
        percentile=percentile(options.percentile),
        backend=options.backend,
    )


def _names_a_file(text: str) -> bool:
    """Words of precisions are precisions, even where a file is called so; anything with a path's signs is a file."""
    if all(name.strip().lower() in _PRECISIONS for name in text.split(",")):
        return False
    is_path = Path(text).exists() or Path(text).suffix != "" or "/" in text
    return is_path or ARTIFACT_ID.fullmatch(text) is not None


def target(text: str | None) -> Sm | None:
    """The architecture that `--sm` names."""
    return sm_from_text(text) if text else None


def percentile(value: float) -> float:
    """The percentile, when it is one that can be used."""
    if not 50.0 < value <= 100.0:
        raise InvalidInput(f"Percentile {value}.", remedy="Choose one above 50 and up to 100, such as 99.99.")
    return value


def precisions(names: str) -> tuple[Precision, ...]:
    """Precisions in a list separated by commas, each once."""
    return tuple(dict.fromkeys(_precision(name) for name in names.split(",") if name.strip()))


def _precision(name: str) -> Precision:
    found = _PRECISIONS.get(name.strip().lower())
    if found is None:
        raise InvalidInput(
            f"Precision {name.strip()!r} is not known.", remedy=f"Choose among {', '.join(_PRECISIONS)}."
        )
    return found


def read_plan(path: Path) -> Plan:
    """The plan in a file of this machine."""
    if not path.is_file():
        raise InvalidInput(f"There is no plan {str(path)!r}.", remedy="Check the path.")
    if path.stat().st_size > _PLAN_BYTES:
        raise InvalidInput(f"{path.name} is too large for a plan.", remedy="Give a plan that this program saved.")
    return plan_from_text(path.read_bytes())


def _asked_precision(options: argparse.Namespace, otherwise: Precision | None) -> Precision:
    if options.precision is not None:
        return Precision(options.precision)
    if otherwise is None:
        raise InvalidInput("No precision was asked for.", remedy="Give --precision, or a plan with --plan.")
    return otherwise


def _plan(options: argparse.Namespace) -> Plan | None:
    """The plan of --plan; InvalidInput where it is one for another precision than was asked for."""
    if options.plan is None:
        return None
    plan = read_plan(options.plan)
    if options.precision not in (None, plan.recipe.precision.value):
        raise InvalidInput(
            f"The plan is for {plan.recipe.precision.value}, not for {options.precision}.",
            remedy="Leave --precision out: the plan holds it.",
        )
    return plan


def _rules(options: argparse.Namespace, plan: Plan | None) -> tuple[KeepRule, ...]:
    """The rules of --keep, and those of the plan for other nodes."""
    rules = {rule.node: rule for rule in map(_keep, options.keep)}
    if plan is not None:
        rules = {rule.node: rule for rule in plan.variant_recipe.keep} | rules
    return tuple(rules.values())


def _keep(text: str) -> KeepRule:
    node, equals, precision = text.rpartition("=")
    if not equals or precision not in ("fp32", "fp16"):
        raise InvalidInput(f"--keep {text!r} cannot be read.", remedy="Write NODE=fp32 or NODE=fp16.")
    return KeepRule(node=node, precision=Precision(precision))


def _profiles(words: list[str | None]) -> tuple[OptimizationProfile, ...]:
    groups: list[list[str]] = [[]]
    for word in words:
        if word is None:
            groups.append([])
        else:
            groups[-1].append(word)
    if len(groups) > 1 and not all(groups):
        raise InvalidInput("--and-profile stands beside an empty profile.", remedy="Give each profile its --profile.")
    return tuple(profile_from_texts(group) for group in groups if group)
