"""
A device whose answers are too large, nested, full of digits, or pack more than they show.
"""

import gzip
import itertools
import json
import re
import socket
import ssl
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tests.kinds.asa.rest.test_rest_trickle import serving
from tscm.base.secrets import Secret
from tscm.kinds import faults
from tscm.kinds.asa.access_lists import Entry
from tscm.kinds.asa.doctor.packet_trace import PacketTrace, judge_trace
from tscm.kinds.asa.driver import AsaDriver
from tscm.kinds.asa.platforms import agent_state, failover_role, read_show_version, replicating
from tscm.kinds.asa.rest import picks
from tscm.kinds.asa.rest.content import json_of
from tscm.kinds.asa.rest.link import Bounds
from tscm.kinds.asa.rest.members import group_of
from tscm.kinds.asa.rest.opening import open_driver
from tscm.kinds.asa.rest.picks import Want
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.kinds.asa.running import read_running
from tscm.model import Identity
from tscm.services.certificate import ensure_certificate

BOUNDS = Bounds(connect_seconds=20, read_seconds=20, write_seconds=20)
Reply = tuple[str, bytes]
ENTRY = Entry(
    line="x", access_list="a", action="deny", source="any", destination="object-group T-Block"
)
TRIAL = PacketTrace(
    listed="192.0.2.1", entry=ENTRY, interface="inside", source="192.0.2.2", destination="192.0.2.1"
)


class Device:
    """Answers each request with what *reply* makes of its path."""

    def __init__(self, folder: Path, reply: Callable[[str], Reply]) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*ensure_certificate(folder, ["127.0.0.1"], 1_800_000_000))
        self._reply = reply
        self.asked = 0

    def __call__(self, plain: socket.socket) -> None:
        with suppress(OSError, ssl.SSLError), self._context.wrap_socket(plain, True) as one:
            held = b""
            while b"\r\n\r\n" not in held:
                if not (piece := one.recv(65536)):
                    return
                held += piece
            head, _, held = held.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: ([0-9]+)", head)
            while length and len(held) < int(length[1]):
                held += one.recv(65536)
            self.asked += 1
            self.answer(one, *self._reply(head.split()[1].decode()))

    def answer(self, one: ssl.SSLSocket, headers: str, body: bytes) -> None:
        status = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        one.sendall(f"{status}{headers}\r\n".encode() + body)


def driver_at(root: str, bounds: Bounds = BOUNDS) -> AsaDriver:
    settings = AsaRestSettings(
        name="fw",
        device_id="tdid_test1",
        device="127.0.0.1",
        block_list="block.example",
        allow_list="allow.example",
        username="admin",
        password=Secret("secret"),
        rest_url=root,
        token_auth=False,
        allow_self_signed=True,
    )
    return open_driver(settings, {}, bounds=bounds)


def asked(
    folder: Path, reply: Callable[[str], Reply], call: Callable[[AsaDriver], Any], **bounds: Any
) -> Any:
    device = Device(folder, reply)
    with serving(device) as root:
        driver = driver_at(root, evolve(BOUNDS, **bounds))
        try:
            return call(driver)
        finally:
            driver.close()


def bomb(size: int) -> bytes:
    """*size* blanks and a number, in gzip."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(
        [
            *(packer.compress(b" " * (1 << 20)) for _ in range(size >> 20)),
            packer.compress(b"1"),
            packer.flush(),
        ]
    )


def test_a_gzip_that_swells_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    packed = bomb(300 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(faults.Overloaded, match="exceeds 8,388,608 bytes"):
            asked(
                tmp_path,
                lambda _: ("Content-Encoding: gzip\r\n", packed),
                lambda driver: driver.probe(),
                response_bytes=8 << 20,
            )
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()


def test_gzip_that_was_not_asked_for_is_read_all_the_same(tmp_path: Path) -> None:
    body = json.dumps({"asaVersion": "9.8", "note": "x" * 500_000}).encode()
    found = asked(
        tmp_path,
        lambda _: ("Content-Encoding: gzip\r\n", gzip.compress(body, mtime=0)),
        lambda driver: driver.probe(),
    )
    assert found.version == "9.8"


@pytest.mark.parametrize(
    ("headers", "body", "words"),
    [
        ("Content-Encoding: gzip\r\n", gzip.compress(b"{}" * 1000, mtime=0)[:-10], "truncated"),
        ("Content-Encoding: gzip\r\n", b"{}", "not valid gzip"),
        ("Content-Encoding: br\x1b[2J\r\n", b"{}", "unexpected encoding"),
    ],
)
def test_an_encoding_that_cannot_be_read_is_a_sentence(
    tmp_path: Path, headers: str, body: bytes, words: str
) -> None:
    with pytest.raises(faults.Overloaded, match=words) as caught:
        asked(tmp_path, lambda _: (headers, body), lambda driver: driver.probe())
    assert str(caught.value).isprintable()


def test_pages_together_have_the_bound_of_one_answer(tmp_path: Path) -> None:
    numbers = itertools.count()

    def page(_: str) -> tuple[str, bytes]:
        name = f"{next(numbers)}".ljust(100_000, "x")
        told = {"items": [{"name": name}], "rangeInfo": {"total": 1_000_000}}
        return "", json.dumps(told).encode()

    device = Device(tmp_path, page)
    with serving(device) as root:
        driver = driver_at(root, evolve(BOUNDS, response_bytes=1 << 20))
        with pytest.raises(faults.Overloaded, match="object-groups take more than"):
            driver.read_groups("T")
        driver.close()
    assert device.asked <= 12


@pytest.mark.parametrize(
    "call", [lambda driver: driver.running_config("T"), lambda driver: driver.look("show x")]
)
def test_what_the_command_line_says_has_a_bound_of_its_own(
    tmp_path: Path, call: Callable[[AsaDriver], Any]
) -> None:
    body = json.dumps({"response": ["x" * (2 << 20)]}).encode()
    with pytest.raises(faults.Overloaded, match="exceeds 1,048,576 bytes"):
        asked(tmp_path, lambda _: ("", body), call, configuration_bytes=1 << 20)


@pytest.mark.parametrize("digits", [31, 4000, 5000])
@pytest.mark.parametrize("name", ["upTimeinSeconds", "currentTimeinSeconds"])
def test_numbers_of_thousands_of_digits_are_a_sentence(
    tmp_path: Path, name: str, digits: int
) -> None:
    body = f'{{"asaVersion": "9.8", "upTimeinSeconds": 1, "{name}": {"9" * digits}}}'.encode()
    with pytest.raises(faults.Overloaded, match="without a JSON body"):
        asked(tmp_path, lambda _: ("", body), lambda driver: driver.probe())


@pytest.mark.parametrize("value", ["1e999", "NaN", "-1", "true", "99999999999999"])
def test_a_clock_beyond_all_time_is_none(tmp_path: Path, value: str) -> None:
    body = f'{{"upTimeinSeconds": {value}, "currentTimeinSeconds": {value}}}'.encode()
    found = asked(tmp_path, lambda _: ("", body), lambda driver: driver.probe())
    assert found.clock_at is None
    assert found.started_at is None


def test_deep_json_is_none() -> None:
    assert json_of(b"[" * 100_000) is None


@pytest.mark.parametrize(
    "value", ["999.1.1.1", "1.2.3.4/33", "1.2.3.4/99", "256.0.0.0", "1.2.3.4/" + "9" * 5000]
)
def test_a_member_that_is_no_network_is_foreign(value: str) -> None:
    group = group_of({"name": "T-Block", "members": [{"kind": "IPv4Network", "value": value}]})
    assert group is not None
    assert (group.members, group.foreign) == ((), 1)


WORDS = st.sampled_from(
    [
        *(
            "access-list",
            "extended",
            "permit",
            "deny",
            "ip",
            "tcp",
            "any",
            "host",
            "object-group",
            "log",
        ),
        *(
            "access-group",
            "in",
            "interface",
            "logging",
            "logging host",
            "udp/",
            "17/",
            "tcp/\u00b2",
            "trap",
        ),
        *(
            " nameif",
            " security-level",
            " ip address",
            "username",
            "privilege",
            "9" * 5000,
            "1.2.3.4",
            "",
        ),
        *(
            "line",
            "eq",
            "range",
            "default",
            "disable",
            "security-group",
            "user",
            "\x1b",
            "\ud800",
            "!",
        ),
    ]
)


@given(st.lists(st.lists(WORDS, max_size=10).map(" ".join), max_size=8).map("\n".join))
def test_no_configuration_breaks_the_reader(text: str) -> None:
    read_running(text.encode("utf-8", "replace").decode())
    read_show_version(Identity(), text)
    failover_role(text)


@pytest.mark.parametrize(
    "text",
    [
        "Hardware:   ASAv, " + "9" * 5000 + " MB RAM",
        "logging host inside 192.0.2.1 udp/" + "9" * 5000,
        "logging host inside 192.0.2.1 tcp/\u00b2",
        "interface x\n nameif a\n security-level " + "9" * 5000 + "\n",
        "username a password b privilege " + "9" * 5000,
    ],
)
def test_numbers_of_a_configuration_are_read_within_bounds(text: str) -> None:
    read_running(text)
    read_show_version(Identity(), text)


@pytest.mark.parametrize(
    "text",
    [
        "REST-API " * 100_000,
        "REST API Agent Version " * 40_000,
        "This host: x - " + " " * 1_000_000 + "1",
        "This host: x - " + "a " * 500_000 + "1",
        ("This host: " + "x" * 50 + "\n") * 15_000,
        "Other host: " + " " * 1_000_000,
        "Other host: x - " * 60_000,
        "Hardware: " * 100_000,
        "Hardware: x, " + " " * 1_000_000,
        "Hardware:\n" + "\n" * 1_000_000,
        "Serial Number:" + " " * 1_000_000,
        "Software Version " + "9" * 1_000_000,
    ],
    ids=lambda text: text[:12].strip(),
)
def test_what_a_command_prints_is_read_in_time_linear_in_it(text: str) -> None:
    """The square of such a length takes hours, in which the interpreter serves nobody else."""
    for piece in (text, picks.pick(Want("texts"), {"response": [text]})[0]):
        read_show_version(Identity(), piece)
        failover_role(piece)
        replicating(piece)
        agent_state(piece)
        judge_trace(TRIAL, piece)


def test_no_line_of_what_a_command_prints_is_longer_than_a_screen_shows() -> None:
    said = {"response": ["x" * 5000 + "\r\n" + "y\n" * 1_000_000] + [["z"]] * 1000}
    first, *others = picks.pick(Want("texts"), said)
    assert len(first) < 256 << 10
    assert max(map(len, first.splitlines())) == 1000
    assert len(others) == 99


@pytest.mark.parametrize(
    "address",
    [
        "999.1.1.1 255.255.255.0",
        "192.0.2.1 255.0.255.0",
        "1.1.1.1111 255.255.255.0",
        "dhcp setroute",
    ],
)
def test_an_interface_without_a_real_address_has_none(address: str) -> None:
    config = read_running(f"interface x\n nameif a\n ip address {address}\n")
    assert [(one.address, one.mask) for one in config.interfaces] == [(None, None)]
