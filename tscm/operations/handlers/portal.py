"""
Operations on targets, bundles and policies: checked against the whole site, stored, and published at once.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import evolve

from tscm.base.clock import wall_seconds
from tscm.manager.node import Node, parts
from tscm.model import Json
from tscm.operations.arguments import Nothing
from tscm.operations.call import Call
from tscm.operations.portal_answers import (
    BundleRow,
    BundleRows,
    PolicyHolders,
    PolicyRow,
    PolicyRows,
    PortalDone,
    TargetRow,
    TargetRows,
)
from tscm.operations.portal_arguments import (
    AddressAsked,
    HeldConfirmed,
    ItemKept,
    ItemNamed,
    TargetSwitched,
)
from tscm.operations.registry import handles
from tscm.operations.table import portal as table
from tscm.plural import many
from tscm.policy.cidr import CidrSet
from tscm.policy.user_lists import cidrs_of, read_network
from tscm.portal.items import (
    ALL_ON,
    Bundle,
    ItemFaulty,
    Kind,
    PortalPolicy,
    Ref,
    Target,
    as_table,
    item_name,
    queries_mark,
    read_item,
    shown_table,
    with_queries,
)
from tscm.portal.published_files import published_file
from tscm.portal.publishing import PolicyState, Published
from tscm.portal.resolving import Site, check_policy, check_target, members, users_of
from tscm.portal.site import Stored, catalogue, stored_site
from tscm.portal.sources import TargetState
from tscm.settings.values import shown
from tscm.store.portal_items import ItemChanged, PortalItems
from tscm.store.user_list_values import Who
from tscm.store.user_lists import UserLists


async def publish_now(node: Node) -> Published | None:
    """What is published after a change; None without a manager, which publishes at its start."""
    manager = node.manager
    if manager is None or manager.publisher is None:
        return None
    await manager.publisher.look()
    return manager.publisher.state


def publication_fault(node: Node) -> str:
    """Why nothing could be published at the last look, as the end of a sentence; empty where it could."""
    manager = node.manager
    fault = "" if manager is None or manager.publisher is None else manager.publisher.fault
    return f"; it is not published yet: {fault}" if fault else ""


def used_by(database: Path, list_name: str) -> list[str]:
    """What names a user list.  Blocking."""
    return users_of(stored_site(database).site, Ref(Kind.LIST, list_name))


async def _site(node: Node) -> Stored:
    found: Stored = await node.slow.run(stored_site, node.layout.database)
    return found


def _state(node: Node) -> Published:
    manager = node.manager
    return Published() if manager is None or manager.publisher is None else manager.publisher.state


@handles(table.PORTAL_POLICIES)
async def portal_policies(node: Node, args: Nothing, call: Call) -> PolicyRows:
    """All policies and how they stand."""
    del args, call
    stored, state = await _site(node), _state(node)
    items = stored.items.get("policy", {})
    rows = []
    for name, policy in stored.site.policies.items():
        now = state.policies.get(name, PolicyState())
        rows.append(
            PolicyRow(
                name=name,
                content=as_table(policy),
                version=items[name].version,
                block_entries=now.block_entries,
                allow_entries=now.allow_entries,
                published_at=now.published_at,
                held=now.held,
                held_mark=now.held_mark,
                fault=now.fault,
                off=now.off,
                held_back=now.held_back,
            )
        )
    shipped = tuple(
        PolicyRow(name=name, content=as_table(policy))
        for name, policy in catalogue().policies.items()
        if name not in stored.site.policies
    )
    return PolicyRows(policies=tuple(rows), shipped=shipped, faults=stored.faults)


@handles(table.PORTAL_TARGETS)
async def portal_targets(node: Node, args: Nothing, call: Call) -> TargetRows:
    """All targets, shipped and own."""
    del args, call
    stored, state = await _site(node), _state(node)
    own, shipped = stored.items.get("target", {}), catalogue().targets
    rows = []
    for name, target in sorted(stored.site.targets.items()):
        now = state.targets.get(name, TargetState())
        rows.append(
            TargetRow(
                name=name,
                content=shown_table(target),
                queries=queries_mark(as_table(target)),
                version=own[name].version if name in own else 0,
                shipped=name in shipped,
                on=name in stored.site.on,
                used_by=tuple(users_of(stored.site, Ref(Kind.TARGET, name))),
                entries=len(now.entries),
                good_at=now.good_at,
                left_out=now.left_out(),
                fault=now.fault,
            )
        )
    return TargetRows(targets=tuple(rows))


@handles(table.PORTAL_BUNDLES)
async def portal_bundles(node: Node, args: Nothing, call: Call) -> BundleRows:
    """All bundles and what they come to."""
    del args, call
    stored = await _site(node)
    items = stored.items.get("bundle", {})
    found = {ALL_ON: Bundle(title="Every target that is turned on"), **stored.site.bundles}
    return BundleRows(
        bundles=tuple(
            BundleRow(
                name=name,
                content=as_table(bundle),
                version=items[name].version if name in items else 0,
                targets=tuple(one.name for one in members(name, stored.site)),
            )
            for name, bundle in found.items()
        )
    )


@handles(table.KEEP_POLICY)
async def keep_policy(node: Node, args: ItemKept, call: Call) -> PortalDone:
    """Make or change a policy."""
    name = item_name(args.item)

    def check(content: Json, site: Site) -> PortalPolicy:
        policy = read_item(PortalPolicy, content, f"policy {name!r}")
        policy = evolve(
            policy,
            block_name=policy.block_name or f"block.{name}.tscm.internal",
            allow_name=policy.allow_name or f"allow.{name}.tscm.internal",
        )
        check_policy(name, policy, site)
        _refuse_files(node, policy)
        return policy

    return await _keep(node, call, Kind.POLICY, name, document=args.document, check=check)


@handles(table.ADOPT_POLICY)
async def adopt_policy(node: Node, args: ItemNamed, call: Call) -> PortalDone:
    """Make a policy of a shipped pattern; its targets stay off until each is turned on."""
    name = item_name(args.item)
    policy = catalogue().policies.get(name)
    if policy is None:
        known = ", ".join(catalogue().policies)
        raise ItemFaulty(f"no policy {name!r} is shipped; known: {known}")
    _refuse_files(node, policy)
    document = {"content": as_table(policy), "version": 0}

    def check(_: Json, site: Site) -> PortalPolicy:
        check_policy(name, policy, site)
        return policy

    done = await _keep(node, call, Kind.POLICY, name, document=document, check=check)
    site = (await _site(node)).site
    off = [one.name for one in policy.refs() if one.kind is Kind.TARGET and one.name not in site.on]
    if not off:
        return done
    sentence = (
        f"{done.sentence}; nothing is fetched until you turn its targets on: {', '.join(off)}"
    )
    return evolve(done, sentence=sentence)


@handles(table.KEEP_TARGET)
async def keep_target(node: Node, args: ItemKept, call: Call) -> PortalDone:
    """Make or change a target."""
    name = item_name(args.item)
    if name in catalogue().targets:
        raise ItemFaulty(f"target {name!r} is shipped and cannot be changed; use another name")

    def check(content: Json, site: Site) -> Target:
        whole = with_queries(content, site.targets.get(name))
        target = read_item(Target, whole, f"target {name!r}")
        check_target(name, target, site)
        return target

    return await _keep(node, call, Kind.TARGET, name, document=args.document, check=check)


@handles(table.KEEP_BUNDLE)
async def keep_bundle(node: Node, args: ItemKept, call: Call) -> PortalDone:
    """Make or change a bundle."""
    name = item_name(args.item)
    if name == ALL_ON:
        raise ItemFaulty(f"bundle {name!r} cannot be changed; use another name")
    return await _keep(
        node,
        call,
        Kind.BUNDLE,
        name,
        document=args.document,
        check=lambda content, _: read_item(Bundle, content, f"bundle {name!r}"),
    )


@handles(table.SWITCH_TARGET)
async def switch_target(node: Node, args: TargetSwitched, call: Call) -> PortalDone:
    """Turn a target on or off; its terms must be accepted first."""
    node.hold()
    name = item_name(args.item)
    target = (await _site(node)).site.targets.get(name)
    if target is None:
        raise ItemFaulty(f"there is no target {name!r}; show them with `tsadmin portal targets`")
    if args.on and target.terms and not args.accept_terms:
        raise ItemFaulty(
            f"{target.publisher or name} asks: {target.terms}; if you agree, repeat the command "
            "with --accept_terms"
        )
    kept = await _stored(node, call, "switch", name, content={"on": args.on})
    if args.on and node.manager is not None and node.manager.publisher is not None:
        await node.manager.publisher.refresh()
    state = await publish_now(node)
    word = "on" if args.on else "off"
    told = ""
    if args.on and state is not None and name in state.targets:
        now = state.targets[name]
        told = f"; {now.fault}" if now.fault else f"; it has {_entries(len(now.entries))}"
    return PortalDone(item=name, version=kept, sentence=f"target {name!r} is turned {word}{told}")


@handles(table.CONFIRM_POLICY)
async def confirm_policy(node: Node, args: HeldConfirmed, call: Call) -> PortalDone:
    """Publish what is held because it empties or halves a list, and nothing that came since it was read."""
    del call
    name = item_name(args.item)
    publisher = parts(node).publisher
    if publisher is None or name not in publisher.state.policies:
        raise ItemFaulty(f"there is no policy {name!r}; show them with `tsadmin portal policies`")
    await publisher.look((name, args.mark))
    state = publisher.state.policies.get(name, PolicyState())
    if state.held_mark and state.held_mark != args.mark:
        raise ItemFaulty(
            f"policy {name!r} is not published: it is no longer what {shown(args.mark)} stands for.  "
            f"Now: {state.held}"
        )
    if state.held or state.fault or publisher.fault:
        raise ItemFaulty(state.held or state.fault or publisher.fault)
    return PortalDone(item=name, sentence=f"policy {name!r} is published: {_told(state)}")


@handles(table.DELETE_POLICY)
async def delete_policy(node: Node, args: ItemNamed, call: Call) -> PortalDone:
    """Forget a policy and serve its lists no longer; firewalls keep what they have."""
    del call
    node.hold()
    name = item_name(args.item)
    policy = (await _site(node)).site.policies.get(name)
    if policy is None:
        raise ItemFaulty(f"there is no policy {name!r}; show them with `tsadmin portal policies`")

    def gone() -> None:
        items = PortalItems(node.layout.database)
        items.delete("policy", name)
        with suppress(ItemChanged):  # it was never published
            items.delete("published", name)

    await node.write(gone)
    await publish_now(node)
    return PortalDone(
        item=name,
        sentence=(
            f"policy {name!r} deleted; {policy.block_name} and {policy.allow_name} are not served "
            "any more, and devices that use them keep what they have"
        ),
    )


@handles(table.DELETE_TARGET)
async def delete_target(node: Node, args: ItemNamed, call: Call) -> PortalDone:
    """Forget a target that operators made."""
    return await _deleted(node, call, Kind.TARGET, args.item)


@handles(table.DELETE_BUNDLE)
async def delete_bundle(node: Node, args: ItemNamed, call: Call) -> PortalDone:
    """Forget a bundle."""
    return await _deleted(node, call, Kind.BUNDLE, args.item)


@handles(table.PORTAL_WHY)
async def portal_why(node: Node, args: AddressAsked, call: Call) -> PolicyHolders:
    """Which target, feed, list and author holds an address."""
    del call
    name, _, _ = read_network(args.address, wide=True)
    state = _state(node)

    def look() -> PolicyHolders:
        network = CidrSet.of_texts(cidrs_of(name))
        lists = UserLists(node.layout.database).holding(args.address, wall_seconds(node.clock))
        return PolicyHolders(holders=state.holders(network), lists=lists)

    found: PolicyHolders = await node.slow.run(look)
    return found


async def _deleted(node: Node, call: Call, kind: Kind, item: str) -> PortalDone:
    del call
    node.hold()
    name = item_name(item)
    users = users_of((await _site(node)).site, Ref(kind, name))
    if users:
        raise ItemFaulty(f"{kind} {name!r} is used by {', '.join(users)}; take it out there first")

    def gone() -> None:
        items = PortalItems(node.layout.database)
        items.delete(str(kind), name)
        if kind is Kind.TARGET:
            with suppress(ItemChanged):  # it was never turned on; another of its name begins off
                items.delete("switch", name)

    await node.write(gone)
    await publish_now(node)
    return PortalDone(item=name, sentence=f"{kind} {name!r} deleted")


async def _keep(
    node: Node,
    call: Call,
    kind: Kind,
    name: str,
    *,
    document: Mapping[str, Any],
    check: Callable[[Json, Site], Any],
) -> PortalDone:
    node.hold()
    content, version = document.get("content"), document.get("version")
    if not isinstance(content, dict) or not (version is None or type(version) is int):
        raise ItemFaulty(f"{kind} {name!r}: content and version are expected")
    item = check(content, (await _site(node)).site)
    kept = await _stored(node, call, str(kind), name, content=as_table(item), version=version)
    state = await publish_now(node)
    told = ""
    if state is not None and kind is Kind.POLICY and name in state.policies:
        now = state.policies[name]
        told = f"; {now.held or now.fault or _told(now)}"
    told = publication_fault(node) or told
    return PortalDone(
        item=name, version=kept, sentence=f"{kind} {name!r} is stored as version {kept}{told}"
    )


async def _stored(
    node: Node,
    call: Call,
    kind: str,
    name: str,
    *,
    content: Mapping[str, Any],
    version: int | None = None,
) -> int:
    who = Who(name=str(call.actor), at=wall_seconds(node.clock))
    keep = PortalItems(node.layout.database).keep

    def write() -> int:
        return keep(kind, name, content, who, version=version).version

    kept: int = await node.write(write)
    call.noted.update(kind=kind, version=kept)
    return kept


def _told(state: PolicyState) -> str:
    return f"{state.block_entries:,} block and {state.allow_entries:,} allow entries"


def _entries(count: int) -> str:
    return many(count, "entry", "entries")


def _refuse_files(node: Node, policy: PortalPolicy) -> None:
    """Raise `ItemFaulty` where an operator's file has the name of one of the lists."""
    for name in (policy.block_name, policy.allow_name):
        file = node.layout.portal / "lists" / f"{name}.txt"
        if file.exists() and not published_file(node.layout.portal, name).exists():
            raise ItemFaulty(f"{name} is the name of a file list, {file}; use another name")
