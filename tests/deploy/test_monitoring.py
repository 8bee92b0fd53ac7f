"""Compose, Prometheus and Grafana, each read by what it is for: Compose, promtool, and the schema of Grafana."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest
import yaml
from grafana_foundation_sdk.models import units

from tests.deploy.grafana import complaints, schema_release
from tests.deploy.tools import checked, tool
from trt_core.deploy.compose import GRAFANA_IMAGE
from trt_core.deploy.metrics import TRITON_METRICS, adapter_rules


def test_compose_reads_its_file(folders):
    shown = checked(
        "docker-compose", "config", cwd=folders / "compose", env={**os.environ, "GRAFANA_PASSWORD": "a secret"}
    )

    services = yaml.safe_load(shown)["services"]
    assert set(services) == {"triton", "prometheus", "grafana"}
    assert services["triton"]["image"] == "nvcr.io/nvidia/tritonserver:24.12-py3"
    assert all("healthcheck" in item for item in services.values())
    assert services["triton"]["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert all(":latest" not in item["image"] and ":" in item["image"] for item in services.values())


def test_compose_asks_for_a_password_instead_of_having_one(folders):
    environment = {name: value for name, value in os.environ.items() if name != "GRAFANA_PASSWORD"}
    answer = subprocess.run(
        [tool("docker-compose"), "config"],
        check=False,
        cwd=folders / "compose",
        env=environment,
        capture_output=True,
        text=True,
    )

    assert answer.returncode != 0
    assert "GRAFANA_PASSWORD" in answer.stdout + answer.stderr


def test_compose_listens_on_this_machine_only(folders):
    services = yaml.safe_load((folders / "compose/docker-compose.yml").read_text())["services"]

    assert all(port.startswith("127.0.0.1:") for item in services.values() for port in item["ports"])


def test_prometheus_reads_its_configuration_and_rules(folders):
    shown = checked("promtool", "check", "config", folders / "compose/prometheus/prometheus.yml")

    assert "4 rules found" in shown


def queries(folders) -> list[str]:
    board = json.loads((folders / "compose/grafana/provisioning/dashboards/triton.json").read_text())
    found = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    rule = adapter_rules()["rules"]["custom"][0]["metricsQuery"]
    found.append(rule.replace("<<.LabelMatchers>>", 'pod="a"').replace("<<.GroupBy>>", "pod"))
    return found


def test_every_query_of_the_dashboard_and_the_autoscaler_is_promql(folders, tmp_path):
    rules = [{"record": f"q:{number}", "expr": text} for number, text in enumerate(queries(folders))]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}))

    assert f"{len(rules)} rules found" in checked("promtool", "check", "rules", path)


def test_every_metric_is_one_of_tritons(folders):
    texts = [*queries(folders), (folders / "compose/prometheus/rules.yml").read_text()]

    named = {name for text in texts for name in re.findall(r"\bnv_[a-z_]+", text)}

    assert named
    assert named <= TRITON_METRICS


def board_of(folders) -> dict:
    return json.loads((folders / "compose/grafana/provisioning/dashboards/triton.json").read_text())


def test_the_dashboard_fits_the_schema_of_the_grafana_that_reads_it(folders):
    assert f"grafana/grafana:{schema_release()}" == GRAFANA_IMAGE
    assert complaints(board_of(folders)) == []


BREAKAGES = {
    "a panel without its type": lambda board: board["panels"][0].pop("type"),
    "a field that is none": lambda board: board["panels"][0].update(grid_pos={}),
    "a place in words": lambda board: board["panels"][0]["gridPos"].update(h="8"),
    "a query that is a number": lambda board: board["panels"][1]["targets"][0].update(expr=3),
    "an unknown field of a query": lambda board: board["panels"][1]["targets"][0].update(query="up"),
    "a tooltip of no known mode": lambda board: board["panels"][1]["options"]["tooltip"].update(mode="many"),
    "a legend on the left": lambda board: board["panels"][2]["options"]["legend"].update(placement="left"),
    "a legend that does not say whether it shows": lambda board: board["panels"][2]["options"]["legend"].pop(
        "showLegend"
    ),
    "a schema version in words": lambda board: board.update(schemaVersion="39"),
    "no variables": lambda board: board.pop("templating"),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_the_schema_catches_what_grafana_would_not_read(folders, breakage):
    board = board_of(folders)
    BREAKAGES[breakage](board)

    assert len(complaints(board)) == 1


def test_units_are_among_those_that_grafana_knows(folders):
    known = {value for name, value in vars(units).items() if not name.startswith("_")}

    assert {panel["fieldConfig"]["defaults"]["unit"] for panel in board_of(folders)["panels"]} <= known


def test_panels_have_numbers_of_their_own_and_do_not_cover_each_other(folders):
    board = board_of(folders)
    source = yaml.safe_load((folders / "compose/grafana/provisioning/datasources/prometheus.yml").read_text())

    assert 8 <= len(board["uid"]) <= 40
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        columns, rows = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        cells = {(x, y) for x in columns for y in rows}
        assert columns.stop <= 24
        assert not cells & taken
        taken |= cells
        assert [target["refId"] for target in panel["targets"]] == [chr(65 + i) for i in range(len(panel["targets"]))]
        assert panel["datasource"]["uid"] == source["datasources"][0]["uid"]
