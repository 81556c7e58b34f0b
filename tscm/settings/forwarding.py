"""
The options by which a device's targets of forwarding are set, and the targets that they ask for.

A table stores the name of its reader, whose cursor knows how far the lines are sent: a target that moves or
changes goes on where it was.  The options, and files of earlier versions, name the first target by `forward_…`
and the others by URL (`forward_also`); such a file's readers keep the names that they had.
"""

from collections.abc import Iterable
from typing import Any

import attrs
from attrs import evolve, frozen

from tscm.settings import values
from tscm.settings.forward_tables import new_name
from tscm.settings.forward_target import (
    PROTOCOLS,
    READER,
    ForwardTarget,
    Targets,
    framing_setting,
    mode_setting,
    read_url,
    resend_setting,
    target_url,
)
from tscm.settings.schema import setting


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
    forward_mode: str = mode_setting()
    forward_framing: str = framing_setting()
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
    forward_resend_kb: int = resend_setting()
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
    taken: set[str] = {READER}
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
        name = old.reader if old is not None else new_name(text, taken)
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
