"""One model whose every name would do harm if it were read as anything but text, carried through every page."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import numpy as np
import pytest
from onnx import helper
from playwright.sync_api import Page, expect

from tests import models
from tests.browser.conftest import come_to, open_tab, see_all, serving, settle
from tests.browser.test_model_journeys import HOSTILE
from trt_core.domain.engine import Sm
from trt_core.domain.jobs import Job, JobKind, JobState
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.requests import (
    BenchSpec,
    BuildSpec,
    DivergeSpec,
    InspectSpec,
    QuantizeSpec,
    TriageSpec,
    ValidateSpec,
)
from trt_core.domain.sweeps import SweepSpec
from trt_core.testing import CollectingReporter

pytestmark = pytest.mark.browser

REPORTER = CollectingReporter()
# TensorRT refuses names above 4,096 characters, and a variant's converter lengthens some.
NAMES = tuple(name[:4000] for name in HOSTILE.values())
# What a file's own name may hold; a slash ends a folder's name, and 255 bytes a file's.
FILE_NAME = '![p](http:evil.example) <img onerror="alert(1)" src=x> $x$ \u202egnp.exe :red[x]'

# What is said in the parts of a page that are drawn when they are seen, the last of them first.
BELOW = {
    "models": ("Delete this model",),
    "build": ("Builds of this model", "Optimization profiles", "Report as one HTML file"),
    "fusion": ("Report as one HTML file", "Where the ops end"),
    "latency": ("Percentiles",),
    "divergence": ("Inside the TensorRT engine", "Where it begins"),
}


@dataclass(frozen=True, kw_only=True)
class Made:
    """A workspace in which everything was made of that model, and where to look at it."""

    places: dict[str, str]


def chain() -> bytes:
    """A layer a kind of name, each tensor, weight and symbol called so, too."""
    nodes, weights, last = [], [], f"{NAMES[0]} in"
    for at, name in enumerate(NAMES):
        weights.append(models.tensor(f"{name} weight {at}", (8, 8), seed=at))
        nodes.append(
            helper.make_node("MatMul", [last, weights[-1].name], [f"{name} product {at}"], name=f"{name} {at}")
        )
        last = f"{name} out {at}"
        nodes.append(helper.make_node("Relu", [nodes[-1].output[0]], [last], name=f"{name} relu {at}"))
    batch = NAMES[1][:100]
    proto = models.model(
        nodes, [models.value(nodes[0].input[0], [batch, 8])], [models.value(last, [batch, 8])], weights
    )
    proto.producer_name = NAMES[1]
    proto.graph.name = NAMES[0]
    return proto.SerializeToString()


def fill(bench) -> Made:
    record = bench.library.add_upload({f"{FILE_NAME}.onnx": io.BytesIO(chain())})
    data = bench.library.add_data(samples(record), name=f"{FILE_NAME}.npz", model_id=record.id)
    int8 = Recipe(precision=Precision.INT8, method=CalibrationMethod.MINMAX)
    variant = QuantizeSpec(model_id=record.id, recipe=int8, data_id=data.id)
    bench.support.perform(InspectSpec(model_id=record.id, target=Sm(major=8, minor=6)), REPORTER)
    build = bench.builds.perform(BuildSpec(variant=variant, target=Sm(major=8, minor=6)), REPORTER).record
    latency = bench.latency.perform(
        BenchSpec(subject_id=record.id, request=LatencyRequest(iterations=20, warmup=2)), REPORTER
    )
    diverged = bench.divergence.perform(
        DivergeSpec(
            model_id=record.id, against=(Precision.FP16, Precision.INT8), data_id=data.id, samples=4, mode="both"
        ),
        REPORTER,
    )
    search = TriageSpec(
        model_id=record.id,
        recipe=int8,
        validation_id=data.id,
        data_id=data.id,
        metric="sqnr",
        tolerance=60.0,
        samples=8,
        ranking_samples=4,
        max_evaluations=4,
    )
    triage = bench.triage.perform(search, REPORTER)
    judged = ValidateSpec(
        model_id=record.id, data_id=data.id, subject_id=build.id, metric="sqnr", tolerance=10.0, samples=8
    )
    bench.validation.perform(judged, REPORTER)
    sweep = bench.sweeps.perform(SweepSpec(subject_id=record.id, batches=(1, 2), iterations=5, warmup=1), REPORTER)
    at = f"model={record.id}&data={data.id}"
    places = {
        "models": at,
        "support": f"{at}&target=86",
        "build": f"{at}&build={build.id}",
        "fusion": f"{at}&build={build.id}&layer=0&node=2",
        "latency": f"{at}&latency={latency.id}",
        "divergence": f"{at}&divergence={diverged.id}&layer=1",
        "triage": f"{at}&triage={triage.id}",
        "sweeps": f"{at}&sweep={sweep.head.id}",
        "engines": f"{at}&engine={build.id}",
        "registry": at,
        "deploy": f"{at}&build={build.id}",
        "jobs": f"{at}&job={failed_job(bench)}",
        "system": at,
    }
    return Made(places=places)


def samples(record) -> io.BytesIO:
    # savez takes its arrays by keyword, and a name of five thousand characters is a keyword like any other.
    target = io.BytesIO()
    rng = np.random.default_rng(0)
    np.savez(target, **{spec.name: rng.standard_normal((16, 8), dtype=np.float32) for spec in record.inputs})
    target.seek(0)
    return target


def failed_job(bench) -> str:
    """A job whose title and error quote the model, as a compiler's would."""
    log = bench.jobs._context.jobs
    quoted = " ".join(NAMES)
    log.add(Job(id="j-0123456789ab", kind=JobKind.BUILD, title=quoted, request={"spec": {"x": quoted}}, created_at=1.0))
    log.move("j-0123456789ab", JobState.FAILED, error=quoted, remedy=quoted, error_kind="BuildFailed")
    path = bench.jobs.log_path("j-0123456789ab")
    path.parent.mkdir(exist_ok=True)
    path.write_text(quoted)
    return "j-0123456789ab"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("hostile") / "workspace") as running:
        yield running, fill(running.bench)


def check(page: Page) -> None:
    """Nothing was drawn out of a name, and nothing is wider than the window."""
    main = page.locator('[data-testid="stMain"]')
    drawn = main.locator("img:not([src^='data:']), .katex, a[href*='evil']:not([href^='#']), script[src]")
    assert drawn.evaluate_all("all => all.map(one => one.outerHTML)") == []
    assert main.get_by_text("This part of the page failed").count() == 0
    # Waited for, because tables and charts follow a narrower window a moment later.
    page.wait_for_function(
        "[document.documentElement, document.querySelector('[data-testid=stMain]')]"
        ".every(one => one.scrollWidth <= innerWidth)",
        timeout=10_000,
    )


def unfold(page: Page) -> None:
    """Open every folded box, and those in them: what they hold is drawn when they are opened."""
    folded = page.get_by_test_id("stMain").locator("details:not([open]) > summary:visible")
    while folded.count():
        folded.first.click()
        settle(page)
        see_all(page)


@pytest.mark.parametrize(
    "place",
    [
        "models", "support", "build", "fusion", "latency", "divergence", "triage", "sweeps", "engines", "registry",
        "deploy", "jobs", "system",
    ],
)  # fmt: skip
def test_hostile_names_stay_text_in_every_view_of_every_page(visit, hostile, place):
    running, made = hostile
    page = visit(f"/{place}?{made.places[place]}", at=running)
    main = page.get_by_test_id("stMain")
    if place in BELOW:
        come_to(page, main.get_by_text(BELOW[place][0]))
    see_all(page)
    check(page)
    unfold(page)
    check(page)
    tabs = main.get_by_role("tab")
    for number in range(tabs.count()):
        if tabs.nth(number).is_visible():
            open_tab(page, tabs.nth(number))
            see_all(page)
            unfold(page)
            check(page)
    for said in BELOW.get(place, ()):
        expect(main.get_by_text(said).first).to_be_attached()
    page.set_viewport_size({"width": 500, "height": 900})
    check(page)


def test_the_view_of_an_engine_that_each_button_opens_holds_text_only(visit, hostile):
    running, made = hostile
    page = visit(f"/engines?{made.places['engines']}", at=running)
    buttons = page.get_by_test_id("stMain").get_by_role("radiogroup").first.get_by_role("radio")
    for number in range(buttons.count()):
        buttons.nth(number).click()
        settle(page)
        check(page)


def test_the_toast_and_the_menu_hold_text_only(visit, hostile):
    running, made = hostile
    record = running.bench.library.models()[0]
    request = LatencyRequest(iterations=1, warmup=1, duration_s=4.0, profile_layers=False)
    running.bench.latency.submit(BenchSpec(subject_id=record.id, request=request))

    page = visit(f"/system?{made.places['system']}", at=running)

    toast = page.locator('[data-testid="stToast"]')
    expect(toast).to_contain_text(re.compile("Done: .*gnp"), timeout=60_000)
    assert toast.locator("img, .katex, a[href*='evil']").count() == 0
    assert page.get_by_test_id("stSidebar").locator("img:not([src^='data:']), .katex, a[href*='evil']").count() == 0
