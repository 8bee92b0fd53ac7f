"""Mixed-precision plans: which node runs in which precision, as a value and as a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from trt_core.domain.codec import from_plain, to_plain
from trt_core.domain.precision import CalibrationMethod, KeepRule, Precision, Recipe
from trt_core.errors import InvalidInput

FORMAT = "enginescope-plan"
VERSION = 1
_REMEDY = "Give a plan that this program saved."


@dataclass(frozen=True, kw_only=True)
class PlanEntry:
    """One node that could run in the plan's low precision, and the precision that the plan gives it."""

    node: str
    precision: Precision


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A precision for every node that the recipe could lower.

    `recipe` is that of the plain variant, without rules: they come from `entries`. `made_by` says where the plan comes
    from, in one sentence. Names are those of the ONNX file, so that a plan outlives a training run.
    """

    recipe: Recipe
    entries: tuple[PlanEntry, ...]
    model_name: str = ""
    model_sha256: str = ""
    made_by: str = ""

    def __post_init__(self) -> None:
        if self.recipe.keep:
            raise ValueError("a plan's rules are its entries; its recipe has none")
        if len({entry.node for entry in self.entries}) != len(self.entries):
            raise ValueError("a plan names a node once")
        for entry in self.entries:
            if entry.precision is not self.recipe.precision:
                KeepRule(node=entry.node, precision=entry.precision)

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the nodes that stay in a higher precision."""
        return tuple(entry.node for entry in self.entries if entry.precision is not self.recipe.precision)

    @property
    def variant_recipe(self) -> Recipe:
        """The recipe of the variant that the plan describes."""
        rules = (KeepRule(node=entry.node, precision=entry.precision) for entry in self.entries if self._keeps(entry))
        return replace(self.recipe, keep=tuple(rules))

    def _keeps(self, entry: PlanEntry) -> bool:
        return entry.precision is not self.recipe.precision


@dataclass(frozen=True, kw_only=True)
class PlanChange:
    """One node that two plans treat differently; None where a plan does not know the node."""

    node: str
    before: Precision | None
    after: Precision | None


@dataclass(frozen=True, kw_only=True)
class RecipeChange:
    """One setting that two plans' recipes have otherwise, in the words of the command line."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class AppliedPlan:
    """A plan on another model: what matched, the plan's nodes that the model lacks, the model's that the plan lacks."""

    plan: Plan
    unmatched: tuple[str, ...]
    not_planned: tuple[str, ...]


def kept_precision(recipe: Recipe) -> Precision:
    """What a node gets that is not lowered: the rest's precision where a rule can ask for it, FP32 otherwise."""
    return Precision.FP16 if recipe.precision.is_quantized and recipe.rest is Precision.FP16 else Precision.FP32


def make_plan(recipe: Recipe, nodes: Iterable[str], kept: Iterable[str], **about: str) -> Plan:
    """The plan that lowers `nodes` except `kept`."""
    stay, high = frozenset(kept), kept_precision(recipe)
    entries = (PlanEntry(node=node, precision=high if node in stay else recipe.precision) for node in nodes)
    return Plan(recipe=replace(recipe, keep=()), entries=tuple(entries), **about)


def plan_text(plan: Plan) -> str:
    """The plan as a file: JSON, the nodes in the model's order."""
    plain = {
        "format": FORMAT,
        "version": VERSION,
        "model": {"name": plan.model_name, "sha256": plan.model_sha256},
        "made_by": plan.made_by,
        "recipe": to_plain(plan.recipe),
        "nodes": [{"node": entry.node, "precision": entry.precision.value} for entry in plan.entries],
    }
    return json.dumps(plain, indent=1) + "\n"


def plan_from_text(text: str | bytes) -> Plan:
    """The plan that a file holds; InvalidInput says what is wrong with it."""
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"The plan is no JSON: {error}.", remedy=_REMEDY) from error
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        raise InvalidInput(f"The file does not say {FORMAT!r} under 'format'.", remedy=_REMEDY)
    if plain.get("version") != VERSION:
        raise InvalidInput(f"The plan has version {plain.get('version')!r}; {VERSION} is known.", remedy=_REMEDY)
    try:
        model = plain.get("model") or {}
        return Plan(
            recipe=from_plain(Recipe, plain["recipe"]),
            entries=tuple(PlanEntry(node=str(n["node"]), precision=Precision(n["precision"])) for n in plain["nodes"]),
            model_name=str(model.get("name", "")),
            model_sha256=str(model.get("sha256", "")),
            made_by=str(plain.get("made_by", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(f"The plan cannot be read: {error}.", remedy=_REMEDY) from error


def diff_plans(before: Plan, after: Plan) -> tuple[PlanChange, ...]:
    """Nodes to which two plans give different precisions, in the order of the second, then of the first."""
    old, new = _by_node(before), _by_node(after)
    return tuple(
        PlanChange(node=node, before=old.get(node), after=new.get(node))
        for node in dict.fromkeys((*new, *old))
        if old.get(node) is not new.get(node)
    )


def diff_recipes(before: Plan, after: Plan) -> tuple[RecipeChange, ...]:
    """What two plans make their variants of otherwise; the data are left out, because a retrained model has its own."""
    by_percentile = CalibrationMethod.PERCENTILE in (before.recipe.method, after.recipe.method)
    pairs = {
        "precision": (before.recipe.precision.value, after.recipe.precision.value),
        "rest": (before.recipe.rest.value, after.recipe.rest.value),
        "method": (before.recipe.method.value, after.recipe.method.value),
        "percentile": (f"{before.recipe.percentile:g}", f"{after.recipe.percentile:g}") if by_percentile else ("", ""),
        "attention": (_yes(before.recipe.attention), _yes(after.recipe.attention)),
        "normalize": (_yes(before.recipe.normalize), _yes(after.recipe.normalize)),
    }
    return tuple(RecipeChange(field=name, before=one, after=two) for name, (one, two) in pairs.items() if one != two)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def apply_plan(plan: Plan, nodes: Iterable[str], *, model_name: str = "", model_sha256: str = "") -> AppliedPlan:
    """The plan on a model whose lowerable nodes are `nodes`, matched by name.

    A node that the plan does not know takes the low precision, as the plan's recipe would; both lists of strangers are
    reported, so that a renamed layer is not silently quantized.
    """
    known = tuple(nodes)
    wanted = _by_node(plan)
    entries = (PlanEntry(node=node, precision=wanted.get(node, plan.recipe.precision)) for node in known)
    return AppliedPlan(
        plan=replace(plan, entries=tuple(entries), model_name=model_name, model_sha256=model_sha256),
        unmatched=tuple(node for node in wanted if node not in frozenset(known)),
        not_planned=tuple(node for node in known if node not in wanted),
    )


def _by_node(plan: Plan) -> Mapping[str, Precision]:
    return {entry.node: entry.precision for entry in plan.entries}
