"""The workspace of layers, out of a build log that may come from anywhere."""

from __future__ import annotations

import time

from trt_core.backends.tensorrt.memory_log import read_scratch

OLD = "[V] [TRT] Layer: conv1 + relu Host Persistent: 32 Device Persistent: 0 Scratch Memory: 6819840"
NEW = (
    "[V] Layer: {ForeignNode[a...Layer: b]} Host Persistent: 0 bytes Device Persistent: 0 bytes Scratch Memory: 7 bytes"
)


def test_layers_that_ask_for_workspace_are_read_in_the_words_of_every_release():
    log = "\n".join([OLD, NEW, OLD.replace("conv1", "idle").replace("6819840", "0"), OLD.replace("6819840", "512")])

    assert read_scratch(log) == (("conv1 + relu", 512), ("{ForeignNode[a...Layer: b]}", 7))


def test_a_line_without_a_name_or_with_an_endless_one_is_left_out():
    assert read_scratch(OLD.replace("Layer: conv1 + relu", "conv1")) == ()
    assert read_scratch(OLD.replace("conv1", "c" * 4_500)) == ()


def test_a_log_made_to_keep_the_reader_busy_is_read_in_no_time():
    began = time.process_time()
    assert read_scratch("\n".join(["Layer: " * 700 + "Scratch Memory: "] * 1_000)) == ()
    assert time.process_time() - began < 1.0
