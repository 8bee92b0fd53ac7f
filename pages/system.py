"""System: what this machine can do, what is missing, and the limits."""

from __future__ import annotations

import streamlit as st

from pages.ui.frame import frame, verdict
from pages.ui.machine import machine_cards, machine_sentence, show_backends, show_leases, show_limits, show_packages

with frame("System", page="system") as bench:
    machine = bench.machine.look()
    verdict(machine_sentence(machine))
    machine_cards(machine, bench.library.usage())
    backends, limits, packages = st.tabs(["Backends", "Limits and leases", "Packages"])
    with backends:
        show_backends(machine)
    with limits:
        show_limits(bench)
        show_leases(bench)
    with packages:
        show_packages(machine)
