"""The job that builds the engine in the cluster, on the GPU that will run it, and keeps it for the next time."""

from __future__ import annotations

import hashlib

from trt_core.deploy.building import build_image, build_script
from trt_core.deploy.order import Order
from trt_core.deploy.templating import filled
from trt_core.deploy.yaml_text import Node, yaml_text
from trt_core.domain.deployment import GeneratedFile


def build_files(order: Order) -> list[GeneratedFile]:
    """`build/`: the claim for engines, the job with its script, and what hands the ONNX file over."""
    script = build_script(order)
    job = job_name(order)
    listed = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["claim.yaml", "job.yaml"],
        "configMapGenerator": [{"name": f"{order.label}-build", "files": ["build_plan.sh"]}],
    }
    upload = filled(
        "upload_source.sh",
        job=job,
        folder=_source(order),
        namespace=f"{order.label}-production"[:63],
        calibration="yes" if order.implicit else "",
    )
    return [
        GeneratedFile(path="build/kustomization.yaml", content=yaml_text(listed)),
        GeneratedFile(path="build/claim.yaml", content=yaml_text(_claim(order))),
        GeneratedFile(path="build/job.yaml", content=yaml_text(_job(order, job))),
        GeneratedFile(path="build/build_plan.sh", content=script.content, executable=True),
        GeneratedFile(path="upload_source.sh", content=upload, executable=True),
    ]


def node_selector(order: Order) -> dict[str, str]:
    """Labels that NVIDIA's GPU feature discovery puts on nodes: the compute capability of the engine."""
    sm = order.target.sm
    if sm is None:
        raise ValueError("a selector needs an architecture")
    return {"nvidia.com/gpu.compute.major": str(sm.major), "nvidia.com/gpu.compute.minor": str(sm.minor)}


def job_name(order: Order) -> str:
    """A name made from what decides the engine: a job cannot be changed, so that another engine is another job."""
    script = build_script(order).content
    key = hashlib.sha256(order.passport.model_sha256.encode() + order.target.tensorrt.encode() + script).hexdigest()[:8]
    return f"{order.label}-build"[:54].rstrip("-") + f"-{key}"


def _source(order: Order) -> str:
    kind = f"{order.passport.precision.value}{'-calibrated' if order.implicit else ''}"
    return f"/plans/source/{order.passport.model_sha256[:16] or 'model'}-{kind}"


def _claim(order: Order) -> Node:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"{order.label}-plans"},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "20Gi"}}},
    }


def _job(order: Order, name: str) -> Node:
    labels = {"app.kubernetes.io/name": order.label, "app.kubernetes.io/component": "build"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "backoffLimit": 2,
            "activeDeadlineSeconds": 14400,
            "ttlSecondsAfterFinished": 604800,
            "template": {"metadata": {"labels": labels}, "spec": _pod(order)},
        },
    }


def _pod(order: Order) -> Node:
    source, plan = _source(order), f"/plans/current/{order.name}/model.plan"
    mounted = [{"name": "plans", "mountPath": "/plans"}]
    wait = (
        f"set -eu\nmkdir -p {source}\nuntil [ -e {source}/ready ]; do\n  echo 'waiting for the ONNX'\n  sleep 5\ndone\n"
    )
    locked = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    image = build_image(order)
    return {
        "restartPolicy": "Never",
        "nodeSelector": node_selector(order),
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000},
        "initContainers": [
            {
                "name": "source",
                "image": image,
                "command": ["sh", "-c", wait],
                "securityContext": locked,
                "volumeMounts": mounted,
            }
        ],
        "containers": [
            {
                "name": "build",
                "image": image,
                "command": ["bash", "/scripts/build_plan.sh", f"{source}/model.onnx", plan, "/plans/cache"],
                "resources": {"limits": {"memory": "32Gi", "nvidia.com/gpu": 1}, "requests": {"cpu": "4"}},
                "securityContext": locked,
                "volumeMounts": [*mounted, {"name": "scripts", "mountPath": "/scripts", "readOnly": True}],
            }
        ],
        "volumes": [
            {"name": "plans", "persistentVolumeClaim": {"claimName": f"{order.label}-plans"}},
            {"name": "scripts", "configMap": {"name": f"{order.label}-build"}},
        ],
    }
