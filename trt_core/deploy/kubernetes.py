"""Kubernetes: plain manifests under Kustomize, and a job that builds the engine on the GPU that will run it.

Fields are those that Kubernetes 1.25 and later know, the Kustomize files those that `kubectl` 1.20 reads.
"""

from __future__ import annotations

from trt_core.deploy.kubernetes_build import build_files, node_selector
from trt_core.deploy.metrics import AUTOSCALER_METRIC, adapter_rules
from trt_core.deploy.order import Order
from trt_core.deploy.serving import server_words
from trt_core.deploy.triton import common_files, readme_text
from trt_core.deploy.triton_config import model_config
from trt_core.deploy.yaml_text import Node, yaml_text
from trt_core.domain.deployment import GeneratedFile
from trt_core.errors import InvalidInput

_PORTS = {"http": 8000, "grpc": 8001, "metrics": 8002}
_QUEUE_MS = "10"
_OVERLAYS = {"staging": (1, 2), "production": (2, 8)}  # (fewest, most replicas)


def kubernetes_bundle(order: Order) -> list[GeneratedFile]:
    """Base, build job, overlays and the autoscaler's metric; InvalidInput when no architecture is known."""
    if order.target.sm is None:
        raise InvalidInput(
            "The passport names no GPU architecture, and pods must be put on the right nodes.",
            remedy="Name the GPU that it is to run on, such as A100 (--gpu A100 on the command line).",
        )
    resources = {
        "deployment.yaml": _deployment(order),
        "service.yaml": _service(order),
        "autoscaler.yaml": _autoscaler(order),
        "disruption.yaml": _disruption(order),
    }
    files = [GeneratedFile(path=f"base/{name}", content=yaml_text(item)) for name, item in resources.items()]
    listed = {"resources": list(resources), "configMapGenerator": [_config_map(order)]}
    files += [
        GeneratedFile(path="base/kustomization.yaml", content=yaml_text(_kustomization(listed))),
        GeneratedFile(path="base/config.pbtxt", content=model_config(order).encode()),
        GeneratedFile(path="monitoring/prometheus-adapter-values.yaml", content=yaml_text(adapter_rules())),
    ]
    for name, (fewest, most) in _OVERLAYS.items():
        files += _overlay(order, name, fewest, most)
    return [
        *files,
        *build_files(order),
        *common_files(order),
        GeneratedFile(path="README.md", content=readme_text(order, "Kubernetes", _steps())),
    ]


def _steps() -> list[str]:
    return [
        "A default storage class with ReadWriteMany, NVIDIA's device plugin and GPU feature discovery are needed.",
        "`kubectl create namespace` for the one that `overlays/production/kustomization.yaml` names.",
        "`kubectl apply -k overlays/production` starts the build job, which waits for the ONNX file.",
        "`./upload_source.sh` hands it over. The job builds on the GPU that will serve, and keeps the engine.",
        "The pods wait for the engine, then answer. It is not the build that was measured: run the smoke test.",
        "Scaling on queue time needs the Prometheus adapter with `monitoring/prometheus-adapter-values.yaml`.",
    ]


def _kustomization(fields: Node) -> Node:
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", **fields}


def _config_map(order: Order) -> Node:
    return {"name": f"{order.label}-config", "files": ["config.pbtxt"]}


def labels(order: Order) -> dict[str, str]:
    """The labels that select the pods."""
    return {"app.kubernetes.io/name": order.label, "app.kubernetes.io/component": "triton"}


def meta(order: Order, suffix: str = "") -> Node:
    """Name and labels of an object."""
    return {"name": f"{order.label}{suffix}", "labels": labels(order)}


def _deployment(order: Order) -> Node:
    scraped = {"prometheus.io/scrape": "true", "prometheus.io/port": str(_PORTS["metrics"])}
    annotations = {"enginescope/tag": order.tag, "enginescope/model-sha256": order.passport.model_sha256}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta(order) | {"annotations": annotations},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels(order)},
            # A surge pod would want one more GPU than there may be.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "template": {
                "metadata": {"labels": labels(order), "annotations": scraped},
                "spec": _pod(order),
            },
        },
    }


def _pod(order: Order) -> Node:
    return {
        "nodeSelector": node_selector(order),
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "terminationGracePeriodSeconds": 60,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000},
        "initContainers": [_assembler(order)],
        "containers": [_triton(order)],
        "volumes": [
            {"name": "plans", "persistentVolumeClaim": {"claimName": f"{order.label}-plans", "readOnly": True}},
            {"name": "config", "configMap": {"name": f"{order.label}-config"}},
            {"name": "models", "emptyDir": {}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
        ],
    }


def _assembler(order: Order) -> Node:
    """Waits for the engine of the build job, and lays out the model repository."""
    plan, folder = f"/plans/current/{order.name}/model.plan", f"/models/{order.name}"
    script = (
        "set -eu\n"
        f"until [ -s {plan} ]; do\n  echo 'waiting for the build job'\n  sleep 5\ndone\n"
        f"mkdir -p {folder}/1\ncp /config/config.pbtxt {folder}/config.pbtxt\ncp {plan} {folder}/1/model.plan\n"
    )
    return {
        "name": "assemble",
        "image": order.target.image,
        "command": ["sh", "-c", script],
        "securityContext": _locked_down(),
        "volumeMounts": [
            {"name": "plans", "mountPath": "/plans", "readOnly": True},
            {"name": "config", "mountPath": "/config", "readOnly": True},
            {"name": "models", "mountPath": "/models"},
        ],
    }


def _triton(order: Order) -> Node:
    return {
        "name": "triton",
        "image": order.target.image,
        "command": ["tritonserver"],
        "args": server_words(order),
        "ports": [{"name": name, "containerPort": port} for name, port in _PORTS.items()],
        "resources": {
            "requests": {"cpu": "2", "memory": "4Gi"},
            "limits": {"memory": "16Gi", "nvidia.com/gpu": order.wish.gpus},
        },
        "startupProbe": _probe("/v2/health/ready", period=5, failures=120),
        "readinessProbe": _probe("/v2/health/ready", period=5, failures=3),
        "livenessProbe": _probe("/v2/health/live", period=10, failures=3),
        "securityContext": _locked_down(),
        "volumeMounts": [
            {"name": "models", "mountPath": "/models", "readOnly": True},
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - the pod's own shared memory
        ],
    }


def _probe(path: str, *, period: int, failures: int) -> Node:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


def _locked_down() -> Node:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _service(order: Order) -> Node:
    ports = [{"name": name, "port": port, "targetPort": name} for name, port in _PORTS.items()]
    spec = {"type": "ClusterIP", "selector": labels(order), "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta(order), "spec": spec}


def _autoscaler(order: Order) -> Node:
    metric = {
        "type": "Pods",
        "pods": {
            "metric": {"name": AUTOSCALER_METRIC},
            "target": {"type": "AverageValue", "averageValue": _QUEUE_MS},
        },
    }
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": meta(order),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": order.label},
            "minReplicas": 1,
            "maxReplicas": 2,
            "metrics": [metric],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
        },
    }


def _disruption(order: Order) -> Node:
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": labels(order)}}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta(order), "spec": spec}


def _overlay(order: Order, name: str, fewest: int, most: int) -> list[GeneratedFile]:
    folder = f"overlays/{name}"
    listed = {
        "namespace": f"{order.label}-{name}"[:63],
        "bases": ["../../base", "../../build"],
        "patchesStrategicMerge": ["replicas.yaml", "scaling.yaml"],
    }
    replicas = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": order.label},
        "spec": {"replicas": fewest},
    }
    scaling = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": order.label},
        "spec": {"minReplicas": fewest, "maxReplicas": most},
    }
    return [
        GeneratedFile(path=f"{folder}/kustomization.yaml", content=yaml_text(_kustomization(listed))),
        GeneratedFile(path=f"{folder}/replicas.yaml", content=yaml_text(replicas)),
        GeneratedFile(path=f"{folder}/scaling.yaml", content=yaml_text(scaling)),
    ]
