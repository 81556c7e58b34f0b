"""
One family of exceptions.

Fields are for programs; `str()` of an error is the sentence that a person is
shown: what went wrong, where, and what to do.  The command line prints that
sentence and ends with `exit_status`; no user is shown a traceback for one of
these.
"""

import re
from collections.abc import Sequence

from attrs import define, frozen

from tscm.printable import quoted


class TscmError(Exception):
    """
    Anything that an operator can be told in a sentence.
    """

    exit_status: int = 1
    absent: bool = False
    """What was asked for by its name does not exist: 404 where HTTP is spoken."""


@frozen(kw_only=True)
class Fault:
    """
    One thing that is wrong in a settings file or an answer.

    *where* is the path inside the file (`listen.udp[1]`) or the option's name.
    """

    where: str
    wrong: str
    allowed: str = ""

    def __str__(self) -> str:
        """`where: wrong; allowed: allowed`."""
        tail = f"; allowed: {self.allowed}" if self.allowed else ""
        return f"{self.where}: {self.wrong}{tail}"


class SettingsFaulty(TscmError):
    """
    A settings file or a set of options has faults; all of them are reported at once.
    """

    exit_status = 2

    def __init__(self, source: str, faults: Sequence[Fault]) -> None:
        self.source = source
        self.faults = tuple(faults)
        super().__init__(source, self.faults)

    def __str__(self) -> str:
        if len(self.faults) == 1:
            return f"{self.source}: {self.faults[0]}"
        lines = "".join(f"\n  {fault}" for fault in self.faults)
        return f"{self.source}: {len(self.faults)} errors{lines}"


class SettingsUnreadable(TscmError):
    """
    A settings file cannot be opened or is no TOML.
    """

    exit_status = 2

    def __init__(self, path: str, cause: str) -> None:
        self.path = path
        self.cause = quoted(cause)
        super().__init__(path, cause)

    def __str__(self) -> str:
        return f"{self.path} cannot be used: {self.cause}"


class SecretUnavailable(TscmError):
    """
    The sealing key is lost, has a loose mode, or does not open what was sealed.
    """

    exit_status = 3

    def __init__(self, path: str, cause: str) -> None:
        self.path = path
        self.cause = quoted(cause)
        super().__init__(path, cause)

    def __str__(self) -> str:
        return f"sealing key {self.path}: {self.cause}"


@define(eq=False)
class NoSuchDevice(TscmError):
    """
    No device has this nickname.
    """

    absent = True

    name: str

    def __str__(self) -> str:
        return f"no device named {self.name!r}; list the devices with `tsadmin list`"


@define(eq=False)
class DeviceChanged(TscmError):
    """
    A device's settings were changed by another user while a change of them was being checked.
    """

    name: str

    def __str__(self) -> str:
        return (
            f"the settings of {self.name!r} were changed by another user or process "
            f"meanwhile, so nothing was stored; check `tsadmin show {self.name}` and try "
            "again"
        )


@define(eq=False)
class DeviceBeingRemoved(TscmError):
    """
    A device of this nickname is just being removed, and not all of it has ended.
    """

    name: str

    def __str__(self) -> str:
        return (
            f"device {self.name!r} is being removed; settings stored under this name take "
            "effect when the removal is complete"
        )


@define(eq=False)
class NoSuchLog(TscmError):
    """
    There is no log of this name.
    """

    exit_status = 1
    absent = True

    name: str

    def __str__(self) -> str:
        return f"no log of {self.name!r}; list the logs with `tsadmin spool list`"


@define(eq=False)
class LogOpening(TscmError):
    """
    A device's log is large and was not closed cleanly: it is being repaired, and its lines are stored meanwhile.
    """

    name: str
    size: int

    def __str__(self) -> str:
        return (
            f"the log of {self.name!r} is being repaired after the last stop, which takes a while with "
            f"{self.size / 1e6:,.0f} MB in its live file; its lines are stored meanwhile, and the readers "
            f"of the device start when the repair is complete"
        )


@define(eq=False)
class DeviceExists(TscmError):
    """
    The nickname is taken.
    """

    name: str

    def __str__(self) -> str:
        return (
            f"a device named {self.name!r} already exists; choose another name, or change "
            f"it with `tsadmin configure {self.name}`"
        )


@define(eq=False)
class LogExists(TscmError):
    """
    A device cannot have a name under which the log of a removed device lies.
    """

    name: str

    def __str__(self) -> str:
        return (
            f"the log of a removed device named {self.name!r} is still on the disk; delete it with `tsadmin "
            f"spool delete {self.name}`, or choose another name"
        )


@define(eq=False)
class SenderConflict(TscmError):
    """
    Two devices claim one source address and nothing in the line could tell them apart.
    """

    address: str
    name: str
    other: str

    def __str__(self) -> str:
        return (
            f"address {self.address} of device {self.name!r} already belongs to device "
            f"{self.other!r}; a sender can belong to only one device"
        )


@define(eq=False)
class SameFirewall(TscmError):
    """
    Two devices would work on the same groups of one firewall.
    """

    what: str
    name: str
    other: str
    prefix: str

    def __str__(self) -> str:
        return (
            f"device {self.name!r} is the same firewall as device {self.other!r} ({self.what}), and both "
            f"would manage its groups {self.prefix}-…; use `tsadmin configure {self.other}`, remove "
            f"{self.other!r} first, or choose another --prefix"
        )


@define(eq=False)
class ForwardsToItself(TscmError):
    """
    A target of forwarding is a listener of this manager.
    """

    exit_status = 2

    target: str
    listener: str

    def __str__(self) -> str:
        return (
            f"forwarding to {self.target} leads to this manager's own listener "
            f"{self.listener}: each line would be received and forwarded again without "
            "end; use the SIEM's address"
        )


@define(eq=False)
class ListenerUnavailable(TscmError):
    """
    A listener's address cannot be bound.
    """

    exit_status = 4

    listener: str
    address: str
    cause: str

    def __str__(self) -> str:
        return (
            f"cannot listen for {self.listener} on {self.address}: {self.cause}; free the "
            "port, set another in the settings, or grant the process CAP_NET_BIND_SERVICE "
            "for ports below 1024"
        )


@define(eq=False)
class ManagerRunning(TscmError):
    """
    Another manager, or a `tsadmin` that is changing something, holds a lock of this root.
    """

    exit_status = 5

    lock: str
    holder: str

    def __str__(self) -> str:
        return (
            f"{self.lock} is held by {self.holder}; only one manager, or one tsadmin that "
            "changes something, can work on a root: wait until it has finished"
        )


@define(eq=False)
class PoliciesHeld(TscmError):
    """
    A manager collects, and waits for a `tsadmin` that was there before it with all else.
    """

    exit_status = 5

    holder: str

    def __str__(self) -> str:
        return (
            f"settings and database are held by {self.holder}, which started before the "
            "manager; the manager takes over when it has finished: try again then"
        )


class ListUnavailable(TscmError):
    """
    A block or allow list could not be fetched.

    *cause* says why in words; *remedy* what the operator may try.
    """

    def __init__(self, name: str, cause: str, remedy: str = "") -> None:
        self.name = name
        self.cause = quoted(cause)
        self.remedy = remedy
        super().__init__(name, cause, remedy)

    def __str__(self) -> str:
        tail = f"; {self.remedy}" if self.remedy else ""
        return (
            f"block or allow list [{self.name}] could not be fetched from ThreatSTOP DNS servers: "
            f"{self.cause}{tail}"
        )


class PolicyRefused(TscmError):
    """
    The guard does not let a fetched policy through; the old one stays in force.

    *options* are those of `tsadmin update` that accept the *reasons*.
    """

    def __init__(self, device: str, reasons: Sequence[str], options: Sequence[str] = ()) -> None:
        self.device = device
        self.reasons = tuple(reasons)
        self.options = tuple(dict.fromkeys(options))
        super().__init__(device, self.reasons, self.options)

    def __str__(self) -> str:
        said = (
            f"policy for {self.device} rejected, the previous one stays in force: "
            f"{'; '.join(self.reasons)}"
        )
        if not self.options:
            return said
        return (
            f"{said}; if this is intended, `tsadmin update {self.device} {' '.join(self.options)}`"
        )


class DeviceFault(TscmError):
    """
    The firewall did not do what was asked of it.

    *retry* says whether the same call may succeed later without the user doing
    something; *remedy* what the operator should look at.
    """

    def __init__(self, device: str, cause: str, remedy: str = "", *, retry: bool = False) -> None:
        self.device = device
        self.cause = quoted(cause)
        self.remedy = remedy
        self.retry = retry
        super().__init__(device, cause, remedy)

    def __str__(self) -> str:
        tail = f"; {self.remedy}" if self.remedy else ""
        return f"device {self.device}: {self.cause}{tail}"


def for_a_new_device(fault: DeviceFault) -> DeviceFault:
    """*fault* of a device that is not stored yet: what would change its settings is an option of `tsadmin add`."""
    command = rf"`tsadmin configure {re.escape(fault.device)} (--[^`]+)`"
    fault.remedy = re.sub(command, r"`\1`", fault.remedy)
    return fault


class ControlUnavailable(TscmError):
    """
    The manager's control socket cannot be used.
    """

    def __init__(self, path: str, cause: str) -> None:
        self.path = path
        self.cause = quoted(cause)
        super().__init__(path, cause)

    def __str__(self) -> str:
        return f"control socket {self.path}: {self.cause}"
