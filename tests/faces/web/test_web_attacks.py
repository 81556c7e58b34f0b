"""
Hostile requests to every route, and guesses at passwords from many places and at many users.
"""

from pathlib import Path

import pytest

from tests.faces.web.test_web_gate import filled
from tests.faces.web.web_site import HOST, PASSWORD, FakeSite, Reply
from tscm.faces.web.passwords import hashed
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import routes
from tscm.faces.web.throttle import FREE
from tscm.settings.web import WebSettings

HOSTILE = (
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f%2e%2e%2fvar%2flib%2ftscm%2fkey",
    "%00",
    "%ff",
    "'%20OR%201=1--",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "{{7*7}}",
    "a" * 4000,
)


@pytest.fixture(scope="module")
def kept() -> str:
    return hashed(PASSWORD)


@pytest.mark.parametrize("word", HOSTILE, ids=lambda word: word[:20])
def test_no_part_of_a_path_leads_anywhere(web: FakeSite, word: str) -> None:
    key = web.signed_in(Role.ADMIN)
    for route in routes():
        if "<" not in route.path:
            continue
        parts = (word if one.startswith("<") else one for one in route.path.split("/"))
        reply = web.ask("/".join(parts), {} if route.method == "POST" else None, key=key)
        # 200: without a manager a device's page says that it knows nothing of it
        assert reply.status in {200, 303, 400, 403, 404, 503}, route
        assert "<script>alert" not in reply.text
        assert "root:" not in reply.text
        assert "{{" not in word or reply.status != 200 or word in reply.text, route


@pytest.mark.parametrize(
    "name", ["User-Agent", "Origin", "Sec-Fetch-Site", "Content-Type", "Accept-Encoding",
             "Authorization", "Cookie", "X-Remote-User"],
)  # fmt: skip
def test_a_header_that_is_no_utf8_is_no_error_of_the_page(tmp_path: Path, name: str) -> None:
    proxy = WebSettings(proxy_user_header="X-Remote-User", proxy_addresses=("127.0.0.1",))
    web = FakeSite(tmp_path, proxy)
    try:
        web.signed_in(Role.ADMIN)
        for start in (
            *(f"{route.method} {filled(route)}" for route in routes()),
            *("GET /api/v1/fleet", "POST /api/v1/entries", "GET /nowhere", "GET /static/none"),
        ):
            head = f"{start} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n{name}: ".encode()
            status = int(web.send(head + b"\xff\r\n\r\n").split()[1])
            assert 200 <= status < 500, start
    finally:
        web.close()


def test_a_body_over_the_bound_is_refused_on_every_route(web: FakeSite) -> None:
    key = web.signed_in(Role.ADMIN)
    for route in routes():
        size = 1_100_000 if route.path.startswith("/lists/") else 70_000
        head = (
            f"{route.method} {filled(route)} HTTP/1.1\r\nHost: {HOST}\r\nCookie: __Host-tscm={key}\r\n"
            f"Content-Length: {size}\r\n\r\n"
        )
        assert web.send(head.encode()).startswith(b"HTTP/1.1 413 "), route
    assert not web.manager.asked


def test_a_request_that_never_ends_is_hung_up_on_on_every_route(web: FakeSite) -> None:
    for route in routes():
        head = f"{route.method} {filled(route)} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 10\r\n\r\n12"
        assert web.send(head.encode()) == b"", route
    web.clock.advance(21)
    assert not web.site.held()
    assert not web.manager.asked


def login(web: FakeSite, name: str, password: str, address: str) -> Reply:
    return web.ask("/login", {"name": name, "password": password}, address=address)


def test_many_addresses_at_one_user_keep_him_out_of_nothing(web: FakeSite, kept: str) -> None:
    web.accounts.add_user("anna", Role.VIEWER, kept, web.clock.seconds())
    assert login(web, "anna", PASSWORD, "192.0.2.9").status == 303
    statuses = [login(web, "anna", f"guess {n}", f"198.51.100.{n}").status for n in range(60)]
    assert statuses.count(403) == FREE  # the others were not checked at all
    assert set(statuses) == {403, 429}
    assert login(web, "anna", PASSWORD, "192.0.2.9").status == 303  # from where she signs in
    web.clock.advance(61)
    assert (
        login(web, "anna", PASSWORD, "203.0.113.1").status == 303
    )  # and from elsewhere in a minute


def test_one_address_at_many_users_slows_nobody_else(web: FakeSite, kept: str) -> None:
    for n in range(40):
        web.accounts.add_user(f"user{n}", Role.VIEWER, kept, web.clock.seconds())
    statuses = [login(web, f"user{n}", "guess", "198.51.100.1").status for n in range(40)]
    assert statuses == [403] * FREE + [429] * (40 - FREE)
    assert login(web, "user39", PASSWORD, "192.0.2.9").status == 303
    assert login(web, "user0", PASSWORD, "192.0.2.9").status == 303
