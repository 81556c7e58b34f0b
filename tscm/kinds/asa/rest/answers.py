"""
What an answer of the REST API agent means (docs/develop/asa.md, sections 1 to 4).

Pure: status, headers and what the body says in, a value or a `DeviceFault` out.
"""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from tscm.kinds.asa.faults import Replicating, UnitOnStandby, revive
from tscm.kinds.asa.rest.content import Content
from tscm.kinds.faults import Forbidden, InterfaceAbsent, Overloaded, Refused, Unauthorised

TOKENS = "tokenservices"
_OTHER_CAUSES = frozenset({"DUPLICATE", "RESOURCE-NOT-FOUND", "READ-ONLY-FIELD"})
"""Refusals that are not for size.  For that no bound is documented, and no code."""


@frozen
class Answer:
    """A good answer: its status, and what was wanted of it where it had that."""

    status: int
    picked: Any


@frozen(kw_only=True)
class Judge:
    """
    Judges the answers of one device; the fields are for the sentences of its faults.
    """

    name: str
    root: str
    prefix: str
    username: str
    groups: tuple[str, ...] = ()
    """The highest children that are known to be on the device."""

    @property
    def revival(self) -> str:
        """How an agent that fails is brought back."""
        return revive(self.name, self.prefix, self.groups)

    def judge(
        self, method: str, path: str, status: int, headers: Mapping[str, str], content: Content
    ) -> Answer:
        """
        The answer to *method* *path*, or what is wrong with it as a `DeviceFault`.
        """
        what = f"{method} {shown_path(path)}"
        if path != "cli" and content.standby:
            raise UnitOnStandby(
                self.name,
                "it is the standby unit, and changes made there are not replicated",
                "set the device address to that of the active unit",
            )
        if content.bulk_sync and method != "GET" and path != "cli":
            raise Replicating(self.name)
        if status in {200, 201, 202, 204}:
            if not (content.blank or content.is_json):
                raise Overloaded(
                    self.name,
                    f"{what} returned {status} without a JSON body",
                    self.revival,
                )
            if content.details:
                raise Refused(
                    self.name,
                    f"{what} was rejected: {content.details}",
                    status=status,
                    code=content.code,
                    may_be_size=content.code not in _OTHER_CAUSES,
                )
            if content.too_much:
                raise Overloaded(
                    self.name,
                    content.too_much,
                    "check `show running-config` on it, and delete what nothing uses",
                )
            return Answer(status, content.picked)
        if status == 401:
            raise Unauthorised(
                self.name,
                "wrong username or password (401)",
                f"check the account {self.username} and `aaa authentication http console "
                "LOCAL` on the device; set another password with `tsadmin configure "
                f"{self.name} --password -`",
            )
        if status == 403:
            raise Forbidden(
                self.name,
                f"account {self.username} lacks the privilege for {what} (403)",
                "enter its `username` line on the device again, with the password and privilege 15 at the end",
            )
        if (status in {404, 405} and not content.is_json) or 300 <= status < 400:
            raise InterfaceAbsent(
                self.name,
                f"the response from {self.root} is not from a REST API agent ({status}, "
                f"{headers.get('Content-Type', 'no content type')})",
                "on the device, enter `rest-api image` with the agent's file, then "
                "`rest-api agent`; Firepower models and releases after 9.16 have no agent",
            )
        if status >= 500:
            reason = content.details
            raise Overloaded(
                self.name,
                f"{what} returned {status}" + (f": {reason}" if reason else ""),
                self.revival,
                told=bool(reason),
            )
        raise Refused(
            self.name,
            f"{what} was rejected with {status}: {content.details or 'no reason given'}",
            status=status,
            code=content.code,
            may_be_size=content.code not in _OTHER_CAUSES,
        )


def shown_path(path: str) -> str:
    """A path as an error may show it: without a token."""
    return "tokenservices/…" if path.startswith(TOKENS + "/") else f"/{path}"
