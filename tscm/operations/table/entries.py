"""
Operations on entries by hand.
"""

from tscm.operations.answers import Entered, EntriesRemoved, HandEntries
from tscm.operations.arguments import EntryNamed, NewEntry, Nothing, PushedEntries
from tscm.operations.operation import Needs, Operation
from tscm.update.figures import UpdateTold

ENTRIES: Operation[Nothing, HandEntries] = Operation(
    answer=HandEntries,
    name="entries",
    room="entries",
    verb="GET",
    path="/v1/entries",
    args=Nothing,
    needs=Needs.STORE,
    noun="the list of entries by hand",
    long=True,
)
"""`{entries}` by hand, each with the devices that hold it and those that wait for it."""

ENTER: Operation[NewEntry, Entered] = Operation(
    answer=Entered,
    name="enter",
    room="entries",
    verb="POST",
    path="/v1/entries",
    args=NewEntry,
    needs=Needs.STORE,
    noun="an entry by hand",
    long=True,
    changes=True,
)
"""Check and store an entry by hand: `{entry, new, devices, notes}`; `push_entries` brings it to a device."""

REMOVE_ENTRY: Operation[EntryNamed, EntriesRemoved] = Operation(
    answer=EntriesRemoved,
    name="remove_entry",
    room="entries",
    verb="POST",
    path="/v1/entries/remove",
    args=EntryNamed,
    needs=Needs.STORE,
    noun="removing an entry by hand",
    long=True,
    changes=True,
)
"""End entries by hand: `{entries, devices}`; `push_entries` takes them off a device."""

PUSH_ENTRIES: Operation[PushedEntries, UpdateTold] = Operation(
    answer=UpdateTold,
    name="push_entries",
    room="entries",
    verb="POST",
    path="/v1/devices/<name>/policy/entries",
    args=PushedEntries,
    needs=Needs.STORE,
    noun="a push of entries by hand",
    long=True,
    queues=True,
    changes=True,
)
"""Bring a device its entries by hand, and nothing else, without fetching lists."""
