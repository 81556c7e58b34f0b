"""
Numbers out of words that any user may have typed.
"""


def whole(word: str, most: int, least: int = 0) -> int | None:
    """
    The number that *word* writes in plain digits, from *least* to *most*; else None.

    `str.isdigit` also takes digits that `int` does not, and `int` refuses very long words.
    """
    if not (word.isascii() and word.isdigit()) or len(word) > len(str(most)):
        return None
    number = int(word)
    return number if least <= number <= most else None
