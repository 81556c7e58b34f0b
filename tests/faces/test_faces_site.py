"""
Places on the control socket, by user: bytes in, bytes out.
"""

import os
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from tscm.faces.control_site import BOUNDS, KEPT, ControlSite

HALF = b"GET /v1/sta"
WHOLE = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
ROOT, OTHERS = 0, 54321


class Slow(Resource):
    isLeaf = True

    def render(self, request: Any) -> int:
        return NOT_DONE_YET


class Socket:
    """The site, with users as the test says."""

    def __init__(self) -> None:
        self.uid = OTHERS
        self.clock = Clock()
        self.site = ControlSite(Slow(), self.clock, lambda _: self.uid)

    def connect(self, uid: int, data: bytes) -> StringTransport:
        self.uid = uid
        transport = StringTransport()
        channel: Any = self.site.buildProtocol(None)
        channel.makeConnection(transport)
        channel.dataReceived(data)
        return transport


@pytest.fixture
def control() -> Socket:
    return Socket()


def refused(transport: StringTransport) -> bool:
    value: bytes = transport.value()
    return value.startswith(b"HTTP/1.1 503 ")


def test_half_requests_keep_no_other_user_out(control: Socket) -> None:
    for _ in range(500):
        control.connect(OTHERS, HALF)
    assert len(control.site.held()) == BOUNDS.connections_per_address
    for uid in (OTHERS, OTHERS + 1, ROOT):
        asked = control.connect(uid, WHOLE)
        assert not refused(asked)
        assert not asked.disconnected


def test_a_half_request_ends_soon(control: Socket) -> None:
    half = control.connect(OTHERS, HALF)
    control.clock.advance(BOUNDS.head_seconds)
    assert half.disconnected


@pytest.mark.parametrize("uid", [ROOT, os.geteuid()])
def test_places_are_kept_for_root_and_the_managers_own_user(control: Socket, uid: int) -> None:
    asked = [control.connect(OTHERS + n % 9, WHOLE) for n in range(200)]
    assert sum(not refused(one) for one in asked) == BOUNDS.connections - KEPT
    assert b"too many open connections from " in asked[-1].value()
    assert not any(refused(control.connect(uid, WHOLE)) for _ in range(KEPT))
    assert refused(control.connect(uid, WHOLE))


def test_a_user_has_a_bound_of_his_own(control: Socket) -> None:
    asked = [control.connect(OTHERS, WHOLE) for _ in range(200)]
    assert sum(not refused(one) for one in asked) == BOUNDS.connections_per_address
    assert not refused(control.connect(OTHERS + 1, WHOLE))
