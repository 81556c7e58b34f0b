"""
Documents of settings: what a portal composes, what a manager takes of them, and what an answer means.
"""

from typing import Any

import pytest
from attrs import evolve

from tscm.base.secrets import Secret
from tscm.devices.stored import propose
from tscm.errors import SettingsFaulty
from tscm.pairing.auto_key import AutoKeyFaulty, auto_key, read_auto_key
from tscm.pairing.bonds import Bond
from tscm.pairing.documents import (
    DocumentFaulty,
    composed,
    differences,
    elsewhere,
    etag_of,
    read_document,
    wanted,
)
from tscm.pairing.following import Heard, failed, taken
from tscm.pairing.messages import MessageFaulty, News, State, read_follow, read_news, read_standing

FIXED = {"device_id": "tdid_1", "block_list": "b.example", "allow_list": "a.example"}
SET = {"type": "asarest", "device": "192.0.2.1", "username": "admin"}
BOND = Bond(
    name="edge", entry="0" * 16, nickname="east", portal="https://p.example", fingerprint="a" * 64,
    device_id="tdid_1", token=Secret("t"), applied=5, received=5,
)  # fmt: skip


def document(version: int, **settings: Any) -> dict[str, Any]:
    content = composed(FIXED, {**SET, **settings})
    return {"version": version, "etag": etag_of(content), "settings": content}


def test_a_document_has_every_option_but_those_that_stay() -> None:
    content = composed(FIXED, SET)
    assert content["prefix"] == "ThreatSTOP"
    stays = {
        "password",
        "upload_key",
        "fingerprint",
        "ca_file",
        "allow_self_signed",
        "name",
        "entry",
    }
    assert not stays & set(content)
    assert "max_policy_size" not in content
    assert composed(FIXED, {**SET, "max_policy_size": "9000"})["max_policy_size"] == 9000


@pytest.mark.parametrize(
    "name", ["password", "fingerprint", "allow_self_signed", "device_id", "odd"]
)
def test_what_stays_with_the_manager_cannot_be_set_at_the_portal(name: str) -> None:
    with pytest.raises(SettingsFaulty):
        composed(FIXED, {**SET, name: "x"})


def test_a_document_comes_back_as_it_was() -> None:
    read = read_document(document(7, prefix="Other"))
    present = propose({"password": "s", "name": "edge", **wanted(composed(FIXED, SET))})
    assert differences(read.settings, present) == ["prefix"]
    after = propose(wanted(read.settings, present), present)
    assert not differences(read.settings, after)
    assert (after.name, after.entry) == ("edge", present.entry)
    # What is taken back at the portal has its default again.
    back = propose(wanted(composed(FIXED, SET), after), after)
    assert back == present


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0}, {"version": "7"}, {"version": 1 << 60}, {"etag": "x" * 32},
        {"settings": []}, {"settings": {"a": {"b": 1}}}, {"settings": {"a": "x\n"}},
        {"settings": {str(number): 1 for number in range(100)}},
    ],
)  # fmt: skip
def test_a_document_out_of_form_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DocumentFaulty):
        read_document({**document(7), **change})


def test_a_secret_in_a_document_is_passed_over() -> None:
    told = {
        **composed(FIXED, SET),
        "password": "evil",
        "allow_self_signed": True,
        "fingerprint": "0",
    }
    assert not {"password", "allow_self_signed", "fingerprint"} & set(wanted(told))


def test_a_portal_alone_sends_no_password_to_another_place() -> None:
    present = propose({"password": "s", "name": "edge", **wanted(composed(FIXED, SET))})
    moved = propose({"device": "192.0.2.2"}, present)
    assert elsewhere(present, moved) == ["device"]
    assert elsewhere(present, propose({"rest_url": "https://192.0.2.2/api"}, present)) == [
        "rest_url"
    ]
    assert not elsewhere(present, propose({"prefix": "Other"}, present))


def test_an_older_document_is_passed_over() -> None:
    for version in (4, 5):
        news = News(
            device_id="tdid_1", state=State.PAIRED, version=version, document=document(version)
        )
        steps = taken(BOND, Heard(), news, now=100.0, at=100.0)
        assert steps.bond == BOND
        assert ("set back" in steps.heard.fault) == (version < 5)
    steps = taken(BOND, Heard(), evolve(news, version=6, document=document(6)), now=100.0, at=100.0)
    assert (steps.bond.received, steps.bond.applied, steps.heard.retry_at) == (6, 5, 100.0)


def test_what_a_portal_does_not_know_changes_nothing() -> None:
    for news in (None, News(device_id="tdid_1", state=State.UNKNOWN)):
        steps = taken(BOND, Heard(), news, now=100.0, at=100.0)
        assert (steps.bond, steps.ended) == (BOND, False)
        assert steps.heard.unknown_until > 100.0
    assert taken(
        BOND, Heard(), News(device_id="tdid_1", state=State.UNPAIRED), now=100.0, at=100.0
    ).ended


def test_lists_with_another_mark_are_fetched() -> None:
    news = News(device_id="tdid_1", state=State.PAIRED, version=5, lists={"b": "2", "a": "1"})
    steps = taken(BOND, Heard(lists={"b": "1", "a": "1"}), news, now=1.0, at=1.0)
    assert steps.changed == ("b",)
    assert not taken(BOND, steps.heard, news, now=2.0, at=2.0).changed


def test_what_cannot_be_applied_is_tried_later_and_later() -> None:
    heard, waits = Heard(), []
    for _ in range(12):
        heard = failed(heard, "no", 0.0)
        waits.append(heard.retry_at or 0.0)
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (15.0, 900.0)


def test_an_auto_key_is_read_as_it_is_handed_out() -> None:
    key = read_auto_key(f" {auto_key('a' * 40, 'b' * 64).upper()}\n")
    assert (key.code, key.pin) == ("a" * 40, "b" * 32)
    for odd in ("", "a" * 40, f"{'a' * 40}-", f"{'g' * 40}-{'b' * 32}", f"{'a' * 40}-{'b' * 31}"):
        with pytest.raises(AutoKeyFaulty):
            read_auto_key(odd)


@pytest.mark.parametrize(
    "body",
    [
        {}, {"devices": []}, {"devices": [1]}, {"devices": [{"device_id": "a"}]},
        {"devices": [{"device_id": "a", "token": "t"}] * 2},
        {"devices": [{"device_id": str(one), "token": "t"} for one in range(65)]},
        {"devices": [{"device_id": "a", "token": "t", "known": -1}]},
        {"devices": [{"device_id": "a", "token": "t", "lists": {"x": 1}}]},
    ],
)  # fmt: skip
def test_a_follow_request_out_of_form_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(MessageFaulty):
        read_follow(body)


def test_what_a_manager_tells_is_cut_and_made_harmless() -> None:
    told = read_standing(
        {
            "fault": "a\x1b[31m" + "x" * 9000,
            "causes": ["c"] * 99,
            "hits": -1,
            "entries": True,
            "applied": "7",
        }
    )
    assert len(told.fault) < 2500
    assert "\x1b" not in told.fault
    assert len(told.causes) == 8
    assert (told.hits, told.entries, told.applied) == (None, None, 0)


def test_news_out_of_form_are_refused() -> None:
    for body in ({}, {"devices": [{"device_id": "a", "state": "odd"}]}, {"devices": "x"}):
        with pytest.raises(MessageFaulty):
            read_news(body)
