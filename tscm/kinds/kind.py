"""
What a kind of enforcement point is: all that the core asks of one, as one value.

A kind is found by its type (`tscm.settings.modules`).  Its value is light; what is heavy is imported where it is called.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

from tscm.errors import TscmError
from tscm.kinds.driver import Driver, identified, no_driver
from tscm.kinds.question import Question
from tscm.model import Identity
from tscm.settings.device import DeviceSettings
from tscm.settings.modules import module, modules

if TYPE_CHECKING:
    from tscm.settings.node import NodeSettings

SettingsClass = type[DeviceSettings]
NOTHING_LEARNT: Mapping[str, Any] = {}
"""Of a device that no driver has spoken with."""


class Capability(StrEnum):
    """What can be asked of a device of some kinds, and of others not."""

    TEST = "be tested with an entry of its own"
    """An entry can be put in for a moment, to prove the chain (`tsadmin test`)."""
    PURGE = "be purged"
    """What the manager put there can be taken off (`tsadmin remove --purge`)."""


class NotOfThisKind(TscmError):
    """
    What is asked for cannot be done with a device of that kind.
    """

    exit_status = 2

    def __init__(self, device: str, kind: str, capability: Capability) -> None:
        self.device = device
        self.kind = kind
        self.capability = capability
        super().__init__(device, kind, capability)

    def __str__(self) -> str:
        return f"device {self.device} is of type {self.kind}, which cannot {self.capability}"


class Connect(Protocol):
    """Opens the driver of a device, which connects with its first call."""

    def __call__(
        self,
        settings: DeviceSettings,
        node: "NodeSettings",
        learnt: Mapping[str, Any] = ...,
        /,
        *,
        accept_certificate: str | None = None,
    ) -> Driver:
        """*learnt* is what the last driver left; *accept_certificate* one that may come for once."""


def _none(_: DeviceSettings, /) -> Mapping[str, str]:
    return {}


def _nothing(_: DeviceSettings, __: int, /) -> Sequence[str]:
    return ()


@frozen(kw_only=True)
class Kind:
    """
    One kind: an ASA by its REST API agent, for example.

    *notes* and *warnings* are what `add` says of a device that answered.  *setup* gives the lines to type on the
    device before its first update, *way_back* those that take all of it away again, from the names that are
    known to be on the device.
    """

    type: str
    """As in `--type`."""
    module: str
    """As `version --all` shows it."""
    version: str
    settings: SettingsClass
    questions: tuple[Question, ...]
    """In the order in which they are asked."""
    links: tuple[str, ...]
    """The links that `doctor` examines on the device, in order."""
    checked: frozenset[str]
    """Settings of its own to which the device itself may object."""
    enforcer: str
    """The `update.enforcer.Enforcer` that brings such a device to its goal, as an entry point names it."""
    doctor: str
    """The `doctor.firewall.Look` that examines such a device, as an entry point names it."""
    notes: Callable[[DeviceSettings, Identity], Sequence[str]]
    warnings: Callable[[DeviceSettings], Sequence[str]]
    setup: "Callable[[DeviceSettings, NodeSettings], str]"
    way_back: "Callable[[DeviceSettings, NodeSettings, Sequence[str]], str]"
    way: str = ""
    """What leads to the device, in a sentence."""
    answers: str = ""
    """`(DeviceSettings) -> bool`, as an entry point names it: does a device, of any kind, answer in this way?"""
    connect: Connect = no_driver
    check: Callable[[Callable[[], Driver]], Identity] = identified
    """Who answers, asked before anything is stored; blocks.  Raises `DeviceFault`."""
    purge: str = ""
    """`(UpdateJob, Report) -> PurgeOutcome`, as an entry point names it; empty where nothing can be taken off."""
    proof: str = ""
    """The `doctor.prover.Prover`, as an entry point names it; empty where no entry can be tried out."""
    holders: Callable[[DeviceSettings], Mapping[str, str]] = _none
    """By `Block` and `Allow`, the name of what holds the list on the device (an object-group); empty: nothing has one."""
    sizes: Callable[[DeviceSettings, int], Sequence[str]] = _nothing
    """What to say of the sizes in the settings, given how many members the device was seen to take in a group."""
    reloads: bool = False
    """A reload may cost such a device what was pushed to it: its messages about one have it checked out of turn."""
    silence: str = "check on the device that it sends syslog to this manager"
    """What the operator checks on a device of which no lines arrive."""
    prepared: tuple[str, ...] = ()
    """Modules that its functions import by themselves: the manager imports them before it listens."""
    called: str = "firewall"
    """What an operator calls such a device: the lines are entered "on the …"."""
    pin: str = "fingerprint"
    """The setting that holds a SHA-256 by which the device is known."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What can be asked of its devices beyond updates."""
        places = {Capability.TEST: self.proof, Capability.PURGE: self.purge}
        return frozenset(one for one, place in places.items() if place)

    @property
    def needed(self) -> tuple[str, ...]:
        """Settings that must be given, in the order of their questions."""
        return tuple(one.name for one in self.questions if one.needed)

    def complete(self, given: Container[str]) -> bool:
        """Are all of them *given*, or what stands in for them?"""
        return all(
            one.name in given or (one.instead is not None and one.instead in given)
            for one in self.questions
            if one.needed
        )


def kind_named(name: str) -> Kind:
    """The kind of that type.  Raises `ValueError` with the types that there are."""
    found = module(name)
    assert isinstance(found, Kind)
    return found


def kind_of(settings: DeviceSettings) -> Kind:
    """The kind of a device."""
    return kind_named(settings.type)


def loaded(place: str) -> Any:
    """What an entry point names: `package.module:name`."""
    path, _, name = place.partition(":")
    return getattr(import_module(path), name)


def require(settings: DeviceSettings, capability: Capability) -> None:
    """Raise `NotOfThisKind` where the device's kind has not that *capability*."""
    if capability not in kind_of(settings).capabilities:
        raise NotOfThisKind(settings.name, settings.type, capability)


def kinds() -> tuple[Kind, ...]:
    """All that this installation has, by their types."""
    return tuple(one for one in modules() if isinstance(one, Kind))
