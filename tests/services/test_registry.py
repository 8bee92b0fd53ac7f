"""The registry: found, decided, let go, taken along; project files are hostile until every hash was verified."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import pytest

from tests.deploy.stock import add_engine, add_model, profile
from tests.pages.engines import stocked
from trt_core.domain.artifacts import Artifact, ArtifactKind
from trt_core.domain.precision import KeepRule, Precision, Recipe
from trt_core.domain.registry import EngineState, RetentionRules
from trt_core.domain.requests import InspectSpec, ValidateSpec
from trt_core.domain.sweeps import SweepSpec
from trt_core.errors import InvalidInput, NotFound, StoreError, UnsupportedRequest
from trt_core.services.origin import check_origin
from trt_core.services.registry import plan_sha256
from trt_core.settings import settings_from
from trt_core.store.project_file import _check_artifact
from trt_core.testing import CollectingReporter
from trt_core.workbench import workspace_of

DYNAMIC = (profile("x=1x8:4x8:16x8"),)


@pytest.fixture
def bench(tmp_path):
    return workspace_of(tmp_path / "workspace")


def ids(entries):
    return [entry.build.id for entry in entries]


def test_an_entry_has_parents_tag_and_what_was_decided(bench):
    model = add_model(bench)
    build = add_engine(bench, model, profiles=DYNAMIC)

    bench.registry.decide(build.id, state=EngineState.APPROVED, notes="goes live on Monday")
    entry = bench.registry.entry(build.id)

    assert entry.tag == "mlp_trt10.7_cuda12_sm90_fp16"
    assert entry.model_sha256 == model.sha256
    assert entry.variant_sha256 == bench.variants.variant(build.request.variant_id).sha256
    assert (entry.decision.state, entry.decision.notes) == (EngineState.APPROVED, "goes live on Monday")


def test_the_hash_of_a_plan_is_that_of_what_was_asked_for_and_not_of_its_order():
    kept = (KeepRule(node="a", precision=Precision.FP32), KeepRule(node="b", precision=Precision.FP16))
    recipe = Recipe(precision=Precision.INT8, keep=kept)

    assert plan_sha256(recipe) == plan_sha256(replace(recipe, keep=kept[::-1]))
    assert plan_sha256(recipe) != plan_sha256(replace(recipe, keep=kept[:1]))
    assert plan_sha256(recipe) != plan_sha256(replace(recipe, rest=Precision.FP32))
    assert plan_sha256(recipe) != plan_sha256(replace(recipe, attention=True))


def test_accuracy_of_the_numerics_twin_is_not_said_to_be_the_engines(tmp_path):
    bench, model, build = stocked(tmp_path)
    (images,) = [item for item in bench.library.data_sets(model.id) if "test" in item.name]
    spec = ValidateSpec(
        model_id=model.id, subject_id=build.id, data_id=images.id, metric="sqnr", samples=16, tolerance=10
    )
    bench.validation.perform(spec, CollectingReporter())

    (measured,) = bench.registry.entry(build.id).accuracy

    assert not measured.on_engine


def test_a_decision_outlives_the_process_and_changes_one_thing_at_a_time(bench):
    build = add_engine(bench, add_model(bench))
    bench.registry.decide(build.id, notes="first")

    again = workspace_of(bench.settings.workspace)
    again.registry.decide(build.id, state=EngineState.RETIRED)

    decision = bench.registry.entry(build.id).decision
    assert (decision.state, decision.notes) == (EngineState.RETIRED, "first")


def test_search_finds_words_in_any_field_and_states_filter(bench):
    model = add_model(bench)
    old = add_engine(bench, model, number=1, version="8.6.1.6")
    new = add_engine(bench, model, number=2)
    bench.registry.decide(new.id, state=EngineState.APPROVED, notes="for the tram cameras")

    assert ids(bench.registry.entries(search="TRT8.6")) == [old.id]
    assert ids(bench.registry.entries(search="tram h100")) == [new.id]
    assert ids(bench.registry.entries(search="tram trt8.6")) == []
    assert ids(bench.registry.entries(states=(EngineState.CANDIDATE,))) == [old.id]


def test_nobody_decides_about_a_build_that_is_not_there(bench):
    with pytest.raises(NotFound):
        bench.registry.decide("b-000000000000", state=EngineState.APPROVED)


def test_a_broken_book_is_told_not_overwritten(bench):
    build = add_engine(bench, add_model(bench))
    path = bench.settings.workspace / "registry.json"
    path.write_text("{")

    with pytest.raises(StoreError):
        bench.registry.decide(build.id, notes="x")
    assert path.read_text() == "{"


def test_retention_spares_the_approved_and_the_newest_and_the_dry_run_deletes_nothing(bench):
    model = add_model(bench)
    builds = [add_engine(bench, model, number=number) for number in range(1, 5)]
    bench.registry.decide(builds[0].id, state=EngineState.APPROVED)
    bench.registry.decide(builds[3].id, state=EngineState.RETIRED)
    rules = RetentionRules(keep_newest=2, older_than_days=1)

    dry = bench.registry.doomed(rules)

    assert {item.build_id for item in dry} == {builds[1].id, builds[3].id}
    assert all(item.size_bytes > 0 for item in dry)
    assert len(bench.registry.entries()) == 4
    assert bench.registry.retain(rules) == dry
    assert set(ids(bench.registry.entries())) == {builds[0].id, builds[2].id}
    assert builds[3].id not in json.loads((bench.settings.workspace / "registry.json").read_text())


def test_recent_candidates_stay(bench):
    add_engine(bench, add_model(bench))

    assert bench.registry.doomed(RetentionRules(keep_newest=0, older_than_days=365_000)) == ()


def test_a_project_comes_back_with_the_same_hashes_and_the_same_pages(tmp_path):
    bench, model, build = stocked(tmp_path / "one")
    bench.registry.decide(build.id, state=EngineState.APPROVED, notes="ours")
    path = tmp_path / "digits.zip"
    exported = bench.registry.export(model.id, path)

    other = workspace_of(tmp_path / "two")
    imported = other.registry.bring_in(path)

    assert imported.model_id == model.id
    assert imported.added == exported
    assert {name[0] for name in exported} >= {"m", "v", "b", "n"}
    for name in exported:
        mine, theirs = bench.builds._context.store, other.builds._context.store
        assert theirs.artifact(name).files == mine.artifact(name).files
        assert theirs.artifact(name).parents == mine.artifact(name).parents
        assert theirs.record(name) == mine.record(name)
        theirs.verify(name)
    assert other.library.model(model.id) == model
    assert other.builds.build(build.id) == build
    assert other.builds.fusion(build.id) == bench.builds.fusion(build.id)
    assert other.builds.log(build.id) == bench.builds.log(build.id)
    assert ids(other.registry.entries()) == ids(bench.registry.entries())
    decision = other.registry.entry(build.id).decision
    assert (decision.state, decision.notes, decision.imported) == (EngineState.APPROVED, "ours", True)
    assert not bench.registry.entry(build.id).decision.imported


def test_sweeps_come_along_and_answers_of_this_machines_compiler_stay(tmp_path):
    bench, model, _ = stocked(tmp_path / "one")
    bench.support.perform(InspectSpec(model_id=model.id, backend="rtx"), CollectingReporter())
    wish = SweepSpec(subject_id=model.id, batches=(1, 2), iterations=3, warmup=1)
    sweep = bench.sweeps.perform(wish, CollectingReporter())
    exported = bench.registry.export(model.id, tmp_path / "project.zip")

    other = workspace_of(tmp_path / "two")
    assert other.registry.bring_in(tmp_path / "project.zip").added == exported
    assert other.sweeps.sweep(sweep.head.id) == sweep
    assert not [name for name in exported if name.startswith("s-")]


@pytest.mark.parametrize(
    ("name", "parents", "record"),
    [
        ("w-000000000000-1", ["w-111111111111"], {}),
        ("w-000000000000-1", ["m-000000000000"], {}),
        ("w-000000000000-1", ["w-000000000000"], {"id": "w-111111111111"}),
        ("b-000000000000-2", ["b-000000000000"], {}),
    ],
)
def test_what_only_looks_like_a_point_of_a_sweep_is_refused(name, parents, record):
    kind = next(item for item in ArtifactKind if item.value == name[0])
    artifact = Artifact(id=name, kind=kind, created_at=0.0, parents=tuple(parents), files={}, size_bytes=0)
    with pytest.raises(InvalidInput, match="record of another artifact"):
        _check_artifact(artifact, record, set(parents))


def test_importing_twice_changes_nothing(tmp_path):
    bench, model, _ = stocked(tmp_path / "one")
    path = tmp_path / "digits.zip"
    exported = bench.registry.export(model.id, path)

    again = bench.registry.bring_in(path)

    assert (again.added, again.present) == ((), exported)
    assert not any(entry.decision.imported for entry in bench.registry.entries())


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    bench = workspace_of(root / "workspace")
    model = add_model(bench)
    add_engine(bench, model)
    bench.registry.export(model.id, root / "mlp.zip")
    return root / "mlp.zip"


def rewritten(project, path, *, change=lambda plain: plain, files=lambda name, content: (name, content), extra=()):
    """The project with its list or its files changed."""
    with zipfile.ZipFile(project) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename == "project.json":
                content = json.dumps(change(json.loads(content))).encode()
                target.writestr("project.json", content)
            else:
                target.writestr(*files(entry.filename, content))
        for name, content in extra:
            target.writestr(name, content)
    return path


def broken(part, key, value):
    def change(plain):
        for item in plain["artifacts"]:
            if item["artifact"]["id"].startswith(part):
                item["artifact"][key] = value(item["artifact"][key])
        return plain

    return change


HOSTILE = {
    "another format": {"change": lambda plain: plain | {"format": "x"}},
    "no model": {"change": lambda plain: plain | {"model": "m-000000000000"}},
    "an id that is a path": {"change": lambda plain: plain | {"model": "../../etc"}},
    "a file that is not listed": {"extra": (("artifacts/evil.txt", b"x"),)},
    "a file outside": {"extra": (("../evil.txt", b"x"),)},
    "bytes that differ": {
        "files": lambda name, content: (name, content + b"x" if name.endswith(".engine") else content)
    },
    "a listed path outside": {"change": broken("b-", "files", lambda files: files | {"../../../evil": "0" * 64})},
    "a listed absolute path": {"change": broken("b-", "files", lambda files: files | {"/tmp/evil": "0" * 64})},
    "its own manifest": {"change": broken("b-", "files", lambda files: files | {"manifest.json": "0" * 64})},
    "a missing file": {"change": broken("b-", "files", lambda files: files | {"more.json": "0" * 64})},
    "a parent that is not there": {"change": broken("b-", "parents", lambda parents: [*parents, "m-123456789abc"])},
    "the id of another artifact": {"change": broken("b-", "id", lambda _: "b-123456789abc")},
    "no list": {"change": lambda _plain: []},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_project_is_refused_and_leaves_nothing(bench, project, tmp_path, case):
    path = rewritten(project, tmp_path / "hostile.zip", **HOSTILE[case])

    with pytest.raises(InvalidInput):
        bench.registry.bring_in(path)
    assert bench.library.models() == []
    assert list((bench.settings.workspace / "artifacts").iterdir()) == []
    assert list((bench.settings.workspace / "tmp").iterdir()) == []
    assert not list(tmp_path.rglob("evil*"))


def test_a_link_in_a_project_is_refused(bench, project, tmp_path):
    path = tmp_path / "link.zip"
    with zipfile.ZipFile(project) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            if entry.filename.endswith("model.engine"):
                entry.external_attr = 0o120777 << 16
            target.writestr(entry, source.read(entry.filename))

    with pytest.raises(InvalidInput, match="link"):
        bench.registry.bring_in(path)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_project_is_refused(bench, tmp_path, content):
    path = tmp_path / "x.zip"
    path.write_bytes(content)

    with pytest.raises(InvalidInput):
        bench.registry.bring_in(path)


def test_a_project_beyond_the_quota_is_refused_before_it_is_unpacked(tmp_path, project):
    small = workspace_of(tmp_path)
    object.__setattr__(small.registry._context, "settings", replace(small.settings, quota_mb=0))

    with pytest.raises(InvalidInput, match="are allowed"):
        small.registry.bring_in(project)


def test_notes_have_an_end(bench):
    build = add_engine(bench, add_model(bench))

    with pytest.raises(InvalidInput):
        bench.registry.decide(build.id, notes="x" * 4001)


def test_an_engine_from_elsewhere_is_not_deserialized_unless_the_operator_allows_it(bench, tmp_path):
    other = workspace_of(tmp_path / "other")
    model = add_model(other)
    build = add_engine(other, model)
    other.registry.export(model.id, tmp_path / "mlp.zip")
    check_origin(other.settings, build.id)

    bench.registry.bring_in(tmp_path / "mlp.zip")

    with pytest.raises(UnsupportedRequest, match="came from elsewhere"):
        bench.latency._check_engine(build.id)
    check_origin(replace(bench.settings, foreign_engines=True), build.id)


@pytest.mark.parametrize(("text", "allowed"), [("", False), ("no", False), ("yes", True), ("1", True)])
def test_the_operator_says_yes_in_the_environment(text, allowed):
    assert settings_from({"ENGINESCOPE_FOREIGN_ENGINES": text}).foreign_engines is allowed
