"""
The maintainer scripts of tscm-core: what they start and restart, and what they leave stopped.
"""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "packaging/debian"
SYSTEMD = """\
#!/bin/sh
state={state}
case "$*" in
"is-active tscm.service" | "--quiet is-active tscm.service")
    [ "$1" = --quiet ] || cat "$state"
    [ "$(cat "$state")" = active ] ;;
"stop "*) echo inactive >"$state" ;;
"start "* | "restart "*) echo active >"$state"; echo "$*" >>{calls} ;;
esac
"""


class Host:
    """A folder in the place of /run, and programs in the place of systemd's, which know one unit."""

    def __init__(self, folder: Path) -> None:
        self.run = folder / "run"
        (self.run / "systemd/system").mkdir(parents=True)
        self.state, self.calls = folder / "state", folder / "calls"
        self.state.write_text("inactive\n")
        self._programs = folder / "bin"
        self._programs.mkdir()
        for name in ("systemctl", "deb-systemd-invoke", "deb-systemd-helper"):
            file = self._programs / name
            file.write_text(SYSTEMD.format(state=self.state, calls=self.calls))
            file.chmod(0o755)

    def script(self, name: str, *words: str) -> None:
        """Run one as dpkg does."""
        text = (SCRIPTS / f"tscm-core.{name}").read_text()
        text = text.replace("/run/", f"{self.run}/").replace("#DEBHELPER#", "")
        subprocess.run(
            ["sh", "-c", text, name, *words],
            check=True,
            timeout=60,
            env={"PATH": f"{self._programs}:{os.environ['PATH']}"},
        )

    @property
    def active(self) -> bool:
        return self.state.read_text() == "active\n"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    one = Host(tmp_path)
    one.script("preinst", "install")
    one.script("postinst", "configure", "")
    assert one.active
    return one


def upgraded(host: Host) -> None:
    host.script("prerm", "upgrade", "2")
    host.script("preinst", "upgrade", "1")
    host.script("postinst", "configure", "1")


def test_what_was_removed_and_comes_back_is_started(host: Host) -> None:
    host.script("prerm", "remove")
    assert not host.active
    host.script("preinst", "install", "1", "1")
    host.script(
        "postinst", "configure", "1"
    )  # of a package whose settings stayed: as in an upgrade
    assert host.active


def test_what_the_operator_stopped_stays_stopped(host: Host) -> None:
    host.state.write_text("inactive\n")
    upgraded(host)
    assert not host.active
    host.script("postinst", "abort-upgrade", "2")
    assert not host.active
    host.script("postinst", "triggered", "/usr/lib/tscm/lib")
    assert not host.active


def test_an_upgrade_restarts_the_service_alone(host: Host) -> None:
    host.calls.unlink()
    upgraded(host)
    assert host.calls.read_text() == "restart tscm.service\n"


def test_a_removal_that_was_given_up_starts_it_again(host: Host) -> None:
    host.script("prerm", "remove")
    host.script("postinst", "abort-remove")
    assert host.active
