"""
From what a listener took to the logs: source address, device, one append a device and batch.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from attrs import define, field
from twisted.logger import Logger

from tscm.intake.account import Account, Cause, DeviceAccount
from tscm.intake.figures import DeviceIntake
from tscm.intake.senders import Relay, SenderTable
from tscm.model import Run, Spool
from tscm.syslog.escape import INTRODUCER, unescape
from tscm.syslog.framing import Lines

Quarantine = Callable[[str, Lines, float], None]
"""Takes lines of an unknown sender (address, lines, receive time); must not raise."""

_LOG_EVERY = 1000
_KNOWN_KEPT = 1 << 14


@define(eq=False)
class Delivery:
    """
    Where all listeners bring what they took.
    """

    _log: ClassVar[Logger] = Logger()

    spool: Spool
    senders: SenderTable
    quarantine: Quarantine | None = None
    devices: dict[str, DeviceAccount] = field(factory=dict, init=False)
    _known: dict[str, str] = field(factory=dict, init=False)
    _known_version: int = field(default=-1, init=False)
    faults: int = field(default=0, init=False)
    """Batches that a fault of the program kept from a log."""

    def deliver(
        self,
        account: Account,
        sent: Iterable[tuple[str, Lines]],
        now: float,
        certificate: str = "",
    ) -> None:
        """
        Append what came from each (address, lines), one write a device.

        *certificate* is the fingerprint of what the connection showed.  What cannot be stored is
        counted in *account* as dropped, by cause.  A fault of the program
        with one device's log costs that batch: raised, it would end the socket and the others' lines.
        """
        runs: dict[str, list[Run]] = {}
        known = self._known_devices() if not certificate else {}
        for address, lines in sent:
            account.received += lines.count
            if address in known:  # nearly all: one look-up from the sender to its device
                _add(runs, known[address], address, lines)
                continue
            route = self.senders.route_with(address, certificate)
            if route is None:
                self._unknown_sender(account, Cause.UNKNOWN_SENDER, address, lines, now)
            elif isinstance(route, str):
                if not certificate and self.senders.may_bring("", route):
                    self._keep_known(address, route)
                _add(runs, route, address, lines)
            else:
                for device, part in _sorted_out(route, lines):
                    if device is None:
                        cause = Cause.UNKNOWN_BEHIND_RELAY
                        self._unknown_sender(account, cause, address, part, now)
                    else:
                        _add(runs, device, address, part)
        pins = self.senders.pins
        for device, batch in runs.items():
            if pins and not self.senders.may_bring(certificate, device):
                lost = sum([run.lines for run in batch])
                self.of_device(device).refused_lines += lost
                account.drop(Cause.NO_CERTIFICATE, lost)
                continue
            self._append(account, device, batch, now)

    def _known_devices(self) -> dict[str, str]:
        """The device of each address whose lines are all of one, and that needs no certificate."""
        if self._known_version != self.senders.version:
            self._known_version = self.senders.version
            self._known.clear()
        return self._known

    def _keep_known(self, address: str, device: str) -> None:
        if len(self._known) >= _KNOWN_KEPT:
            self._known.clear()
        self._known[address] = device

    def of_device(self, device: str) -> DeviceAccount:
        """The counts of one device."""
        counts = self.devices.get(device)
        if counts is None:
            counts = self.devices[device] = DeviceAccount()
        return counts

    def figures(self) -> dict[str, DeviceIntake]:
        """Counts per device."""
        return {device: counts.figures() for device, counts in sorted(self.devices.items())}

    def refused(self) -> dict[str, DeviceIntake]:
        """The same of those devices that had lines which are in no log."""
        return {
            device: counts.figures()
            for device, counts in self.devices.items()
            if counts.received != counts.stored
        }

    def _append(self, account: Account, device: str, batch: Sequence[Run], now: float) -> None:
        count = sum([run.lines for run in batch])
        counts = self.of_device(device)
        counts.received += count
        counts.last_received_at = now
        try:
            stored = self.spool.append(device, batch, now)
        except Exception:  # noqa: BLE001 - whatever it is, the listener goes on
            self._faulty(device)
            account.drop(Cause.FAULT, count)
            return
        if stored:
            account.stored += count
            counts.stored += count
        else:
            account.drop(Cause.LOG_UNAVAILABLE, count)

    def _faulty(self, device: str) -> None:
        self.faults += 1
        if self.faults == 1 or self.faults % _LOG_EVERY == 0:
            self._log.failure(
                "cannot store lines of {device} ({times} times)",
                device=device,
                times=self.faults,
            )

    def _unknown_sender(
        self, account: Account, cause: Cause, address: str, lines: Lines, now: float
    ) -> None:
        account.drop(cause, lines.count)
        self.senders.strangers.note(address, lines.count, lines.data[:512], now)
        if self.quarantine is not None:
            self.quarantine(address, lines, now)


def _add(runs: dict[str, list[Run]], device: str, address: str, lines: Lines) -> None:
    run = Run(address, lines.data, lines.count, lines.escaped)
    if device in runs:
        runs[device].append(run)
    else:
        runs[device] = [run]


def _sorted_out(relay: Relay, lines: Lines) -> list[tuple[str | None, Lines]]:
    """A relay's lines by device, None for those that fit none: here each line is looked at."""
    found: dict[str | None, list[bytes]] = {}
    for line in lines.data.split(b"\n")[:-1]:
        payload = unescape(line) if lines.escaped else line
        found.setdefault(relay.device_of(payload), []).append(line)
    parts: list[tuple[str | None, Lines]] = []
    for device, some in found.items():
        data = b"\n".join(some) + b"\n"
        parts.append((device, Lines(data, len(some), INTRODUCER in data)))
    return parts
