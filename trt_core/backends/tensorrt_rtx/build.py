"""Parse a file and compile it ahead of time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from trt_core.backends.causes import cause_of
from trt_core.backends.names import lookup
from trt_core.backends.tensorrt_rtx.native import NativeLog, library, logger, native_calls
from trt_core.backends.tensorrt_rtx.options import check_options
from trt_core.backends.tensorrt_rtx.parser_errors import parser_errors
from trt_core.backends.tensorrt_rtx.progress import monitor_for
from trt_core.backends.tensorrt_rtx.records import engine_record_from_log
from trt_core.backends.tensorrt_rtx.targets import enum_of_target, resolve_target
from trt_core.domain.jobs import Progress
from trt_core.domain.profiles import OptimizationProfile
from trt_core.errors import BuildFailed, InvalidProfile, ParseFailed
from trt_core.protocols import CompileInput, CompileOutput, Reporter


def build_engine(request: CompileInput, *, reporter: Reporter) -> CompileOutput:
    """Compile one file; see `RtxCompiler.build`."""
    findings = check_options(request.options)
    trt = library()
    target = resolve_target(request.target, trt)
    reporter.check()
    reporter.progress(Progress(phase="Parsing", fraction=0.0))
    with native_calls(f"build {request.onnx_path.name}") as log:
        started = time.perf_counter()
        builder = trt.Builder(logger())
        network = _parse(trt, builder, request.onnx_path, log)
        parsed = time.perf_counter()
        reporter.check()
        config = _configure(trt, builder, request, enum_of_target(target, trt))
        monitor = monitor_for(reporter)
        config.progress_monitor = monitor
        engine = builder.build_serialized_network(network, config)
        built = time.perf_counter()
    if monitor.stopped_by is not None:
        raise monitor.stopped_by
    if engine is None:
        raise _build_failed(log)
    text = log.text
    return CompileOutput(
        engine=memoryview(engine),  # holds the library's host memory alive; nothing is copied
        record=engine_record_from_log(text),
        log=text,
        parse_seconds=parsed - started,
        build_seconds=built - parsed,
        backend_version=trt.__version__,
        findings=findings,
    )


def _parse(trt: Any, builder: Any, path: Path, log: NativeLog) -> Any:
    network = builder.create_network(0)  # the only kind there is: explicit batch, strongly typed
    parser = trt.OnnxParser(network, logger())
    if not parser.parse_from_file(str(path.resolve())):
        found = parser_errors(parser)
        cause = cause_of([error.text for error in found] or log.errors())
        where = found[0].where if found else path.name
        raise ParseFailed(f"{where}: {cause.sentence}", remedy=cause.remedy, details=log.tail())
    if not network.num_layers and not network.num_outputs:
        raise ParseFailed(
            f"{path.name} has no nodes to build.", remedy="Choose a file with a graph.", details=log.tail()
        )
    return network


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
        config.set_memory_pool_limit(lookup(trt, "MemoryPoolType.WORKSPACE"), request.options.workspace_mb << 20)
    config.num_compute_capabilities = 1
    config.set_compute_capability(target, 0)
    for profile in request.profiles:
        _add_profile(builder, config, profile)
    return config


def _add_profile(builder: Any, config: Any, profile: OptimizationProfile) -> None:
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


def _build_failed(log: NativeLog) -> BuildFailed:
    cause = cause_of(log.errors())
    return BuildFailed(cause.sentence, remedy=cause.remedy, details=log.tail())
