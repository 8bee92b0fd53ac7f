"""Parse a file and build an engine for the GPU of this machine."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from trt_core.backends.causes import cause_of
from trt_core.backends.names import lookup
from trt_core.backends.native_log import NativeLog
from trt_core.backends.networks import add_profile, parse_network
from trt_core.backends.phases import monitor_for
from trt_core.backends.polygraphy_gate import polygraphy_calls
from trt_core.backends.tensorrt.bindings import numpy_name
from trt_core.backends.tensorrt.build_log import read_log
from trt_core.backends.tensorrt.calibration_cache import read_cache
from trt_core.backends.tensorrt.calibration_notes import cache_notes, scale_findings
from trt_core.backends.tensorrt.calibrator import CalibrationFeed, calibrator_for, known_cache
from trt_core.backends.tensorrt.device import Gpu, this_gpu
from trt_core.backends.tensorrt.engines import deserialized
from trt_core.backends.tensorrt.inspection import inspect_engine
from trt_core.backends.tensorrt.kept_files import KeptFiles, keep, read_kept
from trt_core.backends.tensorrt.log_progress import LogProgress
from trt_core.backends.tensorrt.native import TITLE, library, load_plugins, logger, native_calls, version_of
from trt_core.backends.tensorrt.options import create_config, dla_answer
from trt_core.backends.tensorrt.timing_notes import timing_findings
from trt_core.backends.tensorrt.typing_rules import FileTypes, check_weak, types_of
from trt_core.backends.tensorrt.weak_network import hold_in_fp32, keep_nodes
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.jobs import Progress
from trt_core.domain.precision import Precision, TensorRange
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import BackendError, BuildFailed, UnsupportedRequest
from trt_core.protocols import CompileInput, CompileOutput, Reporter

_IMPLICIT = "implicit"


@dataclass(kw_only=True)
class _Work:
    """One build under way."""

    trt: Any
    request: CompileInput
    reporter: Reporter
    log: NativeLog
    gpu: Gpu
    kept: KeptFiles | None
    mark: Callable[[Any], None] | None
    types: FileTypes
    stack: ExitStack
    findings: list[Finding]
    calibration_cache: str = ""

    @property
    def is_weak(self) -> bool:
        """True where the library chooses precisions: always in 8.6, in 10 for implicit calibration and for a DLA."""
        options = self.request.options
        chooses = options.calibration == _IMPLICIT or options.dla_core is not None
        return version_of(self.trt)[0] < 10 or (chooses and version_of(self.trt)[0] < 11)


def build_engine(
    request: CompileInput,
    *,
    reporter: Reporter,
    kept: KeptFiles | None = None,
    plugins: Sequence[Path] = (),
    mark: Callable[[Any], None] | None = None,
) -> CompileOutput:
    """Build one file; see `TrtCompiler.build`. `mark` may change the network before it is built."""
    trt = library()
    load_plugins(plugins)
    reporter.check()
    reporter.progress(Progress(phase="Parsing", fraction=0.0))
    with native_calls(f"build {request.onnx_path.name}") as log, ExitStack() as stack:
        log.on_error = reporter.log
        work = _Work(
            trt=trt, request=request, reporter=reporter, log=log, gpu=this_gpu(), kept=kept,
            mark=mark, types=types_of(request.onnx_path), stack=stack, findings=[],
        )  # fmt: skip
        _check(work)
        try:
            with polygraphy_calls("describe the build", log):
                engine, parsed_s, built_s = _compile(work)
        except BackendError:
            reporter.log(log.text)
            raise
        said = log.text
        record = inspect_engine(deserialized(engine, request.onnx_path.name), log=said)
    gc.collect()  # networks and builders refer to each other: their GPU memory goes now, not some time
    return CompileOutput(
        engine=memoryview(engine),
        record=record,
        log=said,
        parse_seconds=parsed_s,
        build_seconds=built_s,
        backend_version=trt.__version__,
        findings=(*work.findings, *timing_findings(read_log(said).cache, said), *scale_findings(said)),
        calibration_cache=work.calibration_cache,
        ranges=_ranges(work.calibration_cache),
    )


def _check(work: _Work) -> None:
    """Refuse what this version cannot build, before it is tried."""
    implicit = work.request.options.calibration == _IMPLICIT
    version = version_of(work.trt)
    if implicit and version[0] >= 11:
        raise UnsupportedRequest(
            f"TensorRT {work.trt.__version__} has no implicit calibration: it was removed in version 11.",
            remedy="Quantize the model: the INT8 variant carries its ranges as Q/DQ pairs.",
        )
    if implicit and Precision.INT8 in work.types.precisions:
        raise UnsupportedRequest(
            "The file has Q/DQ pairs already, and TensorRT does not calibrate such a file.",
            remedy="Build it with explicit calibration, or build the FP32 variant.",
        )
    if implicit and work.request.calibration is None:
        raise UnsupportedRequest("Implicit calibration needs data.", remedy="Give an .npz with one array per input.")
    if version[0] < 10:
        check_weak(work.types.precisions, work.trt.__version__)


def _compile(work: _Work) -> tuple[Any, float, float]:
    """The engine's host memory, and the seconds of parse and build."""
    trt, request = work.trt, work.request
    started = time.perf_counter()
    builder = trt.Builder(logger())
    network = parse_network(trt, builder, request.onnx_path, work.log, flags=_network_flags(work))
    if work.mark is not None:
        work.mark(network)
    parsed = time.perf_counter()
    work.reporter.check()
    config = _configure(work, builder, network)
    profiles = [add_profile(builder, config, network, profile, title=TITLE) for profile in request.profiles]
    store_timings = _timing_cache(work, config)
    if request.options.dla_core is not None:
        work.findings.append(dla_answer(network, config))
    finish_calibration = _calibration(work, network, config, profiles) if request.calibration else None
    stopped_by = _watch(work, config)
    engine = builder.build_serialized_network(network, config)
    built = time.perf_counter()
    if (stopped := stopped_by()) is not None:
        raise stopped
    if finish_calibration is not None:
        finish_calibration(engine is not None)
    if engine is None:
        cause = cause_of(work.log.errors())
        raise BuildFailed(cause.sentence, remedy=cause.remedy, details=work.log.tail())
    store_timings()
    return engine, parsed - started, built - parsed


def _network_flags(work: _Work) -> int:
    names = lookup(work.trt, "NetworkDefinitionCreationFlag").__members__
    wanted = "EXPLICIT_BATCH" if work.is_weak else "STRONGLY_TYPED"
    return 1 << int(names[wanted]) if wanted in names else 0  # TensorRT 10 ignores the first, 11 has neither use


def _configure(work: _Work, builder: Any, network: Any) -> Any:
    request, precisions, constraints = work.request, set[Precision](), None
    if work.is_weak:
        precisions = _precisions(work)
        held = hold_in_fp32(work.trt, network, work.types.fp32_nodes)
        keep_nodes(work.trt, network, request.keep)
        constraints = "obey" if request.keep else "prefer" if held else None
    path = _timings(work)
    timings = work.stack.enter_context(path.open("rb")) if path is not None and path.is_file() else None
    config, notes = create_config(
        work.trt, builder, request.options, precisions=precisions, constraints=constraints, timings=timings
    )
    work.findings.extend(notes)
    return config


def _precisions(work: _Work) -> set[Precision]:
    """What a weakly typed library may choose from, beside FP32."""
    wanted = set(work.types.precisions)
    if work.request.options.calibration == _IMPLICIT:
        wanted.add(Precision.INT8)
    if Precision.INT8 in wanted:
        wanted.add(work.request.rest)
    return wanted


def _timings(work: _Work) -> Path | None:
    """The kept timings of this version and GPU, or None where the build shall not use them."""
    if work.kept is None or work.request.options.timing_cache == "off":
        return None
    return work.kept.timings(work.trt.__version__, work.gpu)


def _timing_cache(work: _Work, config: Any) -> Callable[[], None]:
    """See to it that there is a cache, and add timings brought along; what is returned keeps the grown ones."""
    path = _timings(work)
    if path is None or work.kept is None:
        return lambda: None
    before = read_kept(path)
    if config.get_timing_cache() is None:  # timings that the library refuses; Polygraphy does not look
        config.set_timing_cache(config.create_timing_cache(b""), False)
    if brought := work.request.options.timing_cache:
        _combine(work, config, config.get_timing_cache(), work.kept.brought(brought))

    def store() -> None:
        grown = bytes(config.get_timing_cache().serialize())
        if grown != before:
            keep(path, grown)

    return store


def _combine(work: _Work, config: Any, cache: Any, path: Path) -> None:
    """Add timings from elsewhere; the library takes only those of this version and kind of GPU."""
    other = config.create_timing_cache(read_kept(path))
    if other is None or not cache.combine(other, False):
        work.findings.append(
            Finding(
                rule="timing-cache-not-taken",
                severity=Severity.WARNING,
                message="The timing cache that was given is not of this TensorRT version and GPU: it was left out.",
                remedy="Give one that this machine, or one like it, wrote.",
            )
        )


def _calibration(work: _Work, network: Any, config: Any, profiles: Sequence[Any]) -> Callable[[bool], None]:
    """Give the builder its calibrator; what is returned keeps the cache, or raises what a callback met."""
    asked, version = work.request.calibration, work.trt.__version__
    assert asked is not None  # noqa: S101 - the caller looked
    path = work.kept.calibration(work.request.onnx_path, asked, version) if work.kept is not None else None
    known = known_cache(asked, version, read_kept(path).decode() if path else "")
    work.findings.extend(cache_notes(asked.cache, version))
    feed = None
    if not known:
        feed = CalibrationFeed(asked, _usual_inputs(work, network), work.reporter)
        work.stack.callback(feed.close)
    cache = Path(work.stack.enter_context(TemporaryDirectory())) / "calibration.cache"
    cache.write_text(known)
    calibrator = calibrator_for(work.trt, asked, feed, cache)
    config.int8_calibrator = calibrator
    if profiles:
        config.set_calibration_profile(profiles[0])

    def finish(succeeded: bool) -> None:
        if feed is not None:
            feed.check()
        work.calibration_cache = cache.read_text()
        if succeeded and path is not None and work.calibration_cache != known:
            keep(path, work.calibration_cache.encode())

    return finish


def _usual_inputs(work: _Work, network: Any) -> list[TensorSpec]:
    """The network's inputs at the usual shapes of the first profile: calibration runs at no other."""
    first = work.request.profiles[0] if work.request.profiles else None
    found = []
    for at in range(network.num_inputs):
        tensor = network.get_input(at)
        ranged = first.range_of(tensor.name) if first else None
        shape = ranged.opt if ranged else tuple(int(size) for size in tensor.shape)
        found.append(TensorSpec(name=tensor.name, dtype=numpy_name(tensor.dtype), shape=shape))
    return found


def _watch(work: _Work, config: Any) -> Callable[[], Exception | None]:
    """Report progress: through the library's monitor where it has one, else out of its log."""
    if hasattr(config, "progress_monitor"):
        monitor = monitor_for(work.trt, work.reporter)
        config.progress_monitor = monitor
        return lambda: monitor.stopped_by
    progress = LogProgress(work.reporter)
    work.log.on_record = progress.hear
    return lambda: progress.stopped_by


def _ranges(cache: str) -> tuple[TensorRange, ...]:
    return read_cache(cache).ranges if cache else ()
