"""
What the manager writes is what the client reads, for every type of figures.
"""

import json
from collections.abc import Mapping
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
import pytest
from attrs import field, frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tscm.events.figures import EventFigures
from tscm.forward.figures import ForwardFigures
from tscm.intake.figures import IntakeFigures
from tscm.operations.table.whole import TABLE
from tscm.spool.figures import LogFigures, OrphanFigures, ReaderFigures
from tscm.upload.figures import UploadFigures
from tscm.upload.outcome import UploadOutcome
from tscm.wire.keys import OMIT_NONE, as_key
from tscm.wire.reading import read
from tscm.wire.writing import as_json

ANSWERS = {
    one: None
    for operation in TABLE.values()
    for one in (operation.answer, *get_args(operation.answer))
    if attrs.has(one)
}
TYPES = (
    *ANSWERS,
    IntakeFigures,
    LogFigures,
    OrphanFigures,
    ForwardFigures,
    UploadFigures,
    EventFigures,
)
"""Of all that operations answer, and some that stand in it."""


PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(-(10**18), 10**18),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(max_size=5),
    NoneType: st.none(),
    Any: st.none() | st.lists(st.integers(), max_size=2),
}


def values(kind: Any, levels: int = 2) -> st.SearchStrategy[Any]:
    """Values of a type as figures are annotated with it; one may hold its like, so many levels deep."""
    kind = getattr(kind, "__supertype__", kind)  # of a NewType
    origin, args = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return st.one_of([values(one, levels) for one in args])
    if origin is tuple and not levels:
        return st.just(())
    if origin is tuple:
        return st.lists(values(args[0], levels - 1), max_size=2).map(tuple)
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(values(args[0], levels), values(args[1], levels), max_size=2)
    if attrs.has(kind):
        return objects(kind, levels)
    if issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    return PLAIN[kind]


@cache
def objects(kind: Any, levels: int) -> st.SearchStrategy[Any]:
    """Values of an attrs class; made once, since they stand in each other many times."""
    hints = get_type_hints(kind)
    made = {one.alias: values(hints[one.name], levels) for one in attrs.fields(kind) if one.init}

    @st.composite
    def drawn(draw: st.DrawFn) -> Any:
        return kind(**{name: draw(strategy) for name, strategy in made.items()})

    return drawn()


@pytest.mark.parametrize("cls", TYPES)
def test_what_is_written_is_what_is_read(cls: type[Any]) -> None:
    @settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
    @given(values(cls))
    def goes_there_and_back(value: Any) -> None:
        carried = json.loads(json.dumps(as_json(value)))
        assert read(cls, carried) == value

    goes_there_and_back()


@frozen(kw_only=True)
class Plain:
    lines: int
    parts: tuple[str, ...] = ()
    seen_at: float | None = field(default=None, metadata=as_key("seen"))
    extra: int | None = field(default=None, metadata=OMIT_NONE)


def test_a_field_may_have_another_key_and_none_of_it() -> None:
    assert as_json(Plain(lines=1, seen_at=2.0)) == {"lines": 1, "parts": [], "seen": 2.0}
    assert as_json(Plain(lines=1, extra=0))["extra"] == 0


def test_a_neighbouring_version_is_understood() -> None:
    assert read(Plain, {"lines": 1, "new": [1]}) == Plain(lines=1)
    with pytest.raises(TypeError):
        read(Plain, {})


@pytest.mark.parametrize("figures", [UploadOutcome, UploadFigures, ReaderFigures])
def test_what_a_reader_did_not_select_has_its_earlier_key_in_json(figures: Any) -> None:
    carried = as_json(figures(not_selected=3))
    assert carried["skipped"] == 3
    assert read(figures, carried).not_selected == 3
