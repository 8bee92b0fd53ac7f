"""The registry of engines: find them, decide about them, let them go, take them elsewhere."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from trt_core.domain.artifacts import ArtifactKind, BuildRecord, checked_id
from trt_core.domain.codec import from_plain, to_plain
from trt_core.domain.precision import Recipe
from trt_core.domain.registry import (
    Decision,
    Doomed,
    EngineState,
    Entry,
    Imported,
    Measurement,
    RetentionRules,
)
from trt_core.domain.validation import ValidationRun
from trt_core.errors import InvalidInput, TrtCoreError
from trt_core.services.builds import Builds
from trt_core.services.context import Context
from trt_core.services.deploy import Deployments
from trt_core.services.latency import Latencies
from trt_core.services.library import Library
from trt_core.services.validation import Validations
from trt_core.services.variants import Variants
from trt_core.store.decisions import DecisionBook
from trt_core.store.project_file import read_project, write_project

_DAY_S = 86_400.0


class Registry:
    """Every build of the workspace, with what people decided about it."""

    def __init__(
        self, context: Context, library: Library, variants: Variants, builds: Builds, latency: Latencies
    ) -> None:
        self._context = context
        self._library = library
        self._variants = variants
        self._builds = builds
        self._latency = latency
        self._summary = lru_cache(maxsize=1024)(latency.summary)  # runs never change
        self._validation = Validations(context, library, variants, builds)
        self._deploy = Deployments(context, library, variants, builds, latency)
        self._book = DecisionBook(context.settings.workspace)

    # Looking -----------------------------------------------------------------------------------------------------

    def entries(self, *, search: str = "", states: Sequence[EngineState] = (), model_id: str = "") -> list[Entry]:
        """Entries, newest first, what nobody asked for last.

        Every word of `search` is in the tag, name, notes, GPU, backend or an id.
        """
        decisions = self._book.all()
        found = []
        for build in self._builds.builds(model_id):
            decision = decisions.get(build.id, Decision())
            if states and decision.state not in states:
                continue
            entry = self._entry(build, decision)
            if matches(entry, search):
                found.append(entry)
        return found

    def entry(self, build_id: str) -> Entry:
        """One entry."""
        return self._entry(self._builds.build(build_id), self._book.all().get(build_id, Decision()))

    def _entry(self, build: BuildRecord, decision: Decision) -> Entry:
        variant = self._variants.variant(build.request.variant_id)
        return Entry(
            build=build,
            model_name=self._library.model(build.model_id).name,
            model_sha256=self._library.model(build.model_id).sha256,
            variant_sha256=variant.sha256,
            data_sha256=build.recipe.data_sha256,
            timing_cache=build.request.options.timing_cache,
            tag=self._deploy.tag(build.id),
            decision=decision,
            plan_sha256=plan_sha256(build.recipe),
            latency=self._latencies(build),
            accuracy=self._accuracies(build),
        )

    def _latencies(self, build: BuildRecord) -> tuple[Measurement, ...]:
        found = []
        for head in self._latency.heads(build.model_id):
            if head.subject_id in (build.id, build.request.variant_id):
                summary = self._summary(head.id)
                text = f"p50 {summary.p50_ms:.3g} ms, {summary.throughput_per_s:.4g}/s, {head.label}"
                found.append(Measurement(run_id=head.id, text=text, on_engine=head.subject_id == build.id))
        return tuple(found)

    def _accuracies(self, build: BuildRecord) -> tuple[Measurement, ...]:
        found = []
        for run in self._validation.runs(build.model_id):
            if run.build_id == build.id or (run.variant_id == build.request.variant_id and not run.build_id):
                measured = run.measured
                against = "" if measured.baseline is None else f" (baseline {measured.baseline:.4g})"
                by = f"the engine on {run.device}" if run.by_engine else "the numerics twin, simulated"
                text = f"{run.metric} {measured.value:.4g}{against}, {run.samples} samples, {by}"
                found.append(Measurement(run_id=run.id, text=text, on_engine=ran_engine(run, build.id)))
        return tuple(found)

    # Deciding ----------------------------------------------------------------------------------------------------

    def decide(self, build_id: str, *, state: EngineState | None = None, notes: str | None = None) -> Decision:
        """Change state or notes of a build; NotFound for an id that is none."""
        build = self._builds.build(build_id)

        def change(known: dict[str, Decision]) -> None:
            before = known.get(build.id, Decision())
            known[build.id] = replace(
                before,
                state=before.state if state is None else state,
                notes=before.notes if notes is None else notes,
                changed_at=self._context.clock(),
            )

        self._book.change(change)
        return self._book.all()[build.id]

    def doomed(self, rules: RetentionRules) -> tuple[Doomed, ...]:
        """The dry run: what the rules would let go. Approved engines never are."""
        decisions = self._book.all()
        horizon = self._context.clock() - rules.older_than_days * _DAY_S
        found = []
        for model in self._library.models():
            for place, build in enumerate(self._builds.builds(model.id)):
                state = decisions.get(build.id, Decision()).state
                reason = ""
                if state is EngineState.RETIRED and rules.retired:
                    reason = "retired"
                elif state is EngineState.CANDIDATE and place >= rules.keep_newest and build.created_at < horizon:
                    reason = f"older than {rules.older_than_days:g} days, not among the newest {rules.keep_newest}"
                if reason:
                    tag, size = self._deploy.tag(build.id), self._size(build.id)
                    found.append(Doomed(build_id=build.id, tag=tag, reason=reason, size_bytes=size))
        return tuple(found)

    def retain(self, rules: RetentionRules) -> tuple[Doomed, ...]:
        """Delete what the dry run names; what went."""
        gone = self.doomed(rules)
        for item in gone:
            self._context.store.delete(item.build_id)
        self._forget({item.build_id for item in gone})
        return gone

    def _size(self, build_id: str) -> int:
        store = self._context.store
        return sum(store.artifact(name).size_bytes for name in (build_id, *store.descendants(build_id)))

    def _forget(self, build_ids: set[str]) -> None:
        def change(known: dict[str, Decision]) -> None:
            for build_id in build_ids:
                known.pop(build_id, None)

        if build_ids:
            self._book.change(change)

    # Taking along ------------------------------------------------------------------------------------------------

    def export(self, model_id: str, path: Path) -> tuple[str, ...]:
        """Write a model with all that descends from it, and what that was made with, into one file; the ids in it.

        Support reports stay behind: they answer for the compiler of this machine, and are asked anew elsewhere.
        """
        store = self._context.store
        checked_id(model_id, ArtifactKind.MODEL)
        wanted = {model_id, *(item for item in store.descendants(model_id) if item[0] != ArtifactKind.SUPPORT.value)}
        grown = True
        while grown:
            parents = {parent for name in wanted for parent in store.artifact(name).parents if store.has(parent)}
            grown = not parents <= wanted
            wanted |= parents
        if not path.parent.is_dir():
            raise InvalidInput(f"The folder {str(path.parent)!r} is not there.", remedy="Make it, or write elsewhere.")
        decisions = {name: to_plain(value) for name, value in self._book.all().items() if name in wanted}
        ids = sorted(wanted, key=lambda name: (store.artifact(name).created_at, name))
        write_project(path, store, model_id, ids, decisions)
        return tuple(ids)

    def bring_in(self, path: Path) -> Imported:
        """Take a project in after every hash was verified; what is here already stays as it is.

        Engines in it are marked as imported. Raises InvalidInput for a file that is no whole project.
        """
        store = self._context.store
        folder = store.scratch_folder()
        try:
            limit = self._context.settings.quota_mb << 20
            project = read_project(path, folder, limit_bytes=limit)
            store.check_room(sum(artifact.size_bytes for artifact in project.artifacts))
            fresh = [artifact for artifact in project.artifacts if not store.has(artifact.id)]
            # Marked before it is there: at no moment does an engine from elsewhere look like one of our own.
            self._mark([artifact.id for artifact in fresh], project.facts)
            for artifact in fresh:
                files: dict[str, Path | bytes | memoryview] = {
                    name: folder / artifact.id / name for name in artifact.files
                }
                record = project.records[artifact.id]
                parents, hashes = artifact.parents, artifact.files
                store.put(artifact.kind, artifact.id, record, files, parents=parents, move=True, hashes=hashes)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        added = tuple(artifact.id for artifact in fresh)
        present = tuple(artifact.id for artifact in project.artifacts if artifact.id not in added)
        return Imported(model_id=project.model_id, added=added, present=present)

    def _mark(self, added: list[str], facts: object) -> None:
        known_facts = facts if isinstance(facts, dict) else {}

        def change(known: dict[str, Decision]) -> None:
            for name in added:
                if name.startswith(f"{ArtifactKind.BUILD.value}-"):
                    try:
                        decision = from_plain(Decision, known_facts.get(name, {}))
                    except (TypeError, ValueError, AttributeError, TrtCoreError):
                        decision = Decision()
                    known[name] = replace(decision, imported=True)

        self._book.change(change)


def ran_engine(run: ValidationRun, build_id: str) -> bool:
    """Whether a validation measured the engine itself, and not the numerics twin of its variant."""
    return run.build_id == build_id and run.by_engine


def plan_sha256(recipe: Recipe) -> str:
    """The content hash of a precision plan: two engines have the same when every node was asked for the same."""
    kept = sorted((rule.node, rule.precision.value) for rule in recipe.keep)
    plan: dict[str, object] = {"precision": recipe.precision.value, "rest": recipe.rest.value, "keep": kept}
    if recipe.attention:
        plan["attention"] = True
    return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()


def matches(entry: Entry, search: str) -> bool:
    """True when every word is in the entry's tag, name, notes, GPU, backend or an id."""
    return all(word in _searchable(entry) for word in search.lower().split())


def _searchable(entry: Entry) -> str:
    build = entry.build
    parts = (
        entry.tag,
        entry.model_name,
        entry.decision.notes,
        entry.decision.state.value,
        build.id,
        build.model_id,
        build.request.backend,
        build.backend_version,
        build.target,
        dict(build.host).get("gpu", ""),
        build.recipe.precision.value,
    )
    return " ".join(parts).lower()
