"""Pictures on their way into the workspace: as files that everything else reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from trt_core.domain.images import ImageSettings
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidData

Names = Mapping[str, str]  # of files, as the user knows them


@dataclass(frozen=True, kw_only=True)
class WrittenPictures:
    """Two files: the samples, and one class number a sample."""

    samples: Path
    labels: Path


def written_pictures(
    inputs: Sequence[TensorSpec],
    folder: Path,
    labels: Path,
    settings: ImageSettings,
    *,
    scratch: Path,
    shown_as: Names,
) -> WrittenPictures:
    """Write a folder of pictures with its label file (name,class) for a model of one input.

    `shown_as` are the names that the user knows files by, where they are others.
    """
    import numpy as np

    from trt_core.store.images import read_label_file, write_images

    if len(inputs) != 1:
        raise InvalidData(f"The model has {len(inputs)} inputs.", remedy="Give the samples as .npz.")
    files, classes = read_label_file(labels, folder)
    found = WrittenPictures(samples=scratch / "images.npz", labels=scratch / "labels.npz")
    write_images(files, inputs[0], settings, found.samples, shown_as=shown_as)
    np.savez(found.labels, labels=np.asarray(classes, np.int64))
    return found


def staged_pictures(pictures: Mapping[str, BinaryIO], labels: bytes, scratch: Path) -> tuple[Path, Names]:
    """Write uploaded pictures and their label file under names of our own; the label file, and their names by ours."""
    from trt_core.store.images import stage_pictures

    staged = stage_pictures(pictures, labels, scratch)
    return staged.labels, staged.shown_as
