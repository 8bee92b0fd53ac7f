"""A folder of pictures with a label file becomes labelled samples."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from trt_core.domain.images import ImageSettings
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidData, InvalidInput
from trt_core.store.images import read_label_file, stage_pictures, write_images

RGB = TensorSpec(name="x", dtype="float32", shape=("batch", 3, 4, 6))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pictures").mkdir()
    for number, colour in enumerate([(255, 0, 0), (0, 51, 0)]):
        Image.new("RGB", (12, 8), colour).save(tmp_path / "pictures" / f"{number}.png")
    (tmp_path / "labels.csv").write_text("file,label\n0.png,3\n1.png,7\n")
    return tmp_path / "pictures"


def test_pictures_are_resized_normalized_and_in_the_order_of_the_label_file(folder, tmp_path):
    files, labels = read_label_file(tmp_path / "labels.csv", folder)

    write_images(files, RGB, ImageSettings(mean=(0.5,), std=(0.25,)), tmp_path / "x.npz")

    with np.load(tmp_path / "x.npz") as stored:
        values = stored["x"]
    assert labels == (3, 7)
    assert values.shape == (2, 3, 4, 6)
    assert values[0, :, 0, 0] == pytest.approx([2.0, -2.0, -2.0])
    assert values[1, 1, 0, 0] == pytest.approx((0.2 - 0.5) / 0.25)


def test_the_middle_is_cut_out_after_the_shorter_side_is_resized(tmp_path):
    wide = Image.new("L", (30, 10), 0)
    wide.paste(255, (10, 0, 20, 10))
    wide.save(tmp_path / "wide.png")
    spec = TensorSpec(name="x", dtype="float32", shape=(1, 10, 10, 1))

    write_images([tmp_path / "wide.png"], spec, ImageSettings(resize=10), tmp_path / "x.npz")

    with np.load(tmp_path / "x.npz") as stored:
        assert stored["x"].shape == (1, 10, 10, 1)
        assert stored["x"].min() == 1.0


@pytest.mark.parametrize("line", ["../labels.csv,1", "/etc/hostname,1", "missing.png,1", "0.png,cat", "0.png"])
def test_a_line_that_names_no_picture_of_the_folder_is_refused(folder, tmp_path, line):
    (tmp_path / "labels.csv").write_text(f"0.png,1\n{line}\n")

    with pytest.raises(InvalidData, match="Line 2"):
        read_label_file(tmp_path / "labels.csv", folder)


@pytest.mark.parametrize(
    "line", ["0.png,²", "0.png," + "1" * 30, "0\0.png,1", "a" * 5000 + ".png,1", "0.png," + "1" * 200_000]
)
def test_a_hostile_line_is_refused_as_any_other(folder, tmp_path, line):
    (tmp_path / "labels.csv").write_text(f"0.png,1\n{line}\n", encoding="utf-8")

    with pytest.raises(InvalidData, match="Line 2"):
        read_label_file(tmp_path / "labels.csv", folder)


@pytest.mark.parametrize("line", [",3", "./,3", "0.png," + "1" * 200_000])
def test_a_line_of_an_upload_that_names_nothing_is_no_picture(tmp_path, line):
    pictures = {"0.png": io.BytesIO(b"a picture")}

    with pytest.raises(InvalidData, match="Line 2"):
        stage_pictures(pictures, f"0.png,1\n{line}\n".encode(), tmp_path)


def test_what_is_no_picture_is_refused(tmp_path):
    (tmp_path / "text.png").write_text("no picture")

    with pytest.raises(InvalidData, match="no picture"):
        write_images([tmp_path / "text.png"], RGB, ImageSettings(), tmp_path / "x.npz")


def test_an_input_that_takes_no_pictures_is_refused(tmp_path):
    with pytest.raises(InvalidData, match="takes no pictures"):
        write_images([], TensorSpec(name="x", dtype="int64", shape=(1, 8)), ImageSettings(), tmp_path / "x.npz")


def test_a_standard_deviation_of_zero_is_refused():
    with pytest.raises(InvalidInput):
        ImageSettings(std=(0.0,))


def test_uploaded_pictures_get_names_of_our_own_and_the_label_file_follows(tmp_path):
    from io import BytesIO

    from trt_core.store.images import stage_pictures

    files = {"digits/../../evil.png": BytesIO(b"one"), "digits/two.png": BytesIO(b"two"), "digits/no.png": BytesIO()}
    listed = stage_pictures(files, b"name,class\n../../evil.png,3\ntwo.png,7\n", tmp_path)

    assert listed.read_text().split() == ["0000000,3", "0000001,7"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0000000", "0000001", "pictures.csv"]
    assert not (tmp_path.parent / "evil.png").exists()


def test_a_line_about_a_picture_that_was_not_uploaded_is_refused(tmp_path):
    from io import BytesIO

    from trt_core.store.images import stage_pictures

    with pytest.raises(InvalidData, match=r"Line 1 names 'b\.png'"):
        stage_pictures({"x/a.png": BytesIO(b"")}, b"b.png,1\n", tmp_path)
