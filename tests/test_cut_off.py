"""
Connections that are ended whatever comes on them.
"""

import socket
from threading import Event

from tscm.cut_off import CutOff


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
