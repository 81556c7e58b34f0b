"""
Device entries of the portal: added, changed, paired and deleted.
"""

from typing import Any
from urllib.parse import quote

from tscm.errors import TscmError
from tscm.faces.web.desk import Desk
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.views.portal_entries import (
    FIELDS,
    INTEGRATIONS,
    Entries,
    Entry,
    EntryDraft,
    changed_fields,
    changed_settings,
    draft_of,
    entry_line,
)
from tscm.faces.web.visit import Answer, Faulty, NotHere, Page, Redirect, Visit
from tscm.operations.arguments import Nothing
from tscm.operations.entry_answers import EntryHandedOut
from tscm.operations.entry_arguments import CodeWanted, EntryAdded, EntryChanged, EntryNamed
from tscm.operations.table.portal_entries import (
    ADD_ENTRY,
    CHANGE_ENTRY,
    DELETE_ENTRY,
    ISSUE_CODE,
    PORTAL_ENTRIES,
    ROTATE_KEY,
    UNPAIR_ENTRY,
)

_FIELD_MOST = 1000
_SETTINGS_MOST = 16_384


@page(path="/portal", role=Role.VIEWER)
async def entries(desk: Desk, visit: Visit) -> Answer:
    """All device entries."""
    return await _entries(desk, visit)


async def _entries(desk: Desk, visit: Visit, wrong: str = "", status: int = 200) -> Page:
    found = await desk.asking.latest(PORTAL_ENTRIES, Nothing())
    value = found.value
    view = Entries(
        lines=() if value is None else tuple(map(entry_line, value.entries)),
        faults=() if value is None else value.faults,
        may_edit=visit.role >= Role.ADMIN,
        fault=found.fault or "",
        at=found.at,
        wrong=wrong,
        draft=_typed(visit),
    )
    return Page(view=view, title="Device entries", status=status)


def _typed(visit: Visit) -> EntryDraft:
    """What the form holds."""
    integration = visit.text("integration")
    return EntryDraft(
        name=visit.parts.get("name") or visit.text("name")[:100],
        fields={name: visit.text(name).strip()[:_FIELD_MOST] for name, _ in FIELDS},
        integration=integration if integration in INTEGRATIONS else INTEGRATIONS[0],
        settings=visit.text("settings")[:_SETTINGS_MOST].replace("\r\n", "\n"),
        revision=visit.text("revision")[:64],
    )


@page(path="/portal", role=Role.ADMIN, method="POST")
async def add(desk: Desk, visit: Visit) -> Answer:
    """Register a device; this answer alone shows its key."""
    draft = _typed(visit)
    try:
        if not draft.name:
            raise Faulty("an entry needs a nickname")
        new = EntryAdded(
            item=draft.name,
            fields=changed_fields(draft, EntryDraft()),
            settings=_settings(draft, EntryDraft()),
        )
        made = await desk.asking.ask(ADD_ENTRY, new, visit.user)
    except TscmError as error:
        return await _entries(desk, visit, str(error), 400)
    return await _entry(desk, visit, made.entry.nickname, handed_out=made)


def _settings(draft: EntryDraft, before: EntryDraft) -> dict[str, Any]:
    try:
        return changed_settings(draft, before)
    except ValueError as error:
        raise Faulty(str(error)) from None


@page(path="/portal/<name>", role=Role.VIEWER)
async def entry(desk: Desk, visit: Visit) -> Answer:
    """One entry."""
    return await _entry(desk, visit, visit.parts["name"])


async def _entry(
    desk: Desk,
    visit: Visit,
    name: str,
    wrong: str = "",
    *,
    draft: EntryDraft | None = None,
    handed_out: EntryHandedOut | None = None,
) -> Answer:
    found = await desk.asking.latest(PORTAL_ENTRIES, Nothing())
    rows = () if found.value is None else found.value.entries
    row = next((one for one in rows if one.nickname == name), None)
    if handed_out is not None:
        row = handed_out.entry  # it is newer than a look
    if row is None:
        if found.value is None:
            return await _entries(desk, visit)
        raise NotHere(f"there is no entry {name}")
    view = Entry(
        name=row.nickname,
        line=entry_line(row),
        may_edit=visit.role >= Role.ADMIN,
        fault=found.fault or "",
        at=found.at,
        wrong=wrong,
        draft=draft_of(row) if draft is None else draft,
        handed_out=handed_out,
    )
    return Page(view=view, title=row.nickname, status=400 if wrong else 200)


@page(path="/portal/<name>", role=Role.ADMIN, method="POST")
async def change(desk: Desk, visit: Visit) -> Answer:
    """Change an entry: only while it is what the form showed."""
    name, draft = visit.parts["name"], _typed(visit)
    try:
        rows = (await desk.asking.ask(PORTAL_ENTRIES, Nothing())).entries
        row = next((one for one in rows if one.nickname == name), None)
        if row is None:
            raise NotHere(f"there is no entry {name}")
        before = draft_of(row)
        asked = EntryChanged(
            item=name,
            fields=changed_fields(draft, before),
            settings=_settings(draft, before),
            revision=draft.revision,
        )
        done = await desk.asking.ask(CHANGE_ENTRY, asked, visit.user)
    except NotHere:
        raise
    except TscmError as error:
        return await _entry(desk, visit, name, str(error), draft=draft)
    return Redirect(to=_place(name), notice=f"{done.sentence}.")


def _place(name: str) -> str:
    return f"/portal/{quote(name, safe='')}"


@page(path="/portal/<name>/code", role=Role.ADMIN, method="POST")
async def code(desk: Desk, visit: Visit) -> Answer:
    """Hand out an auto key; this answer alone shows it."""
    return await _handed_out(desk, visit, ISSUE_CODE, CodeWanted(item=visit.parts["name"]))


@page(path="/portal/<name>/rotate", role=Role.ADMIN, method="POST")
async def rotate(desk: Desk, visit: Visit) -> Answer:
    """Hand out another device key, once the nickname was typed; this answer alone shows it."""
    name = visit.parts["name"]
    if visit.text("typed") != name:
        return await _entry(desk, visit, name, f"type the nickname, {name}, to replace its key")
    return await _handed_out(desk, visit, ROTATE_KEY, EntryNamed(item=name))


async def _handed_out(desk: Desk, visit: Visit, operation: Any, asked: Any) -> Answer:
    name = visit.parts["name"]
    try:
        made: EntryHandedOut = await desk.asking.ask(operation, asked, visit.user)
    except TscmError as error:
        return await _entry(desk, visit, name, str(error))
    return await _entry(desk, visit, name, handed_out=made)


@page(path="/portal/<name>/unpair", role=Role.ADMIN, method="POST")
async def unpair(desk: Desk, visit: Visit) -> Answer:
    """End the pairing."""
    name = visit.parts["name"]
    try:
        done = await desk.asking.ask(UNPAIR_ENTRY, EntryNamed(item=name), visit.user)
    except TscmError as error:
        return await _entry(desk, visit, name, str(error))
    return Redirect(to=_place(name), notice=f"{done.sentence}.")


@page(path="/portal/<name>/delete", role=Role.ADMIN, method="POST")
async def delete(desk: Desk, visit: Visit) -> Answer:
    """Delete an entry, once its nickname was typed."""
    name = visit.parts["name"]
    try:
        if visit.text("typed") != name:
            raise Faulty(f"type the nickname, {name}, to delete the entry")
        gone = await desk.asking.ask(DELETE_ENTRY, EntryNamed(item=name), visit.user)
    except TscmError as error:
        return await _entry(desk, visit, name, str(error))
    return Redirect(to="/portal", notice=f"{gone.sentence}.")
