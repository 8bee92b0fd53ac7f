"""`triage` and `validate` on the trained transformer: what INT8 costs it, and the plan that repairs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from tests import models
from trt_core.cli.main import main
from trt_core.domain.plans import plan_from_text

SAMPLES = Path(__file__).parents[2] / "samples"
MODEL = SAMPLES / "digits_transformer" / "model.onnx"
CALIBRATION, TEST, LABELS = (SAMPLES / "digits" / f"{name}.npz" for name in ("calibration", "test", "test_labels"))
GUILTY = {"/encoder/layer0/ffn/up/MatMul", "/encoder/layer2/ffn/up/MatMul"}

Run = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture
def run(workspace: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> tuple[int, dict[str, Any], str]:
        capfd.readouterr()
        code = main([str(word) for word in words] + ["--json", "--workspace", str(workspace)])
        out, err = capfd.readouterr()
        return code, json.loads(out) if out else {}, err

    return call


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The first 200 test samples with their labels."""
    folder = tmp_path_factory.mktemp("few")
    np.savez(folder / "test.npz", image=np.load(TEST)["image"][:200])
    np.savez(folder / "labels.npz", labels=np.load(LABELS)["labels"][:200])
    return folder / "test.npz", folder / "labels.npz"


def test_the_plan_passes_keeps_most_macs_in_int8_and_its_variant_gets_the_same_verdict(run: Run, tmp_path: Path):
    code, plain, err = run(
        "triage", MODEL, "--precision", "int8", "--method", "minmax", "--data", CALIBRATION, "--validation-data", TEST,
        "--labels", LABELS, "--plan", tmp_path / "plan.json", "-o", tmp_path / "mixed.onnx",
    )  # fmt: skip

    assert code == 0, err
    assert plain["before"] < plain["baseline"] * 0.995 <= plain["after"]
    assert plain["within_tolerance"] is True
    assert plain["curve"][0] | {"kept": 0, "int8_share": 1.0, "within_tolerance": False} == plain["curve"][0]
    assert len(plain["curve"]) <= 20
    kept = {entry["node"] for entry in plain["plan"] if entry["precision"] != "int8"}
    assert kept == GUILTY
    assert plain["int8_share"] >= 0.8
    groups = plain["curve"][plain["chosen"]]["by_groups"]  # 12 copies of each of 647 digits are not independent
    assert (groups["groups"], groups["verdict"]) == (647, "too few samples to tell")
    assert {item["node"] for item in plain["sensitivity"][:2]} == GUILTY
    assert len(plain["plan"]) == 20
    assert set(plan_from_text((tmp_path / "plan.json").read_text()).kept) == GUILTY

    code, applied, _ = run("plan", "apply", tmp_path / "plan.json", MODEL, "-o", tmp_path / "again.json")
    assert (code, applied["unmatched"], applied["not_planned"]) == (0, [], [])
    assert run("plan", "diff", tmp_path / "plan.json", tmp_path / "again.json")[0] == 0
    code, other, _ = run("plan", "apply", tmp_path / "plan.json", SAMPLES / "digits_cnn" / "model.onnx")
    assert (code, set(other["unmatched"]) >= GUILTY) == (1, True)
    words = ("--precision", "int8", "--method", "minmax", "--data", CALIBRATION, "--plan", tmp_path / "plan.json")
    _, made, _ = run("quantize", MODEL, *words)
    assert set(made["kept_nodes"]) >= GUILTY

    code, again, err = run("validate", MODEL, "--against", tmp_path / "mixed.onnx", "--data", TEST, "--labels", LABELS)

    assert code == 0, err
    assert again["candidate"] == plain["after"]
    assert again["within_tolerance"] is True
    assert again["ci95"][0] < again["relative_drop"] < again["ci95"][1] <= 0.005


def test_with_nothing_chosen_the_plan_keeps_most_of_all_macs_in_int8(run: Run, tmp_path: Path):
    words = ("--data", CALIBRATION, "--validation-data", TEST, "--labels", LABELS, "-o", tmp_path / "mixed.onnx")
    code, plain, err = run("triage", MODEL, *words)

    assert code == 0, err
    assert plain["before"] < plain["baseline"] * 0.995 <= plain["after"]
    assert plain["int8_share_of_all"] >= 0.8
    assert len(plain["curve"]) <= 20
    code, again, _ = run("validate", MODEL, "--against", tmp_path / "mixed.onnx", "--data", TEST, "--labels", LABELS)
    assert (code, again["candidate"], again["verdict"]) == (0, plain["after"], plain["verdict"])


def test_the_lab_puts_calibration_methods_side_by_side(run: Run, few: tuple[Path, Path]):
    words = ("triage", MODEL, "--validation-data", few[0], "--metric", "sqnr", "--tolerance", 1, "--lab")

    _, plain, err = run(*words, "--data", CALIBRATION, "--percentile", 99, "--max-evaluations", 3)

    assert plain["lab"]["best_method"] in {"minmax", "entropy", "percentile"}, err
    assert {len(item["methods"]) for item in plain["lab"]["tensors"]} == {3}
    assert plain["lab"]["calibration_samples"] == 750
    assert (plain["lab"]["percentile"], plain["lab"]["precision"]) == (99.0, "int8")
    code, _, err = run(*words, "--data", CALIBRATION, "--precision", "fp16")
    assert (code, "fp16 has none" in err) == (2, True)


def test_the_transformer_keeps_most_by_entropy_and_least_by_minmax(run: Run):
    """What the hint at the calibration method says of this sample, which has attention: the lab has it otherwise."""
    kept = {}
    for method in ("entropy", "minmax", "percentile"):
        _, made, _ = run("quantize", MODEL, "--precision", "int8", "--method", method, "--data", CALIBRATION)
        _, plain, _ = run("validate", made["variant"]["id"], "--data", TEST, "--labels", LABELS)
        kept[method] = plain["candidate"]

    assert sorted(kept, key=kept.__getitem__) == ["minmax", "percentile", "entropy"]
    words = (
        "--data",
        CALIBRATION,
        "--validation-data",
        TEST,
        "--samples",
        64,
        "--labels",
        LABELS,
        "--max-evaluations",
        3,
    )
    steps = run("triage", MODEL, *words, "--lab")[1]["lab"]["steps"]
    assert min(steps[-3:], key=lambda step: step["sqnr_db"])["method"] == "entropy"


def test_a_plan_is_built_as_it_was_searched_unless_told_otherwise(run: Run, few: tuple[Path, Path], tmp_path: Path):
    words = ("--precision", "int8", "--data", few[0])
    how = ("--method", "percentile", "--percentile", 99.5, "--rest", "fp32", "--attention")
    judged = ("--validation-data", few[0], "--metric", "sqnr", "--max-evaluations", 3)
    _, found, err = run(
        "triage", MODEL, *words, *how, *judged, "--plan", tmp_path / "p.json", "-o", tmp_path / "a.onnx"
    )
    assert found, err

    _, made, _ = run("quantize", MODEL, *words, "--plan", tmp_path / "p.json", "-o", tmp_path / "b.onnx")
    _, other, _ = run("quantize", MODEL, *words, "--plan", tmp_path / "p.json", "--method", "minmax")

    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert made["variant"]["id"] != other["variant"]["id"]

    _, unnamed, err = run("quantize", MODEL, "--data", few[0], "--plan", tmp_path / "p.json")
    assert unnamed, err
    assert unnamed["variant"]["id"] == made["variant"]["id"]
    for command in ("quantize", "build"):
        code, _, err = run(command, MODEL, "--data", few[0], "--plan", tmp_path / "p.json", "--precision", "fp8")
        assert code == 2
        assert "The plan is for int8, not for fp8" in err


def test_plain_int8_is_worse(run: Run, tmp_path: Path):
    run(
        "quantize", MODEL, "--precision", "int8", "--method", "minmax", "--data", CALIBRATION, "-o", tmp_path / "q.onnx"
    )

    code, plain, _ = run("validate", MODEL, "--against", tmp_path / "q.onnx", "--data", TEST, "--labels", LABELS)

    assert code == 1
    assert plain["verdict"] == "worse"
    assert plain["lost"] > plain["gained"] > 0


def test_few_samples_exit_with_five_and_say_how_many_it_would_take(run: Run, few: tuple[Path, Path]):
    _, made, _ = run("quantize", MODEL, "--precision", "fp16")

    code, plain, _ = run("validate", made["variant"]["id"], "--data", few[0], "--labels", few[1])

    assert code == 5
    assert plain["within_tolerance"] is None
    assert plain["samples_needed"] > 200


def test_with_attention_products_the_plan_keeps_most_of_all_macs_in_int8_and_passes(run: Run, tmp_path: Path):
    words = ("--precision", "int8", "--method", "minmax", "--data", CALIBRATION, "--validation-data", TEST)
    plan = tmp_path / "plan.json"
    code, plain, err = run("triage", MODEL, *words, "--labels", LABELS, "--attention", "--plan", plan)

    assert code == 0, err
    assert plain["int8_share_of_all"] == plain["int8_share"] >= 0.8
    assert len(plain["plan"]) == 26
    assert len(plain["curve"]) <= 20
    assert {entry["node"] for entry in plain["plan"] if entry["precision"] != "int8"} == GUILTY
    _, made, _ = run("quantize", MODEL, *words[:6], "--plan", plan)  # the plan says that products are quantized
    assert len(made["quantized_nodes"]) == 24


def test_groups_in_the_label_file_are_what_the_bounds_count(run: Run, few: tuple[Path, Path], tmp_path: Path):
    _, made, _ = run("quantize", MODEL, "--precision", "fp16")
    labels = np.load(LABELS)["labels"][:200]
    origins = np.arange(200) // 4
    np.savez(tmp_path / "grouped.npz", labels=labels, groups=origins)
    np.savez(tmp_path / "words.npz", labels=labels, groups=origins.astype(np.float32))

    groups, words = tmp_path / "grouped.npz", ("validate", made["variant"]["id"], "--data", few[0], "--labels")
    plain = {"alone": run(*words, few[1])[1], "beside": run(*words, groups)[1]}
    plain["grouped"] = run(*words, groups, "--by-groups")[1]

    assert plain["beside"]["ci95"] == plain["alone"]["ci95"]
    beside = plain["beside"]["by_groups"]
    assert [beside["low"], beside["high"]] == plain["grouped"]["ci95"]
    assert "50 groups" in plain["beside"]["findings"][0]["message"]
    assert plain["alone"]["ci95"][1] < plain["grouped"]["ci95"][1]
    assert {item["rule"] for item in plain["alone"]["findings"]} == {"samples-taken-for-independent"}
    assert "50 groups" in plain["grouped"]["findings"][0]["message"]
    assert run("validate", made["variant"]["id"], "--data", few[0], "--labels", tmp_path / "words.npz")[0] == 2


def test_without_labels_a_floor_of_sqnr_decides(run: Run, few: tuple[Path, Path]):
    _, made, _ = run("quantize", MODEL, "--precision", "fp16")
    words = ("validate", made["variant"]["id"], "--data", few[0], "--metric", "sqnr", "--tolerance")

    assert run(*words, 30)[0] == 0
    assert run(*words, 120)[0] == 1
    # A relative drop of 0.005 is no floor: 0.005 dB would let everything pass.
    assert [run(*words[:-3], "--metric", name)[1]["tolerance"] for name in ("sqnr", "cosine")] == [56.0, 0.999]


def test_the_floor_of_sqnr_is_that_of_the_precision_and_is_said(run: Run, few: tuple[Path, Path]):
    data = ("--data", CALIBRATION, "--validation-data", few[0], "--metric", "sqnr")

    _, plain, err = run("triage", MODEL, "--precision", "fp8", "--method", "minmax", *data, "--max-evaluations", 3)

    assert plain["tolerance"] == 22.0, err
    assert "Floor of sqnr: 22, what a healthy FP8 layer reaches, less 6 dB. --tolerance gives another." in err
    assert plain["after"] == plain["before"] > 22.0  # nothing has to be kept
    _, plain, err = run("triage", "--rejudge", plain["id"], "--tolerance", 60)
    assert plain["tolerance"] == 60.0
    assert "Floor of" not in err
    _, plain, err = run("validate", MODEL, "--against", MODEL, "--data", few[0], "--metric", "sqnr")
    assert (plain["tolerance"], "no low precision is known" in err) == (30.0, True)


@pytest.mark.parametrize(
    ("floor", "is_told"), [(("--tolerance", 0.005), True), (("--tolerance", 20), False), ((), False)]
)
def test_a_floor_that_lets_everything_through_is_a_finding(
    run: Run, few: tuple[Path, Path], floor: tuple[object, ...], is_told: bool
):
    _, plain, _ = run("validate", MODEL, "--against", MODEL, "--data", few[0], "--metric", "sqnr", *floor)

    assert ("floor-says-little" in [item["rule"] for item in plain["findings"]]) is is_told


def test_a_stored_validation_is_judged_anew_without_running_anything(run: Run, few: tuple[Path, Path], tmp_path: Path):
    _, made, _ = run("quantize", MODEL, "--precision", "int8", "--method", "minmax", "--data", CALIBRATION)
    np.savez(tmp_path / "grouped.npz", labels=np.load(few[1])["labels"], groups=np.arange(200) // 2)
    _, first, _ = run("validate", made["variant"]["id"], "--data", few[0], "--labels", tmp_path / "grouped.npz")
    jobs = len(run("jobs")[1]["jobs"])

    loose_code, loose, _ = run("validate", "--rejudge", first["id"], "--tolerance", 0.4)
    strict_code, strict, _ = run("validate", "--rejudge", first["id"], "--tolerance", 0)
    same = run("validate", "--rejudge", first["id"])[1]

    assert (loose_code, loose["verdict"], loose["tolerance"]) == (0, "not worse", 0.4)
    assert strict_code in (1, 5)
    assert same == first
    assert loose["candidate"] == strict["candidate"] == first["candidate"]
    assert loose["ci95"] == first["ci95"]
    assert loose.keys() == first.keys()
    (counted,) = (item for item in loose["findings"] if item["rule"] == "verdict-counts-samples")
    assert "Counted by those it is also not worse" in counted["message"]
    assert len(run("jobs")[1]["jobs"]) == jobs


def test_a_stored_search_is_judged_anew_and_its_plan_written(run: Run, few: tuple[Path, Path], tmp_path: Path):
    words = ("--precision", "int8", "--method", "minmax", "--data", CALIBRATION, "--max-evaluations", 4)
    _, first, err = run("triage", MODEL, *words, "--validation-data", few[0], "--labels", few[1], "--tolerance", 0.001)
    jobs = len(run("jobs")[1]["jobs"])

    code, loose, _ = run("triage", "--rejudge", first["id"], "--tolerance", 0.5, "--plan", tmp_path / "plan.json")

    assert first["verdict"] == "too few samples to tell", err
    assert (code, loose["verdict"], loose["tolerance"], loose["after"]) == (0, "not worse", 0.5, loose["before"])
    assert [point["metric"] for point in loose["curve"]] == [point["metric"] for point in first["curve"]]
    assert {item["precision"] for item in loose["plan"]} == {"int8"}
    assert not plan_from_text((tmp_path / "plan.json").read_bytes()).kept
    assert "too-few-samples" not in [item["rule"] for item in loose["findings"]]
    assert len(run("jobs")[1]["jobs"]) == jobs


def test_a_stored_measurement_takes_nothing_that_asks_for_another_one(run: Run, few: tuple[Path, Path]):
    _, plain, _ = run("validate", MODEL, "--against", MODEL, "--data", few[0], "--labels", few[1])

    for words, said in [
        ((MODEL,), "takes no MODEL"),
        (("--data", few[0]), "takes no --data"),
        (("--metric", "top5"), "takes no --metric top5"),
        (("--tolerance", 2), "Tolerance 2.0"),
    ]:
        code, _, err = run("validate", "--rejudge", plain["id"], *words)
        assert (code, said in err) == (2, True), err
    assert run("triage", "--rejudge", plain["id"])[0] == 2
    _, floor, _ = run("validate", MODEL, "--against", MODEL, "--data", few[0], "--metric", "cosine")
    assert "A floor of 2 for cosine" in run("validate", "--rejudge", floor["id"], "--tolerance", 2)[2]
    assert run("validate", "--rejudge", "c-0123456789ab")[0] == 2


@pytest.fixture(scope="module")
def two_heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The transformer with a second head that says the opposite."""
    model = onnx.load(MODEL)
    (logits,) = model.graph.output
    model.graph.node.append(onnx.helper.make_node("Neg", [logits.name], ["opposite"], name="opposite"))
    model.graph.output.append(onnx.ValueInfoProto(name="opposite", type=logits.type))
    path = tmp_path_factory.mktemp("heads") / "two_heads.onnx"
    onnx.save(model, path)
    return path


def test_of_two_heads_the_one_to_be_scored_can_be_named(run: Run, few: tuple[Path, Path], two_heads: Path):
    words = ("validate", two_heads, "--against", two_heads, "--data", few[0], "--labels", few[1])

    _, first, _ = run(*words)
    _, second, _ = run(*words, "--score", "opposite")

    assert first["baseline"] > 0.9
    assert second["baseline"] < 0.1
    for plain, name in ((first, "'logits'"), (second, "'opposite'")):
        (said,) = (item for item in plain["findings"] if item["rule"] == "output-scored")
        assert f"{name}, one of 2" in said["message"]
    _, alone, _ = run("validate", MODEL, "--against", MODEL, "--data", few[0], "--labels", few[1])
    assert "output-scored" not in [item["rule"] for item in alone["findings"]]
    code, _, err = run(*words, "--score", "probabilities")
    assert (code, "no output 'probabilities'" in err) == (2, True)


def test_a_search_goes_by_the_head_that_is_named(run: Run, few: tuple[Path, Path], two_heads: Path):
    words = ("--precision", "fp16", "--validation-data", few[0], "--labels", few[1], "--score", "opposite")

    _, plain, err = run("triage", two_heads, *words)

    assert plain["baseline"] < 0.1, err
    assert "output-scored" in [item["rule"] for item in plain["findings"]]


def test_a_metric_of_ones_own_is_a_file_in_the_configured_folder(
    run: Run, few: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "even.py").write_text(
        "def score(outputs, labels):\n    return (outputs['logits'].argmax(1) % 2 == labels % 2).astype('float32')\n"
    )
    monkeypatch.setenv("ENGINESCOPE_METRICS", str(tmp_path))
    _, made, _ = run("quantize", MODEL, "--precision", "fp16")
    words = ("validate", made["variant"]["id"], "--data", few[0], "--labels", few[1], "--metric")

    code, plain, _ = run(*words, "even")

    assert code in (0, 5)
    assert plain["candidate"] > 0.9
    assert run(*words, "../even")[0] == 2
    assert "chooses by itself" in run(*words, "even", "--score", "logits")[2]


def test_a_metric_that_ends_the_process_is_named_with_its_line(
    run: Run, few: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "gone.py").write_text("import sys\nsys.exit(0)\n")
    (tmp_path / "stop.py").write_text("def score(outputs, labels):\n    raise SystemExit\n")
    monkeypatch.setenv("ENGINESCOPE_METRICS", str(tmp_path))
    words = ("validate", MODEL, "--against", MODEL, "--data", few[0], "--labels", few[1], "--metric")

    gone, stop = run(*words, "gone"), run(*words, "stop")

    assert (gone[0], stop[0]) == (2, 2)
    assert "gone.py fails when it is loaded at line 2: SystemExit(0)" in gone[2]
    assert "stop fails at line 2: SystemExit()" in stop[2]


@pytest.mark.parametrize("command", ["validate", "triage"])
def test_labels_in_another_order_than_the_samples_are_noticed(
    run: Run, few: tuple[Path, Path], tmp_path: Path, command: str
):
    np.savez(tmp_path / "sorted.npz", labels=np.sort(np.load(few[1])["labels"]))
    words = {"validate": ("--against", MODEL, "--data", few[0]), "triage": ("--precision", "fp16")}[command]
    words = words if command == "validate" else (*words, "--validation-data", few[0], "--max-evaluations", 3)

    _, plain, err = run(command, MODEL, *words, "--labels", tmp_path / "sorted.npz")

    assert "model-guesses" in [item["rule"] for item in plain["findings"]], err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("validate", MODEL, "--data", TEST, "--labels", LABELS), "--against"),
        (("validate", MODEL, "--against", MODEL, "--data", TEST), "needs labels"),
        (("validate", MODEL, "--against", MODEL, "--data", TEST, "--labels", TEST), "no array 'labels'"),
        (("validate", MODEL, "--against", MODEL, "--data", CALIBRATION, "--labels", LABELS), "labels for 750 samples"),
        (("validate", MODEL, "--against", MODEL, "--data", TEST, "--labels", LABELS, "--metric", "f9"), "not known"),
        (("triage", MODEL, "--validation-data", TEST, "--labels", LABELS), "needs calibration data"),
        (("triage", MODEL, "--labels", LABELS), "Give --validation-data"),
        (("triage", "--validation-data", TEST), "triage was given no model"),
        (("validate", "--data", TEST), "validate was given no model"),
        (("quantize", MODEL), "Give --precision, or a plan"),
        (("validate", MODEL, "--against", MODEL), "Give --data"),
    ],
)
def test_bad_input_is_one_line_that_says_what_is_missing(run: Run, words: tuple[object, ...], said: str):
    code, plain, err = run(*words)

    assert (code, plain) == (2, {})
    assert said in err
    assert "Traceback" not in err


def test_a_label_that_is_no_class_is_bad_input_with_label_and_sample(run: Run, few: tuple[Path, Path], tmp_path: Path):
    labels = np.load(few[1])["labels"].copy()
    labels[137] = 10
    np.savez(tmp_path / "labels.npz", labels=labels)

    code, _, err = run("validate", MODEL, "--against", MODEL, "--data", few[0], "--labels", tmp_path / "labels.npz")

    assert code == 2
    assert "The label 10 of sample 137 is outside 0..9" in err


def test_a_candidate_with_other_inputs_than_the_model_is_refused(run: Run, tmp_path: Path):
    onnx.save(models.mlp(), tmp_path / "other.onnx")

    code, _, err = run("validate", MODEL, "--against", tmp_path / "other.onnx", "--data", TEST, "--labels", LABELS)

    assert code == 2
    assert "other inputs than the model" in err


def test_a_model_against_itself_is_not_worse(run: Run):
    code, plain, _ = run("validate", MODEL, "--against", MODEL, "--data", TEST, "--labels", LABELS)

    assert code == 0
    assert plain["relative_drop"] == 0.0


def test_a_folder_of_pictures_with_a_csv_is_labelled_data(run: Run, tmp_path: Path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    images, labels = np.load(TEST)["image"][:40], np.load(LABELS)["labels"][:40]
    for number, image in enumerate(images):
        Image.fromarray(np.rint(image[0] * 255).astype(np.uint8)).save(folder / f"{number}.png")
    lines = [f"{number}.png,{label},{number // 2}" for number, label in enumerate(labels)]
    (tmp_path / "labels.csv").write_text("\n".join(lines))

    _, plain, err = run("validate", MODEL, "--against", MODEL, "--data", folder, "--labels", tmp_path / "labels.csv")

    assert plain["samples"] == 40, err
    assert plain["by_groups"]["groups"] == 20
    assert plain["baseline"] > 0.85


def test_sensitivity_puts_precisions_beside_each_other_and_writes_the_layers(run: Run, tmp_path: Path):
    table = tmp_path / "layers.csv"
    code, out, _ = run(
        "sensitivity", MODEL, "--against", "fp16,int8", "--method", "minmax", "--data", CALIBRATION,
        "--validation-data", TEST, "--labels", LABELS, "--samples", 256, "--leave-one-out", 1, "-o", table,
    )  # fmt: skip

    assert code == 0
    fp16, int8 = out["precisions"]
    assert (fp16["precision"], int8["precision"]) == ("fp16", "int8")
    assert int8["units"][0]["gain_is_measured"]
    assert int8["units"][0]["weights_db"] is not None
    assert {"TensorRT 8.6", "TensorRT 10", "TensorRT 11"} < {one["backend"] for one in int8["backends"]}
    written = table.read_text().splitlines()
    assert len(written) == 1 + len(out["layers"])
    assert written[0].startswith('#,Block,Layer,Op,"FP16 accumulated, dB"')
