"""
Whatever is wrong with a device's command line comes to one sentence with its remedy, and nothing is written.
"""

import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tests.kinds.asa.ssh.command_line import Box, Script, echoing, hosts, reactor
from tscm.base.secrets import Secret
from tscm.errors import DeviceFault
from tscm.kinds import faults
from tscm.kinds.asa.driver import CreateGroup
from tscm.kinds.asa.faults import UnitOnStandby
from tscm.kinds.asa.ssh.driver import SshDriver
from tscm.kinds.asa.ssh.faults import HostKeyUntrusted, NoCommonAlgorithm, fault_of
from tscm.kinds.asa.ssh.link import SshLink
from tscm.kinds.asa.ssh.login import Entrance
from tscm.kinds.asa.ssh.openssh import Target, read_failure
from tscm.kinds.asa.ssh.process import NotOpened, SshProcess
from tscm.model import Cidr
from tscm.simulator.service import AsaOptions, SimulatedAsa

PIN = "SHA256:" + "A" * 43
SHOWN = f"tscm-host-key ssh-rsa {PIN}\n"
MEMBERS = tuple(map(Cidr, hosts(30)))
AUTHORIZED = "aaa authorization command LOCAL"


def ask_everything(driver: SshDriver) -> None:
    """What an update does until its first write, and that."""
    driver.probe()
    driver.read_groups("T")
    driver.identify()
    driver.apply(CreateGroup(group="T-Block-1", members=MEMBERS))


def told(work: Callable[[], Any], kind: type[DeviceFault], cause: str, remedy: str) -> None:
    with pytest.raises(DeviceFault) as caught:
        work()
    fault = caught.value
    assert isinstance(fault, kind), repr(fault)
    assert cause in fault.cause
    assert remedy in fault.remedy
    assert "\n" not in str(fault)
    assert len(str(fault)) < 500


# -- before there is a session -------------------------------------------------------


@pytest.mark.parametrize(
    ("errors", "kind", "cause", "remedy"),
    [
        (
            f"{SHOWN}Host key verification failed.\n",
            HostKeyUntrusted,
            "which is not one that its settings pin",
            f"--host_key {PIN}",
        ),
        (
            "Unable to negotiate with a port 22: no matching key exchange method found. "
            "Their offer: diffie-hellman-group1-sha1\n",
            NoCommonAlgorithm,
            "diffie-hellman-group1-sha1",
            "`ssh key-exchange group dh-group14-sha256`",
        ),
        (
            "admin@a: Permission denied (password).\n",
            faults.Unauthorised,
            "rejected the user name or the password",
            "--password",
        ),
        (
            "admin@a: Permission denied (password).\n",
            faults.Unauthorised,
            "rejected the user name or the password",
            "clear aaa local user lockout username",
        ),
        (
            "kex_exchange_identification: read: Connection reset by peer\n",
            faults.SessionsUsedUp,
            "before the login",
            "`show ssh sessions`",
        ),
        (
            "ssh: connect to host a port 22: Connection refused\n",
            faults.Unreachable,
            "refused",
            "`ssh` lines allow the manager's address",
        ),
    ],
    ids=["host-key", "algorithms", "password", "locked", "0-bytes-or-5-sessions", "refused"],
)
def test_what_ends_before_the_login(
    errors: str, kind: type[DeviceFault], cause: str, remedy: str
) -> None:
    def work() -> None:
        raise fault_of("fw1", read_failure(errors, name="fw1", old_algorithms=False))

    told(work, kind, cause, remedy)


def test_a_login_that_asks_twice_gets_one_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ssh"
    program.write_text(
        "#!/bin/sh\nprintf 'admin password: ' >/dev/tty; read one </dev/tty\n"
        f'echo "$one" >>{tmp_path}/given\n'
        "printf 'Enter PASSCODE: ' >/dev/tty; read two </dev/tty\n"
        f'echo "$two" >>{tmp_path}/given\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    process = SshProcess("fw1", Target(host="192.0.2.1", username="admin"), time.monotonic)

    def work() -> None:
        try:
            process.open("secret", 60)
        except NotOpened as error:
            raise fault_of("fw1", error.failure) from None

    told(work, faults.Unauthorised, "requires more than a password", "--ssh_key_file")
    assert (tmp_path / "given").read_text() == "secret\n"


# -- in a session ----------------------------------------------------------------------


def less_privilege(box: Box) -> None:
    account = box.asa.device.accounts.users["admin"]
    box.asa.device.put_account(evolve(account, privilege=5))


def on_standby(box: Box) -> None:
    box.asa.device = box.asa.make_pair().standby


@pytest.mark.parametrize(
    ("prepare", "entrance", "kind", "cause", "remedy"),
    [
        (None, {"enable": "wrong"}, faults.Unauthorised, "`enable` was refused", "enable_password"),
        (less_privilege, {}, faults.Forbidden, "may not use", "privilege 15"),
        (None, {"context": "CUST9"}, DeviceFault, "context CUST9", "`show context`"),
        (on_standby, {}, UnitOnStandby, "not the active unit", "that of the active unit"),
    ],
    ids=["enable", "privilege-5", "context", "standby"],
)
def test_what_ends_before_the_first_line_is_written(
    prepare: Callable[[Box], None] | None,
    entrance: dict[str, Any],
    kind: type[DeviceFault],
    cause: str,
    remedy: str,
) -> None:
    box = Box(SimulatedAsa(reactor, AsaOptions(password="secret", contexts=("CUST1",))))
    box.asa.type_lines([AUTHORIZED])
    if prepare is not None:
        prepare(box)
    before = box.asa.device.configuration.generation
    told(lambda: ask_everything(box.driver(**entrance)), kind, cause, remedy)
    assert box.asa.device.configuration.generation == before


def test_a_refusal_is_quoted_by_its_sentence_and_not_by_the_mark_above_it() -> None:
    box = Box(SimulatedAsa(reactor, AsaOptions(password="secret")))
    told(
        lambda: box.driver(context="CUST9").probe(),
        DeviceFault,
        "context CUST9: ERROR: % Invalid input",
        "`show context`",
    )


@pytest.mark.parametrize(
    ("script", "cause", "remedy"),
    [
        (Script(lambda _: "", begin="welcome\r\n"), "no prompt", "`ssh`"),
        (Script(lambda _: "", begin=""), "no prompt", "`ssh`"),
        (
            Script(echoing({"show version": "x" * 80 + "\r\n"}), begin="fw1# "),
            "stopped responding",
            "`ssh`",
        ),
        (
            Script(echoing({"show version": "y\r\n" * 20_010}), begin="fw1# "),
            "it printed more than",
            "`ssh`",
        ),
        (
            Script(echoing({"show version": "z" * 20_000}), begin="fw1# "),
            "a line of more than",
            "`ssh`",
        ),
    ],
    ids=["no-prompt", "nothing", "half-an-answer", "prints-for-ever", "line-without-end"],
)
def test_a_command_line_that_is_none_is_left(script: Script, cause: str, remedy: str) -> None:
    told(lambda: ask_everything(script.driver()), faults.Overloaded, cause, remedy)
    assert script.typed[-1] == "closed"
    assert not any("object-group network" in one for one in script.typed)


def test_a_session_that_idles_out_is_told_and_the_next_goes_on() -> None:
    box = Box.of(ssh_idle_seconds=30)
    driver = box.driver()
    driver.probe()
    box.clock.advance(31)
    told(lambda: driver.read_groups("T"), faults.Overloaded, "session ended", "`ssh timeout`")
    assert driver.read_groups("T") == {}


def test_another_password_prompt_is_waited_for_where_it_is_set() -> None:
    box = Box.of(ssh_enable_prompt="Enter PASSCODE: ")
    told(lambda: box.driver().probe(), faults.Overloaded, "was not answered", "--password_prompt")
    link = SshLink(
        name="fw1",
        target=Target(host="192.0.2.1", username="admin"),
        password=Secret("secret"),
        entrance=Entrance(enable=Secret("secret")),
        password_prompt="Enter PASSCODE:",
        opener=box.open,
        monotonic=box.clock.seconds,
    )
    driver = SshDriver(link, clock=box.clock.seconds)
    assert driver.probe().version
    driver.close()
