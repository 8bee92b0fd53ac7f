"""Marking inner tensors, on TensorRT-RTX: its networks are TensorRT 11's, and they build without a GPU."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest

from tests import models
from tests.contracts.test_observer_contract import convolutions
from trt_core.backends.native_log import NativeLog
from trt_core.backends.networks import parse_network
from trt_core.backends.tensorrt.debug_tensors import copied, debug_listener, pointer_of
from trt_core.backends.tensorrt.marking import mark_outputs, mark_tensors, markings
from trt_core.backends.tensorrt_rtx.native import library, logger, native_calls
from trt_core.domain.engine_divergence import Marking
from trt_core.errors import NotFound

pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT-RTX's wheels are not installed")
NAMES = ["end", "middle", "nowhere", "y"]


@pytest.fixture
def parsed(tmp_path):
    """A builder and the network of a small file."""
    path = models.saved(convolutions(), tmp_path / "convolutions.onnx")
    with native_calls("parse"):
        builder = library().Builder(logger())
        yield builder, parse_network(library(), builder, path, NativeLog())


def test_tensorrt_11_has_debug_tensors_and_8_6_marks_outputs_only():
    assert markings(library()) == (Marking.DEBUG, Marking.OUTPUTS)
    older = SimpleNamespace(__name__="tensorrt", __version__="8.6.0", INetworkDefinition=SimpleNamespace())
    assert markings(older) == (Marking.OUTPUTS,)


def test_inner_tensors_become_debug_tensors_and_outputs_stay_as_they_are(parsed):
    _, network = parsed
    marked, refused = mark_tensors(network, NAMES, Marking.DEBUG)
    assert marked == ("end", "middle", "y")
    assert refused == (("nowhere", "the network has no such tensor"),)
    tensors = {
        network.get_layer(at).get_output(0).name: network.get_layer(at).get_output(0)
        for at in range(network.num_layers)
    }
    assert network.is_debug_tensor(tensors["middle"])
    assert not network.is_debug_tensor(tensors["y"])
    assert network.num_outputs == 1


def test_a_network_with_debug_tensors_builds(parsed):
    builder, network = parsed
    mark_tensors(network, ["middle"], Marking.DEBUG)
    assert builder.build_serialized_network(network, builder.create_builder_config()) is not None


def test_inner_tensors_become_outputs(parsed):
    _, network = parsed
    marked, _ = mark_tensors(network, ["middle"], Marking.OUTPUTS)
    assert marked == ("middle",)
    assert {network.get_output(at).name for at in range(network.num_outputs)} == {"y", "middle"}


def test_a_tensor_that_must_be_an_output_and_cannot_be_is_an_error(parsed):
    with pytest.raises(NotFound, match="'nowhere' cannot be an output: the network has no such tensor"):
        mark_outputs(parsed[1], ["nowhere"])


def test_a_listener_copies_what_it_is_handed_and_keeps_what_goes_wrong():
    listener = debug_listener(library())
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    host, kind = library().TensorLocation.HOST, library().DataType.FLOAT
    assert listener.process_debug_tensor(values.ctypes.data, host, kind, (2, 3), "middle", 0)
    values[:] = 0  # the memory is valid during the call only
    np.testing.assert_array_equal(listener.arrays["middle"], [[0, 1, 2], [3, 4, 5]])
    assert listener.failed is None
    assert listener.process_debug_tensor("no address", host, kind, (2, 3), "broken", 0)
    assert listener.failed is not None


def test_an_address_is_read_out_of_a_number_or_a_capsule():
    value = np.arange(4, dtype=np.float16)
    make = ctypes.pythonapi.PyCapsule_New
    make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    capsule = make(value.ctypes.data, None, None)
    assert pointer_of(capsule) == pointer_of(value.ctypes.data) == value.ctypes.data
    np.testing.assert_array_equal(copied(capsule, "float16", (2, 2), 0, on_host=True), value.reshape(2, 2))
