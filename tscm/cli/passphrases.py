"""
The passphrase of a backup: typed twice and not shown, or the first line of a file.
"""

import sys
from pathlib import Path

from tscm.backup.passphrase import LEAST_CHARACTERS
from tscm.base.secrets import Secret
from tscm.cli import say
from tscm.cli.passwords import first_line
from tscm.cli.prompts import InputEnded
from tscm.cli.typed import typed_line
from tscm.errors import Fault, SettingsFaulty
from tscm.settings.owner import as_caller

_LONGEST = 65536
_OPTION = "--passphrase_file"


def new_passphrase(file: str | None) -> Secret:
    """
    A passphrase for a new backup.  Raises `SettingsFaulty` for one that is too short, `InputEnded`.
    """
    if file is not None:
        return _long_enough(_from_file(file))
    while True:
        typed = _typed("Passphrase for the secrets in the backup: ", "no backup was made")
        if len(typed) < LEAST_CHARACTERS:
            say.error(f"the passphrase must have at least {LEAST_CHARACTERS} characters")
        elif _typed("The same passphrase again: ", "no backup was made") != typed:
            say.error("the two passphrases differ")
        else:
            return Secret(typed)


def present_passphrase(file: str | None) -> Secret:
    """The passphrase of a backup that there is.  Raises `SettingsFaulty`, `InputEnded`."""
    if file is not None:
        return Secret(_from_file(file))
    return Secret(_typed("Passphrase of the backup: ", "nothing was restored"))


def _typed(prompt: str, kept: str) -> str:
    try:
        return typed_line(prompt, hidden=True)
    except EOFError:
        say.plain("")
        raise InputEnded(prompt.strip(" :"), kept, _OPTION) from None


def _from_file(file: str) -> str:
    try:
        if file == "-":
            return first_line(sys.stdin.buffer.readline(_LONGEST))
        with as_caller(), Path(file).open("rb", buffering=0) as opened:
            return first_line(opened.readline(_LONGEST))
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else str(error)
        raise SettingsFaulty(
            "options",
            [
                Fault(
                    where=_OPTION,
                    wrong=f"{file}: {cause}",
                    allowed="a file with the passphrase on its first line",
                )
            ],
        ) from None


def _long_enough(passphrase: str) -> Secret:
    if len(passphrase) < LEAST_CHARACTERS:
        raise SettingsFaulty(
            "options",
            [
                Fault(
                    where=_OPTION,
                    wrong="the passphrase is too short",
                    allowed=f"at least {LEAST_CHARACTERS} characters",
                )
            ],
        )
    return Secret(passphrase)
