"""
What is to be said of lists, updates, arriving lines, log service and SIEM.  Pure.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen

from tscm.doctor.finding import Finding, failed, not_checked, ok, warning
from tscm.forward.figures import ForwardFigures
from tscm.intake.figures import DeviceIntake
from tscm.intake.turned_away import is_recent, remedy, sentence, turned_away
from tscm.model import Expired
from tscm.plural import many
from tscm.settings.cluster import ClusterSettings
from tscm.settings.device import DeviceSettings
from tscm.settings.sinks import SinkSettings
from tscm.spool.figures import LogFigures
from tscm.update.figures import Result, UpdateFigures
from tscm.upload.failure import proxy_words
from tscm.upload.figures import UploadFigures
from tscm.upload.probe import ServiceAnswer

_QUIET_SECONDS = 3600
_SILENT_SECONDS = 86400
_SERVICE_BEHIND = frozenset({502, 503, 504})
"""What a proxy that works answers when it cannot reach what is behind it."""


def judge_policy_service(servers: Mapping[str, str | None], *, feeds_only: bool) -> Finding:
    """*servers* by address, with why each cannot be reached (None: it can)."""
    link = "policy service"
    if feeds_only:
        return ok(link, "not needed: both lists are feeds")
    if not servers:
        return failed(
            link, "no policy server is configured", "set servers under [policy] in tscm.toml"
        )
    away = {server: cause for server, cause in servers.items() if cause is not None}
    remedy = (
        "check that TCP to that port is allowed; use `--dns_port 5353` if a device on the path "
        "interferes with port 53"
    )
    texts = "; ".join(f"{server}: {cause}" for server, cause in away.items())
    if len(away) == len(servers):
        return failed(link, texts, remedy)
    if away:
        return warning(link, f"{texts}; the others respond", remedy)
    return ok(link, f"{', '.join(servers)} can be reached over TCP")


def judge_list(
    kind: str, name: str, entries: int | None, fault: str | None, remedy: str
) -> Finding:
    """A list as it is published: how many *entries*, or why it cannot be had."""
    link = f"{kind} list"
    if fault is not None or entries is None:
        return failed(link, f"{name}: {fault}", remedy)
    if not entries and kind == "block":
        return failed(
            link,
            f"{name} is empty, and a block list must not be empty",
            "if the device or policy is new, wait 15 minutes; otherwise choose another block list",
        )
    return ok(link, f"{name} has {many(entries, 'entry', 'entries')}")


def judge_updates(figures: UpdateFigures | None, name: str, interval: float, now: float) -> Finding:
    """How the policy updates of a device go; *figures* is None without a manager."""
    link = "policy updates"
    if figures is None:
        return not_checked(link, "no manager is running")
    if figures.fault:
        return failed(
            link, f"cannot read the update history: {figures.fault}", "run `tsadmin doctor`"
        )
    if figures.locked_out:
        return failed(
            link,
            "updates have stopped: the password was rejected too often",
            f"run `tsadmin configure {name} --password -`, then `tsadmin policy resume {name}`",
        )
    last = figures.last_update
    if last is None:
        return warning(link, "no update yet", f"run `tsadmin update {name}`")
    if not last.good:
        again = f"run `tsadmin update {name}`"
        if last.result == Result.REFUSED:  # the same command again is refused again
            again = (
                f"see what would change with `tsadmin plan {name}`; check with the "
                "publisher of the list before you accept the change with the option named"
            )
        return failed(link, f"the last update failed: {last.error}", again)
    if figures.hold is not None:
        said = f"updates are {figures.hold}"
        return warning(link, said, f"resume them with `tsadmin policy resume {name}`")
    if figures.held or figures.paused:
        return warning(link, "updates are paused", f"run `tsadmin policy resume {name}`")
    age = now - (last.finished_at or now)
    if age > 3 * interval:
        return warning(link, f"the last update was {_ago(age)} ago", f"run `tsadmin update {name}`")
    if figures.unsaved:
        return warning(
            link, "the device did not save the pushed policy", "enter `write memory` on the device"
        )
    return ok(link, f"the last update succeeded {_ago(age)} ago")


def judge_lines(
    log: LogFigures | None, now: float, strangers: Sequence[str], name: str, silence: str
) -> Finding:
    """
    Do lines of the device arrive?  *strangers* are addresses that send and belong to no device; *silence* is what
    to check on a device of this kind.
    """
    link = "lines arriving"
    if log is None:
        return failed(link, "no manager is running, so no lines are collected", "start the manager")
    if log.fault:
        return failed(
            link,
            f"its log {log.fault}",
            f"check the disk of this log, then run `tsadmin spool verify {name}`",
        )
    last = log.last_received_at
    remedy = f'{silence}, then see "No lines arrive" in docs/operate/troubleshooting.md'
    if strangers:
        shown = ", ".join(strangers[:3])
        remedy = (
            f"{shown} sends lines but belongs to no device: `tsadmin senders adopt "
            f"{strangers[0]} {name}`"
        )
    if last is None:
        return failed(link, "no line has arrived yet", remedy)
    age = now - last
    if age > _SILENT_SECONDS:
        return failed(link, f"the last line arrived {_ago(age)} ago", remedy)
    if age > _QUIET_SECONDS:
        return warning(link, f"the last line arrived {_ago(age)} ago", remedy)
    return ok(link, f"the last line arrived {_ago(age)} ago")


def judge_connections(intake: DeviceIntake | None, now: float) -> Finding:
    """Were connections of the device refused for lack of room?  *intake* None: it never sent."""
    link = "connections"
    refused = turned_away(intake)
    if refused is None:
        return ok(link, "no connection was refused for a limit since the manager started")
    verdict = failed if is_recent(refused, now) else warning
    age = _ago(now - (refused.last_at or 0.0))
    return verdict(link, f"{sentence(refused)}, the last one {age} ago", remedy(refused))


def _ago(seconds: float) -> str:
    for size, word in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word}"
    return f"{max(0.0, seconds):.0f} s"


@frozen(kw_only=True)
class ProxyAnswer:
    """What a proxy said to CONNECT: a *status* line, or why there was none (*fault*)."""

    answer: str = ""
    fault: str | None = None

    @property
    def status(self) -> int:
        """The number in the answer; 0 where there is none."""
        word = self.answer.split()[0] if self.answer.split() else ""
        return int(word) if word.isascii() and word.isdigit() and len(word) == 3 else 0


def judge_proxy(proxy: str | None, said: ProxyAnswer | None, *, sends: bool) -> Finding:
    """The way to the log service, where it leads through a proxy."""
    link = "proxy"
    if proxy is None or not sends:
        return ok(link, "no proxy is configured")
    if said is None:
        return not_checked(link, "the proxy was not asked")
    if said.fault is not None:
        return failed(
            link,
            f"{proxy} cannot be reached: {said.fault}",
            "check that the proxy is running, and check --log_proxy",
        )
    if 200 <= said.status < 300:
        return ok(link, f"{proxy} allows the connection")
    cause, remedy = proxy_words(said.answer)
    if said.status in _SERVICE_BEHIND:
        return ok(link, f"{proxy} accepts the password; {cause}")
    return failed(link, cause, remedy)


def judge_log_service(
    url: str | None, said: ServiceAnswer | None, figures: UploadFigures | None, *, sends: bool
) -> Finding:
    """The log service, by a question that stores nothing, and by how uploads went."""
    link = "log service"
    if not sends:
        return ok(link, "log upload is off for this device")
    if url is None:
        return warning(
            link,
            "logs are stored but not uploaded: no log service is configured",
            "set url under [upload] in tscm.toml",
        )
    if said is None:
        return not_checked(link, "the log service was not asked")
    if said.fault is not None:
        return failed(link, said.fault, said.remedy)
    if not said.ready:
        return failed(link, f"{url} returned: {said.sentence} ({said.status})", said.remedy)
    if figures is not None and figures.retry_at is not None:
        return warning(link, f"it responds now; the last upload failed: {figures.last_error}")
    return ok(link, f"{url} responds and knows the device")


def judge_siem(
    target: str | None,
    figures: ForwardFigures | None,
    probed: str | None,
    *,
    answers: bool,
    name: str,
    expired: Mapping[Expired, int] | None = None,
    own_listener: str | None = None,
) -> Finding:
    """
    One target of forwarding.  *probed* is why no connection could be made (None: it could);
    *answers* is no for UDP, where that is unknown; *expired* are lines that its reader could not
    have, by cause; *own_listener* is the manager's own that the target is.
    """
    link = "SIEM"
    if target is None:
        return ok(link, "syslog forward is off")
    if own_listener is not None:
        return failed(
            link,
            f"{target} is this manager's own listener {own_listener}: each line would be "
            "received and forwarded again without end, so none is sent",
            f"set the SIEM's address with `tsadmin configure {name} --forward_address`",
        )
    if probed is not None:
        return failed(
            link, f"{target}: {probed}", "check that the target is running and accepts lines there"
        )
    if figures is not None and figures.failures and figures.last_error:
        return warning(link, figures.sentence, "it is reachable now; check that it stays reachable")
    causes = dict(expired or {})
    damaged = causes.pop(Expired.LOST, 0)
    if late := sum(causes.values()):
        return warning(
            link,
            f"{target}: {many(late, 'line', 'lines')} expired before they could be sent",
            "the target was down or slow for longer than lines are retained",
        )
    if damaged:
        return warning(
            link,
            (
                f"{target}: {many(damaged, 'line was', 'lines were')} lost to log damage before they "
                "could be sent"
            ),
            f"list the files with `tsadmin spool verify {name}`; the target is not the cause",
        )
    if not answers:
        return ok(link, f"lines are sent to {target}; UDP does not confirm their arrival")
    return ok(link, f"{target} accepts connections")


def judge_sink(sink: SinkSettings, figures: ForwardFigures | None) -> Finding:
    """
    One sink: what its last batch of the device was answered, for only a batch shows what it takes.
    """
    link = "sink"
    if figures is None:
        return not_checked(link, f"{sink}: no manager is running")
    if figures.failures and figures.last_error:
        return failed(link, figures.sentence, "check the sink and its table in tscm.toml")
    if figures.expired:
        return warning(
            link,
            f"{sink}: {many(figures.expired, 'line', 'lines')} expired before they could be sent",
            "the sink was down or slow for longer than lines are retained",
        )
    if figures.rejected:
        return warning(
            link,
            f"{sink} rejected {many(figures.rejected, 'line', 'lines')} since the manager started",
            "the manager's log quotes its answer; the lines are in the device's log",
        )
    if figures.connected_at is None:
        return not_checked(link, f"{sink}: nothing was sent since the manager started")
    return ok(link, f"{sink} acknowledges batches")


def judge_cluster(cluster: ClusterSettings, figures: ForwardFigures | None) -> Finding:
    """The stream of the site: what the servers answered to the last block of the device."""
    link = "cluster"
    if figures is None:
        return not_checked(link, f"{cluster}: no manager is running")
    if figures.failures and figures.last_error:
        return failed(
            link,
            figures.sentence,
            "check the servers and [cluster] in tscm.toml: `tsadmin cluster show`",
        )
    if figures.expired:
        return warning(
            link,
            f"{cluster}: {many(figures.expired, 'line', 'lines')} expired before they could be published",
            "the cluster was down, slow or full for longer than lines are retained",
        )
    if figures.connected_at is None:
        return not_checked(link, f"{cluster}: nothing was published since the manager started")
    return ok(link, f"{cluster} acknowledges blocks")


def judge_twin(settings: DeviceSettings, other: str, known_by: str) -> Finding:
    """Another device is this firewall, with the same prefix: both would change the same groups."""
    return failed(
        "other devices",
        f"{other} is the same firewall with the same prefix "
        f"{settings.own_names} ({known_by}), and only one of the two is updated",
        f"run `tsadmin remove {other}` or `tsadmin remove {settings.name}`, or set another "
        f"prefix with `tsadmin configure {settings.name} --prefix`",
    )


def judge_names(
    found: Mapping[str, Sequence[str]],
    had: Mapping[str, bool],
    overdue: frozenset[str] = frozenset(),
) -> Finding:
    """
    Can every name that the block list must not reach be looked up?

    *had* says of those that updates could not look up whether they had addresses before, *overdue* which of
    them have not resolved for a day.
    """
    link = "protected names"
    if not found:
        return ok(link, "everything that must not be blocked is given by address")
    gone = [name for name, addresses in found.items() if not addresses]
    if not gone:
        return ok(link, ", ".join(found))
    remedy = "check that this host can resolve the name, or give the address"
    lost = [name for name in gone if not had.get(name, True)]
    if lost:
        return failed(
            link,
            (
                f"{', '.join(lost)} does not resolve, and no address is known: new block "
                "entries wait"
            ),
            remedy,
        )
    for_long = [name for name in gone if name in overdue]
    if for_long:
        return failed(
            link,
            (
                f"{', '.join(for_long)} has not resolved for a day: only the addresses known from "
                "earlier updates remain protected"
            ),
            remedy,
        )
    return warning(
        link,
        (
            f"{', '.join(gone)} does not resolve: the addresses known from earlier updates "
            "remain protected"
        ),
        remedy,
    )
