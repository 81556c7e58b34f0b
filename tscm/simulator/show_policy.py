"""
`show running-config`, `show object-group` and `show access-list`.
"""

from zlib import crc32

from tscm.simulator.interfaces import canonical_name
from tscm.simulator.refusal import INVALID, Cause, Refused
from tscm.simulator.show_values import Look, lines_of


def running(look: Look) -> str:
    """`show running-config [PART]`."""
    held = look.device.configuration
    match look.rest:
        case [] | ["all"]:
            return look.device.running_config()
        case ["object-group", *rest]:
            return _groups(look, rest)
        case ["access-list"]:
            return lines_of(held.access_list_lines())
        case ["access-list", name, *_]:
            return lines_of(str(ace) for ace in held.access_lists.get(name, ()))
        case ["access-group", *_]:
            return lines_of(held.binding_lines())
        case ["object", "id", name, *_] if name in held.objects:
            return lines_of(held.objects[name].lines())
        case ["object", *_]:
            return lines_of(
                line for network_object in held.objects.values() for line in network_object.lines()
            )
        case ["username", *names]:
            users = look.device.accounts.users.values()
            return lines_of(
                line
                for one in users
                if not names or one.name in names
                for line in look.device.account_lines(one)
            )
        case ["hostname", *_]:
            return f"hostname {held.hostname}\n"
        case ["interface", *name] if name:
            wanted = f"interface {canonical_name(name)}"
            return lines_of(held.plain_lines(lambda line: line == wanted))
        case [word, *_]:
            starts = (f"{word} ", f"no {word} ")
            return lines_of(
                held.plain_lines(
                    lambda line: line.startswith(starts) or line in (word, f"no {word}")
                )
            )
    raise Refused(Cause.SYNTAX, INVALID, at=2)


def object_groups(look: Look) -> str:
    """`show object-group [network] [id NAME]`."""
    return _groups(look, look.rest)


def _groups(look: Look, words: list[str]) -> str:
    held = look.device.configuration
    match words:
        case [] | ["network"]:
            return lines_of(line for group in held.groups.values() for line in group.lines())
        case ["id", name] | ["network", "id", name]:
            if name in held.other_groups:
                kind, lines = held.other_groups[name]
                return lines_of([f"object-group {kind} {name}", *lines])
            return lines_of(held.group(name).lines())
        case [kind]:
            return lines_of(
                line
                for name, (held_kind, below) in held.other_groups.items()
                if held_kind == kind
                for line in (f"object-group {held_kind} {name}", *below)
            )
    raise Refused(Cause.SYNTAX, INVALID, at=3)


def access_lists(look: Look) -> str:
    """`show access-list [NAME]` with the hashes that 106100 prints; hit counts of whole entries."""
    device = look.device
    held = device.configuration
    names = look.rest[:1] or list(held.access_lists)
    out = []
    for name in names:
        if name not in held.access_lists:
            raise Refused(Cause.ABSENT, f"ERROR: access-list <{name}> does not exist")
        aces = held.access_lists[name]
        out.append(
            f"access-list {name}; {len(aces)} elements; name hash: 0x{crc32(name.encode()):08x}"
        )
        for at, ace in enumerate(aces, 1):
            text = ace.shown.replace(f"access-list {name} ", f"access-list {name} line {at} ", 1)
            if ace.action != "remark":
                off = " (inactive)" if ace.inactive else ""
                text += f" (hitcnt={device.hits.get(ace.hash, 0)}){off} 0x{ace.hash:08x}"
            out.append(text)
    return lines_of(out)
