"""
rsyslog and syslog-ng as relays on loopback: each takes lines over TCP and sends them on.

They choose a free port themselves and keep it, so that nobody else can have it meanwhile.
"""

import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.waiting import PATIENCE_SECONDS

_LISTENING = "0A"
_TRIES = 20
_TAKEN = "Address already in use"


def listening_port(pid: int) -> int | None:
    """The TCP port on which a process listens (proc(5), `/proc/net/tcp`)."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(str(descriptor.readlink()))
        except OSError:
            continue
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *rest = row.split()
        if state == _LISTENING and f"socket:[{rest[5]}]" in sockets:
            return int(local.rpartition(":")[2], 16)
    return None


@contextmanager
def _running(folder: Path, command: list[str]) -> Iterator[int]:
    peer, port = _started(folder / "said", command)
    with peer:
        try:
            yield port
        finally:
            peer.terminate()
            try:
                peer.wait(PATIENCE_SECONDS)
            finally:
                peer.kill()


def _started(said: Path, command: list[str]) -> "tuple[subprocess.Popen[bytes], int]":
    """The peer and the port it listens on; another try where somebody took the port that it chose."""
    for _ in range(_TRIES):
        with said.open("wb") as output:
            peer = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while peer.poll() is None:
            port = listening_port(peer.pid)
            if port is not None:
                return peer, port
            if time.monotonic() > deadline:
                peer.kill()
            time.sleep(0.02)
        if _TAKEN not in said.read_text():
            break
    raise AssertionError(said.read_text())


_RSYSLOG = """
global(workDirectory="{folder}" maxMessageSize="64k" net.enableDNS="off"
       parser.escapeControlCharactersOnReceive="off")
module(load="imtcp")
template(name="RAW" type="string" string="%rawmsg%\\n")
"""


@contextmanager
def _rsyslog(folder: Path, settings: str) -> Iterator[int]:
    folder.mkdir(parents=True)
    file = folder / "rsyslog.conf"
    file.write_text(_RSYSLOG.replace("{folder}", str(folder)) + settings)
    command = ["rsyslogd", "-n", "-f", str(file), "-i", str(folder / "pid")]
    with _running(folder, command) as listening:
        yield listening


def rsyslog_relay(folder: Path, port: int, template: str) -> AbstractContextManager[int]:
    """
    An rsyslogd that sends to *port* by *template*; gives the port that it listens on.
    """
    settings = f"""
ruleset(name="all") {{
  action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="{template}")
}}
input(type="imtcp" port="0" address="127.0.0.1" ruleset="all")
"""
    return _rsyslog(folder, settings)


def rsyslog_joins(folder: Path, port: int) -> AbstractContextManager[int]:
    """One that says once how often an equal message came, as set in the language of old."""
    settings = f"""
$RepeatedMsgReduction on
$ActionForwardDefaultTemplate RSYSLOG_TraditionalForwardFormat
*.* @@127.0.0.1:{port}
input(type="imtcp" port="0" address="127.0.0.1")
"""
    return _rsyslog(folder, settings)


@contextmanager
def syslog_ng_relay(
    folder: Path, port: int, destination: str, *, source: str = "", options: str = ""
) -> Iterator[int]:
    """
    A syslog-ng whose *destination* sends to `PORT`; gives the port that it listens on.
    """
    folder.mkdir(parents=True)
    file = folder / "syslog-ng.conf"
    file.write_text(
        f"""
@version: 3.35
options {{ use-dns(no); dns-cache(no); {options} }};
source s {{ network(ip(127.0.0.1) port(0) transport(tcp) {source}); }};
destination d {{ {destination.replace("PORT", str(port))}; }};
log {{ source(s); destination(d); }};
"""
    )
    command = [
        "syslog-ng", "-F", "--no-caps", "-f", str(file), "-R", str(folder / "persist"),
        "-p", str(folder / "pid"), "-c", str(folder / "control"),
    ]  # fmt: skip
    with _running(folder, command) as listening:
        yield listening
