from __future__ import annotations

import pytest

from trt_core.workbench import workspace_of


@pytest.fixture
def bench(tmp_path):
    return workspace_of(tmp_path / "workspace")
