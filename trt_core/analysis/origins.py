"""Where a loss begins: layers that lose much more than their inputs had lost already."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from trt_core.domain.divergence import LayerDivergence, TensorError
from trt_core.domain.graph import Graph
from trt_core.domain.precision import HEALTHY_DB

LEAST_LOSS_DB = 6.0  # one bit of precision

# Without this limit, every first layer would be an origin.
_CEILING_DB = {precision.value: ceiling for precision, ceiling in HEALTHY_DB.items()}
_UNKNOWN_CEILING_DB = 60.0


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One layer at which a precision loses.

    `loss_db` is against the worst of its inputs (inf where it becomes non-finite), `excess_db` the part of it that a
    healthy layer of that precision would not lose, `isolated_db` the SQNR of the layer by itself where that was
    measured, `before_db` the worst SQNR of all layers before it in the file. `avoidable_db` is the part of its own
    error that comes of scales that do not fit.
    """

    index: int
    name: str
    sqnr_db: float
    loss_db: float
    excess_db: float
    before_db: float
    isolated_db: float | None = None
    avoidable_db: float = 0.0

    @property
    def is_fault(self) -> bool:
        """True where scales that do not fit cost a bit or more: to mend them needs no other precision."""
        return self.avoidable_db >= LEAST_LOSS_DB

    @property
    def guilt(self) -> tuple[bool, float, float]:
        """Ascending: faults, then the strongest isolated error where it is known, the largest excess otherwise."""
        return (not self.is_fault, math.inf if self.isolated_db is None else self.isolated_db, -self.excess_db)


def origins(graph: Graph, layers: Sequence[LayerDivergence], precision: str) -> tuple[Origin, ...]:
    """Layers that become non-finite, or lose at least 6 dB against the worst of their inputs, most guilty first.

    So do layers whose scales do not fit, whatever their inputs had lost before.

    An input whose tensor was not compared counts through the nearest compared tensors before it; where none of them
    has lost anything, the best that the precision can do stands for them.
    """
    isolated_only = not any(layer.error(precision) for layer in layers)
    if isolated_only:
        return _isolated_origins(layers, precision)
    measured = {layer.index: error for layer in layers if (error := layer.error(precision)) is not None}
    reach = _worst_before(graph, measured)
    ceiling = _CEILING_DB.get(precision, _UNKNOWN_CEILING_DB)
    found, lowest = [], math.inf
    for layer in layers:
        error = measured.get(layer.index)
        if error is None:
            continue
        entering = ceiling if reach[layer.index] == math.inf else reach[layer.index]
        loss = 0.0 if entering == -math.inf else entering - error.sqnr_db
        avoidable = _avoidable(layer, precision, ceiling)
        if loss >= LEAST_LOSS_DB or avoidable >= LEAST_LOSS_DB:
            alone = layer.error(precision, isolated=True)
            found.append(
                Origin(
                    index=layer.index,
                    name=layer.name,
                    sqnr_db=error.sqnr_db,
                    loss_db=loss,
                    excess_db=min(entering, ceiling) - error.sqnr_db,
                    before_db=lowest,
                    isolated_db=None if alone is None else alone.sqnr_db,
                    avoidable_db=avoidable,
                )
            )
        lowest = min(lowest, error.sqnr_db)
    return tuple(sorted(found, key=lambda origin: origin.guilt))


def _isolated_origins(layers: Sequence[LayerDivergence], precision: str) -> tuple[Origin, ...]:
    # With exact inputs, a layer's own error is its loss.
    ceiling = _CEILING_DB.get(precision, _UNKNOWN_CEILING_DB)
    alone = [(layer, error) for layer in layers if (error := layer.error(precision, isolated=True)) is not None]
    found = [
        Origin(
            index=layer.index,
            name=layer.name,
            sqnr_db=error.sqnr_db,
            loss_db=ceiling - error.sqnr_db,
            excess_db=ceiling - error.sqnr_db,
            before_db=math.inf,
            isolated_db=error.sqnr_db,
            avoidable_db=_avoidable(layer, precision, ceiling),
        )
        for layer, error in alone
        if ceiling - error.sqnr_db >= LEAST_LOSS_DB
    ]
    return tuple(sorted(found, key=lambda origin: origin.guilt))


def _avoidable(layer: LayerDivergence, precision: str, ceiling: float) -> float:
    """0 where the layer is healthy all the same: then nothing is to be mended."""
    alone = layer.error(precision, isolated=True)
    if alone is None or alone.sqnr_db > ceiling - LEAST_LOSS_DB:
        return 0.0
    return dict(layer.avoidable_db).get(precision, 0.0)


def _worst_before(graph: Graph, measured: dict[int, TensorError]) -> dict[int, float]:
    """For each node, the lowest SQNR among the nearest measured nodes before it; inf where there is none."""
    leaving: dict[int, float] = {}
    entering: dict[int, float] = {}
    for node in graph.nodes:
        sources = [graph.producer_of[name] for name in node.inputs if name in graph.producer_of]
        entering[node.index] = min((leaving.get(source, math.inf) for source in sources), default=math.inf)
        error = measured.get(node.index)
        leaving[node.index] = entering[node.index] if error is None else error.sqnr_db
    return entering


def verdict(precision: str, found: Sequence[Origin]) -> str:
    """One sentence on where a precision loses, with the guiltiest layer and the state of everything before it."""
    title = precision.upper()
    if not found:
        return f"{title} loses less than {LEAST_LOSS_DB:g} dB at every layer."
    first = found[0]
    if first.sqnr_db == -math.inf and first.loss_db == math.inf:
        text = f"{title} is not finite from {first.name} on"
    else:
        text = f"{title} loses {first.loss_db:.1f} dB at {first.name}"
    if first.is_fault:
        text += ", where a scale does not fit"
    if first.before_db == math.inf:
        return f"{text}."
    if first.before_db == -math.inf:
        return f"{text}; layers before it are not finite either."
    return f"{text}; everything before it is at {first.before_db:.1f} dB or above."
