"""What the served engine needs of Triton: its release, its flags, its types and its batches."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.deploy.stock import add_engine, add_model, profile
from tests.deploy.test_triton import DYNAMIC, config_of, files_of, integers
from tests.deploy.triton_proto import parsed, type_name
from trt_core.analysis.latency import summarize
from trt_core.deploy.batching import preferred_sizes
from trt_core.domain.artifacts import ArtifactKind
from trt_core.domain.deployment import DeployWish
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.passport import Passport
from trt_core.domain.sweeps import SweepHead, SweepPoint, SweepSpec
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidInput
from trt_core.services.sweeps import _point_id


@pytest.mark.parametrize(("triton", "kind"), [("23.12", "INT32"), ("25.01", "INT64")])
def test_an_engine_that_is_built_anew_has_the_types_of_the_tensorrt_that_builds_it(bench, triton, kind):
    build = add_engine(bench, add_model(bench, integers()), profiles=(profile("ids=1x1:2x16:4x32"),))

    bundle = bench.deploy.bundle(DeployWish(build_id=build.id, triton=triton))
    config = parsed(files_of(bundle)["model_repository/mlp/config.pbtxt"].content)

    assert type_name(config.input[0].data_type) == f"TYPE_{kind}"
    smoke = json.loads(files_of(bundle)["smoke/tensors.json"].content)
    assert smoke["inputs"][0]["datatype"] == kind
    assert kind in files_of(bundle)["clients/http_client.py"].content.decode()


def starts(bench, build) -> dict[str, str]:
    """How each destination starts Triton."""
    texts = {}
    for to, path in (
        ("triton", "run_triton.sh"), ("triton", "Dockerfile"), ("compose", "docker-compose.yml"),
        ("kubernetes", "base/deployment.yaml"),
    ):  # fmt: skip
        texts[path] = files_of(bench.deploy.bundle(DeployWish(build_id=build.id, to=to)))[path].content.decode()
    return texts


def test_a_version_compatible_engine_is_served_with_leave_to_run_its_code_and_no_other_is(bench):
    model = add_model(bench)
    build = add_engine(bench, model, profiles=DYNAMIC, options=BuilderOptions(version_compatible=True))
    plain = add_engine(bench, model, profiles=DYNAMIC, number=2)

    assert all("--backend-config=tensorrt,version-compatible=true" in text for text in starts(bench, build).values())
    assert not any("--backend-config" in text for text in starts(bench, plain).values())
    found = bench.deploy.bundle(DeployWish(build_id=build.id)).findings
    assert any(item.rule == "host-code-allowed" for item in found)


def test_plugin_libraries_are_named_to_the_server_and_asked_for(bench):
    options = BuilderOptions(plugins=("liba.so", "libb b.so"))
    build = add_engine(bench, add_model(bench), profiles=DYNAMIC, options=options)

    assert all("tensorrt,plugins=/plugins/liba.so;/plugins/libb b.so" in text for text in starts(bench, build).values())
    bundle = bench.deploy.bundle(DeployWish(build_id=build.id))
    assert "- libb b.so" in files_of(bundle)["plugins/README.md"].content.decode()
    assert any(item.rule == "plugin-libraries-wanted" for item in bundle.findings)


def test_a_version_is_served_by_the_newest_release_that_has_it(bench):
    build = add_engine(bench, add_model(bench), version="10.16.1.11", profiles=DYNAMIC)

    bundle = bench.deploy.bundle(DeployWish(build_id=build.id, tensorrt="10.16.1"))

    assert (bundle.target.triton, bundle.answer.loads) == ("26.05", True)


def test_a_version_that_no_release_has_is_refused_instead_of_pinned_to_another(bench):
    build = add_engine(bench, add_model(bench), version="8.6.0.12", profiles=DYNAMIC)

    with pytest.raises(InvalidInput, match=r"No Triton release in the table has TensorRT 8\.6\.0"):
        bench.deploy.bundle(DeployWish(build_id=build.id, tensorrt="8.6.0"))


def test_preferred_batches_come_from_what_was_measured_on_this_engine():
    passport = Passport(
        build_id="b-000000000001",
        name="mlp",
        backend="tensorrt",
        tensorrt="10.7.0",
        targets=(),
        profiles=DYNAMIC,
        inputs=(TensorSpec(name="x", dtype="float32", shape=("batch", 8)),),
    )
    sweep = ((1, 900.0), (2, 1500.0), (4, 1980.0), (8, 2000.0), (16, 1700.0), (32, 5000.0))

    assert preferred_sizes(passport, 16, sweep) == (4, 8)
    assert preferred_sizes(passport, 16, ()) == (4,)


def swept(bench, build, model, rates: dict[int, float]) -> None:
    """A stored sweep of a build that answered so many inferences a second at each batch."""
    spec = SweepSpec(subject_id=build.id, batches=tuple(rates), backend="tensorrt")
    head = SweepHead(id=bench.sweeps.id_of(spec), model_id=model.id, label="mlp", created_at=1.0, spec=spec)
    store = bench.builds._context.store
    store.put(ArtifactKind.SWEEP, head.id, head, {}, parents=(model.id, build.id))
    for number, setting in enumerate(spec.settings):
        milliseconds = 1000 * setting.batch / rates[setting.batch]
        point = SweepPoint(
            setting=setting, summary=summarize(np.full(50, milliseconds), wall_s=milliseconds / 20, batch=setting.batch)
        )
        store.put(ArtifactKind.SWEEP, _point_id(head.id, number), point, {}, parents=(head.id,))


def test_a_stored_sweep_of_the_engine_gives_the_batches_worth_waiting_for_and_anothers_does_not(bench):
    model = add_model(bench)
    build, other = (add_engine(bench, model, profiles=DYNAMIC, number=number) for number in (1, 2))
    swept(bench, build, model, {1: 900.0, 4: 1500.0, 8: 1980.0, 16: 2000.0})

    assert list(config_of(bench, build).dynamic_batching.preferred_batch_size) == [8, 16]
    assert list(config_of(bench, other).dynamic_batching.preferred_batch_size) == [4]
