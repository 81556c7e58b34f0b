"""
Which targets and lists a policy comes to, and what is wrong with it.  Pure.
"""

from collections.abc import Collection, Iterator, Mapping

from attrs import frozen

from tscm.policy.by_hand import ALLOW, BLOCK
from tscm.portal.items import ALL_ON, Bundle, ItemFaulty, Kind, PortalPolicy, Ref, Target, read_ref


@frozen(kw_only=True)
class Site:
    """
    Everything that policies may name: *on* are the targets that are turned on, *lists* the sides of the
    user lists by name, *refusals* the warning lists that are there.
    """

    targets: Mapping[str, Target]
    on: Collection[str] = frozenset()
    bundles: Mapping[str, Bundle] = {}
    lists: Mapping[str, str] = {}
    policies: Mapping[str, PortalPolicy] = {}
    refusals: Collection[str] = frozenset()


@frozen(kw_only=True)
class Sides:
    """
    Targets and lists of each side, and targets that are named and turned off.
    """

    block: tuple[Ref, ...] = ()
    allow: tuple[Ref, ...] = ()
    off: tuple[str, ...] = ()


def sides(policy: PortalPolicy, site: Site) -> Sides:
    """What *policy* comes to now: a bundle follows what is turned on."""
    found: dict[Ref, None] = {}
    off = []
    for text in policy.block:
        ref = read_ref(text)
        if ref.kind is Kind.TARGET and ref.name not in site.on:
            off.append(ref.name)
        elif ref.kind is Kind.BUNDLE:
            found |= dict.fromkeys(members(ref.name, site))
        else:
            found[ref] = None
    return Sides(
        block=tuple(found), allow=tuple(read_ref(one) for one in policy.allow), off=tuple(off)
    )


def members(name: str, site: Site) -> Iterator[Ref]:
    """The targets that a bundle comes to now."""
    rule = Bundle() if name == ALL_ON else site.bundles.get(name)
    for one in sorted(site.on):
        target = site.targets.get(one)
        if rule is not None and target is not None and rule.takes(target):
            yield Ref(Kind.TARGET, one)


def used_targets(site: Site) -> set[str]:
    """Targets whose content any published policy needs: no others are fetched."""
    return {
        ref.name
        for policy in site.policies.values()
        if policy.on
        for ref in sides(policy, site).block
        if ref.kind is Kind.TARGET
    }


def users_of(site: Site, ref: Ref) -> list[str]:
    """What names *ref*: policies, and targets that are made of a list."""
    found = [f"policy {name}" for name, one in site.policies.items() if ref in one.refs()]
    if ref.kind is Kind.LIST:
        found += [f"target {name}" for name, one in site.targets.items() if ref.name in one.lists]
    return sorted(found)


def check_policy(name: str, policy: PortalPolicy, site: Site) -> None:
    """Raise `ItemFaulty` for a policy that cannot be published as it stands."""
    if not policy.block:
        raise ItemFaulty(
            f"policy {name!r} has no block side; name at least one part with --block, such as "
            "target:spamhaus-drop or list:own-block"
        )
    for ref in policy.refs():
        _check_known(ref, site)
    for text in policy.allow:
        ref = read_ref(text)
        if ref.kind is not Kind.LIST:
            raise ItemFaulty(
                f"{ref} cannot be on the allow side: a feed decides nothing about what is "
                "permitted; allowed: list:NAME"
            )
        _check_side(ref, ALLOW, site)
    for text in policy.block:
        ref = read_ref(text)
        if ref.kind is Kind.LIST:
            _check_side(ref, BLOCK, site)
    for one in policy.refuse:
        if one not in site.refusals:
            known = ", ".join(sorted(site.refusals)) or "none"
            raise ItemFaulty(f"there is no warning list {one!r}; known: {known}")
    if policy.block_name == policy.allow_name:
        raise ItemFaulty(f"policy {name!r} has the same name for its block and its allow list")
    for other, present in site.policies.items():
        same = {policy.block_name, policy.allow_name} & {present.block_name, present.allow_name}
        if other != name and same:
            raise ItemFaulty(f"policy {other!r} publishes {min(same)} already; use another name")


def _check_known(ref: Ref, site: Site) -> None:
    there: Collection[str] = {
        Kind.TARGET: site.targets,
        Kind.LIST: site.lists,
        Kind.BUNDLE: {*site.bundles, ALL_ON},
        Kind.POLICY: (),
    }[ref.kind]
    if ref.name not in there:
        raise ItemFaulty(f"there is no {ref.kind} {ref.name!r}; show them with `tsadmin portal`")


def _check_side(ref: Ref, side: str, site: Site) -> None:
    if site.lists[ref.name] != side:
        raise ItemFaulty(
            f"{ref} is a list to {site.lists[ref.name]} and cannot be on the {side} side"
        )


def check_target(name: str, target: Target, site: Site) -> None:
    """Raise `ItemFaulty` for a target that is made of nothing, or of lists that are not there."""
    if not target.feeds and not target.lists:
        raise ItemFaulty(f"target {name!r} has neither feeds nor lists; name at least one")
    if target.key_header and target.key_user:
        raise ItemFaulty(f"target {name!r} has both key_header and key_user; give one of them")
    for one in target.lists:
        _check_known(Ref(Kind.LIST, one), site)
        _check_side(Ref(Kind.LIST, one), BLOCK, site)
