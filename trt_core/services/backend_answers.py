"""What each backend makes of a variant: a real build or run where this machine can, a rule where it cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from trt_core.domain.artifacts import COMPARED
from trt_core.domain.engine import Sm
from trt_core.domain.jobs import Progress
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.precision import Precision
from trt_core.domain.precision_rules import rules_of
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.domain.sensitivity import BackendAnswer, Outcome
from trt_core.errors import JobCancelled, TrtCoreError
from trt_core.protocols import Compiler, Reporter
from trt_core.services.batching import sample_batches
from trt_core.services.builds import Builds
from trt_core.services.context import Context
from trt_core.services.library import Library
from trt_core.services.variants import Variants

_ORT = "ort"
_INTEGER_KERNELS = ("QLinear", "QGemm", "MatMulInteger", "ConvInteger", "QAttention", "MatMulNBits")
_COPYING = frozenset({"Cast", "QuantizeLinear", "DequantizeLinear", "ReorderInput", "ReorderOutput"})


class BackendAnswers:
    """Asks every backend about one variant."""

    def __init__(self, context: Context, library: Library, variants: Variants, builds: Builds) -> None:
        self._context = context
        self._library = library
        self._variants = variants
        self._builds = builds

    def of(
        self, wish: QuantizeSpec, *, data_id: str, target: Sm | None, builds: bool, reporter: Reporter
    ) -> tuple[BackendAnswer, ...]:
        """One answer a backend; with `builds` every compiler that builds here builds the variant."""
        found = [self._of_runner(wish, data_id, reporter)]
        for name, compiler in self._context.compilers.items():
            if compiler.capabilities().can_build:
                found.append(self._of_compiler(name, compiler, wish, target, reporter, builds=builds))
        return (*found, *_by_rule(wish.recipe.precision))

    def _of_runner(self, wish: QuantizeSpec, data_id: str, reporter: Reporter) -> BackendAnswer:
        """The variant's own file in ONNX Runtime, optimized as it would be in use; not the numerics twin."""
        capabilities = self._context.runner.capabilities()
        title = f"{capabilities.title} {capabilities.version}, CPU".strip()
        name = wish.recipe.precision.value.upper()
        reporter.progress(Progress(phase=f"Running the {name} variant in {capabilities.title}"))
        try:
            path = self._variants.path(self._variants.perform(wish, reporter).id)
            feeds = next(iter(sample_batches(self._library, wish.model_id, data_id, limit=1)()))
            self._context.runner.load(path).run(feeds)
            meter = self._context.meters.get(_ORT)
            if meter is None:
                return BackendAnswer(backend=title, outcome=Outcome.RUNS, says="It runs; its kernels were not listed.")
            request = LatencyRequest(warmup=0, iterations=1)
            ops = [op for _, op, _ in meter.measure(path, feeds, request, reporter=reporter).layers]
        except JobCancelled:
            raise
        except TrtCoreError as error:
            return BackendAnswer(backend=title, outcome=Outcome.REFUSED, says=error.message)
        return BackendAnswer(backend=title, outcome=Outcome.RUNS, says=kernels_said(ops), precisions=_kernels(ops))

    def _of_compiler(
        self,
        name: str,
        compiler: Compiler,
        wish: QuantizeSpec,
        target: Sm | None,
        reporter: Reporter,
        *,
        builds: bool,
    ) -> BackendAnswer:
        capabilities, own = compiler.capabilities(), compiler.default_target
        wanted = None if own is None else target or own
        title = f"{capabilities.title} {capabilities.version}, {wanted or 'this GPU'}"
        spec = BuildSpec(variant=wish, backend=name, target=wanted)
        try:
            self._builds.check(spec)
            if not builds:
                return BackendAnswer(backend=title, outcome=Outcome.NOT_ASKED, says="Not refused; not built either.")
            reporter.progress(Progress(phase=f"Building {wish.recipe.precision.value.upper()} with {title}"))
            record = self._builds.perform(spec, reporter, made_for=COMPARED).record
        except JobCancelled:
            raise
        except TrtCoreError as error:
            return BackendAnswer(backend=title, outcome=Outcome.REFUSED, says=error.message)
        counts = ", ".join(f"{count} {precision.upper()}" for precision, count in record.precisions.items())
        return BackendAnswer(
            backend=title,
            outcome=Outcome.BUILT,
            says=f"{record.layer_count} engine layers: {counts}; {record.seconds:.1f} s.",
            precisions=tuple(record.precisions.items()),
            build_id=record.id,
        )


def _by_rule(precision: Precision) -> Iterator[BackendAnswer]:
    for rule in rules_of(precision):
        outcome = Outcome.TAKES if rule.takes else Outcome.CANNOT
        said = f"{rule.reason[0].upper()}{rule.reason[1:]}."
        yield BackendAnswer(backend=f"TensorRT {rule.release}", outcome=outcome, says=said)


def _kernels(ops: list[str]) -> tuple[tuple[str, int], ...]:
    """Kernels that read quantized values and in floating point; what only copies or converts is left out."""
    integer = sum(op.startswith(_INTEGER_KERNELS) for op in ops)
    other = sum(op not in _COPYING for op in ops) - integer
    return (("quantized", integer), ("fp32", other))


def kernels_said(ops: list[str]) -> str:
    """What ONNX Runtime's CPU kernels did, from the ops of a profiled run."""
    integer = Counter(op for op in ops if op.startswith(_INTEGER_KERNELS))
    others = sum(op not in _COPYING for op in ops) - integer.total()
    casts, pairs = (sum(op in names for op in ops) for names in (("Cast",), ("QuantizeLinear", "DequantizeLinear")))
    parts = [f"{count} {op}" for op, count in integer.most_common(4)]
    first = ", ".join(parts) + " on quantized values" if parts else "No kernel computes in low precision"
    between = [f"{count} {word}" for count, word in ((casts, "Cast"), (pairs, "Q/DQ")) if count]
    return f"{first}; {others} others in FP32" + (f", {' and '.join(between)} nodes between them." if between else ".")
