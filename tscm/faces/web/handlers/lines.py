"""
Lines of logs: a search of what is kept, and a stream of what comes.
"""

from tscm.errors import TscmError
from tscm.events.answers import FoundLines
from tscm.faces.web.desk import Desk
from tscm.faces.web.fleet import device_names
from tscm.faces.web.handlers.reports import read_span
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.views.lines import (
    FILE_MOST,
    SHOWN,
    LineFields,
    Lines,
    Live,
    as_csv,
    as_json,
    command_of,
    line_doubts,
    line_fields,
    line_row,
    total_words,
)
from tscm.faces.web.views.words import iso
from tscm.faces.web.visit import Answer, Download, Faulty, Page, Running, Sink, Stream, Visit
from tscm.operations.arguments import Following, LinesWanted
from tscm.operations.table.lines import FOLLOW_LINES, SEARCH_LINES

_LIVE_SHOWN = 50


@page(path="/lines", role=Role.VIEWER)
async def lines(desk: Desk, visit: Visit) -> Answer:
    """The lines that fit, or a file of them."""
    fields = line_fields(visit, "1h")
    wanted = visit.text("format")
    asked = bool(fields.options or visit.text("since"))
    if not asked:
        return await _search_page(desk, visit, fields, None)
    try:
        since, until = read_span(fields.since, fields.until, visit.now)
        top = FILE_MOST if wanted in {"csv", "json"} else SHOWN
        question = LinesWanted(
            devices=fields.devices,
            since=since,
            until=until if fields.until else None,
            top=top,
            options=fields.options,
        )
        found = await desk.asking.ask(SEARCH_LINES, question)
    except TscmError as error:
        return await _search_page(desk, visit, fields, None, str(error))
    if wanted == "csv":
        return Download(
            name="lines.csv", content_type="text/csv; charset=utf-8", content=as_csv(found)
        )
    if wanted == "json":
        told = {"devices": list(fields.devices) or "all", "since": since, **fields.options}
        return Download(
            name="lines.json", content_type="application/json", content=as_json(told, found)
        )
    return await _search_page(desk, visit, fields, found)


async def _search_page(
    desk: Desk, visit: Visit, fields: LineFields, found: FoundLines | None, fault: str = ""
) -> Page:
    known = FoundLines() if found is None else found
    last = known.lines[-1].received_at if known.lines and known.left_out else None
    view = Lines(
        names=await device_names(desk),
        fields=fields,
        rows=tuple(map(line_row, known.lines)),
        asked=found is not None,
        total="" if found is None else total_words(found),
        doubts=tuple(line_doubts(known)),
        later="" if last is None else visit.at(since=iso(last).replace(" ", "T", 1), format=None),
        live=f"/live?{fields.query(since='', until='')}",
        report=f"/reports?{fields.query(text='', ignore_case='', hits='')}",
        command=command_of(fields),
        csv=visit.at(format="csv", since=fields.since),
        json=visit.at(format="json", since=fields.since),
        fault=fault,
    )
    return Page(view=view, title="Lines", status=400 if fault else 200)


@page(path="/live", role=Role.VIEWER)
async def live(desk: Desk, visit: Visit) -> Answer:
    """The latest lines; a browser with scripts follows what comes."""
    fields = line_fields(visit, "")
    fault, found = "", FoundLines()
    try:
        found = await desk.asking.ask(FOLLOW_LINES, _following(fields, _LIVE_SHOWN))
    except TscmError as error:
        fault = str(error)
    query = fields.query(since="", until="")
    view = Live(
        names=await device_names(desk),
        fields=fields,
        rows=tuple(map(line_row, reversed(found.lines))),
        stream="" if fault else f"/live/stream?live=yes&{query}",
        here=visit.at(live=None),
        search=f"/lines?{fields.query(since='1h')}",
        fault=fault,
    )
    return Page(view=view, title="Live")


@page(path="/live/stream", role=Role.VIEWER)
async def stream(desk: Desk, visit: Visit) -> Answer:
    """What comes, as events; it keeps no session alive, and ends with it."""
    session = visit.session
    if session is None or not visit.live:
        raise Faulty("a stream is opened by the page of live lines")
    asked = _following(line_fields(visit, ""), _LIVE_SHOWN)

    def begin(sink: Sink) -> Running:
        return desk.live.join(asked, session, sink)

    desk.live.refuse_full()
    return Stream(begin=begin)


def _following(fields: LineFields, top: int) -> Following:
    return Following(devices=fields.devices, top=top, options=fields.options)
