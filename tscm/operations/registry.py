"""
Which function carries out which operation.
"""

from collections.abc import Callable, Coroutine, Iterable
from importlib import import_module
from typing import Any, Generic, TypeVar, overload

from attrs import frozen

from tscm.manager.node import Node
from tscm.operations.call import Call
from tscm.operations.operation import Operation

Args = TypeVar("Args")
Answer = TypeVar("Answer")
AtOnce = Callable[[Node, Args, Call], Answer]
"""Answers in the reactor, in milliseconds.  Raises `TscmError` for the operator to read."""
Long = Callable[[Node, Args, Call], Coroutine[Any, Any, Answer]]
"""Answers when it has ended.  Raises `TscmError` for the operator to read."""

_HANDLERS: dict[str, Callable[[Node, Any, Call], Any]] = {}


@frozen
class handles(Generic[Args, Answer]):  # noqa: N801 - a decorator
    """
    Register the decorated function as the one that carries out *operation*.
    """

    operation: Operation[Args, Answer]

    @overload
    def __call__(self, handler: Long[Args, Answer]) -> Long[Args, Answer]: ...

    @overload
    def __call__(self, handler: AtOnce[Args, Answer]) -> AtOnce[Args, Answer]: ...

    def __call__(self, handler: Callable[[Node, Args, Call], Any]) -> Callable[..., Any]:
        """The function itself."""
        _HANDLERS[self.operation.name] = handler
        return handler


def load_handlers(operations: Iterable[Operation[Any, Any]]) -> None:
    """Import the modules of their handlers: the first call of each would do it while lines come in."""
    for operation in operations:
        handler_of(operation)


def handler_of(operation: Operation[Args, Answer]) -> Callable[[Node, Args, Call], Any]:
    """The function that carries out *operation*: of a long one it gives a coroutine."""
    import_module(f"tscm.operations.handlers.{operation.room}")  # it registers what it handles
    return _HANDLERS[operation.name]
