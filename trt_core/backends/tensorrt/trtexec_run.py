"""Under which conditions a trtexec run was made: its command line where the log has it, else its version's defaults.

The defaults changed with TensorRT 11: CUDA graph and spin-wait on, transfers off, layers always profiled in a run of
their own. Up to 10 it is the other way round. (trtexec's README and sampleOptions.cpp of both.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from trt_core.backends.tensorrt.calibration_cache import release_text
from trt_core.domain.recordings import RunConditions

_HEADER = re.compile(r"&&&& \w+ TensorRT\.trtexec \[TensorRT v(?P<number>\d{4,6})\][^#\n]*#(?P<line>[^\n]{0,4000})")
_VERSION = re.compile(r"^\s*v?(?P<major>\d{1,2})(?:\.|$)")
_SWITCHES = (
    ("cuda_graph", "--useCudaGraph", "--noCudaGraph"),
    ("transfers", "--includeDataTransfers", "--noDataTransfers"),
    ("spin_wait", "--useSpinWait", "--noSpinWait"),
)

_OPTIONS = (
    ("cuda_graph", "CUDA Graph"),
    ("transfers", "Data transfers"),
    ("spin_wait", "Spin-wait"),
    ("separate_profile", "Separate profiling"),
)


def run_conditions(log: str, *, version: str, is_trtexec: bool, h2d_ms: Sequence[float] = ()) -> RunConditions | None:
    """The conditions of a run; None for one that is not trtexec's, or whose version nobody says.

    `h2d_ms` are exported times of copies to the device: they tell for certain whether there were any.
    """
    header = _HEADER.search(log[: 1 << 16])
    said = release_text(header["number"]) if header else version
    major = _major(said)
    if major is None or not (is_trtexec or header):
        return None
    found = _defaults(said, major)
    if header:
        found = _with_switches(found, header["line"].split())
    if h2d_ms:
        copied = max(h2d_ms) > 0
        if copied is not found.transfers:
            found = replace(found, transfers=copied, source=f"{found.source}; copies as the exported times have them")
    return found


def option_conditions(options: Mapping[str, str], *, version: str = "") -> RunConditions | None:
    """The conditions out of trtexec's printed inference options; None where they do not say enough."""
    said = {name: options[title].lower().startswith("enabled") for name, title in _OPTIONS if title in options}
    if len(said) < len(_OPTIONS):
        return None
    streams = options.get("Streams", "1")
    return RunConditions(
        version=version,
        **said,
        source="the options that trtexec printed",
        streams=int(streams) if streams.isdecimal() and len(streams) < 4 else 1,
    )


def _major(version: str) -> int | None:
    found = _VERSION.match(version)
    return int(found["major"]) if found else None


def _defaults(version: str, major: int) -> RunConditions:
    new = major >= 11
    return RunConditions(
        version=version,
        cuda_graph=new,
        transfers=not new,
        spin_wait=new,
        separate_profile=new,
        source=f"the defaults of trtexec {major}, because no command line was found",
    )


def _with_switches(found: RunConditions, words: Sequence[str]) -> RunConditions:
    given = {word.partition("=")[0] for word in words}
    chosen = {name: on in given for name, on, off in _SWITCHES if on in given or off in given}
    streams = next((word.partition("=")[2] for word in words if word.startswith(("--infStreams=", "--streams="))), "1")
    return replace(
        found,
        cuda_graph=chosen.get("cuda_graph", found.cuda_graph),
        transfers=chosen.get("transfers", found.transfers),
        spin_wait=chosen.get("spin_wait", found.spin_wait),
        separate_profile=found.separate_profile or "--separateProfileRun" in given,
        streams=int(streams) if streams.isdecimal() and len(streams) < 4 else 1,
        source="the command line in its log",
    )
