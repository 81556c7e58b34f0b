"""
Whatever a device answers becomes a value or a fault in words.
"""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.errors import DeviceFault
from tscm.kinds import faults
from tscm.kinds.asa import faults as asa_faults
from tscm.kinds.asa.rest.answers import Answer, Judge
from tscm.kinds.asa.rest.content import plain, read_content

JUDGE = Judge(name="fw", root="https://fw/api", prefix="P", username="admin")
GROUP = "objects/networkobjectgroups/P-Block"

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
bodies = (
    st.binary(max_size=200)
    | anything.map(lambda one: json.dumps(one).encode())
    | st.builds(lambda messages: json.dumps({"messages": messages}).encode(), anything)
)


@given(st.integers(100, 599), bodies, st.sampled_from(["GET", "POST", "PATCH", "DELETE"]))
@settings(deadline=None, max_examples=300)
def test_nothing_that_a_device_answers_is_a_surprise(
    status: int, content: bytes, method: str
) -> None:
    assert judged(status, content, method).isprintable()


def judged(status: int, content: bytes, method: str) -> str:
    """What an operator would read."""
    try:
        answer = JUDGE.judge(method, GROUP, status, {}, read_content(content))
    except DeviceFault as fault:
        return str(fault)
    assert isinstance(answer, Answer)
    assert status in {200, 201, 202, 204}
    return "good"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"", faults.Unauthorised),
        (403, b"<html>", faults.Forbidden),
        (404, b"<html>", faults.InterfaceAbsent),
        (302, b"", faults.InterfaceAbsent),
        (404, b'{"messages":[{"level":"Error","code":"RESOURCE-NOT-FOUND"}]}', faults.Refused),
        (400, b'{"messages":[{"level":"Error","code":"DUPLICATE"}]}', faults.Refused),
        (500, b"", faults.Overloaded),
        (503, b"<html>", faults.Overloaded),
        (200, b"<html>", faults.Overloaded),
        (200, b'{"messages":[{"level":"Error","details":"no"}]}', faults.Refused),
        (
            200,
            b'{"messages":[{"level":"Warning","details":"Configuration Replication is NOT performed"}]}',
            asa_faults.UnitOnStandby,
        ),
        (200, b'["Beginning configuration replication: Sending to mate"]', asa_faults.Replicating),
    ],
)
def test_each_kind_of_answer_has_its_fault(status: int, body: bytes, kind: type[Any]) -> None:
    with pytest.raises(kind) as caught:
        JUDGE.judge("PATCH", GROUP, status, {}, read_content(body))
    assert caught.value.retry == (
        kind in {faults.Overloaded, asa_faults.Replicating, faults.Refused}
    )


def test_a_warning_beside_a_success_is_no_fault() -> None:
    body = b'{"messages":[{"level":"Warning","code":"","details":"done"}]}'
    assert JUDGE.judge("PATCH", GROUP, 200, {}, read_content(body)).status == 200
    assert JUDGE.judge("POST", GROUP, 201, {}, read_content(b"")).picked is None


def test_a_devices_words_cannot_move_the_cursor_or_go_on_for_ever() -> None:
    assert plain("a\x1b[2Jb\r\nc\x00 d") == r"a\x1b[2Jb c\x00 d"
    assert len(plain("x" * 10_000)) == 200


def test_a_token_is_not_shown() -> None:
    with pytest.raises(faults.Overloaded) as caught:
        JUDGE.judge("DELETE", "tokenservices/ABCDEF@1", 500, {}, read_content(b""))
    assert "ABCDEF" not in str(caught.value)
