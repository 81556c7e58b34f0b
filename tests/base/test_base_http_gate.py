"""
Judging the head of a request, on values alone.
"""

import base64

import pytest

from tscm.base.http_gate import Account, RequestLine, host_fault, in_origin_form, line_fault


@pytest.mark.parametrize(
    "host",
    [
        b"127.0.0.1",
        b"127.0.0.1:9514",
        b"[::1]:9514",
        b"[2001:db8::1]",
        b"localhost",
        b"LocalHost:9514",
        b"localhost.",
        b"fw-logs.example",
        b"FW-Logs.Example.:443",
    ],
)
def test_addresses_localhost_and_names_of_the_settings_are_good(host: bytes) -> None:
    assert host_fault(b"HTTP/1.1", [host], {"fw-logs.example"}) is None


@pytest.mark.parametrize(
    "host", [b"evil.example", b"127.0.0.1.evil.example", b"localhost.evil.example"]
)
def test_a_foreign_name_is_misdirected(host: bytes) -> None:
    refusal = host_fault(b"HTTP/1.1", [host], {"fw-logs.example"})
    assert refusal is not None
    assert refusal.status == 421


@pytest.mark.parametrize(
    "hosts",
    [[], [b""], [b"a", b"a"], [b"a b"], [b"user@127.0.0.1"], [b"[::1"], [b"\xff"], [b"a:b:c"]],
)
def test_a_host_that_is_none_is_a_bad_request(hosts: list[bytes]) -> None:
    refusal = host_fault(b"HTTP/1.1", hosts, None)
    assert refusal is not None
    assert refusal.status == 400


def test_http_1_0_needs_no_host() -> None:
    assert host_fault(b"HTTP/1.0", [], frozenset()) is None


@pytest.mark.parametrize(
    ("target", "path", "host"),
    [
        (b"http://localhost:9090/metrics", b"/metrics", b"localhost:9090"),
        (b"HTTPS://[::1]/a?b=http://c/", b"/a?b=http://c/", b"[::1]"),
        (b"http://localhost", b"/", b"localhost"),
        (b"http://localhost?a", b"/?a", b"localhost"),
        (b"http:///metrics", b"/metrics", b""),
    ],
)
def test_an_absolute_target_is_a_path_and_a_host(target: bytes, path: bytes, host: bytes) -> None:
    found = in_origin_form(b"GET " + target + b" HTTP/1.1")
    assert found == RequestLine(b"GET " + path + b" HTTP/1.1", host)


@pytest.mark.parametrize(
    "line",
    [b"GET /a?http://b/ HTTP/1.1", b"GET ftp://localhost/ HTTP/1.1", b"GET http://x", b"\xff", b""],
)
def test_any_other_line_stays_as_it_is(line: bytes) -> None:
    assert in_origin_form(line) == RequestLine(line)


def test_the_targets_host_counts_in_the_place_of_the_headers() -> None:
    good, evil = b"localhost", b"evil.example"
    assert host_fault(b"HTTP/1.1", [evil], frozenset(), good) is None
    for target, status in ((evil, 421), (b"", 400), (b"user@localhost", 400)):
        refusal = host_fault(b"HTTP/1.1", [good], frozenset(), target)
        assert refusal is not None
        assert refusal.status == status
    assert host_fault(b"HTTP/1.1", [], frozenset(), good) is not None


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [(b"TRACE", b"/", 405), (b"\xff", b"/", 405), (b"GET", b"/%ff", 400), (b"GET", b"x", 400)],
)
def test_what_no_route_can_hold_is_refused(method: bytes, path: bytes, status: int) -> None:
    refusal = line_fault(method, path)
    assert refusal is not None
    assert refusal.status == status


def test_an_ordinary_line_passes() -> None:
    assert line_fault(b"GET", b"/v1/devices/a%20b") is None


def basic(text: bytes) -> bytes:
    return b"Basic " + base64.b64encode(text)


def test_the_account_of_the_file_and_no_other_fits() -> None:
    account = Account.of(b"prometheus:s:e c\nret\n")
    assert account.fits(basic(b"prometheus:s:e c"))
    assert account.fits(basic(b"prometheus:s:e c").replace(b"Basic", b"basic"))
    for wrong in (
        None,
        b"",
        b"Basic",
        b"Basic \xff",
        b"Bearer x",
        basic(b""),
        basic(b"prometheus:"),
    ):
        assert not account.fits(wrong)
    assert "ret" not in repr(account)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"user", b"user:", b":secret", b"u:" + b"x" * 2000]
)
def test_a_file_without_an_account_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="user:password"):
        Account.of(content)
