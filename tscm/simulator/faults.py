"""
Faults at a request of the test's choosing.

Requests are counted from the moment a fault is armed; with *only* just those whose `METHOD /path`
begins so.  Each kind happens once, at request *at*, or with *forever* at every one from there on.
"""

from typing import Any

from attrs import define, field, fields, frozen

from tscm.errors import Fault as Wrong
from tscm.errors import SettingsFaulty

KINDS = {
    "500": "answer 500, do nothing",
    "500-after": "do it, answer 500",
    "503": "answer 503, do nothing",
    "404-html": "answer a page of the web server with 404",
    "200-html": "answer a page of the web server with 200, do nothing",
    "200-empty": "do it, answer 200 with nothing",
    "half-body": "do it, answer half of what there is to say as if it were all",
    "garbled": "do it, answer bytes that are neither XML nor text",
    "endless": "do it, answer without end",
    "reset-before": "end the connection before the request takes effect",
    "reset-after": "end the connection when it has",
    "silence-before": "do nothing and never answer",
    "silence-after": "do it and never answer",
    "cut-body": "do it, end the connection in the middle of the answer",
    "crash": "the agent crashes before the request takes effect",
    "crash-after": "it crashes when it has",
    "dead": "the agent gives up for good before the request takes effect",
    "lose-tokens": "all tokens end before the request",
    "failover": "the other unit takes over before the request",
    "reload": "the firewall reloads before the request",
    "outside-lines": "*lines* are typed by somebody else before the request",
    "wait": "answer *seconds* later than usual",
}


@frozen(kw_only=True)
class Armed:
    """
    A fault that waits for its request.
    """

    kind: str
    at: int = 1
    forever: bool = False
    only: str = ""
    seconds: float = 0.0
    lines: tuple[str, ...] = ()

    @classmethod
    def of(cls, wanted: Any) -> "Armed":
        """From JSON; raises `SettingsFaulty`."""
        if not isinstance(wanted, dict):
            raise SettingsFaulty("faults", [Wrong(where="fault", wrong="it is no object")])
        types = {"kind": str, "at": int, "forever": bool, "only": str, "seconds": (int, float)}
        faults = []
        for name, value in wanted.items():
            if name == "lines":
                fits = isinstance(value, list) and all(isinstance(one, str) for one in value)
            elif name in types:
                fits = isinstance(value, types[name]) and (name == "forever") == isinstance(  # type: ignore[arg-type]
                    value, bool
                )
            else:
                fits = False
            if not fits:
                faults.append(Wrong(where=name, wrong=f"{value!r} does not fit here"))
        if wanted.get("kind") not in KINDS:
            faults.append(Wrong(where="kind", wrong="unknown", allowed=", ".join(KINDS)))
        if faults:
            raise SettingsFaulty("faults", faults)
        return cls(**(wanted | {"lines": tuple(wanted.get("lines", ()))}))


@define(eq=False)
class Faults:
    """
    What is armed, and how many requests came since.
    """

    _waiting: list[tuple[Armed, list[int]]] = field(factory=list, init=False)
    struck: int = 0

    def arm(
        self,
        kind: str,
        at: int = 1,
        *,
        forever: bool = False,
        only: str = "",
        seconds: float = 0.0,
        lines: tuple[str, ...] = (),
    ) -> None:
        """Let a fault wait for the *at*-th request from now on."""
        if kind not in KINDS:
            raise SettingsFaulty(
                "faults", [Wrong(where="kind", wrong=repr(kind), allowed=", ".join(KINDS))]
            )
        armed = Armed(kind=kind, at=at, forever=forever, only=only, seconds=seconds, lines=lines)
        self._waiting.append((armed, [0]))

    def put(self, armed: list[Armed]) -> None:
        """Let these wait instead of what waits now."""
        self._waiting = [(one, [0]) for one in armed]

    def clear(self) -> None:
        """Let nothing wait any more."""
        self._waiting.clear()

    def strike(self, method: str, path: str) -> list[Armed]:
        """Count a request; the faults whose time it is."""
        found = []
        for item in list(self._waiting):
            armed, seen = item
            if armed.only and not f"{method} {path}".startswith(armed.only):
                continue
            seen[0] += 1
            if seen[0] == armed.at or (armed.forever and seen[0] > armed.at):
                found.append(armed)
                self.struck += 1
                if not armed.forever:
                    self._waiting.remove(item)
        return found

    def as_json(self) -> list[dict[str, Any]]:
        """What waits."""
        return [
            {item.name: getattr(armed, item.name) for item in fields(Armed)} | {"seen": seen[0]}
            for armed, seen in self._waiting
        ]
