"""`report`: the pages' own reports, written by the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.analysis.trt86 import recorded
from trt_core.cli import report
from trt_core.cli.main import main
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.rebuilds import RebuildSpec
from trt_core.domain.requests import (
    BenchSpec,
    BuildSpec,
    DivergeSpec,
    InspectSpec,
    QuantizeSpec,
    SensitivitySpec,
    TriageSpec,
    ValidateSpec,
)
from trt_core.domain.sweeps import SweepSpec
from trt_core.testing import CollectingReporter
from trt_core.workbench import workspace_of

QUIET = CollectingReporter()


@pytest.fixture(scope="module")
def stock(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """A workspace with one of everything, and the ids by kind."""
    folder = tmp_path_factory.mktemp("workspace")
    bench = workspace_of(folder)
    model = bench.library.add_sample("digits_cnn")
    data = {item.name.split("/")[-1].split(".")[0]: item.id for item in bench.library.data_sets(model.id)}
    plain, asked = Recipe(precision=Precision.FP16), LatencyRequest(iterations=20, warmup=2)
    build = bench.builds.perform(BuildSpec(variant=QuantizeSpec(model_id=model.id, recipe=plain)), QUIET).record
    held = {"validation_id": data["test"], "metric": "sqnr", "tolerance": 20.0, "samples": 16}
    judged = TriageSpec(model_id=model.id, recipe=plain, max_evaluations=3, ranking_samples=2, **held)
    beside = SensitivitySpec(
        model_id=model.id, against=(Precision.FP16,), leave_one_out=0, ranking_samples=2, ask_backends=False, **held
    )
    validate = ValidateSpec(
        model_id=model.id, data_id=data["test"], subject_id=build.id, metric="sqnr", tolerance=20.0, samples=16
    )
    inspect = InspectSpec(model_id=model.id)
    bench.support.perform(inspect, QUIET)
    bench.recordings.add_files(recorded("r18_fp16"), device="NVIDIA H200", version="8.6.0")
    swept = SweepSpec(subject_id=model.id, batches=(1,), streams=(1,), iterations=4)
    ids = {
        "model": model.id,
        "build": build.id,
        "latency": bench.latency.perform(BenchSpec(subject_id=model.id, request=asked), QUIET).id,
        "second": bench.latency.perform(BenchSpec(subject_id=model.id, request=asked), QUIET).id,
        "sweep": bench.sweeps.perform(swept, QUIET).head.id,
        "divergence": bench.divergence.perform(
            DivergeSpec(model_id=model.id, against=(Precision.FP16,), samples=2), QUIET
        ).id,
        "triage": bench.triage.perform(judged, QUIET).id,
        "sensitivity": bench.sensitivity.perform(beside, QUIET).id,
        "validation": bench.validation.perform(validate, QUIET).id,
        "support": bench.support.find_id(inspect),
        "recording": bench.recordings.recordings()[0].id,
        "rebuild": bench.rebuilds.perform(RebuildSpec(build_id=build.id, times=1), QUIET).id,
    }
    return folder, ids


@pytest.fixture
def run(stock, capfd):
    def call(*words: object) -> tuple[int, dict, str]:
        capfd.readouterr()
        code = main(["report", *map(str, words), "--json", "--workspace", str(stock[0])])
        out, err = capfd.readouterr()
        return code, json.loads(out) if out else {}, err

    return call


TITLES = {
    "build": "Engine of digits_cnn",
    "latency": "Latency of digits_cnn",
    "sweep": "Sweep of ",
    "divergence": "Divergence of digits_cnn",
    "triage": "Triage of digits_cnn",
    "sensitivity": "",
    "validation": "Validation of ",
    "support": "Support of digits_cnn",
    "recording": "Engine r18_fp16",
    "rebuild": "Engine FP16 SM 8.6",
}


@pytest.mark.parametrize("kind", list(TITLES))
def test_whatever_has_a_report_is_written_as_one_file_that_asks_nothing_of_any_host(stock, run, tmp_path, kind):
    code, said, err = run(stock[1][kind], "-o", tmp_path / "report.html")

    assert (code, err) == (0, "")
    assert said["path"] == str(tmp_path / "report.html")
    assert said["title"].startswith(TITLES[kind])
    assert said["verdict"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert len(page.encode()) == said["size_bytes"]
    assert "default-src 'none'" in page


def test_two_runs_or_two_engines_make_one_report(stock, run, tmp_path):
    _, ids = stock
    code, said, _ = run(ids["latency"], "--against", ids["second"], "-o", tmp_path / "runs.html")
    assert (code, said["title"]) == (0, "Latency of digits_cnn")
    code, said, _ = run(ids["build"], "--against", ids["recording"], "-o", tmp_path / "engines.html")
    assert (code, said["title"]) == (0, "Engine FP16 SM 8.6 against r18_fp16")
    code, said, _ = run(ids["build"], "--engine", "-o", tmp_path / "engine.html")
    assert (code, said["title"]) == (0, "Engine FP16 SM 8.6")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("b-000000000000",), "b-000000000000"),
        (("nonsense",), "is not the id of an artifact"),
        (("{model}",), "has no report"),
        (("{latency}", "--engine"), "is no engine"),
        (("{latency}", "--against", "{build}"), "are not compared"),
    ],
)
def test_what_has_no_report_is_one_clear_line_and_leaves_no_file(stock, run, tmp_path, words, says):
    words = [word.format(**stock[1]) for word in words]
    code, said, err = run(*words, "-o", tmp_path / "report.html")

    assert (code, said) == (2, {})
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
    assert says in err
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_refused_before_the_work(stock, run, tmp_path):
    code, _, err = run(stock[1]["build"], "-o", tmp_path / "missing" / "report.html")
    assert code == 2
    assert "is not there" in err


def test_a_core_without_its_pages_says_what_is_missing(stock, run, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "__file__", str(tmp_path / "trt_core" / "cli" / "report.py"))
    code, _, err = run(stock[1]["build"], "-o", tmp_path / "report.html")
    assert code == 3
    assert "clone" in err


def test_pages_whose_libraries_are_missing_say_which(stock, run, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "pages.ui.report_of", raising=False)
    monkeypatch.setitem(sys.modules, "pages.ui.report", None)
    code, _, err = run(stock[1]["build"], "-o", tmp_path / "report.html")
    assert code == 3
    assert "pages.ui.report is not installed" in err


def test_what_the_workspace_holds_names_what_can_be_reported(stock, capfd):
    capfd.readouterr()
    assert main(["runs", "--json", "--workspace", str(stock[0])]) == 0
    (held,) = json.loads(capfd.readouterr().out)["models"]
    assert held["support_reports"] == [{"id": stock[1]["support"]}]
