"""
A proxy that hangs, cuts, swallows answers and refuses: each is told in words, and no line counts twice.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from tests.faults.fault_world import LISTEN, World
from tests.faults.probes import thorough
from tests.manager.manager_process import Manager, wait_for
from tests.portal import portal_process
from tests.soak.test_soak import uploaded
from tscm.portal.entries import add_entry
from tscm.portal.uploads import uploads_folder

NAME = "fw-one"
LINES = 1500


@define(eq=False)
class Proxy:
    """
    The misbehaving proxy and what it is told to do.
    """

    modes: Path
    process: "subprocess.Popen[bytes]"
    port: int

    def do(self, mode: str) -> None:
        self.modes.write_text(mode)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    place, modes = tmp_path / "proxy.port", tmp_path / "proxy.mode"
    modes.write_text("pass")
    script = Path(__file__).with_name("proxy_process.py")
    process = subprocess.Popen([sys.executable, str(script), str(place), str(modes)])
    wait_for(lambda: place.exists() and bool(place.read_text()), lambda: "no proxy")
    yield Proxy(modes, process, int(place.read_text()))
    process.kill()
    process.wait()


def hits(count: int, first: int) -> list[bytes]:
    """Policy lines that do not compress to nothing."""
    import hashlib

    return [
        b"<166>Nov 23 2026 10:00:00 fw-one : %%ASA-6-106100: access-list g denied tcp "
        b"outside/203.0.113.%d(%d) -> inside/10.0.0.1(443) hit-cnt 1 first hit [0x%s, 0x0]"
        % (n % 250, n % 60000, hashlib.sha256(b"%d" % n).hexdigest().encode())
        for n in range(first, first + count)
    ]


@thorough
def test_every_way_in_which_a_proxy_fails_is_told_and_no_line_is_lost_or_counted_twice(
    tmp_path: Path, proxy: Proxy
) -> None:
    root = tmp_path / "portal"
    root.mkdir()
    portal = root / "var/lib/tscm/portal"
    entry = add_entry(portal, nickname=NAME, address="127.0.0.1")
    logs, ready = portal_process.start(root, "--logs", "127.0.0.1:0")
    manager = Manager(
        tmp_path / "node",
        LISTEN
        + f'[upload]\nurl = "https://{ready["logs"][0]}"\nca_file = "{ready["certificate"]}"\n'
        "timeout_seconds = 2\n",
    )
    world = World(manager)
    key = entry.device_key
    assert key is not None
    world.add(
        NAME,
        None,
        device_id=entry.device_id,
        upload_key=key,
        log_proxy=f"http://127.0.0.1:{proxy.port}",
    )

    def tried() -> Any:
        return manager.command("POST", f"/v1/devices/{NAME}/logs")

    def stored() -> list[bytes]:
        return uploaded(uploads_folder(portal, entry.device_id))

    issued: list[bytes] = []
    try:
        manager.start()
        for mode, words in (
            ("hang", ("nothing sensible came behind it",)),
            # The kernels may have taken the whole of a small batch before the cut is noticed.
            ("cut", ("closed while the batch was being sent", "may have stored it")),
            ("refuse", ("502",)),
            ("swallow", ("may have stored it",)),
        ):
            proxy.do(mode)
            more = hits(LINES, len(issued))
            issued += more
            with world.connect(NAME) as out:
                out.sendall(b"".join(one + b"\n" for one in more))
            manager.when_lines(NAME, len(issued))
            failed = tried()
            sentence = failed["error"]["sentence"]
            assert any(one in sentence for one in words), (mode, sentence)
            upload = manager.ask(f"/v1/devices/{NAME}")["state"]["upload"]
            assert any(one in upload["last_error"] for one in words), (mode, upload)
            assert world.ledger()["balanced"]
            if mode == "swallow":  # over a kill, too, the batch keeps its key
                manager.stop(signal.SIGKILL)
                manager.start()
            proxy.do("pass")
            wait_for(lambda: "error" not in tried(), manager.said)
            assert stored() == issued, mode
        found = world.ledger()
        assert found["balanced"], found
        assert found["devices"][NAME]["readers"]["upload"]["sent"] == len(issued)
        assert "Traceback" not in manager.said()
    finally:
        manager.stop()
        portal_process.stop(logs)
