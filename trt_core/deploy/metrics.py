"""Triton's metrics as Prometheus sees them: alerts, and the autoscaler's rule.

Names from Triton's documentation of its metrics (docs/user_guide/metrics.md of the server's repository).
"""

from __future__ import annotations

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


def mean_ms(metric: str, model: str) -> str:
    """Milliseconds a request over the last minutes: rates of two counters, so that an hour ago does not weigh in."""
    return (
        f"sum(rate({metric}{{model={model}}}[2m])) / 1000"
        f" / clamp_min(sum(rate(nv_inference_request_success{{model={model}}}[2m])), 0.001)"
    )


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
            "expr": mean_ms("nv_inference_queue_duration_us", model),
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
