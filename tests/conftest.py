"""
What every test leans on.
"""

import gc
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

# Tests import each other as `tests.ROOM.…`.  The root comes last, so that what is tested is the
# installed package with its compiled helper and not the source beside it.
sys.path.append(str(Path(__file__).parent.parent))

PEERS = {
    "dig": "bind9-dnsutils",
    "kdig": "knot-dnsutils",
    "knotd": "knot",
    "named": "bind9",
    "nsd": "nsd",
    "loggen": "syslog-ng-core",
    "logger": "bsdutils",
    "openssl": "openssl",
    "promtool": "prometheus",
    "rsyslogd": "rsyslog",
    "squid": "squid",
    "systemctl": "systemd",
    "tinyproxy": "tinyproxy",
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """
    Skip a test whose peer is absent, naming the package; in CI that is a failure.
    """
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for mark in item.iter_markers("peer"):
        program = mark.args[0]
        if shutil.which(program) is None:
            sentence = f"needs {program}: install the package {PEERS[program]}"
            if os.environ.get("CI"):
                pytest.fail(sentence)
            pytest.skip(sentence)


def pytest_collection_finish() -> None:
    """What was imported stays; without it each test's collection takes a tenth of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def logged_failures() -> Iterator[list[LogEvent]]:
    """
    Fail a test that leaves a timer running or a failure unread in the log.

    pytest-twisted, unlike trial, looks for neither.  A test that expects a
    failure takes it out of the list.
    """
    seen: list[LogEvent] = []

    @implementer(ILogObserver)
    class Observer:
        def __call__(self, event: LogEvent) -> None:
            if "log_failure" in event or "failure" in event:
                seen.append(event)

    observe = Observer()

    globalLogPublisher.addObserver(observe)
    before = set(reactor.getDelayedCalls())
    yield seen
    gc.collect()  # an unhandled Deferred speaks up only when collected
    globalLogPublisher.removeObserver(observe)
    timers = set(reactor.getDelayedCalls()) - before
    for timer in timers:
        timer.cancel()
    assert not timers
    assert not seen
