"""
What the unit takes away from the manager, and that the manager works without it.
"""

import os
import re
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.intake.certificates import Authority
from tests.manager.manager_process import wait_for
from tests.manager.systemd_load import SETTINGS
from tests.manager.systemd_machine import SERVICE, UNITS, Machine
from tests.manager.systemd_root import USER_ID
from tscm.intake.tls import fingerprint_of

pytestmark = pytest.mark.peer("systemctl")

LARGEST_EXPOSURE = 20  # tenths
PINNED, PLAIN = "127.0.0.5", "127.0.0.6"
TLS = ("127.0.0.1", 6514)
LISTEN = """
[listen]
tls = ["127.0.0.1:6514"]
tls_certificate = "/etc/tscm/server.pem"
tls_key = "/etc/tscm/server.key"
"""
HIT = (
    b"<166>%%ASA-6-106100: access-list g denied tcp outside/203.0.113.7(4001) ->"
    b" inside/10.0.0.1(%d) hit-cnt 1 first hit [0x1, 0x0]\n"
)


@pytest.mark.parametrize("service", [SERVICE, "tscm-web.service"])
def test_the_unit_leaves_little_to_who_breaks_in(service: str) -> None:
    done = subprocess.run(
        [
            *("systemd-analyze", "security", "--no-pager", "--offline=true"),
            *(f"--threshold={LARGEST_EXPOSURE}", str(UNITS / service)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_systemd_takes_every_line_of_the_units(tmp_path: Path) -> None:
    """It ignores what it does not know, or cannot read, with a warning that nobody sees."""
    for unit in UNITS.glob("tscm*"):
        if unit.suffix in {".service", ".socket"}:
            text = re.sub(
                "^ExecStart=[^ ]+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE
            )
            (tmp_path / unit.name).write_text(text)
    found = sorted(map(str, tmp_path.iterdir()))
    assert len(found) == 4
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *found],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    told = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    assert told == []


def test_no_limit_of_the_unit_ends_the_manager() -> None:
    lines = (UNITS / SERVICE).read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
    assert not settings.keys() & {"MemoryMax", "LimitAS", "LimitDATA", "LimitCPU", "RuntimeMaxSec"}
    assert settings["OOMPolicy"] == "continue"
    assert settings["MemoryHigh"].endswith("%")


def test_ssh_may_become_the_user_that_it_is() -> None:
    """It does so before it asks which host keys are pinned, and takes none where it cannot."""
    lines = (UNITS / SERVICE).read_text().splitlines()
    filters = [line.split("=", 1)[1] for line in lines if line.startswith("SystemCallFilter=")]
    denied = next(at for at, one in enumerate(filters) if one.startswith("~"))
    allowed = " ".join(filters[denied + 1 :]).split()
    assert {"setresuid", "setresgid"} <= set(allowed)


def limit(process: Path, name: str) -> str:
    (line,) = (one for one in (process / "limits").read_text().splitlines() if one.startswith(name))
    return line.removeprefix(name).split()[0]


def status(process: Path) -> dict[str, str]:
    lines = (process / "status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def workers(machine: Machine) -> list[Path]:
    """Processes that the manager has started."""
    pid = machine.manager_pid()
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [Path(f"/proc/{one}") for one in found]


def test_certificates_reports_and_the_doctor_work_within_the_unit(
    machine: Machine, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    server = authority.issue("server", "127.0.0.1")
    own = authority.issue("fw", "fw.example")
    for source, name in ((server.certificate_file, "server.pem"), (server.key_file, "server.key")):
        target = machine.root / "etc/tscm" / name
        shutil.copy(source, target)
        os.chown(target, USER_ID, USER_ID)
    machine.manager.layout.settings_file.write_text(SETTINGS + LISTEN)
    machine.add_device("fw-pinned", PINNED, tls_fingerprints=(fingerprint_of(own.certificate),))
    machine.add_device("fw-plain", PLAIN)
    machine.systemctl("start", SERVICE)
    process = Path(f"/proc/{machine.manager_pid()}")
    assert status(process)["Seccomp"] == "2"
    assert limit(process, "Max data size") == "unlimited"

    # Checking a certificate calls back from OpenSSL into Python.
    trusted = ssl.create_default_context(cafile=authority.issued.certificate_file)
    trusted.load_cert_chain(own.certificate_file, own.key_file)
    with machine.socket(PINNED, socket.SOCK_STREAM) as raw:
        raw.connect(TLS)
        with trusted.wrap_socket(raw, server_hostname="127.0.0.1") as stream:
            for number in range(1, 4):
                stream.sendall(HIT % number)
            machine.manager.when_lines("fw-pinned", 3)
    log = machine.manager.layout.device_log("fw-pinned") / "syslog"
    assert log.stat().st_mode & 0o027 == 0, "the group reads, others do not"

    found = machine.manager.command("POST", "/v1/devices/fw-pinned/report", {})
    assert "result" in found, found
    wait_for(lambda: len(workers(machine)) == 1, machine.manager_said)
    (worker,) = workers(machine)
    wait_for(lambda: limit(worker, "Max data size") != "unlimited", machine.manager_said)
    wait_for(lambda: (worker / "oom_score_adj").read_text() == "500\n", machine.manager_said)
    assert int((process / "oom_score_adj").read_text()) < 500

    found = machine.manager.command("POST", "/v1/doctor")["result"]["findings"]
    verdicts = {one["link"]: one["verdict"] for one in found}
    for link in ("manager", "settings", "key", "disk", "clock", "listeners", "database"):
        assert verdicts[link] in {"ok", "warning"}, found
