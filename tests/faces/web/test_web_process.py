"""
The page as processes: beside the manager and inside it, its first start, another certificate, and what it costs who has none.
"""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ports import held_port
from tests.waiting import PATIENCE_SECONDS
from tscm.services.certificate import ensure_certificate

TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")


def started(root: Path, plugin: str, *words: str) -> subprocess.Popen[bytes]:
    with (root / f"{plugin}.log").open("ab") as log:
        return subprocess.Popen(
            [*TWISTD, "--nodaemon", "--pidfile=", plugin, "--root", str(root), *words],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=root,
        )


def ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it ended as asked: newer Twisted ends by the signal itself."""
    process.send_signal(signal.SIGTERM)
    return process.wait(PATIENCE_SECONDS) in {0, -signal.SIGTERM}


def settings(root: Path, text: str) -> None:
    file = root / "etc/tscm/tscm.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


def shown_certificate(port: int) -> bytes:
    """What the listener shows; waits until it listens."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with (
                socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as plain,
                context.wrap_socket(plain) as one,
            ):
                found = one.getpeercert(binary_form=True)
                assert found is not None
                return found
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.1)


def get(port: int, path: str) -> str:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as plain,
        context.wrap_socket(plain) as one,
    ):
        one.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        found = b""
        while piece := one.recv(65536):
            found += piece
    return found.decode()


def tsadmin(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tscm", "--root", str(root), *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@pytest.fixture
def page(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """`twistd tscm-web` without a manager."""
    port = held_port()
    settings(tmp_path, f'[web]\nlisten = ["127.0.0.1:{port}"]\n')
    process = started(tmp_path, "tscm-web")
    try:
        shown_certificate(port)
        yield tmp_path, port
    finally:
        good = ended(process)
    assert good
    assert "Traceback" not in (tmp_path / "tscm-web.log").read_text("utf-8")


def test_a_first_start_makes_a_certificate_and_asks_for_a_code(page: tuple[Path, int]) -> None:
    root, port = page
    assert (
        "location: /login" in get(port, "/").lower() or "location: /setup" in get(port, "/").lower()
    )
    assert "One-time code" in get(port, "/setup")
    told = tsadmin(root, "web", "setup")
    assert told.returncode == 0
    code = re.search(r"code: ([A-Z0-9-]{19})\n", told.stdout)
    assert code is not None
    assert f"https://127.0.0.1:{port}/setup" in told.stdout
    digits = re.search(r"SHA-256 ([0-9A-F:]{95})", told.stdout)
    assert digits is not None
    import hashlib

    shown = hashlib.sha256(shown_certificate(port)).hexdigest().upper()
    assert digits[1].replace(":", "") == shown
    assert "no users yet" in tsadmin(root, "web", "users").stdout
    lost = tsadmin(root, "web", "reset", "anna")
    assert lost.returncode == 2
    assert "has no user 'anna'" in lost.stderr
    for name in ("web.db", "page.key"):
        assert (root / "var/lib/tscm/web" / name).stat().st_mode & 0o077 == 0


def test_another_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    port = held_port()
    first, second = tmp_path / "first", tmp_path / "second"
    certificate, key = ensure_certificate(first, [], time.time())
    settings(
        tmp_path,
        f'[web]\nlisten = ["127.0.0.1:{port}"]\ncertificate = "{certificate}"\nkey = "{key}"\n',
    )
    process = started(tmp_path, "tscm-web")
    try:
        before = shown_certificate(port)
        good, good_key = certificate.read_bytes(), key.read_bytes()
        certificate.write_bytes(b"junk")
        log = tmp_path / "tscm-web.log"
        end = time.monotonic() + PATIENCE_SECONDS
        while "the old certificate remains in force" not in log.read_text("utf-8"):
            assert time.monotonic() < end
            time.sleep(0.2)
        assert shown_certificate(port) == before
        other, other_key = ensure_certificate(second, [], time.time())
        assert (good, good_key) != (other.read_bytes(), other_key.read_bytes())
        key.write_bytes(other_key.read_bytes())
        certificate.write_bytes(other.read_bytes())
        while shown_certificate(port) == before:
            assert time.monotonic() < end + PATIENCE_SECONDS
            time.sleep(0.2)
    finally:
        assert ended(process)


def test_the_page_can_be_inside_the_manager(tmp_path: Path) -> None:
    port = held_port()
    settings(
        tmp_path,
        '[listen]\nudp = ["127.0.0.1:0"]\ntcp = []\n'
        f'[web]\ninside = true\nlisten = ["127.0.0.1:{port}"]\n',
    )
    process = started(tmp_path, "tscm")
    try:
        shown_certificate(port)
        told = json.loads(tsadmin(tmp_path, "show", "--json").stdout)
        assert f"127.0.0.1:{port}" in json.dumps(told)
        assert "One-time code" in get(port, "/setup")
    finally:
        assert ended(process)


def test_a_page_that_cannot_start_keeps_no_manager_from_collecting(tmp_path: Path) -> None:
    settings(
        tmp_path,
        '[listen]\nudp = ["127.0.0.1:0"]\ntcp = []\n'
        '[web]\ninside = true\nlisten = ["127.0.0.1:0"]\ncertificate = "/nowhere"\n',
    )
    process = started(tmp_path, "tscm")
    try:
        end = time.monotonic() + PATIENCE_SECONDS
        while tsadmin(tmp_path, "show").returncode != 0:
            assert time.monotonic() < end
            assert process.poll() is None
        assert "no page: " in (tmp_path / "tscm.log").read_text("utf-8")
    finally:
        assert ended(process)


def test_who_has_no_page_imports_nothing_of_it(tmp_path: Path) -> None:
    """Neither the manager's modules nor `tsadmin`: the page's packages may be absent."""
    source = (
        "import sys, json\n"
        "import tscm.manager.service, tscm.plugins.manager, tscm.cli.main, tscm.cli.status\n"
        "print(json.dumps([m for m in sys.modules if m.startswith(('jinja2', 'argon2', 'tscm.faces.web'))]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
        cwd=tmp_path,
        env={**os.environ},
    )
    found: Any = json.loads(done.stdout)
    assert found == []


def test_keys_are_made_and_removed_by_command(tmp_path: Path) -> None:
    words = ("web", "keys", "add", "ci", "--role", "analyst", "--expires", "30d")
    made = tsadmin(tmp_path, *words, "--from", "192.0.2.9/28", "--only", "entries")
    assert made.returncode == 0, made.stderr
    assert re.fullmatch(r"tsk_[0-9a-f]{8}_[A-Za-z0-9_-]{43}\n", made.stdout)
    (key,) = json.loads(tsadmin(tmp_path, "web", "keys", "list", "--json").stdout)
    assert (key["name"], key["role"]) == ("ci", "analyst")
    assert (key["networks"], key["groups"]) == (["192.0.2.0/28"], ["entries"])
    assert made.stdout.startswith(key["begins_with"])
    assert "192.0.2.0/28" in tsadmin(tmp_path, "web", "keys", "list").stdout
    for wrong, sentence in (
        (words, "already exists"),
        ((*words[:3], "a b", *words[4:]), "a key name has"),
        ((*words[:7], "400d"), "within 366 days"),
        ((*words, "--from", "here"), "not an address or network"),
        ((*words[:3], "b", *words[4:], "--only", "all"), "not a group of calls"),
    ):
        refused = tsadmin(tmp_path, *wrong)
        assert (refused.returncode, sentence in refused.stderr) == (2, True), refused.stderr
    assert tsadmin(tmp_path, "web", "keys", "remove", "ci").returncode == 0
    assert tsadmin(tmp_path, "web", "keys", "remove", "ci").returncode == 2
    assert "No keys exist" in tsadmin(tmp_path, "web", "keys", "list").stdout
