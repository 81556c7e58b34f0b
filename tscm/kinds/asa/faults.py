"""
What can go wrong between the manager and a firewall, each with its remedy in words.

All are `DeviceFault`.  The classes are for the update engine, which must know one from another:
what may be tried again, what must not, and what asks for smaller portions.
"""

from collections.abc import Iterable

from tscm.errors import DeviceFault
from tscm.kinds.asa.groups import children_among, parent_name
from tscm.risks import RiskFound

REVIVE = (
    "on the device enter `no rest-api agent`, then `rest-api agent`; if that does not help, lower the "
    "Max policy size{children} and run `tsadmin update {name}`"
)
_UNKNOWN = (
    "`show running-config object-group | include {prefix}-Block-` names them; with the highest number for NUMBER: "
    "{lines}"
)
_CHILDREN_NAMED = 2


def revive(name: str, prefix: str, groups: Iterable[str] = ()) -> str:
    """
    How an agent that answers 500 is brought back (docs/develop/reference.md, section 4).

    *groups* are the names that are known to be on the device.  The last child is never named: the
    device refuses a parent that would become empty.
    """
    known = children_among(prefix, "Block", groups)
    lines = [_taken_off(prefix, child) for child in reversed(known[1:][-_CHILDREN_NAMED:])]
    if lines:
        how = f", delete the highest children by hand ({'; '.join(lines)})"
    elif known:
        how = ""
    else:
        child = f"{parent_name(prefix, 'Block')}-NUMBER"
        look = _UNKNOWN.format(prefix=prefix, lines=_taken_off(prefix, child))
        how = f", delete the highest children by hand ({look})"
    return REVIVE.format(name=name, children=how)


def highest_children(prefix: str, groups: Iterable[str]) -> tuple[str, ...]:
    """Those of *groups* that `revive` has to know."""
    return tuple(children_among(prefix, "Block", groups)[-_CHILDREN_NAMED - 1 :])


def _taken_off(prefix: str, child: str) -> str:
    parent = parent_name(prefix, "Block")
    return (
        f"`object-group network {parent}`, `no group-object {child}`, "
        f"`no object-group network {child}`"
    )


class NoConnection(DeviceFault):
    """
    Nothing was sent: no name, no route, nobody listening.
    """


class CertificateUntrusted(DeviceFault):
    """
    The device's certificate is not one that the settings trust; nothing was sent.

    *shown* is its SHA-256, where the operator may say that it is the device's.
    """

    def __init__(
        self, device: str, cause: str, remedy: str = "", *, shown: str | None = None
    ) -> None:
        super().__init__(device, cause, remedy)
        self.shown = shown


class CertificateChanged(CertificateUntrusted):
    """
    The device shows another certificate than the one that is pinned or was seen last.

    *risk* is there where it may be accepted, which a pinned one allows for no other.
    """

    def __init__(
        self,
        device: str,
        cause: str,
        remedy: str = "",
        risk: RiskFound | None = None,
        *,
        shown: str | None = None,
    ) -> None:
        self.risk = risk
        super().__init__(device, cause, remedy, shown=shown)


class LoginRefused(DeviceFault):
    """
    401 to a fresh login: wrong user name or password.  Trying again can lock the account.
    """


class SessionLost(DeviceFault):
    """
    The login ended in the middle of a change, which was not made; a new one is good.
    """


class PrivilegeTooLow(DeviceFault):
    """
    403: the account is known and may not do this.
    """


class AgentAbsent(DeviceFault):
    """
    A web server answers, but no REST API agent behind it.
    """


class TokensUsedUp(DeviceFault):
    """
    503 to a login: the device has given out all the tokens that it can (25 per context).
    """


class AgentFailed(DeviceFault):
    """
    500, reset, time-out or nonsense: the request may or may not have taken effect.

    *told* says that it gave a reason, as an agent does that is well and says no with 500.
    """

    def __init__(self, device: str, cause: str, remedy: str = "", *, told: bool = False) -> None:
        self.told = told
        super().__init__(device, cause, remedy, retry=True)


class StepRefused(DeviceFault):
    """
    The device understood and said no: its state is not what the step was planned for.

    *code* is the device's own word for it, where it has one.
    """

    _OTHER_CAUSES = frozenset({"DUPLICATE", "RESOURCE-NOT-FOUND", "READ-ONLY-FIELD"})

    @property
    def may_be_size(self) -> bool:
        """Can it be that too much was asked for?  No bound is documented, and no code for it."""
        return self.code not in self._OTHER_CAUSES

    def __init__(self, device: str, cause: str, *, status: int, code: str = "") -> None:
        self.status = status
        self.code = code
        super().__init__(device, cause, retry=True)


class UnitOnStandby(DeviceFault):
    """
    The address leads to a unit whose changes reach nobody and make a pair diverge.
    """


class Replicating(DeviceFault):
    """
    The mate of a failover pair is taking the whole configuration: what is changed now may not reach it.
    """

    def __init__(self, device: str) -> None:
        super().__init__(
            device,
            "it is replicating its configuration to its mate, which may miss what is changed meanwhile",
            "look with `show failover` until the other unit is Standby Ready",
            retry=True,
        )


class SaveFailed(DeviceFault):
    """
    The device did not say that it wrote its configuration.
    """
