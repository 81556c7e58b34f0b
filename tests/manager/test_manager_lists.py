"""
A firewall that pulls, from `add` to `remove`, by a manager in a process of its own.
"""

import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.manager.manager_process import LIMIT_SECONDS, Manager, wait_for
from tscm.settings.layout import Layout

SETTINGS = """
address = "127.0.0.1"
[listen]
udp = ["127.0.0.1:0"]
tcp = []
lists = ["127.0.0.1:0"]
lists_names = ["127.0.0.1"]
[policy]
allow_special = true
[[policy.feeds]]
name = "block.example"
url = "file://{folder}/block"
[[policy.feeds]]
name = "allow.example"
url = "file://{folder}/allow"
"""
GIVEN = {
    "type": "fortinet",
    "name": "edge",
    "device_id": "tdid_abcd1234",
    "device": "127.0.0.1",
    "block_list": "block.example",
    "allow_list": "allow.example",
    "policy_updates": False,
    "send_logs": False,
}
DENIED = b'<188>type="traffic" srcip=203.0.113.7 srcport=5 dstip=10.0.0.1 dstport=443 proto=6 action="deny" policyname="b"'


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    (tmp_path / "block").write_text("203.0.113.0/24\n198.51.100.7\n")
    (tmp_path / "allow").write_text("8.8.8.8\n")
    made = Manager(tmp_path, SETTINGS.format(folder=tmp_path))
    made.start()
    yield made
    made.stop()


def pull(manager: Manager, path: str, **headers: str) -> httpx.Response:
    port = manager.ask("/v1/status")["lists"][0].rpartition(":")[2]
    trusting = ssl.create_default_context(
        cafile=str(Layout(manager.layout.root).lists / "lists.crt")
    )
    with httpx.Client(verify=trusting, timeout=LIMIT_SECONDS) as client:
        return client.get(f"https://127.0.0.1:{port}{path}", headers=headers)


def result(answer: Any) -> Any:
    assert "result" in answer, answer
    return answer["result"]


def test_a_firewall_that_pulls_is_added_served_counted_purged_and_removed(
    manager: Manager,
) -> None:
    added = result(manager.command("POST", "/v1/devices", {"settings": GIVEN}))
    assert added["on"] == "firewall"
    assert added["settings"]["pull_secret"] == "********"
    assert added["settings"]["max_policy_size"] == 131_072
    found = re.search(
        r'set resource "https://127.0.0.1[^/]*(/edge/[0-9a-f]{40}/block.txt)"', added["lines"]
    )
    assert found is not None, added["lines"]
    path = found[1]
    secret = path.split("/")[2]
    assert secret not in manager.layout.device_file("edge").read_text()
    assert secret not in manager.said()
    assert pull(manager, path).status_code == 503

    done = result(manager.command("POST", "/v1/devices/edge/update", {}))
    assert done["result"] == "changed", done
    answer = pull(manager, path)
    assert (answer.status_code, answer.text) == (200, "198.51.100.7\n203.0.113.0/24\n")
    assert pull(manager, path, **{"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert pull(manager, path.replace(secret, "0" * 40)).status_code == 404
    pulls = manager.ask("/v1/devices/edge")["state"]["pulls"]
    assert (pulls["generation"], pulls["entries"], pulls["fault"]) == (1, 2, "")
    assert [(one["peer"], one["generation"], one["count"]) for one in pulls["pulled"]] == [
        ("127.0.0.1", 1, 2)
    ]

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(DENIED, ("127.0.0.1", manager.port("udp")))

    def hits() -> int:
        asked = manager.command("POST", "/v1/devices/edge/report", {"by": "entry"})
        return int(asked.get("result", {}).get("hits", 0))

    wait_for(lambda: hits() == 1, manager.said)

    manager.stop()
    manager.start()  # who pulled is known over a restart
    pulls = manager.ask("/v1/devices/edge")["state"]["pulls"]
    assert pulls["pulled"][0]["count"] == 2

    findings = {
        one["link"]: one["verdict"]
        for one in result(manager.command("POST", "/v1/devices/edge/doctor", {}))["findings"]
    }
    assert findings["publication"] == findings["last pull"] == findings["generation pulled"] == "ok"

    purged = result(manager.command("POST", "/v1/devices/edge/purge", {}))
    assert not purged["complete"]
    assert pull(manager, path).text == "192.0.2.1\n"
    assert result(manager.command("POST", "/v1/devices/edge/purge", {}))["complete"]
    gone = result(manager.command("DELETE", "/v1/devices/edge"))
    assert 'delete "ThreatSTOP-Block"' in gone["lines"]
    assert pull(manager, path).status_code == 404
    assert not (manager.layout.lists / "edge").exists()
