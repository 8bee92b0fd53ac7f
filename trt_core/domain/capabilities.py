"""What a backend can do on this machine."""

from __future__ import annotations

from dataclasses import dataclass

from trt_core.domain.engine import Sm
from trt_core.domain.precision import Precision


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """The answer of one backend. `missing` says, for each thing it cannot do here, why and what installs it."""

    backend: str
    title: str
    version: str = ""
    can_parse: bool = False
    can_build: bool = False
    can_run: bool = False
    targets: tuple[Sm, ...] = ()
    default_target: Sm | None = None  # taken where nobody asks for another; None: the GPU of this machine
    precisions: tuple[Precision, ...] = ()
    has_progress: bool = False
    has_implicit_calibration: bool = False
    is_weakly_typed: bool = False  # flags allow precisions, and the library chooses; Q/DQ files stay FP32 around them
    has_timing_cache: bool = False
    has_optimization_level: bool = False
    has_version_compatibility: bool = False
    has_hardware_compatibility: bool = False
    needs_open_recurrent_batch: bool = False  # compiles GRU and LSTM without end where their batch is exactly 1
    has_sparsity: bool = False
    has_refit: bool = False
    memory_pools: tuple[str, ...] = ()  # of `MEMORY_POOLS`, those that mean something here
    tactic_sources: tuple[str, ...] = ()  # whose libraries are there
    dla_cores: int = 0
    plugins: tuple[str, ...] = ()  # file names of the plugin libraries that the server's configuration names
    missing: tuple[tuple[str, str], ...] = ()  # (ability, reason and remedy)

    def why_not(self, ability: str) -> str:
        """Reason and remedy for a missing ability, empty when it is there."""
        return dict(self.missing).get(ability, "")
