"""Everything that is generated is read by the tool that it is for."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.deploy.stock import HOST, add_engine, add_model, profile
from tests.deploy.tools import checked, tool
from tests.deploy.triton_proto import parsed
from trt_core.cli.arguments import parser
from trt_core.deploy.building import trtexec_release
from trt_core.deploy.metrics import TRITON_METRICS, adapter_rules
from trt_core.domain.deployment import DESTINATIONS, DeployWish
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.precision import Precision
from trt_core.errors import InvalidInput
from trt_core.services.deploy import write_bundle, zipped
from trt_core.workbench import workspace_of

FLAGS = {
    name: set(flags)
    for name, flags in json.loads(Path(__file__).with_name("trtexec_flags.json").read_text())["flags"].items()
}
KUBERNETES = "1.25"  # the oldest that has every kind in its present version


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    bench = workspace_of(tmp_path_factory.mktemp("workspace"))
    profiles = (profile("x=1x8:1x8:1x8"), profile("x=1x8:8x8:32x8"))
    options = BuilderOptions(optimization_level=4, workspace_mb=512, version_compatible=True)
    return bench, add_engine(bench, add_model(bench, name="My Mlp (v2)"), profiles=profiles, options=options)


@pytest.fixture(scope="module")
def folders(engine, tmp_path_factory):
    """Every destination, written."""
    bench, build = engine
    root = tmp_path_factory.mktemp("bundles")
    for to in DESTINATIONS:
        write_bundle(bench.deploy.bundle(DeployWish(build_id=build.id, to=to, ensemble=True)), root / to)
    return root


def documents(text: str) -> list[dict]:
    return [item for item in yaml.safe_load_all(text) if item]


@pytest.mark.parametrize("to", DESTINATIONS)
def test_shell_passes_shellcheck(folders, to):
    scripts = sorted((folders / to).rglob("*.sh"))

    assert scripts
    assert all(os.access(path, os.X_OK) for path in scripts)
    checked("shellcheck", *scripts)


@pytest.mark.parametrize("to", DESTINATIONS)
def test_python_passes_the_linter_that_finds_mistakes(folders, to):
    checked("ruff", "check", "--isolated", "--select", "E9,F,B,S102,S307,S602", *(folders / to).rglob("*.py"))


def test_every_configuration_is_one_of_tritons(folders):
    found = [*folders.rglob("config.pbtxt")]

    assert len(found) >= 9
    for path in found:
        name = parsed(path.read_text()).name
        assert path.parent.name in (name, "base")


def test_the_dockerfile_passes_hadolint(folders):
    checked("hadolint", folders / "triton/Dockerfile")


def test_compose_reads_its_file(folders):
    shown = checked(
        "docker-compose", "config", cwd=folders / "compose", env={**os.environ, "GRAFANA_PASSWORD": "a secret"}
    )

    services = yaml.safe_load(shown)["services"]
    assert set(services) == {"triton", "prometheus", "grafana"}
    assert services["triton"]["image"] == "nvcr.io/nvidia/tritonserver:24.12-py3"
    assert all("healthcheck" in item for item in services.values())
    assert services["triton"]["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert all(":latest" not in item["image"] and ":" in item["image"] for item in services.values())


def test_compose_asks_for_a_password_instead_of_having_one(folders):
    environment = {name: value for name, value in os.environ.items() if name != "GRAFANA_PASSWORD"}
    answer = subprocess.run(
        [tool("docker-compose"), "config"],
        check=False,
        cwd=folders / "compose",
        env=environment,
        capture_output=True,
        text=True,
    )

    assert answer.returncode != 0
    assert "GRAFANA_PASSWORD" in answer.stdout + answer.stderr


def test_compose_listens_on_this_machine_only(folders):
    services = yaml.safe_load((folders / "compose/docker-compose.yml").read_text())["services"]

    assert all(port.startswith("127.0.0.1:") for item in services.values() for port in item["ports"])


def test_prometheus_reads_its_configuration_and_rules(folders):
    shown = checked("promtool", "check", "config", folders / "compose/prometheus/prometheus.yml")

    assert "4 rules found" in shown


def queries(folders) -> list[str]:
    board = json.loads((folders / "compose/grafana/provisioning/dashboards/triton.json").read_text())
    found = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    rule = adapter_rules()["rules"]["custom"][0]["metricsQuery"]
    found.append(rule.replace("<<.LabelMatchers>>", 'pod="a"').replace("<<.GroupBy>>", "pod"))
    return found


def test_every_query_of_the_dashboard_and_the_autoscaler_is_promql(folders, tmp_path):
    rules = [{"record": f"q:{number}", "expr": text} for number, text in enumerate(queries(folders))]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}))

    assert f"{len(rules)} rules found" in checked("promtool", "check", "rules", path)


def test_every_metric_is_one_of_tritons(folders):
    texts = [*queries(folders), (folders / "compose/prometheus/rules.yml").read_text()]

    named = {name for text in texts for name in re.findall(r"\bnv_[a-z_]+", text)}

    assert named
    assert named <= TRITON_METRICS


def test_the_dashboard_has_what_grafana_wants_of_one(folders):
    board = json.loads((folders / "compose/grafana/provisioning/dashboards/triton.json").read_text())

    assert {"uid", "title", "panels", "schemaVersion", "time"} <= board.keys()
    assert len(board["uid"]) <= 40
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken
        taken |= cells
        assert panel["type"] == "timeseries"
        assert [target["refId"] for target in panel["targets"]] == [chr(65 + i) for i in range(len(panel["targets"]))]
        source = yaml.safe_load((folders / "compose/grafana/provisioning/datasources/prometheus.yml").read_text())
        assert panel["datasource"]["uid"] == source["datasources"][0]["uid"]


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


def trtexec_calls(text: str) -> list[list[str]]:
    joined = text.replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines()]
    return [shlex.split(line) for line in lines if re.match(r"trtexec\s+-", line)]


@pytest.mark.parametrize(
    ("release", "name"), [("8.6", "trtexec_8.6.sh"), ("10.x", "trtexec_10.x.sh"), ("11.x", "trtexec_11.x.sh")]
)
@pytest.mark.parametrize("precision", [Precision.FP32, Precision.FP16])
def test_trtexec_knows_every_flag_that_it_is_given(tmp_path, release, name, precision):
    bench = workspace_of(tmp_path / "w")
    options = BuilderOptions(
        optimization_level=4, workspace_mb=512, version_compatible=True, hardware_compatibility="ampere_plus"
    )
    build = add_engine(
        bench, add_model(bench), precision=precision, options=options, profiles=(profile("x=1x8:8x8:32x8"),)
    )
    write_bundle(bench.deploy.bundle(DeployWish(build_id=build.id, to="commands")), tmp_path / "out")

    calls = trtexec_calls((tmp_path / "out/commands" / name).read_text())

    assert len(calls) == 1
    assert {word.split("=")[0] for word in calls[0][1:]} <= FLAGS[release]


def test_the_flag_table_tells_the_releases_apart():
    assert "--stronglyTyped" not in FLAGS["8.6"]
    assert "--fp16" not in FLAGS["11.x"]


@pytest.mark.parametrize(("triton", "release"), [("23.12", "8.6"), ("24.12", "10.x")])
def test_build_script_and_jetson_set_use_the_flags_of_their_release(engine, tmp_path, triton, release):
    bench, _ = engine
    build = add_engine(
        bench, add_model(bench), precision=Precision.FP16, profiles=(profile("x=1x8:4x8:8x8"),), number=7
    )
    write_bundle(bench.deploy.bundle(DeployWish(build_id=build.id, to="commands", triton=triton)), tmp_path)

    for path in ("build_plan.sh", "jetson/build_on_jetson.sh"):
        calls = trtexec_calls((tmp_path / path).read_text())
        assert calls
        for call in calls:
            assert {word.split("=")[0] for word in call[1:]} <= FLAGS[release], path
    jetson = (tmp_path / "jetson/build_on_jetson.sh").read_text()
    assert "--useDLACore=0 --allowGPUFallback" in jetson
    assert all(word in jetson for word in ("nvpmodel -m 0", "jetson_clocks"))


@pytest.mark.parametrize(("version", "release"), [("8.6.1", "8.6"), ("10.7", "10.x"), ("11.1.0", "11.x")])
def test_a_version_has_its_option_parser(version, release):
    assert trtexec_release(version) == release


def test_the_workflow_runs_commands_that_our_own_grammar_takes(folders):
    workflow = yaml.safe_load((folders / "commands/ci/rebuild.yml").read_text())

    lines = [step["run"] for step in workflow["jobs"]["rebuild"]["steps"] if "-m trt_core" in step.get("run", "")]
    asked = [parser().parse_args(shlex.split(line)[3:]).command for line in lines]

    assert asked == ["build", "quantize", "validate"]
    assert "on" in workflow  # not True, which YAML 1.1 makes of a bare on
    assert workflow["jobs"]["rebuild"]["runs-on"] == ["self-hosted", "gpu"]


def fake_tools(folder: Path, *, sm: str = "9.0", version: str = "100700") -> dict[str, str]:
    """trtexec and nvidia-smi as far as the build script uses them."""
    folder.mkdir()
    scripts = {
        "nvidia-smi": f"echo {sm}",
        "trtexec": f'[ "$1" = --help ] && echo "[TensorRT v{version}]" && exit\n'
        'for word in "$@"; do case $word in --saveEngine=*) echo plan > "${word#--saveEngine=}";; esac; done\necho built >> built',
    }
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def test_the_build_script_builds_once_for_one_model_version_and_gpu(folders, tmp_path):
    write = tmp_path / "bundle"
    subprocess.run(["cp", "-r", folders / "triton", write], check=True)
    environment = fake_tools(tmp_path / "bin")
    call = {"cwd": write, "env": environment, "capture_output": True, "text": True}

    first = subprocess.run(["./build_plan.sh"], check=False, **call)
    again = subprocess.run(["./build_plan.sh"], check=False, **call)
    (write / "source/model.onnx").write_bytes(b"another model")
    other = subprocess.run(["./build_plan.sh"], check=False, **call)

    assert (first.returncode, again.returncode, other.returncode) == (0, 0, 0), first.stderr
    assert "nothing to build" in again.stdout
    assert (write / "built").read_text().count("built") == 2
    assert all("-trt100700-sm90-" in path.name for path in (write / "engine-cache").iterdir())
    assert (write / "model_repository/My_Mlp_v2/1/model.plan").read_text() == "plan\n"


def test_the_build_script_refuses_another_gpu(folders, tmp_path):
    environment = fake_tools(tmp_path / "bin", sm="8.0")

    answer = subprocess.run(
        ["./build_plan.sh"], check=False, cwd=folders / "triton", env=environment, capture_output=True, text=True
    )

    assert answer.returncode == 1
    assert "this GPU is sm80, the deployment is for sm90" in answer.stderr


def test_the_same_bundle_is_the_same_zip(engine):
    bench, build = engine
    wish = DeployWish(build_id=build.id, to="commands")

    assert zipped(bench.deploy.bundle(wish)) == zipped(bench.deploy.bundle(wish))


def test_a_folder_that_has_such_a_file_is_left_alone(folders, engine):
    bench, build = engine

    with pytest.raises(InvalidInput, match="is there already"):
        write_bundle(bench.deploy.bundle(DeployWish(build_id=build.id)), folders / "triton")


def test_the_in_process_example_runs(folders):
    root = Path(__file__).parents[2]

    answer = subprocess.run(
        [sys.executable, folders / "triton/in_process.py"],
        check=False,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )

    assert answer.returncode == 0, answer.stderr
    assert "p50" in answer.stdout
