"""Pictures on their way into the workspace: as files that everything else reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from trt_core.domain.images import ImageSettings
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidData


@dataclass(frozen=True, kw_only=True)
class PictureNames:
    """What the user calls the folder and the label file, and the pictures whose files are called otherwise."""

    folder: str
    labels: str
    shown_as: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WrittenPictures:
    """Two files: the samples, and one class number a sample, with its group where there are any."""

    samples: Path
    labels: Path


def written_pictures(
    inputs: Sequence[TensorSpec],
    folder: Path,
    labels: Path,
    settings: ImageSettings,
    *,
    scratch: Path,
    names: PictureNames,
) -> WrittenPictures:
    """Write a folder of pictures with its label file (name,class or name,class,group) for a model of one input."""
    import numpy as np

    from trt_core.store.images import read_label_file, write_images

    if len(inputs) != 1:
        raise InvalidData(f"The model has {len(inputs)} inputs.", remedy="Give the samples as .npz.")
    listed = read_label_file(labels, folder)
    found = WrittenPictures(samples=scratch / "images.npz", labels=scratch / "labels.npz")
    write_images(listed.files, inputs[0], settings, found.samples, shown_as=names.shown_as)
    groups = {"groups": np.asarray(listed.groups, np.int64)} if listed.groups else {}
    np.savez(found.labels, allow_pickle=False, labels=np.asarray(listed.classes, np.int64), **groups)
    return found


def staged_pictures(
    pictures: Mapping[str, BinaryIO], labels: bytes, scratch: Path, *, called: str
) -> tuple[Path, PictureNames]:
    """Write uploaded pictures and their label file under names of our own; that file, and what the user calls all.

    `called` is the label file's name, for the user's eyes only.
    """
    from trt_core.store.images import stage_pictures

    staged = stage_pictures(pictures, labels, scratch)
    folders = {name.partition("/")[0] for name in pictures if "/" in name}
    folder = folders.pop() if len(folders) == 1 else "pictures"
    return staged.labels, PictureNames(folder=folder, labels=called, shown_as=staged.shown_as)
