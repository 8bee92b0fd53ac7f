"""Artifacts are immutable folders that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trt_core.domain.artifacts import ArtifactKind
from trt_core.errors import ArtifactCorrupt, NotFound, QuotaExceeded
from trt_core.store.folder_store import FolderStore

MODEL = "m-0123456789ab"
VARIANT = "v-0123456789ab"
BUILD = "b-0123456789ab"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def scratch(store_root: Path) -> list[Path]:
    return list((store_root / "tmp").iterdir())


def test_what_was_put_is_found_again_with_its_record_files_and_parents(store: FolderStore, tmp_path: Path):
    store.put(ArtifactKind.MODEL, MODEL, {"name": "net"}, {"model.onnx": b"bytes"})
    store.put(ArtifactKind.VARIANT, VARIANT, {"of": MODEL}, {"model.onnx": b"other"}, parents=[MODEL])

    assert store.record(MODEL) == {"name": "net"}
    assert store.path(MODEL, "model.onnx").read_bytes() == b"bytes"
    assert store.artifact(VARIANT).parents == (MODEL,)
    assert store.ids(ArtifactKind.VARIANT, parent=MODEL) == [VARIANT]
    assert store.ids(ArtifactKind.VARIANT, parent="m-ffffffffffff") == []
    assert scratch(tmp_path) == []


def test_the_first_of_two_puts_under_one_id_stays(store: FolderStore):
    store.put(ArtifactKind.MODEL, MODEL, {"name": "first"}, {"model.onnx": b"1"})
    store.put(ArtifactKind.MODEL, MODEL, {"name": "second"}, {"model.onnx": b"2"})

    assert store.record(MODEL) == {"name": "first"}
    assert store.path(MODEL, "model.onnx").read_bytes() == b"1"


def test_moving_a_file_takes_it_over(store: FolderStore):
    source = store.scratch_folder() / "model.onnx"
    source.write_bytes(b"bytes")

    store.put(ArtifactKind.MODEL, MODEL, {}, {"model.onnx": source}, move=True)

    assert not source.exists()
    assert store.path(MODEL, "model.onnx").read_bytes() == b"bytes"


def test_deleting_takes_descendants_along_and_says_how_much_it_freed(store: FolderStore, tmp_path: Path):
    store.put(ArtifactKind.MODEL, MODEL, {}, {"model.onnx": b"x" * 100})
    store.put(ArtifactKind.VARIANT, VARIANT, {}, {"model.onnx": b"y" * 50}, parents=[MODEL])
    store.put(ArtifactKind.BUILD, BUILD, {}, {"model.engine": b"z" * 25}, parents=[VARIANT])

    assert store.descendants(MODEL) == [BUILD, VARIANT]
    assert store.delete(MODEL) == 175
    assert not any(store.has(item) for item in (MODEL, VARIANT, BUILD))
    assert store.used_bytes() == 0
    assert scratch(tmp_path) == []


def test_a_deletion_by_another_process_is_seen(store: FolderStore, tmp_path: Path):
    store.put(ArtifactKind.MODEL, MODEL, {}, {"model.onnx": b"x"})
    assert store.record(MODEL) == {}

    FolderStore(tmp_path).delete(MODEL)

    with pytest.raises(NotFound, match=MODEL):
        store.record(MODEL)
    assert store.ids(ArtifactKind.MODEL) == []


def test_over_quota_is_refused_and_leaves_nothing(tmp_path: Path):
    small = FolderStore(tmp_path, quota_bytes=100)

    with pytest.raises(QuotaExceeded, match="do not fit"):
        small.put(ArtifactKind.MODEL, MODEL, {}, {"model.onnx": b"x" * 101})

    assert not small.has(MODEL)
    assert scratch(tmp_path) == []


def test_a_full_disk_is_said_and_leaves_nothing(store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)

    with pytest.raises(QuotaExceeded, match="disk is full"):
        store.put(ArtifactKind.MODEL, MODEL, {}, {"model.onnx": b"x"})
    assert scratch(tmp_path) == []


@pytest.mark.parametrize("name", ["../m-0123456789ab", "m-../../etc", "m-0123456789AB", "x-0123456789ab", ""])
def test_only_ids_become_paths(store: FolderStore, name: str):
    with pytest.raises(NotFound):
        store.has(name)


def test_a_file_that_is_not_in_the_manifest_is_not_handed_out(store: FolderStore):
    store.put(ArtifactKind.MODEL, MODEL, {}, {"model.onnx": b"x"})

    with pytest.raises(NotFound, match="no file"):
        store.path(MODEL, "../../jobs.sqlite")


def test_changed_bytes_are_noticed(store: FolderStore):
    store.put(ArtifactKind.MODEL, MODEL, {}, {"model.onnx": b"x"})
    store.verify(MODEL)
    store.path(MODEL, "model.onnx").write_bytes(b"y")

    with pytest.raises(ArtifactCorrupt, match=r"model\.onnx"):
        store.verify(MODEL)


def test_only_the_scratch_of_the_dead_is_cleared(tmp_path: Path):
    dead, living = FolderStore(tmp_path, scratch="j-dead"), FolderStore(tmp_path, scratch="j-living")
    gone, kept = dead.scratch_folder(), living.scratch_folder()

    living.clear_scratch("j-dead")

    assert not gone.exists()
    assert kept.exists()


def test_what_another_process_deleted_and_made_anew_is_read_anew(tmp_path: Path):
    here, there = FolderStore(tmp_path), FolderStore(tmp_path)
    here.put(ArtifactKind.MODEL, MODEL, {"name": "one"}, {"model.onnx": b"1"})
    assert there.record(MODEL) == {"name": "one"}

    here.delete(MODEL)
    here.put(ArtifactKind.MODEL, MODEL, {"name": "two"}, {"model.onnx": b"22"})

    assert there.record(MODEL) == {"name": "two"}


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_one_damaged_manifest_leaves_the_rest_of_the_workspace_usable(store: FolderStore, tmp_path: Path, text: str):
    store.put(ArtifactKind.MODEL, MODEL, {}, {"model.onnx": b"1"})
    damaged = tmp_path / "artifacts" / "m-ffffffffffff"
    damaged.mkdir()
    (damaged / "manifest.json").write_text(text)

    assert store.ids(ArtifactKind.MODEL) == [MODEL]
    assert store.used_bytes() == 1
    with pytest.raises(ArtifactCorrupt):
        store.record("m-ffffffffffff")
    store.delete("m-ffffffffffff")
    assert not damaged.exists()


def test_nothing_is_kept_whose_parent_was_deleted_meanwhile(store: FolderStore, tmp_path: Path):
    with pytest.raises(NotFound, match="deleted while"):
        store.put(ArtifactKind.BUILD, BUILD, {}, {"model.engine": b"z"}, parents=[MODEL])

    assert list((tmp_path / "artifacts").iterdir()) == []
    assert scratch(tmp_path) == []


def test_scratch_of_a_process_that_was_killed_days_ago_is_swept(tmp_path: Path):
    FolderStore(tmp_path)
    old, new = tmp_path / "tmp" / "p12-aa", tmp_path / "tmp" / "p13-bb"
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (1.0, 1.0))

    FolderStore(tmp_path)

    assert scratch(tmp_path) == [new]
