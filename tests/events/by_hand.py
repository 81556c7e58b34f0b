"""
What a question asks for, told roll-up by roll-up: what reports are held against.
"""

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any

from tscm.events.judge import Hit
from tscm.events.report import Question

HOUR = 3600
FIRST = 480_000  # a multiple of 24

KEYS: dict[str, Callable[[int, Hit], Any]] = {
    "hour": lambda hour, _: hour * HOUR,
    **{
        name: lambda _, hit, name=name: getattr(hit, name)  # type: ignore[misc]
        for name in (
            "entry", "list", "inside", "outside", "port", "protocol", "direction", "action"
        )
    },
}  # fmt: skip


def fits(asked: Question, hour: int, hit: Hit) -> bool:
    return (
        asked.since // HOUR <= hour < asked.until / HOUR
        and asked.action in (None, hit.action)
        and asked.direction in (None, hit.direction)
        and asked.list in (None, hit.list)
        and asked.entry in (None, hit.entry)
        and within(asked.inside, hit.inside)
        and within(asked.outside, hit.outside)
        and (not asked.ports or hit.port in asked.ports)
        and hit.port not in asked.not_ports
    )


def within(wanted: str | None, text: str) -> bool:
    if wanted is None or "/" not in wanted:
        return wanted in (None, text)
    try:
        return ip_address(text) in ip_network(wanted)
    except ValueError:  # an end that is told by name
        return False
