"""
A child process that parses: bounded, and gone when it is not needed, whatever becomes of either side.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.waiting import PATIENCE_SECONDS
from tscm.base.deadline import Scope
from tscm.base.parse_apart import (
    AT_ONCE,
    OutOfMemory,
    OutOfTime,
    ParseFailed,
    ParserProcess,
    Stopped,
)

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def findable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let children find the modules of the tests."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def parser(*arguments: str, seconds: float = PATIENCE_SECONDS) -> ParserProcess:
    return ParserProcess("tests.parsing_child", arguments, seconds)


def answered(kind: str, content: bytes, *, most: int = 1 << 30) -> bytes:
    with parser(kind) as child:
        child.feed(content)
        return bytes(child.answer(most))


def pid_of(child: ParserProcess) -> int:
    assert child._process is not None
    return child._process.pid


def is_alive(pid: int) -> bool:
    """A zombie is none: who reaps the child of a manager that was killed is not ours to say."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(holds: Callable[[], bool]) -> bool:
    """Wait for it, for a minute at most."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not holds() and time.monotonic() < ends:
        time.sleep(0.05)
    return holds()


def test_what_is_fed_in_pieces_is_answered_as_one() -> None:
    with parser("count") as child:
        for _ in range(40):
            child.feed(b"x" * 100_000)
        assert child.answer(100) == b"4000000"


def test_an_answer_larger_than_any_buffer_comes_whole() -> None:
    content = os.urandom(1 << 20) * 20
    assert answered("echo", content) == content


def test_an_answer_beyond_what_may_be_kept_is_refused() -> None:
    with pytest.raises(OutOfMemory, match="more than 10 bytes"):
        answered("echo", b"x" * 11, most=10)


def test_more_memory_than_the_bound_is_told_as_such() -> None:
    with pytest.raises(OutOfMemory):
        answered("hunger", b"x")


def test_input_beyond_the_bound_is_told_as_such() -> None:
    with pytest.raises(OutOfMemory):
        answered("count", bytes(128 << 20))


def test_what_turns_in_circles_ends_with_its_time() -> None:
    with pytest.raises(OutOfTime), parser("spin", "limited") as child:
        child.answer(100)


def test_what_does_not_answer_ends_with_the_time_for_the_whole() -> None:
    with pytest.raises(OutOfTime), parser("sleep", seconds=0.3) as child:
        child.answer(100)
    assert not is_alive(pid_of(child))


@pytest.mark.parametrize("kind", ["exit", "no such kind"])
def test_a_child_that_fails_is_a_failure_with_its_status(kind: str) -> None:
    with pytest.raises(ParseFailed, match="ended with status"):
        answered(kind, b"x")


def test_a_module_that_is_not_there_is_a_failure() -> None:
    with pytest.raises(ParseFailed), ParserProcess("tests.nowhere", (), 60) as child:
        child.answer(100)


def test_a_child_that_is_killed_is_a_failure_with_the_signal() -> None:
    with parser("sleep") as child:
        os.kill(pid_of(child), signal.SIGKILL)
        with pytest.raises(ParseFailed, match="signal 9"):
            child.answer(100)


def test_a_child_that_is_killed_while_it_is_fed_is_a_failure_too() -> None:
    with parser("sleep") as child:
        os.kill(pid_of(child), signal.SIGKILL)
        with pytest.raises(ParseFailed, match="signal 9"):
            child.feed(bytes(8 << 20))


def test_an_end_in_the_middle_leaves_no_child() -> None:
    with parser("sleep") as child:
        child.feed(b"x")
    assert not is_alive(pid_of(child))


def test_a_stop_ends_the_child_and_who_waits_for_it() -> None:
    scope, waits = Scope(), Event()
    seen: list[BaseException] = []
    children: list[ParserProcess] = []

    def wait() -> None:
        try:
            with parser("sleep") as child:
                children.append(child)
                waits.set()
                child.answer(100)
        except ParseFailed as error:
            seen.append(error)

    thread = Thread(target=scope.run, args=(wait,))
    thread.start()
    assert waits.wait(PATIENCE_SECONDS)
    scope.hurry()
    thread.join(PATIENCE_SECONDS)
    assert [type(one) for one in seen] == [Stopped]
    assert not is_alive(pid_of(children[0]))


def test_after_a_stop_no_child_begins() -> None:
    scope = Scope()
    scope.hurry()
    with pytest.raises(Stopped):
        scope.run(answered, "sleep", b"x")


def test_no_more_than_some_children_are_there_at_once() -> None:
    children = [parser("count") for _ in range(AT_ONCE)]
    for one in children:
        one.__enter__()
    with pytest.raises(OutOfTime), parser("count", seconds=0.3):
        pass
    for one in children:
        assert one.answer(10) == b"0"
        one.__exit__()
    assert answered("count", b"xyz") == b"3"


def test_many_threads_have_their_turns() -> None:
    with ThreadPoolExecutor(3 * AT_ONCE) as pool:
        made = [pool.submit(answered, "count", b"x" * number) for number in range(4 * AT_ONCE)]
        assert [one.result() for one in made] == [b"%d" % at for at in range(4 * AT_ONCE)]


def test_a_failed_start_gives_its_turn_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    for _ in range(AT_ONCE + 1):
        with pytest.raises(ParseFailed, match="cannot start a process"), parser("count"):
            pass


def test_a_child_has_nothing_of_the_memory_of_who_starts_it() -> None:
    held = bytearray(b"x") * (200 << 20)
    assert int(answered("peak", b"x")) < 100 << 10
    assert len(held) == 200 << 20


STARTER = """
import os, sys
from tests.base.test_base_parse_apart import parser, pid_of
with parser(sys.argv[1]) as child:
    child.feed(b"x" * 100)
    print(pid_of(child), flush=True)
    if sys.argv[2] == "asked":
        child.answer(100)
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("kind", "state"), [("spin", "asked"), ("sleep", "asked"), ("count", "fed")]
)
def test_a_child_does_not_outlive_who_was_killed(kind: str, state: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, kind, state],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        child = int(starter.stdout.readline())
        if kind == "spin":  # parsing, not just about to
            assert until(lambda: spent(child) > 0.3)
        starter.kill()
    assert until(lambda: not is_alive(child))


def spent(pid: int) -> float:
    """Seconds of the processor that a process has had."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
