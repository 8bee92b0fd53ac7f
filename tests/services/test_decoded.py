from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from trt_core.domain.artifacts import ArtifactKind
from trt_core.errors import NotFound
from trt_core.services import decoded
from trt_core.services.decoded import Decoded
from trt_core.store.folder_store import FolderStore

ID = "m-0123456789ab"


@dataclass(frozen=True, kw_only=True)
class Note:
    words: tuple[str, ...]


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path)


def put(store, *words, artifact_id=ID):
    note = Note(words=words)
    files = {"note.json": json.dumps({"words": words}).encode()}
    return store.put(ArtifactKind.MODEL, artifact_id, note, files)


def test_a_record_and_a_file_are_decoded_once(store):
    put(store, "one", "two")
    values = Decoded(store)

    assert values.record(Note, ID) == values.file(Note, ID, "note.json") == Note(words=("one", "two"))
    assert values.record(Note, ID) is values.record(Note, ID)
    assert values.file(Note, ID, "note.json") is values.file(Note, ID, "note.json")


def test_what_was_deleted_is_not_answered_from_memory(store, tmp_path):
    put(store, "one")
    values = Decoded(store)
    values.record(Note, ID)
    values.file(Note, ID, "note.json")

    FolderStore(tmp_path).delete(ID)  # another process's hand

    with pytest.raises(NotFound):
        values.record(Note, ID)
    with pytest.raises(NotFound):
        values.file(Note, ID, "note.json")


def test_an_id_that_holds_something_else_after_a_deletion_is_read_anew(store):
    put(store, "before")
    values = Decoded(store)
    values.record(Note, ID)
    values.file(Note, ID, "note.json")
    store.delete(ID)
    put(store, "behind it")

    assert values.record(Note, ID) == values.file(Note, ID, "note.json") == Note(words=("behind it",))


def test_only_the_values_used_last_stay_in_memory(store, monkeypatch):
    monkeypatch.setattr(decoded, "_MOST_RECORDS", 2)
    ids = [f"m-{number:012x}" for number in range(3)]
    for artifact_id in ids:
        put(store, artifact_id, artifact_id=artifact_id)
    values = Decoded(store)
    first, second, _ = (values.record(Note, artifact_id) for artifact_id in ids)

    assert values.record(Note, ids[1]) is second
    assert values.record(Note, ids[0]) is not first


def test_readers_who_come_at_once_share_one_decoding(store, monkeypatch):
    put(store, "one")
    values, ready, made = Decoded(store), threading.Barrier(4), []

    def slow(kind, plain):
        made.append(kind)
        time.sleep(0.05)
        return kind(words=tuple(plain["words"]))

    monkeypatch.setattr(decoded, "from_plain", slow)

    def read(_):
        ready.wait()
        return values.file(Note, ID, "note.json")

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read, range(4)))

    assert len(made) == 1
    assert all(note is found[0] for note in found)


def test_a_decoding_that_failed_is_tried_again(store, monkeypatch):
    put(store, "one")
    values = Decoded(store)
    with monkeypatch.context() as broken:
        broken.setattr(decoded, "from_plain", lambda kind, plain: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            values.file(Note, ID, "note.json")

    assert values.file(Note, ID, "note.json") == Note(words=("one",))
