"""Runs are kept whole, and as heads that lists read; ids of another kind are refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest

from trt_core.domain.artifacts import ArtifactKind
from trt_core.errors import TrtCoreError
from trt_core.services.decoded import Decoded
from trt_core.services.kept_runs import KeptRuns
from trt_core.store.folder_store import FolderStore

MODEL, OTHER = "m-000000000000", "m-000000000001"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run with a bulk."""

    id: str
    title: str
    layers: tuple[int, ...] = ()


@pytest.fixture
def kept(tmp_path):
    store = FolderStore(tmp_path)
    for model_id in (MODEL, OTHER):
        store.put(ArtifactKind.MODEL, model_id, Run(id=model_id, title="a model"), {})
    context = SimpleNamespace(store=store, decoded=Decoded(store))
    return KeptRuns(context, ArtifactKind.TRIAGE, Run, lambda run: replace(run, layers=()))


def named(kept, number, *parents):
    run = Run(id=f"{ArtifactKind.TRIAGE.value}-{number:012x}", title=f"number {number}", layers=(1, 2, 3))
    return kept.keep(run, parents=parents)


def test_a_run_is_found_whole_and_in_lists_without_its_bulk(kept):
    run = named(kept, 1, MODEL)

    assert kept.run(run.id) == run
    assert kept.heads(MODEL) == [replace(run, layers=())]


def test_lists_are_those_of_a_model_or_of_all(kept):
    first, second = named(kept, 1, MODEL, MODEL), named(kept, 2, OTHER)

    assert [run.id for run in kept.heads(OTHER)] == [second.id]
    assert {run.id for run in kept.heads()} == {first.id, second.id}


def test_an_id_of_another_kind_is_refused(kept):
    with pytest.raises(TrtCoreError):
        kept.run(MODEL)
