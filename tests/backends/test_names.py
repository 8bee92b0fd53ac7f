from __future__ import annotations

import ast
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from trt_core.backends.names import NAMES, RTX_VERSION, TENSORRT_VERSIONS, check_names, lookup
from trt_core.errors import DependencyMissing, UnsupportedRequest

SURFACES = Path(__file__).parents[1] / "data" / "api_surface"
BACKENDS = Path(__file__).parents[2] / "trt_core" / "backends"


def surface(file: str) -> set[str]:
    held = json.loads((SURFACES / f"{file}.json").read_text())
    return {name for owner, members in held.items() for name in (owner, *(f"{owner}.{each}" for each in members))}


@pytest.mark.parametrize("version", TENSORRT_VERSIONS)
def test_the_table_says_of_every_name_whether_a_tensorrt_version_has_it(version):
    there = surface(f"tensorrt-{version}")
    assert {name.path for name in NAMES if version in name.versions()} == {name.path for name in NAMES} & there


def test_the_table_says_of_every_name_whether_tensorrt_rtx_has_it():
    there = surface(f"tensorrt_rtx-{RTX_VERSION}")
    assert {name.path for name in NAMES if name.rtx} == {name.path for name in NAMES} & there


def test_every_name_that_the_code_writes_down_is_in_the_table():
    owners = {name.path.partition(".")[0] for name in NAMES}
    written = set()
    for file in BACKENDS.rglob("*.py"):
        if file.name == "names.py":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                owner, dot, member = node.value.partition(".")
                if owner in owners and dot and member.isidentifier():
                    written.add(node.value)
    assert written
    assert written <= {name.path for name in NAMES}


OWNERS = {
    "builder": "Builder",
    "config": "IBuilderConfig",
    "context": "IExecutionContext",
    "engine": "ICudaEngine",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
}  # what the backends call these objects, everywhere


def test_every_member_that_is_read_off_a_library_s_object_is_in_the_table():
    read = set()
    for file in BACKENDS.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute):
                owner = OWNERS.get(ast.unparse(node.value).rpartition(".")[2])
                read |= {f"{owner}.{node.attr}"} if owner else set()
    assert len(read) > 30
    assert read <= {name.path for name in NAMES}


def test_the_table_holds_no_name_that_no_code_mentions():
    mentioned = set()
    for file in BACKENDS.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())) if file.name != "names.py" else ():
            if isinstance(node, ast.Attribute | ast.FunctionDef):
                mentioned.add(node.attr if isinstance(node, ast.Attribute) else node.name)
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                mentioned.update(node.value.split("."))
    assert {name.path for name in NAMES if name.path.rpartition(".")[2] not in mentioned} == set()


def test_a_name_is_looked_up_through_its_owner():
    library = SimpleNamespace(__name__="tensorrt", BuilderFlag=SimpleNamespace(TF32=object()))
    assert lookup(library, "BuilderFlag.TF32") is library.BuilderFlag.TF32


def test_a_name_that_a_version_lacks_is_refused_with_the_versions_that_have_it():
    library = SimpleNamespace(__name__="tensorrt", __version__="8.6.0", OnnxParser=SimpleNamespace())
    with pytest.raises(UnsupportedRequest) as refusal:
        lookup(library, "OnnxParser.supports_model_v2")
    assert str(refusal.value) == (
        "tensorrt 8.6.0 has no OnnxParser.supports_model_v2. "
        "It is there in TensorRT 10.16, TensorRT 11.4, TensorRT-RTX 1.7."
    )


def test_a_name_of_the_first_value_zero_is_found():
    library = SimpleNamespace(__name__="tensorrt", NetworkDefinitionCreationFlag=SimpleNamespace(STRONGLY_TYPED=0))
    assert lookup(library, "NetworkDefinitionCreationFlag.STRONGLY_TYPED") == 0


def test_a_name_outside_the_table_is_a_programming_mistake():
    with pytest.raises(KeyError):
        lookup(SimpleNamespace(), "Builder.teleport")


def test_an_installed_library_without_a_needed_name_is_reported_as_missing():
    with pytest.raises(DependencyMissing, match=r"tensorrt_rtx 9\.9 lacks .*Builder\.create_network"):
        check_names(SimpleNamespace(__name__="tensorrt_rtx", __version__="9.9"), rtx=True)
