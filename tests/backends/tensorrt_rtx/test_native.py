from __future__ import annotations

import os
import subprocess
import sys

import pytest

from trt_core.backends.native_log import NativeLog
from trt_core.backends.tensorrt_rtx.native import install_remedy, library, native_calls
from trt_core.errors import BackendError, DependencyMissing, JobCancelled


def test_importing_the_backend_loads_neither_the_library_nor_onnx():
    code = (
        "import sys, trt_core.backends.tensorrt_rtx.compiler\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'onnx', 'tensorrt_rtx_bindings', 'onnxruntime'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_c_writes_to_standard_output_goes_to_the_log(capfd):
    with native_calls("test") as log:
        os.write(1, b"Unsupported ONNX data type: STRING (8)\n")
    os.write(1, b"ours")
    assert capfd.readouterr().out == "ours"
    assert log.records == [("STDOUT", "Unsupported ONNX data type: STRING (8)")]


@pytest.mark.parametrize("error", [RuntimeError("driver gone"), TypeError("factory function returned nullptr")])
def test_what_the_library_raises_becomes_a_backend_error(error):
    with (
        pytest.raises(BackendError, match=r"could not build m.onnx: .*(gone|nullptr)") as raised,
        native_calls("build m.onnx"),
    ):
        raise error
    assert raised.value.__cause__ is error


def test_our_own_errors_and_mistakes_pass_the_gate_unchanged():
    with pytest.raises(JobCancelled, match="stop"), native_calls("test"):
        raise JobCancelled("stop")
    with pytest.raises(KeyError), native_calls("test"):
        raise KeyError("table")


def test_a_log_keeps_errors_without_noise_and_file_names_without_folders():
    log = NativeLog()
    log.add("INFO", "Input filename:   /home/somebody/secret/model.onnx")
    log.add("ERROR", "The cause.")
    log.add("ERROR", "[checkMacros.cpp::catchCudaError::250] Error Code 1: Cuda Runtime (cudaError 35)")
    assert log.errors() == ["The cause."]
    assert log.text.startswith("[INFO] Input filename:   model.onnx\n")
    assert log.tail() == "[INFO] Input filename:   model.onnx\n[ERROR] The cause."


def test_a_missing_package_names_the_line_that_installs_it(monkeypatch):
    library.cache_clear()
    monkeypatch.setitem(sys.modules, "tensorrt_rtx_libs", None)
    with pytest.raises(DependencyMissing) as missing:
        library()
    assert missing.value.remedy == "Install it with: pip install -r requirements.txt"


def test_where_there_is_no_wheel_no_line_is_promised_that_cannot_work(monkeypatch):
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")

    assert "no wheel for Darwin arm64" in install_remedy()
    assert "pip" not in install_remedy()
