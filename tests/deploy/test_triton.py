"""The model repository: read by Triton's own protobuf, its scripts by shellcheck."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from onnx import TensorProto, helper

from tests import models
from tests.deploy.stock import add_engine, add_model, profile
from tests.deploy.triton_proto import parsed, type_name
from tests.pages.engines import stocked
from trt_core.deploy.batching import batching_of
from trt_core.domain.deployment import DeployWish
from trt_core.domain.engine import Sm
from trt_core.domain.precision import Precision
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidInput, NotFound

DYNAMIC = (profile("x=1x8:4x8:16x8"),)


def files_of(bundle):
    return {item.path: item for item in bundle.files}


def config_of(bench, build, **wish):
    bundle = bench.deploy.bundle(DeployWish(build_id=build.id, **wish))
    name = wish.get("name") or "mlp"
    return parsed(files_of(bundle)[f"model_repository/{name}/config.pbtxt"].content)


def fixed_batch():
    """x (2, 8) -> Relu -> y (2, 8)."""
    return models.model(
        [helper.make_node("Relu", ["x"], ["y"])], [models.value("x", [2, 8])], [models.value("y", [2, 8])]
    )


def two_symbols():
    """a (n, 4) and b (m, 4) -> Concat on axis 0 -> y (k, 4)."""
    return models.model(
        [helper.make_node("Concat", ["a", "b"], ["y"], axis=0)],
        [models.value("a", ["n", 4]), models.value("b", ["m", 4])],
        [models.value("y", ["k", 4])],
    )


def integers():
    """ids (batch, seq) int64 -> Cast -> y (batch, seq)."""
    return models.model(
        [helper.make_node("Cast", ["ids"], ["y"], to=TensorProto.FLOAT)],
        [models.value("ids", ["batch", "seq"], TensorProto.INT64)],
        [models.value("y", ["batch", "seq"])],
    )


def scalars():
    """x (batch) -> Relu -> y (batch)."""
    return models.model(
        [helper.make_node("Relu", ["x"], ["y"])], [models.value("x", ["batch"])], [models.value("y", ["batch"])]
    )


def test_the_batch_axis_is_left_out_of_the_dims_and_the_profile_gives_its_end(bench):
    config = config_of(bench, add_engine(bench, add_model(bench), profiles=DYNAMIC))

    assert config.platform == "tensorrt_plan"
    assert config.max_batch_size == 16
    assert [(item.name, type_name(item.data_type), list(item.dims)) for item in config.input] == [
        ("x", "TYPE_FP32", [8])
    ]
    assert [(item.name, list(item.dims)) for item in config.output] == [("y", [4])]
    assert list(config.dynamic_batching.preferred_batch_size) == [4]
    assert config.version_policy.latest.num_versions == 1


def test_warm_up_asks_for_one_and_for_the_largest_batch(bench):
    config = config_of(bench, add_engine(bench, add_model(bench), profiles=DYNAMIC))

    assert [item.batch_size for item in config.model_warmup] == [1, 16]
    assert list(config.model_warmup[0].inputs["x"].dims) == [8]
    assert config.model_warmup[0].inputs["x"].random_data


def test_a_model_of_fixed_batch_keeps_its_first_axis_and_says_why_it_cannot_batch(bench):
    build = add_engine(bench, add_model(bench, fixed_batch()))

    bundle = bench.deploy.bundle(DeployWish(build_id=build.id))
    config = parsed(files_of(bundle)["model_repository/mlp/config.pbtxt"].content)

    assert config.max_batch_size == 0
    assert list(config.input[0].dims) == [2, 8]
    assert not config.HasField("dynamic_batching")
    assert any(item.rule == "cannot-batch" and "first axis is fixed" in item.message for item in bundle.findings)


@pytest.mark.parametrize(
    ("model", "profiles", "why"),
    [
        (fixed_batch, (), "first axis is fixed"),
        (two_symbols, (profile("a=1x4:2x4:4x4", "b=1x4:2x4:4x4"),), "different symbols"),
        (models.mlp, (), "no optimization profile"),
    ],
)
def test_a_batch_that_the_model_cannot_have_is_refused_with_the_reason(bench, model, profiles, why):
    build = add_engine(bench, add_model(bench, model()), profiles=profiles)

    with pytest.raises(InvalidInput, match=f"cannot batch.*{why}"):
        bench.deploy.bundle(DeployWish(build_id=build.id, max_batch=8))


def test_a_batch_beyond_the_profiles_is_refused_with_their_end(bench):
    build = add_engine(bench, add_model(bench), profiles=DYNAMIC)

    with pytest.raises(InvalidInput, match="profiles end at 16"):
        bench.deploy.bundle(DeployWish(build_id=build.id, max_batch=17))


def test_a_model_whose_rank_nobody_knows_is_refused(bench):
    passport = bench.deploy.passport(add_engine(bench, add_model(bench), profiles=DYNAMIC).id)

    with pytest.raises(InvalidInput, match="The rank of 'y' is not known"):
        batching_of(replace(passport, outputs=(TensorSpec(name="y", dtype="float32", shape=None),)))


def test_a_smaller_batch_than_the_profiles_is_a_choice(bench):
    build = add_engine(bench, add_model(bench), profiles=DYNAMIC)

    assert config_of(bench, build, max_batch=8).max_batch_size == 8
    unbatched = config_of(bench, build, max_batch=0)
    assert (unbatched.max_batch_size, list(unbatched.input[0].dims)) == (0, [-1, 8])


def test_several_profiles_are_all_named_to_one_instance_group(bench):
    profiles = (profile("x=1x8:1x8:1x8"), profile("x=2x8:16x8:32x8"))
    config = config_of(bench, add_engine(bench, add_model(bench), profiles=profiles), instances=2, gpus=2)

    assert config.max_batch_size == 32
    group = config.instance_group[0]
    assert (list(group.profile), group.count, list(group.gpus)) == (["0", "1"], 2, [0, 1])
    assert list(config.dynamic_batching.preferred_batch_size) == [16]


def test_a_profile_that_begins_above_one_is_warned_of(bench):
    build = add_engine(bench, add_model(bench), profiles=(profile("x=4x8:8x8:16x8"),))

    bundle = bench.deploy.bundle(DeployWish(build_id=build.id))

    assert any(item.rule == "smallest-batch" and "fewer than 4" in item.message for item in bundle.findings)


@pytest.mark.parametrize(("version", "kind"), [("8.6.1.6", "TYPE_INT32"), ("10.7.0.23", "TYPE_INT64")])
def test_64_bit_integers_are_32_bit_ones_before_tensorrt_10(bench, version, kind):
    model = add_model(bench, integers())
    build = add_engine(bench, model, version=version, profiles=(profile("ids=1x1:2x16:4x32"),))

    config = config_of(bench, build)

    assert type_name(config.input[0].data_type) == kind
    assert list(config.input[0].dims) == [-1]
    assert config.model_warmup[0].inputs["ids"].zero_data


def test_a_tensor_of_rank_one_is_reshaped_because_triton_has_no_empty_dims(bench):
    build = add_engine(bench, add_model(bench, scalars()), profiles=(profile("x=1:4:8"),))

    config = config_of(bench, build)

    assert list(config.input[0].dims) == [1]
    assert config.input[0].HasField("reshape")


def test_vectorized_formats_are_declared(bench):
    build = add_engine(bench, add_model(bench), profiles=DYNAMIC, formats={"x": "Channel major FP16 (kCHW16)"})

    config = config_of(bench, build)

    assert config.input[0].is_non_linear_format_io
    assert not config.output[0].is_non_linear_format_io


def test_names_with_quotes_reach_triton_unharmed(bench):
    name = 'x"] } \\ name: "evil\n'
    model = models.model(
        [helper.make_node("Relu", [name], ["y"])], [models.value(name, ["batch", 3])], [models.value("y", ["batch", 3])]
    )
    build = add_engine(bench, add_model(bench, model), profiles=())

    config = config_of(bench, build)

    assert config.input[0].name == name
    assert len(config.input) == 1


def test_a_tensorrt_engine_goes_along_with_what_it_was_built_from(bench):
    build = add_engine(bench, add_model(bench), profiles=DYNAMIC)

    files = files_of(bench.deploy.bundle(DeployWish(build_id=build.id)))

    assert files["model_repository/mlp/1/model.plan"].source == bench.builds.engine_path(build.id)
    assert "source/model.onnx" in files
    facts = json.loads(files["passport.json"].content)
    assert facts["target"]["image"] == "nvcr.io/nvidia/tritonserver:24.12-py3"
    assert facts["loads"]["loads"] is True


def test_an_engine_that_does_not_load_in_the_named_target_stays_behind(bench):
    build = add_engine(bench, add_model(bench), profiles=DYNAMIC)

    bundle = bench.deploy.bundle(DeployWish(build_id=build.id, triton="25.01"))

    assert bundle.answer.loads is False
    assert not any(item.path.endswith("model.plan") for item in bundle.files)
    assert any(item.rule == "same-version" and item.severity.value == "blocker" for item in bundle.findings)


def test_an_rtx_plan_stays_behind_and_the_finding_says_why(tmp_path):
    bench, _, build = stocked(tmp_path)

    bundle = bench.deploy.bundle(DeployWish(build_id=build.id))
    files = files_of(bundle)

    assert not any(path.endswith("model.plan") for path in files)
    assert {"build_plan.sh", "build_in_docker.sh", "source/model.onnx"} <= files.keys()
    assert any(item.rule == "rtx-plan-not-for-triton" for item in bundle.findings)
    assert parsed(files["model_repository/digits_cnn/config.pbtxt"].content).max_batch_size == 1


def test_an_ensemble_is_made_only_when_asked_for_and_its_tensors_meet(bench):
    build = add_engine(bench, add_model(bench), profiles=DYNAMIC)
    plain = files_of(bench.deploy.bundle(DeployWish(build_id=build.id)))
    assert not any("pipeline" in path for path in plain)

    files = files_of(bench.deploy.bundle(DeployWish(build_id=build.id, ensemble=True)))
    pipeline = parsed(files["model_repository/mlp_pipeline/config.pbtxt"].content)

    known = {item.name for item in pipeline.input}
    for step in pipeline.ensemble_scheduling.step:
        config = parsed(files[f"model_repository/{step.model_name}/config.pbtxt"].content)
        assert set(step.input_map) == {item.name for item in config.input}
        assert set(step.output_map) == {item.name for item in config.output}
        assert set(step.input_map.values()) <= known
        known |= set(step.output_map.values())
    assert {item.name for item in pipeline.output} <= known
    compile(files["model_repository/mlp_pre/1/model.py"].content, "model.py", "exec")


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"to": "mars"}, InvalidInput), ({"instances": 0}, InvalidInput), ({"gpus": 65}, InvalidInput),
        ({"max_batch": -1}, InvalidInput), ({"queue_delay_us": -1}, InvalidInput), ({"name": "../x"}, InvalidInput),
        ({"gpu": "Z9"}, NotFound), ({"triton": "1.2"}, NotFound), ({"tensorrt": "ten"}, InvalidInput),
    ],
)  # fmt: skip
def test_a_wish_that_makes_no_sense_is_refused(bench, wish, error):
    build = add_engine(bench, add_model(bench), profiles=DYNAMIC)

    with pytest.raises(error):
        bench.deploy.bundle(DeployWish(**({"build_id": build.id} | wish)))


def test_what_the_target_cannot_build_is_refused(bench):
    build = add_engine(bench, add_model(bench), precision=Precision.BF16, profiles=DYNAMIC, sm=Sm(major=8, minor=0))

    with pytest.raises(InvalidInput, match="no BF16"):
        bench.deploy.bundle(DeployWish(build_id=build.id, triton="23.12"))
