"""
`twistd tscm-asa` as a process.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from twisted.python import usage

from tscm.plugins.simulator import Options, read_options
from tscm.simulator.refusal import SimulatorUnavailable

TWISTD = Path(sys.executable).with_name("twistd")


def command(folder: Path, *more: str) -> list[str]:
    (folder / "password").write_text("secret\n", "utf-8")
    return [
        str(TWISTD), "-n", "--pidfile=", "tscm-asa", "--password-file", str(folder / "password"),
        *more,
    ]  # fmt: skip


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(folder)}


@pytest.mark.skipif(not TWISTD.exists(), reason="twistd is not beside this Python")
def test_it_starts_says_where_it_is_serves_and_ends_clean(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "object-group network G\n network-object host 192.0.2.1\n", "utf-8"
    )
    ready = tmp_path / "ready.json"
    process = subprocess.Popen(
        command(
            tmp_path, "--https", "127.0.0.1:0", "--control", "127.0.0.1:0", "--hostname", "fw-7",
            "--profile", "ASAv5", "--config", str(tmp_path / "config"), "--ready", str(ready),
            "--syslog", "udp://127.0.0.1:9", "--header", "device-id", "--username", "api",
            "--standby-https", "127.0.0.1:0", "--switch", "duplicate_status=409",
            "--switch", "down_status=503", "--switch", "error_body=json",
        ),
        cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert process.poll() is None, process.communicate()[0].decode()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        told = json.loads(ready.read_text("utf-8"))
        with requests.Session() as session:
            session.trust_env = False
            session.verify = told["certificate"]
            session.auth = ("api", "secret")
            session.headers["User-Agent"] = "REST API Agent"
            answer = session.get(f"{told['api_url']}/objects/networkobjectgroups/G", timeout=60)
            assert answer.json()["name"] == "G"
            assert session.get(f"{told['standby_url']}/monitoring/serialnumber").status_code == 200
            switches = session.get(f"{told['control_url']}/switches", timeout=60).json()
            shown = session.get(f"{told['control_url']}/running-config", timeout=60).text
        assert (switches["duplicate_status"], switches["error_body"]) == (409, "json")
        assert "hostname fw-7" in shown
        assert "logging host management 127.0.0.1 17/9" in shown
        assert "logging device-id hostname" in shown
        assert "Hardware:   ASAv5" in shown
    finally:
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=60)[0].decode()
    assert process.returncode in (0, -signal.SIGTERM)  # Twisted ends by the signal it was sent
    assert "Traceback" not in output
    assert "secret" not in output
    assert not ready.exists()
    assert not list(tmp_path.glob("tscm-asa-*"))


@pytest.mark.skipif(not TWISTD.exists(), reason="twistd is not beside this Python")
def test_an_address_in_use_is_one_sentence_and_not_status_0(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            command(tmp_path, "--https", f"127.0.0.1:{port}"),
            cwd=tmp_path, env=environment(tmp_path), capture_output=True, timeout=60, check=False,
        )  # fmt: skip
    output = (done.stdout + done.stderr).decode()
    assert done.returncode == 4
    assert output.count(f"cannot listen for HTTPS on 127.0.0.1:{port}: Address already in use") == 1
    assert "Traceback" not in output


def test_options_are_checked_before_anything_starts() -> None:
    for more, words in (
        (["--header", "x"], "--header: choose one of"),
        (["--profile", "x"], "--profile: choose one of"),
        (["--syslog", "tls://h:1"], "write udp://ADDRESS:PORT"),
        (["--switch", "x"], "write NAME=VALUE"),
        ([], "--password-file is required"),
    ):
        with pytest.raises(usage.UsageError, match=words):
            Options().parseOptions(more)


def test_addresses_and_files_are_checked_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\nsecret\n", "utf-8")
    (tmp_path / "password").write_text("secret\n", "utf-8")
    good = ["--password-file", str(tmp_path / "password")]
    for more, words in (
        (["--password-file", str(tmp_path / "empty")], "first line is empty"),
        ([*good, "--https", "nonsense"], "write HOST:PORT"),
        ([*good, "--https", "127.0.0.1:70000"], "write HOST:PORT"),
        ([*good, "--config", str(tmp_path)], "use a readable file"),
    ):
        options = Options()
        options.parseOptions(more)
        with pytest.raises(SimulatorUnavailable, match=words):
            read_options(options)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--profile", "PIX"), "--profile: choose one of"),
        (("--syslog", "x"), "write udp://ADDRESS:PORT or tcp://ADDRESS:PORT"),
        (("--switch", "duplicate_status=7"), "allowed: 400, 409, 500"),
        (
            ("--https", "127.0.0.1:0", "--ready", "/nonexistent/x"),
            "use a writable file",
        ),
        (
            (
                "--https",
                "127.0.0.1:0",
                "--syslog",
                "udp://127.0.0.1:9",
                "--source-address",
                "192.0.2.200",
            ),
            "choose a source address of this machine",
        ),
        (("--control", "192.0.2.1:0", "--https", "127.0.0.1:0"), "choose a loopback address"),
    ],
)
@pytest.mark.skipif(not TWISTD.exists(), reason="twistd is not beside this Python")
def test_a_wrong_option_is_one_sentence(tmp_path: Path, more: tuple[str, ...], words: str) -> None:
    done = subprocess.run(
        command(tmp_path, *more),
        cwd=tmp_path, env=environment(tmp_path), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    output = (done.stdout + done.stderr).decode()
    assert done.returncode not in (0, None)
    assert words in output
    assert "Traceback" not in output
    assert not list(tmp_path.glob("tscm-asa-*"))
