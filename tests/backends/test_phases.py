from __future__ import annotations

from trt_core.backends.phases import PhaseTree


def test_a_phase_inside_another_fills_one_step_of_it():
    tree = PhaseTree()
    tree.start("Building engine", 4)
    tree.step("Building engine", 0)
    tree.start("Optimizing graph", 10)
    tree.step("Optimizing graph", 4)
    progress = tree.progress()
    assert progress.phase == "Building engine > Optimizing graph"
    assert (progress.step, progress.steps) == (5, 10)
    assert progress.fraction == (1 + 0.5) / 4


def test_the_share_never_goes_back_when_phases_open_one_after_the_other():
    tree = PhaseTree()
    tree.start("Building engine", 2)
    seen = []
    for name in ("first", "second"):
        tree.start(name, 3)
        for step in range(3):
            tree.step(name, step)
            seen.append(tree.progress().fraction)
        tree.finish(name)
    assert seen == sorted(seen)
    assert seen[-1] <= 1


def test_the_end_of_the_outermost_phase_is_the_whole():
    tree = PhaseTree()
    tree.start("Building engine", 6)
    tree.step("Building engine", 4)
    tree.finish("Building engine")
    assert tree.progress().fraction == 1.0
    assert not tree.progress().phase


def test_phases_nobody_opened_and_steps_beyond_the_count_do_no_harm():
    tree = PhaseTree()
    tree.finish("nothing")
    tree.start("Building engine", 0)
    tree.step("Building engine", 7)
    tree.step("unknown", 1)
    assert tree.progress().fraction == 1.0
