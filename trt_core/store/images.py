"""A folder of pictures with a label file, written as the `.npz` that everything else reads."""

from __future__ import annotations

import csv
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from trt_core.domain.images import ImageSettings
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import DependencyMissing, InvalidData

_MOST_PIXELS = 200_000_000  # of one picture: beyond it, a small file may hold a large picture on purpose
_LABEL_BYTES = 64 << 20
_MOST_DIGITS = 9  # of a class
_LINES = "Write name.jpg,3 on each line; with groups name.jpg,3,17 on all of them."


@dataclass(frozen=True, kw_only=True)
class LabelledPictures:
    """Pictures in the order of their label file, the class of each, and its group where the file tells groups."""

    files: tuple[Path, ...]
    classes: tuple[int, ...]
    groups: tuple[int, ...] = ()


def read_label_file(path: Path, folder: Path) -> LabelledPictures:
    """What a CSV says, a name, a class number and perhaps a group number a line; a first line of words is skipped.

    Raises InvalidData for lines that cannot be read, groups on some lines only, pictures that are missing or named
    twice, and names that leave the folder.
    """
    if not path.is_file() or path.stat().st_size > _LABEL_BYTES:
        raise InvalidData(
            f"There is no label file {path.name!r}, or it is too large.", remedy="Give a CSV: name,label."
        )
    root, files, numbers = folder.resolve(), dict[Path, int](), list[list[int]]()
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        for number, row in _rows(lines, path.name, lambda word: _inside(root, word) is not None):
            told = [word.strip() for word in row[1:]]
            fits = len(told) == len(numbers[0]) if numbers else len(told) in (1, 2)
            if not (fits and all(map(_is_number, told))):
                raise InvalidData(f"Line {number} of {path.name} is no picture and class.", remedy=_LINES)
            file = _inside(root, row[0].strip())
            if file is None:
                raise InvalidData(
                    f"Line {number} of {path.name} names {row[0][:120]!r}, which is not in the folder.",
                    remedy="Give names relative to the folder of pictures.",
                )
            if file in files:
                raise _named_twice(row[0], files[file], number)
            files[file] = number
            numbers.append([int(word) for word in told])
    if not files:
        raise InvalidData(f"{path.name} names no picture.", remedy=_LINES)
    classes, *groups = zip(*numbers, strict=True)
    return LabelledPictures(files=tuple(files), classes=classes, groups=groups[0] if groups else ())


def _is_number(word: str) -> bool:
    return word.isdecimal() and len(word) <= _MOST_DIGITS


def _named_twice(name: str, first: int, second: int) -> InvalidData:
    """Two samples of one picture are no two samples: the bounds would count them as if they were."""
    return InvalidData(f"Lines {first} and {second} both name {name[:120]!r}.", remedy="Name each picture once.")


def _rows(lines: Iterable[str], name: str, is_picture: Callable[[str], bool]) -> Iterator[tuple[int, list[str]]]:
    """The lines that name a picture, with their numbers: empty ones and a first line of words are left out.

    A first line that names a picture is none of words, whatever its class: left out, it would be one sample less.
    """
    rows = csv.reader(lines)
    number = 0
    while True:
        number += 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise InvalidData(f"Line {number} of {name} cannot be read: {error}.", remedy=_LINES) from error
        if row is None:
            return
        is_number = bool(row) and row[1 % len(row)].strip().lstrip("-").isdigit()
        if row and (number > 1 or is_number or is_picture(row[0].strip())):
            yield number, row


def _inside(root: Path, name: str) -> Path | None:
    """The file of that name in a folder; None for a name that leaves it, that no file has, or that is no name."""
    try:
        file = (root / name).resolve()
        return file if file.is_relative_to(root) and file.is_file() else None
    except (OSError, ValueError):  # too long for the file system, or with a zero byte
        return None


@dataclass(frozen=True, kw_only=True)
class StagedPictures:
    """A label file that names pictures by names of our own, and what the upload calls each of these."""

    labels: Path
    shown_as: Mapping[str, str]


def stage_pictures(pictures: Mapping[str, BinaryIO], labels: bytes, folder: Path) -> StagedPictures:
    """Write uploaded pictures under names of our own, and a label file that uses them.

    No name of the upload becomes a path. A line may leave out the folder that a browser puts before its files' names.
    Raises InvalidData for a line that names no picture of the upload, or one that is named before.
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
    lines: dict[str, int] = {}
    with listed.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        for number, row in _rows(
            labels.decode("utf-8-sig", "replace").splitlines(), "the label file", ours.__contains__
        ):
            name = row[0].strip().removeprefix("./")
            if name not in ours:
                raise InvalidData(
                    f"Line {number} names {name[:120]!r}, which was not uploaded.",
                    remedy="Give names relative to the folder of pictures.",
                )
            if ours[name] in used:
                raise _named_twice(name, lines[ours[name]], number)
            used[ours[name]], lines[ours[name]] = name, number
            writer.writerow([ours[name], *row[1:]])
    for name, stream in pictures.items():
        if ours[name] in used:
            with (folder / ours[name]).open("wb") as file:
                shutil.copyfileobj(stream, file)
    return StagedPictures(labels=listed, shown_as=used)


def write_images(
    files: Sequence[Path],
    spec: TensorSpec,
    settings: ImageSettings,
    target: Path,
    *,
    shown_as: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write pictures as one array of the input's name, [samples, channels, height, width], one picture at a time.

    The input says size and channels: 1 (grey) or 3 (RGB), before or after height and width. `shown_as` are the names
    that the user knows the files by. Raises InvalidData for an input that takes no pictures and for pictures that
    cannot be read.
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
            pixels = _read(file, channels, (height, width), settings, shown_as.get(file.name, file.name))
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


def _read(
    file: Path, channels: int, size: tuple[int, int], settings: ImageSettings, name: str
) -> npt.NDArray[np.float32]:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise DependencyMissing("Pillow is not installed.", remedy="pip install pillow") from error
    remedy = "Repair it, or take it out of the label file."
    try:
        with Image.open(file) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                raise InvalidData(f"{name} has {opened.width} × {opened.height} pixels.", remedy="Scale it down.")
            picture, white = _pixels(opened, channels, name)
            values = np.asarray(_fitted(picture, size, settings.resize), np.float32) / np.float32(white)
    except UnidentifiedImageError as error:  # its words are a path of the server's
        raise InvalidData(f"{name} is no picture that can be read.", remedy=remedy) from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InvalidData(f"{name} is no picture that can be read: {error}.", remedy=remedy) from error
    mean, std = np.asarray(settings.mean, np.float32), np.asarray(settings.std, np.float32)
    if {mean.size, std.size} - {1, channels}:
        raise InvalidData(
            f"The pictures have {channels} channels.", remedy="Give one mean and std each, or one for all."
        )
    return (np.broadcast_to(values.reshape(*size, -1), (*size, channels)) - mean) / std


def _pixels(opened: Any, channels: int, name: str) -> tuple[Any, float]:
    """The picture in grey or RGB, and the value of its white."""
    if opened.mode.startswith("I;16"):  # grey; Pillow's own way to 8 bits makes everything above 255 white
        return opened.convert("F"), 65535.0
    if opened.mode in ("I", "F"):
        raise InvalidData(
            f"{name} has 32 bits a pixel, and nothing says which of their values is white.",
            remedy="Save it with 8 or 16 bits a channel, or give the samples as .npz.",
        )
    return opened.convert("L" if channels == 1 else "RGB"), 255.0


def _fitted(picture: Any, size: tuple[int, int], shorter: int) -> Any:
    height, width = size
    if not shorter:
        return picture.resize((width, height), 2)  # bilinear
    scale = shorter / min(picture.size)
    wide, high = (max(one, round(side * scale)) for one, side in zip((width, height), picture.size, strict=True))
    picture = picture.resize((wide, high), 2)
    left, top = (wide - width) // 2, (high - height) // 2
    return picture.crop((left, top, left + width, top + height))
