"""Ways to run an engine in production, and which of them fits."""

from __future__ import annotations

from dataclasses import dataclass

from trt_core.deploy.targets import is_jetson
from trt_core.domain.passport import Passport


@dataclass(frozen=True, kw_only=True)
class Topology:
    """One way: when it fits, what it costs, where its files are, and why it may not fit this engine."""

    title: str
    fits: str
    costs: str
    files: str
    not_here: str = ""


def topologies(passport: Passport, largest_batch: int) -> tuple[Topology, ...]:
    """The ways, with what speaks against each for this engine."""
    on_triton = ""
    if passport.backend == "rtx":
        on_triton = "Triton does not load its plan: the engine is built anew on the target."
    return (
        _in_process(),
        *_on_triton(on_triton, largest_batch),
        _in_cluster(passport, on_triton),
        _on_jetson(passport),
    )


def _in_process() -> Topology:
    return Topology(
        title="In your own process, one GPU",
        fits="One program uses the model, and a request may not wait for a network.",
        costs="No batching across callers; the program restarts with every new engine.",
        files="in_process.py in every bundle",
    )


def _on_triton(not_here: str, largest_batch: int) -> tuple[Topology, Topology]:
    alone = "" if largest_batch > 1 else "It cannot batch requests of different callers."
    one = Topology(
        title="Triton, one GPU",
        fits="Several callers share the model, or several models share the GPU.",
        costs="A hop over the network, and one more service to run.",
        files="--to triton or --to compose",
        not_here=not_here or alone,
    )
    several = Topology(
        title="Triton, several GPUs of one machine",
        fits="One GPU is busy most of the time, and its neighbours have the same architecture.",
        costs="Memory for an engine on each GPU; requests are spread, none gets faster.",
        files="--to triton --gpus 4: one Triton with an instance group over them. For a failure to take one GPU only, "
        "start a Triton for each instead, with CUDA_VISIBLE_DEVICES",
        not_here=not_here,
    )
    return one, several


def _in_cluster(passport: Passport, not_here: str) -> Topology:
    return Topology(
        title="Kubernetes, one GPU a pod",
        fits="Load comes and goes, and machines fail.",
        costs="A new pod needs a free GPU of the engine's architecture and loads the engine first.",
        files="--to kubernetes",
        not_here=not_here or ("" if passport.targets else "The engine's architecture is not known: name the GPU."),
    )


def _on_jetson(passport: Passport) -> Topology:
    return Topology(
        title="Jetson",
        fits="The camera is where the network is not.",
        costs="Built on the module itself, with its JetPack's TensorRT; DLA takes FP16 and INT8 layers only.",
        files="--to commands, jetson/build_on_jetson.sh",
        not_here=""
        if any(map(is_jetson, passport.targets))
        else "This engine was built for another architecture: build it on the module.",
    )
