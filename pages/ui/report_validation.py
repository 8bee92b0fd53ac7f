"""The report of a validation."""

from __future__ import annotations

from pages.ui import text
from pages.ui.report import Report, Table, model_facts, versions
from pages.ui.validation_card import flipped_rows, judged_sentence
from trt_core.domain.validation import ValidationRun
from trt_core.workbench import Workbench


def validation_report(bench: Workbench, run: ValidationRun) -> Report:
    """Everything the page shows of a validation, judged by its own tolerance."""
    model = bench.library.model(run.model_id)
    judged = bench.validation.judgement(run)
    return Report(
        title=f"Validation of {run.subject}",
        verdict=f"{judged.verdict.value.capitalize()}: {judged_sentence(run, judged, say=str)}",
        stamp=run.method,
        facts=model_facts(model) | _facts(run),
        parts=[Table(title="Samples that are answered otherwise", rows=flipped_rows(bench, run))],
        findings=run.findings,
        versions=versions(bench),
    )


def _facts(run: ValidationRun) -> dict[str, str]:
    return {
        "Validation": run.id,
        "Candidate": run.subject,
        "Baseline": run.reference,
        "Metric": run.metric,
        "Tolerance": text.figure(run.tolerance),
        "Samples": f"{text.count(run.samples)} of {run.data}",
        "Device": run.device or "the processor",
        "Took": text.seconds(run.seconds),
        "Judged at": text.clock(run.created_at),
    }
