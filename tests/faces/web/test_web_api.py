"""
The API: keys, roles, and what is answered to calls that cannot be meant.
"""

import json
from typing import Any, get_args

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faces.web.web_site import NOW, FakeSite, Reply
from tscm.errors import ControlUnavailable, NoSuchDevice
from tscm.faces.backend import ManagerError
from tscm.faces.control import error_json
from tscm.faces.web.api.openapi import document
from tscm.faces.web.api.pace import BURST, MOST_OPEN, PER_SECOND, Pace
from tscm.faces.web.api.rights import ROLES, role_for, role_with
from tscm.faces.web.keys import ApiKey, Keys, is_within, key_fault
from tscm.faces.web.nouns import NOUNS
from tscm.faces.web.roles import ROLES as EVERY_ROLE
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import routes
from tscm.model import Cidr
from tscm.operations.answers import Entered
from tscm.operations.arguments import PushedEntries
from tscm.operations.job_figures import JobFigures, JobState
from tscm.operations.operation import Operation
from tscm.operations.table.entries import PUSH_ENTRIES
from tscm.operations.table.whole import TABLE
from tscm.policy.by_hand import HandEntry

DAY = 86400.0


def made(web: FakeSite, role: Role = Role.VIEWER, name: str = "ci", **more: Any) -> str:
    """The secret of a new key."""
    key = ApiKey(name=name, role=role, **{"until": NOW + DAY, "created_at": NOW, **more})
    assert key_fault(key, NOUNS, NOW) is None
    return Keys(web.accounts.database).add(key)


def call(web: FakeSite, path: str, secret: str | None, body: Any = None, **more: Any) -> Reply:
    """A call of a program, which says nothing of where it comes from."""
    authorization = None if secret is None else f"Bearer {secret}"
    given = body if body is None or isinstance(body, str) else json.dumps(body)
    more.setdefault("method", "GET" if body is None else "POST")
    return web.ask(f"/api/v1/{path}", document=given, authorization=authorization, **more)


def sentence(reply: Reply) -> str:
    assert reply.headers["content-type"] == "application/json"
    said = json.loads(reply.text)["error"]["sentence"]
    assert "\n" not in said
    return str(said)


def filled(operation: Operation[Any, Any]) -> str:
    parts = operation.path.removeprefix("/v1/").split("/")
    return "/".join("7" if one.startswith("<") else one for one in parts)


def test_a_call_asks_the_manager_under_the_name_of_its_key(web: FakeSite) -> None:
    web.manager.answers["versions"] = ()
    reply = call(web, "versions", made(web))
    assert (reply.status, json.loads(reply.text)) == (200, [])
    assert reply.headers["cache-control"] == "no-store"
    assert [(name, user) for name, _, user in web.manager.asked] == [("versions", "key:ci")]
    (noted,) = Keys(web.accounts.database).calls(10)
    assert (noted.key, noted.what, noted.status) == ("ci", "GET /api/v1/versions", 200)
    (key,) = Keys(web.accounts.database).all()
    assert (key.used_at, key.used_from) == (NOW, "192.0.2.9")


def test_nothing_is_answered_without_a_key(web: FakeSite) -> None:
    secret = made(web, Role.ADMIN)
    for operation in TABLE.values():
        for wrong in (None, "", "tsk_x", secret[:-1], secret + "x", "x" * 5000):
            reply = call(web, filled(operation), wrong, method=operation.verb)
            assert reply.status == 401, operation.name
            assert "key" in sentence(reply)
            assert reply.headers["www-authenticate"].startswith("Bearer")
    assert call(web, "openapi.json", None).status == 401
    assert call(web, "no/such/path", None).status == 401  # strangers do not learn what there is
    assert not web.manager.asked


def test_a_session_of_a_browser_is_no_key(web: FakeSite) -> None:
    reply = call(web, "versions", None, key=web.signed_in(Role.ADMIN))
    assert reply.status == 401


def test_only_a_digest_of_a_key_is_stored(web: FakeSite) -> None:
    secret = made(web)
    web.accounts.database.do("PRAGMA wal_checkpoint(TRUNCATE)")
    stored = b"".join(one.read_bytes() for one in web.accounts.path.parent.iterdir())
    assert secret.encode() not in stored
    assert secret[13:].encode() not in stored
    assert secret[:12].encode() in stored  # by which people find it again


def test_a_key_does_no_more_than_its_role(web: FakeSite) -> None:
    secrets = {role: made(web, role, role.word) for role in EVERY_ROLE}
    for operation in TABLE.values():
        for role in EVERY_ROLE:
            web.clock.advance(10)
            body: Any = None if operation.verb == "GET" else {}
            reply = call(web, filled(operation), secrets[role], body, method=operation.verb)
            if role < role_for(operation):
                assert reply.status == 403, operation.name
                assert f"the role {role_for(operation).word}" in sentence(reply)
            else:
                assert reply.status in {422, 503}, operation.name
    assert all(
        TABLE[name].changes is False
        for name, *_ in web.manager.asked
        if role_for(TABLE[name]) is Role.VIEWER
    )


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/health", "doctor"),
        ("/devices/<name>/checks", "doctor_device"),
        ("/devices/<name>/plan", "plan"),
        ("/devices/<name>/policy/rollback", "rollback"),
        ("/devices/<name>/settings", "change"),
        ("/health/alarms/mute", "mute_alarm"),
        ("/health/alarms/unmute", "unmute_alarm"),
        ("/health/alarms/test", "test_alarm"),
        ("/health/senders", "adopt"),
        ("/jobs/<int:number>/withdraw", "withdraw"),
        ("/holds", "hold"),
        ("/check", "enter"),
        ("/entries/<int:number>/remove", "remove_entry"),
        ("/add", "add"),
    ],
)
def test_a_key_takes_the_role_that_the_page_takes(path: str, name: str) -> None:
    (of_page,) = (one.role for one in routes() if (one.method, one.path) == ("POST", path))
    assert role_for(TABLE[name]) is of_page


def test_a_call_that_nobody_gave_a_role_takes_an_admin() -> None:
    unknown: Any = attrs.evolve(next(iter(TABLE.values())), name="new one")
    assert role_for(unknown) is Role.ADMIN
    assert set(ROLES) <= set(TABLE)
    for name, role in ROLES.items():
        assert not TABLE[name].changes or role > Role.VIEWER
        assert not TABLE[name].destructive or role >= Role.OPERATOR


@pytest.mark.parametrize(
    ("role", "body", "status"),
    [
        (Role.ANALYST, {"seconds": 3600, "reason": "CR-1"}, 200),
        (Role.ANALYST, {"seconds": 3600, "reason": " "}, 403),
        (Role.ANALYST, {"seconds": 25 * 3600, "reason": "CR-1"}, 403),
        (Role.ANALYST, {"seconds": None, "reason": "CR-1"}, 403),
        (Role.ANALYST, {"reason": "CR-1"}, 403),
        (Role.ANALYST, {"seconds": 60, "reason": "CR-1", "cidr": "0.0.0.0/0"}, 403),
        (Role.ANALYST, {"seconds": 60, "reason": "CR-1", "cidr": "2001:db8::/32"}, 403),
        (Role.ANALYST, {"seconds": 60, "reason": "CR-1", "held": True}, 403),
        (Role.OPERATOR, {"reason": "CR-1", "cidr": "198.51.100.0/22"}, 200),
        (Role.OPERATOR, {"reason": ""}, 422),
    ],
)
def test_an_analyst_enters_what_the_page_lets_him(
    web: FakeSite, role: Role, body: dict[str, Any], status: int
) -> None:
    entry = HandEntry(action="allow", cidr=Cidr("192.0.2.1/32"), who="x", made_at=1.0)
    web.manager.answers["enter"] = Entered(entry=entry, sentence="x")
    whole = {"action": "allow", "cidr": "192.0.2.1", **body}
    assert call(web, "entries", made(web, role), whole).status == status
    assert bool(web.manager.asked) == (status == 200)


@pytest.mark.parametrize("more", [{"force": True}, {"accept": ["accept_shrink"]}])
def test_accepting_a_risk_takes_an_admin(web: FakeSite, more: dict[str, Any]) -> None:
    web.manager.answers |= {"update": {}, "plan": {}}
    operator = made(web, Role.OPERATOR)
    assert call(web, "devices/hq/update", operator, {}).status == 200
    assert call(web, "devices/hq/update", operator, more).status == 403
    assert call(web, "devices/hq/update", made(web, Role.ADMIN, "root"), more).status == 200
    held = PushedEntries(name="hq", held=True)
    assert role_with(PUSH_ENTRIES, held) is Role.OPERATOR


@pytest.mark.parametrize(
    ("path", "name", "body", "more"),
    [
        ("lists/mine/edit", "edit_list", {"text": "192.0.2.1"}, "shrink"),
        ("lists/mine/edit", "edit_list", {"text": "10.0.0.0/7"}, "wide"),
        ("lists/mine/remove", "remove_found", {"search": "192.0.2.1"}, "shrink"),
        ("lists/mine/undo", "undo_list", {}, "shrink"),
        ("portal/targets/drop/switch", "switch_target", {}, "accept_terms"),
    ],
)
def test_one_rule_holds_for_all_that_accepts_what_was_refused(
    web: FakeSite, path: str, name: str, body: dict[str, Any], more: str
) -> None:
    web.manager.answers[name] = {}
    operator = made(web, Role.OPERATOR)
    assert call(web, path, operator, body).status == 200
    refused = call(web, path, operator, {**body, more: True})
    assert refused.status == 403
    assert "the role admin" in sentence(refused)
    assert call(web, path, made(web, Role.ADMIN, "root"), {**body, more: True}).status == 200
    described = TABLE[name].path.replace("<", "{").replace(">", "}")
    told = document()["paths"][f"/api{described}"]
    assert more in next(iter(told.values()))["description"]


def test_only_an_admin_publishes_what_is_held_and_a_check_takes_nobody(web: FakeSite) -> None:
    assert role_for(TABLE["confirm_policy"]) is Role.ADMIN
    web.manager.answers["check_text"] = {}
    body = {"text": "10.0.0.0/7", "wide": True}
    assert call(web, "lists/mine/check", made(web), body).status == 200


def test_a_key_is_good_from_its_networks_until_it_expires(web: FakeSite) -> None:
    web.manager.answers["versions"] = ()
    secret = made(web, networks=("192.0.2.0/28", "2001:db8::/32"))
    assert call(web, "versions", secret).status == 200
    assert call(web, "versions", secret, address="192.0.2.77").status == 403
    assert (
        call(web, "versions", secret, x_forwarded_for="192.0.2.9", address="203.0.113.1").status
        == 403
    )
    web.clock.advance(DAY)
    gone = call(web, "versions", secret)
    assert gone.status == 401
    assert "expired" in sentence(gone)
    what = [(one.user, one.what) for one in web.accounts.events(10)]
    assert what == [
        ("key:ci", "expired API key"),
        *[("key:ci", "API key from another network")] * 2,
    ]


def test_a_key_calls_only_its_groups(web: FakeSite) -> None:
    web.manager.answers |= {"versions": (), "entries": {}}
    secret = made(web, Role.ADMIN, nouns=("entries",))
    assert call(web, "entries", secret).status == 200
    reply = call(web, "versions", secret)
    assert reply.status == 403
    assert "is for calls of entries" in sentence(reply)


def test_a_removed_key_is_unknown_at_once(web: FakeSite) -> None:
    web.manager.answers["versions"] = ()
    secret = made(web)
    assert call(web, "versions", secret).status == 200
    Keys(web.accounts.database).remove("CI")
    assert call(web, "versions", secret).status == 401


@pytest.mark.parametrize(
    ("body", "more", "status", "words"),
    [
        ("{", {}, 400, "not valid JSON"),
        ("[]", {}, 400, "not a JSON object"),
        ("[" * 3000, {}, 400, "not valid JSON"),
        ("[" * 5000, {}, 400, "more than 2,000 values"),
        ('{"reason": "\\ud800"}', {}, 400, "surrogate"),
        ({"a": [0] * 3000}, {}, 400, "more than 2,000 values"),
        ({"reasn": "x"}, {}, 422, "'reasn' is not an argument of this call; allowed: accept"),
        ({"reason": 1}, {}, 422, "reason is 1; allowed: a text"),
        ({"force": "yes"}, {}, 422, "allowed: true or false"),
        ({"name": "other"}, {}, 422, "'name' is not an argument"),
        ("{}", {"content_type": "text/plain"}, 415, "application/json"),
        ("{}", {"content_type": None}, 415, "application/json"),
    ],
)
def test_what_cannot_be_meant_is_told(
    web: FakeSite, body: Any, more: dict[str, Any], status: int, words: str
) -> None:
    reply = call(web, "devices/hq/update", made(web, Role.ADMIN), body, **more)
    assert reply.status == status
    assert words in sentence(reply)
    assert not web.manager.asked


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("no/such/path", 404, "no such path"),
        ("versions/", 404, "no such path"),
        ("/versions", 404, "no such path"),
        ("../../etc/passwd", 404, "no such path"),
        ("%2e%2e/%2e%2e/static/page.css", 404, "no such path"),
        ("jobs/seven", 422, "allowed: a number"),
        ("jobs/99999999999999999999999999999999999999999", 422, "a number"),
        ("audit?top=many", 422, "a number"),
        ("audit?top=1&top=2", 422, "more than once"),
        ("audit?tops=1", 422, "'tops' is not an argument"),
        ("versions?detach=yes", 422, "makes no job"),
        ("fleet?detach=maybe", 422, "allowed: yes or no"),
        ("devices/hq/plan?force=perhaps", 422, "yes or no"),
        ("audit?" + "&".join(f"a{number}" for number in range(600)), 400, "more than 500"),
    ],
)
def test_paths_and_queries_that_cannot_be_meant_are_told(
    web: FakeSite, path: str, status: int, words: str
) -> None:
    reply = call(web, path, made(web, Role.ADMIN))
    assert (reply.status, words in sentence(reply)) == (status, True)
    assert not web.manager.asked


def test_a_path_tells_its_methods(web: FakeSite) -> None:
    secret = made(web, Role.ADMIN)
    reply = call(web, "devices/hq", secret, {}, method="POST")
    assert reply.status == 405
    assert reply.headers["allow"] == "DELETE, GET, HEAD, PUT"
    odd = call(web, "devices/hq", secret, method="PATCH")
    assert (odd.status, odd.headers["allow"]) == (405, "DELETE, GET, HEAD, POST, PUT")
    assert "method" in sentence(odd)


def test_a_body_over_the_bound_is_refused_as_json(web: FakeSite) -> None:
    head = b"POST /api/v1/entries HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 70000\r\n\r\n"
    reply = web.send(head)
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert b"Content-Type: application/json" in reply
    assert b'{"error": {"sentence": "a request body has at most' in reply


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ManagerError("no device", 1, absent=True), 404),
        (ManagerError("it is held", 1), 409),
        (ManagerError("no address", 2), 422),
        (ManagerError("internal error", 70), 500),
        (ManagerError("no manager", 6), 503),
        (ControlUnavailable("/run/x", "gone"), 503),
    ],
)
def test_errors_of_the_manager_have_their_status(
    web: FakeSite, error: Exception, status: int
) -> None:
    web.manager.answers["view"] = error
    reply = call(web, "devices/hq", made(web))
    assert (reply.status, sentence(reply)) == (status, str(error))


def test_what_does_not_exist_travels_as_that() -> None:
    assert error_json(NoSuchDevice("hq"))["absent"] is True
    assert "absent" not in error_json(ControlUnavailable("x", "y"))


def test_a_long_call_can_be_left_to_the_manager(web: FakeSite) -> None:
    job = JobFigures(
        number=7, operation="update", device="hq", actor="key:ci by tscm-web",
        state=JobState.QUEUED, asked_at=NOW,
    )  # fmt: skip
    web.manager.answers["start update"] = job
    reply = call(web, "devices/hq/update?detach=yes", made(web, Role.OPERATOR), {"reason": "x"})
    assert (reply.status, reply.headers["location"]) == (202, "/api/v1/jobs/7")
    assert json.loads(reply.text)["job"]["id"] == 7
    (asked,) = web.manager.asked
    assert (asked[0], asked[2]) == ("start update", "key:ci")


def test_a_key_that_calls_too_often_is_told_to_wait(web: FakeSite) -> None:
    web.manager.answers["versions"] = ()
    secret, other = made(web), made(web, name="other")
    replies = [call(web, "versions", secret) for _ in range(int(BURST) + 1)]
    assert [one.status for one in replies] == [200] * int(BURST) + [429]
    assert replies[-1].headers["retry-after"] == "1"
    assert call(web, "versions", other).status == 200
    web.clock.advance(1)
    assert call(web, "versions", secret).status == 200


@given(st.lists(st.floats(0, 3), max_size=200))
def test_no_more_calls_than_the_pace_allows(gaps: list[float]) -> None:
    pace, now, taken = Pace(), 0.0, 0
    for gap in gaps:
        now += gap
        taken += pace.wait("a", now) == 0.0
        assert taken <= BURST + now * PER_SECOND + 1e-6
    assert pace.wait("b", now) == 0.0


def test_a_clock_that_is_set_back_blocks_no_key() -> None:
    pace = Pace()
    for _ in range(int(BURST)):
        assert pace.wait("a", 1000.0) == 0.0
    assert 0 < pace.wait("a", 0.0) <= 1
    assert pace.wait("a", 1.0) == 0.0


def test_open_calls_of_a_key_are_bounded() -> None:
    pace = Pace()
    assert all(pace.begin("a") for _ in range(MOST_OPEN))
    assert not pace.begin("a")
    assert pace.begin("b")
    pace.end("a")
    assert pace.begin("a")


def test_rejected_keys_are_noted_once_a_minute_and_place(web: FakeSite) -> None:
    for _ in range(50):
        call(web, "versions", "tsk_wrong")
    call(web, "versions", "tsk_wrong", address="203.0.113.1")
    web.clock.advance(61)
    call(web, "versions", "tsk_wrong")
    assert len(web.accounts.events(100)) == 3


@pytest.mark.parametrize(
    "key",
    [
        ApiKey(name="a:b", role=Role.VIEWER, until=NOW + DAY),
        ApiKey(name="a" * 41, role=Role.VIEWER, until=NOW + DAY),
        ApiKey(name="a", role=Role.VIEWER, until=NOW),
        ApiKey(name="a", role=Role.VIEWER, until=NOW + 367 * DAY),
        ApiKey(name="a", role=Role.VIEWER, until=float("nan")),
        ApiKey(name="a", role=Role.VIEWER, until=NOW + DAY, nouns=("nothing",)),
        ApiKey(name="a", role=Role.VIEWER, until=NOW + DAY, networks=("192.0.2.0/24",) * 33),
    ],
)
def test_keys_that_cannot_be_meant(key: ApiKey) -> None:
    assert key_fault(key, NOUNS, NOW)


def test_addresses_of_networks() -> None:
    assert is_within("::ffff:192.0.2.1", ("192.0.2.0/24",))
    assert is_within("fe80::1%eth0", ("fe80::/64",))
    assert not is_within("2001:db8::1", ("192.0.2.0/24",))
    assert not is_within("", ("0.0.0.0/0",))
    assert is_within("", ())


def test_the_page_shows_a_key_once(web: FakeSite) -> None:
    admin = web.signed_in(Role.ADMIN)
    form = {
        "name": "ci",
        "role": "viewer",
        "days": "30",
        "networks": "192.0.2.7, 2001:db8::1/32",
        "noun": "jobs",
    }
    reply = web.ask("/admin/keys", form, key=admin)
    secret = next(
        word
        for word in reply.text.replace("<", " ").replace(">", " ").split()
        if word.startswith("tsk_") and len(word) > 50
    )
    assert secret not in web.ask("/admin/keys", key=admin).text
    (key,) = Keys(web.accounts.database).all()
    assert key.networks == ("192.0.2.7/32", "2001:db8::/32")
    assert (key.nouns, key.role, key.created_by) == (("jobs",), Role.VIEWER, "the-admin")
    again = web.ask("/admin/keys", form, key=admin)
    assert (again.status, "already exists" in again.text) == (400, True)
    for wrong in (
        {"days": "0"},
        {"days": "367"},
        {"days": "x"},
        {"networks": "here"},
        {"role": "root"},
        {"name": "<b>"},
        {"noun": "x"},
    ):
        reply = web.ask("/admin/keys", {**form, "name": "b", **wrong}, key=admin)
        assert reply.status == 400, wrong
    assert web.ask("/admin/keys/ci/remove", {}, key=admin).status == 303
    assert web.ask("/admin/keys/ci/remove", {}, key=admin).status == 404


def test_every_call_is_described() -> None:
    described = {
        (verb.upper(), path) for path, verbs in document()["paths"].items() for verb in verbs
    }
    for operation in TABLE.values():
        path = "/api" + operation.path.replace("<", "{").replace(">", "}")
        assert (operation.verb, path) in described
    answers = {
        one.__name__
        for op in TABLE.values()
        for one in (op.answer, *get_args(op.answer))
        if attrs.has(one)
    }
    assert answers <= set(document()["components"]["schemas"])
    assert len(json.dumps(document())) < 400_000


def test_the_description_is_served(web: FakeSite) -> None:
    reply = call(web, "openapi.json", made(web))
    assert reply.status == 200
    assert json.loads(reply.text) == document()


def test_a_call_that_was_made_is_answered_though_it_cannot_be_written_down(web: FakeSite) -> None:
    secret = made(web)
    web.manager.answers["versions"] = ()
    web.accounts.database.do("ALTER TABLE key_calls RENAME TO gone")
    assert call(web, "versions", secret).status == 200
    web.accounts.database.do("ALTER TABLE keys RENAME TO gone_too")
    reply = call(web, "versions", secret)
    assert reply.status == 500
    assert "web.db" in sentence(reply)
