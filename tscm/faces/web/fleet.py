"""
The devices as pages ask for them.
"""

from collections.abc import Sequence

from tscm.faces.web.asking import Latest
from tscm.faces.web.desk import Desk
from tscm.faces.web.visit import NotHere
from tscm.operations.arguments import Nothing
from tscm.operations.table.fleet import FLEET
from tscm.standing import Row


async def fleet(desk: Desk) -> Latest[tuple[Row, ...]]:
    """The rows of `tsadmin status`."""
    return await desk.asking.latest(FLEET, Nothing())


async def device_names(desk: Desk) -> tuple[str, ...]:
    """The names of all devices, as far as they are known."""
    return tuple(sorted(row.name for row in (await fleet(desk)).value or ()))


def row_of(rows: Sequence[Row], name: str) -> Row:
    """The row of one device.  Raises `NotHere`."""
    for row in rows:
        if row.name == name:
            return row
    raise NotHere
