#!/usr/bin/python3
"""
The network of the appliance: a change is tried, and taken back unless it is confirmed within a minute.

    tscm-network show
    tscm-network dhcp
    tscm-network static ADDRESS/LENGTH GATEWAY [DNS...]
    tscm-network confirm

While a change is tried, the addresses from before stay beside the new ones, so the session that asks for it lives on.
systemd takes it back even where that session, or this program, is gone, and the next start does where a power cut came
in between.
"""

import ipaddress
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

CONFIRM_SECONDS = 60
FILE = Path("/etc/systemd/network/10-tscm.network")
TIMER = "tscm-network-revert"
_DNS_MOST = 4


class Refused(Exception):
    """What was asked for cannot be; the text says why and what can."""


@dataclass(frozen=True)
class Network:
    """One network interface: by DHCP, or with an address; while a change is tried, with more than one way."""

    dhcp: bool = True
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()


def static(address: str, gateway: str, *dns: str) -> Network:
    """A fixed address.  Raises `Refused`."""
    try:
        interface = ipaddress.ip_interface(address)
    except ValueError:
        raise Refused(
            f"{address!r} is not an address with a length; allowed: 192.0.2.5/24"
        ) from None
    network = interface.network
    if "/" not in address or (interface.version == 4 and network.prefixlen == 0):
        raise Refused(f"{address!r} has no length of its network; allowed: 192.0.2.5/24")
    edge = interface.version == 4 and network.prefixlen < 31
    if edge and interface.ip in {network.network_address, network.broadcast_address}:
        raise Refused(f"{interface.ip} is the first or the last address of {network}, not a host's")
    _refuse_special(interface.ip)
    router = _address(gateway)
    _refuse_special(router)
    if router.version != interface.version:
        raise Refused(f"the gateway {router} and the address {interface.ip} are of two families")
    if router not in network and not router.is_link_local:
        raise Refused(f"the gateway {router} is not in {network}")
    if router == interface.ip:
        raise Refused(f"{router} is the address and the gateway; give the router's address")
    if len(dns) > _DNS_MOST:
        raise Refused(f"more than {_DNS_MOST} DNS servers")
    servers = tuple(str(_address(one)) for one in dns)
    return Network(dhcp=False, addresses=(str(interface),), gateways=(str(router),), dns=servers)


def _address(text: str) -> "ipaddress.IPv4Address | ipaddress.IPv6Address":
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise Refused(f"{text!r} is not an address; allowed: 192.0.2.1, 2001:db8::1") from None


def _refuse_special(address: "ipaddress.IPv4Address | ipaddress.IPv6Address") -> None:
    if address.is_loopback or address.is_multicast or address.is_unspecified:
        raise Refused(f"{address} cannot be the address of a host")


def tried(before: Network, wanted: Network) -> Network:
    """What is in force until the change is confirmed: all that was, and all that is wanted."""

    def both(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*getattr(wanted, name), *getattr(before, name))))

    return Network(
        dhcp=before.dhcp or wanted.dhcp,
        addresses=both("addresses"),
        gateways=both("gateways"),
        dns=both("dns"),
    )


def render(network: Network) -> str:
    """As systemd-networkd reads it."""
    lines = ["# Written by tscm-network.", "[Match]", "Name=en* eth*", "", "[Network]"]
    lines.append(f"DHCP={'yes' if network.dhcp else 'no'}")
    lines += [f"Address={one}" for one in network.addresses]
    lines += [f"Gateway={one}" for one in network.gateways]
    lines += [f"DNS={one}" for one in network.dns]
    return "\n".join(lines) + "\n"


def parse(text: str) -> Network:
    """What `render` wrote; lines of others are passed over."""
    found: dict[str, list[str]] = {"DHCP": [], "Address": [], "Gateway": [], "DNS": []}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and name in found:
            found[name].append(value.strip())
    return Network(
        dhcp="yes" in found["DHCP"],
        addresses=tuple(found["Address"]),
        gateways=tuple(found["Gateway"]),
        dns=tuple(found["DNS"]),
    )


@dataclass(frozen=True)
class Trial:
    """The file in force, and while a change is tried the one before it, the one wanted, and when it ends."""

    present: str
    before: str | None = None
    wanted: str | None = None
    until: float = 0.0

    @property
    def under_way(self) -> bool:
        """Is a change tried?"""
        return self.before is not None


def begin(state: Trial, wanted: Network, now: float) -> Trial:
    """Try a change; one that is tried already is replaced, and what is taken back stays the last confirmed one."""
    before = state.before if state.before is not None else state.present
    return Trial(
        present=render(tried(parse(before), wanted)),
        before=before,
        wanted=render(wanted),
        until=now + CONFIRM_SECONDS,
    )


def confirm(state: Trial, now: float) -> Trial:
    """Keep what is tried.  Raises `Refused` where nothing is, or its time is over."""
    if not state.under_way or state.wanted is None:
        raise Refused("no change waits for a confirmation")
    if now >= state.until:
        raise Refused("the time to confirm is over, and the change is taken back")
    return Trial(present=state.wanted)


def take_back(state: Trial) -> Trial:
    """As it was before the change; nothing where none is tried."""
    return state if state.before is None else Trial(present=state.before)


# -- on the machine -------------------------------------------------------------


def read_state(file: Path = FILE) -> Trial:
    """What is in force and what is tried, from the disk."""

    def text(suffix: str) -> str | None:
        try:
            return file.with_name(file.name + suffix).read_text()
        except FileNotFoundError:
            return None

    before, wanted, until = text(".before"), text(".wanted"), text(".until")
    present = text("") or render(Network())
    if before is None:
        return Trial(present=present)
    try:
        return Trial(present=present, before=before, wanted=wanted, until=float(until or 0))
    except ValueError:
        return Trial(present=present, before=before, wanted=wanted)


def write_state(state: Trial, file: Path = FILE) -> None:
    """
    Put it on the disk, each file whole.

    What is taken back is there before the file in force changes, and goes after it: a power cut in between leaves a
    change that the next start takes back.
    """
    file.parent.mkdir(parents=True, exist_ok=True)

    def put(suffix: str, text: str) -> None:
        path, new = file.with_name(file.name + suffix), file.with_name(file.name + suffix + ".new")
        with new.open("w") as written:
            written.write(text)
            written.flush()
            os.fsync(written.fileno())
        new.rename(path)

    if state.under_way:
        put(".before", state.before or "")
        put(".wanted", state.wanted or "")
        put(".until", repr(state.until))
    put("", state.present)
    if not state.under_way:
        for suffix in (".before", ".wanted", ".until"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)


def apply() -> None:
    """Have networkd take what is on the disk."""
    subprocess.run(["networkctl", "reload"], check=True)


def stop_timer() -> None:
    """No change is to be taken back any more."""
    subprocess.run(["systemctl", "stop", f"{TIMER}.timer"], check=False, capture_output=True)


def start_timer() -> None:
    """Have systemd take the change back in time, whatever becomes of this session."""
    stop_timer()
    subprocess.run(
        [
            *("systemd-run", "--quiet", f"--unit={TIMER}", f"--on-active={CONFIRM_SECONDS}"),
            *("--timer-property=AccuracySec=1s", "/usr/sbin/tscm-network", "take-back"),
        ],
        check=True,
    )


def main(words: list[str]) -> None:
    """One command.  Raises `Refused`."""
    state = read_state()
    match words:
        case ["show"]:
            print(state.present, end="")
            if state.under_way:
                print(
                    f"# tried until {time.ctime(state.until)}; confirm with `tscm-network confirm`"
                )
            return
        case ["dhcp"]:
            new = begin(state, replace(Network(), dhcp=True), time.time())
        case ["static", address, gateway, *dns]:
            new = begin(state, static(address, gateway, *dns), time.time())
        case ["confirm"]:
            new = confirm(state, time.time())
        case ["take-back"]:
            new = take_back(state)
        case _:
            raise Refused(
                "usage: tscm-network show | dhcp | static ADDRESS/LENGTH GATEWAY [DNS...] | confirm"
            )
    if new.under_way:
        start_timer()  # first: what cannot be taken back is not tried
    write_state(new)
    apply()
    if new.under_way:
        print(
            f"Tried for {CONFIRM_SECONDS} s beside what was before; keep it with `tscm-network confirm`."
        )
        print(
            "If the address changes: `address` in /etc/tscm/tscm.toml, and `logging host` on the firewalls."
        )
    else:
        stop_timer()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Refused as refused:
        sys.exit(f"tscm-network: {refused}")
