from __future__ import annotations

from tests.pages.conftest import words
from trt_core.domain.engine import Sm
from trt_core.domain.jobs import JobState
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import BuildSpec, InspectSpec, QuantizeSpec
from trt_core.testing import CollectingReporter


def test_without_a_model_the_page_offers_a_sample_with_one_click(open_page, bench):
    app = open_page("support")
    assert "There is no model in the workspace yet" in words(app)

    app.button(key="support.sample").click().run()

    (record,) = bench.library.models()
    assert "Not asked yet for this target" in words(app)
    assert app.query_params["model"] == record.id


def test_before_the_check_the_page_tells_what_the_file_itself_tells(open_page, mlp):
    app = open_page("support", model=mlp.id)

    assert "Not asked yet for this target" in words(app)
    assert not app.button(key="support.check").disabled


def test_a_click_queues_the_check_for_the_target_of_the_address(open_page, bench, mlp):
    app = open_page("support", model=mlp.id, target="120")

    app.button(key="support.check").click().run()

    (job,) = bench.jobs.jobs()
    assert job.request["spec"]["target"] == {"major": 12, "minor": 0}
    assert app.query_params["job"] == job.id
    assert app.button(key="support.check").disabled or job.state.is_terminal
    bench.jobs.cancel(job.id)


def test_a_proved_model_gets_its_verdict_and_a_proved_strip(open_page, bench, mlp):
    bench.support.perform(InspectSpec(model_id=mlp.id, target=Sm(major=8, minor=6), prove=True), CollectingReporter())

    app = open_page("support", model=mlp.id)

    assert f"All {mlp.node_count} nodes are supported for SM 8.6: a build proved it." in words(app)
    assert app.button(key="support.check").disabled


def test_the_engine_of_a_proof_is_called_so_and_stands_behind_those_that_were_asked_for(open_page, bench, mlp):
    asked = BuildSpec(variant=QuantizeSpec(model_id=mlp.id, recipe=Recipe(precision=Precision.FP16)))
    wanted = bench.builds.perform(asked, CollectingReporter()).record
    bench.support.perform(InspectSpec(model_id=mlp.id, target=Sm(major=8, minor=6), prove=True), CollectingReporter())

    first, proof = bench.builds.builds(mlp.id)
    assert (first.id, first.made_for, proof.made_for) == (wanted.id, "", "proof for Support")
    picker = open_page("fusion", model=mlp.id).selectbox(key="fusion.build")
    assert picker.value == wanted.id
    assert ["proof for Support" in option for option in picker.options] == [False, True]
    assert [entry.title for entry in bench.engines.entries()] == ["FP16 SM 8.6", "FP32 SM 8.6, proof for Support"]


def test_a_refused_node_is_called_out_and_the_parts_can_be_taken_out(open_page, bench):
    record = bench.library.add_sample("unsupported_op")
    bench.support.perform(InspectSpec(model_id=record.id, target=Sm(major=8, minor=6)), CollectingReporter())

    app = open_page("support", model=record.id, tab="parts-as-files")

    said = words(app)
    assert "1 of 39 nodes is refused for SM 8.6 (`ChannelGate`)" in said
    assert "com.example::ChannelGate" in said
    assert app.button(key="support.check").disabled
    assert any("refused (1 node)" in option for option in app.selectbox(key="support.part").options)


def test_a_target_that_the_backend_does_not_build_for_is_said_not_swapped_silently(open_page, mlp):
    app = open_page("support", model=mlp.id, target="90")

    assert "does not build for SM 9.0" in app.warning[0].value


def test_a_part_taken_out_is_a_model_that_can_be_brought_in_again(bench):
    import io

    record = bench.library.add_sample("unsupported_op")
    spec = InspectSpec(model_id=record.id, target=Sm(major=8, minor=6))
    report = bench.support.perform(spec, CollectingReporter())

    first = report.parts[0]
    part = bench.library.add_upload({"part.onnx": io.BytesIO(bench.support.extract(record.id, first.indices))})

    assert part.node_count == len(first.indices)
    assert [item.is_supported for item in report.parts] == [True, False, True]


def test_a_lost_job_is_told_with_its_remedy(open_page, bench, mlp):
    job = bench.support.submit(InspectSpec(model_id=mlp.id, target=Sm(major=8, minor=6)))
    if not bench.jobs.job(job.id).state.is_terminal:
        bench.jobs._context.jobs.move(job.id, JobState.LOST, error="The worker died.", remedy="Retry.")

    app = open_page("support", model=mlp.id, job=job.id)

    assert "The job was lost" in app.error[0].value
