"""Named places: Triton's releases and GPUs, from tables with their sources."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from trt_core.domain.engine import Sm, sm_from_text
from trt_core.domain.passport import Passport, Target
from trt_core.errors import InvalidInput, NotFound

_DATA = Path(__file__).with_name("data")
_VERSION = re.compile(r"\d{1,2}\.\d{1,2}(\.\d{1,3}){0,2}")
_NOISE = re.compile(r"^((nvidia|geforce|tesla)\s+)+|\s+(laptop )?gpu$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class TritonRelease:
    """One image of Triton and what is in it; the last two fields name the sources of the two versions."""

    release: str
    tensorrt: str
    cuda: str
    driver: str
    tensorrt_from: str
    cuda_from: str

    @property
    def image(self) -> str:
        """The pinned image."""
        return str(_table("triton.json")["image"]).format(release=self.release)

    @property
    def source(self) -> str:
        """Where its TensorRT version was read."""
        return str(_table("triton.json")["sources"][self.tensorrt_from]["what"])


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """A GPU by name; `kind` is datacenter, desktop or jetson."""

    name: str
    sm: Sm
    kind: str


@cache
def _table(name: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((_DATA / name).read_text())
    return table


def triton_releases() -> tuple[TritonRelease, ...]:
    """All releases that the table knows, oldest first."""
    return tuple(TritonRelease(**row) for row in _table("triton.json")["releases"])


def gpus() -> tuple[Gpu, ...]:
    """All GPUs that the table knows."""
    return tuple(
        Gpu(name=row["name"], sm=sm_from_text(str(row["sm"])), kind=row["kind"]) for row in _table("gpus.json")["gpus"]
    )


def is_jetson(sm: Sm) -> bool:
    """Whether that architecture is a Jetson module's: TensorRT is another build there, and its engines stay there."""
    return any(item.sm == sm for item in gpus() if item.kind == "jetson")


def sources() -> tuple[str, ...]:
    """Addresses of what the tables were read from."""
    triton = (item["url"] for item in _table("triton.json")["sources"].values())
    return (*triton, *_table("gpus.json")["sources"])


def triton_release(text: str) -> TritonRelease:
    """The release of that name (`24.12`, or an image's tag); NotFound when the table has none."""
    wanted = text.strip().rpartition(":")[2].removesuffix("-py3")
    known = triton_releases()
    found = next((item for item in known if item.release == wanted), None)
    if found is None:
        raise NotFound(
            f"There is no Triton release {text!r} in the table.",
            remedy=f"It knows {known[0].release} to {known[-1].release}; name one of them.",
        )
    return found


def gpu(text: str) -> Gpu:
    """The GPU of that name (`A100`, `NVIDIA L4`, `RTX 4090`), or an architecture (`sm86`); NotFound otherwise.

    Names as the driver prints them have more words (`NVIDIA A100-SXM4-80GB`): the longest known name that begins them
    is taken.
    """
    plain = _plain(text)
    best = max(
        (item for item in gpus() if plain == _plain(item.name) or plain.startswith(f"{_plain(item.name)} ")),
        key=lambda item: len(item.name),
        default=None,
    )
    if best is not None:
        return best
    try:
        sm = sm_from_text(text)
    except InvalidInput:
        names = ", ".join(item.name for item in gpus() if item.kind == "datacenter")
        raise NotFound(
            f"GPU {text[:60]!r} is not in the table.", remedy=f"Name one of {names}, or an architecture such as sm86."
        ) from None
    if sm not in {item.sm for item in gpus()}:
        raise NotFound(f"No GPU has the architecture {sm}.", remedy="See https://developer.nvidia.com/cuda-gpus.")
    return Gpu(name=str(sm), sm=sm, kind="datacenter")


def _plain(name: str) -> str:
    return re.sub(r"[\s\-_]+", " ", _NOISE.sub("", name.strip())).lower()


def releases_for(tensorrt: str) -> tuple[TritonRelease, ...]:
    """The releases whose TensorRT is that one, as far as the version is given, up to the patch; oldest first."""
    wanted = release_of(tensorrt)
    return tuple(item for item in triton_releases() if release_of(item.tensorrt)[: len(wanted)] == wanted)


def release_of(version: str) -> tuple[int, ...]:
    """Major, minor and patch of a version; InvalidInput for a text that is none."""
    if not _VERSION.fullmatch(version):
        raise InvalidInput(f"{version[:40]!r} is not a TensorRT version.", remedy="Write it as 10.7 or 8.6.1.")
    return tuple(int(part) for part in version.split("."))[:3]


def named_target(*, triton: str = "", tensorrt: str = "", gpu_name: str = "", runtime: str = "tensorrt") -> Target:
    """The place that these words name; NotFound or InvalidInput for an unknown one."""
    found = gpu(gpu_name) if gpu_name else None
    where = f" on {found.name}" if found else ""
    sm = found.sm if found else None
    label = found.name if found else ""
    if triton:
        release = triton_release(triton)
        if tensorrt and release_of(tensorrt)[:2] != release_of(release.tensorrt)[:2]:
            raise InvalidInput(
                f"Triton {release.release} has TensorRT {release.tensorrt}, not {tensorrt}.",
                remedy="Name the release or the version, not both.",
            )
        return Target(
            name=f"Triton {release.release}{where}",
            tensorrt=release.tensorrt,
            sm=sm,
            gpu=label,
            cuda=release.cuda,
            driver=release.driver,
            triton=release.release,
            image=release.image,
        )
    if tensorrt:
        release_of(tensorrt)
    library = "TensorRT-RTX" if runtime == "rtx" else "TensorRT"
    name = f"{library} {tensorrt}".strip() + where
    return Target(name=name, runtime=runtime, tensorrt=tensorrt, sm=sm, gpu=label)


def with_image(target: Target) -> Target:
    """A place that is a version, with the newest Triton that has it, so that there is something to pin."""
    fitting = releases_for(target.tensorrt)
    if not fitting:
        known = ", ".join(dict.fromkeys(item.tensorrt for item in triton_releases()))
        raise InvalidInput(
            f"No Triton release in the table has TensorRT {target.tensorrt}.", remedy=f"The table knows {known}."
        )
    best = fitting[-1]
    return replace(
        target, tensorrt=best.tensorrt, triton=best.release, image=best.image, cuda=best.cuda, driver=best.driver
    )


def home_of(passport: Passport) -> Target:
    """Where an engine belongs when nobody names a place: the newest Triton with its TensorRT, and its own GPU.

    Where no Triton has that version, the newest of the same major one: what the build used is still there.
    """
    sm = passport.targets[0] if passport.targets else None
    where = passport.gpu or (str(sm) if sm else "an unknown GPU")
    fitting = releases_for(passport.tensorrt) if passport.backend == "tensorrt" and passport.tensorrt else ()
    major = release_of(passport.tensorrt)[:1] if passport.backend == "tensorrt" and passport.tensorrt else ()
    alike = [item for item in triton_releases() if release_of(item.tensorrt)[:1] == major]
    best = (fitting or alike or triton_releases())[-1]
    return Target(
        name=f"Triton {best.release} on {where}",
        tensorrt=best.tensorrt,
        sm=sm,
        gpu=passport.gpu,
        cuda=best.cuda,
        driver=best.driver,
        triton=best.release,
        image=best.image,
    )
