"""The machine: backends and what each lacks, limits, leases, packages."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.frame import Metric, metrics
from pages.ui.tables import show_table
from pages.ui.theme import PRECISION_LABELS
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.jobs import JobState, Use
from trt_core.services.library import Usage
from trt_core.services.machine import Machine
from trt_core.settings import VARIABLES
from trt_core.workbench import Workbench

_TITLES = {"cuda": "CUDA"}
_INSTALLED_BY = {"tensorrt": "make run GPU=1, on a host with an NVIDIA GPU"}


def machine_sentence(machine: Machine) -> str:
    """What can be built and run here, and whether there is a GPU."""
    builds = [item.title for item in machine.backends if item.can_build]
    runs = [item.title for item in machine.backends if item.can_run]
    gpu = text.names(list(machine.gpus)) if machine.gpus else "no NVIDIA GPU"
    built = f"Engines are built by {text.plain(' and '.join(builds))}" if builds else "Nothing here builds engines"
    ran = f"models run in {text.plain(' and '.join(runs))}" if runs else "nothing runs models"
    return f"{built}; {ran}; there is {gpu}."


def machine_cards(machine: Machine, usage: Usage) -> None:
    """Processor, memory, disk and workspace."""
    metrics(
        [
            Metric(label="Cores", value=str(machine.cores), how=machine.processor),
            Metric(
                label="Memory free",
                value=text.mebibytes(machine.memory_free_bytes),
                how=f"Of {text.mebibytes(machine.memory_bytes)}, as the operating system counts it.",
            ),
            Metric(label="Disk free", value=text.mebibytes(machine.disk_free_bytes), how="Where the workspace lies."),
            Metric(
                label="Workspace",
                value=text.mebibytes(usage.used_bytes),
                how=f"It may grow to {text.mebibytes(usage.quota_bytes)}. Job logs and their list take "
                f"{text.mebibytes(usage.job_bytes)} of it.",
            ),
        ]
    )
    driver = f", driver {text.plain(machine.driver)}" if machine.driver else ""
    st.caption(f"{text.plain(machine.system)}, Python {text.plain(machine.python)}{driver}")


def show_backends(machine: Machine) -> None:
    """One card a backend: what it can do, and for the rest the reason and the line that helps."""
    for backend in machine.backends:
        with st.container(border=True):
            st.markdown("\n\n".join(_lines(backend)))


def _lines(backend: Capabilities) -> list[str]:
    lines = [
        f"**{text.plain(backend.title)}** {text.plain(backend.version or 'not installed')}",
        " ".join(_ability(word, able) for word, able in _abilities(backend)),
    ]
    if backend.targets:
        lines.append(":small[Targets: " + ", ".join(str(target) for target in backend.targets) + "]")
    if backend.precisions:
        lines.append(":small[Precisions: " + ", ".join(PRECISION_LABELS[item] for item in backend.precisions) + "]")
    missing = ((_TITLES.get(ability, ability.capitalize()), reason) for ability, reason in backend.missing)
    return lines + [f"**{text.plain(title)}:** {text.plain(reason)}" for title, reason in missing]


def _abilities(backend: Capabilities) -> tuple[tuple[str, bool], ...]:
    return (("parses", backend.can_parse), ("builds", backend.can_build), ("runs", backend.can_run))


def _ability(word: str, able: bool) -> str:
    return f":green-badge[✓ {word}]" if able else f":gray-badge[✕ {word}]"


def show_limits(bench: Workbench) -> None:
    """Each setting with its value now and the variable that changes it."""
    settings = bench.settings
    values = {
        "ENGINESCOPE_WORKSPACE": str(settings.workspace),
        "ENGINESCOPE_MODEL_ROOTS": ", ".join(str(root) for root in settings.model_roots) or "none",
        "ENGINESCOPE_MAX_WORKERS": str(settings.max_workers),
        "ENGINESCOPE_JOB_MEMORY_MB": str(settings.job_memory_mb),
        "ENGINESCOPE_QUOTA_MB": str(settings.quota_mb),
        "ENGINESCOPE_UPLOAD_MB": str(settings.upload_mb),
        "ENGINESCOPE_JOBS_KEPT": str(settings.jobs_kept),
        "ENGINESCOPE_JOB_DAYS": str(settings.job_days),
        "ENGINESCOPE_JOB_LOGS_MB": str(settings.job_logs_mb),
        "ENGINESCOPE_METRICS": str(settings.metrics) if settings.metrics else "none",
        "ENGINESCOPE_FOREIGN_ENGINES": "yes" if settings.foreign_engines else "no",
        "ENGINESCOPE_TENSORRT_PLUGINS": ", ".join(str(path) for path in settings.tensorrt_plugins) or "none",
        "ENGINESCOPE_TORCH_PROGRAMS": str(settings.torch_programs) if settings.torch_programs else "none",
    }
    rows = [{"Variable": name, "Value": values[name], "Meaning": meaning} for name, meaning in VARIABLES.items()]
    show_table(rows, key="system.limits", filename="limits.csv")
    st.caption("Limits are read when the server starts: set the variable, then start it again.")
    st.caption("Builds and comparisons run at a lower priority, so that the pages answer; a measurement does not.")


def show_leases(bench: Workbench) -> None:
    """Who measures alone on which device at the moment."""
    st.markdown("**Measurement leases**")
    active = bench.jobs.jobs(active=True)
    holders = [job for job in active if job.use is Use.EXCLUSIVE and job.state is JobState.RUNNING]
    waiting = [job for job in active if job.use is Use.EXCLUSIVE and job.state is JobState.QUEUED]
    if not holders and not waiting:
        st.caption("No device is leased: no measurement runs or waits. A measurement has its device alone.")
    for job in (*holders, *waiting):
        verb = "has" if job in holders else "waits for"
        st.markdown(f"{text.plain(job.title, 120)} {verb} {text.code(job.device)}")


def show_packages(machine: Machine) -> None:
    """Installed versions of what the flow stands on."""
    rows = [
        {
            "Package": name,
            "Version": version or "not installed",
            "Installed by": _INSTALLED_BY.get(name, "pip install -r requirements.txt"),
        }
        for name, version in machine.packages
    ]
    show_table(rows, key="system.packages", filename="packages.csv")
