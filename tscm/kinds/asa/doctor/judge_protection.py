"""
Whether the firewall uses our groups and tells us of it, by its running configuration.  Pure.
"""

from collections.abc import Iterable, Sequence

from tscm.doctor.finding import Finding, failed, not_checked, ok, warning
from tscm.doctor.firewall import Collector
from tscm.kinds.asa.access_lists import INFORMATIONAL, LEVELS, Entry
from tscm.kinds.asa.enforcing import ACTIONS, entries_in_force
from tscm.kinds.asa.groups import parent_name
from tscm.kinds.asa.lines import access_list_lines
from tscm.kinds.asa.running import TCP, LogHost, RunningConfig
from tscm.standing import Verdict
from tscm.syslog.asa import REPORTED_IDS

LINKS = ("access-lists", "access-list log", "logging", "logging host", "permit-hostdown")


def judge_protection(config: RunningConfig, prefix: str, collector: Collector) -> list[Finding]:
    """All that the running configuration says about access-lists and logging."""
    return [
        judge_use(config, prefix),
        judge_log(config, prefix),
        judge_logging(config, prefix),
        judge_log_host(config, collector),
        judge_hostdown(config, collector),
    ]


def judge_use(config: RunningConfig, prefix: str) -> Finding:
    """Are the groups used, by entries that can be reached, in lists that are bound?"""
    link = "access-lists"
    block, allow = parent_name(prefix, "Block"), parent_name(prefix, "Allow")
    lines = lines_missing(config, prefix)
    wanted = f"enter: {'; '.join(lines)}, before your own entries"
    used = entries_in_force(config, prefix, "Block")
    if not used:
        return _unused(config, block, wanted)
    covered = [text for entry in used if (text := _covered_by(config, entry))]
    if len(covered) == len(used):
        return failed(
            link, f"{covered[0]}, so nothing is blocked", "move it below the entries of tscm"
        )
    found: list[str] = []
    permits = entries_in_force(config, prefix, "Allow")
    if not permits:
        found.append(
            f"no active entry permits object-group {allow}, so the allow list does nothing"
        )
    found += covered
    found += _sides_missing(used, block)
    found += _out_of_order(config, used, permits, allow)
    if any(entry.narrowed for entry in used):
        found.append("an entry matches only one protocol or some ports")
    if found:
        ordered = (
            "move the entries of tscm before your own, those that permit before those that deny"
        )
        return warning(link, "; ".join(found), wanted if lines else ordered)
    places = sorted(
        {
            f"{one.access_list} ({one.way if one.interface is None else f'{one.way} {one.interface}'})"
            for entry in used
            for one in config.bound(entry.access_list)
        }
    )
    return ok(link, f"both groups are in force in {', '.join(places)}")


def lines_missing(config: RunningConfig, prefix: str) -> list[str]:
    """Of the four lines that `tsadmin add` prints those for which no entry is in force."""
    block, allow = parent_name(prefix, "Block"), parent_name(prefix, "Allow")
    sides = [(kind, side) for kind in ("Allow", "Block") for side in ("source", "destination")]
    return [
        line
        for line, (kind, side) in zip(access_list_lines(block, allow), sides, strict=True)
        if not any(
            getattr(entry, side) == f"object-group {parent_name(prefix, kind)}"
            and not entry.narrowed
            for entry in entries_in_force(config, prefix, kind)
        )
    ]


def _unused(config: RunningConfig, block: str, wanted: str) -> Finding:
    link = "access-lists"
    named = [entry for entry in config.using(block) if entry.action == "deny"]
    if not named:
        return failed(link, f"no access-list denies object-group {block}", wanted)
    unbound = sorted({one.access_list for one in named if not config.bound(one.access_list)})
    if unbound:
        return failed(
            link,
            f"access-list {', '.join(unbound)} uses object-group {block} but is not bound",
            (
                f"enter `access-group {unbound[0]} global`, with a final permit line for the traffic "
                "allowed so far"
            ),
        )
    return failed(
        link,
        f"every entry that denies object-group {block} is inactive or bound to a time-range",
        wanted,
    )


def _covered_by(config: RunningConfig, entry: Entry) -> str:
    """What stands above *entry* and takes every packet before it; empty where nothing does."""
    for above in config.entries[entry.access_list]:
        if above is entry:
            return ""
        if above.takes_everything:
            return f"`{above.line}` comes before `{entry.line}`"
    return ""


def _sides_missing(used: Iterable[Entry], block: str) -> list[str]:
    sides = {
        side
        for entry in used
        for side, text in (("from", entry.source), ("to", entry.destination))
        if text == f"object-group {block}"
    }
    return [
        f"no entry denies traffic {side} object-group {block}"
        for side in ("from", "to")
        if side not in sides
    ]


def _out_of_order(
    config: RunningConfig, denied: Iterable[Entry], permits: Sequence[Entry], allow: str
) -> list[str]:
    """In each list that has both, all our permits stand above our denies."""
    first: dict[str, int] = {}
    for entry in denied:
        at = list(config.entries[entry.access_list]).index(entry)
        first[entry.access_list] = min(at, first.get(entry.access_list, at))
    late = {
        entry.access_list
        for entry in permits
        if entry.access_list in first
        and list(config.entries[entry.access_list]).index(entry) > first[entry.access_list]
    }
    return [
        f"in {name}, an entry that permits object-group {allow} comes after one that denies"
        for name in sorted(late)
    ]


def judge_log(config: RunningConfig, prefix: str) -> Finding:
    """Do the entries in force tell what they did?"""
    link = "access-list log"
    used = [(kind, one) for kind in ACTIONS for one in entries_in_force(config, prefix, kind)]
    if not any(kind == "Block" for kind, _ in used):
        return not_checked(link, "no access-list is in force")
    muted = [one for _, one in used if one.muted]
    if muted:
        return failed(
            link,
            f"`{muted[0].line}` logs nothing: its log is disabled",
            "enter it again with `log` at the end",
        )
    silent = [one for _, one in used if one.level is None]
    if silent:
        return warning(
            link,
            (
                f"{len(silent)} of {len(used)} entries have no `log`, for example "
                f"`{silent[0].line}`: lines that it permits are not logged, and lines that "
                "it denies are logged only per packet (106023)"
            ),
            "enter them again with `log` at the end",
        )
    return ok(link, f"all {len(used)} entries have `log`")


def judge_logging(config: RunningConfig, prefix: str) -> Finding:
    """Do the messages go to collectors at all?"""
    link = "logging"
    if not config.log_enabled:
        return failed(link, "logging is not enabled on the device", "enter `logging enable`")
    if config.trap_list is not None:
        return warning(
            link,
            f"message list {config.trap_list} decides what is sent to collectors",
            "check that it includes 106100 and 106023, or enter `logging trap informational`",
        )
    if config.trap is None:
        return failed(
            link, "no messages are sent to collectors", "enter `logging trap informational`"
        )
    silenced = [number for number in REPORTED_IDS if number in config.silenced]
    if silenced:
        return failed(
            link, f"message {silenced[0]} is disabled", f"enter `logging message {silenced[0]}`"
        )
    needed = _level_needed(config, prefix)
    if config.trap < needed:
        return failed(
            link,
            (
                f"messages up to {LEVELS[config.trap]} are sent, but those of the entries "
                f"of tscm are {LEVELS[needed]}"
            ),
            f"enter `logging trap {LEVELS[needed]}`",
        )
    return ok(link, f"messages up to {LEVELS[config.trap]} are sent to collectors")


def _level_needed(config: RunningConfig, prefix: str) -> int:
    levels = [
        one.level
        for kind in ACTIONS
        for one in entries_in_force(config, prefix, kind)
        if one.level is not None
    ]
    return max(levels, default=INFORMATIONAL)


def judge_log_host(config: RunningConfig, collector: Collector) -> Finding:
    """Does a `logging host` point here?"""
    link = "logging host"
    ours = hosts_here(config, collector)
    if ours:
        return ok(link, ", ".join(map(str, ours)))
    here = ", ".join(sorted(collector.addresses)) or "an address at which it can reach this manager"
    ports = ", ".join(
        f"{kind}/{port}" for kind, many in sorted(collector.ports.items()) for port in many
    )
    others = ", ".join(str(one) for one in config.log_hosts)
    remedy = (
        f"enter a `logging host` line on the device, with this manager's address {here} on "
        f"{ports or 'no port'}"
    )
    if not others:
        finding = failed(link, "the device has no logging host", remedy)
    else:
        wrong = [one for one in config.log_hosts if one.address in collector.addresses]
        text = (
            f"it logs to {wrong[0]}, where this manager is not listening"
            if wrong
            else f"it logs to {others}, which is not a known address of this manager"
        )
        finding = failed(link, text, remedy)
    if collector.hears and finding.verdict is Verdict.FAILED:
        return warning(
            link,
            f"{finding.sentence}; its lines arrive anyway, through a relay or address translation",
            "no action if this is intended; set `address` in tscm.toml to this manager's address",
        )
    return finding


def hosts_here(config: RunningConfig, collector: Collector) -> list[LogHost]:
    """The `logging host` lines that lead to a listener of this manager."""
    return [
        one
        for one in config.log_hosts
        if one.address in collector.addresses
        and one.port in collector.ports.get("tls" if one.secure else one.protocol, ())
    ]


def judge_hostdown(config: RunningConfig, collector: Collector) -> Finding:
    """A collector over TCP that goes away stops all traffic unless this is set."""
    link = "permit-hostdown"
    over_tcp = [one for one in config.log_hosts if one.protocol == TCP]
    if not over_tcp:
        return ok(link, "not needed: the device does not log over TCP")
    if config.permit_hostdown:
        return ok(link, "set: an unavailable collector does not stop traffic")
    whose = (
        "" if set(over_tcp) & set(hosts_here(config, collector)) else ", but not to this manager"
    )
    return failed(
        link,
        (
            f"the device logs over TCP{whose} and blocks every new connection through it while that "
            "collector is unavailable"
        ),
        "enter `logging permit-hostdown`, then `write memory`",
    )
