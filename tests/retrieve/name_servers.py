"""
Knot, NSD and BIND as policy servers for tests: real peers on loopback.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.ports import held_port

HEAD = """$ORIGIN {name}.
$TTL 300
@ SOA ns.{name}. hostmaster.{name}. {serial} 3600 600 86400 300
"""


def zone_text(name: str, serial: int, body: str) -> str:
    return HEAD.format(name=name, serial=serial) + body


def wait_for(
    port: int, process: "subprocess.Popen[bytes]", log: Path, host: str = "127.0.0.1"
) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection((host, port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())


def stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def knot(
    folder: Path,
    zones: Mapping[str, str],
    *,
    transfer: bool = True,
    key: str = "",
    at: tuple[str, int] | None = None,
) -> Iterator[int]:
    """
    Serve *zones*, texts by name; with *key* (base64) only to who signs with it.  *at* is an address and a port of
    the caller's choice.

    `folder/pid` holds its process id, `folder/log` what it says, `folder/NAME.zone` its zones.
    """
    program = shutil.which("knotd")
    assert program
    (folder / "db").mkdir(parents=True, exist_ok=True)
    host, port = at or ("127.0.0.1", held_port())
    lines = [f"server:\n  listen: {host}@{port}\n  rundir: {folder}"]
    lines += [f"database:\n  storage: {folder}/db", "log:\n  - target: stderr\n    any: info"]
    if key:
        lines.append(f"key:\n  - id: list-key\n    algorithm: hmac-sha256\n    secret: {key}")
    lines.append("acl:\n  - id: all\n    action: transfer")
    lines.append("    key: list-key" if key else "    address: 127.0.0.1")
    lines.append("zone:")
    for name, text in zones.items():
        (folder / f"{name}.zone").write_text(text)
        lines.append(
            f"  - domain: {name}\n    file: {folder}/{name}.zone\n    semantic-checks: off"
        )
        lines.append("    zonefile-load: difference\n    zonefile-sync: -1")
        lines.append("    journal-content: changes")
        if transfer:
            lines.append("    acl: all")
    (folder / "knot.conf").write_text("\n".join(lines) + "\n")
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [program, "-c", str(folder / "knot.conf")], stdout=out, stderr=subprocess.STDOUT
        )
    (folder / "pid").write_text(str(process.pid))
    try:
        wait_for(port, process, log, host)
        yield port
    finally:
        stop(process)


def reload_zone(folder: Path, name: str, text: str, serial: int) -> None:
    """Give a running Knot or BIND another version of a zone, and wait until it has it."""
    (folder / f"{name}.zone").write_text(text)
    os.kill(int((folder / "pid").read_text()), signal.SIGHUP)
    deadline = time.monotonic() + 60
    while not re.search(
        rf"-> {serial}\b|loaded serial {serial}\b", told := (folder / "log").read_text()
    ):
        assert time.monotonic() < deadline, told
        time.sleep(0.05)


@contextmanager
def nsd(folder: Path, zones: Mapping[str, str], *, key: str = "") -> Iterator[int]:
    """Serve *zones*, texts by name; with *key* (base64) give transfers only to who signs with it."""
    program = shutil.which("nsd")
    assert program
    folder.mkdir(parents=True, exist_ok=True)
    port = held_port()
    user = "root" if os.getuid() == 0 else str(os.getuid())
    lines = [
        "server:",
        f"  ip-address: 127.0.0.1@{port}",
        f'  username: "{user}"',
        f"  zonesdir: {folder}",
        f"  pidfile: {folder}/pid",
        f"  xfrdfile: {folder}/xfrd",
        f"  xfrdir: {folder}",
        f"  zonelistfile: {folder}/zones",
        '  database: ""',
        "  server-count: 1",
        '  chroot: ""',
        "remote-control:",
        "  control-enable: no",
    ]
    if key:
        lines += ["key:", "  name: list-key", "  algorithm: hmac-sha256", f'  secret: "{key}"']
    for name, text in zones.items():
        (folder / f"{name}.zone").write_text(text)
        lines += ["zone:", f"  name: {name}", f"  zonefile: {folder}/{name}.zone"]
        lines += [f"  provide-xfr: 127.0.0.1 {'list-key' if key else 'NOKEY'}"]
    (folder / "nsd.conf").write_text("\n".join(lines) + "\n")
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [program, "-d", "-c", str(folder / "nsd.conf")], stdout=out, stderr=subprocess.STDOUT
        )
    try:
        wait_for(port, process, log)
        yield port
    finally:
        stop(process)


@contextmanager
def bind(folder: Path, zones: Mapping[str, str], *, key: str = "") -> Iterator[int]:
    """Serve *zones* as `nsd` does, with BIND's named."""
    installed = shutil.which("named")
    assert installed
    folder.mkdir(parents=True, exist_ok=True)
    # Debian's AppArmor profile is for the installed path, and lets that one read nothing here.
    program = shutil.copy(installed, folder / "named")
    port = held_port()
    lines = [
        "options {",
        f'  directory "{folder}"; pid-file "{folder}/pid"; session-keyfile "{folder}/session";',
        f"  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};",
        f"  recursion no; allow-transfer {{ {'key list-key' if key else '127.0.0.1'}; }};",
        "  dnssec-validation no; notify no;",
        "  empty-zones-enable no; check-names primary ignore; geoip-directory none;",
        "};",
        "controls { };",
    ]
    if key:
        lines.insert(0, f'key "list-key" {{ algorithm hmac-sha256; secret "{key}"; }};')
    for name, text in zones.items():
        (folder / f"{name}.zone").write_text(text)
        lines.append(
            f'zone "{name}" {{ type primary; file "{name}.zone"; check-integrity no; '
            "check-names ignore; ixfr-from-differences yes; };"
        )
    (folder / "named.conf").write_text("\n".join(lines) + "\n")
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [program, "-g", "-c", str(folder / "named.conf"), "-n", "1"],
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    try:
        wait_for(port, process, log)
        yield port
    finally:
        stop(process)
