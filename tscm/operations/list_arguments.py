"""
What operations on user lists are given.
"""

from attrs import frozen


@frozen(kw_only=True)
class ListShown:
    """Entries of a list by address: those that cover *search* or lie in it, at a *version* of it, *top* from *offset*."""

    list_name: str
    search: str = ""
    version: int | None = None
    offset: int = 0
    top: int = 100


@frozen(kw_only=True)
class ListNamed:
    """One user list."""

    list_name: str


@frozen(kw_only=True)
class AddressSought:
    """An address or a network, in every user list."""

    search: str


@frozen(kw_only=True)
class NewList:
    """A user list that is to be made: *side* is `block` or `allow`."""

    list_name: str
    side: str
    note: str = ""


@frozen(kw_only=True)
class TextChecked:
    """
    A text of entries, one a line, and what it is to do: `add`, `replace` or `remove`.

    *seconds* is how long entries stand, and *comment* what is noted of them, where their line says
    nothing of it; *wide* takes networks that are wider than /8.
    """

    list_name: str
    text: str
    mode: str = "add"
    seconds: float | None = None
    comment: str = ""
    wide: bool = False


@frozen(kw_only=True)
class ListEdited(TextChecked):
    """
    An edit by a text.  *version* is the one that the editor looked at; None is whichever there is.

    *skip_faults* leaves out lines that are not entries, *shrink* takes a list that is emptied or halved.
    """

    version: int | None = None
    reason: str = ""
    skip_faults: bool = False
    shrink: bool = False


@frozen(kw_only=True)
class ListImported:
    """
    A list that is to hold what is published at *url* (`https://...`), read as a feed is.
    """

    list_name: str
    url: str
    format: str = "cidr"
    pick: str = ""
    comment: str = ""
    version: int | None = None
    reason: str = ""
    skip_faults: bool = False
    shrink: bool = False
    wide: bool = False


@frozen(kw_only=True)
class FoundRemoved:
    """Entries that are to go: those that cover *search* or lie in it."""

    list_name: str
    search: str
    version: int | None = None
    reason: str = ""
    shrink: bool = False


@frozen(kw_only=True)
class ListUndone:
    """A list that is to be as it was at version *to*; None is the one before the last edit."""

    list_name: str
    to: int | None = None
    version: int | None = None
    reason: str = ""
    shrink: bool = False
