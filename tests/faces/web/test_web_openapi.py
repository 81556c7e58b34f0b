"""
The API held against its own description: requests that schemathesis makes of it, to a manager and a page of their own.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.faces.web.test_web_process import ended, shown_certificate, started, tsadmin
from tests.manager.manager_process import Manager
from tests.ports import held_port
from tests.waiting import PATIENCE_SECONDS

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
]
ASIDE = {
    "doctor",
    "doctor_device",
    "test",
    "prospect",
    "openapi",
}
"""What examines the host or asks a firewall takes seconds each time, and answers what other calls answer."""
EXAMPLES = 4


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, requests.Session]]:
    """Where the API is, and a session with the key of an admin."""
    root = tmp_path_factory.mktemp("api")
    port = held_port()
    manager = Manager(
        root,
        '[listen]\nudp = ["127.0.0.1:0"]\ntcp = []\n[policy]\nservers = ["127.0.0.1:9"]\n'
        f'[control]\ndelegates = ["{os.getuid()}"]\n[web]\nlisten = ["127.0.0.1:{port}"]\n',
    )
    manager.write_device("office")
    manager.start()
    web: subprocess.Popen[bytes] | None = None
    try:
        web = started(root, "tscm-web")
        shown_certificate(port)
        made = tsadmin(root, "web", "keys", "add", "fuzz", "--role", "admin", "--expires", "1d")
        assert made.returncode == 0, made.stderr
        session = requests.Session()
        session.trust_env = False  # a machine may name another bundle, or a proxy
        session.verify = str(root / "var/lib/tscm/web/page.crt")
        session.headers["Authorization"] = f"Bearer {made.stdout.strip()}"
        yield f"https://127.0.0.1:{port}", session
    finally:
        if web is not None:
            assert ended(web)
        manager.stop()
    for log in ("manager.log", "tscm-web.log"):
        assert "Traceback" not in (root / log).read_text("utf-8")


def send(case: Any, url: str, session: requests.Session) -> Any:
    """Send it; once more where the key is told to wait."""
    for _ in range(20):
        response = case.call(
            base_url=url, session=session, timeout=PATIENCE_SECONDS, verify=session.verify
        )
        if response.status_code != 429:
            return response
        time.sleep(0.3)
    raise AssertionError("told to wait without end")


def test_every_call_answers_as_it_is_described(api: tuple[str, requests.Session]) -> None:
    url, session = api
    described = session.get(
        f"{url}/api/v1/openapi.json", timeout=PATIENCE_SECONDS, verify=session.verify
    ).json()
    good: set[str] = set()
    schema: Any = schemathesis.openapi.from_dict(described)
    for found in schema.get_all_operations():
        operation = found.ok()
        name = operation.definition.raw["operationId"]
        if name not in ASIDE:
            for mode in schemathesis.GenerationMode:
                good |= answered(operation, mode, url, session)
    assert {"status", "devices", "fleet", "jobs", "ledger", "entries"} <= good


def answered(operation: Any, mode: Any, url: str, session: requests.Session) -> set[str]:
    """The operation's name where any of its requests, which all keep to the description, was carried out."""
    good = set()
    checks = [*CHECKS, negative_data_rejection] if mode.is_negative else CHECKS
    count = 0

    @settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case: Any) -> None:
        nonlocal count
        count += 1
        if mode.is_positive and count % 2 and "name" in case.path_parameters:
            case.path_parameters["name"] = "office"
        response = send(case, url, session)
        case.validate_response(response, checks=checks)
        if response.status_code < 300:
            good.add(operation.definition.raw["operationId"])

    holds()
    return good


def test_a_change_stands_in_the_audit_under_the_name_of_the_key(
    api: tuple[str, requests.Session],
) -> None:
    url, session = api
    entry = {"action": "block", "cidr": "198.51.100.7", "reason": "a test", "held": True}
    session.post(  # good or not, as the calls before have left the devices: it is audited
        f"{url}/api/v1/entries", json=entry, timeout=PATIENCE_SECONDS, verify=session.verify
    )
    told = session.get(
        f"{url}/api/v1/audit", timeout=PATIENCE_SECONDS, verify=session.verify
    ).json()
    mine = [one for one in told["entries"] if one["operation"] == "enter"]
    assert mine
    assert {one["on_behalf_of"] for one in mine} == {"key:fuzz"}
