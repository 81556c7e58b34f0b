"""
The book of alarms on disk.  Blocking.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tscm.alarms.book import Book
from tscm.base.backup_rule import BackupRule, Treatment
from tscm.base.safe_files import read_regular
from tscm.settings.files import write_private
from tscm.wire.reading import read
from tscm.wire.writing import as_json

FORMAT = 1
_MOST_BYTES = 1 << 25
_DAMAGED = ".damaged"

BACKUP = (
    BackupRule("var/lib/tscm/alarms.json", Treatment.COPY),
    BackupRule(f"var/lib/tscm/alarms.json{_DAMAGED}", Treatment.LEFT_OUT, "it cannot be read"),
)
"""What a backup does with the file."""


def to_json(book: Book) -> dict[str, Any]:
    """For the file."""
    return {"format": FORMAT, **as_json(book)}


def from_json(kept: Any) -> Book:
    """What `to_json` gave.  Raises `ValueError` for anything else."""
    if not isinstance(kept, Mapping) or kept.get("format") != FORMAT:
        raise ValueError("it is not a file of alarms, or it is of another version")
    try:
        return read(Book, kept)
    except (TypeError, AttributeError, KeyError, RecursionError) as error:
        raise ValueError(f"its content is damaged: {error}") from None


def load_book(path: Path) -> Book:
    """
    The book as it was last kept; a new one where there is none.

    A file that cannot be understood is moved aside.  Raises OSError, `ValueError`.
    """
    try:
        content = read_regular(path, _MOST_BYTES)
    except FileNotFoundError:
        return Book()
    try:
        return from_json(json.loads(content))
    except (ValueError, RecursionError) as error:
        path.replace(path.with_name(path.name + _DAMAGED))
        raise ValueError(f"{path}: {error}") from None


def keep_book(path: Path, book: Book) -> None:
    """Write it, whole or not at all.  Raises OSError."""
    write_private(path, json.dumps(to_json(book), separators=(",", ":")).encode())
