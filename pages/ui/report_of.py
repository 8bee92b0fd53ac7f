"""The report of whatever has one, by its id: what the command line writes into a file."""

from __future__ import annotations

from collections.abc import Callable

from pages.ui.divergence_run import run_view
from pages.ui.latency_runs import run_views
from pages.ui.latency_view import compared
from pages.ui.report import Report, render
from pages.ui.report_divergence import divergence_report
from pages.ui.report_engine import engine_report
from pages.ui.report_fusion import build_report
from pages.ui.report_inside import inside_report
from pages.ui.report_latency import latency_report
from pages.ui.report_support import support_report
from pages.ui.report_sweep import sweep_report
from pages.ui.report_triage import triage_report
from pages.ui.report_validation import validation_report
from pages.ui.sensitivity_view import sensitivity_report, sensitivity_view
from pages.ui.sweep_view import usual_limit
from trt_core.domain.artifacts import ArtifactKind, checked_id
from trt_core.errors import InvalidInput, NotFound
from trt_core.workbench import Workbench

__all__ = ["render", "report_of"]


def report_of(bench: Workbench, made_id: str, *, against: str = "", as_engine: bool = False) -> Report:
    """What the pages show of a thing, as their export button would have it.

    `against` is a second engine, or a second latency run. With `as_engine` a build is taken apart as the Engines page
    does, instead of as Build and Fusion do. Raises NotFound for an id that is none or has no report, InvalidInput for
    two things that are not compared.
    """
    kind = ArtifactKind(checked_id(made_id)[0])
    if against:
        return _compared(bench, made_id, against)
    if kind is ArtifactKind.BUILD and as_engine:
        return engine_report(bench, bench.engines.study(made_id))
    if as_engine and kind is not ArtifactKind.RECORDING:
        raise InvalidInput(f"{made_id} is no engine.", remedy="Leave --engine out, or give the id of a build.")
    if kind not in _REPORTS:
        raise NotFound(f"{made_id} is a {kind.name.lower()}, and has no report.", remedy=f"These have one: {_LISTED}.")
    return _REPORTS[kind](bench, made_id)


def _compared(bench: Workbench, made_id: str, against: str) -> Report:
    kinds = {ArtifactKind(checked_id(item)[0]) for item in (made_id, against)}
    if kinds == {ArtifactKind.LATENCY}:
        views = run_views(bench, [made_id, against])
        return latency_report(bench, views, compared(bench, views))
    if kinds <= {ArtifactKind.BUILD, ArtifactKind.RECORDING}:
        return engine_report(bench, bench.engines.study(made_id), bench.engines.study(against))
    raise InvalidInput(
        f"{made_id} and {against} are not compared.", remedy="Give two builds or recordings, or two latency runs."
    )


def _build(bench: Workbench, build_id: str) -> Report:
    return build_report(bench, bench.builds.build(build_id), bench.builds.fusion(build_id))


def _support(bench: Workbench, report_id: str) -> Report:
    model_id, found = bench.support.stored(report_id)
    return support_report(bench, bench.library.model(model_id), found)


def _sweep(bench: Workbench, sweep_id: str) -> Report:
    sweep = bench.sweeps.sweep(sweep_id)
    measured = [point for point in sweep.points if point.summary is not None]
    if not measured:
        raise NotFound(f"No point of {sweep_id} has been measured.", remedy="Run the sweep again.")
    return sweep_report(bench, sweep, usual_limit(measured))


def _rebuild(bench: Workbench, run_id: str) -> Report:
    return engine_report(bench, bench.engines.study(bench.rebuilds.run(run_id).build_id))


def _latency(bench: Workbench, run_id: str) -> Report:
    return latency_report(bench, run_views(bench, [run_id]), [])


_REPORTS: dict[ArtifactKind, Callable[[Workbench, str], Report]] = {
    ArtifactKind.BUILD: _build,
    ArtifactKind.RECORDING: lambda bench, made: engine_report(bench, bench.engines.study(made)),
    ArtifactKind.REBUILD: _rebuild,
    ArtifactKind.LATENCY: _latency,
    ArtifactKind.SWEEP: _sweep,
    ArtifactKind.DIVERGENCE: lambda bench, made: divergence_report(bench, run_view(bench, made)),
    ArtifactKind.INSIDE: lambda bench, made: inside_report(bench, bench.inside.run(made)),
    ArtifactKind.SUPPORT: _support,
    ArtifactKind.TRIAGE: lambda bench, made: triage_report(bench, bench.triage.run(made)),
    ArtifactKind.SENSITIVITY: lambda bench, made: sensitivity_report(bench, sensitivity_view(bench, made)),
    ArtifactKind.VALIDATION: lambda bench, made: validation_report(bench, bench.validation.run(made)),
}
_LISTED = ", ".join(f"{kind.name.lower()} ({kind.value}-…)" for kind in _REPORTS)
