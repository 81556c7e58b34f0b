"""
Files of networks of which the operator knows something: good ones, his own, a source's confidence.
"""

from typing import Any

from attrs import asdict, frozen

from tscm.settings import values
from tscm.settings.feed import FILE_FORMATS, delimiter_character, pick_fault
from tscm.settings.schema import read_table, setting

PURPOSES = ("warn", "refuse", "own", "confidence")
"""
*warn* and *refuse* are known-good networks, *own* what the operator put into the lists himself, and
*confidence* tells entries that are to be believed more, or less, than others when a list is cut.
"""

_ALLOWED = (
    f"tables of name, file (a path), purpose ({', '.join(PURPOSES)}), and where needed "
    f"confidence (a number; 0 is an entry of no source), format ({', '.join(FILE_FORMATS)}), pick, delimiter"
)


@frozen(kw_only=True)
class NetworksFile:
    """
    One file of networks, and what is known of them.
    """

    name: str = setting(values.dns_name, doc="Name used in findings")
    file: str = setting(values.path, doc="Location of the list")
    purpose: str = setting(values.choice(*PURPOSES), doc="Purpose of its networks")
    confidence: float = setting(
        values.number(-100, 100), 0.0, doc="Confidence in entries that overlap them"
    )
    format: str = setting(values.choice(*FILE_FORMATS), "cidr", doc="Format of the list")
    pick: str = setting(values.text, "", doc="Column of a CSV, path in a JSON")
    delimiter: str = setting(delimiter_character, ",", doc="Delimiter of a CSV")

    def as_table(self) -> dict[str, Any]:
        """As the settings file holds it."""
        return asdict(self)


def networks_files(value: Any) -> tuple[NetworksFile, ...]:
    """`[[policy.networks]]`: every name once."""
    if not isinstance(value, list | tuple):
        raise values.refused(value, "is not a list of tables", _ALLOWED)
    found: dict[str, NetworksFile] = {}
    for number, given in enumerate(value, 1):
        one, faults = (
            (given, ()) if isinstance(given, NetworksFile) else read_table(NetworksFile, given)
        )
        if one is None:
            raise values.refused(given, f"(number {number}): {faults[0]}", _ALLOWED)
        if wrong := pick_fault(one.format, one.pick):
            raise values.refused(given, f"(number {number}): {wrong}", _ALLOWED)
        if (one.purpose == "confidence") != bool(one.confidence):
            wrong = (
                f"(number {number}): confidence requires the purpose of that name, and "
                "must not be 0"
            )
            raise values.refused(given, wrong, _ALLOWED)
        if one.name in found:
            raise values.refused(one.name, "names two files of networks", _ALLOWED)
        found[one.name] = one
    return tuple(found.values())
