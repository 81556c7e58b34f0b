"""
How operations on devices reach out, as a value: another one in tests.

Light: `tsadmin list` loads it too.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from tscm.errors import ListUnavailable
from tscm.kinds.driver import Driver
from tscm.settings.layout import Layout

if TYPE_CHECKING:
    from tscm.policy.lists import PolicyList
    from tscm.settings.device import DeviceSettings
    from tscm.settings.node import NodeSettings
    from tscm.upload.probe import ServiceAnswer
    from tscm.upload.receivers import AnyReceiver

    AskService = Callable[[AnyReceiver], ServiceAnswer]
else:
    AskService = Callable


def fetch_list(
    layout: Layout, settings: "DeviceSettings", node: "NodeSettings", name: str
) -> "PolicyList":
    """
    The list *name* as it is published now.  Blocking; raises `ListUnavailable`.
    """
    from time import time

    from tscm.retrieve.sources import Fetcher, list_source

    found = Fetcher(layout)(list_source(settings, node, name), None, time())
    if found is None:
        raise ListUnavailable(name, "the source reports no change, but no copy is stored")
    return found


def connect(settings: "DeviceSettings", node: "NodeSettings") -> Driver:
    """The driver of this device, opened."""
    from tscm.kinds.kind import kind_of

    return kind_of(settings).connect(settings, node)


def look_up(names: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Addresses of names, by the system's resolver, within a few seconds."""
    from tscm.update import ways

    return ways.look_up(names)


def ask_service(receiver: "AnyReceiver") -> "ServiceAnswer":
    """The receiver's own answer, over the network."""
    from tscm.upload import probe

    return probe.ask_service(receiver)


def other_ways(settings: "DeviceSettings") -> Sequence[str]:
    """Types by which the device answers too."""
    from tscm.devices import other_ways

    return other_ways.other_ways(settings)


@frozen(kw_only=True)
class Reach:
    """
    How a check reaches out: a list by its name, the device's driver, addresses of names, what the
    receiver of uploads says of the device, and other ways to a device that does not answer.
    """

    fetch_list: "Callable[[Layout, DeviceSettings, NodeSettings, str], PolicyList]" = fetch_list
    connect: "Callable[[DeviceSettings, NodeSettings], Driver]" = connect
    look_up: Callable[[Iterable[str]], Mapping[str, tuple[str, ...]]] = look_up
    ask_service: AskService = ask_service
    other_ways: "Callable[[DeviceSettings], Sequence[str]]" = other_ways


NETWORK = Reach()
