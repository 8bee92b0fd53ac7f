"""Docker Compose: Triton, Prometheus that scrapes it, Grafana with a dashboard."""

from __future__ import annotations

import json

from trt_core.deploy.grafana import dashboard
from trt_core.deploy.metrics import alert_rules
from trt_core.deploy.order import Order
from trt_core.deploy.serving import plugin_files, plugin_mounts, server_words
from trt_core.deploy.triton import common_files, readme_text, repository_files
from trt_core.deploy.yaml_text import Node, yaml_text
from trt_core.domain.deployment import GeneratedFile

PROMETHEUS_IMAGE = "prom/prometheus:v2.53.0"
GRAFANA_IMAGE = "grafana/grafana:11.1.0"


def compose_bundle(order: Order) -> list[GeneratedFile]:
    """A folder for `docker compose up`."""
    steps = [
        "`cp .env.example .env`, and set a password in it.",
        "`docker compose up --detach --wait` starts Triton, Prometheus and Grafana, on 127.0.0.1 only.",
        "Grafana is at http://127.0.0.1:3000, with the dashboard in place.",
    ]
    return [
        GeneratedFile(path="docker-compose.yml", content=yaml_text(_services(order))),
        GeneratedFile(path=".env.example", content=b"GRAFANA_PASSWORD=\n"),
        *monitoring_files(order),
        *repository_files(order),
        *plugin_files(order),
        *common_files(order),
        GeneratedFile(path="README.md", content=readme_text(order, "Docker Compose", steps)),
    ]


def _services(order: Order) -> Node:
    return {
        "services": {"triton": _triton(order), "prometheus": _prometheus(), "grafana": _grafana()},
        "volumes": {"prometheus-data": {}, "grafana-data": {}},
    }


def _triton(order: Order) -> Node:
    gpus = {"driver": "nvidia", "count": order.wish.gpus, "capabilities": ["gpu"]}
    return {
        "image": order.target.image,
        "command": ["tritonserver", *server_words(order)],
        "restart": "unless-stopped",
        "shm_size": "1gb",
        "ports": [f"127.0.0.1:{port}:{port}" for port in (8000, 8001, 8002)],
        "volumes": ["./model_repository:/models:ro", *plugin_mounts(order)],
        "deploy": {"resources": {"reservations": {"devices": [gpus]}}},
        "healthcheck": _health("curl -fsS http://localhost:8000/v2/health/ready", start="120s"),
    }


def _prometheus() -> Node:
    return {
        "image": PROMETHEUS_IMAGE,
        "restart": "unless-stopped",
        "command": ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.retention.time=15d"],
        "ports": ["127.0.0.1:9090:9090"],
        "volumes": ["./prometheus:/etc/prometheus:ro", "prometheus-data:/prometheus"],
        "healthcheck": _health("wget -q --spider http://localhost:9090/-/healthy"),
        "depends_on": {"triton": {"condition": "service_healthy"}},
    }


def _grafana() -> Node:
    return {
        "image": GRAFANA_IMAGE,
        "restart": "unless-stopped",
        "ports": ["127.0.0.1:3000:3000"],
        "environment": {
            "GF_SECURITY_ADMIN_PASSWORD": "${GRAFANA_PASSWORD:?set it in .env}",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        },
        "volumes": ["./grafana/provisioning:/etc/grafana/provisioning:ro", "grafana-data:/var/lib/grafana"],
        "healthcheck": _health("wget -q --spider http://localhost:3000/api/health"),
        "depends_on": {"prometheus": {"condition": "service_healthy"}},
    }


def _health(command: str, *, start: str = "20s") -> Node:
    return {"test": ["CMD-SHELL", command], "interval": "10s", "timeout": "5s", "retries": 6, "start_period": start}


def monitoring_files(order: Order) -> list[GeneratedFile]:
    """Prometheus's configuration and rules, and what Grafana provisions itself from."""
    scraped = {"job_name": "triton", "static_configs": [{"targets": ["triton:8002"]}]}
    prometheus = {
        "global": {"scrape_interval": "5s", "evaluation_interval": "15s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [scraped],
    }
    source: Node = {"name": "Prometheus", "type": "prometheus", "uid": "prometheus", "access": "proxy"}
    source |= {"url": "http://prometheus:9090", "isDefault": True}
    provider = {"name": "enginescope", "type": "file", "options": {"path": "/etc/grafana/provisioning/dashboards"}}
    board = json.dumps(dashboard(order.name, f"Triton: {order.name}"), indent=2) + "\n"
    folder = "grafana/provisioning"
    return [
        GeneratedFile(path="prometheus/prometheus.yml", content=yaml_text(prometheus)),
        GeneratedFile(path="prometheus/rules.yml", content=yaml_text(alert_rules(order.name))),
        GeneratedFile(
            path=f"{folder}/datasources/prometheus.yml", content=yaml_text({"apiVersion": 1, "datasources": [source]})
        ),
        GeneratedFile(
            path=f"{folder}/dashboards/provider.yml", content=yaml_text({"apiVersion": 1, "providers": [provider]})
        ),
        GeneratedFile(path=f"{folder}/dashboards/triton.json", content=board.encode()),
    ]
