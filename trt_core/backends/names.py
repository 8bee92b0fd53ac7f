"""Every name of TensorRT's Python API that the backends touch, and in which version it is there.

The versions are those whose API surface was compared: TensorRT 8.6, 10.16 and 11.4, and TensorRT-RTX 1.7. Values of
enumerations differ between them (STRONGLY_TYPED is 1 in TensorRT 10 and 0 in 11), so only names are written down.
What Polygraphy touches for a build is its own to know; its exceptions come out of `polygraphy_gate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trt_core.errors import DependencyMissing, UnsupportedRequest

TENSORRT_VERSIONS = ("8.6", "10.16", "11.4")
RTX_VERSION = "1.7"


@dataclass(frozen=True, kw_only=True)
class ApiName:
    """One name, the first and last compared TensorRT version that has it, and whether TensorRT-RTX has it.

    `since` is empty for a name that only TensorRT-RTX has; `until` is empty while the name is still there.
    """

    path: str
    since: str = "8.6"
    until: str = ""
    rtx: bool = True

    def versions(self) -> tuple[str, ...]:
        """The compared TensorRT versions that have the name."""
        if not self.since:
            return ()
        first = TENSORRT_VERSIONS.index(self.since)
        last = TENSORRT_VERSIONS.index(self.until) if self.until else len(TENSORRT_VERSIONS) - 1
        return TENSORRT_VERSIONS[first : last + 1]


NAMES: tuple[ApiName, ...] = (
    ApiName(path="Builder.build_serialized_network"),
    ApiName(path="Builder.create_builder_config"),
    ApiName(path="Builder.create_network"),
    ApiName(path="Builder.num_DLA_cores"),
    ApiName(path="BuilderFlag.BF16", since="10.16", until="10.16", rtx=False),
    ApiName(path="BuilderFlag.FP16", until="10.16", rtx=False),
    ApiName(path="BuilderFlag.GPU_FALLBACK"),
    ApiName(path="BuilderFlag.INT8", until="10.16", rtx=False),
    ApiName(path="BuilderFlag.OBEY_PRECISION_CONSTRAINTS", until="10.16", rtx=False),
    ApiName(path="BuilderFlag.PREFER_PRECISION_CONSTRAINTS", until="10.16", rtx=False),
    ApiName(path="BuilderFlag.REFIT"),
    ApiName(path="BuilderFlag.SPARSE_WEIGHTS"),
    ApiName(path="BuilderFlag.TF32"),
    ApiName(path="BuilderFlag.VERSION_COMPATIBLE"),
    ApiName(path="ComputeCapability", since=""),
    ApiName(path="DataType.FLOAT"),
    ApiName(path="DataType.HALF"),
    ApiName(path="DeviceType.DLA"),
    ApiName(path="EngineInspector.execution_context"),
    ApiName(path="EngineInspector.get_engine_information"),
    ApiName(path="HardwareCompatibilityLevel.AMPERE_PLUS"),
    ApiName(path="HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY", since="10.16"),
    ApiName(path="IBuilderConfig.DLA_core"),
    ApiName(path="IBuilderConfig.add_optimization_profile"),
    ApiName(path="IBuilderConfig.builder_optimization_level"),
    ApiName(path="IBuilderConfig.can_run_on_DLA"),
    ApiName(path="IBuilderConfig.clear_flag"),
    ApiName(path="IBuilderConfig.create_timing_cache"),
    ApiName(path="IBuilderConfig.default_device_type"),
    ApiName(path="IBuilderConfig.get_flag"),
    ApiName(path="IBuilderConfig.get_memory_pool_limit"),
    ApiName(path="IBuilderConfig.get_tactic_sources"),
    ApiName(path="IBuilderConfig.get_timing_cache"),
    ApiName(path="IBuilderConfig.hardware_compatibility_level"),
    ApiName(path="IBuilderConfig.int8_calibrator", until="10.16", rtx=False),
    ApiName(path="IBuilderConfig.num_compute_capabilities", since=""),
    ApiName(path="IBuilderConfig.profiling_verbosity"),
    ApiName(path="IBuilderConfig.progress_monitor", since="10.16"),
    ApiName(path="IBuilderConfig.set_calibration_profile", until="10.16", rtx=False),
    ApiName(path="IBuilderConfig.set_compute_capability", since=""),
    ApiName(path="IBuilderConfig.set_flag"),
    ApiName(path="IBuilderConfig.set_memory_pool_limit"),
    ApiName(path="IBuilderConfig.set_preview_feature"),
    ApiName(path="IBuilderConfig.set_timing_cache"),
    ApiName(path="ICudaEngine.create_engine_inspector"),
    ApiName(path="ICudaEngine.create_execution_context"),
    ApiName(path="ICudaEngine.device_memory_size", until="10.16", rtx=False),
    ApiName(path="ICudaEngine.device_memory_size_v2", since="10.16"),
    ApiName(path="ICudaEngine.get_profile_shape_input", until="8.6", rtx=False),
    ApiName(path="ICudaEngine.get_tensor_dtype"),
    ApiName(path="ICudaEngine.get_tensor_location"),
    ApiName(path="ICudaEngine.get_tensor_mode"),
    ApiName(path="ICudaEngine.get_tensor_name"),
    ApiName(path="ICudaEngine.get_tensor_profile_shape"),
    ApiName(path="ICudaEngine.get_tensor_profile_values", since="10.16"),
    ApiName(path="ICudaEngine.get_tensor_shape"),
    ApiName(path="ICudaEngine.num_io_tensors"),
    ApiName(path="ICudaEngine.num_optimization_profiles"),
    ApiName(path="IDebugListener", since="10.16"),
    ApiName(path="IDebugListener.process_debug_tensor", since="10.16"),
    ApiName(path="IExecutionContext.execute_async_v3"),
    ApiName(path="IExecutionContext.get_tensor_shape"),
    ApiName(path="IExecutionContext.nvtx_verbosity"),
    ApiName(path="IExecutionContext.profiler"),
    ApiName(path="IExecutionContext.set_all_tensors_debug_state", since="10.16"),
    ApiName(path="IExecutionContext.set_debug_listener", since="10.16"),
    ApiName(path="IExecutionContext.set_input_shape"),
    ApiName(path="IExecutionContext.set_optimization_profile_async"),
    ApiName(path="IExecutionContext.set_output_allocator"),
    ApiName(path="IExecutionContext.set_tensor_address"),
    ApiName(path="IHostMemory.nbytes"),
    ApiName(path="IInt8EntropyCalibrator2", until="10.16", rtx=False),
    ApiName(path="IInt8MinMaxCalibrator", until="10.16", rtx=False),
    ApiName(path="ILayer.get_output"),
    ApiName(path="ILayer.name"),
    ApiName(path="ILayer.num_outputs"),
    ApiName(path="ILayer.precision", until="10.16", rtx=False),
    ApiName(path="ILayer.set_output_type", until="10.16", rtx=False),
    ApiName(path="ILogger.log"),
    ApiName(path="INetworkDefinition.get_input"),
    ApiName(path="INetworkDefinition.get_layer"),
    ApiName(path="INetworkDefinition.get_output"),
    ApiName(path="INetworkDefinition.mark_debug", since="10.16"),
    ApiName(path="INetworkDefinition.mark_output"),
    ApiName(path="INetworkDefinition.num_inputs"),
    ApiName(path="INetworkDefinition.num_layers"),
    ApiName(path="INetworkDefinition.num_outputs"),
    ApiName(path="IOutputAllocator.notify_shape", until="8.6", rtx=False),
    ApiName(path="IOutputAllocator.reallocate_output", until="8.6", rtx=False),
    ApiName(path="IPluginRegistry.load_library"),
    ApiName(path="IProfiler.report_layer_time"),
    ApiName(path="IProgressMonitor.phase_finish", since="10.16"),
    ApiName(path="IProgressMonitor.phase_start", since="10.16"),
    ApiName(path="IProgressMonitor.step_complete", since="10.16"),
    ApiName(path="ITensor.dtype"),
    ApiName(path="ITensor.is_shape_tensor"),
    ApiName(path="ITensor.name"),
    ApiName(path="ITensor.shape"),
    ApiName(path="ITimingCache.combine"),
    ApiName(path="ITimingCache.serialize"),
    ApiName(path="LayerInformationFormat.JSON"),
    ApiName(path="MemoryPoolType.DLA_GLOBAL_DRAM"),
    ApiName(path="MemoryPoolType.DLA_LOCAL_DRAM"),
    ApiName(path="MemoryPoolType.DLA_MANAGED_SRAM"),
    ApiName(path="MemoryPoolType.TACTIC_DRAM"),
    ApiName(path="MemoryPoolType.WORKSPACE"),
    ApiName(path="NetworkDefinitionCreationFlag"),
    ApiName(path="NetworkDefinitionCreationFlag.EXPLICIT_BATCH", until="10.16", rtx=False),
    ApiName(path="NetworkDefinitionCreationFlag.STRONGLY_TYPED", since="10.16"),
    ApiName(path="OnnxParser.get_error"),
    ApiName(path="OnnxParser.num_errors"),
    ApiName(path="OnnxParser.parse_from_file"),
    ApiName(path="OnnxParser.supports_model", until="10.16", rtx=False),
    ApiName(path="OnnxParser.supports_model_v2", since="10.16"),
    ApiName(path="ParserError.code"),
    ApiName(path="ParserError.desc"),
    ApiName(path="ParserError.file"),
    ApiName(path="ParserError.func"),
    ApiName(path="ParserError.local_function_stack", since="10.16"),
    ApiName(path="ParserError.node"),
    ApiName(path="ParserError.node_name", since="10.16"),
    ApiName(path="ParserError.node_operator", since="10.16"),
    ApiName(path="PreviewFeature.PROFILE_SHARING_0806", until="10.16", rtx=False),
    ApiName(path="ProfilingVerbosity.DETAILED"),
    ApiName(path="ProfilingVerbosity.NONE"),
    ApiName(path="Runtime.deserialize_cuda_engine"),
    ApiName(path="Runtime.engine_host_code_allowed"),
    ApiName(path="TacticSource"),
    ApiName(path="TensorIOMode.INPUT"),
    ApiName(path="TensorLocation.HOST"),
    ApiName(path="get_plugin_registry"),
    ApiName(path="init_libnvinfer_plugins"),
)
_BY_PATH = {name.path: name for name in NAMES}


def lookup(module: Any, path: str) -> Any:
    """`BuilderFlag.TF32` of the loaded library; UnsupportedRequest says which version has a name that is not there.

    A path that the table does not hold is a programming mistake (KeyError): add it to the table first.
    """
    known = _BY_PATH[path]
    value = module
    for part in path.split("."):
        value = getattr(value, part, None)
        if value is None:
            raise UnsupportedRequest(
                f"{module.__name__} {getattr(module, '__version__', '')} has no {path}.", remedy=_where(known)
            )
    return value


def check_names(module: Any, *, rtx: bool) -> None:
    """Raise DependencyMissing when an installed library lacks names that this program relies on."""
    lacking = [name.path for name in NAMES if name.rtx and rtx and not _has(module, name.path)]
    if lacking:
        raise DependencyMissing(
            f"{module.__name__} {getattr(module, '__version__', '')} lacks {', '.join(lacking)}.",
            remedy=f"Install TensorRT-RTX {RTX_VERSION}, which this program was written against.",
        )


def _has(module: Any, path: str) -> bool:
    value = module
    for part in path.split("."):
        value = getattr(value, part, None)
    return value is not None


def _where(known: ApiName) -> str:
    places = [f"TensorRT {version}" for version in known.versions()]
    places += [f"TensorRT-RTX {RTX_VERSION}"] if known.rtx else []
    return f"It is there in {', '.join(places)}."
