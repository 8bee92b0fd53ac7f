"""What an engine's header tells, and where the engine loads."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.deploy.stock import add_engine, add_model, plan_bytes, profile
from tests.pages.engines import stocked
from trt_core.deploy.headers import header_of, read_header
from trt_core.deploy.names import checked_kubernetes_name, checked_triton_name, kubernetes_name, tag_of, triton_name
from trt_core.deploy.passport import will_it_load
from trt_core.deploy.targets import (
    gpu,
    gpus,
    named_target,
    release_of,
    releases_for,
    sources,
    triton_release,
    triton_releases,
)
from trt_core.domain.engine import BuilderOptions, Sm
from trt_core.domain.passport import Passport, Target
from trt_core.errors import InvalidInput, NotFound

A100 = Sm(major=8, minor=0)
H100 = Sm(major=9, minor=0)
ORIN = Sm(major=8, minor=7)
THOR = Sm(major=11, minor=0)
ENGINE = Passport(
    build_id="b-000000000001", name="mlp", backend="tensorrt", tensorrt="10.7.0.23", targets=(H100,), os="linux x86_64"
)


def place(**facts) -> Target:
    return Target(**{"name": "there", "tensorrt": "10.7.0", "sm": H100} | facts)


def test_the_header_of_a_tensorrt_engine_gives_its_version():
    header = header_of(plan_bytes("8.6.1.6"))

    assert (header.runtime, header.version, header.targets) == ("tensorrt", "8.6.1.6", ())


def test_the_header_of_a_real_rtx_plan_gives_version_size_and_architectures(tmp_path):
    bench, _, build = stocked(tmp_path)

    header = read_header(bench.builds.engine_path(build.id))

    assert header.runtime == "rtx"
    assert header.version == build.backend_version
    assert header.targets == (Sm(major=8, minor=6),)
    assert header.declared_bytes == build.engine_bytes


def test_an_rtx_header_of_another_release_is_read_no_further_than_its_version(tmp_path):
    bench, _, build = stocked(tmp_path)
    start = bytearray(bench.builds.engine_path(build.id).read_bytes()[:64])
    start[25] = 9

    header = header_of(bytes(start))

    assert header.version.startswith("1.9.")
    assert header.targets == ()


@pytest.mark.parametrize("start", [b"", b"ftrt", b"PK\x03\x04" + bytes(60), bytes(64), plan_bytes("0.0.0.0")])
def test_what_is_no_engine_is_refused(start):
    with pytest.raises(InvalidInput):
        header_of(start)


@pytest.mark.parametrize(
    ("engine", "target", "loads", "rule"),
    [
        ({}, {}, True, "same-place"),
        ({}, {"tensorrt": "10.7"}, True, "same-place"),
        ({}, {"tensorrt": "10.8.0"}, False, "same-version"),
        ({"tensorrt": "8.6.0"}, {"tensorrt": "8.6.1.6"}, False, "same-version"),
        ({"tensorrt": "8.6.1", "version_compatible": True}, {"tensorrt": "10.7.0"}, True, "version-compatible"),
        ({"version_compatible": True}, {"tensorrt": "11.1"}, True, "version-compatible"),
        ({"tensorrt": "8.6.1", "version_compatible": True}, {"tensorrt": "11.1"}, False, "same-version"),
        ({"version_compatible": True}, {"tensorrt": "10.6.0"}, False, "same-version"),
        ({"version_compatible": True}, {"tensorrt": "10.13.3"}, True, "version-compatible"),
        ({"version_compatible": True}, {"tensorrt": "12.0"}, False, "same-version"),
        ({"tensorrt": ""}, {}, None, "same-version"),
        ({}, {"sm": A100}, False, "same-architecture"),
        ({"targets": (A100,), "hardware_compatibility": "ampere_plus"}, {}, True, "hardware-compatible"),
        ({"targets": (A100,), "hardware_compatibility": "ampere_plus"}, {"sm": ORIN}, False, "same-architecture"),
        ({"targets": (A100,), "hardware_compatibility": "ampere_plus"}, {"sm": THOR}, False, "same-architecture"),
        ({"hardware_compatibility": "ampere_plus"}, {"sm": Sm(major=7, minor=5)}, False, "same-architecture"),
        ({"targets": (A100,), "hardware_compatibility": "same_compute_capability"}, {}, False, "same-architecture"),
        ({"targets": ()}, {}, None, "same-architecture"),
        ({"targets": ()}, {"sm": None}, None, "same-architecture"),
        ({}, {"sm": None}, True, "same-place"),
        ({"os": "windows AMD64"}, {}, False, "one-operating-system"),
        ({"backend": "rtx", "tensorrt": "1.7.1.116"}, {}, False, "one-runtime"),
        ({"backend": "rtx", "tensorrt": "1.7.1"}, {"runtime": "rtx", "tensorrt": "1.7.1"}, True, "same-place"),
        ({"backend": "rtx", "tensorrt": "1.7.1"}, {"runtime": "rtx", "tensorrt": "1.8.0"}, False, "same-version"),
    ],
)  # fmt: skip
def test_one_rule_decides_whether_it_loads(engine, target, loads, rule):
    answer = will_it_load(replace(ENGINE, **engine), place(**target))

    assert (answer.loads, answer.rule) == (loads, rule)
    assert answer.reason
    assert answer.loads or answer.remedy


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({}, "Runtime, version and architecture are those"),
        ({"sm": None}, "Runtime and version are those it was built with. It wants SM 9.0; no GPU was named."),
        ({"sm": None, "tensorrt": ""}, "The runtime is that it was built with."),
    ],
)
def test_a_yes_says_what_was_compared_and_what_was_left_open(target, words):
    assert will_it_load(ENGINE, place(**target)).reason.startswith(words)


def test_a_refusal_wins_over_a_missing_fact():
    answer = will_it_load(replace(ENGINE, targets=()), place(tensorrt="10.8"))

    assert (answer.loads, answer.rule) == (False, "same-version")


def test_compatibility_names_its_price():
    answer = will_it_load(replace(ENGINE, version_compatible=True), place(tensorrt="11.1"))

    assert "host code" in answer.cost


def test_the_passport_has_what_the_build_and_its_header_say(bench):
    model = add_model(bench)
    build = add_engine(
        bench,
        model,
        version="8.6.1.6",
        profiles=(profile("x=1x8:4x8:16x8"),),
        options=BuilderOptions(version_compatible=True, hardware_compatibility="ampere_plus"),
    )

    passport = bench.deploy.passport(build.id)

    assert passport.tensorrt == "8.6.1.6"
    assert (passport.gpu, passport.driver, passport.cuda) == ("NVIDIA H100 PCIe", "560.35.05", "12.6.3")
    assert passport.version_compatible
    assert passport.hardware_compatibility == "ampere_plus"
    assert passport.missing == ()
    assert tag_of(passport) == "mlp_trt8.6_cuda12_sm90_fp16"


def test_an_engine_built_on_this_gpu_takes_the_architecture_from_the_machine_that_built_it(bench):
    build = add_engine(bench, add_model(bench), sm=None, host=(("os", "linux x86_64"), ("sm", "9.0")))

    passport = bench.deploy.passport(build.id)

    assert passport.targets == (H100,)
    assert passport.missing == ("GPU", "driver", "CUDA")


def test_an_uploaded_engine_is_read_by_its_header_alone(bench, tmp_path):
    path = tmp_path / "foreign.plan"
    path.write_bytes(plan_bytes("10.3.0.26", b"\x00" * 100))

    assert bench.deploy.foreign_header(path).version == "10.3.0.26"


@pytest.mark.parametrize(
    ("text", "sm"),
    [
        ("A100", A100), ("NVIDIA A100-SXM4-80GB", A100), ("nvidia l4", Sm(major=8, minor=9)),
        ("NVIDIA GeForce RTX 4090", Sm(major=8, minor=9)), ("NVIDIA A10G", Sm(major=8, minor=6)), ("sm90", H100),
        ("Jetson AGX Orin", ORIN), ("Jetson AGX Thor", Sm(major=11, minor=0)), ("NVIDIA GB10", Sm(major=12, minor=1)),
    ],
)  # fmt: skip
def test_a_gpu_is_found_by_the_name_that_people_and_drivers_use(text, sm):
    assert gpu(text).sm == sm


@pytest.mark.parametrize("text", ["Z9", "", "sm13", "A1000000", "3dfx Voodoo"])
def test_an_unknown_gpu_is_refused_with_names_that_are_known(text):
    with pytest.raises(NotFound):
        gpu(text)


def test_a_triton_release_names_its_tensorrt_cuda_and_image():
    target = named_target(triton="24.12", gpu_name="H100")

    assert (target.tensorrt, target.cuda, target.sm) == ("10.7.0.23", "12.6.3", H100)
    assert target.image == "nvcr.io/nvidia/tritonserver:24.12-py3"


def test_a_release_and_a_version_that_differ_are_refused():
    with pytest.raises(InvalidInput, match=r"10\.7\.0\.23, not 10\.8"):
        named_target(triton="24.12", tensorrt="10.8")


def test_an_unknown_release_is_refused():
    with pytest.raises(NotFound, match=r"99\.99"):
        triton_release("99.99")


def test_the_tables_are_in_order_and_name_their_sources():
    known = [item.release for item in triton_releases()]

    assert known == sorted(set(known))
    assert len({item.name for item in gpus()}) == len(gpus())
    assert all(source.startswith("https://") for source in sources())
    assert [item.release for item in releases_for("10.7.0")] == ["24.12"]
    assert [item.release for item in releases_for("10.16.1.11")] == ["26.04", "26.05"]
    assert [item.release for item in releases_for("10.16")] == ["26.03", "26.04", "26.05"]


@pytest.mark.parametrize("release", triton_releases(), ids=lambda item: item.release)
def test_every_row_of_the_table_has_versions_that_can_be_compared_and_says_where_they_were_read(release):
    assert release_of(release.tensorrt) >= (8, 6)
    assert re.fullmatch(r"1[23]\.\d(\.\d)?", release.cuda)
    assert re.fullmatch(r"\d{3}", release.driver)
    assert release.source


def test_later_releases_never_hold_an_older_tensorrt():
    versions = [release_of(item.tensorrt) for item in triton_releases()]

    assert versions == sorted(versions)


@pytest.mark.parametrize("text", ["ResNet 50 (v2)", "ünï/..//x", "../../etc", "", "a" * 300, "-x-", "模型"])
def test_derived_names_are_accepted_where_they_go(text):
    assert checked_triton_name(triton_name(text))
    assert checked_kubernetes_name(kubernetes_name(text))


@pytest.mark.parametrize("text", ["Digits", "a_b", "-a", "a-", "a" * 60, "a.b", "ä"])
def test_a_name_that_kubernetes_refuses_is_refused_with_one_that_it_takes(text):
    with pytest.raises(InvalidInput, match="Kubernetes refuses") as caught:
        checked_kubernetes_name(text)

    assert kubernetes_name(text) in caught.value.remedy
