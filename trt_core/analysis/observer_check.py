"""Did marking inner tensors change the engine? The plain one against the marked one, in three questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from trt_core.analysis.four_way import in_words
from trt_core.analysis.latency_compare import compare
from trt_core.domain.divergence import TensorError
from trt_core.domain.engine import EngineLayer, EngineRecord
from trt_core.domain.engine_divergence import Observation, ObserverCheck
from trt_core.domain.graph import Graph

SAME_DB = 3.0  # the outputs' errors may differ by a factor of two in power: what another tactic's rounding does
ROUNDING_DB = 100.0  # beyond it both outputs are right to FP32 rounding, and their difference says nothing
SAME_LATENCY = 0.05  # a median this near is the same: what one start of a process differs from the next
EXPLAINED_LATENCY = 0.10  # what is left without copies may be that: a profile serialises layers, and shares are rough
_MOVES = frozenset({"reformat", "noop"})
_COPY = "Reformatting CopyNode for "
_SHOWN = 6


def observer_check(
    plain: EngineRecord,
    marked: EngineRecord,
    *,
    plain_output: TensorError,
    marked_output: TensorError,
    plain_ms: Sequence[float],
    marked_ms: Sequence[float],
    plain_layers_ms: Mapping[str, float],
    marked_layers_ms: Mapping[str, float],
) -> ObserverCheck:
    """Judge fusions, the worst output's error against one reference, and GPU times that were taken in turns.

    Layers that only copy tensors into a readable format count as no change of the fusions: handing a tensor out needs
    them. They take time: a slower engine is no change where, without the share that its layer times give the copies, it
    would not be slower by more than 10 %. Any other difference of the medians by more than 5 %, the whole interval
    outside, is one.
    """
    fusions, copies = _fusions(plain, marked)
    shares = _copy_share(plain, plain_layers_ms), _copy_share(marked, marked_layers_ms)
    latency, ratio, interval = _latency(plain_ms, marked_ms, copies=copies, shares=shares)
    return ObserverCheck(
        fusions=fusions,
        output=_output(plain_output, marked_output),
        latency=latency,
        latency_ratio=ratio,
        latency_ci95=interval,
        copies=copies,
    )


def spoilers(plain: EngineRecord, marked: EngineRecord, tensors: Sequence[str], graph: Graph) -> tuple[str, ...]:
    """Marked tensors that may have split the fusions which are gone; `graph` is that of the built file.

    Those that lie inside such a fusion; where none does, those that one of them writes; where the records do not name
    the nodes, all of them. Without them, the others may be read from an unchanged engine.
    """
    lost = Counter(map(_what, _computing(plain))) - Counter(map(_what, _computing(marked)))
    if not lost:
        return ()
    fusions = [frozenset(layer.source_names) for layer in _computing(plain) if _what(layer) in lost]
    inside, written = [], []
    for name in tensors:
        writer = graph.nodes[graph.producer_of[name]].name
        readers = {graph.nodes[index].name for index in graph.consumers_of.get(name, ())}
        at = [nodes for nodes in fusions if writer in nodes]
        written += [name] if at else []
        inside += [name] if any(nodes & readers for nodes in at) else []
    return tuple(inside or written or tensors)


def _copy_share(record: EngineRecord, times_ms: Mapping[str, float]) -> float:
    """The part of the layers' time that copies take; 0 where it is not known."""
    copies = {layer.name for layer in record.working_layers if _is_copy(layer)}
    total = sum(times_ms.values())
    return sum(taken for name, taken in times_ms.items() if name in copies) / total if total > 0.0 else 0.0


def _fusions(plain: EngineRecord, marked: EngineRecord) -> tuple[Observation, int]:
    before, after = (Counter(map(_what, _computing(record))) for record in (plain, marked))
    lost, new = before - after, after - before
    copies = len(marked.working_layers) - len(_computing(marked)) - len(plain.working_layers) + len(_computing(plain))
    if not lost and not new:
        said = f"The {before.total()} computing layers are the same."
        if copies > 0:
            said = f"{said[:-1]}; {copies} copies hand the marked tensors out."
        return Observation(changed=False, sentence=said), max(copies, 0)
    shown = {_what(layer): _named(layer) for record in (plain, marked) for layer in _computing(record)}
    evidence = [f"only without marks: {shown[what]}" for what in list(lost)[:_SHOWN]]
    evidence += [f"only with marks: {shown[what]}" for what in list(new)[:_SHOWN]]
    sentence = (
        f"Marking changed the fusions: {lost.total()} of {before.total()} computing layers are gone, "
        f"{new.total()} others are there."
    )
    return Observation(changed=True, sentence=sentence, evidence=tuple(evidence)), max(copies, 0)


def _computing(record: EngineRecord) -> list[EngineLayer]:
    return [layer for layer in record.working_layers if not _is_copy(layer)]


def _is_copy(layer: EngineLayer) -> bool:
    # A cast is a reformat, too, and of one build to the next it may become a view.
    return layer.kind.lower() in _MOVES or layer.name.startswith(_COPY)


_What = tuple[tuple[str, ...], str]


def _what(layer: EngineLayer) -> _What:
    """The nodes that a layer computes (its name where the record does not list them) and its precision."""
    return tuple(sorted(layer.source_names)) or (layer.name,), layer.precision.value


def _named(layer: EngineLayer) -> str:
    names = layer.source_names or (layer.name,)
    listed = " + ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return f"{listed} in {layer.precision.value}"


def _output(plain: TensorError, marked: TensorError) -> Observation:
    evidence = (f"without marks {in_words(plain)}", f"with marks {in_words(marked)}")
    if plain.sqnr_db == marked.sqnr_db or min(plain.sqnr_db, marked.sqnr_db) >= ROUNDING_DB:
        return Observation(
            changed=False, sentence="The final output is as wrong or right as before.", evidence=evidence
        )
    if abs(plain.sqnr_db - marked.sqnr_db) <= SAME_DB:
        sentence = f"The final output's error moved by less than {SAME_DB:g} dB."
        return Observation(changed=False, sentence=sentence, evidence=evidence)
    sentence = f"Marking changed the final output: {in_words(plain)} without marks, {in_words(marked)} with."
    return Observation(changed=True, sentence=sentence, evidence=evidence)


def _latency(
    plain_ms: Sequence[float], marked_ms: Sequence[float], *, copies: int, shares: tuple[float, float]
) -> tuple[Observation, float | None, tuple[float, float] | None]:
    if not plain_ms or not marked_ms:
        return Observation(changed=None, sentence="Latency was not measured."), None, None
    found = compare(marked_ms, plain_ms)
    low, high = found.ratio_ci95
    evidence = (f"{found.ratio:.3f} times as long with marks, 95 % interval {low:.3f} to {high:.3f}",)
    if low > 1.0 + SAME_LATENCY or high < 1.0 - SAME_LATENCY:
        without = (1.0 - shares[1]) / (1.0 - shares[0]) if max(shares) < 1.0 else 1.0
        if low > 1.0 and copies and shares[1] > shares[0] and low * without <= 1.0 + EXPLAINED_LATENCY:
            sentence = (
                f"The marked engine takes {found.ratio:.2f} times as long: its {copies} copies, {shares[1]:.0%} of its "
                "layers' time, explain it."
            )
            return Observation(changed=False, sentence=sentence, evidence=evidence), found.ratio, found.ratio_ci95
        sentence = f"Marking changed the latency: {found.ratio:.2f} times as long ({low:.2f} to {high:.2f})."
        return Observation(changed=True, sentence=sentence, evidence=evidence), found.ratio, found.ratio_ci95
    if low >= 1.0 - SAME_LATENCY and high <= 1.0 + SAME_LATENCY:
        sentence = f"The latency is the same within {SAME_LATENCY:.0%}."
        return Observation(changed=False, sentence=sentence, evidence=evidence), found.ratio, found.ratio_ci95
    sentence = f"The samples do not tell whether the latency changed by more than {SAME_LATENCY:.0%}."
    return Observation(changed=None, sentence=sentence, evidence=evidence), found.ratio, found.ratio_ci95
