"""
Makes a root as this version leaves it when it is stopped in the middle of its work.

    python tests/upgrade/make_root.py FILE.tar.xz

Run it with the Python of an environment that has the version to be kept, and nothing of the checkout: it uses
`tsadmin` and `twistd` alone.  What the version itself tells of the root (ledger, history, report, groups on
the firewall) is kept beside it as `told.json`, so that a later version can be held to it.

The addresses are fixed, because they are part of what is kept: names of cursors depend on them.
"""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

FIREWALL = "127.83.0.2"
BRANCH = "127.83.0.6"
MANAGER = "127.83.0.1"
SIEM, SECOND = ("127.83.0.4", 15140), ("127.83.0.5", 15141)
REST = (FIREWALL, 18443)
BIN = Path(sys.executable).parent
SETTINGS = f"""
# made to be kept
address = "{MANAGER}"
node_id = "old-site"

[listen]
udp = "{MANAGER}:15514"
tcp = ["{MANAGER}:15514"]

[spool]
fsync = "seal"
rotate_seconds = 86400
max_age_days = 3650

[policy]
servers = ["{MANAGER}:15353"]
interval_seconds = 604800

[upload]
url = "https://{MANAGER}:16443"
ca_file = "ROOT/var/lib/tscm/portal/log-service.crt"
interval_seconds = 86400

[portal]
dns = ["{MANAGER}:15353"]
logs = ["{MANAGER}:16443"]
"""
LAB = """
# A file that somebody wrote with an editor: words for yes and no, lists as one text.
type = "asarest"
device_id = "tdid_lab00001"
device = "127.83.0.7"
block_list = "block.example"
allow_list = "allow.example"
username = "admin"
password = "in the clear"
policy_updates = "no"
syslog_sources = "127.83.0.8, 127.83.0.9"
syslog_forward = "yes"
forward_address = "127.83.0.4"
forward_port = 15140
forward_protocol = "TCP"
forward_also = "tcp://127.83.0.5:15141?mode=header"
send_logs = "n"
"""


def line(number: int) -> bytes:
    """One of the firewall's lines; each tenth is the policy's."""
    stamp = b"<164>Nov 30 2026 06:%02d:%02d: " % (number // 60 % 60, number % 60)
    if number % 10:
        return stamp + b"%%ASA-6-302013: Built outbound TCP connection %d" % number
    return stamp + (
        b"%%ASA-4-106023: Deny tcp src outside:45.155.%d.7/%d dst inside:192.0.2.2/22 by access-group"
        b' "global_access" [0x%08x, 0x0]' % (number // 10 % 100, 1024 + number, number)
    )


def until(good: Callable[[], Any], what: str) -> Any:
    for _ in range(1200):
        found = good()
        if found:
            return found
        time.sleep(0.1)
    raise SystemExit(f"gave up waiting for {what}")


class Taker:
    """A SIEM over TCP."""

    def __init__(self, place: tuple[str, int]) -> None:
        self.lines: list[bytes] = []
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(place)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                one, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(one)
            threading.Thread(target=self._read, args=(one,), daemon=True).start()

    def _read(self, one: socket.socket) -> None:
        rest = b""
        try:
            while data := one.recv(65536):
                *lines, rest = (rest + data).split(b"\n")
                self.lines += lines
        except OSError:
            return

    def end(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for one in self._open:
            one.shutdown(socket.SHUT_RDWR)
            one.close()


class World:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {**os.environ, "TSCM_ROOT": str(root)}

    def tsadmin(self, *words: str, status: int = 0) -> str:
        done = subprocess.run(
            [BIN / "tsadmin", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != status:
            raise SystemExit(f"tsadmin {words}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.tsadmin(*words, "--json"))

    def twistd(self, *words: str) -> "subprocess.Popen[bytes]":
        log = (self.root / f"{words[0]}.log").open("ab")
        process = subprocess.Popen(
            [BIN / "twistd", "-n", "--pidfile=", *words],
            env=self.environment,
            stdout=log,
            stderr=log,
            cwd=self.root,
        )
        STARTED.append(process)
        return process

    def said(self, name: str) -> str:
        return (self.root / f"{name}.log").read_text("utf-8", "replace")


def end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(60)


STARTED: list["subprocess.Popen[bytes]"] = []


def send(source: str, first: int, count: int) -> None:
    with socket.create_connection((MANAGER, 15514), source_address=(source, 0)) as out:
        out.sendall(b"".join(line(first + number) + b"\n" for number in range(count)))


def groups() -> Any:
    """What is on the firewall, as its agent tells it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    asked = http.client.HTTPSConnection(*REST, context=context, timeout=30)
    word = b64encode(b"admin:secret").decode()
    headers = {"Authorization": f"Basic {word}", "User-Agent": "REST API Agent"}
    asked.request("GET", "/api/objects/networkobjectgroups", headers=headers)
    answer = asked.getresponse()
    body = answer.read()
    if answer.status != http.client.OK:
        raise SystemExit(f"the firewall answers {answer.status}: {body!r}")
    return json.loads(body)["items"]


def make(root: Path) -> dict[str, Any]:
    world = World(root)
    settings = root / "etc/tscm/tscm.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(SETTINGS.replace("ROOT", str(root)))
    lists = root / "var/lib/tscm/portal/lists"
    given = world.tsadmin(
        *("portal", "add", "office", "--address", "127.0.0.1"),
        *("--block_list", "block.example", "--allow_list", "allow.example"),
    )
    key = next(word for word in given.split() if len(word) > 30 and not word.startswith("tdid"))
    identity = next(word for word in given.split() if word.startswith("tdid_"))
    block = [f"45.155.{number}.0/24" for number in range(100)]
    (lists / "block.example.txt").write_text("\n".join(block))
    (lists / "allow.example.txt").write_text("45.155.3.7\n")
    (root / "password").write_text("secret")
    (root / "password").chmod(0o600)
    (root / "key").write_text(key)
    (root / "key").chmod(0o600)
    firewall = world.twistd(
        *("tscm-asa", "--https", f"{REST[0]}:{REST[1]}", "--username", "admin"),
        *("--password-file", str(root / "password")),
    )
    siem, second = Taker(SIEM), Taker(SECOND)
    manager = world.twistd("tscm", "--root", str(root))
    try:
        until((root / "var/lib/tscm/portal/log-service.crt").exists, "the certificate")
        time.sleep(3)
        world.tsadmin(
            *("add", "--type=asarest", f"--device_id={identity}", f"--device={FIREWALL}"),
            *(f"--rest_url=https://{REST[0]}:{REST[1]}/api", "--allow_self_signed=yes"),
            *("--block_list=block.example", "--allow_list=allow.example"),
            *("--username=admin", f"--password_file={root / 'password'}"),
            *(f"--upload_key_file={root / 'key'}", "--log_rotate_size=50"),
            *("--syslog_forward=yes", f"--forward_address={SIEM[0]}", f"--forward_port={SIEM[1]}"),
            *(
                "--forward_protocol=TCP",
                f"--forward_also=tcp://{SECOND[0]}:{SECOND[1]}?mode=header",
            ),
            "office",
        )
        world.tsadmin("update", "office")
        send(FIREWALL, 0, 2000)
        until(lambda: len(siem.lines) == 2000 and len(second.lines) == 2000, "the SIEMs")
        world.tsadmin("logs", "office")
        (lists / "block.example.txt").write_text("\n".join(block[5:]))
        (root / "etc/tscm/devices/lab.toml").write_text(LAB)
        (root / "etc/tscm/devices/lab.toml").chmod(0o600)
        world.tsadmin("update", "office")
        siem.end()
        second.end()
        told_groups = groups()
    finally:
        end(manager)
    # The same root without its log service and its SIEMs: what comes now waits.
    settings.write_text(settings.read_text().partition("[portal]")[0])
    manager = world.twistd("tscm", "--root", str(root))
    try:
        until(lambda: "office" in world.tsadmin("list"), "the manager")
        time.sleep(3)
        send(FIREWALL, 2000, 1000)
        until(lambda: world.json("ledger")["devices"]["office"]["stored"] == 3000, "the lines")
        subprocess.run([BIN / "tsadmin", "logs", "office"], env=world.environment, check=False)
        until(
            lambda: world.json("ledger")["devices"]["office"]["readers"]["events"]["waiting"] == 0,
            "the events",
        )
        world.tsadmin("policy", "pause", "office")
        told = {
            "groups": told_groups,
            "ledger": world.json("ledger"),
            "history": world.json("policy", "history", "office"),
            "report": world.json("report", "office"),
            "list": world.tsadmin("list"),
            "version": world.tsadmin("version"),
        }
    finally:
        end(manager)
        end(firewall)
    settings.write_text(SETTINGS)
    return told


def main(wanted: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        root.mkdir()
        try:
            told = make(root)
        finally:
            for process in STARTED:
                if process.poll() is None:
                    end(process)
        (root / "told.json").write_text(json.dumps(told, indent=1))
        with tarfile.open(wanted, "w:xz") as archive:
            for name in ("etc", "var", "told.json"):
                archive.add(root / name, name)


if __name__ == "__main__":
    main(*sys.argv[1:])
