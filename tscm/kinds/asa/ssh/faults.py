"""
What can go wrong between the manager and a device's command line, beyond what any way to a firewall knows.
"""

from tscm.errors import DeviceFault
from tscm.kinds.asa.ssh.openssh import Failure
from tscm.kinds.faults import Overloaded, SessionsUsedUp, Unauthorised, Unreachable, Untrusted


class HostKeyUntrusted(Untrusted):
    """
    The device shows a host key that its settings do not pin; no password was sent.
    """


class EnableRefused(Unauthorised):
    """
    The login is right, and the enable password is not.
    """


class ContextRefused(DeviceFault):
    """
    There is no such security context, or the account may not change to it.
    """


class NoCommonAlgorithm(DeviceFault):
    """
    The device offers nothing that is good enough, or that `ssh` knows; no password was sent.
    """


def fault_of(device: str, failure: Failure) -> DeviceFault:
    """The failure of a login as a fault of *device*."""
    cause, remedy = failure.cause, failure.remedy
    match failure.kind:
        case "algorithms":
            return NoCommonAlgorithm(device, cause, remedy)
        case "host key":
            how = (
                ""
                if failure.key is None
                else f"`tsadmin configure {device} --host_key {failure.key.fingerprint}`"
            )
            told = f"if it is the device's, {how} pins it" if how else ""
            shown = None if failure.key is None else failure.key.fingerprint
            return HostKeyUntrusted(device, cause, told, shown=shown)
        case "login":
            return Unauthorised(
                device,
                cause,
                remedy or f"set them with `tsadmin configure {device} --username` and `--password`",
            )
        case "connection":
            return Unreachable(
                device,
                cause,
                "check its address, and that its `ssh` lines allow the manager's address",
            )
        case "closed":
            return SessionsUsedUp(device, cause, remedy, retry=True)
        case "program" | "key file":
            return Unreachable(device, cause, remedy)
    return Overloaded(device, cause, remedy)
