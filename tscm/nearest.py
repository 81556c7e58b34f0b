"""
A word that was probably meant, for one that is unknown.
"""

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean …?)` with the word of *known* that looks most like *word*; empty where none does."""
    from difflib import get_close_matches

    found = get_close_matches(word[:100].lower(), list(known), 1)
    return f" (did you mean {found[0]}?)" if found else ""
