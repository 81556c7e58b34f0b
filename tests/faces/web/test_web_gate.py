"""
What the page looks at before any handler: roles, origins, hosts, sizes.
"""

from collections.abc import Iterable

import pytest

from tests.faces.web.web_site import OWN, FakeSite
from tscm.faces.web.api.http import METHODS
from tscm.faces.web.app import HEADERS
from tscm.faces.web.gate import cross_site_fault, own_origins, place_within, session_in
from tscm.faces.web.roles import ROLES, Role
from tscm.faces.web.routes import Route, routes

PUBLIC = {("GET", "/login"), ("POST", "/login"), ("GET", "/setup"), ("POST", "/setup")}
PUBLIC |= {("GET", "/login/oidc"), ("GET", "/login/oidc/done")}


def filled(route: Route) -> str:
    """The route's path with something in each of its places."""
    parts = (part for part in route.path.split("/"))
    return "/".join(
        ("1" if "int:" in part else "x") if part.startswith("<") else part for part in parts
    )


def names(found: Iterable[Route]) -> set[tuple[str, str]]:
    return {(one.method, one.path) for one in found}


def test_only_login_and_setup_are_open_to_everybody() -> None:
    assert names(one for one in routes() if one.role is Role.NOBODY) == PUBLIC


def test_every_path_that_is_served_has_a_role(web: FakeSite) -> None:
    served = {
        (method, rule.rule)
        for rule in web.app.app.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in {"HEAD", "OPTIONS"}
    }
    assert served - names(routes()) == {
        ("GET", "/static/<path:name>"),
        *((method, "/api/<path:rest>") for method in METHODS),  # each call of it has one
    }


def test_nobody_below_its_role_gets_to_a_page(web: FakeSite) -> None:
    keys = {role: web.signed_in(role) for role in ROLES}
    for route in routes():
        if route.role is Role.NOBODY:
            continue
        form = {"address": "192.0.2.1"} if route.method == "POST" else None
        stranger = web.ask(filled(route), form)
        if route.method == "GET":
            assert stranger.status == 303, route
            assert stranger.headers["location"].startswith("/login")
        else:
            assert stranger.status == 401, route
        for role in ROLES:
            if role < route.role:
                reply = web.ask(filled(route), form, key=keys[role])
                assert reply.status == 403, route
                assert route.role.word in reply.text
    assert not web.manager.asked


@pytest.mark.parametrize(
    ("site", "origin"),
    [
        ("cross-site", "https://evil.example"),
        ("same-site", "https://other.example"),
        ("cross-site", None),
        (None, "https://evil.example"),
        (None, "null"),
        (None, None),
        ("cross-site", OWN),
    ],
)
def test_a_form_of_another_site_changes_nothing(
    web: FakeSite, site: str | None, origin: str | None
) -> None:
    key = web.signed_in(Role.ADMIN)
    for route in routes():
        if route.method == "GET":
            continue
        reply = web.ask(filled(route), {"name": "x"}, key=key, sec_fetch_site=site, origin=origin)
        assert reply.status == 403
        assert "another site" in reply.text or "does not say" in reply.text
    assert web.accounts.session(key, web.clock.seconds())
    assert not web.manager.asked


def test_an_old_browser_is_known_by_its_origin() -> None:
    own = own_origins("https://tscm.example", ["127.0.0.1:9443", "[::1]:9443"])
    assert cross_site_fault(None, "https://tscm.example", own) is None
    assert cross_site_fault(None, "https://[::1]:9443", own) is None
    assert cross_site_fault(None, "https://localhost:9443", own) is None
    assert cross_site_fault(None, "http://tscm.example", own)
    assert cross_site_fault(None, "https://tscm.example.evil.example", own)


def test_nothing_is_changed_by_a_json_body(web: FakeSite) -> None:
    reply = web.ask("/admin/users", {"a": "b"}, key=web.signed_in(), content_type="text/plain")
    assert reply.status == 415


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9443", "127.0.0.1.evil.example", "tscm", "a b"]
)
def test_a_foreign_name_is_turned_away(web: FakeSite, host: str) -> None:
    assert web.ask("/login", host=host).status in {400, 421}


@pytest.mark.parametrize("host", ["127.0.0.1:9443", "localhost", "[::1]:9443", "192.0.2.1"])
def test_addresses_and_localhost_are_our_names(web: FakeSite, host: str) -> None:
    assert web.ask("/setup", host=host).status == 200


def test_every_answer_has_the_headers_that_guard_it(web: FakeSite) -> None:
    key = web.signed_in()
    for path in ("/", "/login", "/nowhere", "/about", "/static/nothing.css"):
        reply = web.ask(path, key=key)
        for name, value in HEADERS.items():
            assert reply.headers[name.lower()] == value, path
    assert "'unsafe-inline'" not in HEADERS["Content-Security-Policy"]
    assert web.ask("/", key=key).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../service.py",
        "/static/..%2fservice.py",
        "/static/%2e%2e/accounts.py",
        "/static//etc/passwd",
        "/static/page.css",
        "/../../etc/passwd",
        "/devices/..%2f..%2fetc%2fpasswd",
    ],
)
def test_no_path_leads_to_a_file(web: FakeSite, path: str) -> None:
    reply = web.ask(path, key=web.signed_in())
    assert reply.status in {303, 308, 400, 404, 503}
    assert "root:" not in reply.text
    assert "import" not in reply.text


def test_a_body_over_the_bound_is_refused_before_it_is_read(web: FakeSite) -> None:
    head = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 70000\r\n\r\n"
    assert web.send(head).startswith(b"HTTP/1.1 413 ")
    chunked = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    piece = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    assert b"HTTP/1.1 413 " in web.send(chunked + 5 * piece)


def test_a_thousand_fields_are_none(web: FakeSite) -> None:
    form = {f"name{number}": "x" for number in range(900)}
    assert web.ask("/login", form).status in {303, 403}


def test_a_client_that_says_nothing_more_is_hung_up_on(web: FakeSite) -> None:
    web.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    web.clock.advance(11)
    assert not web.site.held()


def test_one_address_cannot_take_all_places(web: FakeSite) -> None:
    channels = []
    for _ in range(300):
        from twisted.internet.address import IPv4Address
        from twisted.internet.testing import StringTransport

        channel = web.site.buildProtocol(IPv4Address("TCP", "203.0.113.1", 1))
        if channel is not None:
            channel.makeConnection(StringTransport())
            channels.append(channel)
    assert len(web.site.held()) == web.site.bounds.connections_per_address
    assert web.ask("/setup").status == 200


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("/devices/a?x=1", "/devices/a?x=1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
        ("/" + "a" * 3000, "/"),
        ("", "/"),
    ],
)
def test_the_way_back_leads_to_this_site(wanted: str, found: str) -> None:
    assert place_within(wanted) == found


def test_only_a_key_of_our_form_is_looked_up() -> None:
    key = "k" * 43
    assert session_in([f"a=b; __Host-tscm={key}".encode()]) == key
    for bad in ("", "short", "k" * 44, "k" * 42 + "'", "k" * 42 + "/"):
        assert session_in([f"__Host-tscm={bad}".encode()]) is None
    assert session_in([f"tscm={key}".encode()]) is None
