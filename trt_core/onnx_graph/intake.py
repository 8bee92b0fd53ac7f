"""Files from outside, brought into a folder of ours: uploads, archives, and files under configured folders."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from trt_core.errors import InvalidInput, NotFound, QuotaExceeded, UnreadableModel
from trt_core.onnx_graph.archive import open_archive
from trt_core.onnx_graph.external import checked_file, locations
from trt_core.onnx_graph.load import joined_sha256, parse_model
from trt_core.onnx_graph.streams import IntakeLimits, copy_stream
from trt_core.onnx_graph.tensors import shown

if TYPE_CHECKING:
    import onnx  # noqa: TC004 - a dataclass keeps its annotations as text

__all__ = ["IntakeLimits", "StagedModel", "stage_file", "stage_upload"]

_NAME_CHARACTERS = 120


@dataclass(frozen=True, kw_only=True)
class StagedModel:
    """A model inside a folder of ours. `files` are relative to `folder`, the .onnx file first, then its external data.

    `name` is the file's own name without its suffix, for display only. `sums` are each file's sha256 by relative name,
    computed beside the caller: `hashes` and `sha256`, which covers all files, wait for them. `model` is the parsed
    file, its external data neither read nor checked: parsing copies the weights, so that it is done once.
    """

    folder: Path
    files: tuple[Path, ...]
    name: str
    size_bytes: int
    sums: Mapping[str, Future[str]]
    model: onnx.ModelProto

    @property
    def hashes(self) -> dict[str, str]:
        """The sha256 of each file, by relative name."""
        return {item: digest.result() for item, digest in self.sums.items()}

    @property
    def sha256(self) -> str:
        """The identity of the whole."""
        return joined_sha256(self.hashes)

    @property
    def path(self) -> Path:
        """The .onnx file."""
        return self.folder / self.files[0]


def stage_upload(
    files: Mapping[str, IO[bytes] | Path], folder: Path, *, limits: IntakeLimits | None = None
) -> StagedModel:
    """Stream one .onnx file with its external data, or one .zip that holds them, into `folder`.

    Only the model and the files that it names are kept. Raises UnreadableModel (not exactly one model, data missing or
    not named by the model, an archive that is broken, a bomb, or points outside), InvalidInput (above the limits) and
    QuotaExceeded (disk full); then everything that was written is gone again.
    """
    limits = limits or IntakeLimits()
    if not files:
        raise UnreadableModel("No file was uploaded.", remedy="Upload an .onnx file or a .zip that holds one.")
    archives = [name for name in files if name.lower().endswith(".zip")]
    if archives and len(files) > 1:
        raise UnreadableModel(
            f"{shown(archives[0])} came together with {len(files) - 1} more files.", remedy="Upload the archive alone."
        )
    with _cleaned_on_failure(folder) as written:
        if archives:
            return _stage_archive(files[archives[0]], archives[0], folder, limits, written)
        return _stage_streams(files, folder, limits, written)


def stage_file(path: Path, roots: Sequence[Path], folder: Path, *, limits: IntakeLimits | None = None) -> StagedModel:
    """Copy a model under one of the configured folders, with its external data, into `folder`.

    A copy, not a hard link: an exporter that writes to the same path again would change what was stored, and the
    loaders of onnx and ONNX Runtime refuse external data that have a second link. Raises NotFound for a path that is
    missing or outside every root, else as `stage_upload`.
    """
    limits = limits or IntakeLimits()
    source = _below_roots(path, roots)
    if source.suffix.lower() == ".zip":
        return stage_upload({source.name: source}, folder, limits=limits)
    if source.suffix.lower() != ".onnx":
        raise UnreadableModel(f"{shown(source.name)} is no .onnx file.", remedy="Choose an .onnx or .zip file.")
    with _cleaned_on_failure(folder) as written:
        spent = _Spent(limits)
        hashes = {"model.onnx": spent.copy(source, folder / "model.onnx", written)}
        model = parse_model(folder / "model.onnx", shown_as=source.name)
        for name in locations(model):
            hashes[name] = spent.copy(checked_file(source.parent, name), folder / name, written)
        return _staged(folder, hashes, source.name, spent.size, model)


def _stage_streams(
    files: Mapping[str, IO[bytes] | Path], folder: Path, limits: IntakeLimits, written: list[Path]
) -> StagedModel:
    model_name = _only_model(list(files), "upload")
    spent = _Spent(limits)
    hashes = {"model.onnx": spent.copy(files[model_name], folder / "model.onnx", written)}
    model = parse_model(folder / "model.onnx", shown_as=model_name)
    wanted = locations(model)
    others = {name: source for name, source in files.items() if name != model_name}
    matched = {name: _match(name, others) for name in wanted}
    spare = sorted(set(others) - set(matched.values()))
    if spare:
        raise UnreadableModel(
            f"The model does not name {shown(spare[0])}; it names {_listed(wanted)}.",
            remedy="Give the data file the name under which it was exported, or leave it out.",
        )
    for name in wanted:
        hashes[name] = spent.copy(others[matched[name]], folder / name, written)
    return _staged(folder, hashes, model_name, spent.size, model)


def _stage_archive(
    source: IO[bytes] | Path, archive_name: str, folder: Path, limits: IntakeLimits, written: list[Path]
) -> StagedModel:
    with open_archive(source, archive_name, limits) as archive:
        model_name = _only_model(archive.names, "archive")
        spent = _Spent(limits, compressed=archive.compressed_size)
        with archive.open(model_name) as stream:
            hashes = {"model.onnx": spent.copy(stream, folder / "model.onnx", written)}
        below = PurePosixPath(model_name).parent
        model = parse_model(folder / "model.onnx", shown_as=model_name)
        for name in locations(model):
            member = (below / name).as_posix()
            if member not in archive.names:
                raise _missing(name, [item for item in archive.names if item != model_name])
            with archive.open(member) as stream:
                hashes[name] = spent.copy(stream, folder / name, written)
    return _staged(folder, hashes, model_name, spent.size, model)


class _Spent:
    """What one intake has written so far, held against the limits."""

    def __init__(self, limits: IntakeLimits, *, compressed: int | None = None) -> None:
        self._limits = limits
        self._compressed = compressed
        self.size = 0

    def copy(self, source: IO[bytes] | Path, target: Path, written: list[Path]) -> Future[str]:
        """Stream a source into a new file; its SHA-256."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            raise UnreadableModel(
                f"The model keeps its data at {shown(target.name)}, where another of its files lies.",
                remedy="Save the weights under a name of their own.",
            )
        written.append(target)
        size, digest = copy_stream(source, target, self._limits, spent=self.size, compressed=self._compressed)
        self.size += size
        return digest


def _staged(folder: Path, sums: dict[str, Future[str]], name: str, size: int, model: onnx.ModelProto) -> StagedModel:
    return StagedModel(
        folder=folder,
        files=tuple(Path(item) for item in sums),
        name=PurePosixPath(name.replace("\\", "/")).stem[:_NAME_CHARACTERS] or "model",
        size_bytes=size,
        sums=sums,
        model=model,
    )


def _only_model(names: Sequence[str], what: str) -> str:
    models = [name for name in names if name.lower().endswith(".onnx")]
    if len(models) == 1:
        return models[0]
    if not models:
        raise UnreadableModel(
            f"The {what} holds no .onnx file, only {_listed(names)}.", remedy="Upload an .onnx file or a .zip with one."
        )
    raise UnreadableModel(
        f"The {what} holds {len(models)} .onnx files: {_listed(models)}.", remedy="Upload one model at a time."
    )


def _match(location: str, others: Mapping[str, object]) -> str:
    """The uploaded name for a location; browsers send names without folders."""
    for candidate in (location, PurePosixPath(location).name):
        if candidate in others:
            return candidate
    raise _missing(location, list(others))


def _missing(location: str, given: Sequence[str]) -> UnreadableModel:
    return UnreadableModel(
        f"The external data file {shown(location)} is missing; given were {_listed(given)}.",
        remedy="Upload it together with the model, under that name.",
    )


def _listed(names: Sequence[str]) -> str:
    text = ", ".join(shown(name) for name in names[:5]) or "none"
    return f"{text} and {len(names) - 5} more" if len(names) > 5 else text


def _below_roots(path: Path, roots: Sequence[Path]) -> Path:
    """The real path, if it lies below the real path of a root and is a regular file."""
    try:
        real = path.resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        raise NotFound(f"There is no file {shown(str(path))}.", remedy="Choose a file from the list.") from None
    if not any(real.is_relative_to(root.resolve()) for root in roots):
        raise NotFound(
            f"{shown(str(path))} is outside the configured folders.",
            remedy="Move the file below one of them, or configure its folder.",
        )
    if not real.is_file():
        raise NotFound(f"{shown(str(path))} is not a file.", remedy="Choose an .onnx or .zip file.")
    return real


@contextmanager
def _cleaned_on_failure(folder: Path) -> Iterator[list[Path]]:
    """Remove what was written, and the folder if it was made here, when the block fails."""
    made = not folder.exists()
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield written
    except BaseException as error:
        _remove(folder, written, whole=made)
        if isinstance(error, OSError):
            raise _translated(error) from error
        raise


def _remove(folder: Path, written: Sequence[Path], *, whole: bool) -> None:
    if whole:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in reversed(written):
        path.unlink(missing_ok=True)
        _remove_empty(path.parent, folder)


def _remove_empty(inner: Path, folder: Path) -> None:
    while inner != folder:
        try:
            inner.rmdir()
        except OSError:
            return
        inner = inner.parent


def _translated(error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return QuotaExceeded("The disk is full: the model was not stored.", remedy="Delete something, then try again.")
    return InvalidInput(
        f"The upload cannot be read or written: {error.strerror or type(error).__name__}.", remedy="Try again."
    )
