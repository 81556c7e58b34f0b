"""
What the first call of each kind would have imported and generated while lines come in: done before.

Handlers and the update's run are imported where they are needed, since `tsadmin` needs few of them at a time; a
manager needs all of them sooner or later, and an import in the reactor's thread takes a tenth of a second in which no
line is taken, and seconds where other programs keep the cores.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any, get_args

import attrs

from tscm.kinds.kind import kinds
from tscm.manager.preload import preload
from tscm.operations.registry import load_handlers
from tscm.operations.table.whole import TABLE
from tscm.update.figures import UpdateRecord
from tscm.wire import writing


def prepare() -> None:
    """Import and generate all that calls need.  Before anything listens."""
    preload()
    for name in _of_kinds():  # of other packages than this one
        import_module(name)
    load_handlers(TABLE.values())
    writing.prepare(UpdateRecord, *sorted(_answers(), key=lambda kind: kind.__qualname__))


def _of_kinds() -> Iterator[str]:
    """What each kind has carried out by name, and the driver that it opens."""
    for kind in kinds():
        for place in (kind.enforcer, kind.doctor, kind.purge, kind.proof, *kind.prepared):
            if place:
                yield place.partition(":")[0]


def _answers() -> set[type[Any]]:
    return {kind for kind in _named() if attrs.has(kind)}


def _named() -> Iterator[type[Any]]:
    for operation in TABLE.values():
        yield operation.answer
        yield from get_args(operation.answer)
