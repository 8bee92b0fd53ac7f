"""System: what this machine can do, what is missing, and the limits."""

from __future__ import annotations

from pages.ui.frame import frame, verdict
from pages.ui.machine import machine_cards, machine_sentence, show_backends, show_leases, show_limits, show_packages
from pages.ui.tabs import show_tabs
from trt_core.workbench import Workbench


def _limits(bench: Workbench) -> None:
    show_limits(bench)
    show_leases(bench)


with frame("System", page="system") as bench:
    machine = bench.machine.look()
    verdict(machine_sentence(machine))
    machine_cards(machine, bench.library.usage())
    show_tabs(
        {
            "Backends": lambda: show_backends(machine),
            "Limits and leases": lambda: _limits(bench),
            "Packages": lambda: show_packages(machine),
        },
        key="system.tab",
    )
