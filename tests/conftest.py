"""
What every test leans on.
"""

import gc
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from twisted.internet import reactor
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

# Tests import each other as `tests.ROOM.…`.  The root comes last, so that what is tested is the
# installed package with its compiled helper and not the source beside it.
sys.path.append(str(Path(__file__).parent.parent))

from tests.skipping import lacking, skipped_lines

PEERS = {
    "chromium": "chromium",
    "curl": "curl",
    "dig": "bind9-dnsutils",
    "kdig": "knot-dnsutils",
    "knotd": "knot",
    "named": "bind9",
    "nginx": "nginx-light",
    "nsd": "nsd",
    "loggen": "syslog-ng-core",
    "logger": "bsdutils",
    "openssl": "openssl",
    "promtool": "prometheus",
    "rsyslogd": "rsyslog",
    "squid": "squid",
    "ssh": "openssh-client",
    "sshd": "openssh-server",
    "syslog-ng": "syslog-ng-core",
    "systemctl": "systemd",
    "tinyproxy": "tinyproxy",
    "wget": "wget",
}


# A shell that starts the suite in the background, or nohup, has it ignore these, and with it all that
# the tests start and interrupt.
for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        given = signal.default_int_handler if ignored is signal.SIGINT else signal.SIG_DFL
        signal.signal(ignored, given)

# These three measure how fast, or by what luck, examples were drawn: on a loaded machine they tell
# nothing about the test.
LUCK = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
EXPLORE = "explore"
EXAMPLES_PART = int(os.environ.get("TSCM_EXAMPLES_PART", "1"))
"""Of the examples of each property one in so many is tried: for `make quick` and `make mutants`."""
GZIP = re.compile(r"\\x1f\\+x8b")  # its first bytes, as pytest and `str` write them
settings.register_profile(
    "fixed",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=LUCK,
    max_examples=max(1, 100 // EXAMPLES_PART),
)
# Only `make fuzz` draws at random.  What it finds is shown with the line that repeats it.
settings.register_profile(EXPLORE, deadline=None, print_blob=True, suppress_health_check=LUCK)
settings.load_profile("fixed")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """
    Under `make fuzz`, FUZZ_FACTOR times the examples of each property; else what EXAMPLES_PART leaves of them.
    """
    for item in items:
        if GZIP.search(item.name):
            raise pytest.UsageError(
                f"gzip, which holds the time, in a test's name: {item.name[:99]}"
            )
    exploring = settings.get_current_profile_name() == EXPLORE
    if not exploring and EXAMPLES_PART == 1:
        return
    factor = int(os.environ.get("FUZZ_FACTOR", "20"))
    for item in items:
        test = getattr(item, "obj", None)
        test = getattr(test, "__func__", test)
        own = getattr(test, "_hypothesis_internal_use_settings", None)
        if test is not None and own is not None:
            most = factor * own.max_examples if exploring else own.max_examples // EXAMPLES_PART
            test._hypothesis_internal_use_settings = settings(own, max_examples=max(1, most))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """
    Binary content has no place in a test's name.

    gzip writes the time into it, and two processes that collect in two seconds then have different
    tests, which ends the whole run.
    """
    if isinstance(val, bytes) and not val.decode("latin-1").isprintable():
        return argname
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """
    Skip a test whose peer is absent, naming the package; in CI that is a failure.
    """
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for mark in item.iter_markers("peer"):
        program = mark.args[0]
        if shutil.which(program) is None:
            sentence = lacking(program, PEERS[program])
            if os.environ.get("CI"):
                pytest.fail(sentence)
            pytest.skip(sentence)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """
    Say what was skipped, in one line for each cause, and how to get what was missing.
    """
    reasons = [
        str(report.longrepr[2]).removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    ]
    for line in skipped_lines(reasons):
        terminalreporter.write_line(line)


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
