from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

import onnx
import pytest

from tests import models
from trt_core.errors import InvalidInput, NotFound, QuotaExceeded, TrtCoreError, UnreadableModel
from trt_core.hashing import file_sha256
from trt_core.onnx_graph import streams
from trt_core.onnx_graph.intake import IntakeLimits, stage_file, stage_upload
from trt_core.onnx_graph.load import load_model, model_sha256

PLAIN = models.mlp().SerializeToString()


@pytest.fixture
def with_data(tmp_path: Path) -> Path:
    """A folder that holds m.onnx and weights.bin."""
    folder = tmp_path / "exported"
    folder.mkdir()
    models.saved_with_data(models.mlp(), folder / "m.onnx")
    return folder


def uploads(folder: Path) -> dict[str, io.BytesIO]:
    return {item.name: io.BytesIO(item.read_bytes()) for item in folder.iterdir()}


def packed(files: Mapping[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    stream.seek(0)
    return stream


def refused(
    files: Mapping[str, io.BytesIO | Path], folder: Path, kind: type[TrtCoreError] = UnreadableModel, **options
) -> str:
    with pytest.raises(kind) as caught:
        stage_upload(files, folder, **options)
    assert caught.value.remedy
    assert not folder.exists()
    return str(caught.value)


def test_one_file_is_stored_under_a_name_of_ours_and_keeps_its_own_for_display(tmp_path: Path):
    staged = stage_upload({"../my net.onnx": io.BytesIO(PLAIN)}, tmp_path / "s")

    assert staged.files == (Path("model.onnx"),)
    assert staged.name == "my net"
    assert staged.size_bytes == len(PLAIN)
    assert staged.path.read_bytes() == PLAIN
    assert staged.sha256 == model_sha256(staged.folder, staged.files)


def test_a_file_with_its_data_is_stored_and_can_be_loaded(with_data: Path, tmp_path: Path):
    staged = stage_upload(uploads(with_data), tmp_path / "s")

    assert staged.files == (Path("model.onnx"), Path("weights.bin"))
    assert staged.sha256 == model_sha256(staged.folder, staged.files)
    assert load_model(staged.path) == models.mlp()
    assert staged.hashes == {item.as_posix(): file_sha256(staged.folder / item) for item in staged.files}


def test_data_in_a_subfolder_are_found_by_their_last_name_because_browsers_send_no_folders(tmp_path: Path):
    (tmp_path / "e").mkdir()
    model = models.saved_with_data(models.mlp(), tmp_path / "e" / "m.onnx", location="deep/er/w.bin")
    data = tmp_path / "e" / "deep" / "er" / "w.bin"

    staged = stage_upload({"m.onnx": model, "w.bin": data}, tmp_path / "s")

    assert staged.files[1] == Path("deep/er/w.bin")
    assert load_model(staged.path) == models.mlp()


def test_missing_data_are_named_with_what_was_given(with_data: Path, tmp_path: Path):
    files = uploads(with_data)
    files["other.bin"] = files.pop("weights.bin")

    message = refused(files, tmp_path / "s")

    assert "'weights.bin' is missing" in message
    assert "'other.bin'" in message


def test_a_file_that_the_model_does_not_name_is_refused(tmp_path: Path):
    message = refused({"m.onnx": io.BytesIO(PLAIN), "labels.txt": io.BytesIO(b"cat")}, tmp_path / "s")

    assert "does not name 'labels.txt'" in message


@pytest.mark.parametrize("location", ["../out.bin", "/tmp/out.bin", "a/../../out.bin"])
def test_a_location_outside_is_refused_and_nothing_is_written_there(location: str, tmp_path: Path):
    (tmp_path / "e").mkdir()
    path = models.saved_with_data(models.mlp(), tmp_path / "e" / "m.onnx", location="w.bin")
    content = path.read_bytes()
    model = onnx.ModelProto.FromString(content)
    for item in model.graph.initializer:
        item.external_data[0].value = location
    name = location.rpartition("/")[2]

    message = refused({"m.onnx": io.BytesIO(model.SerializeToString()), name: io.BytesIO(b"0" * 9999)}, tmp_path / "s")

    assert "outside the model's folder" in message
    assert not list(tmp_path.glob("**/out.bin"))


def test_data_that_would_overwrite_the_model_are_refused(tmp_path: Path):
    (tmp_path / "e").mkdir()
    path = models.saved_with_data(models.mlp(), tmp_path / "e" / "m.onnx", location="model.onnx.")
    model = onnx.ModelProto.FromString(path.read_bytes())
    for item in model.graph.initializer:
        item.external_data[0].value = "model.onnx"
    archive = packed({"net/m.onnx": model.SerializeToString()})

    assert "missing" in refused({"a.zip": archive}, tmp_path / "s")


def test_no_file_at_all_is_refused(tmp_path: Path):
    assert "No file" in refused({}, tmp_path / "s")


def test_an_upload_without_a_model_says_what_it_holds(tmp_path: Path):
    assert "'a.pt'" in refused({"a.pt": io.BytesIO(b"x")}, tmp_path / "s")


def test_two_models_are_refused(tmp_path: Path):
    message = refused({"a.onnx": io.BytesIO(PLAIN), "b.onnx": io.BytesIO(PLAIN)}, tmp_path / "s")

    assert "2 .onnx files: 'a.onnx', 'b.onnx'" in message


def test_an_upload_above_the_limit_is_refused(tmp_path: Path):
    message = refused({"a.onnx": io.BytesIO(PLAIN)}, tmp_path / "s", InvalidInput, limits=IntakeLimits(total_bytes=100))

    assert "limit of 100 bytes" in message


def test_the_limit_counts_model_and_data_together(with_data: Path, tmp_path: Path):
    limits = IntakeLimits(total_bytes=1000)
    assert all(item.stat().st_size < 1000 for item in with_data.iterdir())

    refused(uploads(with_data), tmp_path / "s", InvalidInput, limits=limits)


def test_a_full_disk_is_said_so_and_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "kept.txt").write_text("mine")

    class Full(io.BytesIO):
        def readinto(self, _):
            raise OSError(28, "No space left on device")

    with pytest.raises(QuotaExceeded, match="disk is full"):
        stage_upload({"a.onnx": Full()}, folder)
    assert [item.name for item in folder.iterdir()] == ["kept.txt"]


def test_a_file_that_is_there_already_is_never_replaced_or_removed(tmp_path: Path):
    first = stage_upload({"a.onnx": io.BytesIO(PLAIN)}, tmp_path / "s")

    with pytest.raises(UnreadableModel):
        stage_upload({"b.onnx": io.BytesIO(b"other")}, tmp_path / "s")
    assert first.path.read_bytes() == PLAIN


def test_an_archive_brings_the_model_and_only_the_data_it_names(with_data: Path, tmp_path: Path):
    files = {f"./net/{item.name}": item.read_bytes() for item in with_data.iterdir()}
    files |= {"README.md": b"hello", "__MACOSX/net/._m.onnx": b"junk", "net/test/input_0.pb": b"x"}

    staged = stage_upload({"net.zip": packed(files)}, tmp_path / "s")

    assert sorted(item.name for item in staged.folder.rglob("*")) == ["model.onnx", "weights.bin"]
    assert staged.name == "m"
    assert load_model(staged.path) == models.mlp()


def test_an_archive_without_its_data_is_refused(with_data: Path, tmp_path: Path):
    archive = packed({"net/m.onnx": (with_data / "m.onnx").read_bytes(), "weights.bin": b"in the wrong folder"})

    assert "'weights.bin' is missing" in refused({"a.zip": archive}, tmp_path / "s")


@pytest.mark.parametrize("name", ["../m.onnx", "/m.onnx", "a/../../m.onnx", "..\\m.onnx", "C:\\m.onnx", "a/..", "C:m"])
def test_an_archive_that_points_outside_is_refused(name: str, tmp_path: Path):
    message = refused({"a.zip": packed({name: PLAIN, "m.onnx": PLAIN})}, tmp_path / "s")

    assert "points outside" in message
    assert list(tmp_path.iterdir()) == []


def test_an_archive_in_an_archive_is_refused(tmp_path: Path):
    archive = packed({"inner.zip": packed({"m.onnx": PLAIN}).getvalue()})

    assert "another archive, 'inner.zip'" in refused({"a.zip": archive}, tmp_path / "s")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_in_an_archive_are_refused(kind: int, tmp_path: Path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        entry = zipfile.ZipInfo("weights.bin")
        entry.external_attr = (kind | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
        archive.writestr("m.onnx", PLAIN)

    assert "'weights.bin', a link or device" in refused({"a.zip": stream}, tmp_path / "s")


def test_several_models_in_an_archive_are_listed(tmp_path: Path):
    archive = packed({"a.onnx": PLAIN, "b/c.onnx": PLAIN})

    assert "'a.onnx', 'b/c.onnx'" in refused({"a.zip": archive}, tmp_path / "s")


def test_an_archive_without_a_model_is_refused(tmp_path: Path):
    assert "no .onnx file, only 'a.txt'" in refused({"a.zip": packed({"a.txt": b"x"})}, tmp_path / "s")


def test_a_bomb_is_stopped_while_it_expands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streams, "_FREE_EXPANSION", 1 << 20)
    archive = packed({"m.onnx": bytes(8 << 20)})

    assert "more than 100 times" in refused({"a.zip": archive}, tmp_path / "s")


def test_sizes_declared_above_the_limit_are_refused_before_anything_is_read(tmp_path: Path):
    archive = packed({"m.onnx": PLAIN, "unread.bin": bytes(1 << 20)})

    message = refused({"a.zip": archive}, tmp_path / "s", limits=IntakeLimits(total_bytes=1 << 19))

    assert "declares" in message


def test_a_directory_that_lies_about_sizes_is_found_out(tmp_path: Path):
    honest = packed({"m.onnx": PLAIN}).getvalue()
    size = len(PLAIN).to_bytes(4, "little")
    lying = honest.replace(size, (10).to_bytes(4, "little"))
    assert lying != honest

    refused({"a.zip": io.BytesIO(lying)}, tmp_path / "s")


def test_too_many_files_in_an_archive_are_refused(tmp_path: Path):
    archive = packed({f"{index}.txt": b"" for index in range(11)})

    assert "11 files; the limit is 10" in refused({"a.zip": archive}, tmp_path / "s", limits=IntakeLimits(max_files=10))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_refused(tmp_path: Path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("m.onnx", PLAIN)
        archive.writestr("m.onnx", b"other")

    assert "'m.onnx' twice" in refused({"a.zip": stream}, tmp_path / "s")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no more", b"text", packed({"m.onnx": PLAIN}).getvalue()[:-30]])
def test_a_broken_archive_is_refused(content: bytes, tmp_path: Path):
    assert "no readable zip archive" in refused({"a.zip": io.BytesIO(content)}, tmp_path / "s")


def test_damaged_bytes_in_an_archive_are_refused(tmp_path: Path):
    content = bytearray(packed({"m.onnx": PLAIN}, compression=zipfile.ZIP_STORED).getvalue())
    content[200] ^= 0xFF

    assert "cannot be read" in refused({"a.zip": io.BytesIO(bytes(content))}, tmp_path / "s")


def test_an_encrypted_archive_is_refused(tmp_path: Path):
    content = packed({"m.onnx": PLAIN}).getvalue()
    directory = content.rindex(b"PK\x01\x02")
    content = content[: directory + 8] + b"\x01" + content[directory + 9 :]

    assert "encrypted" in refused({"a.zip": io.BytesIO(content)}, tmp_path / "s")


def test_an_archive_comes_alone(tmp_path: Path):
    assert "Upload the archive alone" in refused(
        {"a.zip": packed({"m.onnx": PLAIN}), "b.bin": io.BytesIO()}, tmp_path / "s"
    )


def test_a_file_under_a_root_brings_its_data_and_is_a_copy(with_data: Path, tmp_path: Path):
    staged = stage_file(with_data / "m.onnx", [tmp_path], tmp_path / "s")
    with (with_data / "weights.bin").open("r+b") as file:
        file.write(bytes(64))

    assert staged.name == "m"
    assert load_model(staged.path) == models.mlp()
    assert all((staged.folder / item).stat().st_nlink == 1 for item in staged.files)


def test_a_zip_under_a_root_is_unpacked(tmp_path: Path):
    (tmp_path / "net.zip").write_bytes(packed({"m.onnx": PLAIN}).getvalue())

    assert stage_file(tmp_path / "net.zip", [tmp_path], tmp_path / "s").path.read_bytes() == PLAIN


def test_a_file_outside_every_root_is_not_found_even_through_a_link(with_data: Path, tmp_path: Path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.onnx").symlink_to(with_data / "m.onnx")
    for path in (with_data / "m.onnx", root / "link.onnx", root / ".." / "exported" / "m.onnx"):
        with pytest.raises(NotFound, match="outside the configured folders"):
            stage_file(path, [root], tmp_path / "s")


def test_a_missing_file_or_a_folder_is_not_found(tmp_path: Path):
    for path in (tmp_path / "none.onnx", tmp_path, Path("\0"), tmp_path / ("n" * 5000)):
        with pytest.raises(NotFound):
            stage_file(path, [tmp_path], tmp_path / "s")


def test_linked_data_of_a_file_under_a_root_are_refused_and_nothing_stays(with_data: Path, tmp_path: Path):
    (with_data / "weights.bin").rename(tmp_path / "elsewhere.bin")
    (with_data / "weights.bin").symlink_to(tmp_path / "elsewhere.bin")

    with pytest.raises(UnreadableModel, match="reached by a link"):
        stage_file(with_data / "m.onnx", [with_data], tmp_path / "s")
    assert not (tmp_path / "s").exists()
