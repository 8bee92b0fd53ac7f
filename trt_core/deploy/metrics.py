"""Triton's metrics as Prometheus sees them: queries for dashboards, alerts and the autoscaler.

Names from Triton's documentation of its metrics (docs/user_guide/metrics.md of the server's repository).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TRITON_METRICS = frozenset(
    {
        "nv_inference_request_success",
        "nv_inference_request_failure",
        "nv_inference_count",
        "nv_inference_exec_count",
        "nv_inference_pending_request_count",
        "nv_inference_request_duration_us",
        "nv_inference_queue_duration_us",
        "nv_inference_compute_input_duration_us",
        "nv_inference_compute_infer_duration_us",
        "nv_inference_compute_output_duration_us",
        "nv_gpu_utilization",
        "nv_gpu_memory_total_bytes",
        "nv_gpu_memory_used_bytes",
        "nv_gpu_power_usage",
    }
)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel of the dashboard: a title, a Grafana unit, and queries with their legends."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    about: str = ""


def _mean_ms(metric: str, model: str) -> str:
    """Milliseconds a request over the last minutes: rates of two counters, so that an hour ago does not weigh in."""
    return (
        f"sum(rate({metric}{{model={model}}}[2m])) / 1000"
        f" / clamp_min(sum(rate(nv_inference_request_success{{model={model}}}[2m])), 0.001)"
    )


def panels(name: str) -> tuple[Panel, ...]:
    """What to watch of one served model; `name` is a checked model name, so that it needs no escaping in PromQL."""
    model = f'"{name}"'
    of_model = f"{{model={model}}}"
    runs = f"clamp_min(sum(rate(nv_inference_exec_count{of_model}[2m])), 0.001)"
    batch = f"sum(rate(nv_inference_count{of_model}[2m])) / {runs}"
    parts = (
        ("queue", "queue"),
        ("compute_input", "input"),
        ("compute_infer", "engine"),
        ("compute_output", "output"),
    )
    return (
        Panel(
            title="Requests",
            unit="reqps",
            queries=(
                (f"sum(rate(nv_inference_request_success{of_model}[2m]))", "answered"),
                (f"sum(rate(nv_inference_request_failure{of_model}[2m]))", "failed"),
            ),
        ),
        Panel(
            title="Where a request spends its time",
            unit="ms",
            queries=tuple((_mean_ms(f"nv_inference_{part}_duration_us", model), legend) for part, legend in parts),
            about="Means over two minutes; percentiles come from perf_analyzer.",
        ),
        Panel(
            title="Mean latency",
            unit="ms",
            queries=((_mean_ms("nv_inference_request_duration_us", model), "request"),),
        ),
        Panel(title="Mean batch", unit="none", queries=((batch, "inferences an execution"),)),
        Panel(
            title="Waiting requests",
            unit="none",
            queries=((f"sum(nv_inference_pending_request_count{of_model})", "pending"),),
        ),
        Panel(title="GPU utilization", unit="percentunit", queries=(("nv_gpu_utilization", "{{gpu_uuid}}"),)),
        Panel(
            title="GPU memory",
            unit="bytes",
            queries=(("nv_gpu_memory_used_bytes", "used"), ("nv_gpu_memory_total_bytes", "total")),
        ),
        Panel(title="GPU power", unit="watt", queries=(("nv_gpu_power_usage", "{{gpu_uuid}}"),)),
    )


def dashboard(name: str, title: str) -> dict[str, Any]:
    """A Grafana dashboard over the data source with the uid `prometheus`."""
    source = {"type": "prometheus", "uid": "prometheus"}
    drawn = []
    for number, panel in enumerate(panels(name)):
        drawn.append(
            {
                "id": number + 1,
                "type": "timeseries",
                "title": panel.title,
                "description": panel.about,
                "datasource": source,
                "gridPos": {"h": 8, "w": 12, "x": 12 * (number % 2), "y": 8 * (number // 2)},
                "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
                "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
                "targets": [
                    {"refId": chr(65 + place), "datasource": source, "expr": expression, "legendFormat": legend}
                    for place, (expression, legend) in enumerate(panel.queries)
                ],
            }
        )
    return {
        "uid": f"triton-{name}"[:40],
        "title": title,
        "tags": ["triton", "enginescope"],
        "timezone": "browser",
        "schemaVersion": 39,
        "version": 1,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "panels": drawn,
    }


def alert_rules(name: str) -> dict[str, Any]:
    """Prometheus rules: queue time as a series of its own, and alerts on it, on failures and on silence."""
    model = f'"{name}"'
    failing = (
        f"sum(rate(nv_inference_request_failure{{model={model}}}[5m]))"
        f" / clamp_min(sum(rate(nv_inference_request_success{{model={model}}}[5m]))"
        f" + sum(rate(nv_inference_request_failure{{model={model}}}[5m])), 0.001) > 0.01"
    )
    rules = [
        {
            "record": "triton:queue_ms:mean2m",
            "expr": _mean_ms("nv_inference_queue_duration_us", model),
            "labels": {"model": name},
        },
        _alert("TritonQueueLong", f"triton:queue_ms:mean2m{{model={model}}} > 100", "Requests wait over 100 ms."),
        _alert("TritonRequestsFail", failing, "More than 1 % of the requests fail."),
        _alert("TritonDown", 'up{job="triton"} == 0', "Prometheus cannot reach Triton."),
    ]
    return {"groups": [{"name": f"triton-{name}", "interval": "15s", "rules": rules}]}


def _alert(name: str, expression: str, summary: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expression,
        "for": "5m",
        "labels": {"severity": "warning"},
        "annotations": {"summary": summary},
    }


AUTOSCALER_METRIC = "triton_queue_ms"


def adapter_rules() -> dict[str, Any]:
    """The Prometheus adapter's rule (values of its Helm chart) that makes queue time a metric of each pod."""
    pods = "<<.LabelMatchers>>"
    by = "by (<<.GroupBy>>)"
    query = (
        f"sum(rate(nv_inference_queue_duration_us{{{pods}}}[2m])) {by} / 1000"
        f" / clamp_min(sum(rate(nv_inference_request_success{{{pods}}}[2m])) {by}, 0.001)"
    )
    return {
        "rules": {
            "default": False,
            "custom": [
                {
                    "seriesQuery": 'nv_inference_queue_duration_us{namespace!="",pod!=""}',
                    "resources": {"overrides": {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}},
                    "name": {"matches": "^nv_inference_queue_duration_us$", "as": AUTOSCALER_METRIC},
                    "metricsQuery": query,
                }
            ],
        }
    }
