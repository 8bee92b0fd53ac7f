"""One request built again and again: how far plans, build times, latency and outputs spread."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace

from trt_core.domain.artifacts import ArtifactKind, checked_id
from trt_core.domain.codec import from_plain, to_plain
from trt_core.domain.jobs import Job, JobKind, Progress
from trt_core.domain.latency import LatencyRequest, LatencySummary
from trt_core.domain.rebuilds import AttemptLatency, OutputSpread, RebuildRun, RebuildSpec
from trt_core.domain.requests import BenchSpec, BuildSpec
from trt_core.errors import JobCancelled, TrtCoreError
from trt_core.protocols import Array, Reporter, Runner
from trt_core.services.builds import Builds
from trt_core.services.context import Context
from trt_core.services.latency import Latencies
from trt_core.services.library import Library
from trt_core.services.places import building_place
from trt_core.services.quiet import QuietReporter


class Rebuilds:
    """Build N attempts at one request, and measure them against each other where engines run."""

    def __init__(
        self,
        context: Context,
        library: Library,
        builds: Builds,
        latency: Latencies,
        runners: Mapping[str, Runner],
    ) -> None:
        self._context = context
        self._library = library
        self._builds = builds
        self._latency = latency
        self._runners = runners

    def submit(self, spec: RebuildSpec) -> Job:
        """Queue N more attempts; refused at once when the request cannot be built again."""
        wish = self._wish(spec)
        self._builds.check(wish)
        model = self._library.model(wish.variant.model_id)
        device, use = building_place(self._context.compiler(wish.backend))
        job = Job(
            id="",
            kind=JobKind.REBUILD,
            title=f"{spec.times} builds of {model.name} in {wish.variant.recipe.precision.value.upper()}",
            request={"spec": to_plain(spec)},
            device=device,
            use=use,
        )
        return self._context.queue.submit(job)

    def perform(self, spec: RebuildSpec, reporter: Reporter) -> RebuildRun:
        """Build, measure and compare in the calling process; every finished attempt is kept at once."""
        wish = self._wish(spec)
        for number in range(spec.times):
            reporter.check()
            phase = f"Build {number + 1} of {spec.times}"
            reporter.progress(Progress(phase=phase, fraction=number / spec.times, step=number + 1, steps=spec.times))
            self._builds.perform(wish, QuietReporter(reporter))
        attempts = self._builds.attempts(wish)
        latency, not_run, method = self._measured(spec, wish, attempts, reporter)
        outputs = self._outputs(wish, attempts, reporter) if not not_run else ()
        run = RebuildRun(
            id=f"{ArtifactKind.REBUILD.value}-{uuid.uuid4().hex[:12]}",
            model_id=wish.variant.model_id,
            build_id=attempts[0],
            created_at=self._context.clock(),
            attempts=attempts,
            stamp=method or self._builds.fusion(attempts[0]).stamp,
            latency=latency,
            outputs=outputs,
            not_run=not_run,
        )
        self._context.store.put(ArtifactKind.REBUILD, run.id, run, {}, parents=(run.model_id, *attempts))
        return run

    def run(self, run_id: str) -> RebuildRun:
        """One comparison of attempts."""
        return from_plain(RebuildRun, self._context.store.record(checked_id(run_id, ArtifactKind.REBUILD)))

    def latest(self, build_id: str) -> RebuildRun | None:
        """The newest comparison that an attempt takes part in; None without one."""
        found = self._context.store.ids(ArtifactKind.REBUILD, parent=checked_id(build_id, ArtifactKind.BUILD))
        return self.run(found[0]) if found else None

    def _wish(self, spec: RebuildSpec) -> BuildSpec:
        wish = replace(self._builds.wish_of(spec.build_id), rebuild=True)
        if spec.fresh_timings and self._context.compiler(wish.backend).capabilities().has_timing_cache:
            wish = replace(wish, options=replace(wish.options, timing_cache="off"))
        return self._builds.resolved(wish)

    def _measured(
        self, spec: RebuildSpec, wish: BuildSpec, attempts: Sequence[str], reporter: Reporter
    ) -> tuple[tuple[AttemptLatency, ...], str, str]:
        """Latency by attempt, why there is none, and how it was measured."""
        if not spec.measure:
            return (), "Nothing was measured: only builds were asked for.", ""
        if wish.backend not in self._runners:
            return (), f"Engines of {wish.backend} are compiled ahead of time and do not run here.", ""
        request = LatencyRequest(iterations=spec.iterations, profile_layers=False)
        found: dict[str, list[LatencySummary]] = {build_id: [] for build_id in attempts}
        method = ""
        for turn in range(spec.rounds):
            for number, build_id in enumerate(attempts):
                reporter.check()
                done = turn * len(attempts) + number
                share = done / (spec.rounds * len(attempts))
                reporter.progress(Progress(phase=f"Measure {build_id}, round {turn + 1}", fraction=share))
                try:
                    summary, method = self._timed(build_id, request, wish.backend, reporter)
                except JobCancelled:
                    raise
                except TrtCoreError as error:
                    return (), str(error), ""
                found[build_id].append(summary)
        rows = tuple(AttemptLatency(build_id=name, rounds=tuple(rounds)) for name, rounds in found.items())
        return rows, "", method

    def _timed(
        self, build_id: str, request: LatencyRequest, backend: str, reporter: Reporter
    ) -> tuple[LatencySummary, str]:
        from trt_core.analysis.latency import summarize

        bench = self._latency.resolved(BenchSpec(subject_id=build_id, request=request, backend=backend))
        measured = self._latency.measured(bench, QuietReporter(reporter))
        summary = summarize(measured.samples_ms, wall_s=measured.wall_s, batch=measured.conditions.batch)
        return summary, f"{measured.conditions.device}: {measured.conditions.method}"

    def _outputs(self, wish: BuildSpec, attempts: Sequence[str], reporter: Reporter) -> tuple[OutputSpread, ...]:
        """The outputs of every attempt on one seeded input, against the first attempt's."""
        from trt_core.analysis.rebuilds import output_spread
        from trt_core.store.npz import random_feeds

        inputs = self._library.model(wish.variant.model_id).inputs
        tuned = wish.profiles[0].ranges if wish.profiles else ()
        feeds = random_feeds(inputs, {item.tensor: item.opt for item in tuned})
        found: dict[str, list[Array]] = {}
        for build_id in attempts:
            reporter.check()
            session = self._runners[wish.backend].load(self._builds.engine_path(build_id))
            for name, array in zip(session.outputs, session.run(feeds), strict=True):
                found.setdefault(name, []).append(array.copy())
            # An engine's memory is the GPU's, which Python's collector does not see; a session on the CPU has no close.
            getattr(session, "close", lambda: None)()
        return tuple(output_spread(name, arrays) for name, arrays in found.items())
