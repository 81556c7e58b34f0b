"""
The page of alarms: hostile texts, who may do what, in whose name, and what goes wrong.
"""

import pytest

from tests.faces.web.test_web_pages import EVIL, SHOWN
from tests.faces.web.web_site import NOW, FakeSite
from tscm.alarms.alarm import Ended
from tscm.alarms.answers import AlarmsStanding, MessageTested, MuteTold, NamedAlarm
from tscm.alarms.mutes import Mute, MuteFaulty
from tscm.channels.fault import ChannelFault
from tscm.channels.figures import ChannelFigures, Delivery
from tscm.faces.web.roles import Role
from tscm.reports.answers import ReportStanding

PATH = "/health/alarms"
FULL = AlarmsStanding(
    now=NOW,
    looked_at=NOW - 5,
    open=(
        NamedAlarm(
            rule="settings",
            subject=EVIL,
            severity="failed",
            sentence=EVIL,
            named=f"settings/{EVIL}",
        ),
        NamedAlarm(rule="disk", severity="warning", muted=f"muted: {EVIL}", named="disk"),
    ),
    waiting=(NamedAlarm(rule="device_failed", named=f"device_failed/{EVIL}"),),
    ended=(Ended(name=EVIL, sentence=EVIL, since=NOW - 60, ended_at=NOW),),
    mutes=(Mute(name=f"all/{EVIL}", reason=EVIL, by=EVIL, since=NOW, until=NOW + 60),),
    channels={"mail": ChannelFigures(failures=2, last_error=EVIL)},
    deliveries=(Delivery(at=NOW, channel="mail", subject=EVIL, good=False, answer=EVIL),),
    fault=EVIL,
)


@pytest.fixture
def full(web: FakeSite) -> FakeSite:
    schedule = ReportStanding(name="week", to=(EVIL,), next_at=NOW + 60, error=EVIL)
    web.manager.answers.update({"alarms": FULL, "reports": (schedule,)})
    return web


def test_hostile_texts_are_shown_and_do_nothing(full: FakeSite) -> None:
    reply = full.ask(PATH, key=full.signed_in())
    assert reply.status == 200
    assert reply.text.count(SHOWN) >= 10
    for one in ("<script>alert", "\x1b", "\u202e", ">49<"):
        assert one not in reply.text


def test_nothing_is_open_and_no_manager(web: FakeSite) -> None:
    key = web.signed_in()
    assert "no manager is running" in web.ask(PATH, key=key).text
    web.manager.answers.update({"alarms": AlarmsStanding(looked_at=NOW), "reports": ()})
    web.clock.advance(5)
    text = web.ask(PATH, key=key).text
    assert "No alarm is open." in text
    assert "not sent anywhere" in text


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ANALYST, Role.OPERATOR, Role.ADMIN])
def test_operators_mute_and_admins_test(full: FakeSite, role: Role) -> None:
    key = full.signed_in(role)
    text = full.ask(PATH, key=key).text
    assert ("/health/alarms/mute" in text) == (role >= Role.OPERATOR)
    assert ("/health/alarms/test" in text) == (role >= Role.ADMIN)
    full.manager.answers["mute_alarm"] = MuteTold(name="disk", sentence="disk is muted")
    full.manager.answers["test_alarm"] = MessageTested(sentence="sent by mail: 250 ok")
    form = {"name": "disk", "reason": "CR-1", "until": "2h"}
    muted = full.ask(f"{PATH}/mute", form, key=key)
    assert muted.status == (303 if role >= Role.OPERATOR else 403)
    tested = full.ask(f"{PATH}/test", {"channel": "mail"}, key=key)
    assert tested.status == (303 if role >= Role.ADMIN else 403)
    if role >= Role.ADMIN:
        assert "The test message was sent by mail: 250 ok." in full.ask(PATH, key=key).text


def test_a_mute_is_asked_for_in_the_name_of_the_user(full: FakeSite) -> None:
    key = full.signed_in(Role.OPERATOR, "anna")
    full.manager.answers["mute_alarm"] = MuteTold(name="disk", sentence="disk is muted")
    full.manager.answers["unmute_alarm"] = MuteTold(name="disk", sentence="disk is not")
    full.ask(f"{PATH}/mute", {"name": "disk", "reason": "CR-1", "until": "2h"}, key=key)
    full.ask(f"{PATH}/unmute", {"name": "disk"}, key=key)
    changes = [one for one in full.manager.asked if one[0] in {"mute_alarm", "unmute_alarm"}]
    assert [(name, user) for name, _, user in changes] == [
        ("mute_alarm", "anna"),
        ("unmute_alarm", "anna"),
    ]
    args = changes[0][1]
    assert (args.alarm, args.until, args.reason) == ("disk", NOW + 7200, "CR-1")


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"name": "disk", "reason": "", "until": "2h"}, "a reason is needed"),
        ({"name": "disk", "reason": "x", "until": "soon"}, "is not a time"),
        ({"name": EVIL, "reason": "x", "until": ""}, "is not the name of an alarm"),
    ],
)
def test_what_is_wrong_is_told_and_the_form_keeps_its_text(
    full: FakeSite, form: dict[str, str], said: str
) -> None:
    full.manager.answers["mute_alarm"] = MuteFaulty("that is not the name of an alarm")
    reply = full.ask(f"{PATH}/mute", form, key=full.signed_in(Role.OPERATOR))
    assert reply.status == 400
    assert said in reply.text
    assert f'value="{form["until"]}"' in reply.text
    assert "<script>alert" not in reply.text


def test_a_channel_that_fails_says_why(full: FakeSite) -> None:
    full.manager.answers["test_alarm"] = ChannelFault("mail server x rejected the login: 535 no")
    reply = full.ask(f"{PATH}/test", {"channel": "mail"}, key=full.signed_in())
    assert reply.status == 400
    assert "rejected the login: 535 no" in reply.text
