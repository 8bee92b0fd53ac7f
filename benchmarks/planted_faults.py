"""Plant a fault in one layer, compare, and see whether the guilty layer comes first.

The product is asked as a user asks it: a corrupted INT8 file with `diverge MODEL --against FILE.onnx`, a model whose
weights overflow or vanish in FP16 with `diverge MODEL --against fp16`, both with `--mode both`. "Ours" is the place in
its `origin`, "isolated" that in the order of isolated errors alone, by which triage ranks. Beside them stands what the
functions of ONNX Runtime's own `qdq_loss_debug` say of the same file: its error of a tensor before and after its Q/DQ
pair (`qdq_err`, weights included) and its accumulated error (`xmodel_err`). It knows Q/DQ only.

`python -m benchmarks planted_faults` writes the table; `python -m benchmarks.planted_faults SEED ...` tries others.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks.plants import A_BIT_DB, Plant, planted
from benchmarks.tables import Table

SEED, MORE_SEEDS = 4, (1, 2, 3, 5, 6)
_METHODS = ("ours", "isolated", "qdq_err", "xmodel_err")


def run(*, repeats: int = 1) -> Table:
    """Plant every fault once (it is the same each time: `repeats` is not needed), and those of more seeds."""
    del repeats
    plants = list(planted(SEED))
    rows = tuple(
        (plant.model, plant.fault, ", ".join(f"`{name}`" for name in sorted(plant.guilty)), *_places(plant))
        for plant in plants
    )
    first = _first(plants)
    others = {seed: _first(list(planted(seed, with_theirs=False))) for seed in MORE_SEEDS}
    told = ", ".join(f"{found['ours']} ({found['isolated']})" for found in others.values())
    known = sum(plant.places["qdq_err"] is not None for plant in plants)
    return Table(
        title="Planted faults",
        method=(
            "Twenty faults from one seed. INT8: the scale of one Q/DQ pair, of an activation or of weights, times or "
            "by 32 to 128; every reader of the pair is guilty. FP16: the weights of one layer scaled so that its "
            "output overflows, or that the weights become subnormal. A plant that costs the layer itself less than a "
            f"bit ({A_BIT_DB:g} dB of isolated error against the healthy file) is no fault and is drawn anew. The "
            "figures are places in a ranking; 1 is right. ResNet-50 has seeded weights and noise for input. "
            f"Ranked first by isolated error alone: {first['isolated']} of {len(plants)}; by ONNX Runtime's "
            f"qdq_loss_debug: qdq_err {first['qdq_err']} of {known}, xmodel_err {first['xmodel_err']} of {known}; it "
            f"has no answer to FP16. With the seeds {', '.join(map(str, MORE_SEEDS))}: {told} of {len(plants)} each, "
            "in brackets by isolated error alone."
        ),
        columns=("model", "fault", "guilty", "ours", "isolated", "qdq_err", "xmodel_err"),
        rows=rows,
        limits=(
            _limit(f"guilty layer ranked first, seed {SEED}", first["ours"], len(plants)),
            *(_limit(f"the same, seed {seed}", found["ours"], len(plants)) for seed, found in others.items()),
        ),
    )


def _limit(what: str, first: int, plants: int) -> tuple[str, str, str, bool]:
    return what, f"{first} of {plants}", f"at least 19 of {plants}", first >= 19


def _first(plants: Sequence[Plant]) -> dict[str, int]:
    """How many plants each method ranks first."""
    return {name: sum(plant.places[name] == 1 for plant in plants) for name in _METHODS}


def _places(plant: Plant) -> tuple[str, ...]:
    places = (plant.places[name] for name in _METHODS)
    return tuple("–" if place is None else str(place) for place in places)


def main() -> None:
    """One line a plant and one a seed, without what other tools say."""
    for seed in map(int, sys.argv[1:]):
        plants = []
        for plant in planted(seed, with_theirs=False):
            plants.append(plant)
            print(seed, plant.model, plant.fault, sorted(plant.guilty), plant.places["ours"], plant.places["isolated"])
        print(f"seed {seed}: {_first(plants)}", flush=True)


if __name__ == "__main__":
    main()
