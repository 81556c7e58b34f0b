"""
`tsadmin` in a process of its own, whose lists and firewall are made up.

Lists: `block.example` has 12,345 entries, `empty.example` none, `half.example` 100 and as many that are no
CIDR, `none.example` nothing but nine of those, `gone.example` is not there.
The device at 192.0.2.66 does not answer, that at 192.0.2.67 has a self-signed certificate; any other says
what it is.  The log service knows every device that has a key.
"""

import sys
from functools import partial
from typing import Any, cast

from tscm.cli import main, standalone
from tscm.devices.reach import Reach
from tscm.errors import DeviceFault, ListUnavailable
from tscm.kinds.asa.driver import AsaDriver
from tscm.kinds.asa.rest.settings import asa_rest
from tscm.kinds.faults import Untrusted
from tscm.model import Identity
from tscm.policy.cidr import Entries
from tscm.policy.lists import PolicyList
from tscm.settings.device import DeviceSettings
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.upload.probe import ServiceAnswer
from tscm.upload.receiver import LogServiceReceiver
from tscm.upload.s3 import S3Receiver

SHOWN = "ab" * 32
COUNTS = {
    "block.example": 12_345,
    "allow.example": 7,
    "empty.example": 0,
    "half.example": 100,
    "none.example": 0,
}
UNREADABLE = {"half.example": 100, "none.example": 9}


class Firewall:
    def __init__(self, settings: DeviceSettings) -> None:
        self.settings = settings

    def identify(self) -> Identity:
        if self.settings.device == "192.0.2.66":
            raise DeviceFault(self.settings.name, "no TCP to port 443", "look at the http list")
        if self.settings.device == "192.0.2.67" and asa_rest(self.settings).fingerprint != SHOWN:
            raise Untrusted(self.settings.name, "it is self-signed", shown=SHOWN)
        serial = "9A" + "".join(one for one in self.settings.device if one.isalnum())
        return Identity(
            version="9.15(1)1", model="ASAv", serial=serial, agent="1.3.2", entries=9000
        )

    def close(self) -> None:
        pass


def fetch_list(_: Layout, settings: DeviceSettings, node: NodeSettings, name: str) -> PolicyList:
    if name not in COUNTS:
        raise ListUnavailable(name, "no such name", "try --dns_port 5353")
    entries = Entries.of(f"8.8.{one >> 8}.{one & 255}/32" for one in range(COUNTS[name]))
    return PolicyList(name=name, entries=entries, refused_count=UNREADABLE.get(name, 0))


def connect(settings: DeviceSettings, node: NodeSettings) -> AsaDriver:
    return cast(AsaDriver, Firewall(settings))


def ask_service(receiver: LogServiceReceiver | S3Receiver) -> ServiceAnswer:
    """Knows whoever has a key."""
    assert isinstance(receiver, LogServiceReceiver)
    if receiver.device_key:
        return ServiceAnswer(status=400, ready=True)
    return ServiceAnswer(status=401, sentence="unknown", remedy=receiver.account_remedy)


REACH = Reach(
    fetch_list=fetch_list,
    connect=connect,
    ask_service=ask_service,
    other_ways=lambda _: (),
)


def install() -> Any:
    made = partial(standalone.StandaloneBackend, reach=REACH)
    standalone.StandaloneBackend = made  # type: ignore[assignment, misc]
    return made


if __name__ == "__main__":
    install()
    main.main(sys.argv[1:])
