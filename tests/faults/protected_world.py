"""
A firewall in a process of its own, and a manager with lists for it in files.
"""

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from attrs import define

from tests.manager.manager_process import TWISTD, Manager, wait_for

COUNT = 40
SETTINGS = """
[listen]
udp = ["127.0.0.1:0"]
tcp = []
metrics = ["127.0.0.1:0"]
[policy]
allow_special = true
[[policy.feeds]]
name = "block.example"
url = "file://{folder}/block"
[[policy.feeds]]
name = "allow.example"
url = "file://{folder}/allow"
[[policy.feeds]]
name = "bomb.example"
url = "file://{folder}/bomb"
"""
GROUPS = ("ThreatSTOP-Block", "ThreatSTOP-Allow")


@define(eq=False)
class Firewall:
    """The simulator as its users start it."""

    process: "subprocess.Popen[bytes]"
    told: dict[str, Any]

    def groups(self) -> int:
        """How many of ours it has."""
        return self.text().count("object-group network ThreatSTOP-")

    def text(self) -> str:
        """Its running configuration."""
        url = f"{self.told['control_url']}/running-config"
        return httpx.get(url, timeout=60, trust_env=False).text

    def type(self, *lines: str) -> None:
        """An outside change."""
        url = f"{self.told['control_url']}/lines"
        body = {"lines": lines}
        httpx.post(url, json=body, timeout=60, trust_env=False).raise_for_status()


@define(eq=False, repr=False)
class World:
    manager: Manager
    firewall: Firewall

    def device(self, name: str, **changes: Any) -> Any:
        """Add a device as `tsadmin` does."""
        settings = {
            "name": name,
            "device_id": f"tdid_{name}",
            "device": "127.0.0.1",
            "rest_url": self.firewall.told["api_url"],
            "allow_self_signed": True,
            "block_list": "block.example",
            "allow_list": "allow.example",
            "username": "admin",
            "password": "secret",
            **changes,
        }
        return self.manager.command("POST", "/v1/devices", {"settings": settings})

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return self.manager.command(method, f"/v1/devices/fw{path}", body)

    def page(self, path: str) -> str:
        place = self.manager.ask("/v1/status")["metrics"][0]
        return httpx.get(f"http://{place}{path}", timeout=60, trust_env=False).text

    def row(self) -> Any:
        (row,) = self.manager.command("GET", "/v1/fleet")["result"]
        return row


def ready(_: Manager) -> None:
    """Nothing has to be made ready."""


@contextlib.contextmanager
def protected_world(
    folder: Path, settings: str = SETTINGS, prepare: Callable[[Manager], None] = ready
) -> Iterator[World]:
    """A firewall and a manager beside it; *prepare* is called before that begins."""
    (folder / "block").write_text("".join(f"198.51.100.{n}\n" for n in range(0, 2 * COUNT, 2)))
    (folder / "allow").write_text("")
    (folder / "password").write_text("secret\n")
    told = folder / "ready.json"
    process = subprocess.Popen(
        [
            *TWISTD, "tscm-asa", "--https", "127.0.0.1:0", "--control", "127.0.0.1:0",
            "--password-file", str(folder / "password"), "--ready", str(told),
        ],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    manager = Manager(folder / "node", settings.replace("{folder}", str(folder)))
    try:
        wait_for(told.exists, lambda: f"no simulator: {process.poll()}")
        prepare(manager)
        manager.start()
        yield World(manager, Firewall(process, json.loads(told.read_text())))
    finally:
        manager.stop()
        process.terminate()
        process.wait(60)
