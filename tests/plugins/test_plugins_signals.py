"""
What signals do to a process whose reactor was settled, and to the child that parses.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.manager.manager_process import wait_for
from tests.services.services_process import start, stop
from tscm.base.stray_signals import STRAY, name_of
from tscm.store.database import Store

PROGRAM = """
import sys
from pathlib import Path
from twisted.internet import defer, reactor, task
from twisted.python import log
from tscm.plugins.signals import settle_signals

settle_signals(reactor)
log.startLogging(sys.stdout, setStdout=False)

async def stop():
    print("stopping", flush=True)
    while not Path(sys.argv[1]).exists():
        await task.deferLater(reactor, 0.02)

reactor.addSystemEventTrigger("before", "shutdown", lambda: defer.Deferred.fromCoroutine(stop()))
# Two steps behind what was asked for before: all handlers are there.
reactor.callWhenRunning(lambda: reactor.callLater(0, print, "running", flush=True))
reactor.run()
print("over", flush=True)
"""


class Process:
    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self.log = log

    def said(self) -> str:
        return self.log.read_text()

    def tell(self, number: int, then: str) -> None:
        os.kill(self.process.pid, number)
        self.when_said(then)

    def when_said(self, words: str) -> None:
        def says() -> bool:
            assert words in self.said() or self.process.poll() is None, self.said()
            return words in self.said()

        wait_for(says, self.said)


@contextmanager
def running(folder: Path) -> Iterator[Process]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder / "go")], stdout=log, stderr=log
        )
    try:
        one = Process(process, folder / "log")
        one.when_said("running")
        yield one
    finally:
        process.kill()
        process.wait()


def test_no_stray_signal_ends_the_process(tmp_path: Path) -> None:
    with running(tmp_path) as one:
        for number in (*STRAY, signal.SIGUSR1, signal.SIGUSR2):
            one.tell(number, f"{name_of(number)} has no effect here and is ignored")
        (tmp_path / "go").touch()
        one.tell(signal.SIGTERM, "over")
        assert one.process.wait(60) == 0
        assert "Traceback" not in one.said()


def test_every_signal_that_ends_by_default_is_decided_on() -> None:
    """What is left after `STRAY` is a stop, a fault or one that Python or the kernel holds back."""
    left = set(signal.valid_signals()) - set(STRAY) - {signal.SIGUSR1, signal.SIGUSR2}
    assert {signal.Signals(one).name for one in left} == {
        *("SIGHUP", "SIGINT", "SIGTERM", "SIGQUIT", "SIGABRT", "SIGKILL"),
        *("SIGILL", "SIGTRAP", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGSYS"),
        *("SIGPIPE", "SIGXFSZ"),
        *("SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGWINCH"),
    }


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_stop_is_told_and_the_stop_goes_on(tmp_path: Path, second: signal.Signals) -> None:
    with running(tmp_path) as one:
        one.tell(signal.SIGTERM, "stopping")
        one.tell(second, f"{second.name}: already stopping")
        (tmp_path / "go").touch()
        one.when_said("over")
        assert one.process.wait(60) == 0
        assert "ReactorNotRunning" not in one.said()


def test_the_embedded_services_outlive_them_too(tmp_path: Path) -> None:
    process, _ = start(tmp_path, "--dns", "127.0.0.1:0")
    log = tmp_path / "log"
    try:
        for number in (*STRAY, signal.SIGHUP):
            process.send_signal(number)
            words = f"{name_of(number)} has no effect here"
            wait_for(lambda: words in log.read_text(), log.read_text)  # noqa: B023
        assert process.poll() is None
    finally:
        assert stop(process)


def test_the_child_that_parses_ends_with_its_input_and_by_no_stray_signal(tmp_path: Path) -> None:
    store = Store(tmp_path / "tscm.db")
    store.open()
    store.close()
    child = subprocess.Popen(
        [sys.executable, "-m", "tscm.events.worker", str(tmp_path / "tscm.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        for number in (None, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, *STRAY):
            if number is not None:
                child.send_signal(number)
            child.stdin.write(b'{"kind": "coverage", "device": "fw"}\n')
            child.stdin.flush()
            assert child.stdout.readline(), number
        child.stdin.close()
        assert child.wait(60) == 0
    finally:
        child.kill()
        child.wait()
