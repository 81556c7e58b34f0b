"""
What the simulated firewall counted: the figures that tests and benchmarks hold others to.
"""

from collections import Counter
from typing import Any

from attrs import define, field, fields

_MAX_PATHS = 10_000


@define(eq=False)
class Counts:
    """
    Requests, bytes and lines since the start or the last `reset`.
    """

    requests: Counter[str] = field(factory=Counter)
    """By method and path without its query, `PATCH /api/objects/…`."""
    statuses: Counter[int] = field(factory=Counter)
    writes: int = 0
    """Requests that may change something: POST, PUT, PATCH and DELETE but for tokens."""
    saves: int = 0
    bytes_in: int = 0
    """Bodies of requests."""
    bytes_out: int = 0
    """Bodies of answers."""
    device_seconds: float = 0.0
    """Time that the agent spent, by the cost model."""
    in_flight: int = 0
    in_flight_most: int = 0
    lines_sent: int = 0
    """Lines that left by a socket; with two collectors, each line twice."""
    lines_by_id: Counter[str] = field(factory=Counter)
    packets: int = 0
    connections_refused: int = 0
    agent_crashes: int = 0

    def reset(self) -> None:
        """Begin again; what is in flight stays counted."""
        fresh = Counts(in_flight=self.in_flight)
        for item in fields(Counts):
            setattr(self, item.name, getattr(fresh, item.name))

    def request(self, method: str, path: str, size: int) -> None:
        """Count a request as it comes in."""
        key = f"{method} {path}"
        if key not in self.requests and len(self.requests) >= _MAX_PATHS:
            key = f"{method} (others)"
        self.requests[key] += 1
        self.bytes_in += size
        if method in ("PUT", "PATCH") or (
            method in ("POST", "DELETE") and not path.startswith("/api/tokenservices")
        ):
            self.writes += 1
        if path == "/api/commands/writemem":
            self.saves += 1

    def reply(self, status: int, size: int) -> None:
        """Count an answer as it goes out."""
        self.statuses[status] += 1
        self.bytes_out += size

    def as_json(self) -> dict[str, Any]:
        """Every figure."""
        return {
            "requests": dict(self.requests),
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "requests_total": sum(self.requests.values()),
            "writes": self.writes,
            "saves": self.saves,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "device_seconds": round(self.device_seconds, 6),
            "in_flight_most": self.in_flight_most,
            "lines_sent": self.lines_sent,
            "lines_by_id": dict(self.lines_by_id),
            "packets": self.packets,
            "connections_refused": self.connections_refused,
            "agent_crashes": self.agent_crashes,
        }
