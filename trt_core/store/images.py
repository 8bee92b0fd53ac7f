"""A folder of pictures with a label file, written as the `.npz` that everything else reads."""

from __future__ import annotations

import csv
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from trt_core.domain.images import ImageSettings
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import DependencyMissing, InvalidData

_MOST_PIXELS = 200_000_000  # of one picture: beyond it, a small file may hold a large picture on purpose
_LABEL_BYTES = 64 << 20
_MOST_DIGITS = 9  # of a class


def read_label_file(path: Path, folder: Path) -> tuple[tuple[Path, ...], tuple[int, ...]]:
    """Pictures and class numbers of a CSV with a name and a number a line; a first line of words is skipped.

    Raises InvalidData for lines that cannot be read, pictures that are missing, or names that leave the folder.
    """
    if not path.is_file() or path.stat().st_size > _LABEL_BYTES:
        raise InvalidData(
            f"There is no label file {path.name!r}, or it is too large.", remedy="Give a CSV: name,label."
        )
    root, files, labels = folder.resolve(), list[Path](), list[int]()
    with path.open(newline="", encoding="utf-8", errors="replace") as lines:
        for number, row in _rows(lines, path.name):
            if len(row) != 2 or not row[1].strip().isdecimal() or len(row[1]) > _MOST_DIGITS:
                raise InvalidData(
                    f"Line {number} of {path.name} is no picture and class.", remedy="Write name.jpg,3 on each line."
                )
            file = _inside(root, row[0].strip())
            if file is None:
                raise InvalidData(
                    f"Line {number} of {path.name} names {row[0][:120]!r}, which is not in the folder.",
                    remedy="Give names relative to the folder of pictures.",
                )
            files.append(file)
            labels.append(int(row[1]))
    if not files:
        raise InvalidData(f"{path.name} names no picture.", remedy="Write name.jpg,3 on each line.")
    return tuple(files), tuple(labels)


def _rows(lines: Iterable[str], name: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that name a picture, with their numbers: empty ones and a first line of words are left out."""
    rows = csv.reader(lines)
    number = 0
    while True:
        number += 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise InvalidData(
                f"Line {number} of {name} cannot be read: {error}.", remedy="Write name.jpg,3 on each line."
            ) from error
        if row is None:
            return
        if row and not (number == 1 and not row[-1].strip().lstrip("-").isdigit()):
            yield number, row


def _inside(root: Path, name: str) -> Path | None:
    """The file of that name in a folder; None for a name that leaves it, that no file has, or that is no name."""
    try:
        file = (root / name).resolve()
        return file if file.is_relative_to(root) and file.is_file() else None
    except (OSError, ValueError):  # too long for the file system, or with a zero byte
        return None


def stage_pictures(pictures: Mapping[str, BinaryIO], labels: bytes, folder: Path) -> Path:
    """Write uploaded pictures under names of our own, and a label file that uses them; its path.

    No name of the upload becomes a path. A line may leave out the folder that a browser puts before its files' names.
    Raises InvalidData for a line that names no picture of the upload.
    """
    if len(labels) > _LABEL_BYTES:
        raise InvalidData("The label file is too large.", remedy="Give a CSV: name,label.")
    ours: dict[str, str] = {}
    for number, name in enumerate(pictures):
        ours[name] = f"{number:07d}"
        if rest := name.partition("/")[2]:
            ours.setdefault(rest, ours[name])
    listed = folder / "pictures.csv"
    used: dict[str, str] = {}
    with listed.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        for number, row in _rows(labels.decode("utf-8-sig", "replace").splitlines(), "the label file"):
            name = row[0].strip().removeprefix("./")
            if name not in ours:
                raise InvalidData(
                    f"Line {number} names {name[:120]!r}, which was not uploaded.",
                    remedy="Give names relative to the folder of pictures.",
                )
            used[ours[name]] = name
            writer.writerow([ours[name], *row[1:]])
    for name, stream in pictures.items():
        if ours[name] in used:
            with (folder / ours[name]).open("wb") as file:
                shutil.copyfileobj(stream, file)
    return listed


def write_images(files: Sequence[Path], spec: TensorSpec, settings: ImageSettings, target: Path) -> None:
    """Write pictures as one array of the input's name, [samples, channels, height, width], one picture at a time.

    The input says size and channels: 1 (grey) or 3 (RGB), before or after height and width. Raises InvalidData for an
    input that takes no pictures and for pictures that cannot be read.
    """
    shape, first = _layout(spec)
    channels, height, width = shape
    sample = (channels, height, width) if first else (height, width, channels)
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(files), *sample)}
    with (
        zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive,
        archive.open(f"{spec.name}.npy", "w", force_zip64=True) as stream,
    ):
        np.lib.format.write_array_header_2_0(stream, header)
        for file in files:
            pixels = _read(file, channels, (height, width), settings)
            stream.write(np.ascontiguousarray(pixels.transpose(2, 0, 1) if first else pixels).tobytes())


def _layout(spec: TensorSpec) -> tuple[tuple[int, int, int], bool]:
    dims = spec.shape or ()
    if spec.dtype == "float32" and len(dims) == 4 and all(isinstance(dim, int) for dim in dims[1:]):
        one, two, three = (int(dim) for dim in dims[1:] if isinstance(dim, int))
        if one in (1, 3):
            return (one, two, three), True
        if three in (1, 3):
            return (three, one, two), False
    raise InvalidData(
        f"Input {spec.name[:80]!r} is {spec.dtype} {spec.shape_text()}, which takes no pictures.",
        remedy="Give the samples as .npz.",
    )


def _read(file: Path, channels: int, size: tuple[int, int], settings: ImageSettings) -> npt.NDArray[np.float32]:
    try:
        from PIL import Image
    except ImportError as error:
        raise DependencyMissing("Pillow is not installed.", remedy="pip install pillow") from error
    try:
        with Image.open(file) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                raise InvalidData(f"{file.name} has {opened.width} × {opened.height} pixels.", remedy="Scale it down.")
            picture = _fitted(opened.convert("L" if channels == 1 else "RGB"), size, settings.resize)
            values = np.asarray(picture, np.float32) / np.float32(255.0)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InvalidData(f"{file.name} is no picture that can be read: {error}.", remedy="Remove it.") from error
    mean, std = np.asarray(settings.mean, np.float32), np.asarray(settings.std, np.float32)
    if {mean.size, std.size} - {1, channels}:
        raise InvalidData(
            f"The pictures have {channels} channels.", remedy="Give one mean and std each, or one for all."
        )
    return (values.reshape(*size, channels) - mean) / std


def _fitted(picture: Any, size: tuple[int, int], shorter: int) -> Any:
    height, width = size
    if not shorter:
        return picture.resize((width, height), 2)  # bilinear
    scale = shorter / min(picture.size)
    wide, high = (max(one, round(side * scale)) for one, side in zip((width, height), picture.size, strict=True))
    picture = picture.resize((wide, high), 2)
    left, top = (wide - width) // 2, (high - height) // 2
    return picture.crop((left, top, left + width, top + height))
