"""
`tsadmin restore`: a backup checked, and put into a root directory.
"""

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

import click

from tscm.base.secrets import Secret
from tscm.cli import say
from tscm.cli.destructive import may_go_on, yes_option
from tscm.cli.session import Session
from tscm.plural import many

if TYPE_CHECKING:
    from tscm.backup.restore import Checked, Restored


@click.command()
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--check", is_flag=True, help="Only check the backup; restore nothing.")
@click.option(
    "--replace",
    is_flag=True,
    help="Replace a node that is there; its files are kept in folders before-restore-TIME.",
)
@click.option(
    "--as_new",
    is_flag=True,
    help="Become another installation, beside the one that made the backup.",
)
@click.option(
    "--passphrase_file",
    metavar="FILE",
    help="Read the passphrase from a file; - is standard input.",
)
@click.option("--no_secrets", is_flag=True, help="Restore without the passphrase and its secrets.")
@yes_option
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def command(
    session: Session,
    /,
    file: str,
    *,
    check: bool,
    replace: bool,
    as_new: bool,
    passphrase_file: str | None,
    no_secrets: bool,
    yes: bool,
    json_output: bool,
) -> int:
    """
    Restore a backup into the root directory, which has no node yet.

    The manager must be stopped.  All of the backup is checked before anything is changed.
    """
    from tscm.backup.restore import check_archive, read_head
    from tscm.base.safe_files import open_regular
    from tscm.cli.passphrases import present_passphrase
    from tscm.settings.owner import as_caller

    with as_caller():
        handle = open_regular(file)
    with os.fdopen(handle, "rb") as archive:
        head = read_head(file, archive)
        passphrase: Secret | None = None
        if head.salt is not None and not no_secrets:
            passphrase = present_passphrase(passphrase_file)
        checked = check_archive(file, archive, passphrase)
        _tell(file, checked, aside=json_output)
        if check:
            if json_output:
                say.as_json({"head": checked.head, "files": len(checked.manifest.members)})
            return 0
        question = (
            f"Restore into {session.layout.root} as a new installation?"
            if as_new
            else f"Is the manager on {head.host} stopped, and will it stay so?"
        )
        if not may_go_on(None, question, "nothing was restored", yes=yes, json_output=json_output):
            return 1
        done = _restored(session, file, archive, checked, replace=replace, as_new=as_new)
    if json_output:
        say.as_json({"head": checked.head, "files": done.files, "kept": list(map(str, done.kept))})
        return 0
    say.info(f"{many(done.files, 'file', 'files')} restored into {session.layout.root}")
    for folder in done.kept:
        say.info(f"The files that were there before are in {folder}")
    say.info("Start the manager; then check it with `tsadmin doctor`")
    if as_new:
        say.info(
            "The groups on the firewalls belong to the other installation: the first update "
            "needs --take_over"
        )
    return 0


def _tell(file: str, checked: "Checked", *, aside: bool) -> None:
    head = checked.head
    made = datetime.fromtimestamp(head.made_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    files = many(len(checked.manifest.members), "file", "files")
    say.info(
        f"{file} is complete: {files}, made by version {head.version} on {head.host} at {made}",
        aside=aside,
    )
    if not checked.authentic:
        say.warn(
            "the backup is not checked against a passphrase: nothing shows that it was not changed "
            "since it was made, and passwords must be entered again"
        )


def _restored(
    session: Session,
    file: str,
    archive: BinaryIO,
    checked: "Checked",
    *,
    replace: bool,
    as_new: bool,
) -> "Restored":
    from tscm.backup.restore import restore
    from tscm.settings.lock import RootLock
    from tscm.settings.owner import chown_to_owner

    layout, holder = session.layout, "tsadmin restore"
    with (
        chown_to_owner(layout),
        RootLock(layout.lock, holder),
        RootLock(layout.policy_lock, holder),
    ):
        done = restore(
            layout, file, archive, checked, now=time.time(), replace=replace, as_new=as_new
        )
        _audited(session, file, done, as_new=as_new)
    return done


def _audited(session: Session, file: str, done: "Restored", *, as_new: bool) -> None:
    """One entry in the audit of the node as it is now."""
    from tscm.errors import TscmError
    from tscm.faces.peer import user_name
    from tscm.store.audit_entry import AuditEntry
    from tscm.store.audits import Audits
    from tscm.store.database import Store, opened

    store = Store(session.layout.database)
    entry = AuditEntry(
        at=time.time(),
        actor=user_name(os.getuid()),
        uid=os.getuid(),
        operation="restore",
        device=None,
        arguments={"file": os.path.abspath(file), "as_new": as_new},  # noqa: PTH100 - as typed
        outcome="done",
        sentence=many(done.files, "file", "files"),
    )
    try:
        with opened(store):
            Audits(store).keep(entry)
    except TscmError as error:
        say.warn(f"the restore is not in the audit: {error}")
