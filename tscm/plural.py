"""
A number with its noun.
"""


def many(count: int, one: str, more: str) -> str:
    """`1 entry`, `12,000 entries`."""
    return f"{count:,} {one if count == 1 else more}"
