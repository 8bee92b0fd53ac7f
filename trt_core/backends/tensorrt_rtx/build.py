"""Parse a file and compile it ahead of time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from trt_core.backends.causes import cause_of, known_cause, one_sentence, parser_reason
from trt_core.backends.names import lookup
from trt_core.backends.tensorrt_rtx.native import NativeLog, library, logger, native_calls
from trt_core.backends.tensorrt_rtx.options import check_options
from trt_core.backends.tensorrt_rtx.parser_errors import NativeParserError, parser_errors
from trt_core.backends.tensorrt_rtx.progress import monitor_for
from trt_core.backends.tensorrt_rtx.records import engine_record_from_log
from trt_core.backends.tensorrt_rtx.targets import enum_of_target, resolve_target
from trt_core.domain.jobs import Progress
from trt_core.domain.profiles import OptimizationProfile
from trt_core.errors import BackendError, BuildFailed, InvalidProfile, ParseFailed, UnsupportedRequest
from trt_core.protocols import CompileInput, CompileOutput, Reporter


def build_engine(request: CompileInput, *, reporter: Reporter) -> CompileOutput:
    """Compile one file; see `RtxCompiler.build`."""
    findings = check_options(request.options)
    trt = library()
    target = enum_of_target(resolve_target(request.target, trt), trt)
    reporter.check()
    reporter.progress(Progress(phase="Parsing", fraction=0.0))
    with native_calls(f"build {request.onnx_path.name}") as log:
        try:
            engine, parsed_s, built_s = _compile(trt, request, target, log, reporter)
        except BackendError:
            reporter.log(log.text)
            raise
    text = log.text
    return CompileOutput(
        engine=memoryview(engine),  # holds the library's host memory alive; nothing is copied
        record=engine_record_from_log(text),
        log=text,
        parse_seconds=parsed_s,
        build_seconds=built_s,
        backend_version=trt.__version__,
        findings=findings,
    )


def _compile(
    trt: Any, request: CompileInput, target: Any, log: NativeLog, reporter: Reporter
) -> tuple[Any, float, float]:
    """The engine's host memory, and the seconds of parse and build."""
    started = time.perf_counter()
    builder = trt.Builder(logger())
    network = _parse(trt, builder, request.onnx_path, log)
    parsed = time.perf_counter()
    reporter.check()
    config = _configure(trt, builder, request, target)
    monitor = monitor_for(reporter)
    config.progress_monitor = monitor
    engine = builder.build_serialized_network(network, config)
    built = time.perf_counter()
    if monitor.stopped_by is not None:
        raise monitor.stopped_by
    if engine is None:
        cause = cause_of(log.errors())
        raise BuildFailed(cause.sentence, remedy=cause.remedy, details=log.tail())
    return engine, parsed - started, built - parsed


def _parse(trt: Any, builder: Any, path: Path, log: NativeLog) -> Any:
    network = builder.create_network(0)  # the only kind there is: explicit batch, strongly typed
    parser = trt.OnnxParser(network, logger())
    if not parser.parse_from_file(str(path.resolve())):
        raise _parse_failed(parser_errors(parser), path, log)
    if not network.num_layers:
        raise ParseFailed(
            f"{path.name} has no nodes to build.", remedy="Choose a file with a graph.", details=log.tail()
        )
    return network


def _parse_failed(found: list[NativeParserError], path: Path, log: NativeLog) -> ParseFailed:
    where = found[0].where if found else path.name
    known = known_cause(found[0].text) if found else None
    if known:
        return ParseFailed(f"{where}: {known.sentence}", remedy=known.remedy, details=log.tail())
    said = [parser_reason(error.text) for error in found[:1]] or [one_sentence(text) for text in log.errors()[:1]]
    reason = next(filter(None, said), "the parser refuses it and says no more.")
    remedy = "Ask for layer support: it says of every node what can be done."
    return ParseFailed(f"{where}: {reason}", remedy=remedy, details=log.tail())


def _configure(trt: Any, builder: Any, request: CompileInput, target: Any) -> Any:
    config = builder.create_builder_config()
    # Only this verbosity makes the compiler write down its layers.
    config.profiling_verbosity = lookup(trt, "ProfilingVerbosity.DETAILED")
    tf32 = lookup(trt, "BuilderFlag.TF32")
    if request.options.tf32:
        config.set_flag(tf32)
    else:
        config.clear_flag(tf32)  # the library sets it by default
    if request.options.workspace_mb is not None:
        _limit_workspace(trt, config, request.options.workspace_mb)
    config.num_compute_capabilities = 1
    if not config.set_compute_capability(target, 0):
        raise UnsupportedRequest(f"TensorRT-RTX refused the target {target.name}.", remedy="Choose another target.")
    for profile in request.profiles:
        add_profile(builder, config, profile)
    return config


def _limit_workspace(trt: Any, config: Any, workspace_mb: int) -> None:
    pool, size_bytes = lookup(trt, "MemoryPoolType.WORKSPACE"), workspace_mb << 20
    config.set_memory_pool_limit(pool, size_bytes)
    if config.get_memory_pool_limit(pool) != size_bytes:  # a setter that refuses only writes to the log
        raise UnsupportedRequest(
            f"TensorRT-RTX refused a workspace of {workspace_mb} MB.", remedy="Choose another size, or none."
        )


def add_profile(builder: Any, config: Any, profile: OptimizationProfile) -> None:
    """Hand a profile to the library; InvalidProfile where it would drop it in silence."""
    native = builder.create_optimization_profile()
    for item in profile.ranges:
        native.set_shape(item.tensor, item.min, item.opt, item.max)
    # An impossible profile raises nothing: it is false, or gets the index -1.
    if not native or config.add_optimization_profile(native) < 0:
        shapes = "; ".join(f"{item.tensor} {item.min}..{item.opt}..{item.max}" for item in profile.ranges)
        raise InvalidProfile(
            f"TensorRT-RTX refused the optimization profile {shapes or 'without shapes'}.",
            remedy="Give every dynamic input min <= opt <= max.",
        )
