"""`deploy`, `registry`, `retain`, `export` and `import`: keys, exit codes, one line for every error."""

from __future__ import annotations

import json
import zipfile

import pytest

from tests.deploy.stock import add_engine, add_model, profile
from trt_core.cli.main import main
from trt_core.workbench import workspace_of


@pytest.fixture
def stock(tmp_path):
    bench = workspace_of(tmp_path / "workspace")
    model = add_model(bench)
    return bench, model, add_engine(bench, model, profiles=(profile("x=1x8:4x8:16x8"),))


@pytest.fixture
def run(tmp_path, capfd):
    def call(*words):
        capfd.readouterr()
        code = main([*map(str, words), "--json", "--workspace", str(tmp_path / "workspace")])
        out, err = capfd.readouterr()
        return code, json.loads(out) if out else {}, err

    return call


def test_deploy_writes_a_folder_and_says_what_the_engine_is_bound_to(run, stock, tmp_path):
    code, plain, err = run("deploy", stock[2].id, "--to", "triton", "-o", tmp_path / "out")

    assert code == 0, err
    assert plain["tag"] == "mlp_trt10.7_cuda12_sm90_fp16"
    facts = {"sm": [90], "tensorrt": "10.7.0.23", "cuda": "12.6.3", "driver": "560.35.05"}
    assert plain["portability"] | facts == plain["portability"]
    assert plain["loads"] is True
    assert all((tmp_path / "out").joinpath(path).exists() for path in plain["files"])
    assert str(tmp_path / "out/model_repository/mlp/config.pbtxt") in plain["files"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--triton-release", "24.12"), (0, "same-place")),
        (("--triton-release", "25.01"), (1, "same-version")),
        (("--gpu", "A100"), (1, "same-architecture")),
        (("--tensorrt", "10.7"), (0, "same-place")),
        (("--tensorrt", "8.6.1"), (1, "same-version")),
    ],
)
def test_an_engine_that_does_not_load_in_the_named_target_is_exit_code_1(run, stock, tmp_path, words, expected):
    answer, plain, _ = run("deploy", stock[2].id, "-o", tmp_path / "out", *words)

    assert (answer, plain["rule"]) == expected
    assert any(path.endswith("model.plan") for path in plain["files"]) is (answer == 0)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--gpu", "Z9"), "GPU 'Z9' is not in the table"),
        (("--max-batch", "64"), "profiles end at 16"),
        (("--triton-release", "1.0"), "no Triton release"),
        (("--to", "kubernetes", "--name", "My_Model"), "Kubernetes refuses the name"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_no_file(run, stock, tmp_path, words, says):
    code, plain, err = run("deploy", stock[2].id, "-o", tmp_path / "out", *words)

    assert (code, plain) == (2, {})
    assert says in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_a_zip_is_one_file(run, stock, tmp_path):
    code, plain, _ = run("deploy", stock[2].id, "--to", "compose", "-o", tmp_path / "out.zip")

    assert (code, plain["files"]) == (0, [str(tmp_path / "out.zip")])
    names = zipfile.ZipFile(tmp_path / "out.zip").namelist()
    assert "mlp_trt10.7_cuda12_sm90_fp16/docker-compose.yml" in names


def test_registry_lists_and_decides(run, stock):
    code, plain, _ = run("registry", "set", stock[2].id, "--state", "approved", "--notes", "ours")
    assert (code, plain["entries"][0]["state"], plain["entries"][0]["notes"]) == (0, "approved", "ours")

    assert len(run("registry", "--state", "approved", "--search", "h100")[1]["entries"]) == 1
    assert run("registry", "--state", "retired")[1]["entries"] == []
    assert run("registry", "set")[0] == 2


def test_retain_is_a_dry_run_until_it_is_applied(run, stock):
    run("registry", "set", stock[2].id, "--state", "retired")

    dry = run("retain")[1]
    assert (dry["applied"], [item["build_id"] for item in dry["builds"]]) == (False, [stock[2].id])
    assert len(run("registry")[1]["entries"]) == 1
    assert run("retain", "--apply")[1]["applied"]
    assert run("registry")[1]["entries"] == []


def test_a_project_goes_out_and_comes_in(run, stock, tmp_path, capfd):
    path = tmp_path / "mlp.zip"
    exported = run("export", stock[1].id, "-o", path)[1]["artifacts"]

    code = main(["import", str(path), "--json", "--workspace", str(tmp_path / "second")])
    plain = json.loads(capfd.readouterr().out)

    assert (code, plain["added"], plain["model_id"]) == (0, exported, stock[1].id)
    assert run("import", tmp_path / "none.zip")[0] == 2
