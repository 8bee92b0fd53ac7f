from __future__ import annotations

from trt_core.domain.jobs import Progress
from trt_core.services.parts import PartReporter
from trt_core.testing import CollectingReporter


def test_a_part_fills_its_share_of_the_bar_and_keeps_its_own_steps():
    outer = CollectingReporter()

    part = PartReporter(outer, Progress(fraction=0.25), share=0.05)
    part.progress(Progress(phase="Evaluation 6 of at most 20", fraction=1.0, step=500, steps=500))

    (told,) = outer.reported
    assert round(told.fraction or 0, 6) == 0.30
    assert (told.phase, told.step, told.steps) == ("Evaluation 6 of at most 20", 500, 500)


def test_a_step_that_has_a_number_stands_before_what_the_part_says():
    outer = CollectingReporter()

    PartReporter(outer, Progress(phase="Cut", fraction=0.5, step=2, steps=2), share=0.5).progress(
        Progress(phase="Building", fraction=0.5, step=3, steps=9)
    )

    assert outer.reported == [Progress(phase="Cut: Building", fraction=0.75, step=2, steps=2)]
