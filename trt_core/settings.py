"""What an operator decides, read once from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trt_core.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Limits and folders. Every field has an environment variable, named in `VARIABLES`."""

    workspace: Path
    model_roots: tuple[Path, ...] = ()  # server folders whose models may be picked without an upload
    max_workers: int = 2
    job_memory_mb: int = 12_288
    quota_mb: int = 20_480
    upload_mb: int = 512
    jobs_kept: int = 500
    job_days: int = 90
    job_logs_mb: int = 512
    metrics: Path | None = None  # folder with metrics of the operator's own, as Python files
    torch_programs: Path | None = None  # folder with exported PyTorch programs of the operator's: they may hold code
    tensorrt_plugins: tuple[Path, ...] = ()  # plugin libraries that TensorRT loads: native code of the operator's
    foreign_engines: bool = False  # deserialize engines that came from elsewhere: they may hold host code
    samples: Path = Path(__file__).parents[1] / "samples"


VARIABLES: dict[str, str] = {
    "ENGINESCOPE_WORKSPACE": "folder for models, engines and runs (default ./workspace)",
    "ENGINESCOPE_MODEL_ROOTS": "folders on the server whose models may be picked, separated as in PATH",
    "ENGINESCOPE_MAX_WORKERS": "jobs at once (default 2)",
    "ENGINESCOPE_JOB_MEMORY_MB": "memory that one job may use (default 12288)",
    "ENGINESCOPE_QUOTA_MB": "disk that the workspace may use (default 20480)",
    "ENGINESCOPE_UPLOAD_MB": "largest upload after unpacking (default 512)",
    "ENGINESCOPE_JOBS_KEPT": "ended jobs that stay in the list, with their logs (default 500)",
    "ENGINESCOPE_JOB_DAYS": "days after which an ended job and its log are let go (default 90)",
    "ENGINESCOPE_JOB_LOGS_MB": "disk for all job logs; the oldest go first (default 512)",
    "ENGINESCOPE_METRICS": "folder of Python files that hold metrics of your own; their code is run",
    "ENGINESCOPE_TORCH_PROGRAMS": "folder of exported PyTorch programs (.pt2) to measure; they may hold code",
    "ENGINESCOPE_FOREIGN_ENGINES": "yes lets engines of imported projects be deserialized (default no)",
    "ENGINESCOPE_TENSORRT_PLUGINS": "TensorRT plugin libraries on the server, or folders of them, separated as in PATH",
}


def settings_from(environment: Mapping[str, str] | None = None, *, workspace: Path | None = None) -> Settings:
    """Settings from the environment; `workspace` given by hand wins.

    Raises InvalidInput for a number that is none, or not above zero.
    """
    env = os.environ if environment is None else environment
    return Settings(
        workspace=(workspace or Path(env.get("ENGINESCOPE_WORKSPACE") or "workspace")).resolve(),
        model_roots=_paths(env, "ENGINESCOPE_MODEL_ROOTS"),
        tensorrt_plugins=_paths(env, "ENGINESCOPE_TENSORRT_PLUGINS"),
        max_workers=_number(env, "ENGINESCOPE_MAX_WORKERS", 2),
        job_memory_mb=_number(env, "ENGINESCOPE_JOB_MEMORY_MB", 12_288),
        quota_mb=_number(env, "ENGINESCOPE_QUOTA_MB", 20_480),
        upload_mb=_number(env, "ENGINESCOPE_UPLOAD_MB", 512),
        jobs_kept=_number(env, "ENGINESCOPE_JOBS_KEPT", 500),
        job_days=_number(env, "ENGINESCOPE_JOB_DAYS", 90),
        job_logs_mb=_number(env, "ENGINESCOPE_JOB_LOGS_MB", 512),
        foreign_engines=env.get("ENGINESCOPE_FOREIGN_ENGINES", "").lower() in ("yes", "1", "true"),
        metrics=_folder(env, "ENGINESCOPE_METRICS"),
        torch_programs=_folder(env, "ENGINESCOPE_TORCH_PROGRAMS"),
    )


def _folder(env: Mapping[str, str], name: str) -> Path | None:
    return Path(env[name]).resolve() if env.get(name) else None


def _paths(env: Mapping[str, str], name: str) -> tuple[Path, ...]:
    return tuple(Path(part).resolve() for part in env.get(name, "").split(os.pathsep) if part)


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise InvalidInput(f"{name} is {text!r}.", remedy="Set it to a whole number above zero.")
    return int(text)
