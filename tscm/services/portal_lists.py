"""
`/lists/NAME`: a list of the policy service over HTTPS, for who shows the device ID and key of an entry.

By the listener from which firewalls pull, and with its bodies and tags; an entry has its own lists and no others.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from attrs import define
from twisted.internet.defer import Deferred
from twisted.web.server import Request

from tscm.base.http_gate import Refusal
from tscm.policy.collect import ListTooLong
from tscm.services.list_bodies import Bodies, NoRoom
from tscm.services.list_gate import NOT_ALLOWED, NOT_FOUND, http_date, is_held, later, tag_of
from tscm.services.list_pieces import Pieces
from tscm.services.publication import TEXT, File
from tscm.services.registry import Registry
from tscm.services.zone_files import ZoneFiles, text_of
from tscm.services.zones import Zone
from tscm.upload_format import read_basic

_PATH = re.compile(rb"/lists/([A-Za-z0-9_.-]{1,240})")
_LINE_MOST = 44
"""Octets of the longest line, an IPv6 network."""
_WHO = Refusal(
    status=NOT_ALLOWED,
    sentence="this list requires the device ID and the device key of an entry that has it",
    headers=((b"WWW-Authenticate", b'Basic realm="tscm lists", charset="UTF-8"'),),
)
_METHOD = Refusal(
    status=405,
    sentence="only GET and HEAD are allowed for a list",
    headers=((b"Allow", b"GET, HEAD"),),
)


def name_in(path: bytes) -> str | None:
    """The list that a path names; None for every other path."""
    found = _PATH.fullmatch(path)
    return None if found is None else found[1].decode("ascii").lower()


@define(eq=False)
class PortalLists:
    """
    Answers for the lists in *zones*; *registry* knows the entries.
    """

    _registry: Registry
    _zones: ZoneFiles

    async def answer(self, request: Request, name: str, bodies: Bodies) -> Refusal | None:
        """Send the list, or give why not; nothing is sent then."""
        authorization = request.requestHeaders.getRawHeaders(b"authorization", [b""])[0]
        given = read_basic(authorization.decode("latin-1"))
        entry = None if given is None else self._registry.entry(given[0])
        if given is None or entry is None or not entry.key_fits(given[1]):
            return _WHO
        if request.method not in {b"GET", b"HEAD"}:
            return _METHOD
        if name not in entry.lists:
            return NOT_FOUND
        taken = request.notifyFinish().addCallbacks(lambda _: True, lambda _: False)
        await self._zones.look_again()
        zone = self._zones.zone(name)
        if zone is None:
            return (
                later("the list cannot be read now") if self._zones.is_faulty(name) else NOT_FOUND
            )
        load = partial(_text, self._zones.portal, zone)
        return await _sent(request, zone, bodies, load, taken)


class _Changed(Exception):
    """The file holds another list by now."""


def _text(portal: Path, zone: Zone) -> bytes:
    found = text_of(portal, zone)
    if found is None:
        raise _Changed
    return found


async def _sent(
    request: Request,
    zone: Zone,
    bodies: Bodies,
    load: Callable[[], bytes],
    taken: Deferred[bool],
) -> Refusal | None:
    one = File(digest=zone.digest, md5="", size=0, zipped_size=0, kind=TEXT, entries=zone.entries)
    held = is_held(
        one,
        zone.serial,
        request.requestHeaders.getRawHeaders(b"if-none-match", []),
        request.requestHeaders.getRawHeaders(b"if-modified-since", [None])[0],
    )
    content, key = b"", f"zone-{zone.digest}"
    if not held:
        try:
            content = await bodies.lend(key, zone.entries * _LINE_MOST, load)
        except NoRoom:
            return later("too many lists are being sent now")
        except (OSError, ListTooLong, _Changed):
            return later("the list cannot be read now")
    try:
        if taken.called:
            return None
        request.setHeader(b"etag", tag_of(one, zipped=False).encode())
        request.setHeader(b"last-modified", http_date(zone.serial).encode())
        request.setHeader(b"cache-control", b"no-cache")
        if held:
            request.setResponseCode(304)
            request.finish()
            return None
        request.setHeader(b"content-type", TEXT.encode())
        request.setHeader(b"content-length", b"%d" % len(content))
        if request.method == b"HEAD":
            request.finish()
        else:
            Pieces(request, content).begin()
            await taken
    finally:
        if not held:
            bodies.give_back(key)
    return None
