"""Parse a file and compile it ahead of time."""

from __future__ import annotations

import time
from typing import Any

from trt_core.backends.causes import cause_of
from trt_core.backends.names import lookup
from trt_core.backends.native_log import NativeLog
from trt_core.backends.networks import add_profile, parse_network
from trt_core.backends.phases import monitor_for
from trt_core.backends.polygraphy_gate import polygraphy_calls
from trt_core.backends.tensorrt_rtx.native import TITLE, library, logger, native_calls
from trt_core.backends.tensorrt_rtx.options import check_options
from trt_core.backends.tensorrt_rtx.records import engine_record_from_log
from trt_core.backends.tensorrt_rtx.targets import enum_of_target, resolve_target
from trt_core.domain.jobs import Progress
from trt_core.errors import BackendError, BuildFailed, UnsupportedRequest
from trt_core.protocols import CompileInput, CompileOutput, Reporter


def build_engine(request: CompileInput, *, reporter: Reporter) -> CompileOutput:
    """Compile one file; see `RtxCompiler.build`."""
    findings = check_options(request.options)
    trt = library()
    target = enum_of_target(resolve_target(request.target, trt), trt)
    reporter.check()
    reporter.progress(Progress(phase="Parsing", fraction=0.0))
    with native_calls(f"build {request.onnx_path.name}") as log:
        log.on_error = reporter.log
        try:
            with polygraphy_calls("describe the build", log):
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
    network = parse_network(trt, builder, request.onnx_path, log)  # explicit batch, strongly typed: the only kind
    parsed = time.perf_counter()
    reporter.check()
    config = _configure(trt, builder, network, request, target)
    monitor = monitor_for(trt, reporter)
    config.progress_monitor = monitor
    engine = builder.build_serialized_network(network, config)
    built = time.perf_counter()
    if monitor.stopped_by is not None:
        raise monitor.stopped_by
    if engine is None:
        cause = cause_of(log.errors())
        raise BuildFailed(cause.sentence, remedy=cause.remedy, details=log.tail())
    return engine, parsed - started, built - parsed


def _configure(trt: Any, builder: Any, network: Any, request: CompileInput, target: Any) -> Any:
    """By hand but for the profiles: in one process Polygraphy configures TensorRT or TensorRT-RTX, never both."""
    config = builder.create_builder_config()
    # Only this verbosity makes the compiler write down its layers.
    config.profiling_verbosity = lookup(trt, "ProfilingVerbosity.DETAILED")
    if not request.options.tf32:
        config.clear_flag(lookup(trt, "BuilderFlag.TF32"))  # the library sets it by itself
    if (workspace_mb := request.options.workspace_mb) is not None:
        pool = lookup(trt, "MemoryPoolType.WORKSPACE")
        config.set_memory_pool_limit(pool, workspace_mb << 20)
        if config.get_memory_pool_limit(pool) != workspace_mb << 20:  # a refusal is only written to the log
            raise UnsupportedRequest(
                f"{TITLE} refused a workspace of {workspace_mb} MB.", remedy="Choose another size, or none."
            )
    config.num_compute_capabilities = 1
    if not config.set_compute_capability(target, 0):
        raise UnsupportedRequest(f"TensorRT-RTX refused the target {target.name}.", remedy="Choose another target.")
    for profile in request.profiles:
        add_profile(builder, config, network, profile, title=TITLE)
    return config
