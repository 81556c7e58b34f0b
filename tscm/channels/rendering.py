"""
A message as mail, as JSON and as lines.  Pure.

Texts of strangers are visible lines before they come here (`channels.message.item`); each form escapes what its own
syntax means.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape

from tscm.base.clock import told_time
from tscm.channels.mail import Mail
from tscm.channels.message import Item, Message, What
from tscm.model import Json

_COLOURS = {"failed": "#b3261e", "warning": "#8a5a00"}
_GOOD_COLOUR = "#1b6e3c"
_CELL = "padding:4px 10px 4px 0;vertical-align:top;text-align:left"


def as_mail(message: Message, sender: str, to: Sequence[str]) -> Mail:
    """As plain text and HTML.  RFC 3834: no program answers it."""
    content = head(message.id, message.at, sender, to)
    set_subject(content, message.subject)
    content.set_content(_plain(message))
    content.add_alternative(_html(message), subtype="html")
    return Mail(sender=sender, to=tuple(to), content=content)


def head(
    number: str, at: float, sender: str, to: Sequence[str], cc: Sequence[str] = ()
) -> EmailMessage:
    """An empty mail with its headers but for the subject."""
    content = EmailMessage()
    domain = sender.rpartition("@")[2].strip("[]").replace(":", "-")
    content["From"] = Address(display_name="tscm", addr_spec=sender)
    content["To"] = ", ".join(to)
    if cc:
        content["Cc"] = ", ".join(cc)
    content["Date"] = format_datetime(datetime.fromtimestamp(at, UTC))
    content["Message-ID"] = f"<{number}@{domain}>"
    content["Auto-Submitted"] = "auto-generated"
    return content


def set_subject(content: EmailMessage, text: str) -> None:
    """
    Give *content* the subject *text*, one visible line.

    The library decodes what looks like an encoded word (RFC 2047), line ends in it too: a stranger whom *text* quotes
    would write headers.  So none is left in it.
    """
    content["Subject"] = text.replace("=?", "= ?")


def as_json(message: Message) -> Json:
    """For a webhook."""
    return {
        "format": 1,
        "id": message.id,
        "source": message.source,
        "sent_at": message.at,
        "subject": message.subject,
        "alarms": [
            {
                "event": str(one.what),
                "name": one.name,
                "severity": one.severity,
                "sentence": one.sentence,
                "since": one.since,
            }
            for one in message.items
        ],
        "more": message.more,
    }


def as_body(message: Message) -> bytes:
    """The same as the bytes that are posted and signed."""
    return json.dumps(as_json(message), ensure_ascii=True).encode()


def as_heartbeat(source: str, at: float, alarms: Mapping[str, int]) -> bytes:
    """The sign of life of a manager with so many open *alarms* by severity."""
    told = {"format": 1, "source": source, "sent_at": at, "open_alarms": dict(alarms)}
    return json.dumps(told, ensure_ascii=True).encode()


def _plain(message: Message) -> str:
    lines = [f"tscm {message.source}, {told_time(message.at)}", ""]
    for one in message.items:
        lines += [f"{_head(one)}", f"    {one.sentence}"]
        lines += [f"    since {told_time(one.since)}"] if one.since else []
        lines.append("")
    lines += _tail(message)
    return "\n".join(lines) + "\n"


def _head(one: Item) -> str:
    return (
        f"{one.what}: {one.name}"
        if one.what is What.GOOD
        else f"{one.what}, {one.severity}: {one.name}"
    )


def _tail(message: Message) -> Iterator[str]:
    if message.more:
        yield f"and {message.more:,} more"
    yield "List all alarms with `tsadmin alarms`."


def _html(message: Message) -> str:
    rows = "".join(_row(one) for one in message.items)
    tail = "<br>".join(escape(one) for one in _tail(message))
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>'
        f"{escape(message.subject)}</title></head>"
        '<body style="font-family:sans-serif;font-size:14px">'
        f"<p>tscm {escape(message.source)}, {escape(told_time(message.at))}</p>"
        f'<table style="border-collapse:collapse">{rows}</table><p>{tail}</p></body></html>'
    )


def _row(one: Item) -> str:
    good = one.what is What.GOOD
    colour = _GOOD_COLOUR if good else _COLOURS.get(one.severity, "#444444")
    word = str(one.what) if good else f"{one.what}, {one.severity}"
    since = f"<br>since {escape(told_time(one.since))}" if one.since else ""
    return (
        f'<tr><th style="{_CELL};color:{colour};white-space:nowrap">{escape(word)}</th>'
        f'<td style="{_CELL};white-space:nowrap">{escape(one.name)}</td>'
        f'<td style="{_CELL}">{escape(one.sentence)}{since}</td></tr>'
    )
