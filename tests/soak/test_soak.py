"""
The soak: paced load while SIEM and log service come and go and the manager is killed again and again.

Short in the everyday run; `make faults` lets it last half an hour (TSCM_SOAK_SECONDS).
"""

import gzip
import json
import os
import random
import signal
import time
from pathlib import Path

import zstandard

from tests.manager.manager_process import Manager, send_udp, wait_for
from tests.services import services_process
from tests.soak.oracle import Evidence, judge
from tests.soak.players import POLICY_EVERY, Sender, Siem, line
from tscm.services.entries import add_entry
from tscm.services.uploads import uploads_folder

SECONDS = float(os.environ.get("TSCM_SOAK_SECONDS", "30"))
KILL_EVERY = max(8.0, SECONDS / 30)
PER_SECOND = 400
SETTLE_SECONDS = 120.0


class Ports:
    """The manager's ports, which the first start chose."""

    udp = 0
    tcp = 0


def uploaded(folder: Path) -> list[bytes]:
    lines: list[bytes] = []
    for path in sorted(folder.glob("*.log*")):
        data = path.read_bytes()
        if path.suffix == ".zst":
            data = zstandard.ZstdDecompressor().stream_reader(data).read()
        elif path.suffix == ".gz":
            data = gzip.decompress(data)
        lines += data.split(b"\n")[:-1]
    return lines


def settle(manager: Manager, names: tuple[str, ...]) -> None:
    """Until nobody waits for anything any more."""

    def idle() -> bool:
        devices = manager.ask("/v1/ledger")["devices"]
        return all(
            devices[name]["readers"][reader]["waiting"] == 0
            for name in names
            for reader in ("forward", "upload", "events")
        )

    deadline = time.monotonic() + SETTLE_SECONDS
    while not idle():
        assert time.monotonic() < deadline, json.dumps(manager.ask("/v1/ledger"), indent=1)
        for name in names:
            manager.command("POST", f"/v1/devices/{name}/logs")
        time.sleep(0.5)


def test_nothing_that_was_stored_is_missing_anywhere(tmp_path: Path) -> None:
    chance = random.Random(11)
    portal_root = tmp_path / "portal"
    portal_root.mkdir()
    portal = portal_root / "var/lib/tscm/portal"
    names = ("fw-udp", "fw-tcp")
    entries = {name: add_entry(portal, nickname=name, address="127.0.0.1") for name in names}
    logs, ready = services_process.start(portal_root, "--logs", "127.0.0.1:0")
    place = ready["logs"][0]
    siem = Siem()
    siem.come()

    manager = Manager(
        tmp_path / "node",
        '[listen]\nudp = ["127.0.0.1:0"]\ntcp = ["127.0.0.1:0"]\n'
        f'[upload]\nurl = "https://{place}"\nca_file = "{ready["certificate"]}"\n'
        "interval_seconds = 10\ntimeout_seconds = 5\n",
    )
    for number, name in enumerate(names):
        key = entries[name].device_key
        assert key is not None
        manager.write_device(
            name,
            device=f"127.0.0.{number + 2}",
            device_id=entries[name].device_id,
            upload_key=key,
            log_rotate_size=50,
            syslog_forward=True,
            forward_address="127.0.0.1",
            forward_port=siem.port,
            forward_protocol="TCP",
        )
    manager.start()
    Ports.udp, Ports.tcp = manager.port("udp"), manager.port("tcp")
    fixed = manager.layout.settings_file.read_text()
    manager.layout.settings_file.write_text(
        fixed.replace('udp = ["127.0.0.1:0"]', f'udp = ["127.0.0.1:{Ports.udp}"]').replace(
            'tcp = ["127.0.0.1:0"]', f'tcp = ["127.0.0.1:{Ports.tcp}"]'
        )
    )
    senders = [
        Sender("udp", "127.0.0.2", PER_SECOND, lambda: Ports.udp),
        Sender("tcp", "127.0.0.3", PER_SECOND, lambda: Ports.tcp),
    ]
    kills = 0
    try:
        for sender in senders:
            sender.start()
        end = time.monotonic() + SECONDS
        next_kill = time.monotonic() + KILL_EVERY / 2
        siem_here = logs_here = True
        while time.monotonic() < end:
            time.sleep(chance.uniform(0.5, 2.0))
            if chance.random() < 0.3:
                siem.away() if siem_here else siem.come()
                siem_here = not siem_here
            if chance.random() < 0.2:
                if logs_here:
                    assert services_process.stop(logs)
                else:
                    logs, _ = services_process.start(portal_root, "--logs", place)
                logs_here = not logs_here
            if time.monotonic() >= next_kill:
                manager.stop(signal.SIGKILL)
                kills += 1
                manager.start()
                next_kill = time.monotonic() + KILL_EVERY
        for sender in senders:
            sender.stop()
        if not siem_here:
            siem.come()
        if not logs_here:
            logs, _ = services_process.start(portal_root, "--logs", place)

        fresh = {name: b"<166>a fresh line of " + name.encode() for name in names}
        for number, name in enumerate(names):
            send_udp(Ports.udp, fresh[name], source=f"127.0.0.{number + 2}")
            wait_for(lambda: manager.lines(name)[-1:] == [fresh[name]], manager.said)  # noqa: B023
        settle(manager, names)
        ledger = manager.ask("/v1/ledger")
        assert ledger["balanced"], json.dumps(ledger, indent=1)
        wait_for(lambda: set(fresh.values()) <= set(siem.lines), manager.said)
        stored = {name: manager.lines(name) for name in names}
        for name in names:
            assert ledger["devices"][name]["stored"] == len(stored[name])
            assert ledger["devices"][name]["unclean_stops"] == kills
        book = ledger["book"]
        assert book["gaps_total"] == kills
        assert book["received"] == book["stored"] + book["dropped"]
        assert book["stored"] == sum(len(lines) for lines in stored.values())
        issued = {one for sender in senders for one in sender.issued} | set(fresh.values())
        policy = {
            line(sender.kind, n)
            for sender in senders
            for n in range(0, len(sender.issued), POLICY_EVERY)
        }
        verdict = judge(
            Evidence(
                issued=frozenset(issued),
                stored=tuple(one for name in names for one in stored[name]),
                forwarded=tuple(siem.lines),
                uploaded=tuple(
                    one
                    for name in names
                    for one in uploaded(uploads_folder(portal, entries[name].device_id))
                ),
                policy=frozenset(policy),
                broken_in=senders[1].broken + kills,
                broken_out=siem.broken + kills * len(names),
            )
        )
        print(f"{SECONDS:.0f} s, {kills} kills: {verdict.figures}")
        assert verdict.faults == ()
        assert verdict.figures["stored"] > PER_SECOND * SECONDS / 4
    finally:
        for sender in senders:
            sender.stop()
        siem.away()
        manager.stop()
        services_process.stop(logs)
