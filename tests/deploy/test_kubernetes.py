"""Manifests, built by kubectl and judged by the schemas of Kubernetes."""

from __future__ import annotations

import json

import kubernetes_validate
import pytest
import yaml

from tests.deploy.stock import HOST, add_engine, add_model
from tests.deploy.tools import checked
from trt_core.deploy.metrics import adapter_rules
from trt_core.domain.deployment import DeployWish
from trt_core.errors import InvalidInput
from trt_core.services.deploy import write_bundle
from trt_core.workbench import workspace_of

KUBERNETES = "1.25"  # the oldest that has every kind in its present version


def documents(text: str) -> list[dict]:
    return [item for item in yaml.safe_load_all(text) if item]


@pytest.fixture(scope="module")
def manifests(folders):
    return {
        name: documents(checked("kubectl", "kustomize", folders / f"kubernetes/overlays/{name}"))
        for name in ("staging", "production")
    }


@pytest.mark.parametrize("overlay", ["staging", "production"])
def test_manifests_fit_the_schemas_of_kubernetes(manifests, overlay):
    kinds = set()
    for item in manifests[overlay]:
        kubernetes_validate.validate(item, KUBERNETES, strict=True)
        kinds.add(item["kind"])

    assert kinds == {
        "ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Job", "PersistentVolumeClaim", "PodDisruptionBudget", "Service",
    }  # fmt: skip


def test_schemas_catch_a_field_that_is_none(manifests):
    broken = next(item for item in manifests["staging"] if item["kind"] == "Deployment")
    broken = json.loads(json.dumps(broken))
    broken["spec"]["template"]["spec"]["nodeSelectors"] = {}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES, strict=True)


def named(items, kind):
    return next(item for item in items if item["kind"] == kind)


def test_pods_go_where_the_engine_loads_and_ask_triton_how_it_is(manifests):
    pod = named(manifests["production"], "Deployment")["spec"]["template"]["spec"]
    container = pod["containers"][0]

    assert pod["nodeSelector"] == {"nvidia.com/gpu.compute.major": "9", "nvidia.com/gpu.compute.minor": "0"}
    assert container["image"] == "nvcr.io/nvidia/tritonserver:24.12-py3"
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert container["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"


def test_what_refers_to_something_finds_it(manifests):
    items = manifests["production"]
    names = {(item["kind"], item["metadata"]["name"]) for item in items}
    pod = named(items, "Deployment")["spec"]["template"]
    job = named(items, "Job")["spec"]["template"]["spec"]

    for volume in (*pod["spec"]["volumes"], *job["volumes"]):
        if "configMap" in volume:
            assert ("ConfigMap", volume["configMap"]["name"]) in names
        if "persistentVolumeClaim" in volume:
            assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in names
    scaled = named(items, "HorizontalPodAutoscaler")["spec"]
    assert ("Deployment", scaled["scaleTargetRef"]["name"]) in names
    assert (scaled["minReplicas"], scaled["maxReplicas"]) == (2, 8)
    for kind in ("Service", "PodDisruptionBudget"):
        selector = named(items, kind)["spec"]["selector"]
        wanted = selector.get("matchLabels", selector)
        assert wanted.items() <= pod["metadata"]["labels"].items()
    metric = scaled["metrics"][0]["pods"]["metric"]["name"]
    assert metric == adapter_rules()["rules"]["custom"][0]["name"]["as"]


def test_another_engine_is_another_job(engine, tmp_path):
    bench, build = engine
    jobs = set()
    for number, triton in enumerate(("24.12", "25.01")):
        folder = tmp_path / str(number)
        write_bundle(bench.deploy.bundle(DeployWish(build_id=build.id, to="kubernetes", triton=triton)), folder)
        jobs.add(yaml.safe_load((folder / "build/job.yaml").read_text())["metadata"]["name"])

    assert len(jobs) == 2


def test_without_an_architecture_there_are_no_manifests(tmp_path):
    bench = workspace_of(tmp_path)
    build = add_engine(bench, add_model(bench), sm=None, host=HOST[:1])

    with pytest.raises(InvalidInput, match="names no GPU architecture"):
        bench.deploy.bundle(DeployWish(build_id=build.id, to="kubernetes"))
    assert bench.deploy.bundle(DeployWish(build_id=build.id, to="kubernetes", gpu="H100")).files


def test_a_name_that_kubernetes_refuses_makes_no_manifest(engine):
    bench, build = engine

    with pytest.raises(InvalidInput, match="Kubernetes refuses the name 'My_Model'"):
        bench.deploy.bundle(DeployWish(build_id=build.id, to="kubernetes", name="My_Model"))
