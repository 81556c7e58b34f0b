"""
What a busy manager talks to, each in a process of its own on the sender's CPU: a policy service, a
simulated firewall and a log service.

They give way to the load generator, so that what they cost does not thin out the load.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from attrs import define

from bench.bench_update import PASSWORD, addresses
from bench.intake_receivers import SENDER_CPU
from tscm.services.entries import add_entry
from tscm.settings.layout import Layout

BLOCK, ALLOW = "block.example", "allow.example"
_ALLOWED = 200


@define
class Asides:
    """The three; *told* is what `tscm_receiver` needs to know of them."""

    logs_root: Path
    control_url: str
    told: dict[str, Any]

    def uploaded_lines(self) -> int:
        """In all batches that the log service took."""
        stored = Layout(self.logs_root).portal.glob("uploads/*/*.log*")
        return sum(int(one.name.split("~")[1]) for one in stored)

    def requests(self) -> int:
        """How many the firewall was asked."""
        counts = httpx.get(f"{self.control_url}/counts").json()
        return sum(counts["requests"].values())


@contextmanager
def asides(devices: int, entries: int) -> Iterator[Asides]:
    """All three: *devices* may upload, the first of them has a firewall and lists to fetch."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="tscm-bench-aside-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        logs_root, upload = _log_service(stack, folder / "logs", devices)
        control_url, firewall = _firewall(stack, folder)
        update = _policy_service(stack, folder / "policy", entries) | firewall
        yield Asides(logs_root, control_url, {"upload": upload, "update": update})


def _log_service(stack: ExitStack, root: Path, devices: int) -> tuple[Path, dict[str, Any]]:
    portal, known = Layout(root).portal, {}
    for number in range(devices):
        entry = add_entry(portal, nickname=f"fw{number}", address=f"192.0.2.{number + 1}")
        assert entry.device_key is not None
        known[f"fw{number}"] = (entry.device_id, entry.device_key.reveal())
    found = _started(stack, root, ["tscm-portal", "--root", str(root), "--logs", "127.0.0.1:0"])
    url = f"https://{found['logs'][0]}"
    return root, {"url": url, "ca_file": found["certificate"], "devices": known}


def _policy_service(stack: ExitStack, root: Path, entries: int) -> dict[str, Any]:
    """With two block lists that share no entry, to be published in turns."""
    portal = Layout(root).portal
    add_entry(portal, nickname="bench", address="127.0.0.1", block_list=BLOCK, allow_list=ALLOW)
    lists = portal / "lists"
    lists.mkdir(parents=True, exist_ok=True)
    (lists / f"{ALLOW}.txt").write_text("\n".join(addresses(_ALLOWED, 3_000_000)), "ascii")
    turns = []
    for turn in range(2):
        turns.append(root / f"turn-{turn}")
        turns[turn].write_text("\n".join(addresses(entries, turn * 1_000_000)) + "\n", "ascii")
    published = lists / f"{BLOCK}.txt"
    shutil.copyfile(turns[1], published)
    found = _started(stack, root, ["tscm-portal", "--root", str(root), "--dns", "127.0.0.1:0"])
    return {
        "server": found["dns"][0],
        "turns": list(map(str, turns)),
        "published": str(published),
        "entries": entries,
        "block_list": BLOCK,
        "allow_list": ALLOW,
    }


def _firewall(stack: ExitStack, folder: Path) -> tuple[str, dict[str, Any]]:
    """Without a memory budget, which no platform has that is sold, and without added latency."""
    password = folder / "password"
    password.write_text(PASSWORD + "\n", "ascii")
    words = ["--username", "admin", "--password-file", str(password), "--profile", "5585"]
    places = ["--https", "127.0.0.1:0", "--control", "127.0.0.1:0"]
    switch = ["--switch", "enforce_budget=false"]
    found = _started(stack, folder / "firewall", ["tscm-asa", *words, *places, *switch])
    known = {"rest_url": found["api_url"], "fingerprint": found["fingerprint"]}
    return found["control_url"], known | {"username": "admin", "password": PASSWORD}


def _started(stack: ExitStack, root: Path, words: Sequence[str]) -> Any:
    """What `twistd` with these words says of itself once it is up; it ends with *stack*."""
    root.mkdir(parents=True, exist_ok=True)
    ready, twistd = root / "ready", Path(sys.executable).with_name("twistd")
    with (root / "output").open("wb") as output:
        process = subprocess.Popen(
            [twistd, "-n", "--pidfile=", *words, "--ready", ready],
            stdout=output,
            stderr=output,
            preexec_fn=_give_way,  # noqa: PLW1509
        )
    stack.callback(_end, process)
    for _ in range(600):
        if ready.exists():
            return json.loads(ready.read_text("utf-8"))
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"{words[0]} did not begin: {(root / 'output').read_text('utf-8')}")


def _give_way() -> None:
    os.sched_setaffinity(0, {SENDER_CPU})
    os.nice(10)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    process.wait(30)
