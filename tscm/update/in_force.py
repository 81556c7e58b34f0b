"""
What a run is about to put into force, beside what was in force: as it is kept in the store.
"""

from collections.abc import Sequence
from datetime import datetime

from tscm.plural import many
from tscm.policy.cidr import CidrSet
from tscm.policy.in_force import Force, ForceRules, judge_allow, judge_loss
from tscm.policy.rank import Cut
from tscm.risks import RiskFound
from tscm.settings.device import DeviceSettings
from tscm.settings.feed import feed_named
from tscm.settings.node import NodeSettings
from tscm.store.generations import Generation, StoredDamaged
from tscm.update.alert import said
from tscm.update.job import UpdateJob
from tscm.update.memory import DeviceMemory


def not_in_force(one: Generation) -> str:
    """What a generation that a purge left means, since when; for people."""
    at = datetime.fromtimestamp(one.applied_at).astimezone().isoformat(" ", "seconds")
    left = [
        many(count, f"{kind} entry", f"{kind} entries")
        for kind, count in (("block", one.block_entries), ("allow", one.allow_entries))
        if count
    ]
    off = f"not in force since {at}: the groups were removed"
    return f"{off} except {' and '.join(left)} in use" if left else off


def maybe_gone(memory: DeviceMemory) -> str:
    """What an upheaval of the firewall that no update has answered means, since when; for people."""
    at = datetime.fromtimestamp(min(memory.upheavals.values())).astimezone()
    return (
        f"part of the groups may be missing since {at.isoformat(' ', 'seconds')}, and they "
        "have not been checked"
    )


def unchecked(device: str, memory: DeviceMemory) -> str:
    """What the firewall said that no update has answered, and what to do; empty where it said nothing."""
    if not memory.upheavals:
        return ""
    return (
        f"the firewall logged that {said(memory.upheavals)}, and its groups have not been "
        f"checked since; check them with `tsadmin update {device}`"
    )


def shape_of(settings: DeviceSettings) -> tuple[str, str]:
    """The operator's choice of lists: with another one, what is in force is no measure."""
    return settings.block_list, settings.allow_list


def chosen_anew(job: UpdateJob) -> bool:
    """Did the operator choose other lists since the last good run?  Asked about when he did."""
    shape = DeviceMemory.from_json(job.memory).shape
    return bool(shape) and shape != shape_of(job.settings)


def risks_of(job: UpdateJob, fitting: Cut) -> Sequence[RiskFound]:
    """
    What the guard has against *fitting*, in view of what is in force and was so lately.
    """
    rules = force_rules(job.settings, job.node)
    after = Force(block=fitting.block, allow=fitting.allow)
    anew = chosen_anew(job)
    before = None if anew else _force(job, job.applied)
    found = list(judge_allow(before, after, rules))
    if anew:
        return found
    days = job.node.policy.shrink_days
    measures = ((before, "now"), (_force(job, job.largest), f"within {days} days"))
    for measure, when in measures:
        lost = [] if measure is None else list(judge_loss(measure, after, rules, when))
        if lost:
            return [*found, *lost]
    return found


def force_rules(settings: DeviceSettings, node: NodeSettings) -> ForceRules:
    """From the settings."""
    growth = node.policy.max_allow_growth_percent
    feed = feed_named(node.policy.feeds, settings.block_list)
    shrink = None if feed is None else feed.shrink_percent
    return ForceRules(
        shrink_share=(node.policy.max_shrink_percent if shrink is None else shrink) / 100,
        allow_growth_share=None if growth is None else growth / 100,
        allow_share=node.policy.max_allow_percent / 100,
        maximum=settings.max_policy_size,
    )


def _force(job: UpdateJob, one: Generation | None) -> Force | None:
    """
    As the store has it, without entries by hand, which come and go as operators like.

    What is damaged there is no measure, and told elsewhere.
    """
    if one is None or one.purged:  # what a purge left is no measure of what is wanted
        return None
    try:
        block, allow = (
            CidrSet.of(one.of_lists.entries(job.settings.name, kind)) for kind in ("block", "allow")
        )
    except StoredDamaged:
        return None
    return Force(block=block, allow=allow)
