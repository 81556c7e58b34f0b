"""
Connections that are ended whatever comes on them.
"""

import socket
from threading import Event, Thread

import pytest

from tscm.base.deadline import CutOff, Scope


def test_what_is_watched_ends_with_the_time_and_what_comes_later_at_once() -> None:
    cut = CutOff()
    near, far = socket.socketpair()
    late, other = socket.socketpair()
    with near, far, late, other:
        with cut.within(0.01):
            cut.watch(near)
            assert near.recv(1) == b""  # waits until it is cut
            assert cut.over
            cut.watch(late)
            assert late.recv(1) == b""
        assert far.recv(1) == b""


def test_what_ends_in_time_goes_on_and_is_not_held_open() -> None:
    cut = CutOff()
    near, far = socket.socketpair()
    with far:
        for _ in range(3):
            with cut.within(600):
                cut.watch(near)
                far.sendall(b"x")
                assert near.recv(1) == b"x"
            assert not cut.over
        near.close()
        assert far.recv(1) == b""  # no twin of it is left


def test_one_that_was_cut_off_begins_anew() -> None:
    cut, never = CutOff(), Event()
    near, far = socket.socketpair()
    with near, far:
        with cut.within(0.01):
            while not cut.over:
                never.wait(0.005)
        with cut.within(600):
            cut.watch(near)
            assert not cut.over
            far.sendall(b"x")
            assert near.recv(1) == b"x"


def test_a_scope_ends_what_runs_in_it_and_waits_for_the_patient() -> None:
    scope, begun, over = Scope(), [Event(), Event()], []
    pairs = [socket.socketpair() for _ in begun]

    def wait(number: int, cut: CutOff) -> None:
        near = pairs[number][0]
        with cut.within(600):
            cut.watch(near)
            begun[number].set()
            near.recv(1)
            over.append((number, cut.stopped))

    threads = [
        Thread(target=scope.run, args=(wait, number, CutOff(patient=bool(number))))
        for number in range(2)
    ]
    for thread, event in zip(threads, begun, strict=True):
        thread.start()
        assert event.wait(60)
    scope.hurry()
    threads[0].join(60)
    assert over == [(0, True)]
    assert threads[1].is_alive()
    scope.cut()
    threads[1].join(60)
    assert over == [(0, True), (1, True)]
    late, far = socket.socketpair()

    def begin_late() -> bytes:
        cut = CutOff(patient=True)
        with cut.within(600):
            cut.watch(late)
            return late.recv(1)

    assert scope.run(begin_late) == b""
    for pair in (*pairs, (late, far)):
        for one in pair:
            one.close()


def test_what_runs_outside_a_scope_is_left_alone() -> None:
    scope, cut = Scope(), CutOff()
    near, far = socket.socketpair()
    with near, far, cut.within(600):
        cut.watch(near)
        scope.cut()
        far.sendall(b"x")
        assert near.recv(1) == b"x"
        assert not cut.over


def test_a_connection_is_watched_before_it_stands() -> None:
    cut, scope = CutOff(), Scope()

    def connect() -> None:
        with cut.within(600), pytest.raises(TimeoutError):
            cut.connect("127.0.0.1", 9, 600)

    scope.cut()
    scope.run(connect)
    with socket.create_server(("127.0.0.1", 0)) as listening, cut.within(600):
        with cut.connect("127.0.0.1", listening.getsockname()[1], 60) as made:
            assert made.getpeername() == listening.getsockname()
        assert not cut.over
