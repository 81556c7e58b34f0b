"""
Signing in: codes, sessions, brute force.
"""

import pytest
from twisted.internet.defer import Deferred

from tests.faces.web.web_site import PASSWORD, FakeSite
from tscm.faces.web import passwords
from tscm.faces.web.accounts import MOST_SESSIONS, AccountRefused
from tscm.faces.web.credentials import KEPT_FOR_KNOWN, MOST_HASHING
from tscm.faces.web.failed_logins import LoginFailures
from tscm.faces.web.passwords import fits, hashed, password_fault
from tscm.faces.web.roles import Role
from tscm.faces.web.throttle import FREE, LONGEST_SECONDS, MOST_KEYS, Throttle, place_of
from tscm.operations.arguments import LoginsFailed


@pytest.fixture(scope="module")
def kept() -> str:
    return hashed(PASSWORD)


@pytest.fixture
def anna(web: FakeSite, kept: str) -> FakeSite:
    web.accounts.add_user("anna", Role.OPERATOR, kept, web.clock.seconds())
    return web


def login(
    web: FakeSite, password: str = PASSWORD, name: str = "anna", **more: str
) -> tuple[int, str]:
    reply = web.ask("/login", {"name": name, "password": password}, **more)
    return reply.status, reply.cookies[0] if reply.cookies else ""


def test_nobody_owns_the_page_by_coming_first(web: FakeSite) -> None:
    form = {"name": "eve", "password": PASSWORD, "again": PASSWORD}
    for code in ("", "AAAA-AAAA-AAAA-AAAA", "' OR 1=1 --"):
        assert web.ask("/setup", {**form, "code": code}).status == 403
    assert web.ask("/login").headers["location"] == "/setup"
    assert not web.accounts.any_user()


def test_a_code_makes_one_admin_once(web: FakeSite) -> None:
    code = web.accounts.new_code(None, web.clock.seconds())
    form = {"name": "anna", "password": PASSWORD, "again": PASSWORD, "code": code.lower()}
    reply = web.ask("/setup", form)
    assert (reply.status, reply.headers["location"]) == (303, "/")
    user = web.accounts.user("ANNA")
    assert user is not None
    assert user.role is Role.ADMIN
    again = web.ask("/setup", {**form, "name": "eve"})
    assert again.status == 403
    assert [one.name for one in web.accounts.users()] == ["anna"]
    assert web.ask("/setup").headers["location"] == "/login"


def test_a_code_ends_after_half_an_hour_and_when_the_clock_is_set_back(web: FakeSite) -> None:
    now = web.clock.seconds()
    code = web.accounts.new_code(None, now)
    assert web.accounts.code_user(code, now + 1799) == (True, None)
    assert web.accounts.code_user(code, now + 1801) == (False, None)
    assert web.accounts.code_user(code, now - 10) == (False, None)


def test_guessing_codes_becomes_slow(web: FakeSite) -> None:
    form = {"name": "eve", "password": PASSWORD, "again": PASSWORD, "code": "x"}
    statuses = [web.ask("/setup", form).status for _ in range(FREE + 3)]
    assert statuses == [403] * FREE + [429] * 3


def test_a_reset_code_sets_the_password_of_its_user_alone(anna: FakeSite) -> None:
    old = anna.signed_in(Role.OPERATOR, "anna")
    code = anna.accounts.new_code("anna", anna.clock.seconds())
    form = {
        "name": "eve",
        "password": "another long one",
        "again": "another long one",
        "code": code,
    }
    assert anna.ask("/setup", form).status == 303
    assert [one.name for one in anna.accounts.users()] == ["anna"]
    assert anna.ask("/", key=old).headers["location"] == "/login"
    assert login(anna, "another long one")[0] == 303


def test_the_cookie_is_kept_to_this_host_and_from_scripts(anna: FakeSite) -> None:
    status, cookie = login(anna)
    assert status == 303
    name, *attributes = cookie.split("; ")
    assert name.startswith("__Host-tscm=")
    assert set(attributes) == {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"}


def test_a_session_that_somebody_brought_along_is_not_taken(anna: FakeSite) -> None:
    planted = "p" * 43
    reply = anna.ask("/login", {"name": "anna", "password": PASSWORD}, key=planted)
    assert reply.key != planted
    assert anna.ask("/account", key=planted).status == 303
    old = reply.key
    again = anna.ask("/login", {"name": "anna", "password": PASSWORD}, key=old)
    assert again.key != old
    assert anna.ask("/account", key=old).status == 303
    assert anna.ask("/account", key=again.key).status == 200


def test_only_digests_lie_on_the_disk(anna: FakeSite, kept: str) -> None:
    key = login(anna)[1].partition(";")[0].partition("=")[2]
    code = anna.accounts.new_code(None, anna.clock.seconds())
    anna.accounts.close()
    folder = anna.accounts.path.parent
    content = b"".join(one.read_bytes() for one in folder.iterdir())
    for secret in (key, code, PASSWORD):
        assert secret.encode() not in content
    assert kept.encode() in content
    assert anna.accounts.path.stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0
    anna.accounts.open()


def test_a_session_ends_when_idle_and_in_any_case_after_hours(anna: FakeSite) -> None:
    key = anna.signed_in(Role.OPERATOR, "anna")
    for _ in range(20):
        anna.clock.advance(1500)
        assert anna.ask("/account", key=key).status == 200
    anna.clock.advance(1801)
    assert anna.ask("/account", key=key).status == 303
    key = anna.signed_in(Role.OPERATOR, "anna")
    for _ in range(30):
        anna.clock.advance(1500)
        last = anna.ask("/account", key=key).status
    assert last == 303


def test_a_page_that_refreshes_itself_keeps_no_session_alive(anna: FakeSite) -> None:
    key = anna.signed_in(Role.OPERATOR, "anna")
    for _ in range(18):
        anna.clock.advance(100)
        anna.ask("/?live=yes", key=key)
    anna.clock.advance(100)
    reply = anna.ask("/?live=yes", key=key)
    assert reply.status == 401
    assert reply.headers["hx-redirect"].startswith("/login")


def test_signing_out_ends_the_session(anna: FakeSite) -> None:
    key = anna.signed_in(Role.OPERATOR, "anna")
    reply = anna.ask("/logout", {}, key=key)
    assert "Max-Age=0" in reply.cookies[0]
    assert anna.ask("/account", key=key).status == 303


def test_a_user_has_a_bounded_number_of_sessions(anna: FakeSite) -> None:
    keys = []
    for _ in range(MOST_SESSIONS + 5):
        anna.clock.advance(1)
        keys.append(anna.signed_in(Role.OPERATOR, "anna"))
    open_now = [anna.ask("/account", key=key).status == 200 for key in keys]
    assert sum(open_now) == MOST_SESSIONS
    assert open_now[-1]


def test_guessing_becomes_slow_and_shuts_nobody_out(anna: FakeSite) -> None:
    assert login(anna, address="192.0.2.50")[0] == 303  # her own place
    statuses = [login(anna, "wrong", address="203.0.113.1")[0] for _ in range(FREE + 2)]
    assert statuses == [403] * FREE + [429] * 2
    others = [login(anna, "wrong", address=f"203.0.113.{n}")[0] for n in range(2, 12)]
    assert set(others) == {429}  # the account is slow for everybody who is new to it
    assert login(anna, address="192.0.2.50")[0] == 303
    anna.clock.advance(LONGEST_SECONDS + 1)
    assert login(anna, address="203.0.113.99")[0] == 303


def test_many_guesses_at_once_are_no_way_around(web: FakeSite) -> None:
    throttle, tried = Throttle(), 0
    for _ in range(1000):  # none of them has ended
        if throttle.wait(("from x",), 1.0) == 0:
            throttle.tried(("from x",), 1.0)
            tried += 1
    assert tried == FREE
    waits = []
    now = 1.0
    for _ in range(12):
        wait = throttle.wait(("from x",), now)
        now += wait
        throttle.tried(("from x",), now)
        waits.append(wait)
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert max(waits) == LONGEST_SECONDS


def test_a_flood_of_guesses_leaves_room_for_who_comes_from_a_place_of_his_own(
    anna: FakeSite,
) -> None:
    assert login(anna, address="192.0.2.7")[0] == 303
    anna.desk.hashing_now = MOST_HASHING - KEPT_FOR_KNOWN  # as many as strangers may have
    assert login(anna, address="192.0.2.8")[0] == 503
    assert login(anna, name="nobody", address="192.0.2.7")[0] == 503
    assert login(anna, address="192.0.2.7")[0] == 303
    anna.desk.hashing_now = MOST_HASHING
    assert login(anna, address="192.0.2.7")[0] == 503


def test_a_good_login_between_guesses_makes_no_address_as_new(anna: FakeSite, kept: str) -> None:
    anna.accounts.add_user("eve", Role.VIEWER, kept, anna.clock.seconds())
    statuses = []
    for _ in range(FREE + 2):
        statuses.append(login(anna, "wrong", address="203.0.113.1")[0])
        login(anna, name="eve", address="203.0.113.1")
    assert statuses[-1] == 429
    assert statuses.count(403) <= FREE


def test_a_flood_of_addresses_costs_bounded_memory() -> None:
    throttle = Throttle()
    for number in range(MOST_KEYS + 500):
        throttle.tried((f"from {number}",), 1.0)
    assert len(throttle._tries) == MOST_KEYS


def test_a_clock_set_back_shuts_nobody_out() -> None:
    throttle = Throttle()
    for _ in range(20):
        throttle.tried(("from x",), 1_000_000.0)
    assert throttle.wait(("from x",), 10.0) == 0


def test_an_ipv6_host_is_counted_by_its_network() -> None:
    assert place_of("2001:db8::1") == place_of("2001:db8::ffff:2") == "2001:db8::/64"
    assert place_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert place_of("fe80::1%eth0") == "fe80::/64"


def test_an_unknown_user_costs_as_much_as_a_known_one(
    anna: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified = []
    real = passwords._hasher()

    class Counting:
        def verify(self, *args: str) -> bool:
            verified.append(args)
            return bool(real.verify(*args))

        def hash(self, password: str) -> str:
            return str(real.hash(password))

    monkeypatch.setattr(passwords, "_hasher", Counting)
    known, unknown = login(anna, "wrong"), login(anna, "wrong", "nobody")
    assert known == unknown
    assert len(verified) == 2


def test_passwords_fit_their_hashes_alone(kept: str) -> None:
    assert fits(kept, PASSWORD)
    assert not fits(kept, PASSWORD + "x")
    assert not fits(None, PASSWORD)
    assert not fits("no hash", PASSWORD)


@pytest.mark.parametrize(
    "password", ["short", "aaaaaaaaaaaaaaaa", "x" * 300, "anna", "annaannaanna", "MyNameIsAnna1"]
)
def test_poor_passwords_are_not_taken(password: str) -> None:
    assert password_fault("anna", password)
    assert password_fault("anna", PASSWORD) is None


@pytest.mark.parametrize(
    "name", ["", "a b", "-a", "a\r\nX-Tscm-User: root", "é", "<b>", "a" * 64, "'; DROP TABLE users"]
)
def test_names_that_are_no_header_are_not_taken(web: FakeSite, name: str) -> None:
    with pytest.raises(AccountRefused):
        web.accounts.add_user(name, Role.VIEWER, "x", 1.0)


def test_the_last_admin_stays(web: FakeSite) -> None:
    key = web.signed_in(Role.ADMIN, "root")
    assert web.ask("/admin/users/root/remove", {}, key=key).status == 400
    assert web.ask("/admin/users/root/role", {"role": "viewer"}, key=key).status == 400
    web.signed_in(Role.ADMIN, "other")
    assert web.ask("/admin/users/root/role", {"role": "viewer"}, key=key).status == 303
    assert web.ask("/admin/users", key=key).status == 403  # from the next request on


def test_nobody_ends_the_session_of_another(web: FakeSite) -> None:
    other = web.signed_in(Role.VIEWER, "other")
    number = web.accounts.sessions("other", web.clock.seconds())[0].number
    key = web.signed_in(Role.VIEWER, "eve")
    assert web.ask(f"/account/end/{number}", {}, key=key).status == 404
    assert web.ask("/account", key=other).status == 200


def test_logins_are_written_down(anna: FakeSite) -> None:
    login(anna, "wrong", name="<script>\x1b[31m")
    login(anna)
    key = anna.signed_in(Role.ADMIN)
    reply = anna.ask("/admin/users", key=key)
    assert "&lt;script&gt;\\x1b[31m" in reply.text
    assert "<script>\x1b" not in reply.text
    good = [one.good for one in anna.accounts.events(10)]
    assert good == [True, False]


def test_what_was_typed_is_kept_over_the_end_of_a_session(anna: FakeSite) -> None:
    gone = anna.ask("/admin/users", {"address": '"><script>', "reason": "a\nb"})
    assert gone.status == 401
    assert "<script>alert" not in gone.text
    form = {
        "name": "anna",
        "password": PASSWORD,
        "kept_path": "/admin/users",
        "kept": "address=%22%3E%3Cscript%3E&reason=a%0Ab&password=x",
    }
    reply = anna.ask("/login", form)
    assert reply.status == 200
    assert reply.cookies
    assert "&#34;&gt;&lt;script&gt;" in reply.text
    assert 'name="password"' not in reply.text
    outside = anna.ask("/login", {**form, "kept_path": "https://evil.example/"})
    assert outside.status == 303


def test_a_locked_database_is_told(web: FakeSite) -> None:
    web.accounts.path.chmod(0o600)
    web.accounts.close()
    web.accounts.path.write_bytes(b"no database at all, but a text that is long enough" * 100)
    for name in ("web.db-wal", "web.db-shm"):
        (web.accounts.path.parent / name).unlink(missing_ok=True)
    from tscm.faces.web.database import AccountsUnusable

    with pytest.raises(AccountsUnusable, match="move it away"):
        web.accounts.open()


def test_the_manager_is_told_of_failed_logins_and_of_no_name_that_may_be_a_password(
    anna: FakeSite,
) -> None:
    failures = LoginFailures(anna.desk.asking, anna.accounts.user)
    anna.accounts.failed = failures.note

    def tell() -> list[LoginsFailed]:
        anna.manager.asked.clear()
        Deferred.fromCoroutine(failures.tell())
        return [args for name, args, _ in anna.manager.asked if name == "note_logins"]

    login(anna)
    assert tell() == []
    login(anna, "wrong")
    login(anna, "wrong", name="hunter2-hunter2")
    assert tell() == [LoginsFailed(count=2, address="192.0.2.9")]  # there is no manager: they wait
    login(anna, "wrong")
    anna.manager.answers["note_logins"] = None
    assert tell() == [LoginsFailed(count=3, user="anna", address="192.0.2.9")]
    assert tell() == []
