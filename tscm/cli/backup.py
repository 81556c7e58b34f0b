"""
`tsadmin backup`: one file with everything that makes this node.
"""

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from tscm import __version__
from tscm.cli import say
from tscm.cli.session import Session
from tscm.model import Progress
from tscm.plural import many


@click.command()
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--logs", is_flag=True, help="Include the lines of the logs.")
@click.option("--uploads", is_flag=True, help="Include uploads stored by the embedded log service.")
@click.option(
    "--passphrase_file",
    metavar="FILE",
    help="Read the passphrase from a file; - is standard input.",
)
@click.option(
    "--no_secrets",
    is_flag=True,
    help="Leave out the sealing key and private keys, and ask for no passphrase.",
)
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def command(
    session: Session,
    /,
    file: str,
    *,
    logs: bool,
    uploads: bool,
    passphrase_file: str | None,
    no_secrets: bool,
    json_output: bool,
) -> int:
    """
    Write settings, secrets, database and log positions to one new FILE.

    The manager may run meanwhile.  The sealing key and private keys are encrypted with a
    passphrase; without it they cannot be restored.
    """
    from tscm.backup.collect import Made, Wish, make_backup
    from tscm.cli.passphrases import new_passphrase
    from tscm.cli.progress import shown_progress

    if no_secrets and passphrase_file is not None:
        raise click.UsageError("--no_secrets and --passphrase_file exclude each other")
    passphrase = None if no_secrets else new_passphrase(passphrase_file)
    wish = Wish(logs=logs, uploads=uploads, passphrase=passphrase)
    with shown_progress(aside=json_output, lasting=False) as report, _new_file(file) as output:
        made: Made = make_backup(
            session.layout,
            output,
            wish,
            now=time.time(),
            version=__version__,
            host=socket.gethostname(),
            say=lambda part: report(Progress(phase="backup", text=part)),
        )
    size = Path(file).stat().st_size
    if json_output:
        say.as_json({"file": file, "bytes": size, "made": made})
    else:
        files = many(made.files, "file", "files")
        say.info(f"{file}: {files}, {many(size, 'byte', 'bytes')}")
    if made.foreign_total:
        shown = ", ".join(made.foreign)
        more = "" if made.foreign_total == len(made.foreign) else ", …"
        files = many(made.foreign_total, "file was", "files were")
        say.warn(f"{files} not copied, because tscm did not create them: {shown}{more}")
    if made.secrets_left_out:
        keys = many(made.secrets_left_out, "key was", "keys were")
        say.warn(f"{keys} left out (--no_secrets): passwords must be entered again after a restore")
    elif not made.key:
        say.warn(
            f"the sealing key is not in {session.layout.key}, and so not in the backup; keep a "
            "copy of it in another place"
        )
    return 0


@contextmanager
def _new_file(path: str) -> Iterator[BinaryIO]:
    """
    A new file that appears at *path* when it is complete, mode 0600.  Raises `BackupFailed`.
    """
    from tscm.backup.errors import BackupFailed
    from tscm.backup.leftovers import being_written
    from tscm.settings.owner import as_caller

    final = Path(path)
    temporary = being_written(final)
    try:
        with as_caller():  # root may name a place of his own
            if final.exists():
                raise BackupFailed(path, "the file exists; use another name")
            temporary.unlink(missing_ok=True)
            output = os.fdopen(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        with output:
            yield output
            output.flush()
            os.fsync(output.fileno())
        with as_caller():
            os.link(temporary, final)
    except OSError as error:
        cause = error.strerror or str(error)
        place = f"{error.filename}: " if error.filename else ""
        raise BackupFailed(path, f"{place}{cause}") from None
    finally:
        with as_caller(), contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
