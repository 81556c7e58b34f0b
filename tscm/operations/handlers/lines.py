"""
Operations on the lines themselves: search what is kept, and follow what comes.
"""

from collections.abc import Mapping, Sequence

from attrs import evolve
from twisted.internet.defer import DeferredSemaphore

from tscm.base.clock import wall_seconds
from tscm.base.schedule import in_slices
from tscm.errors import NoSuchDevice
from tscm.events.answers import FoundLines
from tscm.events.line_filter import LineFilter
from tscm.events.lines import Bounds, Gathering, LogOf, judged, search
from tscm.manager.node import Manager, Node, parts
from tscm.model import Block, Origin
from tscm.operations.arguments import Following, LinesWanted
from tscm.operations.bodies import RequestFaulty
from tscm.operations.call import Call
from tscm.operations.handlers.devices import refuse_unknown
from tscm.operations.registry import handles
from tscm.operations.table import lines as table
from tscm.settings.device import DeviceSettings
from tscm.settings.files import device_names, read_device
from tscm.spool.index import IndexedRun
from tscm.spool.tools_export import Passage

TOP_MOST = 1000
SEARCH = Bounds(octets=1 << 30, seconds=8.0, lines=TOP_MOST)
FOLLOW = Bounds(octets=16 << 20, seconds=2.0, lines=TOP_MOST)
TAIL_BYTES = 1 << 16
"""So much of a log is looked at for lines to begin with; of many devices less."""
_TAILS_BYTES = 2 << 20
_PIECE_BYTES = 1 << 18
_AT_ONCE = DeferredSemaphore(2)
"""Searches: each takes a thread of those that updates need, and as much of the disk as there is."""


@handles(table.SEARCH_LINES)
async def search_lines(node: Node, args: LinesWanted, call: Call) -> FoundLines:
    """The lines that fit, of all that is kept; without a manager too."""
    del call
    wanted = LineFilter.read(args.options)
    names = _names(node, args.devices)
    logs = [_log_of(name, _settings(node, name)) for name in names]
    gathering = _gathering(node, wanted, evolve(SEARCH, lines=_top(args.top)), newest=args.newest)
    await _AT_ONCE.acquire()
    try:
        found: FoundLines = await node.slow.run(
            search, node.layout.logs, logs, gathering, args.since, args.until
        )
    finally:
        _AT_ONCE.release()
    return found


@handles(table.FOLLOW_LINES)
async def follow_lines(node: Node, args: Following, call: Call) -> FoundLines:
    """The lines that have come since, as far as they fit, and the positions behind them."""
    del call
    wanted = LineFilter.read(args.options)
    names = _names(node, args.devices)
    positions = _positions(args)
    manager = parts(node)
    tail = max(4096, min(TAIL_BYTES, _TAILS_BYTES // max(1, len(names))))
    left, unread = FOLLOW.octets, 0
    ends: dict[str, int] = {}
    passages: list[tuple[LogOf, Passage]] = []
    async for name in in_slices(node.clock, names):
        try:
            end, _ = manager.spool.positions(name)
        except NoSuchDevice:  # its log is being opened, or it was removed meanwhile
            continue
        begin = positions.get(name)
        fresh = begin is None or begin > end  # a log that began again since, too
        ends[name] = end
        start = max(0, end - tail) if begin is None or fresh else begin
        share = max(tail, left // 2) if len(names) > 1 else left
        if end - start > share:
            unread += end - share - start
            start, fresh = end - share, True
        log = _log_of(name, _settings(node, name))
        ends[name], taken = _read(manager, name, start, end, whole=not fresh or not start)
        passages += [(log, one) for one in taken]
        left -= end - start
    gathering = _gathering(node, wanted, evolve(FOLLOW, lines=_top(args.top)), newest=True)
    found: FoundLines = await node.quick.run(judged, manager.judging, passages, gathering)
    return evolve(found, positions=ends, unread_bytes=unread)


def _gathering(node: Node, wanted: LineFilter, bounds: Bounds, *, newest: bool) -> Gathering:
    now = wall_seconds(node.clock)
    return Gathering(wanted, bounds, node.layout.database, now, newest=newest)


def _read(
    manager: Manager, name: str, start: int, end: int, *, whole: bool
) -> tuple[int, list[Passage]]:
    """
    What stands between two offsets, and where the next look begins; *whole*: a line begins at the first.
    """
    at, passages = start, []
    while at < end:
        found = manager.spool.peek(name, at, min(_PIECE_BYTES, end - at))
        if found is None:
            break
        block, origins = found
        passage = _passage(block, origins)
        if not whole:  # it begins somewhere in a line
            cut = block.data.find(b"\n") + 1
            passage = evolve(passage, offset=block.start + cut, data=block.data[cut:])
            whole = True
        if passage.data:
            passages.append(passage)
        at = block.end
    return at, passages


def _passage(block: Block, origins: Sequence[Origin]) -> Passage:
    runs = [
        IndexedRun(
            one.start - block.start,
            one.end - one.start,
            0,
            one.received_at,
            one.sender,
            escaped=True,
        )
        for one in origins
    ]
    return Passage(offset=block.start, data=block.data, runs=runs, base=block.start)


def _names(node: Node, wanted: Sequence[str]) -> list[str]:
    for name in wanted:
        refuse_unknown(node, name)
    return list(dict.fromkeys(wanted)) or device_names(node.layout)


def _settings(node: Node, name: str) -> DeviceSettings:
    """Those in force; without a manager those that are stored, with their secrets sealed."""
    known = None if node.manager is None else node.manager.devices.get(name)
    return read_device(node.layout, name, None) if known is None else known.settings


def _log_of(name: str, settings: DeviceSettings) -> LogOf:
    return LogOf(
        device=name,
        lists=(settings.block_list, settings.allow_list),
        access_lists=tuple(settings.access_lists),
        form=settings.type,
    )


def _top(wanted: int) -> int:
    if not 1 <= wanted <= TOP_MOST:
        raise RequestFaulty(f"top is {wanted}; allowed: a whole number from 1 to {TOP_MOST:,}")
    return wanted


def _positions(args: Following) -> Mapping[str, int]:
    """Those that are told.  Raises `RequestFaulty`."""
    for name, at in args.positions.items():
        if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at < 1 << 63:
            raise RequestFaulty(f"positions has {at!r:.40} for {name[:64]!r}; allowed: offsets")
    return args.positions
