"""
The table of operations: each row is whole, and every face is made from it.
"""

import inspect
import json
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.operations.arguments import Asked, Audited, Generations, JobNumber, Push
from tscm.operations.bodies import RequestFaulty, read_body
from tscm.operations.operation import (
    WHOLE_BODY,
    Needs,
    Operation,
    read_args,
    read_query,
    request_of,
    variables,
)
from tscm.operations.page import with_table
from tscm.operations.registry import handler_of
from tscm.operations.table.events import REPORT
from tscm.operations.table.jobs import AUDIT, JOB
from tscm.operations.table.policies import DIFF, PLAN, UPDATE
from tscm.operations.table.whole import TABLE

DESIGN = Path(__file__).parent.parent.parent / "docs" / "develop" / "design.md"
NAMES = st.text("abcXYZ019_-./?#%& äß", min_size=1, max_size=20)
KINDS: dict[Any, st.SearchStrategy[Any]] = {
    str: NAMES,
    int: st.integers(0, 2**40),
    float: st.floats(0, 1e12, allow_nan=False),
    bool: st.booleans(),
    str | None: st.none() | NAMES,
    int | None: st.none() | st.integers(0, 2**40),
    float | None: st.none() | st.floats(0, 1e12, allow_nan=False),
    tuple[str, ...]: st.lists(NAMES, max_size=3).map(tuple),
}


def values(operation: Operation[Any, Any]) -> st.SearchStrategy[Any]:
    fields = {
        one.name: KINDS.get(one.type, st.dictionaries(NAMES, NAMES, max_size=3))
        for one in attrs.fields(operation.args)
    }
    return st.builds(operation.args, **fields)


@pytest.mark.parametrize("operation", TABLE.values(), ids=TABLE)
def test_a_row_is_whole(operation: Operation[Any, Any]) -> None:
    fields = {one.name for one in attrs.fields(operation.args)}
    assert set(variables(operation.path)) <= fields
    assert operation.verb in {"GET", "POST", "PUT", "DELETE"}
    assert not (operation.changes and operation.verb == "GET"), "a look changes nothing"
    assert operation.changes or not operation.destructive
    assert operation.long or not operation.queues
    handler = handler_of(operation)
    if operation.long:
        assert inspect.iscoroutinefunction(handler)
    elif inspect.iscoroutinefunction(
        handler
    ):  # in slices of the reactor's time, which a manager alone has
        assert (operation.needs, operation.verb) == (Needs.MANAGER, "GET")
    assert handler.__doc__


def test_no_two_rows_answer_one_request() -> None:
    calls = {(operation.verb, operation.path) for operation in TABLE.values()}
    assert len(calls) == len(TABLE)


@given(st.data())
def test_arguments_come_through_the_request_as_they_were(data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(list(TABLE.values())))
    args = data.draw(values(operation))
    path, body = request_of(operation, args)
    place, _, query = path.partition("?")
    from urllib.parse import parse_qs, unquote

    words = dict(zip(operation.path.split("/"), place.split("/"), strict=True))
    parts = {name[1:-1]: unquote(word) for name, word in words.items() if name.startswith("<")}
    sent_after_expiry = (
        read_query(operation, parse_qs(query, keep_blank_values=True)) if body is None else body
    )
    assert read_args(operation, parts, sent_after_expiry) == args


@pytest.mark.parametrize(
    ("operation", "parts", "body", "sentence"),
    [
        (UPDATE, {"name": "fw"}, {"force": 1}, "force is 1; allowed: true or false"),
        (DIFF, {"name": "fw"}, {}, "older is missing"),
        (DIFF, {"name": "fw"}, {"older": True}, "older is True; allowed: a whole number"),
        (DIFF, {"name": "fw"}, {"older": 1, "newer": "2"}, "allowed: a whole number or null"),
        (JOB, {"id": "7x"}, {}, "id is '7x'; allowed: a number"),
        (JOB, {"id": "9" * 4000}, {}, "id is "),
    ],
)
def test_arguments_of_another_shape_are_refused(
    operation: Operation[Any, Any], parts: dict[str, str], body: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RequestFaulty) as caught:
        read_args(operation, parts, body)
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 200


def test_what_is_unknown_is_left_for_a_later_version() -> None:
    assert read_args(UPDATE, {"name": "fw"}, {"later": 1}) == Push(name="fw")


def test_a_body_may_be_the_argument_itself() -> None:
    assert [one.name for one in attrs.fields(Asked) if one.metadata.get(WHOLE_BODY)] == ["options"]
    assert request_of(REPORT, Asked(name="fw", options={"by": "hour"}))[1] == {"by": "hour"}


def test_defaults_are_not_sent() -> None:
    assert request_of(PLAN, Push(name="a b")) == ("/v1/devices/a%20b/plan", None)
    assert request_of(PLAN, Push(name="fw", force=True)) == ("/v1/devices/fw/plan?force=yes", None)
    assert request_of(AUDIT, Audited(device="fw", top=5))[0] == "/v1/audit?device=fw&top=5"
    assert request_of(JOB, JobNumber(id=3)) == ("/v1/jobs/3", None)
    assert request_of(DIFF, Generations(name="fw", older=1))[1] == {"older": 1}


def test_the_page_of_the_design_has_the_table() -> None:
    page = DESIGN.read_text("utf-8")
    assert with_table(page) == page, "python -m tscm.operations.page docs/develop/design.md"


def test_a_body_is_read_before_any_argument() -> None:
    with pytest.raises(RequestFaulty, match="not a JSON object"):
        read_body(b"[]")
    with pytest.raises(RequestFaulty, match="more than 2,000 values"):
        read_body(json.dumps({"settings": dict.fromkeys(map(str, range(2000)), 1)}).encode())
    with pytest.raises(RequestFaulty, match="more than 2,000 values"):
        read_body(json.dumps({"a": [[1] * 900] * 3}).encode())
    assert read_body(json.dumps({"a": [1] * 1000}).encode())


@pytest.mark.parametrize("operation", TABLE.values(), ids=lambda one: one.name)
def test_every_operation_answers_with_values(operation: Operation[Any, Any]) -> None:
    answer = operation.answer
    assert attrs.has(next(iter(get_args(answer)), answer)), f"{operation.name} answers {answer}"
