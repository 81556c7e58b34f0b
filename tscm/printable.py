r"""
Text that came from elsewhere, made harmless for a terminal, a log and a page.  The one way for all of it.

What does not print - C0 and C1 controls with ESC, BEL and line ends, bidirectional marks, characters of
no width, halves of surrogate pairs - comes out as `\x1b` and the like.  Two places apply it to
everything that passes, the log (`tscm.base.log_text`) and the command line (`tscm.cli.say`, `tables`); errors that
quote an answer apply `quoted`, so that what was answered is one line of bounded length.
"""

QUOTED_CHARACTERS = 2000
"""How much of a cause is kept; sentences of our own are far shorter."""
CUT = "…"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a cell for a formula."""


def visible(value: object, *, keep: str = "") -> str:
    r"""
    *value* as text in which no character can act on a terminal.

    Escape sequences, line ends and bidirectional marks come out as `\x1b` and the like.  Characters of
    *keep* stay.
    """
    text = str(value)
    if text.isprintable():
        return text
    if keep and text.translate(dict.fromkeys(map(ord, keep))).isprintable():
        return text
    return "".join(one if one in keep or one.isprintable() else _escaped(one) for one in text)


def spreadsheet_cell(cell: object) -> object:
    """A cell of a CSV file that no spreadsheet takes for a formula and no terminal for a command."""
    if not isinstance(cell, str):
        return cell
    text = visible(cell)
    return f"'{text}" if cell.startswith(_FORMULA) or text.startswith(_FORMULA) else text


def quoted(value: object, most: int = QUOTED_CHARACTERS) -> str:
    """*value* as one visible line of at most *most* characters, cut with `…`; blanks are joined."""
    text = str(value)[: 4 * most + 4]  # what is thrown away is not gone through
    line = visible(" ".join(text.split()))
    return line if len(line) <= most else line[: most - 1] + CUT


def visible_bytes(data: bytes) -> str:
    r"""Printable ASCII of *data*; any other byte as `\xNN`, for display of what came."""
    return "".join(chr(one) if 32 <= one < 127 else f"\\x{one:02x}" for one in data)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
