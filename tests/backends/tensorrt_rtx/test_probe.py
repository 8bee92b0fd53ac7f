from __future__ import annotations

import sys

import pytest

from trt_core.backends.tensorrt_rtx.probe import capabilities_from, probe
from trt_core.backends.tensorrt_rtx.targets import stamp_of
from trt_core.domain.engine import Sm


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_installed_wheels_answer_with_their_own_targets():
    pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT-RTX's wheels are not installed")
    found = probe()
    assert found.can_parse
    assert found.can_build
    assert not found.can_run
    assert Sm(major=8, minor=6) in found.targets
    assert Sm(major=9, minor=0) not in found.targets
    assert found.has_progress
    assert "ONNX Runtime" in found.why_not("run")
    assert probe() is found


def test_a_missing_package_is_an_answer_with_the_line_that_installs_it():
    code = (
        "import sys; sys.modules['tensorrt_rtx_bindings'] = None; sys.modules['tensorrt_rtx_libs'] = None\n"
        "from trt_core.backends.tensorrt_rtx.probe import main; main()"
    )
    found = capabilities_from(python(code), timeout_s=20)
    assert not found.can_build
    assert "pip install -r requirements.txt" in found.why_not("build")


def test_a_crash_in_native_code_is_an_answer():
    found = capabilities_from(python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"), timeout_s=20)
    assert "crashed while it started (SIGSEGV)" in found.why_not("parse")


def test_a_probe_that_hangs_is_given_up():
    found = capabilities_from(python("import time; time.sleep(30)"), timeout_s=0.3)
    assert "did not answer within 0.3 s" in found.why_not("build")


def test_a_probe_that_fails_says_why():
    found = capabilities_from(python("raise RuntimeError('no such luck')"), timeout_s=20)
    assert found.why_not("build") == "TensorRT-RTX cannot be used: RuntimeError: no such luck"
    assert not capabilities_from(["/nowhere/python"], timeout_s=1).can_build


def test_the_stamp_names_version_target_and_what_it_is_not():
    assert stamp_of("1.7.1.116", Sm(major=8, minor=6)) == (
        "TensorRT-RTX 1.7.1 ahead-of-time plan for SM 8.6; TensorRT's own engine can differ"
    )
