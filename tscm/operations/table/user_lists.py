"""
Operations on user lists.
"""

from tscm.operations.arguments import Nothing
from tscm.operations.list_answers import (
    ListDone,
    ListPage,
    Lists,
    ListsHolding,
    ListVersions,
    TextRead,
)
from tscm.operations.list_arguments import (
    AddressSought,
    FoundRemoved,
    ListEdited,
    ListImported,
    ListNamed,
    ListShown,
    ListUndone,
    NewList,
    TextChecked,
)
from tscm.operations.operation import Needs, Operation

LISTS: Operation[Nothing, Lists] = Operation(
    answer=Lists,
    name="lists",
    room="user_lists",
    verb="GET",
    path="/v1/lists",
    args=Nothing,
    needs=Needs.STORE,
    noun="the user lists",
    long=True,
)
"""All user lists: `{lists}`."""

LIST_PAGE: Operation[ListShown, ListPage] = Operation(
    answer=ListPage,
    name="list_page",
    room="user_lists",
    verb="GET",
    path="/v1/lists/<list_name>",
    args=ListShown,
    needs=Needs.STORE,
    noun="a user list",
    long=True,
)
"""Entries of a list, with their authors."""

LISTS_HOLDING: Operation[AddressSought, ListsHolding] = Operation(
    answer=ListsHolding,
    name="lists_holding",
    room="user_lists",
    verb="GET",
    path="/v1/addresses/<search>/lists",
    args=AddressSought,
    needs=Needs.STORE,
    noun="a search in user lists",
    long=True,
)
"""Which user lists hold an address, since when and by whom."""

LIST_VERSIONS: Operation[ListNamed, ListVersions] = Operation(
    answer=ListVersions,
    name="list_versions",
    room="user_lists",
    verb="GET",
    path="/v1/lists/<list_name>/versions",
    args=ListNamed,
    needs=Needs.STORE,
    noun="the versions of a user list",
    long=True,
)
"""The edits of a list."""

CREATE_LIST: Operation[NewList, ListDone] = Operation(
    answer=ListDone,
    name="create_list",
    room="user_lists",
    verb="POST",
    path="/v1/lists/<list_name>",
    args=NewList,
    needs=Needs.STORE,
    noun="a new user list",
    long=True,
    changes=True,
)
"""Make a list without entries."""

CHECK_TEXT: Operation[TextChecked, TextRead] = Operation(
    answer=TextRead,
    name="check_text",
    room="user_lists",
    verb="POST",
    path="/v1/lists/<list_name>/check",
    args=TextChecked,
    needs=Needs.STORE,
    noun="a check of entries",
    long=True,
)
"""Read a text and tell what it would change; nothing is changed."""

EDIT_LIST: Operation[ListEdited, ListDone] = Operation(
    answer=ListDone,
    name="edit_list",
    room="user_lists",
    verb="POST",
    path="/v1/lists/<list_name>/edit",
    args=ListEdited,
    needs=Needs.STORE,
    noun="an edit of a user list",
    long=True,
    changes=True,
)
"""Add, replace or remove entries, all or none."""

IMPORT_LIST: Operation[ListImported, ListDone] = Operation(
    answer=ListDone,
    name="import_list",
    room="user_lists",
    verb="POST",
    path="/v1/lists/<list_name>/import",
    args=ListImported,
    needs=Needs.STORE,
    noun="an import of a user list",
    long=True,
    changes=True,
)
"""Replace the entries by what is published at a URL."""

REMOVE_FOUND: Operation[FoundRemoved, ListDone] = Operation(
    answer=ListDone,
    name="remove_found",
    room="user_lists",
    verb="POST",
    path="/v1/lists/<list_name>/remove",
    args=FoundRemoved,
    needs=Needs.STORE,
    noun="removing entries of a user list",
    long=True,
    changes=True,
)
"""Remove entries that a search finds."""

UNDO_LIST: Operation[ListUndone, ListDone] = Operation(
    answer=ListDone,
    name="undo_list",
    room="user_lists",
    verb="POST",
    path="/v1/lists/<list_name>/undo",
    args=ListUndone,
    needs=Needs.STORE,
    noun="undoing an edit of a user list",
    long=True,
    changes=True,
)
"""Go back to an earlier version, as a new one."""

DELETE_LIST: Operation[ListNamed, ListDone] = Operation(
    answer=ListDone,
    name="delete_list",
    room="user_lists",
    verb="DELETE",
    path="/v1/lists/<list_name>",
    args=ListNamed,
    needs=Needs.STORE,
    noun="deleting a user list",
    long=True,
    changes=True,
    destructive=True,
)
"""Forget a list with all its versions."""
