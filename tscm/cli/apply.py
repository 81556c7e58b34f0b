"""
`tsadmin apply`: a site as a file says, and the plan of it.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import click

from tscm.base.safe_files import read_regular
from tscm.cli import say
from tscm.cli.plan import CHANGES
from tscm.cli.session import Session
from tscm.cli.site_file import SITE_BYTES, SiteFaulty, SiteFile, read_site
from tscm.cli.site_plan import ListChange, Present, Step, normal, steps
from tscm.faces.backend import Backend
from tscm.operations.arguments import Nothing
from tscm.operations.entry_answers import EntryRow
from tscm.operations.entry_arguments import EntryAdded, EntryChanged
from tscm.operations.list_arguments import ListEdited, NewList, TextChecked
from tscm.operations.portal_arguments import ItemKept, TargetSwitched
from tscm.operations.table.portal import (
    KEEP_BUNDLE,
    KEEP_POLICY,
    KEEP_TARGET,
    PORTAL_BUNDLES,
    PORTAL_POLICIES,
    PORTAL_TARGETS,
    SWITCH_TARGET,
)
from tscm.operations.table.portal_entries import ADD_ENTRY, CHANGE_ENTRY, PORTAL_ENTRIES
from tscm.operations.table.user_lists import CHECK_TEXT, CREATE_LIST, EDIT_LIST, LISTS
from tscm.plural import many
from tscm.portal.items import Bundle, PortalPolicy, Target, without_queries
from tscm.printable import visible


@click.command()
@click.option(
    "-f",
    "--file",
    "file",
    required=True,
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="YAML file that says how the site is to be; - reads standard input.",
)
@click.option("--plan", "only_plan", is_flag=True, help="Show what would change; change nothing.")
@click.option(
    "--detailed_exitcode",
    is_flag=True,
    help="With --plan, exit with status 2 if there are changes, otherwise with 0.",
)
@click.option("--accept_shrink", is_flag=True, help="Accept edits that empty or halve a user list.")
@click.option("--reason", default="", help="Reason, for the versions of lists.")
@click.option("--json", "json_output", is_flag=True, help="Print the steps as JSON.")
@click.pass_obj
def command(
    session: Session,
    /,
    file: str,
    *,
    only_plan: bool,
    detailed_exitcode: bool,
    accept_shrink: bool,
    reason: str,
    json_output: bool,
) -> int:
    """
    Bring device entries, lists, targets, bundles and policies to what a file says.

    What the file does not name stays as it is.  Everything is checked before anything is changed, and a second run
    changes nothing.
    """
    if detailed_exitcode and not only_plan:
        raise click.UsageError("--detailed_exitcode is for --plan; give both")
    wanted = read_site(_content(file), time.time())
    backend = session.backend()
    present = _present(backend, wanted)
    found = steps(wanted, present)
    keys: dict[str, str] = {}
    if not json_output:
        for step in found:
            for sign, line in step.lines:
                say.change(sign, f"{sign} {visible(line)}")
    if not only_plan:
        done = _Carrying(backend, wanted, present.entries, shrink=accept_shrink, reason=reason)
        for number, step in enumerate(found):
            try:
                keys |= done.carry_out(step)
            except Exception:
                if keys:  # they are told once, and those entries stand
                    _tell(found[:number], keys, json_output=json_output)
                say.warn(
                    f"{many(number, 'step', 'steps')} of {len(found)} done; repeat the command"
                )
                raise
    if not json_output:
        told = f"{many(len(found), 'step', 'steps')}" if found else "no changes"
        say.info(f"plan: {told}" if only_plan else f"applied: {told}")
    _tell(found, keys, json_output=json_output)
    return CHANGES if only_plan and detailed_exitcode and found else 0


def _tell(taken: Sequence[Step], keys: Mapping[str, str], *, json_output: bool) -> None:
    """The steps as JSON, or the device keys alone: the plan was told before."""
    if json_output:
        say.as_json({"steps": [attrs.asdict(one) for one in taken], "device_keys": dict(keys)})
        return
    for name, key in keys.items():
        say.info(f"device key of {name}, not shown again: {key}")


def _content(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read(SITE_BYTES + 1)
    try:
        return read_regular(Path(file), SITE_BYTES + 1)
    except ValueError as error:
        raise SiteFaulty((f"{file}: {error}",)) from None


def _entry_of(row: EntryRow) -> Any:
    """An entry with what a file may say of it."""
    from tscm.services.entries import PortalEntry

    return PortalEntry(
        nickname=row.nickname,
        device_id=row.device_id,
        block_list=row.block_list,
        allow_list=row.allow_list,
        address=row.address,
        domain=row.domain,
        note=row.note,
        notify_port=row.notify_port,
        manufacturer=row.manufacturer,
        model=row.model,
        integration=row.integration,
        policy=row.policy,
        location=row.location,
    )


def _check_entry(name: str, wanted: Mapping[str, Any], row: EntryRow | None) -> None:
    """Raise `SettingsFaulty` where fields or settings would be rejected."""
    from tscm.pairing.book import document_of
    from tscm.services.entries import entry_with

    fields = {key: one for key, one in wanted.items() if key != "settings"}
    entry = entry_with(name, fields, None if row is None else _entry_of(row))
    present = {} if row is None else row.settings
    after = {**present, **wanted.get("settings", {})}
    after = {key: one for key, one in after.items() if one is not None}
    if after:
        document_of(entry, after)


def _present(backend: Backend, wanted: SiteFile) -> Present:
    """What there is of the kinds that the file names."""
    entries: dict[str, Any] = {}
    if wanted.entries:
        found = backend.call(PORTAL_ENTRIES, Nothing())
        if found.faults:
            raise SiteFaulty(found.faults)
        known = {one.nickname: one for one in found.entries}
        for name, fields in wanted.entries.items():
            _check_entry(name, fields, known.get(name))
        entries = {
            name: {**_entry_of(one).as_json(), "settings": one.settings, "revision": one.revision}
            for name, one in known.items()
        }
    lists = {one.name: one.side for one in backend.call(LISTS, Nothing()).lists if not one.by_hand}
    targets = backend.call(PORTAL_TARGETS, Nothing()).targets
    bundles = backend.call(PORTAL_BUNDLES, Nothing()).bundles
    policies = backend.call(PORTAL_POLICIES, Nothing()).policies
    changes = {}
    for name, one in wanted.lists.items():
        if name in lists and one.text is not None:
            read = backend.call(CHECK_TEXT, _text(TextChecked, name, one.text))
            changes[name] = ListChange(added=read.added, removed=read.removed, changed=read.changed)
    return Present(
        entries=entries,
        lists=lists,
        changes=changes,
        targets={one.name: normal(Target, without_queries(one.content)) for one in targets},
        queries={one.name: one.queries for one in targets},
        on=frozenset(one.name for one in targets if one.on),
        bundles={one.name: normal(Bundle, one.content) for one in bundles},
        policies={one.name: normal(PortalPolicy, one.content) for one in policies},
    )


def _text(cls: type[Any], name: str, text: str, **more: Any) -> Any:
    return cls(list_name=name, text=text, mode="replace", **more)


@attrs.define(eq=False)
class _Carrying:
    """Carries steps out, one after the other."""

    _backend: Backend
    _wanted: SiteFile
    _entries: Mapping[str, Mapping[str, Any]]
    """As the plan saw them."""
    _shrink: bool = attrs.field(kw_only=True)
    _reason: str = attrs.field(kw_only=True)

    def carry_out(self, step: Step) -> dict[str, str]:
        """One step; gives device keys that were made.  Raises `TscmError`."""
        name, call = step.name, self._backend.call
        if step.kind == "list":
            one = self._wanted.lists[name]
            if step.did == "create":
                call(CREATE_LIST, NewList(list_name=name, side=one.side, note=one.note))
            else:
                more = {"reason": self._reason, "shrink": self._shrink}
                call(EDIT_LIST, _text(ListEdited, name, one.text or "", **more))
        elif step.did == "switch":
            target = self._wanted.targets[name]
            asked = TargetSwitched(
                item=name, on=target.on is True, accept_terms=target.accept_terms
            )
            call(SWITCH_TARGET, asked)
        elif step.kind == "target":
            self._keep(KEEP_TARGET, name, self._wanted.targets[name].content)
        elif step.kind == "bundle":
            self._keep(KEEP_BUNDLE, name, self._wanted.bundles[name])
        elif step.kind == "policy":
            self._keep(KEEP_POLICY, name, self._wanted.policies[name])
        else:
            return self._entry(step)
        return {}

    def _keep(self, operation: Any, name: str, content: Any) -> None:
        self._backend.call(operation, ItemKept(item=name, document={"content": dict(content)}))

    def _entry(self, step: Step) -> dict[str, str]:
        fields = dict(self._wanted.entries[step.name])
        settings = dict(fields.pop("settings", {}))
        if step.did == "change":
            revision = self._entries[step.name]["revision"]  # no other user's change is undone
            asked = EntryChanged(
                item=step.name, fields=fields, settings=settings, revision=revision
            )
            self._backend.call(CHANGE_ENTRY, asked)
            return {}
        new = EntryAdded(item=step.name, fields=fields, settings=settings)
        made = self._backend.call(ADD_ENTRY, new)
        return {step.name: made.device_key} if made.device_key else {}
