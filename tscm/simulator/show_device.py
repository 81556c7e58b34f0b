"""
What the firewall shows of itself: version, health, logging, and the session that asks.
"""

from hashlib import md5

from tscm.simulator.contexts import table
from tscm.simulator.health import Health
from tscm.simulator.logging_lines import hosts
from tscm.simulator.refusal import INVALID, Cause, Refused
from tscm.simulator.show_values import Look, lines_of, moment
from tscm.simulator.syslog_form import Form

_WIDTH = 80
_LEVELS = {"user": 1, "exec": 15, "config": 15}
_MODES = {"user": "P_UNPR", "exec": "P_PRIV", "config": "P_PRIV P_CONF"}


def clock(look: Look) -> str:
    """`show clock`: as the firewall's own clock stands."""
    return moment(look.device, look.now) + "\n"


def version(look: Look) -> str:
    """`show version`; the only place where the agent's version can be read."""
    device = look.device
    up = max(0, int(look.now - device.started_at))
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
        f"Hardware:   {profile.hardware}\n\nSerial Number: {device.serial}\n{_modified(look)}\n"
    )


def _modified(look: Look) -> str:
    """Since the start, whether it was saved or not."""
    if look.device.modified is None:
        return "Configuration has not been modified since last system restart."
    user, at = look.device.modified
    return f"Configuration last modified by {user} at {moment(look.device, at)}"


def failover(look: Look) -> str:
    """`show failover`; Off unless the device is one of a pair."""
    device = look.device
    if device.role is None:
        return "Failover Off\nFailover unit Secondary\nFailover LAN Interface: not Configured\n"
    other = "Standby Ready" if device.role == "active" else "Active"
    if look.now < device.sync_until:
        other = "Sync Config"
    mine = "Active" if device.role == "active" else "Standby Ready"
    return (
        f"Failover On\nFailover unit {device.unit}\nFailover LAN Interface: fover GigabitEthernet0/8 (up)\n"
        f"\tThis host: {device.unit} - {mine}\n\tOther host: "
        f"{'Secondary' if device.unit == 'Primary' else 'Primary'} - {other}\n"
    )


def memory(look: Look) -> str:
    """`show memory`; used memory grows with the configuration."""
    total = look.device.profile.memory_mb << 20
    used = total // 2 + look.device.configuration.size * 20
    share = 100 * used // total
    return (
        f"Free memory:  {total - used:>12} bytes ({100 - share}%)\n"
        f"Used memory:  {used:>12} bytes ({share}%)\n"
        f"-------------     ------------------\nTotal memory: {total:>12} bytes (100%)\n"
    )


def cpu(look: Look) -> str:
    """`show cpu usage`."""
    del look
    return "CPU utilization for 5 seconds = 3%; 1 minute: 2%; 5 minutes: 2%\n"


def connections(look: Look) -> str:
    """`show conn`: they live in the data path, and the command line sees none."""
    del look
    return "0 in use, 0 most used\n"


def logging(look: Look) -> str:
    """`show logging`: the settings that decide what goes where."""
    device = look.device
    plain = device.configuration.plain
    form = Form.of(plain, device.hostname, addresses=device.interface_addresses())
    shown = [
        f"Syslog logging: {'enabled' if form.enabled else 'disabled'}",
        f"    Facility: {form.facility}",
        f"    Timestamp logging: {'disabled' if form.stamp == 'none' else 'enabled'}",
        f"    Standby logging: {'enabled' if 'logging standby' in plain else 'disabled'}",
        f"    Trap logging: {_trap(plain)}, facility {form.facility}",
        *(
            f"        Logging to {one.interface} {one.address} {one.protocol}/{one.port}"
            for one in hosts(plain)
        ),
        f"    Permit-hostdown logging: {'enabled' if 'logging permit-hostdown' in plain else 'disabled'}",
        f"    Device ID: {form.device_id or 'disabled'}",
    ]
    return lines_of(shown)


def _trap(plain: dict[str, list[str]]) -> str:
    for line in plain:
        if line.startswith("logging trap "):
            return f"level {line.split()[2]}"
    return "disabled"


def inventory(look: Look) -> str:
    """`show inventory`."""
    profile = look.device.profile
    return (
        f'Name: "Chassis", DESCR: "{profile.device_type} Adaptive Security Appliance"\n'
        f"PID: {profile.name:<17} , VID: V01     , SN: {look.device.serial}\n"
    )


def rest_agent(look: Look) -> str:
    """`show rest-api agent`."""
    if look.device.profile.agent_version is None:
        raise Refused(Cause.SYNTAX, INVALID)
    enabled = look.device.health.state is Health.UP
    return f"REST API Agent is currently {'enabled' if enabled else 'disabled'}.\n"


def serial_number(look: Look) -> str:
    """`show serial-number`."""
    return f"{look.device.serial}\n"


def hostname(look: Look) -> str:
    """`show hostname [fqdn]`."""
    device = look.device
    domain = next(
        (line.split()[1] for line in device.configuration.plain if line.startswith("domain-name ")),
        "",
    )
    whole = f"{device.hostname}.{domain}" if domain else device.hostname
    return f"{whole if look.rest else device.hostname}\n"


def checksum(look: Look) -> str:
    """`show checksum`."""
    text = "\n".join(look.device.body_lines())
    digest = md5(text.encode(), usedforsecurity=False).hexdigest()
    return f"Cryptochecksum: {' '.join(digest[at : at + 8] for at in range(0, 32, 8))} \n"


def mode(look: Look) -> str:
    """`show mode`."""
    return f"Security context mode: {'multiple' if look.device.spaces else 'single'} \n"


def contexts(look: Look) -> str:
    """`show context`, in multiple mode."""
    if not look.device.spaces:
        raise Refused(Cause.SYNTAX, INVALID, at=1)
    return table(look.device)


def curpriv(look: Look) -> str:
    """`show curpriv`: who the session is, and what it may do at the moment."""
    level = look.session.level
    return (
        f"Username : {look.session.user}\nCurrent privilege level : {_LEVELS[level]}\n"
        f"Current Mode/s : {_MODES[level]}\n"
    )


def terminal(look: Look) -> str:
    """`show terminal`."""
    width = _WIDTH
    for line in look.device.configuration.plain:
        if line.startswith("terminal width "):
            width = int(line.split()[2])
    return f"\nWidth = {width}, no monitor\nterminal interactive\n"


def pager(look: Look) -> str:
    """`show pager`."""
    return f"pager lines {look.session.pager}\n" if look.session.pager else "no pager\n"
