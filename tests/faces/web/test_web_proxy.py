"""
Users whom a reverse proxy has signed in: believed from its addresses, refused from all others.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faces.web.web_site import FakeSite, Reply
from tscm.faces.web.gate import user_of_proxy
from tscm.faces.web.roles import Role
from tscm.settings.web import WebSettings, header_name

PROXY = "192.0.2.80"


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[FakeSite]:
    settings = WebSettings(proxy_user_header="X-Remote-User", proxy_addresses=(PROXY,))
    made = FakeSite(tmp_path, settings)
    made.accounts.add_user("anna", Role.VIEWER, "no password", made.clock.seconds())
    yield made
    made.close()


def ask(
    web: FakeSite, path: str, user: str | None, address: str = PROXY, key: str | None = None
) -> Reply:
    return web.ask(path, address=address, x_remote_user=user, key=key)


def test_the_proxy_names_the_user_and_the_page_the_role(proxied: FakeSite) -> None:
    assert ask(proxied, "/about", "ANNA").status == 200
    assert ask(proxied, "/admin/users", "anna").status == 403
    assert ask(proxied, "/account", "anna").status == 200
    assert ask(proxied, "/login", "anna").status == 303
    assert proxied.accounts.sessions("anna", proxied.clock.seconds()) == []


def test_a_header_from_elsewhere_is_refused_with_session_or_without(proxied: FakeSite) -> None:
    key = proxied.signed_in(Role.ADMIN)
    for path in ("/", "/login", "/setup", "/admin/users", "/api/v1/versions"):
        for address in ("192.0.2.81", "127.0.0.1", "::1"):
            reply = ask(proxied, path, "anna", address)
            assert reply.status == 403, path
            assert "proxy_addresses" in reply.text
            assert ask(proxied, path, "anna", address, key=key).status == 403
            assert ask(proxied, path, "", address).status == 403
    assert not proxied.manager.asked


@pytest.mark.parametrize("user", ["", " ", "nobody", "anna, root", "anna\tx", "'; --"])
def test_whom_the_page_does_not_know_gets_nowhere(proxied: FakeSite, user: str) -> None:
    assert ask(proxied, "/about", user).status == 403


def test_two_names_are_none(proxied: FakeSite) -> None:
    head = b"GET /about HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Remote-User: anna\r\nx-remote-user: anna\r\n\r\n"
    assert proxied.send(head, PROXY).startswith(b"HTTP/1.1 403 ")


def test_without_the_header_the_proxy_is_any_address(proxied: FakeSite) -> None:
    assert ask(proxied, "/about", None).status == 303
    key = proxied.signed_in(Role.VIEWER)
    assert ask(proxied, "/about", None, key=key).status == 200


def test_a_form_of_another_site_is_refused_behind_the_proxy_too(proxied: FakeSite) -> None:
    reply = proxied.ask(
        "/account/password",
        {"a": "b"},
        address=PROXY,
        x_remote_user="anna",
        sec_fetch_site="cross-site",
    )
    assert reply.status == 403


def test_the_header_means_nothing_where_no_proxy_is_set(web: FakeSite) -> None:
    web.accounts.add_user("anna", Role.ADMIN, "no password", web.clock.seconds())
    assert ask(web, "/about", "anna").status == 303
    assert ask(web, "/about", "anna", "127.0.0.1").status == 303


def test_the_first_user_comes_by_a_code_behind_a_proxy_too(tmp_path: Path) -> None:
    settings = WebSettings(proxy_user_header="X-Remote-User", proxy_addresses=(PROXY,))
    made = FakeSite(tmp_path, settings)
    try:
        assert ask(made, "/", "root").headers["location"] == "/setup"
        assert ask(made, "/admin/users", "root").headers["location"] == "/setup"
    finally:
        made.close()


def test_an_address_may_be_written_in_two_ways() -> None:
    assert user_of_proxy(["anna"], f"::ffff:{PROXY}", (PROXY,)) == "anna"
    assert user_of_proxy([], "203.0.113.1", ()) is None
    for address in ("", "x", "::ffff:192.0.2.81"):
        with pytest.raises(ValueError, match="proxy_addresses"):
            user_of_proxy(["anna"], address, (PROXY,))


@pytest.mark.parametrize("name", ["", "Cookie", "authorization", "X User", "X:User", "x" * 65, 7])
def test_headers_that_name_no_user(name: object) -> None:
    with pytest.raises(ValueError, match="not a header for a user name"):
        header_name(name)


def test_a_certificate_that_was_not_taken_is_told_on_health(web: FakeSite) -> None:
    key = web.signed_in(Role.VIEWER)
    assert "was not replaced" not in web.ask("/health", key=key).text
    web.desk.certificate_fault = lambda: "page: /x.crt: it contains <no> certificate"
    text = web.ask("/health", key=key).text
    assert "was not replaced; the previous one remains in force" in text
    assert "contains &lt;no&gt; certificate" in text
