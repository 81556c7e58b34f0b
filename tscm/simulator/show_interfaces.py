"""
`show interface`, `show ip address`, `show nameif` and `show arp`.
"""

from tscm.simulator.interfaces import Interface, canonical_name, neighbours
from tscm.simulator.refusal import INVALID, Cause, Refused
from tscm.simulator.show_values import Look, lines_of


def interface(look: Look) -> str:
    """`show interface [ip brief | NAME]`, without counters."""
    held = list(look.device.interfaces())
    match look.rest:
        case []:
            return "".join(_one(one) for one in held)
        case [first, *more] if "ip".startswith(first) and len(more) == 1:
            if not "brief".startswith(more[0]):
                raise Refused(Cause.SYNTAX, INVALID, at=3)
            return _brief(held)
        case [*words]:
            detail = len(words) > 1 and "detail".startswith(words[-1])
            wanted = words[:-1] if detail else words
            named = [one for one in held if [one.name] == wanted]
            if not named:
                hardware = _hardware(wanted)
                named = [one for one in held if one.hardware == hardware]
            if not named:
                raise Refused(Cause.SYNTAX, INVALID, at=2)
            return _one(named[0])


def _hardware(words: list[str]) -> str:
    try:
        return canonical_name(words)
    except Refused:
        raise Refused(Cause.SYNTAX, INVALID, at=2) from None


def _one(one: Interface) -> str:
    state = (
        "administratively down, line protocol is down"
        if one.shutdown
        else "up, line protocol is up"
    )
    shown = [
        f'Interface {one.hardware} "{one.name}", is {state}',
        "  Hardware is net_vmxnet3, BW 10000 Mbps, DLY 10 usec",
    ]
    if one.description:
        shown.append(f"\tDescription: {one.description}")
    shown.append(f"\tMAC address {one.mac}, MTU {one.mtu}")
    if one.address:
        shown.append(f"\tIP address {one.address}, subnet mask {one.mask}")
    else:
        shown.append("\tIP address unassigned")
    return lines_of(shown)


def _brief(held: list[Interface]) -> str:
    shown = ["Interface                  IP-Address      OK?           Method Status      Protocol"]
    for one in held:
        method = "CONFIG" if one.address else "unset "
        status = ("administratively down", "down") if one.shutdown else ("up", "up")
        address = one.address or "unassigned"
        shown.append(
            f"{one.hardware:<26} {address:<15} YES           {method} {status[0]:<11} {status[1]}"
        )
    return lines_of(shown)


def ip(look: Look) -> str:
    """`show ip address`; what else `show ip` knows is empty here."""
    if look.rest[0] != "address":
        return ""
    head = "Interface                Name                   IP address      Subnet mask     Method "
    rows = [
        f"{one.hardware:<24} {one.name:<22} {one.address:<15} {one.mask:<15} CONFIG"
        for one in look.device.interfaces()
        if one.name and one.address
    ]
    both = [f"{title} IP Addresses:\n{head}\n" + "\n".join(rows) for title in ("System", "Current")]
    return "\n".join(both) + "\n"


def nameif(look: Look) -> str:
    """`show nameif`."""
    rows = [
        f"{one.hardware:<24} {one.name:<22} {max(one.level, 0):>5}"
        for one in look.device.interfaces()
        if one.name
    ]
    return lines_of(["Interface                Name                   Security", *rows])


def arp(look: Look) -> str:
    """`show arp`."""
    return lines_of(
        f"\t{one.interface} {one.address} {one.mac} "
        + ("-" if one.age is None else str(one.age))
        + (" alias" if one.proxy else "")
        for one in neighbours(look.device.configuration.plain)
    )
