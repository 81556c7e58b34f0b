"""
Operations on the device entries of the portal.
"""

from tscm.operations.arguments import Nothing
from tscm.operations.entry_answers import EntryDone, EntryGone, EntryHandedOut, EntryRows
from tscm.operations.entry_arguments import CodeWanted, EntryAdded, EntryChanged, EntryNamed
from tscm.operations.operation import Needs, Operation

PORTAL_ENTRIES: Operation[Nothing, EntryRows] = Operation(
    answer=EntryRows,
    name="portal_entries",
    room="portal_entries",
    verb="GET",
    path="/v1/portal/entries",
    args=Nothing,
    needs=Needs.FILES,
    noun="the device entries of the portal",
    long=True,
)
"""All device entries, and how their managers stand."""

ADD_ENTRY: Operation[EntryAdded, EntryHandedOut] = Operation(
    answer=EntryHandedOut,
    name="add_entry",
    room="portal_entries",
    verb="POST",
    path="/v1/portal/entries/<item>",
    args=EntryAdded,
    needs=Needs.FILES,
    noun="a device entry",
    long=True,
    changes=True,
)
"""Register a device: the answer has its device key, this once."""

CHANGE_ENTRY: Operation[EntryChanged, EntryDone] = Operation(
    answer=EntryDone,
    name="change_entry",
    room="portal_entries",
    verb="PUT",
    path="/v1/portal/entries/<item>",
    args=EntryChanged,
    needs=Needs.FILES,
    noun="changing a device entry",
    long=True,
    changes=True,
)
"""Change an entry, and the settings that its manager follows."""

ROTATE_KEY: Operation[EntryNamed, EntryHandedOut] = Operation(
    answer=EntryHandedOut,
    name="rotate_key",
    room="portal_entries",
    verb="POST",
    path="/v1/portal/entries/<item>/rotate",
    args=EntryNamed,
    needs=Needs.FILES,
    noun="another device key",
    long=True,
    changes=True,
)
"""Hand out another device key; the one before is rejected from then on."""

ISSUE_CODE: Operation[CodeWanted, EntryHandedOut] = Operation(
    answer=EntryHandedOut,
    name="issue_code",
    room="portal_entries",
    verb="POST",
    path="/v1/portal/entries/<item>/code",
    args=CodeWanted,
    needs=Needs.FILES,
    noun="an auto key",
    long=True,
    changes=True,
)
"""Hand out an auto key, by which one manager can be paired, once."""

UNPAIR_ENTRY: Operation[EntryNamed, EntryDone] = Operation(
    answer=EntryDone,
    name="unpair_entry",
    room="portal_entries",
    verb="POST",
    path="/v1/portal/entries/<item>/unpair",
    args=EntryNamed,
    needs=Needs.FILES,
    noun="unpairing an entry",
    long=True,
    changes=True,
)
"""End the pairing, and void an auto key: the manager keeps its settings as its own."""

DELETE_ENTRY: Operation[EntryNamed, EntryGone] = Operation(
    answer=EntryGone,
    name="delete_entry",
    room="portal_entries",
    verb="DELETE",
    path="/v1/portal/entries/<item>",
    args=EntryNamed,
    needs=Needs.FILES,
    noun="deleting a device entry",
    long=True,
    changes=True,
    destructive=True,
)
"""Delete an entry: its address, device ID and key are rejected, its manager unpaired; lists and uploads stay."""
