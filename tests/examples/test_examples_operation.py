"""
How an operation is added: a row, a handler, and a caller.  CONTRIBUTING.md points here.
"""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import frozen

from tscm.manager.node import Node
from tscm.operations import registry
from tscm.operations.call import Actor, Call
from tscm.operations.calls import Calls
from tscm.operations.operation import Needs, Operation, read_args, request_of
from tscm.operations.registry import handles


@frozen(kw_only=True)
class Greeting:
    """Whom to greet, and how often."""

    name: str
    times: int = 1


@frozen(kw_only=True)
class Greeted:
    """What was said."""

    said: tuple[str, ...]


GREET: Operation[Greeting, Greeted] = Operation(
    name="greet",
    verb="GET",
    path="/v1/greetings/<name>",
    args=Greeting,
    answer=Greeted,
    room="manager",  # the module of `tscm.operations.handlers` that has the handler
    needs=Needs.FILES,
    noun="a greeting",
)


@pytest.fixture
def greets() -> Iterator[None]:
    @handles(GREET)
    def greet(node: Node, args: Greeting, call: Call) -> Greeted:
        """Greet."""
        return Greeted(said=(f"Hello {args.name}, says {call.actor}",) * args.times)

    yield
    del registry._HANDLERS[GREET.name]


@pytest.mark.usefixtures("greets")
def test_a_row_and_a_handler_make_an_operation() -> None:
    path, body = request_of(GREET, Greeting(name="fw 1", times=2))
    assert (path, body) == ("/v1/greetings/fw%201?times=2", None)

    args = read_args(GREET, {"name": "fw 1"}, {"times": 2})
    node: Any = SimpleNamespace(manager=None, jobs=None)
    answer = Calls(node).answer_at_once(GREET, args, Actor(name="me"))
    assert answer == Greeted(said=("Hello fw 1, says me",) * 2)
