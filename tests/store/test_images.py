"""A folder of pictures with a label file becomes labelled samples."""

from __future__ import annotations

import io
import math

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
    listed = read_label_file(tmp_path / "labels.csv", folder)

    write_images(listed.files, RGB, ImageSettings(mean=(0.5,), std=(0.25,)), tmp_path / "x.npz")

    with np.load(tmp_path / "x.npz") as stored:
        values = stored["x"]
    assert (listed.classes, listed.groups) == ((3, 7), ())
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


@pytest.mark.parametrize("mode", ["I;16", "I;16B"])
@pytest.mark.parametrize("spec", [RGB, TensorSpec(name="x", dtype="float32", shape=(1, 1, 4, 6))])
def test_grey_of_16_bits_keeps_its_values_whatever_the_channels(tmp_path, spec, mode):
    grey = np.full((4, 6), 13107, ">u2" if mode == "I;16B" else "<u2")
    Image.frombytes(mode, (6, 4), grey.tobytes()).save(tmp_path / "grey.tif")

    write_images([tmp_path / "grey.tif"], spec, ImageSettings(), tmp_path / "x.npz")

    with np.load(tmp_path / "x.npz") as stored:
        assert stored["x"].shape[1:] == spec.shape[1:]
        assert stored["x"] == pytest.approx(0.2)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_pixels_of_unknown_white_are_refused(tmp_path, dtype):
    Image.fromarray(np.ones((4, 6), dtype)).save(tmp_path / "deep.tif")

    with pytest.raises(InvalidData, match=r"deep\.tif has 32 bits"):
        write_images([tmp_path / "deep.tif"], RGB, ImageSettings(), tmp_path / "x.npz")


def test_a_mark_that_spreadsheets_put_first_is_no_part_of_a_name(folder, tmp_path):
    (tmp_path / "labels.csv").write_text("0.png,3\n1.png,7\n", encoding="utf-8-sig")

    assert read_label_file(tmp_path / "labels.csv", folder).classes == (3, 7)


@pytest.mark.parametrize("first", ["", "file,label,original\n"])
def test_a_third_column_tells_groups(folder, tmp_path, first):
    (tmp_path / "labels.csv").write_text(f"{first}0.png,3,17\n1.png,7,17\n")

    listed = read_label_file(tmp_path / "labels.csv", folder)

    assert (listed.classes, listed.groups) == ((3, 7), (17, 17))


@pytest.mark.parametrize("lines", ["0.png,3\n1.png,7,1\n", "0.png,3,1\n1.png,7\n", "0.png,3,1\n1.png,7,test\n"])
def test_groups_on_some_lines_only_or_in_words_are_refused(folder, tmp_path, lines):
    (tmp_path / "labels.csv").write_text(lines)

    with pytest.raises(InvalidData, match="Line 2"):
        read_label_file(tmp_path / "labels.csv", folder)


@pytest.mark.parametrize("first", ["0.png,cat", "0.png,3.0", "0.png,", "0.png"])
def test_a_first_line_that_names_a_picture_is_not_left_out_as_a_heading(folder, tmp_path, first):
    labels, uploaded = tmp_path / "labels.csv", tmp_path / "uploaded"
    labels.write_text(f"{first}\n1.png,2\n")
    uploaded.mkdir()
    staged = stage_pictures({name: io.BytesIO() for name in ("0.png", "1.png")}, labels.read_bytes(), uploaded)

    for listed, pictures in ((labels, folder), (staged.labels, uploaded)):
        with pytest.raises(InvalidData, match="Line 1 "):
            read_label_file(listed, pictures)


def test_a_picture_that_is_named_twice_is_refused(folder, tmp_path):
    (tmp_path / "labels.csv").write_text("0.png,3\n1.png,7\n./0.png,4\n")

    with pytest.raises(InvalidData, match="Lines 1 and 3"):
        read_label_file(tmp_path / "labels.csv", folder)


def test_a_picture_of_an_upload_that_is_named_twice_is_refused(tmp_path):
    with pytest.raises(InvalidData, match=r"Lines 2 and 3 both name 'a\.png'"):
        stage_pictures({"x/a.png": io.BytesIO(b"")}, b"name,class\nx/a.png,1\na.png,1\n", tmp_path)


def test_a_picture_that_cannot_be_read_is_named_as_the_user_knows_it(tmp_path):
    (tmp_path / "0000000").write_bytes(b"no picture")

    with pytest.raises(InvalidData, match=r"^x/a\.png is no picture that can be read\.") as refusal:
        write_images([tmp_path / "0000000"], RGB, ImageSettings(), tmp_path / "x.npz", shown_as={"0000000": "x/a.png"})

    assert str(tmp_path) not in str(refusal.value)


def test_an_input_that_takes_no_pictures_is_refused(tmp_path):
    with pytest.raises(InvalidData, match="takes no pictures"):
        write_images([], TensorSpec(name="x", dtype="int64", shape=(1, 8)), ImageSettings(), tmp_path / "x.npz")


@pytest.mark.parametrize("wrong", [{"std": (0.0,)}, {"std": (math.nan,)}, {"mean": (math.nan,)}, {"mean": (math.inf,)}])
def test_settings_that_normalize_nothing_are_refused(wrong):
    with pytest.raises(InvalidInput):
        ImageSettings(**wrong)


def test_uploaded_pictures_get_names_of_our_own_and_the_label_file_follows(tmp_path):
    from io import BytesIO

    from trt_core.store.images import stage_pictures

    files = {"digits/../../evil.png": BytesIO(b"one"), "digits/two.png": BytesIO(b"two"), "digits/no.png": BytesIO()}
    staged = stage_pictures(files, b"name,class\n../../evil.png,3\ntwo.png,7\n", tmp_path)

    assert staged.labels.read_text().split() == ["0000000,3", "0000001,7"]
    assert staged.shown_as == {"0000000": "../../evil.png", "0000001": "two.png"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0000000", "0000001", "pictures.csv"]
    assert not (tmp_path.parent / "evil.png").exists()


def test_a_line_about_a_picture_that_was_not_uploaded_is_refused(tmp_path):
    from io import BytesIO

    from trt_core.store.images import stage_pictures

    with pytest.raises(InvalidData, match=r"Line 1 names 'b\.png'"):
        stage_pictures({"x/a.png": BytesIO(b"")}, b"b.png,1\n", tmp_path)
