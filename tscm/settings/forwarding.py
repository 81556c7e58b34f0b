"""
Where a device's lines are forwarded to: `[[forward]]` tables, and the options by which they are set.

A table stores the name of its reader, whose cursor knows how far the lines are sent: a target that moves or
changes goes on where it was.  The options, and files of earlier versions, name the first target by `forward_…`
and the others by URL (`forward_also`); such a file's readers keep the names that they had.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit
from zlib import crc32

import attrs
from attrs import evolve, frozen

from tscm.errors import Fault
from tscm.settings import values
from tscm.settings.schema import read_table, setting

READER = "forward"
"""The first target's reader."""
MODES = ("as-received", "header", "rfc5424")
FRAMINGS = ("lf", "octets")
PROTOCOLS = ("UDP", "TCP", "TLS")
_NAME = re.compile(r"forward(-[a-z0-9][a-z0-9-]{0,40})?")
_PARTS = ("mode", "framing", "server_name", "ca_file", "certificate", "key")
"""What the URL of a target may have behind `?`."""


def reader_name(value: Any) -> str:
    """The name of a target's reader."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise values.refused(value, "is no reader's name", "forward, or forward- and a word")
    return value


@frozen(kw_only=True)
class ForwardTarget:
    """
    One `[[forward]]` table.

    Without an *address* nothing is sent: what else is set waits for one.
    """

    reader: str = setting(
        reader_name, "", doc="Name of its reader of the log; made by `tsadmin`, stays for ever"
    )
    address: str | None = setting(values.optional(values.address), None, doc="Address of the SIEM")
    port: int = setting(values.port_number, 514, doc="Port")
    protocol: str = setting(values.choice(*PROTOCOLS), "UDP", doc="Protocol")
    framing: str = setting(
        values.choice(*FRAMINGS), "lf", doc="Framing over TCP and TLS (RFC 6587)"
    )
    mode: str = setting(
        values.choice(*MODES),
        "as-received",
        doc=(
            "Format of lines: as received, with a header that names the sender added if there "
            "is none, or RFC 5424"
        ),
    )
    ca_file: str | None = setting(
        values.optional(values.path), None, doc="CA file for the target's certificate"
    )
    server_name: str | None = setting(
        values.optional(values.address),
        None,
        doc="Name that the target's certificate must have, where it is not the address",
    )
    certificate: str | None = setting(
        values.optional(values.path), None, doc="File with our certificate, for a target that asks"
    )
    key: str | None = setting(
        values.optional(values.path), None, doc="File with the key of our certificate"
    )
    lines_per_second: int = setting(
        values.whole(0, 10_000_000), 20_000, doc="Bound on lines over UDP, 0 for none"
    )
    resend_kb: int = setting(
        values.whole(0, 1 << 20), 1024, doc="Maximum data resent after a connection reset, KB"
    )

    @property
    def place(self) -> str:
        """Where it is, however it is spoken to; empty without an address."""
        if self.address is None:
            return ""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"

    def url(self, ca_file: str | None = None) -> str:
        """The target in one word, without what has its default, and without *ca_file* where all have that."""
        defaults = attrs.fields_dict(ForwardTarget)
        given = [
            f"{name}={quote(str(value), safe='/')}"
            for name in _PARTS
            if (value := getattr(self, name)) != defaults[name].default
            and not (name == "ca_file" and value == ca_file)
        ]
        return f"{self.protocol.lower()}://{self.place}{'?' if given else ''}{'&'.join(given)}"


Targets = tuple[ForwardTarget, ...]


def read_url(value: Any) -> ForwardTarget:
    """A target of forwarding in one word: `tls://siem.example:6514?mode=rfc5424&framing=octets`."""
    allowed = (
        "udp, tcp or tls://address:port[?mode=as-received|header|rfc5424][&framing=lf|octets]"
        "[&server_name=…][&ca_file=…][&certificate=…][&key=…]"
    )
    front, _, query = value.strip().partition("?") if isinstance(value, str) else ("", "", "")
    try:
        parts = urlsplit(values.web_url("udp", "tcp", "tls")(front))
    except ValueError:
        raise values.refused(value, "is no target", allowed) from None
    if parts.port is None or parts.path:
        raise values.refused(value, "is no target", allowed)
    try:
        pairs = parse_qsl(query, strict_parsing=True) if query else []
    except ValueError:
        pairs = [("", "")]
    if not {name for name, _ in pairs} <= set(_PARTS):
        raise values.refused(value, "contains an unknown option", allowed)
    table = {
        "address": parts.hostname,
        "port": parts.port,
        "protocol": parts.scheme,
        **dict(pairs),
    }
    found, _ = read_table(ForwardTarget, table)
    if found is None:
        raise values.refused(value, "contains an unknown option", allowed)
    return found


def target_url(value: Any) -> str:
    """The text of a target, once it can be read."""
    read_url(value)
    return str(value).strip()


@frozen(kw_only=True)
class ForwardOptions:
    """
    The targets as options, and as the files of earlier versions have them.
    """

    forward_address: str | None = setting(
        values.optional(values.address), None, doc="Address of the SIEM"
    )
    forward_port: int = setting(values.port_number, 514, doc="Port of the SIEM")
    forward_protocol: str = setting(values.choice(*PROTOCOLS), "UDP", doc="Protocol of the SIEM")
    forward_mode: str = setting(
        values.choice(*MODES),
        "as-received",
        doc=(
            "Format of lines: as received, with a header that names the sender added if there "
            "is none, or RFC 5424"
        ),
    )
    forward_framing: str = setting(
        values.choice(*FRAMINGS), "lf", doc="Framing over TCP and TLS (RFC 6587)"
    )
    forward_ca_file: str | None = setting(
        values.optional(values.path), None, doc="CA file for the certificates of TLS targets"
    )
    forward_server_name: str | None = setting(
        values.optional(values.address),
        None,
        doc="Name that the SIEM's certificate must have, where it is not its address",
    )
    forward_certificate: str | None = setting(
        values.optional(values.path), None, doc="File with our certificate for the SIEM"
    )
    forward_key: str | None = setting(
        values.optional(values.path), None, doc="File with the key of that certificate"
    )
    forward_lines_per_second: int = setting(
        values.whole(0, 10_000_000),
        20_000,
        doc="Limit on lines per second forwarded over UDP; 0 for no limit",
    )
    forward_resend_kb: int = setting(
        values.whole(0, 1 << 20), 1024, doc="Maximum data resent after a connection reset, KB"
    )
    forward_also: tuple[str, ...] = setting(
        values.many(target_url),
        (),
        doc="Additional targets, such as tcp://address:port?mode=rfc5424&framing=octets",
    )


OPTIONS = tuple(one.name for one in attrs.fields(ForwardOptions))
_OF_ALL = ("ca_file", "lines_per_second", "resend_kb")
"""What an option sets for every target."""


def first_of(targets: Targets) -> ForwardTarget | None:
    """The target that `forward_…` is about."""
    return next((one for one in targets if one.reader == READER), None)


def options_of(targets: Targets) -> dict[str, Any]:
    """The options that give *targets*."""
    first = first_of(targets) or ForwardTarget(reader=READER)
    found = {
        name: getattr(first, name.removeprefix("forward_"))
        for name in OPTIONS
        if name != "forward_also"
    }
    others = tuple(one.url(first.ca_file) for one in targets if one.reader != READER)
    return {**found, "forward_also": others}


def targets_of_options(options: ForwardOptions, present: Targets = ()) -> Targets:
    """
    The targets that *options* ask for.

    Of those *present* one that stays at its place keeps its reader, and what no option can say.
    """
    before = ForwardTarget(reader=READER) if (one := first_of(present)) is None else one
    words = {
        name.removeprefix("forward_"): getattr(options, name)
        for name in OPTIONS
        if name != "forward_also"
    }
    first = evolve(before, **words)
    shared = {name: words[name] for name in _OF_ALL}
    changed = {name: value for name, value in shared.items() if getattr(before, name) != value}
    found = [] if first == ForwardTarget(reader=READER) else [first]
    left = [one for one in present if one.reader != READER]
    taken = {READER}
    kept = {
        text: one
        for text in options.forward_also
        if (one := _taken_out(left, before.ca_file, url=text)) is not None
    }
    kept |= {
        text: one
        for text in options.forward_also
        if text not in kept
        and (one := _taken_out(left, None, place=read_url(text).place)) is not None
    }
    taken |= {one.reader for one in kept.values()}
    for text in options.forward_also:
        told, old = read_url(text), kept.get(text)
        if old is not None:
            own = {name: getattr(old, name) for name in _OF_ALL} | changed
        else:
            own = shared
        if told.ca_file is not None:
            own = {**own, "ca_file": told.ca_file}
        name = old.reader if old is not None else _new_name(text, taken)
        taken.add(name)
        found.append(evolve(told, reader=name, **own))
    return tuple(found)


def targets_of_urls(urls: Iterable[str]) -> Targets:
    """Targets that are given by URL alone."""
    return targets_of_options(ForwardOptions(forward_also=tuple(urls)))


def _taken_out(
    left: list[ForwardTarget], ca_file: str | None, *, url: str = "", place: str = ""
) -> ForwardTarget | None:
    """The first of *left* that is just that, or stands there, taken out of it."""
    for one in left:
        same = one.url(ca_file) == read_url(url).url(ca_file) if url else one.place == place
        if same:
            left.remove(one)
            return one
    return None


def _new_name(text: str, taken: set[str]) -> str:
    """
    A reader for the target *text*: named for its place, as it always was, so that neither another order nor
    another mode changes anything; of several at one place, those after the first for all that they are.
    """
    for named_for in (urlsplit(text).netloc, text):
        name = f"{READER}-{crc32(named_for.encode()):08x}"
        if name not in taken:
            return name
    number = 2
    while (name := f"{READER}-{crc32(text.encode()):08x}-{number}") in taken:
        number += 1
    return name


def read_targets(tables: Any) -> tuple[Targets, Sequence[Fault]]:
    """The `[[forward]]` tables of a file; one without a reader's name is given one by its place."""
    if not isinstance(tables, list | tuple):
        return (), [Fault(where="forward", wrong="is not a list", allowed="[[forward]] tables")]
    found: list[ForwardTarget] = []
    faults: list[Fault] = []
    for number, table in enumerate(tables):
        where = f"forward[{number}]"
        if not isinstance(table, Mapping):
            faults.append(Fault(where=where, wrong="is no table", allowed="a [[forward]] table"))
            continue
        target, wrong = read_table(ForwardTarget, table)
        faults += [evolve(one, where=f"{where}.{one.where}") for one in wrong]
        if target is not None:
            found.append(target)
    named = {one.reader for one in found if one.reader}
    for number, one in enumerate(found):
        if not one.reader:
            name = READER if not number and READER not in named else _new_name(one.url(), named)
            named.add(name)
            found[number] = evolve(one, reader=name)
    faults += _twice(found)
    return tuple(found), faults


def _twice(found: Sequence[ForwardTarget]) -> Iterator[Fault]:
    names = [one.reader for one in found]
    for number, name in enumerate(names):
        if name in names[:number]:
            yield Fault(
                where=f"forward[{number}].reader",
                wrong=f"{name} is another target's reader already",
                allowed="a name of its own, or none: then it gets one",
            )


def tables_of(targets: Targets) -> list[dict[str, Any]]:
    """*targets* as a file has them: the reader's name, and what has not its default."""
    fields = attrs.fields_dict(ForwardTarget)
    return [
        {
            name: value
            for name in fields
            if (value := getattr(one, name)) is not None
            and (value != fields[name].default or name in {"reader", "port", "protocol"})
        }
        for one in targets
    ]
