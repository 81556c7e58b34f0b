"""
A device is added in three steps; its certificate is compared before anything is stored.
"""

import re
from typing import Any

import pytest

from tests.faces.web.test_web_pages import ANSWERS, EVIL, SHOWN
from tests.faces.web.web_site import FakeSite
from tscm.devices.answers import Added, CheckReport
from tscm.faces.backend import ManagerError
from tscm.faces.web.drafts import KEPT_SECONDS, MOST_KEPT, Drafts
from tscm.faces.web.roles import Role
from tscm.model import Identity
from tscm.settings.modules import types

SHA = "ab" * 32
FORM = {
    "type": "asarest", "name": "hq", "device_id": "tdid_1", "device": "192.0.2.1", "username": "api",
    "password": "s3cret <&", "block_list": "block.example", "allow_list": "allow.example",
}  # fmt: skip
CHECK = CheckReport(block_entries=1, allow_entries=0, identity=Identity(), proposed_size=8000)
UNTRUSTED = ManagerError(EVIL, 5, None, SHA)


@pytest.fixture
def full(web: FakeSite) -> FakeSite:
    web.manager.answers.update(ANSWERS, add=UNTRUSTED)
    return web


def added(web: FakeSite) -> list[Any]:
    return [args.settings for name, args, _ in web.manager.asked if name == "add"]


def test_a_certificate_is_compared_before_anything_is_stored(full: FakeSite) -> None:
    key = full.signed_in(Role.ADMIN, "anna")
    assert 'name="type"' in full.ask("/add", key=key).text
    assert 'name="password" type="password"' in full.ask("/add?type=asarest&name=hq", key=key).text
    shown = full.ask("/add", FORM, key=key)
    assert shown.status == 200
    assert "AB:AB:AB" in shown.text.upper()
    assert SHOWN in shown.text
    assert "s3cret" not in shown.text
    (where,) = re.findall(r'action="(/add/[^"]+)"', shown.text)
    assert full.ask(where, {}, key=full.signed_in(Role.ADMIN, "otto")).status == 400, (
        "of another session"
    )
    full.manager.answers["add"] = Added(
        name="hq", check=CHECK, settings={}, lines="", notes=(EVIL,)
    )
    done = full.ask(where, {}, key=key)
    assert done.headers["location"] == "/devices/hq/setup"
    assert added(full)[-1] == {**FORM, "fingerprint": SHA}
    assert full.ask(where, {}, key=key).status == 400, "once"


def test_another_certificate_at_the_second_look_is_asked_about_again(full: FakeSite) -> None:
    key = full.signed_in(Role.ADMIN)
    (where,) = re.findall(r'action="(/add/[^"]+)"', full.ask("/add", FORM, key=key).text)
    full.manager.answers["add"] = ManagerError("another", 5, None, "cd" * 32)
    again = full.ask(where, {}, key=key)
    assert "CD:CD" in again.text.upper()
    full.manager.answers["add"] = ManagerError("the same is not good", 5, None, "cd" * 32)
    (where,) = re.findall(r'action="(/add/[^"]+)"', again.text)
    assert full.ask(where, {}, key=key).status == 400


def test_what_was_typed_stays_but_for_the_password(full: FakeSite) -> None:
    full.manager.answers["add"] = ManagerError("--device: no address", 2)
    reply = full.ask("/add", {**FORM, "device": '"x"'}, key=full.signed_in(Role.ADMIN))
    assert reply.status == 400
    assert "no address" in reply.text
    assert "&#34;x&#34;" in reply.text
    assert "s3cret" not in reply.text
    assert full.ask("/add", {"type": "nothing"}, key=full.signed_in(Role.ADMIN)).status == 400


@pytest.mark.parametrize("kind", types())
def test_every_kind_has_its_form(web: FakeSite, kind: str) -> None:
    assert web.ask(f"/add?type={kind}", key=web.signed_in(Role.ADMIN)).status == 200


def test_drafts_are_few_and_end() -> None:
    now = [0.0]
    drafts = Drafts(lambda: now[0])
    keys = [drafts.keep(1, {"password": "s3cret"}, SHA) for _ in range(MOST_KEPT + 1)]
    assert drafts.take(keys[0], 1) is None
    assert drafts.take(keys[1], 2) is None
    assert drafts.take(keys[1], 1) is not None
    assert "s3cret" not in repr(drafts)
    now[0] = KEPT_SECONDS + 1
    assert drafts.take(keys[2], 1) is None
