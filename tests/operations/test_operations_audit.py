"""
What the audit keeps of a call: bounded, masked, in one line.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.operations.arguments import ChangedDevice, NewDevice, Push
from tscm.operations.audit import audited_arguments, masked
from tscm.settings.modules import secret_names
from tscm.store.audit_entry import AuditEntry

SECRET = "correct horse battery"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.just(SECRET),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(secret_names()), VALUES), st.dictionaries(st.text(), VALUES))
def test_whatever_stands_under_the_name_of_a_secret_is_masked(
    secrets: dict[str, Any], others: dict[str, Any]
) -> None:
    kept = json.dumps(masked({**secrets, "more": secrets}))
    assert SECRET not in kept
    assert masked(others).keys() == others.keys()


def test_a_new_device_is_kept_with_its_settings_and_not_its_password() -> None:
    args = NewDevice(settings={"name": "fw", "password": SECRET, "device": "192.0.2.1"})
    kept = audited_arguments(args, {})
    assert kept == {"settings": {"name": "fw", "password": "********", "device": "192.0.2.1"}}


def test_a_change_is_kept_as_what_it_came_to() -> None:
    changes = {"password": {"old": "a", "new": SECRET}, "prefix": {"old": "A", "new": "B"}}
    args = ChangedDevice(name="fw", settings={"prefix": "B", "password": SECRET})
    kept = audited_arguments(args, {"changes": changes})
    assert kept["changes"]["prefix"] == {"old": "A", "new": "B"}
    assert kept["changes"]["password"] == {"old": "********", "new": "********"}
    assert "settings" not in kept


def test_a_line_names_who_what_and_which_risks_were_accepted() -> None:
    entry = AuditEntry(
        at=1.0,
        actor="tscm-web",
        uid=7,
        on_behalf_of="alice",
        operation="update",
        device="fw",
        arguments=audited_arguments(Push(name="fw", accept=("accept_shrink",)), {}),
        outcome="done",
        sentence="fw got\n1 entry",
        seconds=2.34,
    )
    assert entry.line() == (
        "update by alice by tscm-web, device fw, accept: [accept_shrink]: done in 2.3 s: fw got 1 entry"
    )


def test_a_change_of_nothing_says_so() -> None:
    entry = AuditEntry(
        at=1.0,
        actor="root",
        uid=0,
        operation="change",
        device="fw",
        arguments={"changes": {}},
        outcome="done",
    )
    assert entry.line() == "change by root, device fw, nothing changed: done in 0.0 s"


def test_text_is_bounded() -> None:
    assert len(masked("x" * 100_000)) < 1000


def test_containers_and_the_line_are_bounded_too() -> None:
    many = {f"name{n}" * 90: ["x" * 90] * 9000 for n in range(9000)}
    kept = masked(many)
    assert len(kept) == 256
    assert {len(name) for name in kept} <= {300}
    assert {len(value) for value in kept.values()} == {256}
    entry = AuditEntry(
        at=0.0,
        actor="root",
        uid=0,
        operation="add",
        device=None,
        outcome="failed",
        arguments=kept,
    )
    assert len(entry.line()) < 5000


@pytest.mark.parametrize(
    "text",
    [
        f"https://user:{SECRET[:7]}@host/x",
        f"HTTPS://h/x?key={SECRET[:7]}",
        f"see https://u:{SECRET[:7]}@h/x?k={SECRET[:7]} and http://h?{SECRET[:7]}",
        f"tls://u:{SECRET[:7]}@siem.example:6514",
    ],
)
def test_a_url_is_kept_without_its_account_and_its_query(text: str) -> None:
    assert SECRET[:7] in text
    assert SECRET[:7] not in masked(text)
    assert masked("tls://siem.example:6514?framing=octets").endswith("?framing=octets")
    assert masked("why? because a@b") == "why? because a@b"


def test_a_long_text_of_urls_is_read_up_to_a_bound() -> None:
    assert len(masked("https://" * 200_000)) <= 300
