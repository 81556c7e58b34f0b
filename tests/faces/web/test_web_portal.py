"""
Pages of device entries: what an admin changes and hands out, and that nobody else does.
"""

import pytest

from tests.faces.web.test_web_lists import asked_of
from tests.faces.web.test_web_pages import ANSWERS, EVIL, PORTAL_ENTRY, SHOWN
from tests.faces.web.web_site import FakeSite
from tscm.faces.backend import ManagerError
from tscm.faces.web.roles import Role
from tscm.faces.web.views.portal_entries import draft_of


@pytest.fixture
def full(web: FakeSite) -> FakeSite:
    web.manager.answers.update(ANSWERS)
    return web


DRAFT = draft_of(PORTAL_ENTRY)
FORM = {**DRAFT.fields, "integration": "auto", "settings": DRAFT.settings, "revision": "r1"}


def test_a_change_names_what_differs_and_the_revision_that_was_shown(full: FakeSite) -> None:
    key = full.signed_in(Role.ADMIN, "anna")
    other = {**FORM, "location": "hall 9", "domain": "e.example", "address": ""}
    settings = "type=asassh\r\nsend_logs=no\r\nusername=admin"
    assert full.ask("/portal/east", {**other, "settings": settings}, key=key).status == 303
    args, user = asked_of(full, "change_entry")
    # Texts of a form have lost what no form can hold, so that these fields differ too.
    changed = {name: args.fields[name] for name in ("location", "domain", "address")}
    assert changed == {"location": "hall 9", "domain": "e.example", "address": None}
    assert args.settings == {"type": "asassh", "username": "admin", "prefix": None}
    assert (args.item, args.revision, user) == ("east", "r1", "anna")


def test_a_refused_change_keeps_what_was_typed(full: FakeSite) -> None:
    full.manager.answers["change_entry"] = ManagerError(EVIL, 1)
    form = {**FORM, "location": "hall 9", "revision": "r0"}
    reply = full.ask("/portal/east", form, key=full.signed_in(Role.ADMIN))
    assert reply.status == 400
    assert SHOWN in reply.text
    assert 'value="hall 9"' in reply.text
    assert 'name="revision" value="r0"' in reply.text  # a second try is refused as well
    wrong = full.ask("/portal/east", {**FORM, "settings": "type"}, key=full.signed_in(Role.ADMIN))
    assert "is not NAME=VALUE" in wrong.text


@pytest.mark.parametrize(
    ("path", "form", "operation"),
    [
        ("/portal", {**FORM, "name": "east"}, "add_entry"),
        ("/portal/east", FORM, "change_entry"),
        ("/portal/east/code", {}, "issue_code"),
        ("/portal/east/rotate", {"typed": "east"}, "rotate_key"),
        ("/portal/east/unpair", {}, "unpair_entry"),
        ("/portal/east/delete", {"typed": "east"}, "delete_entry"),
    ],
)
def test_only_an_admin_changes_entries(
    full: FakeSite, path: str, form: dict[str, str], operation: str
) -> None:
    assert full.ask(path, form, key=full.signed_in(Role.OPERATOR)).status == 403
    assert operation not in {name for name, _, _ in full.manager.asked}
    assert full.ask(path, form, key=full.signed_in(Role.ADMIN)).status in {200, 303}
    assert asked_of(full, operation)[1] == "the-admin"


@pytest.mark.parametrize(
    ("path", "form", "secret"),
    [
        ("/portal", {**FORM, "name": "east"}, "k3y"),
        ("/portal/east/code", {}, "c0de"),
        ("/portal/east/rotate", {"typed": "east"}, "k3y"),
    ],
)
def test_what_is_handed_out_stands_in_one_answer(
    full: FakeSite, path: str, form: dict[str, str], secret: str
) -> None:
    key = full.signed_in(Role.ADMIN)
    reply = full.ask(path, form, key=key)
    assert f"<code>{secret}" in reply.text
    assert "<script>alert" not in reply.text
    assert secret not in full.ask("/portal/east", key=key).text


@pytest.mark.parametrize("act", ["rotate", "delete"])
def test_what_cannot_be_undone_asks_for_the_nickname(full: FakeSite, act: str) -> None:
    reply = full.ask(f"/portal/east/{act}", {"typed": "eas"}, key=full.signed_in(Role.ADMIN))
    assert reply.status == 400
    assert not {"rotate_key", "delete_entry"} & {name for name, _, _ in full.manager.asked}
