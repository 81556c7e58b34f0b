"""
What `show …` and `more` print.
"""

import re
import time
from collections.abc import Callable, Iterable

from tscm.simulator.configuration import Configuration
from tscm.simulator.device import Device
from tscm.simulator.health import Health
from tscm.simulator.refusal import INCOMPLETE, INVALID, Cause, Refused


def _is(word: str, whole: str, shortest: int) -> bool:
    return len(word) >= shortest and whole.startswith(word)


def show(device: Device, line: str, words: list[str], now: float) -> str:
    """The text of one command that changes nothing; `| include X` and `| grep X` filter it."""
    del words
    command, bar, condition = line.partition("|")
    text = _text(device, command.split(), now)
    return _filtered(text, condition.split()) if bar else text


def _filtered(text: str, condition: list[str]) -> str:
    if len(condition) < 2:
        raise Refused(Cause.SYNTAX, INCOMPLETE)
    how, pattern = condition[0], " ".join(condition[1:])
    invert = how == "exclude" or (how == "grep" and condition[1] == "-v")
    if how == "grep" and invert:
        pattern = " ".join(condition[2:])
    if not any(_is(how, word, 1) for word in ("include", "exclude", "grep", "begin")):
        raise Refused(Cause.SYNTAX, INVALID)
    try:
        wanted = re.compile(pattern)
    except re.error:
        raise Refused(Cause.SYNTAX, INVALID) from None
    lines = text.splitlines()
    if _is(how, "begin", 1):
        start = next((at for at, one in enumerate(lines) if wanted.search(one)), len(lines))
        kept = lines[start:]
    else:
        kept = [one for one in lines if bool(wanted.search(one)) != invert]
    return "".join(one + "\n" for one in kept)


def _text(device: Device, words: list[str], now: float) -> str:
    if words[0] == "more":
        return device.startup if words[1:] == ["system:startup-config"] else device.running_config()
    if len(words) < 2:
        raise Refused(Cause.SYNTAX, INCOMPLETE)
    what, rest = words[1], words[2:]
    if _is(what, "running-config", 3):
        return running(device, rest)
    if _is(what, "startup-config", 4):
        return device.startup or "No Configuration\n"
    simple: dict[str, Callable[[Device, float], str]] = {
        "version": version,
        "failover": failover,
        "clock": clock,
        "memory": memory,
        "logging": logging,
        "inventory": inventory,
    }
    for name, printer in simple.items():
        if _is(what, name, 3):
            return printer(device, now)
    if what == "rest-api" and rest[:1] == ["agent"]:
        return rest_agent(device)
    if what == "cpu":
        return "CPU utilization for 5 seconds = 3%; 1 minute: 2%; 5 minutes: 2%\n"
    if _is(what, "access-list", 8):
        return access_lists(device, rest)
    if what == "object-group":
        return object_groups(device, rest)
    if what == "serial-number":
        return f"{device.serial}\n"
    raise Refused(Cause.SYNTAX, INVALID)


def _lines(lines: Iterable[str]) -> str:
    text = "\n".join(lines)
    return text + "\n" if text else ""


def running(device: Device, words: list[str]) -> str:
    """`show running-config [PART]`."""
    held = device.configuration
    match words:
        case [] | ["all"]:
            return device.running_config()
        case ["object-group", *rest]:
            return object_groups(device, rest)
        case ["access-list"]:
            return _lines(held.access_list_lines())
        case ["access-list", name]:
            return _lines(str(ace) for ace in held.access_lists.get(name, ()))
        case ["access-group"]:
            return _lines(held.binding_lines())
        case ["object", *_]:
            return _lines(
                line for network_object in held.objects.values() for line in network_object.lines()
            )
        case [word, *_] if _is(word, "username", 4):
            return _lines(account.line() for account in device.accounts.users.values())
        case ["hostname"]:
            return f"hostname {held.hostname}\n"
        case [word, *_]:
            return _lines(held.plain_lines(lambda line: line.startswith((word, f"no {word}"))))
    raise Refused(Cause.SYNTAX, INVALID)


def object_groups(device: Device, words: list[str]) -> str:
    """`… object-group [network] [id NAME]`."""
    held = device.configuration
    match words:
        case [] | ["network"]:
            return _lines(line for group in held.groups.values() for line in group.lines())
        case ["id", name] | ["network", "id", name]:
            return _lines(held.group(name).lines())
        case ["id"]:
            raise Refused(Cause.SYNTAX, INCOMPLETE)
    raise Refused(Cause.SYNTAX, INVALID)


def clock(device: Device, now: float) -> str:
    """`show clock`: as the firewall's own clock stands."""
    at = time.gmtime(now + device.switches.clock_ahead_seconds)
    return time.strftime("%H:%M:%S.000 UTC %a %b %d %Y\n", at)


def version(device: Device, now: float) -> str:
    """`show version`; the only place where the agent's version can be read."""
    up = max(0, int(now - device.started_at))
    days, hours, minutes = up // 86400, up % 86400 // 3600, up % 3600 // 60
    profile = device.profile
    agent = ""
    if profile.agent_version:
        agent = f"REST API Agent Version {profile.agent_version}\n"
    return (
        f"\nCisco Adaptive Security Appliance Software Version {device.asa_version}\n"
        f"{agent}Device Manager Version 7.15(1)\n\n"
        f'System image file is "boot:/asa9151-smp-k8.bin"\n'
        f'Config file at boot was "startup-config"\n\n'
        f"{device.hostname} up {days} days {hours} hours {minutes} mins\n\n"
        f"Hardware:   {profile.hardware}\n\nSerial Number: {device.serial}\n"
        f"Configuration has{' ' if device.unsaved else ' not '}been modified since last system restart.\n"
    )


def failover(device: Device, now: float) -> str:
    """`show failover`; Off unless the device is one of a pair."""
    if device.role is None:
        return "Failover Off\nFailover unit Secondary\nFailover LAN Interface: not Configured\n"
    other = "Standby Ready" if device.role == "active" else "Active"
    if now < device.sync_until:
        other = "Sync Config"
    mine = "Active" if device.role == "active" else "Standby Ready"
    return (
        f"Failover On\nFailover unit {device.unit}\nFailover LAN Interface: fover GigabitEthernet0/8 (up)\n"
        f"\tThis host: {device.unit} - {mine}\n\tOther host: "
        f"{'Secondary' if device.unit == 'Primary' else 'Primary'} - {other}\n"
    )


def memory(device: Device, now: float) -> str:
    """`show memory`; used memory grows with the configuration."""
    del now
    total = device.profile.memory_mb << 20
    used = total // 2 + device.configuration.size * 20
    share = 100 * used // total
    return (
        f"Free memory:  {total - used:>12} bytes ({100 - share}%)\n"
        f"Used memory:  {used:>12} bytes ({share}%)\n"
        f"-------------     ------------------\nTotal memory: {total:>12} bytes (100%)\n"
    )


def logging(device: Device, now: float) -> str:
    """`show logging setting`, shortened."""
    del now
    plain = device.configuration.plain
    enabled = "enabled" if "logging enable" in plain else "disabled"
    return f"Syslog logging: {enabled}\n" + _lines(
        "    " + line for line in plain if line.startswith("logging host")
    )


def inventory(device: Device, now: float) -> str:
    """`show inventory`."""
    del now
    return (
        f'Name: "Chassis", DESCR: "{device.profile.device_type} Adaptive Security Appliance"\n'
        f"PID: {device.profile.name:<17} , VID: V01     , SN: {device.serial}\n"
    )


def rest_agent(device: Device) -> str:
    """`show rest-api agent`."""
    if device.profile.agent_version is None:
        raise Refused(Cause.SYNTAX, INVALID)
    enabled = device.health.state is Health.UP
    return f"REST API Agent is currently {'enabled' if enabled else 'disabled'}.\n"


def access_lists(device: Device, words: list[str]) -> str:
    """`show access-list [NAME]` with the hashes that 106100 prints; hit counts of whole entries."""
    held: Configuration = device.configuration
    names = words[:1] or list(held.access_lists)
    out = []
    for name in names:
        if name not in held.access_lists:
            raise Refused(Cause.ABSENT, f"ERROR: access-list <{name}> does not exist")
        aces = held.access_lists[name]
        out.append(f"access-list {name}; {len(aces)} elements; name hash: 0x{hash_of(name):08x}")
        for at, ace in enumerate(aces, 1):
            text = str(ace).replace(f"access-list {name} ", f"access-list {name} line {at} ", 1)
            if ace.action != "remark":
                text += f" (hitcnt={device.hits.get(ace.hash, 0)}) 0x{ace.hash:08x}"
            out.append(text)
    return _lines(out)


def hash_of(name: str) -> int:
    """The hash of a list's name."""
    from zlib import crc32

    return crc32(name.encode())
