"""
Which device a source address stands for.

An address stands for one device: its management address, one of its additional sources, or
a member of its pair.  An address that several devices name as an additional source is a
relay: there the header of each line tells the device.

A device may pin client certificates.  Then its lines come over TLS connections that showed one
of them, and over nothing else; such a certificate also tells the device where the address is a
relay's or a stranger's.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache

from attrs import define, field, frozen

from tscm.errors import SenderConflict
from tscm.intake.sender_figures import SenderFigures, StrangerFigures
from tscm.intake.strangers import Strangers
from tscm.syslog.header import all_names

_KEPT = 8192
"""Addresses of which what was found is kept: forged ones must not fill memory."""


@lru_cache(maxsize=_KEPT)
def normal_address(address: str) -> str:
    """
    *address* in its one spelling, an IPv4-mapped IPv6 address as IPv4, without a zone.

    A host name comes back in lower case.
    """
    # A flood comes from a thousand forged addresses a drain, and the library takes ten times as long for each.
    with suppress(OSError, ValueError):
        return socket.inet_ntop(socket.AF_INET, socket.inet_pton(socket.AF_INET, address))
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address.rstrip(".").lower()
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def is_name(address: str) -> bool:
    """Whether *address* must be looked up before lines can come from it."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return True
    return False


_MOST_LABELS = 8
"""Of a device's own name, where more labels follow."""


@frozen
class Relay:
    """
    An address that sends for several devices; *names* is what their lines may call them.
    """

    names: Mapping[str, str]

    def device_of(self, line: bytes) -> str | None:
        """The device whose name or address stands in the line's header."""
        for found in all_names(line):
            name = found.decode("ascii", "replace").rstrip(".").lower()
            device = self.names.get(name) or self._known_otherwise(name)
            if device is not None:
                return device
        return None

    def _known_otherwise(self, name: str) -> str | None:
        """By another spelling of its address, or by the first labels of a full domain name: the most that name one."""
        address = normal_address(name)
        if address != name:
            return self.names.get(address)
        if "." not in name or not is_name(name):
            return None
        labels = name.split(".", _MOST_LABELS)
        found = (self.names.get(".".join(labels[:most])) for most in range(len(labels) - 1, 0, -1))
        return next(filter(None, found), None)


Route = str | Relay
"""Where a sender's lines go: to the device of this name, or as the relay's lines tell."""


@define(eq=False)
class SenderTable:
    """
    The senders that are known, and those that are not.

    *version* grows with every change that may move a sender, so that listeners can keep what
    they have looked up.  Host names stand for the addresses last told by `resolved`.
    """

    strangers: Strangers = field(factory=Strangers)
    version: int = field(default=0, init=False)
    when_named: Callable[[], None] | None = field(default=None, init=False)
    """Called when a host name was claimed that nothing is known of yet."""
    _claims: dict[str, tuple[str, ...]] = field(factory=dict, init=False)
    _claimants: dict[str, dict[str, bool]] = field(factory=dict, init=False)
    _pins: dict[str, frozenset[str]] = field(factory=dict, init=False)
    _pinned_by: dict[str, Route] = field(factory=dict, init=False)
    _resolved: dict[str, tuple[str, ...]] = field(factory=dict, init=False)
    _names_at: dict[str, set[str]] = field(factory=dict, init=False)
    _routes: dict[str, Route | None] = field(factory=dict, init=False)
    routes_kept: int = field(default=_KEPT, kw_only=True)

    def claim(
        self, device: str, addresses: Iterable[str], fingerprints: Iterable[str] = ()
    ) -> None:
        """
        Let *addresses* (or names) stand for *device*, the first being its management address;
        with *fingerprints* only over TLS connections that show such a certificate.

        Replaces what the device claimed before.  Raises `SenderConflict`, with nothing
        changed, where one of them is another device's management address, or this one's
        management address is claimed by another device in any way.
        """
        wanted = tuple(dict.fromkeys(map(normal_address, addresses)))
        for address in wanted:
            manages = address == wanted[0]
            for other, other_manages in self._claimants.get(address, {}).items():
                if other != device and (manages or other_manages):
                    raise SenderConflict(address, device, other)
        self._forget(device)
        self._claims[device] = wanted
        if pins := frozenset(fingerprints):
            self._pins[device] = pins
        for address in wanted:
            self._claimants.setdefault(address, {})[device] = address == wanted[0]
            self.strangers.forget(address)
        self._changed()
        if self.when_named is not None and any(
            is_name(claim) and claim not in self._resolved for claim in wanted
        ):
            self.when_named()

    def release(self, device: str) -> None:
        """Forget what *device* claimed; its senders are unknown from now on."""
        self._forget(device)
        self._changed()

    def device_of(self, address: str) -> str | None:
        """The one device that *address* stands for; None for a stranger and for a relay."""
        route = self.route_of(address)
        return route if isinstance(route, str) else None

    def devices_of(self, address: str) -> tuple[str, ...]:
        """The devices that *address* sends for: several for a relay, none for a stranger."""
        route = self.route_of(address)
        if isinstance(route, Relay):
            return tuple(sorted(set(route.names.values())))
        return () if route is None else (route,)

    def route_of(self, address: str) -> Route | None:
        """Where lines from *address* go; None where it is unknown."""
        address = normal_address(address)
        if address in self._routes:
            return self._routes[address]
        route = self._find_route(address)
        if len(self._routes) >= self.routes_kept:
            self._routes.clear()
        self._routes[address] = route
        return route

    def route_with(self, address: str, certificate: str) -> Route | None:
        """
        As `route_of`, for a connection that showed *certificate* (a fingerprint, or nothing).

        An address of one device alone is that device's, whatever was shown; elsewhere the
        certificate tells the device: a relay's, pinned by several, leaves that to the lines.
        """
        route = self.route_of(address)
        if isinstance(route, str) or not certificate:
            return route
        told = self._pinned_by.get(certificate)
        return told if isinstance(told, str) else route or told

    @property
    def pins(self) -> bool:
        """Whether any device pins a certificate."""
        return bool(self._pins)

    def pinned(self, certificate: str) -> bool:
        """Whether a device pins *certificate*: it needs no authority then."""
        return certificate in self._pinned_by

    def may_bring(self, certificate: str, device: str) -> bool:
        """Whether lines of *device* may come where *certificate* (or nothing) was shown."""
        pins = self._pins.get(device)
        return pins is None or certificate in pins

    def certificate_fault(self, address: str, certificate: str) -> str:
        """Why a connection from *address* that showed *certificate* is refused; empty where not."""
        route = self.route_of(address)
        if not isinstance(route, str):
            return ""
        if not self.may_bring(certificate, route):
            return "no certificate that is pinned for the device"
        if self.pinned(certificate) and certificate not in self._pins.get(route, ()):
            return "certificate pinned for another device"
        return ""

    def unknown(self) -> list[StrangerFigures]:
        """The strangers heard, the latest first."""
        return self.strangers.shown()

    @property
    def names(self) -> frozenset[str]:
        """The host names among the claims, to be looked up again and again."""
        return frozenset(claim for claim in self._claimants if is_name(claim))

    def resolved(self, name: str, addresses: Iterable[str]) -> None:
        """
        *name* stands for *addresses* now.  Nothing found is not told here: what was known
        before then stays in force.
        """
        found = tuple(sorted(set(map(normal_address, addresses))))
        if found != self._resolved.get(name):
            self._resolved[name] = found
            for address in found:
                self.strangers.forget(address)
            self._changed()

    def invalidate_permissions(self) -> None:
        """Let listeners ask again for every sender: what they may do with strangers has changed."""
        self._changed()

    def figures(self) -> SenderFigures:
        """Names with the addresses they stand for, and addresses that several devices share."""
        names = sorted(self.names)
        shared = {
            address: tuple(sorted(devices))
            for address, devices in self._claimants.items()
            if len(devices) > 1
        }
        return SenderFigures(
            names={name: self._resolved.get(name, ()) for name in names},
            relays=shared,
            pinned=tuple(sorted(self._pins)),
        )

    def _find_route(self, address: str) -> Route | None:
        claimants = dict(self._claimants.get(address, {}))
        for name in self._names_at.get(address, ()):
            for device, manages in self._claimants.get(name, {}).items():
                claimants[device] = claimants.get(device, False) or manages
        if not claimants:
            return None
        if len(claimants) == 1:
            return next(iter(claimants))
        return Relay(self._names_of(claimants))

    def _names_of(self, devices: Iterable[str]) -> Mapping[str, str]:
        known: dict[str, str] = {}
        shared: set[str] = set()
        for device in devices:
            spellings = {device.lower()}
            for claim in self._claims[device]:
                spellings.add(claim)
                spellings.update(self._resolved.get(claim, ()))
                if is_name(claim):
                    spellings.add(claim.partition(".")[0])
            shared |= spellings & known.keys()
            known.update(dict.fromkeys(spellings, device))
        return {name: device for name, device in known.items() if name not in shared}

    def _forget(self, device: str) -> None:
        self._pins.pop(device, None)
        for address in self._claims.pop(device, ()):
            claimants = self._claimants[address]
            del claimants[device]
            if not claimants:
                del self._claimants[address]
                self._resolved.pop(address, None)

    def _changed(self) -> None:
        self.version += 1
        self._routes.clear()
        self._names_at.clear()
        self._pinned_by.clear()
        owners: dict[str, list[str]] = {}
        for device, pins in self._pins.items():
            for fingerprint in pins:
                owners.setdefault(fingerprint, []).append(device)
        for fingerprint, devices in owners.items():
            self._pinned_by[fingerprint] = (
                devices[0] if len(devices) == 1 else Relay(self._names_of(devices))
            )
        for name, addresses in self._resolved.items():
            for address in addresses:
                self._names_at.setdefault(address, set()).add(name)
