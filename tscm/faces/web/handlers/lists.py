"""
User lists: search, edit by a pasted text, compare versions and go back.
"""

from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

from tscm.base.time_words import read_end
from tscm.errors import TscmError
from tscm.faces.web.api.rights import role_with
from tscm.faces.web.desk import Desk
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.views.lists import (
    DIFF_MOST,
    DIFF_SHOWN,
    Draft,
    ListDiff,
    Lists,
    ListView,
)
from tscm.faces.web.visit import Answer, Faulty, NotHere, Page, Redirect, Visit
from tscm.operations.arguments import Nothing
from tscm.operations.list_answers import ListDone, ListPage, TextRead
from tscm.operations.list_arguments import (
    AddressSought,
    FoundRemoved,
    ListEdited,
    ListNamed,
    ListShown,
    ListUndone,
    NewList,
    TextChecked,
)
from tscm.operations.operation import Operation
from tscm.operations.table.user_lists import (
    CHECK_TEXT,
    CREATE_LIST,
    DELETE_LIST,
    EDIT_LIST,
    LIST_PAGE,
    LIST_VERSIONS,
    LISTS,
    LISTS_HOLDING,
    REMOVE_FOUND,
    UNDO_LIST,
)
from tscm.store.user_list_values import ListVersion, UserList

Args = TypeVar("Args")

_PAGE = 100
_PAGES_MOST = 10_000
_VERSIONS_SHOWN = 30


@page(path="/lists", role=Role.VIEWER)
async def lists(desk: Desk, visit: Visit) -> Answer:
    """All user lists."""
    return await _lists(desk, visit)


async def _lists(desk: Desk, visit: Visit, wrong: str = "", status: int = 200) -> Page:
    found = await desk.asking.latest(LISTS, Nothing())
    search, holding = visit.text("search")[:60] if visit.method == "GET" else "", None
    if search:
        try:
            asked = AddressSought(search=search)
            holding = (await desk.asking.ask(LISTS_HOLDING, asked)).entries
        except TscmError as error:
            wrong, status = str(error), 400
    view = Lists(
        lists=() if found.value is None else found.value.lists,
        search=search,
        holding=holding,
        may_edit=visit.role >= Role.OPERATOR,
        fault=found.fault or "",
        at=found.at,
        wrong=wrong,
        name=visit.text("name")[:64],
        side=visit.text("side", "block")[:10],
        note=visit.text("note")[:300],
    )
    return Page(view=view, title="Lists", status=status)


@page(path="/lists", role=Role.OPERATOR, method="POST")
async def create(desk: Desk, visit: Visit) -> Answer:
    """Make a list without entries."""
    name, side, note = visit.text("name"), visit.text("side"), visit.text("note")
    if not name:
        return await _lists(desk, visit, "a list needs a name", 400)
    try:
        asked = NewList(list_name=name, side=side, note=note)
        done = await desk.asking.ask(CREATE_LIST, asked, visit.user)
    except TscmError as error:
        return await _lists(desk, visit, str(error), 400)
    return Redirect(to=f"/lists/{quote(done.list_name, safe='')}", notice=f"{done.sentence}.")


@page(path="/lists/<name>", role=Role.VIEWER)
async def one_list(desk: Desk, visit: Visit) -> Answer:
    """Entries of a list, the form that edits it, and its versions."""
    return await _list(desk, visit)


async def _list(
    desk: Desk,
    visit: Visit,
    wrong: str = "",
    status: int = 200,
    *,
    draft: Draft | None = None,
    read: TextRead | None = None,
) -> Page:
    name = visit.parts["name"]
    search = visit.text("search")[:60]
    word = visit.text("page", "1")
    number = int(word) if word.isascii() and word.isdecimal() and len(word) <= 5 else 1
    number = max(1, min(number, _PAGES_MOST))
    known = await desk.asking.latest(LISTS, Nothing())
    about = _about(known.value.lists if known.value is not None else (), name)
    if known.value is not None and about is None:
        raise NotHere
    shown = ListPage(version=0)
    versions: tuple[ListVersion, ...] = ()
    if known.fault is None:
        try:
            versions = (await desk.asking.ask(LIST_VERSIONS, ListNamed(list_name=name))).versions
            asked = ListShown(list_name=name, search=search, offset=(number - 1) * _PAGE, top=_PAGE)
            shown = await desk.asking.ask(LIST_PAGE, asked)
        except TscmError as error:
            wrong, status = wrong or str(error), 400
    address = f"/lists/{quote(name, safe='')}?search={quote(search, safe='')}&page="
    view = ListView(
        name=name,
        about=about,
        entries=shown.entries,
        found=shown.found,
        version=shown.version,
        search=search,
        page=number,
        before=f"{address}{number - 1}" if number > 1 else "",
        after=f"{address}{number + 1}" if number * _PAGE < shown.found else "",
        versions=versions[:_VERSIONS_SHOWN],
        draft=draft or Draft(),
        read=read,
        may_edit=visit.role >= Role.OPERATOR,
        may_delete=visit.role >= Role.ADMIN and about is not None and not about.by_hand,
        fault=known.fault or "",
        at=known.at,
        wrong=wrong,
    )
    return Page(view=view, title=f"List {name}", status=status)


def _about(lists: tuple[UserList, ...], name: str) -> UserList | None:
    return next((one for one in lists if one.name == name), None)


@page(path="/lists/<name>", role=Role.OPERATOR, method="POST")
async def edit(desk: Desk, visit: Visit) -> Answer:
    """Check a text, or have it edit the list; what was typed stays until it is stored."""
    name = visit.parts["name"]
    draft = Draft(
        text=visit.secret("text").replace("\r\n", "\n"),
        mode=visit.text("mode", "add"),
        term=visit.text("term")[:40],
        comment=visit.text("comment")[:300],
        reason=visit.text("reason")[:300],
        skip=bool(visit.text("skip")),
        wide=bool(visit.text("wide")),
        shrink=bool(visit.text("shrink")),
    )
    try:
        if not draft.text.strip():
            raise Faulty(
                "there are no entries; enter an address, a network or a range on each line"
            )
        seconds = _seconds(draft.term, visit.now)
        if visit.text("act") == "check":
            checked = TextChecked(
                list_name=name,
                text=draft.text,
                mode=draft.mode,
                seconds=seconds,
                comment=draft.comment,
                wide=draft.wide,
            )
            read = await desk.asking.ask(CHECK_TEXT, checked)
            return await _list(desk, visit, draft=draft, read=read)
        asked = ListEdited(
            list_name=name,
            text=draft.text,
            mode=draft.mode,
            seconds=seconds,
            comment=draft.comment,
            wide=draft.wide,
            version=_version(visit),
            reason=draft.reason,
            skip_faults=draft.skip,
            shrink=draft.shrink,
        )
        return await _changed(desk, visit, EDIT_LIST, asked)
    except (ValueError, TscmError) as error:
        return await _list(desk, visit, str(error), 400, draft=draft)


@page(path="/lists/<name>/remove", role=Role.OPERATOR, method="POST")
async def remove(desk: Desk, visit: Visit) -> Answer:
    """Remove the entries that a search finds."""
    try:
        asked = FoundRemoved(
            list_name=visit.parts["name"],
            search=visit.text("search"),
            version=_version(visit),
            reason=visit.text("reason"),
            shrink=bool(visit.text("shrink")),
        )
        return await _changed(desk, visit, REMOVE_FOUND, asked)
    except (ValueError, TscmError) as error:
        return await _list(desk, visit, str(error), 400)


@page(path="/lists/<name>/undo", role=Role.OPERATOR, method="POST")
async def undo(desk: Desk, visit: Visit) -> Answer:
    """Go back to an earlier version, as a new one."""
    try:
        asked = ListUndone(
            list_name=visit.parts["name"],
            to=_number(visit.text("to")),
            version=_version(visit),
            reason=visit.text("reason"),
            shrink=bool(visit.text("shrink")),
        )
        return await _changed(desk, visit, UNDO_LIST, asked)
    except (ValueError, TscmError) as error:
        return await _list(desk, visit, str(error), 400)


@page(path="/lists/<name>/delete", role=Role.ADMIN, method="POST")
async def delete(desk: Desk, visit: Visit) -> Answer:
    """Forget a list with its versions, once its name was typed."""
    name = visit.parts["name"]
    try:
        if visit.text("typed") != name:
            raise Faulty(f"type the name of the list, {name}, to delete it with all its versions")
        return await _changed(desk, visit, DELETE_LIST, ListNamed(list_name=name), to="/lists")
    except TscmError as error:
        return await _list(desk, visit, str(error), 400)


async def _changed(
    desk: Desk, visit: Visit, operation: Operation[Args, ListDone], asked: Args, *, to: str = ""
) -> Answer:
    """Have the list changed as *asked*, then show *to*, the list itself unless it is gone.  Raises `TscmError`."""
    refuse_accepting(visit, operation, asked)
    done = await desk.asking.ask(operation, asked, visit.user)
    return Redirect(
        to=to or f"/lists/{quote(visit.parts['name'], safe='')}", notice=f"{done.sentence}."
    )


@page(path="/lists/<name>/diff", role=Role.VIEWER)
async def diff(desk: Desk, visit: Visit) -> Answer:
    """What an edit changed: a version beside another."""
    try:
        return await _diff(desk, visit)
    except (ValueError, TscmError) as error:
        raise Faulty(str(error)) from None


async def _diff(desk: Desk, visit: Visit) -> Page:
    name = visit.parts["name"]
    older, newer = _number(visit.text("older")), _number(visit.text("newer"))
    texts = []
    for number in (older, newer):
        asked = ListShown(list_name=name, version=number, top=DIFF_MOST)
        found = await desk.asking.ask(LIST_PAGE, asked)
        if found.found > DIFF_MOST:
            raise Faulty(
                f"version {number} has {found.found:,} entries; a page compares up to {DIFF_MOST:,}"
            )
        texts.append({one.network: None for one in found.entries})
    before, after = texts
    added = [one for one in after if one not in before]
    removed = [one for one in before if one not in after]
    versions = (await desk.asking.ask(LIST_VERSIONS, ListNamed(list_name=name))).versions
    view = ListDiff(
        name=name,
        older=older,
        newer=newer,
        added=tuple(added[:DIFF_SHOWN]),
        removed=tuple(removed[:DIFF_SHOWN]),
        added_count=len(added),
        removed_count=len(removed),
        may_edit=visit.role >= Role.OPERATOR,
        present=versions[0].version if versions else newer,
    )
    return Page(view=view, title=f"List {name}: versions {older} and {newer}")


def refuse_accepting(visit: Visit, operation: Operation[Any, Any], args: Any) -> None:
    """Raise `Faulty` where *args* accept what only a higher role may, by the API's rule."""
    least = role_with(operation, args)
    if visit.role < least:
        raise Faulty(f"this takes the role {least.word}: it accepts what is refused otherwise")


def _seconds(term: str, now: float) -> float | None:
    """How long entries stand, from a word such as 7d or a date; None for ever.  Raises `ValueError`."""
    if not term:
        return None
    end = read_end(term, datetime.fromtimestamp(now, UTC).astimezone())
    if end <= now:
        raise ValueError(f"{term!r} is over; entries end at a time to come")
    return end - now


def _version(visit: Visit) -> int | None:
    """The version that the form was made of."""
    word = visit.text("version")
    return _number(word) if word else None


def _number(word: str) -> int:
    if word.isascii() and word.isdecimal() and len(word) <= 9:
        return int(word)
    raise ValueError(f"{word[:20]!r} is not the number of a version")
