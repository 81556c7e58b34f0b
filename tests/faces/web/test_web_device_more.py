"""
The way back to a generation is bound to what was shown, and no two people overwrite each other's settings.
"""

from typing import Any

import pytest
from attrs import evolve

from tests.faces.web.test_web_pages import ANSWERS, EVIL, SHOWN
from tests.faces.web.web_site import FakeSite
from tscm.devices.answers import Changed
from tscm.faces.backend import ManagerError
from tscm.faces.web.roles import Role
from tscm.faces.web.views.device_more import as_typed, changed_of, setting_rows
from tscm.operations.answers import DeviceView
from tscm.operations.job_figures import JobFigures

VIEW = DeviceView(
    settings={
        "name": "fw", "type": "asarest", "device": "192.0.2.1", "log_rotate_size": 10, "send_logs": True,
        "password": "********", "syslog_sources": ["192.0.2.1", "192.0.2.2"],
    },
    version="v1",
)  # fmt: skip


@pytest.fixture
def full(web: FakeSite) -> FakeSite:
    generations = [
        {"number": number, "applied_at": 1.0, "block_entries": 3, "allow_entries": 1}
        for number in (1, 2, 3)
    ]
    web.manager.answers.update(
        ANSWERS,
        view=VIEW,
        history={"updates": [], "generations": generations},
        change=Changed(
            name="fw", check=None, settings={}, changed=("log_rotate_size",), notes=(EVIL,)
        ),
    )
    web.manager.answers["start rollback"] = JobFigures(number=7, operation="rollback", actor="anna")
    return web


def asked(web: FakeSite, name: str) -> list[Any]:
    return [args for one, args, _ in web.manager.asked if one == name]


def test_generations_are_compared_and_the_older_one_can_be_pushed(full: FakeSite) -> None:
    key = full.signed_in(Role.OPERATOR, "anna")
    page = full.ask("/devices/fw/policy", key=key).text
    assert 'href="/devices/fw/policy/diff?older=1"' in page
    assert 'href="/devices/fw/policy/diff?older=2&amp;newer=3"' in page
    shown = full.ask("/devices/fw/policy/diff?older=1", key=key).text
    assert SHOWN in shown
    assert "and 700 more" in shown
    assert 'name="newest" value="3"' in shown
    form = {"generation": "1", "newest": "3", "reason": "CR-9"}
    reply = full.ask("/devices/fw/policy/rollback", form, key=key)
    assert reply.headers["location"] == "/jobs/7"
    (args,) = asked(full, "start rollback")
    assert (args.generation, args.newest, args.reason) == (1, 3, "CR-9")
    between = full.ask("/devices/fw/policy/diff?older=1&newer=2", key=key).text
    assert "Push generation" not in between, "only from the newest leads a way back"
    viewer = full.ask("/devices/fw/policy/diff?older=1", key=full.signed_in(Role.VIEWER)).text
    assert "Push generation" not in viewer


@pytest.mark.parametrize(
    ("form", "status", "word"),
    [
        ({"newest": "2", "reason": "CR-9"}, 409, "generation 3 is the newest by now"),
        ({"newest": "3", "reason": " x"}, 400, "a reason of 3 to 300"),
        ({"newest": "x", "reason": "CR-9"}, 400, "is not the number of a generation"),
    ],
)
def test_a_way_back_that_was_not_shown_is_refused(
    full: FakeSite, form: dict[str, str], status: int, word: str
) -> None:
    reply = full.ask(
        "/devices/fw/policy/rollback",
        {"generation": "1", **form},
        key=full.signed_in(Role.OPERATOR),
    )
    assert reply.status == status
    assert word in reply.text
    assert not asked(full, "start rollback")
    if form["newest"] == "2":
        assert 'value="CR-9"' in reply.text, "what was typed stays"


def test_only_what_was_typed_otherwise_is_stored(full: FakeSite) -> None:
    key = full.signed_in(Role.ADMIN, "anna")
    page = full.ask("/devices/fw/settings", key=key).text
    assert 'name="log_rotate_size" value="10"' in page
    assert 'name="password"' not in page
    assert "********" in page
    form = {
        "version": "v1",
        "log_rotate_size": "20",
        "send_logs": "yes",
        "password": "x",
        "device": "x",
    }
    reply = full.ask("/devices/fw/settings", form, key=key)
    assert reply.status == 303
    (args,) = asked(full, "change")
    assert (args.settings, args.version) == ({"log_rotate_size": "20"}, "v1")
    assert SHOWN in full.ask("/devices/fw/settings", key=key).text
    assert (
        full.ask("/devices/fw/settings", {**form, "log_rotate_size": "10"}, key=key).status == 303
    )
    assert len(asked(full, "change")) == 1
    full.manager.answers["view"] = evolve(VIEW, version="v2")
    assert 'name="version" value="v2"' in full.ask("/devices/fw/settings", key=key).text, "at once"


def test_the_second_of_two_editors_keeps_what_he_typed(full: FakeSite) -> None:
    key = full.signed_in(Role.ADMIN)
    reply = full.ask("/devices/fw/settings", {"version": "v0", "log_rotate_size": '"77"'}, key=key)
    assert reply.status == 409
    assert "Another user has changed the settings" in reply.text
    assert 'value="&#34;77&#34;"' in reply.text
    assert "stored now: 10" in reply.text
    assert 'name="version" value="v1"' in reply.text
    assert not asked(full, "change")
    full.manager.answers["change"] = ManagerError("--log_rotate_size: '77' is no size", 2)
    reply = full.ask("/devices/fw/settings", {"version": "v1", "log_rotate_size": "77 "}, key=key)
    assert reply.status == 400
    assert "is no size" in reply.text
    assert 'value="77"' in reply.text


def test_settings_are_written_as_they_are_typed() -> None:
    assert [as_typed(one) for one in (None, True, False, ["a", "b"], 3)] == [
        "none",
        "yes",
        "no",
        "a b",
        "3",
    ]
    rows = setting_rows(VIEW.settings, {"syslog_sources": "192.0.2.1"})
    assert changed_of(rows) == {"syslog_sources": "192.0.2.1"}
    assert setting_rows({}, {}) == ()
