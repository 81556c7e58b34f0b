"""
A firewall of the demonstration that pulls its list: what one would do, done by an HTTPS client and a socket.
"""

import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from random import Random

from attrs import define, field

from tscm.demo.lists import ALLOW_LIST, BLOCK_LIST
from tscm.demo.stage import HOST, Stage
from tscm.kinds.lists.address import path_of
from tscm.model import Json
from tscm.services.entries import PortalEntry, add_entry
from tscm.settings.files import open_device
from tscm.settings.pulled import pulling

FILE = "block.txt"
DENIED, PERMITTED = 400, 100
_BURST = 50
_PAUSE_SECONDS = 0.02
_TIMEOUT_SECONDS = 30.0


@define(eq=False)
class PullingFirewall:
    """
    One that reads a list over HTTPS, denies what is on it, and logs in the form of FortiOS.

    *sent* and *denied* count its lines.
    """

    stage: Stage
    name: str = "fw-pull"
    address: str = "127.0.0.6"
    sent: int = field(default=0, init=False)
    denied: int = field(default=0, init=False)
    _entry: PortalEntry | None = field(default=None, init=False)

    def register(self) -> PortalEntry:
        """Its entry at the portal.  Blocking."""
        if self._entry is None:
            self._entry = add_entry(
                self.stage.layout.portal,
                nickname=self.name,
                address=HOST,
                domain=None,
                block_list=BLOCK_LIST,
                allow_list=ALLOW_LIST,
                note="demonstration, pulls",
            )
        return self._entry

    def options(self) -> Json:
        """What `tsadmin add` is told of it, besides what all devices of the demonstration share."""
        return {"name": self.name, "type": "fortinet", "device": self.address}

    def pull(self, listener: str) -> list[str]:
        """The entries that the manager serves to it at *listener*, with the certificate verified.  Blocking."""
        import ssl

        import httpx

        layout = self.stage.layout
        path = path_of(pulling(open_device(layout, self.name)), FILE)
        trust = ssl.create_default_context(cafile=str(layout.lists / "lists.crt"))
        with httpx.Client(verify=trust, timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
            answer = client.get(f"https://{listener}{path}")
        answer.raise_for_status()
        return answer.text.split()

    def send(self, place: str, entries: Sequence[str], seed: int) -> int:
        """Log traffic to *place*, a UDP listener: some from listed addresses, denied; gives how many.  Blocking."""
        host, _, port = place.rpartition(":")
        lines = list(_lines(entries, Random(seed)))  # noqa: S311 - the same each time
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.bind((self.address, 0))
            for at in range(0, len(lines), _BURST):
                for line in lines[at : at + _BURST]:
                    out.sendto(line, (host, int(port)))
                time.sleep(_PAUSE_SECONDS)  # no faster than any receiver takes them
        self.sent += len(lines)
        self.denied += DENIED
        return len(lines)


def _lines(entries: Sequence[str], random: Random) -> Iterator[bytes]:
    denied: Iterable[str] = (random.choice(entries).partition("/")[0] for _ in range(DENIED))
    rows = [(source, "deny") for source in denied]
    rows += [(f"198.51.100.{number % 250 + 1}", "accept") for number in range(PERMITTED)]
    random.shuffle(rows)
    for source, action in rows:
        yield (
            f'<189>logid="0000000013" type="traffic" subtype="forward" srcip={source} '
            f"srcport={random.randrange(1024, 65536)} dstip=192.0.2.80 dstport=443 proto=6 "
            f'action="{action}" policyid=1 policyname="inbound"'
        ).encode()
