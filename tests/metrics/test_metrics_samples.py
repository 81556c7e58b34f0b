"""
The dashboard and the alert rules under etc/ ask for what the manager's metrics are, and a real Prometheus takes them.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.manager.manager_process import SETTINGS, Manager, send_udp, wait_for
from tests.ports import held_port
from tests.waiting import PATIENCE_SECONDS
from tscm.intake.figures import IntakeFigures
from tscm.metrics.families import families
from tscm.services.figures import LogServiceFigures
from tscm.spool.figures import LogFigures
from tscm.state import NodeFigures, Watched, WatchedDevice
from tscm.update.figures import UpdateFigures

ETC = Path(__file__).parent.parent.parent / "etc"
RULES = ETC / "prometheus" / "tscm.rules.yml"
DASHBOARD = ETC / "grafana" / "tscm.json"
OF_A_SCRAPE = {"instance", "job"}
NAME = re.compile(r"\b(tscm_[a-z_]+)(?:\{([^}]*)\})?")
BY = re.compile(r"\bby \(([^)]*)\)")


def metrics() -> dict[str, set[str]]:
    """The series that there are, with their labels."""
    figures = Watched(
        now=2.0,
        node=NodeFigures(devices=1, database_bytes=1, backup_at=1.0),
        intake=IntakeFigures(),
        uploads=LogServiceFigures(),
        balanced=True,
        devices={"a": WatchedDevice(policy=UpdateFigures(), log=LogFigures(), lag_seconds={})},
    )
    found = {}
    for family in families(figures):
        series = f"{family.name}_total" if family.kind == "counter" else family.name
        found[series] = set(family.labels)
    return found


def alerts() -> list[tuple[str, str, str]]:
    """Name, expression and annotations of each rule."""
    text = RULES.read_text("utf-8")
    found = re.findall(r"- alert: (\w+)\n\s+expr: ([^\n]+)\n(.*?)(?=\n\n|\Z)", text, re.DOTALL)
    assert len(found) == text.count("- alert:")
    return found


def questions() -> list[tuple[str, str]]:
    """Expression and legend of each line of the dashboard."""
    board = json.loads(DASHBOARD.read_text("utf-8"))
    found = [
        (one["expr"], one["legendFormat"]) for panel in board["panels"] for one in panel["targets"]
    ]
    found += [
        (one["query"]["query"], "") for one in board["templating"]["list"] if one["type"] == "query"
    ]
    assert len(found) > 20
    return found


def labels_of(expression: str) -> set[str]:
    """The labels that its answer has; fails on a name or label that no metric has."""
    known, left = metrics(), set[str]()
    named = NAME.findall(expression)
    assert named or "up{" in expression, expression
    for name, matched in named:
        assert name in known, f"{name} in {expression}"
        assert set(re.findall(r"(\w+)\s*[=!]", matched)) <= known[name], expression
        left |= known[name]
    for several in BY.findall(expression):
        by = {one.strip() for one in several.split(",")}
        assert by <= left | OF_A_SCRAPE, expression
        left = by
    return left | OF_A_SCRAPE


@pytest.mark.parametrize("alert", alerts(), ids=lambda one: one[0])
def test_an_alert_asks_for_what_there_is(alert: tuple[str, str, str]) -> None:
    _, expression, annotations = alert
    assert set(re.findall(r"\$labels\.(\w+)", annotations)) <= labels_of(expression)
    assert "summary:" in annotations
    assert "action:" in annotations


@pytest.mark.parametrize("question", questions(), ids=lambda one: one[0][:60])
def test_a_panel_asks_for_what_there_is(question: tuple[str, str]) -> None:
    expression, legend = question
    assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= labels_of(expression)


def test_the_verdicts_and_actions_that_are_named_are_words_of_ours() -> None:
    from tscm.standing import Verdict

    text = RULES.read_text("utf-8") + DASHBOARD.read_text("utf-8").replace('\\"', '"')
    asked = {word for some in re.findall(r'verdict=~?"([^"]+)"', text) for word in some.split("|")}
    assert asked
    assert asked <= {str(one) for one in Verdict}


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path, f'{SETTINGS}metrics = ["127.0.0.1:{held_port()}"]\n')
    made.write_device("fw")
    made.start()
    yield made
    made.stop()


class Prometheus:
    """A server of its own; ended by its process id."""

    def __init__(self, folder: Path, target: str) -> None:
        self.log = folder / "prometheus.log"
        shutil.copy(RULES, folder)
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            f"rule_files: [{RULES.name}]\n"
            "scrape_configs:\n"
            f'  - {{job_name: tscm, static_configs: [{{targets: ["{target}"]}}]}}\n'
        )
        port = held_port()
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS, trust_env=False
        )
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=log,
                stderr=log,
            )

    def said(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def ask(self, path: str, **query: str) -> Any:
        answer = self.client.get(f"/api/v1/{path}", params=query).json()
        assert answer["status"] == "success", (query, answer)
        return answer["data"]

    def value(self, expression: str) -> float | None:
        try:
            if self.client.get("/-/ready").status_code != httpx.codes.OK:
                return None
        except httpx.TransportError:  # not there yet
            assert self.process.poll() is None, self.said()
            return None
        found = self.ask("query", query=expression)["result"]
        return float(found[0]["value"][1]) if found else None

    def end(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)


@pytest.mark.peer("prometheus")
def test_a_real_prometheus_scrapes_the_manager_and_evaluates_all_of_it(
    tmp_path: Path, manager: Manager
) -> None:
    checked = subprocess.run(
        ["promtool", "check", "rules", str(RULES)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    send_udp(manager.port("udp"), b"<166>one", b"<166>two")
    manager.when_lines("fw", 2)
    folder = tmp_path / "prometheus"
    folder.mkdir()
    server = Prometheus(folder, manager.ask("/v1/status")["metrics"][0])
    try:
        wait_for(
            lambda: server.value('tscm_device_stored_lines_total{device="fw"}') == 2, server.said
        )
        assert server.value("tscm_ledger_balanced") == 1
        for expression, _ in questions():
            if not expression.startswith("label_values"):
                filled = expression.replace("$device", ".*").replace("$__rate_interval", "1m")
                server.ask("query", query=filled)
        rules = {one: "unknown" for one, _, _ in alerts()}

        def evaluated() -> bool:
            for group in server.ask("rules")["groups"]:
                rules.update({one["name"]: one["health"] for one in group["rules"]})
            return "unknown" not in rules.values()

        wait_for(evaluated, lambda: str(rules))
        assert set(rules.values()) == {"ok"}
        assert server.value('ALERTS{alertname="TscmDown"}') is None
        manager.stop()
        wait_for(
            lambda: server.value('ALERTS{alertname="TscmDown",alertstate="pending"}') == 1,
            server.said,
        )
    finally:
        server.end()
