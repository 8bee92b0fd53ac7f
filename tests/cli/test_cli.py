"""The command line is a contract: keys, exit codes, one line for every error, real workers behind it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests import models
from trt_core.cli.main import main

SAMPLES = Path(__file__).parents[2] / "samples"
CNN = str(SAMPLES / "digits_cnn" / "model.onnx")
TRANSFORMER = str(SAMPLES / "digits_transformer" / "model.onnx")
CALIBRATION = str(SAMPLES / "digits" / "calibration.npz")

Run = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture
def run(workspace: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command with --json; exit code, the object, standard error."""

    def call(*words: object) -> tuple[int, dict[str, Any], str]:
        capfd.readouterr()
        code = main([str(word) for word in words] + ["--json", "--workspace", str(workspace)])
        out, err = capfd.readouterr()
        return code, json.loads(out) if out else {}, err

    return call


def refused(answer: tuple[int, dict[str, Any], str], code: int) -> str:
    """The one error line of a refused command."""
    exit_code, plain, err = answer
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert (exit_code, plain) == (code, {}), err
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


def test_inspect_names_every_node_and_proves_by_build(run: Run):
    code, plain, _ = run("inspect", CNN, "--prove")

    assert code == 0
    graph = onnx.load(CNN).graph
    assert [node["name"] for node in plain["nodes"]] == [node.name for node in graph.node]
    assert all(node["supported"] is True and node["evidence"] == "build" for node in plain["nodes"])
    assert plain["summary"] | {"fully_supported": True, "unsupported": 0} == plain["summary"]
    assert {"sha256", "opset", "ir_version", "producer", "parameters", "size_bytes"} <= plain["model"].keys()
    assert plain["model"]["inputs"][0]["shape"][0] == "batch"
    (held,) = run("runs")[1]["models"]
    assert [build["made_for"] for build in held["builds"]] == ["proof for Support"]


def test_inspect_says_no_with_the_parsers_reason(run: Run):
    code, plain, _ = run("inspect", SAMPLES / "unsupported_op" / "model.onnx")

    assert code == 1
    refusals = [node for node in plain["nodes"] if node["supported"] is False]
    assert [node["op_type"] for node in refusals] == ["ChannelGate"]
    assert refusals[0]["reason"]
    assert refusals[0]["remedy"]
    assert plain["summary"]["partitions"] == 2


def test_build_gives_an_engine_whose_layers_cover_the_nodes_and_the_second_time_it_is_cached(run: Run, tmp_path: Path):
    words = ("build", CNN, "--precision", "int8", "--data", CALIBRATION, "--sm", "89", "--profile",
             "image=1x1x16x16:4x1x16x16:8x1x16x16")  # fmt: skip
    code, plain, err = run(*words, "-o", tmp_path / "digits.engine")

    assert code == 0, err
    assert plain["build"]["target"] == "SM 8.9"
    assert plain["build"]["cached"] is False
    assert (tmp_path / "digits.engine").stat().st_size == plain["build"]["engine_bytes"]
    assert plain["precisions"]["int8"] > 0
    summary = plain["fusion"]["summary"]
    assert summary["onnx_nodes"] == len(onnx.load(CNN).graph.node)
    assert summary["unexplained"] <= 1
    assert sum(summary[state] for state in ("mapped", "folded", "absorbed", "unexplained")) == summary["onnx_nodes"]

    again = run(*words)[1]
    assert again["build"]["cached"] is True
    assert again["build"]["id"] == plain["build"]["id"]

    code, fusion, _ = run("fusion", plain["build"]["id"])
    assert code == 0
    assert fusion["engine_layers"] == plain["fusion"]["engine_layers"]

    rebuilt = run(*words, "--rebuild")[1]["build"]
    assert rebuilt["id"] == plain["build"]["id"] + "-2"


def test_quantize_writes_a_variant_with_ranges_and_keeps_what_is_to_be_kept(run: Run, tmp_path: Path):
    kept = "/encoder/layer0/ffn/up/MatMul"
    out = tmp_path / "int8.onnx"
    code, plain, err = run(
        "quantize", TRANSFORMER, "--precision", "int8", "--data", CALIBRATION, "--method", "minmax",
        "--keep", f"{kept}=fp16", "-o", out)  # fmt: skip

    assert code == 0, err
    assert kept in plain["kept_nodes"]
    assert kept not in plain["quantized_nodes"]
    assert len(plain["quantized_nodes"]) > 10
    assert all(item["scale"] > 0 and item["low"] <= item["high"] for item in plain["ranges"])
    written = onnx.load(out)
    onnx.checker.check_model(written)
    assert sum(node.op_type == "QuantizeLinear" for node in written.graph.node) > 10


def test_diverge_names_the_layer_where_int8_begins_to_hurt(run: Run):
    code, plain, err = run(
        "diverge", TRANSFORMER, "--against", "fp16,int8", "--data", CALIBRATION, "--samples", 16, "--method", "minmax")  # fmt: skip

    assert code == 0, err
    assert plain["samples"] == 16
    assert "/encoder/layer0/ffn/up/MatMul" in plain["origin"]["int8"]
    assert plain["origin"]["fp16"] == []
    layer = next(item for item in plain["layers"] if item["name"] == "/encoder/layer0/ffn/up/MatMul")
    keys = {"sqnr_db", "cosine", "max_abs", "mean_abs", "rel_l2", "nan", "inf"}
    assert keys <= layer["fp16"].keys()
    assert layer["int8"]["sqnr_db"] < 15
    assert layer["fp16"]["sqnr_db"] > 50
    assert plain["outputs"][0]["name"] == "logits"


@pytest.mark.parametrize(
    ("against", "said"),
    [
        ("mistyped.onnx", "There is no file 'mistyped.onnx'"),
        ("made/mistyped", "There is no file 'made/mistyped'"),
        (".", "There is no file '.'"),
        ("int9", "Precision 'int9' is not known"),
        ("fp16,mistyped", "Precision 'mistyped' is not known"),
        ("v-0123456789ab", "is not the id of a model"),
    ],
)
def test_what_diverge_cannot_hold_against_the_model_is_called_what_it_was_meant_for(run: Run, against: str, said: str):
    assert said in refused(run("diverge", CNN, "--against", against), 2)


def test_a_precision_is_one_where_a_file_is_called_so(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "fp16").write_text("somebody's notes")
    monkeypatch.chdir(tmp_path)

    code, plain, err = run("diverge", CNN, "--against", "fp16", "--samples", 2)

    assert code == 0, err
    assert list(plain["origin"]) == ["fp16"]


def test_names_out_of_a_model_do_not_steer_the_terminal(
    workspace: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    path = tmp_path / "made\x1b[2J.onnx"
    path.write_bytes(models.mlp().SerializeToString())

    assert main(["inspect", str(path), "--workspace", str(workspace)]) == 0
    assert main(["runs", "--workspace", str(workspace)]) == 0
    assert main(["inspect", str(tmp_path / "gone\x1b[2J.onnx"), "--workspace", str(workspace)]) == 2

    out, err = capfd.readouterr()
    assert "made?[2J" in out
    assert "\x1b" not in out + err


def test_diverge_takes_a_file_that_is_quantized_already_and_measures_its_layers_alone(run: Run, tmp_path: Path):
    made = tmp_path / "made.onnx"
    code, _, err = run("quantize", CNN, "--precision", "int8", "--data", CALIBRATION, "-o", made)
    assert code == 0, err

    code, plain, err = run("diverge", CNN, "--against", made, "--data", CALIBRATION, "--samples", 4)

    assert code == 0, err
    assert plain["against_file"] == "made"
    layer = next(item for item in plain["layers"] if item["name"] == "/head/Gemm")
    assert layer["int8"]["sqnr_db"] > 15
    assert layer["isolated"]["int8"]["sqnr_db"] > 20
    assert abs(layer["avoidable_db"]["int8"]) < 6


def test_bench_keeps_every_sample_and_says_what_it_measured(run: Run):
    code, plain, err = run("bench", CNN, "--batch", 2, "--iterations", 400, "--warmup", 5)

    assert code == 0, err
    assert len(plain["samples_ms"]) == 400
    latency = plain["latency_ms"]
    assert latency["min"] <= latency["p50"] <= latency["p90"] <= latency["p95"] <= latency["p99"] <= latency["max"]
    assert latency["p99_ci95"][0] <= latency["p99"] <= latency["p99_ci95"][1]
    assert plain["layers"]
    assert sum(layer["share"] for layer in plain["layers"]) == pytest.approx(1.0)
    assert "no TensorRT latency" in plain["method"]
    assert plain["conditions"]["batch"] == 2


def test_bench_takes_open_sizes_from_the_data(run: Run, tmp_path: Path):
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["tokens"], ["y"], name="relu")],
        "lengths",
        [value("tokens", onnx.TensorProto.FLOAT, ["batch", "length", 8])],
        [value("y", onnx.TensorProto.FLOAT, ["batch", "length", 8])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "lengths.onnx")
    np.savez(tmp_path / "long.npz", tokens=np.ones((3, 6, 8), np.float32))

    code, plain, err = run(
        "bench", tmp_path / "lengths.onnx", "--data", tmp_path / "long.npz", "--batch", 2, "--iterations", 3
    )

    assert code == 0, err
    assert ["tokens", [2, 6, 8]] in plain["conditions"]["shapes"]


def test_runs_jobs_and_system_answer(run: Run):
    run("inspect", CNN)

    assert run("runs")[1]["models"][0]["sweeps"] == []
    assert run("jobs")[1]["jobs"][0]["state"] == "succeeded"
    backends = {item["backend"]: item for item in run("system")[1]["backends"]}
    assert backends["rtx"]["can_build"] is True
    assert 86 in backends["rtx"]["targets"]
    assert backends["ort"]["can_run"] is True


BROKEN = {
    "empty": b"",
    "text": b"this is no model at all, only words " * 9,
    "truncated": Path(CNN).read_bytes()[:50_000],
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_line_and_nothing_is_left_behind(run: Run, tmp_path: Path, workspace: Path, name: str):
    path = tmp_path / f"{name}.onnx"
    path.write_bytes(BROKEN[name])

    assert name in refused(run("inspect", path), 2)
    assert not list((workspace / "tmp").iterdir())


def test_missing_external_data_is_named(run: Run, tmp_path: Path):
    shutil.copy(SAMPLES / "external_data" / "model.onnx", tmp_path / "model.onnx")

    assert "model.onnx.data" in refused(run("inspect", tmp_path / "model.onnx"), 2)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("inspect", "/no/such/model.onnx"), 2, "There is no file"),
        (("inspect", "m-000000000000"), 2, "m-000000000000"),
        (("build", CNN, "--sm", "90"), 2, "SM 9.0"),
        (("build", CNN, "--sm", "fast"), 2, "'fast'"),
        (("build", CNN, "--precision", "int8"), 2, "calibration data"),
        (("build", CNN, "--optimization-level", "9"), 2, "outside 0..5"),
        (("build", CNN, "--profile", "image=8x1x16x16:4x1x16x16:1x1x16x16"), 2, "min 8"),
        (("build", CNN, "--profile", "image=1x1x17x16"), 2, "dimension 2"),
        (("build", CNN, "--profile", "picture=1x1x16x16"), 2, "'picture'"),
        (("build", CNN, "--profile", "nonsense"), 2, "nonsense"),
        (("build", CNN, "--calibration", "implicit"), 2, "no implicit calibration"),
        (("quantize", CNN, "--precision", "fp16", "--keep", "nobody=fp32"), 2, "nobody"),
        (("quantize", CNN, "--precision", "fp16", "--keep", "nobody=fp8"), 2, "--keep"),
        (("bench", CNN, "--shape", "image=1x2x16x16"), 2, "dimension 1"),
        (("bench", CNN, "--batch", "0"), 2, "Batch 0"),
        (("bench", CNN, "--backend", "tensorrt"), 3, "pip install -r requirements-gpu.txt"),
        (("build", CNN, "--backend", "tensorrt"), 3, "pip install -r requirements-gpu.txt"),
        (("build", CNN, "--backend", "tensorrt", "--calibration", "implicit"), 3, "requirements-gpu.txt"),
        (("inspect", CNN, "--backend", "tensorrt"), 3, "pip install -r requirements-gpu.txt"),
        (("build", CNN, "--precision", "fp8", "--sm", "86", "--data", CALIBRATION), 2, "FP8 needs SM 8.9"),
        (("build", CNN, "--precision", "bf16", "--sm", "75"), 2, "BF16 needs SM 8.0"),
        (("diverge", CNN, "--against", "fp99", "--data", CALIBRATION), 2, "fp99"),
        (("fusion", "b-000000000000"), 2, "b-000000000000"),
        (("fusion", "../../etc/passwd"), 2, "passwd"),
        (("jobs", "cancel", "j-000000000000"), 2, "j-000000000000"),
        (("jobs", "cancel"), 2, "no id"),
        (("build", SAMPLES / "unsupported_op" / "model.onnx"), 4, "Log:"),
    ],
)
def test_a_refusal_says_what_with_which_value(run: Run, words: tuple[object, ...], code: int, says: str):
    assert says in refused(run(*words), code)


@pytest.mark.parametrize(
    "words",
    [
        ("quantize", CNN, "--precision", "fp16"),
        ("build", CNN),
        ("triage", CNN, "--validation-data", CALIBRATION),
        ("plan", "apply", "p.json", CNN),
        ("export", "m-000000000000"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_the_work(run: Run, tmp_path: Path, words: tuple[str, ...]):
    before = {job["id"] for job in run("jobs")[1]["jobs"]}
    assert "nowhere" in refused(run(*words, "-o", tmp_path / "nowhere" / "out"), 2)
    assert "is a folder" in refused(run(*words, "-o", tmp_path), 2)
    assert {job["id"] for job in run("jobs")[1]["jobs"]} == before


BAD_DATA: dict[str, dict[str, np.ndarray]] = {
    "wrong name": {"picture": np.zeros((4, 1, 16, 16), np.float32)},
    "wrong shape": {"image": np.zeros((4, 3, 16, 16), np.float32)},
    "wrong dtype": {"image": np.zeros((4, 1, 16, 16), np.int64)},
    "no sample": {"image": np.zeros((0, 1, 16, 16), np.float32)},
    "NaN": {"image": np.full((4, 1, 16, 16), np.nan, np.float32)},
    "objects": {"image": np.array([None, {}], object)},
}


def test_infinities_in_data_are_a_finding_of_whatever_reads_them(run: Run, tmp_path: Path):
    image = np.load(CALIBRATION)["image"][:24].copy()
    image[3, 0, 5, 5] = np.inf
    np.savez(tmp_path / "masked.npz", image=image)
    data = ("--data", tmp_path / "masked.npz")

    answers = {
        "quantize": run("quantize", CNN, "--precision", "int8", *data, "-o", tmp_path / "int8.onnx"),
        "diverge": run("diverge", CNN, "--against", "fp16", *data),
        "bench": run("bench", CNN, "--iterations", 3, "--warmup", 1, *data),
        "validate": run("validate", CNN, "--against", tmp_path / "int8.onnx", "--metric", "cosine", *data),
    }

    for command, (code, plain, err) in answers.items():
        assert code in (0, 1), f"{command}: {err}"
        assert "data-holds-infinity" in [item["rule"] for item in plain["findings"]], command


@pytest.mark.parametrize("name", BAD_DATA)
def test_data_that_do_not_fit_are_refused(run: Run, tmp_path: Path, name: str):
    np.savez(tmp_path / "bad.npz", **BAD_DATA[name])

    line = refused(run("diverge", CNN, "--against", "fp16", "--data", tmp_path / "bad.npz"), 2)
    assert "image" in line or "no samples" in line


@pytest.mark.parametrize("words", [("build",), ("dance",), ("build", CNN, "--backend", "cuda")])
def test_a_usage_error_is_one_line_like_every_other(run: Run, words: tuple[str, ...]):
    assert "--help" in refused(run(*words), 2)


def test_duplicate_and_unnamed_nodes_are_listed_by_index(run: Run, tmp_path: Path):
    path = tmp_path / "mlp.onnx"
    onnx.save(models.mlp(), path)
    code, plain, err = run("build", path, "--precision", "fp16")

    assert code == 0, err
    assert [node["name"] for node in plain["fusion"]["onnx_nodes"]] == ["first", "node_of_a", "second"]
    assert {node["state"] for node in plain["fusion"]["onnx_nodes"]} <= {"mapped", "folded", "absorbed"}


_INTERRUPTED_WHILE_LOADING = """
import os, runpy, signal, sys

class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == "trt_core.cli.arguments":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupter())
sys.argv = ["enginescope", "runs"]
runpy.run_module("trt_core", run_name="__main__")
"""


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Children that Ctrl-C reaches, even where these tests run in the background of a shell, which has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_while_the_program_still_loads_is_one_line():
    ended = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED_WHILE_LOADING], capture_output=True, text=True, timeout=60, check=False
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "error: Cancelled.\n")


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_returns_when_nothing_of_the_job_runs_any_more(tmp_path: Path):
    words = ["bench", CNN, "--iterations", "1000000", "--json", "--workspace", str(tmp_path)]
    asked = subprocess.Popen(
        [sys.executable, "-m", "trt_core", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert asked.stderr is not None
    assert asked.stderr.readline()  # the first phase of the job: its worker runs
    asked.send_signal(signal.SIGINT)
    out, err = asked.communicate(timeout=60)

    assert (asked.returncode, out, err.splitlines()[-1]) == (130, "", "error: Cancelled.")
    assert str(tmp_path) not in _command_lines()


def test_what_nohup_started_outlives_its_terminal(tmp_path: Path):
    words = ["bench", CNN, "--iterations", "3", "--duration", "2", "--workspace", str(tmp_path)]
    asked = subprocess.Popen(
        ["nohup", sys.executable, "-m", "trt_core", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert asked.stderr is not None
    first = asked.stderr.readline()  # the first phase of the job: its worker runs
    if first.startswith("nohup"):  # its own word, where standard input is a terminal
        asked.stderr.readline()
    asked.send_signal(signal.SIGHUP)
    out, err = asked.communicate(timeout=60)

    assert asked.returncode == 0, err
    assert "p50" in out


def _command_lines() -> str:
    import psutil

    return "\n".join(" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
