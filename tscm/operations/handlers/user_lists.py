"""
Operations on user lists.  All of it in threads, on a connection of its own: a list has 100,000 entries.
"""

from typing import Any

from tscm.base.clock import wall_seconds
from tscm.manager.node import Node
from tscm.operations.arguments import Nothing
from tscm.operations.call import Call
from tscm.operations.handlers.portal import publication_fault, publish_now, used_by
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
from tscm.operations.registry import handles
from tscm.operations.table import user_lists as table
from tscm.plural import many
from tscm.policy.by_hand import LONGEST_SECONDS, REASON_MOST, EntryFaulty
from tscm.policy.user_lists import (
    Edit,
    LineFault,
    ListEntry,
    ListFaulty,
    Mode,
    Parsed,
    TextFaulty,
    list_name,
    read_network,
    read_text,
)
from tscm.printable import visible
from tscm.store.user_list_values import ListVersion, Who, Wish
from tscm.store.user_lists import UserLists

PAGE_MOST = 10_000
_OFFSET_MOST = 10_000_000


def lists_of(node: Node) -> UserLists:
    """The lists of the node's database."""
    return UserLists(node.layout.database)


@handles(table.LISTS)
async def lists(node: Node, args: Nothing, call: Call) -> Lists:
    """All user lists."""
    del args, call
    return Lists(lists=await node.slow.run(lists_of(node).all, wall_seconds(node.clock)))


@handles(table.LIST_PAGE)
async def list_page(node: Node, args: ListShown, call: Call) -> ListPage:
    """Entries of a list."""
    del call
    if not (0 <= args.offset <= _OFFSET_MOST and 0 < args.top <= PAGE_MOST):
        raise ListFaulty(f"a page has 1 to {PAGE_MOST:,} entries, from {_OFFSET_MOST:,} at most")
    page = await node.slow.run(
        lists_of(node).page,
        args.list_name,
        wall_seconds(node.clock),
        search=args.search,
        version=args.version,
        offset=args.offset,
        top=args.top,
    )
    return ListPage(version=page.version, found=page.found, entries=page.entries)


@handles(table.LISTS_HOLDING)
async def lists_holding(node: Node, args: AddressSought, call: Call) -> ListsHolding:
    """Which user lists hold an address."""
    del call
    read_network(args.search, wide=True)  # refused before the database is asked
    found = await node.slow.run(lists_of(node).holding, args.search, wall_seconds(node.clock))
    return ListsHolding(entries=found)


@handles(table.LIST_VERSIONS)
async def list_versions(node: Node, args: ListNamed, call: Call) -> ListVersions:
    """The kept versions of a list."""
    del call
    return ListVersions(versions=await node.slow.run(lists_of(node).versions, args.list_name))


@handles(table.CREATE_LIST)
async def create_list(node: Node, args: NewList, call: Call) -> ListDone:
    """Make a list without entries."""
    node.hold()
    name, note = list_name(args.list_name), _told("note", args.note)
    made = await node.write(lists_of(node).create, name, args.side, note, _who(node, call))
    return ListDone(list_name=name, sentence=f"{made.side} list {name!r} created")


@handles(table.CHECK_TEXT)
async def check_text(node: Node, args: TextChecked, call: Call) -> TextRead:
    """What a text would change."""
    del call
    now = wall_seconds(node.clock)
    parsed: Parsed = await node.slow.run(_read, args, now)
    edit: Edit = await node.slow.run(
        lists_of(node).planned, args.list_name, parsed.entries, _mode(args.mode)
    )
    return TextRead(
        added=len(edit.added) - edit.changed,
        removed=len(edit.removed) - edit.changed,
        changed=edit.changed,
        same=edit.same,
        absent=edit.absent,
        repeated=parsed.repeated,
        fault_count=parsed.fault_count,
        faults=parsed.faults,
    )


@handles(table.EDIT_LIST)
async def edit_list(node: Node, args: ListEdited, call: Call) -> ListDone:
    """Add, replace or remove entries, all or none."""
    node.hold()
    mode, who = _mode(args.mode), _who(node, call, args.reason)
    parsed: Parsed = await node.slow.run(_read, args, who.at)
    call.noted["text"] = f"{many(len(parsed.entries), 'entry', 'entries')}"
    if parsed.fault_count and not args.skip_faults:
        raise TextFaulty(args.list_name, parsed.faults, parsed.fault_count)
    edit, version = await node.write(
        lists_of(node).edit, args.list_name, parsed.entries, mode, who, _wish(args)
    )
    return await _done(node, call, args.list_name, version, edit, skipped=parsed.fault_count)


@handles(table.IMPORT_LIST)
async def import_list(node: Node, args: ListImported, call: Call) -> ListDone:
    """Replace the entries by what is published at a URL."""
    node.hold()
    who = _who(node, call, args.reason)
    name, comment = list_name(args.list_name), _told("comment", args.comment)
    call.noted["url"] = args.url.partition("?")[0]  # a key may stand behind it
    parsed: Parsed = await node.slow.run(_fetched, node, name, args, comment, who.at)
    if parsed.fault_count and not args.skip_faults:
        raise TextFaulty(name, parsed.faults, parsed.fault_count)
    edit, version = await node.write(
        lists_of(node).edit, name, parsed.entries, Mode.REPLACE, who, _wish(args)
    )
    return await _done(node, call, name, version, edit, skipped=parsed.fault_count)


@handles(table.REMOVE_FOUND)
async def remove_found(node: Node, args: FoundRemoved, call: Call) -> ListDone:
    """Remove entries that a search finds."""
    node.hold()
    if not args.search.strip():
        raise ListFaulty("nothing to search for; enter an address or a network")
    edit, version = await node.write(
        lists_of(node).remove_found,
        args.list_name,
        args.search,
        _who(node, call, args.reason),
        _wish(args),
    )
    return await _done(node, call, args.list_name, version, edit)


@handles(table.UNDO_LIST)
async def undo_list(node: Node, args: ListUndone, call: Call) -> ListDone:
    """Go back to an earlier version of a list."""
    node.hold()
    version = await node.write(
        lists_of(node).undo, args.list_name, args.to, _who(node, call, args.reason), _wish(args)
    )
    return await _done(node, call, args.list_name, version, Edit())


@handles(table.DELETE_LIST)
async def delete_list(node: Node, args: ListNamed, call: Call) -> ListDone:
    """Forget a list with all its versions."""
    del call
    node.hold()
    name = list_name(args.list_name)
    users = await node.slow.run(used_by, node.layout.database, name)
    if users:
        raise ListFaulty(f"list {name!r} is used by {', '.join(users)}; take it out there first")
    await node.write(lists_of(node).delete, args.list_name)
    return ListDone(list_name=args.list_name, sentence=f"list {args.list_name!r} deleted")


def _who(node: Node, call: Call, reason: str = "") -> Who:
    return Who(name=str(call.actor), at=wall_seconds(node.clock), reason=_told("reason", reason))


def _told(what: str, text: str) -> str:
    told = " ".join(visible(text).split())
    if len(told) > REASON_MOST:
        raise ListFaulty(f"the {what} is longer than {REASON_MOST} characters")
    return told


def _wish(args: Any) -> Wish:
    return Wish(version=args.version, shrink=args.shrink)


def _mode(word: str) -> Mode:
    try:
        return Mode(word)
    except ValueError:
        allowed = ", ".join(Mode)
        raise ListFaulty(f"{word[:20]!r} is not a mode; allowed: {allowed}") from None


def _read(args: TextChecked, now: float) -> Parsed:
    if args.seconds is not None and not 1 <= args.seconds <= LONGEST_SECONDS:
        raise ListFaulty(f"an entry lasts from 1 to {LONGEST_SECONDS:.0f} seconds, or has no end")
    until = None if args.seconds is None else now + args.seconds
    comment = _told("comment", args.comment)
    return read_text(args.text, now, wide=args.wide, until=until, comment=comment)


def _fetched(node: Node, name: str, args: ListImported, comment: str, now: float) -> Parsed:
    """What the feed reader makes of a place; the widths are those of a text.  Blocking."""
    from tscm.policy.feed_formats import Shape
    from tscm.retrieve.answers import Answers
    from tscm.retrieve.feed_source import FeedSource
    from tscm.retrieve.feeds import fetch_feed
    from tscm.settings.feed import FORMATS, feed_url, pick_fault
    from tscm.settings.feed_intervals import least_interval

    try:
        url = feed_url(args.url)
    except ValueError as error:
        raise ListFaulty(f"the URL {error}") from None
    if not url.startswith("https:"):  # the manager may read files that the client may not
        raise ListFaulty("only https:// is fetched; give a file to `tsadmin lists replace --file`")
    if args.format not in FORMATS:
        raise ListFaulty(f"{args.format[:20]!r} is not a format; allowed: {', '.join(FORMATS)}")
    if wrong := pick_fault(args.format, args.pick):
        raise ListFaulty(wrong)
    source = FeedSource(
        name=name,
        url=url,
        shape=Shape(format=args.format, pick=args.pick),
        least_interval=least_interval(url),
        permitted=node.settings().portal.permitted_servers,
    )
    found = fetch_feed(source, None, now, answers=Answers(node.layout.feeds), layout=node.layout)
    assert found is not None, "nothing is known that could be unchanged"
    faults = [LineFault(0, f"{one.entry}: {one.cause}") for one in found.refused]
    count = found.refused_count
    entries: dict[str, ListEntry] = {}
    for cidr in found.entries.cidrs():
        try:
            network, first, last = read_network(cidr, wide=args.wide)
        except EntryFaulty as fault:
            count += 1
            faults.append(LineFault(0, f"{cidr}: {fault}"))
            continue
        entries[network] = ListEntry(network=network, first=first, last=last, comment=comment)
    return Parsed(entries=tuple(entries.values()), faults=tuple(faults[:1000]), fault_count=count)


async def _done(
    node: Node, call: Call, name: str, version: ListVersion, edit: Edit, *, skipped: int = 0
) -> ListDone:
    """Publish, and tell what was done, and what of it is not published."""
    state = await publish_now(node)
    policies = () if state is None else state.policies.values()
    waits = [one.fault or one.held for one in policies if one.fault or one.published_at]
    call.noted.update(version=version.version, added=version.added, removed=version.removed)
    fresh, gone = version.added - edit.changed, version.removed - edit.changed
    parts = [
        f"{fresh:,} added" if fresh else "",
        f"{gone:,} removed" if gone else "",
        f"{edit.changed:,} changed" if edit.changed else "",
        f"{edit.same:,} already there" if edit.same else "",
        f"{edit.absent:,} not there" if edit.absent else "",
        f"{many(skipped, 'line', 'lines')} skipped" if skipped else "",
    ]
    told = ", ".join(part for part in parts if part) or "nothing to change"
    return ListDone(
        list_name=name,
        version=version,
        changed=edit.changed,
        same=edit.same,
        absent=edit.absent,
        skipped=skipped,
        sentence=(
            f"list {name!r}: {told}; it has {many(version.entries, 'entry', 'entries')} in "
            f"version {version.version}"
            f"{publication_fault(node) or ''.join(f'; {one}' for one in waits if one)}"
        ),
    )
