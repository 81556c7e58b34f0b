"""
`tsadmin portal`: device entries of the embedded policy and log service.
"""

import click
from click.shell_completion import CompletionItem

from tscm.cli import say
from tscm.cli.destructive import may_go_on, yes_option
from tscm.cli.portal_policies import bundles, policies, targets, why
from tscm.cli.session import Session
from tscm.cli.tables import show_pairs, show_table
from tscm.errors import TscmError
from tscm.printable import visible
from tscm.settings.owner import chown_to_owner


class Nickname(click.ParamType[str]):
    """The nickname of an entry.  Whether there is one is for those to say who read it."""

    name = "nickname"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Nicknames of the entries on disk."""
        from tscm.cli.names import layout_of
        from tscm.services.entries import entries_folder

        del param
        try:
            folder = entries_folder(layout_of(ctx).portal)
            names = sorted(one.stem for one in folder.iterdir() if one.suffix == ".toml")
        except OSError:
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


@click.group()
def command() -> None:
    """
    The embedded services: device entries, and the policies that are published.

    An entry registers an address with the policy service and a device ID with the log service.
    """


for _one in (policies, targets, bundles, why):
    command.add_command(_one)


@command.command("add")
@click.argument("nickname")
@click.option("--address", metavar="ADDRESS", help="Public address (IP type static).")
@click.option("--domain", metavar="NAME", help="Domain name to resolve (IP type dynamic).")
@click.option(
    "--block_list", metavar="NAME", help="Block list name.  [default: derived from NICKNAME]"
)
@click.option(
    "--allow_list", metavar="NAME", help="Allow list name.  [default: derived from NICKNAME]"
)
@click.option("--note", default="", help="Note.")
@click.option(
    "--notify_port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="UDP port of the manager's [policy] notify, to which changes of its lists are told.",
)
@click.option("--json", "json_output", is_flag=True, help="Print the entry as JSON.")
@click.pass_obj
def add(
    session: Session,
    /,
    nickname: str,
    *,
    address: str | None,
    domain: str | None,
    block_list: str | None,
    allow_list: str | None,
    note: str,
    notify_port: int | None,
    json_output: bool,
) -> None:
    """
    Register a device: hands out device ID, device key and list names.

    The device key is shown this once; only its digest is kept.
    """
    from tscm.services.entries import add_entry, list_file

    portal = session.layout.portal
    with chown_to_owner(session.layout):
        entry = add_entry(
            portal,
            nickname=nickname,
            address=address,
            domain=domain,
            block_list=block_list,
            allow_list=allow_list,
            note=note,
            notify_port=notify_port,
        )
    key = entry.device_key.reveal() if entry.device_key else ""
    if json_output:
        tsig = {"tsig_name": entry.tsig_name, "tsig_key": entry.tsig_secret}
        say.as_json({**entry.as_json(), "device_key": key, **tsig})
        return
    say.info(f"Entry {entry.nickname} registered")
    show_pairs(
        [
            ("Device ID (tdid)", entry.device_id),
            ("Device key", key),
            ("TSIG key name", entry.tsig_name),
            ("TSIG key", entry.tsig_secret or "-"),
            ("Block list name", entry.block_list),
            ("Allow list name", entry.allow_list),
            ("IP type", f"{entry.ip_type} {entry.address or entry.domain}"),
            ("Block list file", str(list_file(portal, entry.block_list))),
            ("Allow list file", str(list_file(portal, entry.allow_list))),
        ]
    )
    say.info(
        "The device key is not shown again; give it to `tsadmin add` with --upload_key - "
        "or --upload_key_file, unless the logs go to this manager's own log service"
    )


@command.command("list")
@click.option("--json", "json_output", is_flag=True, help="Print the entries as JSON.")
@click.pass_obj
def list_entries(session: Session, /, *, json_output: bool) -> int:
    """
    List the entries.
    """
    from tscm.services.entries import read_entries

    found, faults = read_entries(session.layout.portal)
    rows = [entry.as_json() for entry in found]
    if json_output:
        say.as_json(rows)
    elif rows:
        heads = (
            "nickname",
            "device_id",
            "ip_type",
            "address",
            "domain",
            "block_list",
            "allow_list",
            "note",
        )
        show_table(
            [head.replace("_", " ") for head in heads],
            [[row[head] for head in heads] for row in rows],
        )
    elif not faults:
        say.info("No entries yet; add one with `tsadmin portal add` (`tsadmin portal add --help`)")
    return _told(faults)


@command.command("remove")
@click.argument("nickname", type=Nickname())
@yes_option
@click.pass_obj
def remove(session: Session, /, nickname: str, *, yes: bool) -> int:
    """
    Remove an entry: its address and device ID are rejected from now on.  Lists and uploads are
    kept.
    """
    from tscm.services.entries import entry_file, remove_entry

    entry_file(session.layout.portal, nickname)  # an entry that is not there is not asked about
    question, kept = f"Remove entry {visible(nickname)}?", f"entry {visible(nickname)} not removed"
    if not may_go_on(None, question, kept, yes=yes):
        return 1
    remove_entry(session.layout.portal, nickname)
    say.info(f"Entry {nickname} removed; a new entry has a new device ID")
    return 0


def _told(faults: list[TscmError]) -> int:
    for fault in faults:
        say.error(str(fault))
    return 2 if faults else 0
