"""
`tsadmin portal policies`, `targets`, `bundles` and `why`: what the embedded policy service publishes.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from tscm.cli import say
from tscm.cli.destructive import NotThere, may_go_on, yes_option
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.cli.tables import show_pairs, show_table
from tscm.operations.arguments import Nothing
from tscm.operations.portal_answers import BundleRow, PolicyRow, PortalDone, TargetRow
from tscm.operations.portal_arguments import (
    AddressAsked,
    HeldConfirmed,
    ItemKept,
    ItemNamed,
    TargetSwitched,
)
from tscm.operations.table.portal import (
    ADOPT_POLICY,
    CONFIRM_POLICY,
    DELETE_BUNDLE,
    DELETE_POLICY,
    DELETE_TARGET,
    KEEP_BUNDLE,
    KEEP_POLICY,
    KEEP_TARGET,
    PORTAL_BUNDLES,
    PORTAL_POLICIES,
    PORTAL_TARGETS,
    PORTAL_WHY,
    SWITCH_TARGET,
)

F = TypeVar("F", bound=Callable[..., Any])

json_option: Callable[[F], F] = click.option(
    "--json", "json_output", is_flag=True, help="Print the result as JSON."
)
version_option: Callable[[F], F] = click.option(
    "--version",
    type=int,
    metavar="NUMBER",
    help="Version that the change is based on; if there is another one, nothing changes.",
)


def _file(kind: str) -> Callable[[F], F]:
    return click.option(
        "--file", "file", type=click.File("rb"), required=True, help=f"The {kind} as TOML."
    )


@click.group("policies", invoke_without_command=True)
@json_option
@click.pass_context
def policies(ctx: click.Context, /, *, json_output: bool) -> None:
    """
    List the policies: what each blocks and permits, and how it is published.
    """
    if ctx.invoked_subcommand is not None:
        return
    found = ctx.obj.backend().call(PORTAL_POLICIES, Nothing())
    if json_output:
        say.as_json(found)
        return
    show_table(
        ("policy", "block", "allow", "entries", "published", "state"),
        (
            (
                one.name,
                " ".join(one.content.get("block", ())),
                " ".join(one.content.get("allow", ())),
                f"{one.block_entries:,} / {one.allow_entries:,}",
                "-" if one.published_at is None else when(one.published_at),
                _state(one),
            )
            for one in found.policies
        ),
    )
    for one in found.policies:
        for sentence in (one.held, one.fault):
            if sentence:
                say.warn(sentence)
        for held in one.held_back:
            say.warn(
                f"policy {one.name!r}: {held.cause} keeps {held.addresses:,} addresses out of "
                f"{held.entries:,} entries, such as {', '.join(held.examples)}"
            )
    for fault in found.faults:
        say.warn(fault)
    if found.shipped:
        show_table(
            ("shipped", "title", "fits"),
            (
                (one.name, one.content.get("title", ""), one.content.get("fits", ""))
                for one in found.shipped
            ),
        )


def _state(one: PolicyRow) -> str:
    if not one.content.get("on", True):
        return "off"
    if one.fault:
        return "failed"
    return "held" if one.held else "published" if one.published_at else "-"


@policies.command("set")
@click.argument("name")
@click.option("--block", multiple=True, metavar="PART", help="A part that is blocked: target:NAME.")
@click.option("--allow", multiple=True, metavar="PART", help="A list that is permitted: list:NAME.")
@click.option("--refuse", multiple=True, metavar="NAME", help="A warning list, never blocked.")
@click.option("--title", metavar="TEXT", help="Title.")
@click.option("--block_name", metavar="NAME", help="Name of the block list.")
@click.option("--allow_name", metavar="NAME", help="Name of the allow list.")
@click.option("--on/--off", default=None, help="Whether it is published.")
@version_option
@json_option
@click.pass_obj
def set_policy(
    session: Session, /, name: str, *, version: int | None, json_output: bool, **given: Any
) -> None:
    """
    Create a policy, or change what is given of it: PART is target:NAME, bundle:NAME or list:NAME.
    """
    backend = session.backend()
    found = backend.call(PORTAL_POLICIES, Nothing())
    present = next((one for one in found.policies if one.name == name.strip().lower()), None)
    content: dict[str, Any] = {} if present is None else dict(present.content)
    content |= {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in given.items()
        if value not in (None, ())
    }
    expected = version if version is not None else 0 if present is None else present.version
    _tell(
        backend.call(
            KEEP_POLICY, ItemKept(item=name, document={"content": content, "version": expected})
        ),
        json_output=json_output,
    )


@policies.command("adopt")
@click.argument("name")
@json_option
@click.pass_obj
def adopt(session: Session, /, name: str, *, json_output: bool) -> None:
    """
    Create one of the shipped policies; its targets stay off until you turn each on.
    """
    _tell(session.backend().call(ADOPT_POLICY, ItemNamed(item=name)), json_output=json_output)


@policies.command("confirm")
@click.argument("name")
@click.option(
    "--mark",
    required=True,
    metavar="MARK",
    help="What is held, as `tsadmin portal policies` prints it; nothing else is published.",
)
@json_option
@click.pass_obj
def confirm(session: Session, /, name: str, *, mark: str, json_output: bool) -> None:
    """
    Publish a policy that is held because it would empty or halve a list.
    """
    asked = HeldConfirmed(item=name, mark=mark)
    _tell(session.backend().call(CONFIRM_POLICY, asked), json_output=json_output)


@policies.command("delete")
@click.argument("name")
@yes_option
@json_option
@click.pass_obj
def delete_policy(session: Session, /, name: str, *, yes: bool, json_output: bool) -> int:
    """
    Delete a policy; its lists are not served any more.
    """
    backend = session.backend()
    _look("policy", "policies", name, backend.call(PORTAL_POLICIES, Nothing()).policies)
    question = f"Delete policy {name!r} and serve its lists no longer?"
    if not may_go_on(
        DELETE_POLICY, question, "the policy was not deleted", yes=yes, json_output=json_output
    ):
        return 1
    _tell(backend.call(DELETE_POLICY, ItemNamed(item=name)), json_output=json_output)
    return 0


@click.group("targets", invoke_without_command=True)
@json_option
@click.pass_context
def targets(ctx: click.Context, /, *, json_output: bool) -> None:
    """
    List the targets: sets of addresses with severity, threat and source; only what is on is fetched.
    """
    if ctx.invoked_subcommand is not None:
        return
    found = ctx.obj.backend().call(PORTAL_TARGETS, Nothing())
    if json_output:
        say.as_json(found)
        return
    show_table(
        ("target", "on", "severity", "threat", "traffic", "entries", "fetched", "used by", "title"),
        (
            (
                one.name,
                "on" if one.on else "-",
                one.content.get("severity", 3),
                one.content.get("threat", "other"),
                one.content.get("traffic", "both"),
                one.entries,
                "-" if one.good_at is None else when(one.good_at),
                ", ".join(one.used_by) or "-",
                one.content.get("title", ""),
            )
            for one in found.targets
        ),
    )
    for one in found.targets:
        if one.fault:
            say.warn(one.fault)


@targets.command("show")
@click.argument("name")
@json_option
@click.pass_obj
def show_target(session: Session, /, name: str, *, json_output: bool) -> int:
    """
    Show a target: terms, known false positives, feeds and bounds.
    """
    found = session.backend().call(PORTAL_TARGETS, Nothing())
    one = next((one for one in found.targets if one.name == name.strip().lower()), None)
    if one is None:
        say.error(f"there is no target {name!r}; list them with `tsadmin portal targets`")
        return 2
    if json_output:
        say.as_json(one)
        return 0
    pairs: list[tuple[str, Any]] = [
        (key.replace("_", " "), value) for key, value in one.content.items() if key != "feeds"
    ]
    show_pairs([("target", one.name), ("on", "yes" if one.on else "no"), *pairs])
    show_pairs([("entries", f"{one.entries:,}"), ("left out", "; ".join(one.left_out) or "-")])
    for feed in one.content.get("feeds", ()):
        show_pairs([(key.replace("_", " "), value) for key, value in feed.items()])
    return 0


@targets.command("on")
@click.argument("name")
@click.option("--accept_terms", is_flag=True, help="Accept the terms that `targets show` prints.")
@json_option
@click.pass_obj
def turn_on(session: Session, /, name: str, *, accept_terms: bool, json_output: bool) -> None:
    """
    Turn a target on: from now on its feeds are fetched, if a policy uses it.
    """
    args = TargetSwitched(item=name, accept_terms=accept_terms)
    _tell(session.backend().call(SWITCH_TARGET, args), json_output=json_output)


@targets.command("off")
@click.argument("name")
@json_option
@click.pass_obj
def turn_off(session: Session, /, name: str, *, json_output: bool) -> None:
    """
    Turn a target off: it is not fetched any more, and its entries leave the policies.
    """
    args = TargetSwitched(item=name, on=False)
    _tell(session.backend().call(SWITCH_TARGET, args), json_output=json_output)


@targets.command("set")
@click.argument("name")
@_file("target")
@version_option
@json_option
@click.pass_obj
def set_target(
    session: Session, /, name: str, *, file: Any, version: int | None, json_output: bool
) -> None:
    """
    Create or replace a target from a TOML file; `targets show` names its fields.
    """
    args = ItemKept(item=name, document={"content": _table(file), "version": version})
    _tell(session.backend().call(KEEP_TARGET, args), json_output=json_output)


@targets.command("delete")
@click.argument("name")
@yes_option
@json_option
@click.pass_obj
def delete_target(session: Session, /, name: str, *, yes: bool, json_output: bool) -> int:
    """
    Delete a target that is not shipped and that no policy uses.
    """
    backend = session.backend()
    found = backend.call(PORTAL_TARGETS, Nothing()).targets
    _look("target", "targets", name, [one for one in found if not one.shipped])
    if not may_go_on(
        DELETE_TARGET,
        f"Delete target {name!r}?",
        "the target was not deleted",
        yes=yes,
        json_output=json_output,
    ):
        return 1
    _tell(backend.call(DELETE_TARGET, ItemNamed(item=name)), json_output=json_output)
    return 0


@click.group("bundles", invoke_without_command=True)
@json_option
@click.pass_context
def bundles(ctx: click.Context, /, *, json_output: bool) -> None:
    """
    List the bundles: rules over attributes, and the targets that they come to.
    """
    if ctx.invoked_subcommand is not None:
        return
    found = ctx.obj.backend().call(PORTAL_BUNDLES, Nothing())
    if json_output:
        say.as_json(found)
        return
    show_table(
        ("bundle", "rule", "targets"),
        (
            (
                one.name,
                ", ".join(f"{key} {_shown(value)}" for key, value in one.content.items()),
                ", ".join(one.targets) or "-",
            )
            for one in found.bundles
        ),
    )


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@bundles.command("set")
@click.argument("name")
@_file("bundle")
@version_option
@json_option
@click.pass_obj
def set_bundle(
    session: Session, /, name: str, *, file: Any, version: int | None, json_output: bool
) -> None:
    """
    Create or replace a bundle from a TOML file, with min_severity, min_confidence, threats, traffic.
    """
    args = ItemKept(item=name, document={"content": _table(file), "version": version})
    _tell(session.backend().call(KEEP_BUNDLE, args), json_output=json_output)


@bundles.command("delete")
@click.argument("name")
@yes_option
@json_option
@click.pass_obj
def delete_bundle(session: Session, /, name: str, *, yes: bool, json_output: bool) -> int:
    """
    Delete a bundle that no policy uses.
    """
    backend = session.backend()
    found = backend.call(PORTAL_BUNDLES, Nothing()).bundles
    _look("bundle", "bundles", name, [one for one in found if one.version])
    if not may_go_on(
        DELETE_BUNDLE,
        f"Delete bundle {name!r}?",
        "the bundle was not deleted",
        yes=yes,
        json_output=json_output,
    ):
        return 1
    _tell(backend.call(DELETE_BUNDLE, ItemNamed(item=name)), json_output=json_output)
    return 0


def _look(
    kind: str, plural: str, name: str, own: Iterable[PolicyRow | TargetRow | BundleRow]
) -> None:
    """Raise `NotThere` where *own*, those that can be deleted, have none of that name."""
    if name.strip().lower() not in {one.name for one in own}:
        raise NotThere(
            f"there is no {kind} of yours named {name[:70]!r}; list them with `tsadmin portal {plural}`"
        )


@click.command("why")
@click.argument("address")
@json_option
@click.pass_obj
def why(session: Session, /, address: str, *, json_output: bool) -> None:
    """
    Show which target, list and author of which policy holds an address or network.
    """
    found = session.backend().call(PORTAL_WHY, AddressAsked(address=address))
    if json_output:
        say.as_json(found)
        return
    if not found.holders and not found.lists:
        say.info(f"No policy and no user list holds {address}")
        return
    if found.holders:
        show_table(
            ("policy", "side", "part", "feeds", "entries", "severity", "threat", "title"),
            (
                (
                    one.policy,
                    one.side,
                    one.part,
                    ", ".join(one.feeds) or "-",
                    ", ".join(one.entries),
                    "-" if one.severity is None else one.severity,
                    one.threat or "-",
                    one.title or "-",
                )
                for one in found.holders
            ),
        )
    if found.lists:
        show_table(
            ("list", "entry", "by", "added", "until", "comment"),
            (
                (
                    one.list_name,
                    one.network,
                    one.who,
                    when(one.made_at),
                    "-" if one.until is None else when(one.until),
                    one.comment,
                )
                for one in found.lists
            ),
        )


def _table(file: Any) -> Mapping[str, Any]:
    """What a TOML file holds.  Raises a usage error for what is none."""
    import tomllib

    try:
        return tomllib.loads(file.read(1 << 20).decode())
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{file.name} is not TOML: {error}") from None


def _tell(done: PortalDone, *, json_output: bool) -> None:
    if json_output:
        say.as_json(done)
    else:
        say.info(f"{done.sentence[0].upper()}{done.sentence[1:]}")
