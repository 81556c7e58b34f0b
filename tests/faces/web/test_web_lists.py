"""
Pages of user lists, policies and targets: what is asked, in whose name, and what only an admin accepts.
"""

from typing import Any

import pytest
from attrs import evolve

from tests.faces.web.test_web_pages import ANSWERS, EVIL, POLICY, SHOWN
from tests.faces.web.web_site import FakeSite
from tscm.faces.backend import ManagerError
from tscm.faces.web.roles import Role
from tscm.operations.portal_answers import PolicyRows
from tscm.operations.portal_arguments import HeldConfirmed


@pytest.fixture
def full(web: FakeSite) -> FakeSite:
    web.manager.answers.update(ANSWERS)
    return web


def asked_of(site: FakeSite, name: str) -> tuple[Any, str | None]:
    """The last question of that name, and in whose name it was asked."""
    return next((args, user) for one, args, user in reversed(site.manager.asked) if one == name)


TEXT = {"text": "192.0.2.7 # x\r\n192.0.2.999", "mode": "add", "version": "2", "term": "1d"}


def test_a_pasted_text_is_checked_and_its_faults_are_told_line_by_line(full: FakeSite) -> None:
    key = full.signed_in(Role.OPERATOR, "anna")
    reply = full.ask("/lists/partners", {**TEXT, "act": "check"}, key=key)
    assert reply.status == 200
    assert ">301<" in reply.text
    assert '<td class="n">17</td>' in reply.text
    assert SHOWN in reply.text
    assert "and 101 more" in reply.text
    assert "192.0.2.7 # x\n192.0.2.999</textarea>" in reply.text
    assert "edit_list" not in {name for name, _, _ in full.manager.asked}


def test_an_edit_is_bound_to_the_version_that_was_shown_and_keeps_its_text(full: FakeSite) -> None:
    key = full.signed_in(Role.OPERATOR, "anna")
    assert full.ask("/lists/partners", {**TEXT, "skip": "yes"}, key=key).status == 303
    args, user = asked_of(full, "edit_list")
    assert (args.version, args.seconds, args.skip_faults, user) == (2, 86400.0, True, "anna")
    full.manager.answers["edit_list"] = ManagerError(EVIL, 2)
    reply = full.ask("/lists/partners", TEXT, key=key)
    assert reply.status == 400
    assert SHOWN in reply.text
    assert "192.0.2.999</textarea>" in reply.text


@pytest.mark.parametrize(
    ("path", "form", "operation"),
    [
        ("/lists/partners", {**TEXT, "shrink": "yes"}, "edit_list"),
        ("/lists/partners", {**TEXT, "wide": "yes"}, "edit_list"),
        ("/lists/partners/remove", {"search": "192.0.2.1", "shrink": "yes"}, "remove_found"),
        ("/lists/partners/undo", {"to": "1", "shrink": "yes"}, "undo_list"),
        ("/targets/tor/switch", {"on": "yes", "accept_terms": "yes"}, "switch_target"),
        ("/policies/default/confirm", {"mark": "aa11"}, "confirm_policy"),
        ("/lists/partners/delete", {"typed": "partners"}, "delete_list"),
    ],
)
def test_what_is_refused_otherwise_only_an_admin_accepts_as_in_the_api(
    full: FakeSite, path: str, form: dict[str, str], operation: str
) -> None:
    assert full.ask(path, form, key=full.signed_in(Role.OPERATOR)).status in {400, 403}
    assert operation not in {name for name, _, _ in full.manager.asked}
    assert full.ask(path, form, key=full.signed_in(Role.ADMIN)).status == 303
    assert asked_of(full, operation)[1] == "the-admin"


@pytest.mark.parametrize("published_at", [None, 1.7e9])
def test_only_what_was_published_before_can_be_confirmed(
    full: FakeSite, published_at: float | None
) -> None:
    policy = evolve(POLICY, published_at=published_at, held_mark="aa11")
    full.manager.answers["portal_policies"] = PolicyRows(policies=(policy,))
    reply = full.ask("/policies", key=full.signed_in(Role.ADMIN))
    assert reply.status == 200
    assert ("/policies/default/confirm" in reply.text) is bool(published_at)
    assert ('name="mark" value="aa11"' in reply.text) is bool(published_at)


def test_a_confirmation_names_what_the_form_showed(full: FakeSite) -> None:
    form = {"mark": "aa11"}
    full.ask("/policies/default/confirm", form, key=full.signed_in(Role.ADMIN))
    assert asked_of(full, "confirm_policy")[0] == HeldConfirmed(item="default", mark="aa11")


def test_a_policy_keeps_what_its_form_does_not_show(full: FakeSite) -> None:
    key = full.signed_in(Role.OPERATOR, "anna")
    assert 'used by</dt><dd><a href="/devices/fw">' in full.ask("/policies", key=key).text
    form = {"name": "default", "version": "3", "block": "target:drop\r\nlist:own", "allow": ""}
    assert full.ask("/policies", form, key=key).status == 303
    document = asked_of(full, "keep_policy")[0].document
    assert document["version"] == 3
    assert document["content"]["block"] == ["target:drop", "list:own"]
    assert document["content"]["allow"] == []
    assert document["content"]["refuse"] == ["kept"]


def test_a_bundle_is_changed_as_its_form_showed_it(full: FakeSite) -> None:
    key = full.signed_in(Role.OPERATOR, "anna")
    shown = full.ask("/bundles?name=severe", key=key).text
    assert 'name="version" value="2"' in shown
    assert 'name="min_severity" value="4"' in shown
    assert "severity from 4; threats: c2" in shown
    form = {"name": "severe", "version": "2", "min_severity": "5", "threats": "c2, scanner"}
    assert full.ask("/bundles", form, key=key).status == 303
    args, user = asked_of(full, "keep_bundle")
    assert (args.item, args.document["version"], user) == ("severe", 2, "anna")
    content = args.document["content"]
    assert (content["min_severity"], content["threats"]) == (5, ["c2", "scanner"])
    assert full.ask("/bundles/severe/delete", {}, key=key).status == 403
    assert full.ask("/bundles/severe/delete", {}, key=full.signed_in(Role.ADMIN)).status == 303


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/bundles", {"name": ""}),
        ("/bundles", {"name": "x", "min_severity": "high"}),
        ("/bundles", {"name": "x", "version": "-1"}),
        ("/lists", {"name": ""}),
        ("/lists/partners", {"text": " "}),
        ("/lists/partners", {**TEXT, "term": "yesterday"}),
        ("/lists/partners", {**TEXT, "version": "x"}),
        ("/lists/partners/undo", {"to": "-1"}),
        ("/lists/partners/delete", {"typed": "partner"}),
        ("/policies", {"name": "p", "version": "9" * 30}),
        ("/policies", {"name": ""}),
    ],
)
def test_what_cannot_be_meant_is_told_on_the_page(
    full: FakeSite, path: str, form: dict[str, str]
) -> None:
    assert full.ask(path, form, key=full.signed_in()).status == 400
    assert full.ask("/lists/partners/diff?older=x&newer=1", key=full.signed_in()).status == 400


def test_versions_are_compared(full: FakeSite) -> None:
    reply = full.ask("/lists/partners/diff?older=1&newer=2", key=full.signed_in(Role.VIEWER))
    assert "+ 192.0.2.0/24" in reply.text
    assert "− 192.0.1.0/24" in reply.text
    assert "Go back" not in reply.text


def test_results_of_checks_carry_the_time_at_which_each_was_made(full: FakeSite) -> None:
    doctor = full.manager.answers["doctor_device"]

    def slow(_: Any) -> Any:
        full.clock.advance(60)
        return doctor

    full.manager.answers["doctor_device"] = slow
    key = full.signed_in()
    begun = full.clock.seconds()
    full.ask("/health", {}, key=key)
    assert [full.desk.chain.of(name).at - begun for name in ("fw", "hq")] == [60, 120]
    assert "Checks by device" in full.ask("/health", key=key).text


def test_an_admin_ends_one_session_of_a_user_and_no_other(full: FakeSite) -> None:
    ended, stays = full.signed_in(Role.OPERATOR), full.signed_in(Role.OPERATOR)
    first = full.accounts.session(ended, full.clock.seconds())
    assert first is not None
    where = f"/admin/sessions/{first.number}/end"
    assert full.ask(where, {}, key=stays).status == 403
    admin = full.signed_in(Role.ADMIN)
    assert full.ask(where, {}, key=admin).status == 303
    assert full.ask("/", key=ended).status == 303
    assert full.ask("/", key=stays).status == 200
    assert full.ask(where, {}, key=admin).status == 404
    assert "a session of the-operator" in full.ask("/admin/users", key=admin).text


def test_a_list_of_32_000_entries_is_pasted_and_no_stranger_sends_as_much(full: FakeSite) -> None:
    lines = [f"45.{n // 250}.{n % 250}.1" for n in range(32_000)]
    form = {**TEXT, "text": "\r\n".join(lines)}
    reply = full.ask("/lists/partners", form, key=full.signed_in(Role.OPERATOR))
    assert reply.status == 303
    assert asked_of(full, "edit_list")[0].text.split() == lines
    for key in (None, "A" * 43, full.signed_in(Role.VIEWER)):
        reply = full.ask("/lists/partners", form, key=key)
        assert reply.status == 413
        assert "longer than 65,536 bytes, or the session has ended" in reply.text
    operator = full.signed_in(Role.OPERATOR)
    assert full.ask("/check", form, key=operator).status == 413
    reply = full.ask("/lists/partners", {**form, "text": form["text"] * 2}, key=operator)
    assert reply.status == 413
    assert "longer than 1,048,576 bytes. Longer lists: tsadmin lists replace" in reply.text
