"""The dashboard that Grafana provisions itself with: what to watch of one served model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trt_core.deploy.metrics import mean_ms

_SOURCE = {"type": "prometheus", "uid": "prometheus"}
_PARTS = (("queue", "queue"), ("compute_input", "input"), ("compute_infer", "engine"), ("compute_output", "output"))


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel of the dashboard: a title, a Grafana unit, and queries with their legends."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    about: str = ""


def panels(name: str) -> tuple[Panel, ...]:
    """What to watch of one served model; `name` is a checked model name, so that it needs no escaping in PromQL."""
    return (*_of_requests(f'"{name}"'), *_of_load(f'{{model="{name}"}}'), *_of_gpus())


def _of_requests(model: str) -> tuple[Panel, ...]:
    of_model = f"{{model={model}}}"
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
            queries=tuple((mean_ms(f"nv_inference_{part}_duration_us", model), legend) for part, legend in _PARTS),
            about="Means over two minutes; percentiles come from perf_analyzer.",
        ),
        Panel(
            title="Mean latency",
            unit="ms",
            queries=((mean_ms("nv_inference_request_duration_us", model), "request"),),
        ),
    )


def _of_load(of_model: str) -> tuple[Panel, ...]:
    runs = f"clamp_min(sum(rate(nv_inference_exec_count{of_model}[2m])), 0.001)"
    batch = f"sum(rate(nv_inference_count{of_model}[2m])) / {runs}"
    waiting = f"sum(nv_inference_pending_request_count{of_model})"
    return (
        Panel(title="Mean batch", unit="none", queries=((batch, "inferences an execution"),)),
        Panel(title="Waiting requests", unit="none", queries=((waiting, "pending"),)),
    )


def _of_gpus() -> tuple[Panel, ...]:
    memory = (("nv_gpu_memory_used_bytes", "used"), ("nv_gpu_memory_total_bytes", "total"))
    return (
        Panel(title="GPU utilization", unit="percentunit", queries=(("nv_gpu_utilization", "{{gpu_uuid}}"),)),
        Panel(title="GPU memory", unit="bytes", queries=memory),
        Panel(title="GPU power", unit="watt", queries=(("nv_gpu_power_usage", "{{gpu_uuid}}"),)),
    )


def dashboard(name: str, title: str) -> dict[str, Any]:
    """A Grafana dashboard over the data source with the uid `prometheus`; every field that its schema requires."""
    return {
        "uid": f"triton-{name}"[:40],
        "title": title,
        "tags": ["triton", "enginescope"],
        "timezone": "browser",
        "schemaVersion": 39,
        "version": 1,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "templating": {"list": []},
        "annotations": {"list": []},
        "panels": [_drawn(number, panel) for number, panel in enumerate(panels(name))],
    }


def _drawn(number: int, panel: Panel) -> dict[str, Any]:
    """Two panels in a row of Grafana's 24 columns."""
    legend = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "gridPos": {"h": 8, "w": 12, "x": 12 * (number % 2), "y": 8 * (number // 2)},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": legend, "tooltip": {"mode": "multi", "sort": "none"}},
        "targets": [
            {"refId": chr(65 + place), "datasource": _SOURCE, "expr": expression, "legendFormat": words}
            for place, (expression, words) in enumerate(panel.queries)
        ],
    }
