"""
Secrets on the command line: from standard input, from a file, or, with a warning, as they stand.
"""

import sys
from pathlib import Path
from typing import IO, Any

from tscm.cli import say
from tscm.errors import Fault, SettingsFaulty
from tscm.settings.modules import long_secret_names, secret_names

_LONGEST = 65536


def take_secrets(options: dict[str, Any]) -> dict[str, Any]:
    """
    *options* with every secret read: `--password -`, `--password_file FILE`, `--password VALUE`.

    Raises `SettingsFaulty` where two ways are given for one secret, two secrets want standard
    input, or a file cannot be read.
    """
    taken = dict(options)
    faults: list[Fault] = []
    from_input: list[str] = []
    for name in secret_names():
        value = taken.get(name)
        file = taken.pop(f"{name}_file", None)
        if value is not None and file is not None:
            faults.append(
                Fault(
                    where=f"--{name}",
                    wrong=f"--{name}_file is given as well",
                    allowed="only one of them",
                )
            )
        elif value == "-":
            from_input.append(name)
        elif value is not None:
            say.warn(
                f"--{name}: every user of this host can read a command line; use "
                f"--{name} - for standard input or --{name}_file for a file"
            )
        elif file is not None:
            try:
                taken[name] = _secret(name, file)
            except (OSError, ValueError) as error:
                faults.append(
                    Fault(
                        where=f"--{name}_file",
                        wrong=_why(file, error),
                        allowed="a file with the secret on its first line",
                    )
                )
    if len(from_input) > 1:
        faults.append(
            Fault(
                where=f"--{from_input[1]}",
                wrong=f"standard input is already used for --{from_input[0]}",
                allowed="- for only one secret",
            )
        )
    elif from_input:
        try:
            taken[from_input[0]] = _read(from_input[0], sys.stdin.buffer)
        except ValueError as error:
            faults.append(
                Fault(
                    where=f"--{from_input[0]}",
                    wrong=f"standard input {error}",
                    allowed="the secret on its first line",
                )
            )
    if faults:
        raise SettingsFaulty("options", faults)
    return taken


def first_line(content: bytes | bytearray) -> str:
    """The first line as text.  Raises `ValueError` where there is none."""
    try:
        line = content.decode().splitlines()[0]
    except UnicodeDecodeError:
        raise ValueError("is not valid UTF-8") from None
    except IndexError:
        raise ValueError("is empty") from None
    if not line:
        raise ValueError("has an empty first line")
    return line


def _secret(name: str, file: str) -> str:
    # A shell's <(…) is a pipe with a writer, and good; one without holds the command, and ^C ends that.
    with Path(file).open("rb", buffering=0) as opened:
        return _read(name, opened)


def _read(name: str, file: IO[bytes]) -> str:
    """The first line, or all of them where the secret takes several.  Raises `ValueError`."""
    if name not in long_secret_names():
        return first_line(file.readline(_LONGEST))
    content = bytearray()
    while len(content) <= _LONGEST and (more := file.read(_LONGEST)):
        content += more
    if len(content) > _LONGEST:
        raise ValueError(f"has more than {_LONGEST:,} bytes")
    first_line(content)
    return content.decode()


def _why(file: str, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{file}: {error.strerror}"
    return f"{file} {error}"
