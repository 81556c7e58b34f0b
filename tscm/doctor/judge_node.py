"""
What is to be said of the host and the manager.  Pure: facts in, findings out.
"""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from attrs import frozen

from tscm.doctor.finding import Finding, failed, ok, warning
from tscm.intake.figures import AnyListener, DatagramFigures
from tscm.plural import many
from tscm.services.figures import LogServiceFigures
from tscm.settings.node import Listen
from tscm.state import ManagerState

_MB = 1 << 20
_EARLIEST = 1_767_225_600  # 2026-01-01: no host that runs this has an earlier date
_LOSSY_SHARE = 0.001


def judge_manager(status: ManagerState | None) -> Finding:
    """Does a manager run on this root?"""
    if status is None:
        return failed(
            "manager",
            "no manager is running on this root, so no lines are collected and no policy is updated",
            "start it with `systemctl start tscm`, or `twistd -n tscm`",
        )
    return ok("manager", f"version {status.version} runs as process {status.pid}")


def judge_settings(fault: str | None, devices: Mapping[str, str], known: int) -> Finding:
    """
    *fault* of the node's file, faults of *devices*' files by name, and how many devices there are.
    """
    texts = [] if fault is None else [fault]
    texts += [f"{name}: {text}" for name, text in sorted(devices.items())]
    if texts:
        if fault is not None and "restart the manager" in fault and not devices:
            return warning("settings", fault, "run `systemctl restart tscm`")
        return failed(
            "settings",
            "; ".join(texts),
            "correct the settings named; a running manager keeps the previous settings until then",
        )
    if not known:
        return warning(
            "settings",
            "the settings are readable, but no device is configured",
            "run `tsadmin add`",
        )
    return ok("settings", f"the settings are readable; {many(known, 'device', 'devices')}")


def judge_key(fault: str | None, *, there: bool, devices: Sequence[str]) -> Finding:
    """
    *fault* is why the sealing key does not open what is stored.

    *there* says that the key is there, or that something is sealed; *devices* are those that are stored.
    """
    if fault is None and there:
        return ok("key", "it decrypts the stored secrets, and no other user can read it")
    if fault is None and devices:
        return warning(
            "key",
            "there is none: the secrets of the devices are stored unencrypted in their files",
            (
                f"`tsadmin configure {devices[0]} --password -` creates a key and seals the "
                "secrets in that device's file"
            ),
        )
    if fault is None:
        return ok("key", "no key exists, and none is needed before the first device is added")
    return failed("key", fault, "see the table 'sealing key' in docs/operate/troubleshooting.md")


@frozen(kw_only=True)
class Space:
    """
    Room on the disk under *folder*, for an ordinary user; *files* are free inodes (None: no limit).
    """

    folder: str
    free: int
    total: int
    files: int | None = None


def judge_disk(spaces: Sequence[Space], min_free_mb: int, fault: str | None = None) -> Finding:
    """Is there room for logs and state?  Below the setting retention deletes the oldest segments."""
    if fault is not None:
        return failed("disk", fault, "check that the directory exists and belongs to the manager")
    for one in spaces:
        if one.free < max(min_free_mb * _MB, 1):
            return failed(
                "disk",
                (
                    f"{one.folder} has {one.free // _MB:,} MB free, less than [spool] min_free_mb "
                    f"({min_free_mb:,} MB), so the oldest segments are deleted"
                ),
                "free disk space, or lower [spool] max_mb_per_device and max_age_days",
            )
        if one.files is not None and one.files < 1000:
            return failed(
                "disk",
                f"{one.folder} has only {one.files:,} free inodes",
                "delete small files on that file system",
            )
    for one in spaces:
        if one.free < 2 * min_free_mb * _MB or one.free < one.total // 20:
            return warning(
                "disk",
                f"{one.folder} has {one.free // _MB:,} MB of {one.total // _MB:,} MB free",
                "free disk space before it runs out",
            )
    least = min(spaces, key=lambda one: one.free, default=None)
    return ok("disk", "" if least is None else f"{least.free // _MB:,} MB free")


def judge_database(fault: str | None, damaged: str | None = None) -> Finding:
    """
    *fault* is why the manager cannot use its database, *damaged* what SQLite finds wrong in the file.

    Lines are collected all the same.
    """
    if fault is not None:
        return failed(
            "database",
            f"no policy is updated: {fault}",
            "the manager retries every few seconds",
        )
    if damaged is not None:
        return failed(
            "database",
            f"the database is damaged, so updates and reports fail now or will fail: {damaged}",
            (
                "check the disk; stop the manager, then restore a backup or move the database away: it "
                "holds the policy history and the report counts, and the manager then creates a new one"
            ),
        )
    return ok("database", "the database is usable")


def judge_uploads(figures: LogServiceFigures) -> Finding:
    """What the embedded log service keeps: is there room, and does it take uploads?"""
    link = "uploads kept"
    if figures.refusing:
        return failed(
            link,
            f"no uploads are accepted: {figures.refusing}",
            (
                "free disk space; uploads are deleted before the firewalls' logs, and senders "
                "keep their uploads and retry"
            ),
        )
    if figures.fault:
        return failed(
            link,
            f"cannot delete expired uploads: {figures.fault}",
            "check that the directory portal/uploads belongs to the manager and is writable",
        )
    devices = figures.devices.values()
    size = sum(one.kept_bytes for one in devices)
    return ok(
        link,
        f"{many(sum(one.batches for one in devices), 'upload', 'uploads')} kept, {size // _MB:,} MB",
    )


def judge_clock(now: float, synchronised: bool | None) -> Finding:
    """*synchronised* is the kernel's word; None where it gives none."""
    if now < _EARLIEST:
        return failed(
            "clock",
            "this host's clock is years behind, so certificates and TSIG keys are not valid",
            "run `timedatectl set-ntp yes`",
        )
    if synchronised is False:
        return warning(
            "clock",
            "the kernel reports that this host's clock is not synchronised",
            "run `timedatectl set-ntp yes`, or use another NTP client; for a container, on its host",
        )
    if synchronised is None:
        return ok(
            "clock",
            "the clock is plausible, but the kernel does not report whether it is synchronised",
        )
    return ok("clock", "the clock is synchronised")


def judge_listeners(bound: Mapping[str, Sequence[str]] | None, faults: Sequence[str]) -> Finding:
    """
    *bound* is where the manager listens, by kind; None without a manager, and then *faults* says what
    would not let it.
    """
    if faults:
        return failed("listeners", "; ".join(faults), "free the port, or set another in [listen]")
    if bound is None:
        return ok("listeners", "every address in [listen] is available to the manager")
    places = [f"{kind} {place}" for kind, many in bound.items() for place in many]
    if not places:
        return failed("listeners", "the manager has no listeners", "set addresses in [listen]")
    return ok("listeners", ", ".join(places))


def judge_metrics(listen: Listen) -> list[Finding]:
    """Who may read `/metrics`; nothing to say where it is not served."""
    open_to = [str(one) for one in listen.metrics if not ip_address(one.host).is_loopback]
    if not listen.metrics:
        return []
    if not open_to:
        return [ok("metrics", "they are served only on loopback addresses")]
    where = ", ".join(open_to)
    if not listen.metrics_account_file:
        return [
            warning(
                "metrics",
                f"any host that reaches {where} can read names and figures of all devices",
                "listen on 127.0.0.1, or set [listen] metrics_account_file and metrics_certificate",
            )
        ]
    if not listen.metrics_certificate:
        return [
            warning(
                "metrics",
                f"the password for {where} is sent unencrypted",
                "set [listen] metrics_certificate and metrics_key",
            )
        ]
    return [ok("metrics", f"{where} responds over TLS and requires an account")]


def judge_buffers(
    listeners: Mapping[str, AnyListener] | None, asked: int, rmem_max: int | None
) -> Finding:
    """
    Receive buffers of UDP: as reached by the manager, or as `net.core.rmem_max` would let it.
    """
    if listeners is None:
        if rmem_max is not None and rmem_max < asked:
            return warning(
                "socket buffers",
                f"net.core.rmem_max is {rmem_max:,}, but {asked:,} bytes are requested",
                f"run `sysctl -w net.core.rmem_max={asked}`, unless the manager has CAP_NET_ADMIN",
            )
        return ok("socket buffers", f"the system allows {asked:,} bytes")
    buffers = {name: one.receive_buffer for name, one in _udp(listeners).items()}
    if not buffers:
        return ok("socket buffers", "no UDP listener")
    for name, buffer in buffers.items():
        if buffer.reached < buffer.asked:
            return warning(
                "socket buffers",
                f"{name} has {buffer.reached:,} bytes instead of {buffer.asked:,}, so the "
                "kernel drops bursts sooner",
                f"{buffer.hint}, then restart the manager",
            )
    return ok("socket buffers", f"{min(b.reached for b in buffers.values()):,} bytes each")


def judge_kernel_drops(listeners: Mapping[str, AnyListener]) -> Finding:
    """Datagrams that were lost before the manager saw them."""
    udp = _udp(listeners)
    if not udp:
        return ok("kernel drops", "no UDP listener")
    for name, one in udp.items():
        lost, received = one.kernel_drops, one.received
        if lost is None:
            return warning("kernel drops", "this kernel does not report drops")
        if lost:
            verdict = failed if lost > _LOSSY_SHARE * (received + lost) else warning
            return verdict(
                "kernel drops",
                (
                    f"the kernel dropped {lost:,} datagrams at {name} since the start; {received:,} were "
                    "received"
                ),
                "raise [intake] receive_buffer_bytes and net.core.rmem_max, or udp_sockets",
            )
    return ok("kernel drops", "none since the start")


def _udp(listeners: Mapping[str, AnyListener]) -> dict[str, DatagramFigures]:
    return {name: one for name, one in listeners.items() if isinstance(one, DatagramFigures)}
