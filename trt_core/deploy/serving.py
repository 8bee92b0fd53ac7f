"""How Triton is started for an engine: the words of its command line, and what has to be said about them.

Flags from the documentation of Triton's TensorRT backend (README of triton-inference-server/tensorrt_backend).
"""

from __future__ import annotations

from trt_core.deploy.order import Order
from trt_core.domain.deployment import GeneratedFile
from trt_core.domain.findings import Finding, Severity

_PLUGINS = "/plugins"


def server_words(order: Order) -> list[str]:
    """The arguments of `tritonserver`. A version-compatible engine loads only where its own host code may run."""
    words = ["--model-repository=/models", "--strict-readiness=true"]
    if order.options.version_compatible:
        words.append("--backend-config=tensorrt,version-compatible=true")
    if order.options.plugins:
        libraries = ";".join(f"{_PLUGINS}/{name}" for name in order.options.plugins)
        words.append(f"--backend-config=tensorrt,plugins={libraries}")
    return words


def plugin_mounts(order: Order) -> list[str]:
    """Volumes, as Docker writes them, that hold the plugin libraries; none where the engine wants none."""
    return [f"./plugins:{_PLUGINS}:ro"] if order.options.plugins else []


def plugin_files(order: Order) -> list[GeneratedFile]:
    """`plugins/` with a list of the libraries to put there: the server keeps its own, a bundle carries none."""
    if not order.options.plugins:
        return []
    names = "".join(f"- {name}\n" for name in order.options.plugins)
    text = f"Put these libraries here, built for Linux and TensorRT {order.served_by}:\n\n{names}"
    return [GeneratedFile(path="plugins/README.md", content=text.encode())]


def serving_findings(order: Order) -> list[Finding]:
    """What the server is allowed or given beyond a model repository."""
    found = []
    if order.options.version_compatible:
        found.append(
            Finding(
                rule="host-code-allowed",
                severity=Severity.NOTE,
                message="Triton is started with version-compatible=true: the engine holds code that the server runs.",
                remedy="Serve only engines whose origin you know.",
            )
        )
    if order.options.plugins:
        found.append(
            Finding(
                rule="plugin-libraries-wanted",
                severity=Severity.WARNING,
                message=f"The engine needs {', '.join(order.options.plugins)}, and no library goes along.",
                remedy=f"Put them into plugins/; for Kubernetes and images of your own, into {_PLUGINS} of the image.",
            )
        )
    elif order.passport.plugins:
        found.append(
            Finding(
                rule="engine-has-plugins",
                severity=Severity.NOTE,
                message=f"Layers of plugins: {', '.join(order.passport.plugins)}. Triton has NVIDIA's own.",
                remedy="For others add --backend-config=tensorrt,plugins=/path/library.so to Triton's command.",
            )
        )
    return found
