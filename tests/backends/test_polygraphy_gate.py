from __future__ import annotations

import subprocess
import sys

import pytest

from trt_core.backends.polygraphy_gate import polygraphy
from trt_core.errors import DependencyMissing


def test_the_environment_neither_makes_it_install_nor_mean_another_library():
    code = (
        "from trt_core.backends.polygraphy_gate import polygraphy; polygraphy()\n"
        "from polygraphy import config; from polygraphy.mod import importer\n"
        "import sys; asked = {name for name in importer._all_external_lazy_imports if 'tensorrt' in name}\n"
        "print(config.AUTOINSTALL_DEPS, asked, [name for name in sys.modules if name.startswith('tensorrt')])"
    )
    environment = {"POLYGRAPHY_AUTOINSTALL_DEPS": "1", "POLYGRAPHY_USE_TENSORRT_RTX": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "False {'tensorrt'} []\n"


def test_without_the_package_its_name_and_how_to_install_it_are_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "polygraphy.config", None)
    with pytest.raises(DependencyMissing, match=r"Polygraphy is not installed .* pip install -r requirements\.txt"):
        polygraphy.__wrapped__()
