"""
Text of strangers, made harmless: for terminals, the log and errors.
"""

import io
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LegacyLogObserverWrapper, LogEvent, Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure
from twisted.python.log import FileLogObserver

from tscm.base.log_text import TEXT_CHARACTERS, neutralise
from tscm.errors import DeviceFault, ListUnavailable
from tscm.printable import QUOTED_CHARACTERS, quoted, visible, visible_bytes
from tscm.upload.failure import UploadFailed

HOSTILE = [
    "\x1b]0;title\x07",
    "\x1b[2J",
    "\x9b31m",
    "\x00\x08\x7f",
    "\u202eevil\u202c",
    "\u2066\u2069",
    "a\u200bb\ufeff",
    "\ud800",
    "\r\n2026-11-30 [tscm#info] a line of ours",
    "\u2028\x85\x0b\x0c",
]


def harmless(text: str, keep: str = "") -> bool:
    return all(one.isprintable() or one in keep for one in text)


@given(st.text(st.characters(codec=None)))
def test_nothing_acts_on_a_terminal(text: str) -> None:
    assert harmless(visible(text))
    visible(text).encode()
    line = quoted(text, 50)
    assert harmless(line)
    assert len(line) <= 50


def test_what_prints_stays_as_it_is() -> None:
    assert visible("Grüße, 世界 ✓") == "Grüße, 世界 ✓"
    assert quoted("  two\n words ") == "two words"
    assert visible_bytes(b"a\x1b\xffz") == "a\\x1b\\xffz"


def test_a_text_without_end_is_cut_before_it_is_gone_through() -> None:
    assert len(quoted("\x1b" * 10_000_000)) == QUOTED_CHARACTERS


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize(
    "error",
    [
        lambda text: UploadFailed("fw", text),
        lambda text: DeviceFault("fw", text),
        lambda text: ListUnavailable("block.example", text),
    ],
)
def test_an_error_quotes_an_answer_on_one_line(
    error: Callable[[str], Exception], hostile: str
) -> None:
    assert harmless(str(error(hostile)))
    assert len(str(error(hostile * 10_000))) < 2 * QUOTED_CHARACTERS


class Log:
    """A log file as twistd writes it, behind our observer."""

    def __init__(self) -> None:
        self.file = io.StringIO()
        emit: Any = FileLogObserver(self.file).emit
        observer = LegacyLogObserverWrapper(emit)
        self.publisher = LogPublisher(neutralise, observer)
        self.logger = Logger("tscm.test", observer=self.publisher)

    def lines(self) -> list[str]:
        return self.file.getvalue().split("\n")[:-1]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("level", [LogLevel.info, LogLevel.error, LogLevel.critical])
def test_a_value_is_on_one_line_of_the_log_and_visible(hostile: str, level: LogLevel) -> None:
    log = Log()
    log.logger.emit(level, "said {text} and {other}", text=hostile, other=OSError(hostile))
    assert all(harmless(line, "\t") for line in log.lines())
    assert all(line.startswith("\t") for line in log.lines()[1:])
    log.file.getvalue().encode()


def test_a_failure_keeps_its_traceback_and_nothing_that_acts() -> None:
    log = Log()
    try:
        raise ValueError("\x1b[2J\u202e")
    except ValueError:
        log.logger.failure("of {name}", Failure(), name="a\nb")
    text = "\n".join(log.lines())
    assert "of a / b" in text
    assert "Traceback" in text
    assert r"\x1b[2J\u202e" in text
    assert harmless(text, "\n\t")


def test_an_event_of_the_old_log_is_taken_too() -> None:
    log = Log()
    event: LogEvent = {
        "log_level": LogLevel.info,
        "log_time": 0.0,
        "log_namespace": "old",
        "log_format": "{log_text}",
        "log_text": "\x1bx",
        "message": ("\x1bx",),
        "isError": 0,
        "system": "-",
        "time": 0.0,
    }
    log.publisher(event)
    assert log.lines()[0].endswith(r"\x1bx")


def test_an_event_is_bounded() -> None:
    log = Log()
    log.logger.info("{a} {b}", a="x" * 10_000_000, b=["y" * 10_000_000])
    assert len(log.file.getvalue()) < 2 * TEXT_CHARACTERS
