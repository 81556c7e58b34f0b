"""
Filters that reports and lines have in common, and commands with them.
"""

FILTERS = ("action", "direction", "list", "entry", "inside", "outside", "port", "not_port")
REPORT_FILTERS = (*FILTERS, "target", "severity", "threat_type")
"""Those of reports: no line says which target an address belongs to."""


def shell_word(text: str) -> str:
    """*text* as a shell takes it for one word."""
    good = text and all(one.isalnum() or one in "._:/,+@-" for one in text)
    return text if good else "'" + text.replace("'", "'\\''") + "'"
