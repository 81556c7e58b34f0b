"""
Operations on the device entries of the portal.
"""

import secrets
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from attrs import define, evolve

from tscm.base.clock import wall_seconds
from tscm.errors import Fault, SettingsFaulty, TscmError
from tscm.manager.node import Node
from tscm.model import Json
from tscm.operations.arguments import Nothing
from tscm.operations.call import Call
from tscm.operations.entry_answers import EntryDone, EntryGone, EntryHandedOut, EntryRow, EntryRows
from tscm.operations.entry_arguments import CodeWanted, EntryAdded, EntryChanged, EntryNamed
from tscm.operations.registry import handles
from tscm.operations.table import portal_entries as table
from tscm.pairing.auto_key import CODE_BYTES, auto_key
from tscm.pairing.book import (
    change_pairing,
    document_of,
    drop_oldest_of_deleted,
    read_pairing,
    read_pairings,
    revision_of,
)
from tscm.pairing.certificate import ensure_pairing_certificate, fingerprint_of_file
from tscm.pairing.documents import etag_of
from tscm.pairing.seen import Seen, read_seen
from tscm.pairing.stages import (
    CODE_SECONDS,
    Pairing,
    Stage,
    above,
    digest,
    ended,
    issued,
    revoked,
    with_content,
)
from tscm.portal.items import ItemFaulty, item_name
from tscm.portal.site import stored_site
from tscm.services.entries import (
    BY_PORTAL,
    CHANGEABLE,
    FILES,
    PortalEntry,
    add_entry,
    change_entry,
    list_file,
    read_entries,
    read_entry,
    remove_entry,
    rotate_key,
    write_entry,
)

_LEAST_SECONDS = 60.0


@define(eq=False)
class EntryEdited(TscmError):
    """
    Another change of an entry came first.
    """

    nickname: str
    present: str

    def __str__(self) -> str:
        return (
            f"entry {self.nickname!r} was changed by another user and has revision {self.present} now; nothing "
            f"was changed: look at it with `tsadmin portal show {self.nickname}`, then repeat the change"
        )


def _row(
    entry: PortalEntry, pairing: Pairing, seen: Seen | None, now: float, fault: str = ""
) -> EntryRow:
    known = {one.name for one in attrs.fields(EntryRow)}
    plain = {name: value for name, value in entry.as_json().items() if name in known}
    stage = pairing.stage(now)
    paired = bool(pairing.token)
    current = seen if seen is not None and seen.at >= pairing.paired_at and paired else None
    return EntryRow(
        **plain,
        stage=stage,
        code_until=pairing.code_until if pairing.code_outstanding(now) else None,
        manager=pairing.manager,
        paired_from=pairing.address,
        paired_at=pairing.paired_at or None,
        seen_at=None if current is None else current.at,
        ended_at=pairing.ended_at or None,
        ended_by=pairing.ended_by,
        version=pairing.version,
        revision=revision_of(entry, pairing),
        settings=dict(pairing.settings),
        settings_fault=fault,
        standing=None if current is None else current.standing,
    )


def _seen(node: Node) -> Mapping[str, Seen]:
    """What managers told last: of the running listener, else what it left."""
    manager = node.manager
    service = None if manager is None else manager.pairing()
    return read_seen(node.layout.portal) if service is None else service.seen()


def _settings_fault(entry: PortalEntry, pairing: Pairing) -> str:
    if entry.integration != BY_PORTAL:
        return ""
    try:
        document_of(entry, pairing.settings)
    except SettingsFaulty as error:
        return str(error)
    return ""


def _row_of(node: Node, entry: PortalEntry) -> EntryRow:
    pairing = read_pairing(node.layout.portal, entry.device_id)
    seen = _seen(node).get(entry.device_id)
    return _row(entry, pairing, seen, wall_seconds(node.clock), _settings_fault(entry, pairing))


async def _told(node: Node) -> None:
    """Those that follow are answered at once."""
    manager = node.manager
    service = None if manager is None else manager.pairing()
    if service is not None:
        await service.look_again()


@handles(table.PORTAL_ENTRIES)
async def portal_entries(node: Node, args: Nothing, call: Call) -> EntryRows:
    """All device entries, and how their managers stand."""
    del args, call
    seen, now, portal = _seen(node), wall_seconds(node.clock), node.layout.portal

    def look() -> EntryRows:
        found, faults = read_entries(portal)
        pairings, more = read_pairings(portal)
        rows = []
        for entry in found:
            pairing = pairings.get(entry.device_id, Pairing(device_id=entry.device_id))
            fault = _settings_fault(entry, pairing)
            rows.append(_row(entry, pairing, seen.get(entry.device_id), now, fault))
        return EntryRows(entries=tuple(rows), faults=tuple(str(one) for one in (*faults, *more)))

    rows: EntryRows = await node.quick.run(look)
    return rows


@handles(table.ADD_ENTRY)
async def add(node: Node, args: EntryAdded, call: Call) -> EntryHandedOut:
    """Register a device."""
    del call
    fields = await _with_lists(node, args.fields)
    _refuse_strange(args.item, fields)
    portal, now = node.layout.portal, wall_seconds(node.clock)

    def made() -> PortalEntry:
        if args.settings:  # seen to be wrong before anything is made
            settings_of(_probe(args.item, fields), {}, args.settings)
        with FILES:
            entry = add_entry(portal, nickname=args.item, **fields)
            try:
                if args.settings:
                    _store_settings(portal, entry, args.settings, now)
            except OSError:  # its key would never be shown
                remove_entry(portal, args.item)
                raise
        return entry

    entry: PortalEntry = await node.write(made)
    await _told(node)
    policy = entry.policy is not None
    return EntryHandedOut(
        entry=await node.quick.run(_row_of, node, entry),
        device_key=entry.device_key.reveal() if entry.device_key else "",
        tsig_name=entry.tsig_name,
        tsig_key=entry.tsig_secret or "",
        block_file="" if policy else str(list_file(portal, entry.block_list)),
        allow_file="" if policy else str(list_file(portal, entry.allow_list)),
        sentence=f"entry {entry.nickname} registered",
    )


def _probe(nickname: str, fields: Mapping[str, Any]) -> PortalEntry:
    """An entry to try settings with, whose lists have names of the usual form."""
    return PortalEntry(
        nickname=nickname,
        device_id="tdid_probe",
        block_list=str(fields.get("block_list") or "block.probe.tscm.internal"),
        allow_list=str(fields.get("allow_list") or "allow.probe.tscm.internal"),
        address="192.0.2.1",
    )


@handles(table.CHANGE_ENTRY)
async def change(node: Node, args: EntryChanged, call: Call) -> EntryDone:
    """Change an entry, and the settings that its manager follows."""
    portal, now = node.layout.portal, wall_seconds(node.clock)
    before: PortalEntry = await node.quick.run(read_entry, portal, args.item)
    fields = await _with_lists(node, args.fields, before)
    _refuse_strange(args.item, fields)
    seen = _seen(node).get(before.device_id)

    def changed() -> PortalEntry:
        with FILES:
            present = read_entry(portal, args.item)
            pairing = read_pairing(portal, present.device_id)
            revision = revision_of(present, pairing)
            if args.revision not in {None, revision}:
                raise EntryEdited(args.item, revision)
            settings_of(present, pairing.settings, args.settings)  # before anything is stored
            entry = change_entry(portal, args.item, fields)
            try:
                if args.settings or pairing.settings:
                    _store_settings(portal, entry, args.settings, now)
                if args.again:
                    there = 0 if seen is None else seen.standing.applied
                    change_pairing(portal, entry.device_id, lambda one: above(one, there, now))
            except (OSError, TscmError):  # all of the change, or nothing of it
                write_entry(portal, present)
                raise
        return entry

    entry: PortalEntry = await node.write(changed)
    await _told(node)
    row: EntryRow = await node.quick.run(_row_of, node, entry)
    call.noted["version"] = row.version
    told = f"; its settings have version {row.version}" if row.version else ""
    return EntryDone(entry=row, sentence=f"entry {entry.nickname} changed{told}")


def settings_of(entry: PortalEntry, present: Json, changes: Json) -> Json:
    """
    Settings of an entry with *changes*; None takes one away.  Raises `SettingsFaulty`.
    """
    after = {**present, **changes}
    after = {name: value for name, value in after.items() if value is not None}
    if after:
        document_of(entry, after)
    return after


def _store_settings(portal: Path, entry: PortalEntry, changes: Json, now: float) -> None:
    def change(pairing: Pairing) -> Pairing:
        after = settings_of(entry, pairing.settings, changes)
        tag = etag_of(document_of(entry, after)) if after else pairing.etag
        return with_content(evolve(pairing, settings=after), tag, now)

    change_pairing(portal, entry.device_id, change)


@handles(table.ROTATE_KEY)
async def rotate(node: Node, args: EntryNamed, call: Call) -> EntryHandedOut:
    """Hand out another device key."""
    del call
    entry: PortalEntry = await node.write(rotate_key, node.layout.portal, args.item)
    return EntryHandedOut(
        entry=await node.quick.run(_row_of, node, entry),
        device_key=entry.device_key.reveal() if entry.device_key else "",
        tsig_name=entry.tsig_name,
        tsig_key=entry.tsig_secret or "",
        sentence=(
            f"entry {entry.nickname} has another device key, and uploads with the one before are "
            "rejected from now on"
        ),
    )


@handles(table.ISSUE_CODE)
async def issue_code(node: Node, args: CodeWanted, call: Call) -> EntryHandedOut:
    """Hand out an auto key."""
    if not node.settings().portal.pairing:
        raise ItemFaulty("no manager can pair: set `[portal] pairing` to an address and restart")
    seconds = CODE_SECONDS if args.seconds is None else args.seconds
    if seconds < _LEAST_SECONDS:
        raise ItemFaulty(f"an auto key is good for {_LEAST_SECONDS:.0f} s at least")
    portal, now = node.layout.portal, wall_seconds(node.clock)
    code = secrets.token_hex(CODE_BYTES)

    def issue() -> tuple[PortalEntry, Pairing, str]:
        certificate, _ = ensure_pairing_certificate(portal, node.settings().portal, now)
        pin = fingerprint_of_file(certificate)
        with FILES:
            entry = read_entry(portal, args.item)
            if entry.integration != BY_PORTAL:
                raise ItemFaulty(
                    f"entry {entry.nickname!r} has the integration type {entry.integration}; make it "
                    f"`auto` first: tsadmin portal change {entry.nickname} --integration auto"
                )

            def with_code(pairing: Pairing) -> Pairing:
                tag = etag_of(document_of(entry, pairing.settings))
                return issued(with_content(pairing, tag, now), digest(code), now, seconds)

            return entry, change_pairing(portal, entry.device_id, with_code), pin

    entry, pairing, pin = await node.write(issue)
    await _told(node)
    key = auto_key(code, pin)
    call.noted["good_until"] = pairing.code_until
    command = f"tsadmin add --type auto --device_id {entry.device_id} --auto_key {key}"
    url = portal_url(node)
    return EntryHandedOut(
        entry=await node.quick.run(_row_of, node, entry),
        auto_key=key,
        good_until=pairing.code_until,
        command=f"{command} --portal {url or 'URL'}",
        sentence=f"auto key of entry {entry.nickname} handed out",
    )


def portal_url(node: Node) -> str:
    """Where managers reach the pairing listener; empty where nothing says so."""
    settings = node.settings()
    if settings.portal.pairing_url:
        return settings.portal.pairing_url
    for one in settings.portal.pairing:
        host = settings.address if one.host in {"0.0.0.0", "::"} else one.host  # noqa: S104 - nothing is bound
        if host:
            return f"https://{f'[{host}]' if ':' in host else host}:{one.port}"
    return ""


@handles(table.UNPAIR_ENTRY)
async def unpair(node: Node, args: EntryNamed, call: Call) -> EntryDone:
    """End the pairing, and void an auto key."""
    portal, now = node.layout.portal, wall_seconds(node.clock)

    def end() -> PortalEntry:
        with FILES:
            entry = read_entry(portal, args.item)
            change_pairing(portal, entry.device_id, lambda one: ended(one, str(call.actor), now))
        return entry

    entry: PortalEntry = await node.write(end)
    await _told(node)
    row: EntryRow = await node.quick.run(_row_of, node, entry)
    told = f"its manager {row.manager} keeps the last settings as its own" if row.manager else ""
    return EntryDone(
        entry=row, sentence=f"entry {entry.nickname} is not paired{f'; {told}' if told else ''}"
    )


@handles(table.DELETE_ENTRY)
async def delete(node: Node, args: EntryNamed, call: Call) -> EntryGone:
    """Delete an entry."""
    portal, now = node.layout.portal, wall_seconds(node.clock)

    def gone() -> Pairing | None:
        with FILES:
            try:
                entry = read_entry(portal, args.item)
            except SettingsFaulty:  # a damaged file can be deleted too
                remove_entry(portal, args.item)
                return None
            pairing = read_pairing(portal, entry.device_id)
            paired = pairing != Pairing(device_id=entry.device_id)
            if paired:
                # First: on a full disk, or after a stop between the two, the call can be repeated.
                end = partial(revoked, by=str(call.actor), now=now)
                change_pairing(portal, entry.device_id, end)
            remove_entry(portal, args.item)
        if paired:
            drop_oldest_of_deleted(portal)
        return pairing

    pairing = await node.write(gone)
    await _told(node)
    told = ""
    if pairing is not None and pairing.stage(now) is Stage.PAIRED:
        told = f"; its manager {pairing.manager} keeps the last settings as its own"
    return EntryGone(
        item=args.item,
        sentence=f"entry {args.item} removed{told}; a new entry has a new device ID",
    )


def _refuse_strange(nickname: str, fields: Mapping[str, Any]) -> None:
    """Raise `SettingsFaulty` for what is no field of an entry, or no text."""
    faults = [
        Fault(where=name[:60], wrong="is no field of an entry", allowed=", ".join(CHANGEABLE))
        for name in fields
        if name not in CHANGEABLE
    ]
    if faults:
        raise SettingsFaulty(f"entry {nickname[:60]!r}", faults[:10])


async def _with_lists(
    node: Node, fields: Json, before: PortalEntry | None = None
) -> dict[str, Any]:
    """*fields* with the lists of the policy that they name."""
    policy = fields.get("policy")
    if policy is None:
        taken = "block_list" in fields or "allow_list" in fields
        leaves = {"policy": None} if taken and before is not None else {}
        return {**fields, **leaves}
    name = item_name(str(policy))
    site = (await node.slow.run(stored_site, node.layout.database)).site
    found = site.policies.get(name)
    if found is None:
        raise ItemFaulty(f"there is no policy {name!r}; show them with `tsadmin portal policies`")
    lists = {"block_list": found.block_name, "allow_list": found.allow_name}
    given = [one for one in lists if fields.get(one) not in (None, lists[one])]
    if given:
        raise ItemFaulty(f"{given[0]} is named by the policy; leave out one of both")
    return {**fields, "policy": name, **lists}
