"""
How a message becomes a line: PRI, header form and filters, as the logging commands say.

docs/develop/asa.md, section 7.  Pure: the configuration's `logging …` lines and the time go in.
"""

import time
from collections.abc import Iterable, Mapping

from attrs import frozen

from tscm.simulator.access_list import level_of
from tscm.simulator.digits import whole
from tscm.simulator.logging_lines import chosen_by

HEADERS = ("timestamp", "none", "device-id", "rfc5424", "emblem")
SINGLE_CONTEXT = "single_vf"
"""What a firewall without contexts calls its only one."""
_CLASSES = {"106": "session", "302": "session", "201": "sys", "414": "sys", "342": "sys"}
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905 - reads better


@frozen
class Message:
    """
    One message before it has a header; *id* is the six digits.
    """

    id: str
    level: int
    text: str


def header_lines(form: str) -> tuple[str, ...]:
    """The logging commands that give a header form of `HEADERS`."""
    return {
        "none": ("no logging timestamp", "no logging device-id"),
        "timestamp": ("logging timestamp", "no logging device-id"),
        "device-id": ("logging timestamp", "logging device-id hostname"),
        "rfc5424": ("logging timestamp rfc5424", "logging device-id hostname"),
        "emblem": ("logging timestamp", "no logging device-id", "logging emblem"),
    }[form]


@frozen(kw_only=True)
class Form:
    """
    What the logging commands come to.
    """

    enabled: bool = True
    trap: int = 6
    """Messages up to this level go out; -1: none does."""
    listed: tuple[tuple[int, int], ...] = ()
    """Ranges of ids that go out whatever their level, for `logging trap LIST`."""
    facility: int = 20
    stamp: str = "timestamp"
    """`none`, `timestamp`, `rfc5424` or `emblem`."""
    device_id: str = ""
    zone: str = ""
    """Name of `clock timezone`, printed behind the time; *offset* is its distance from UTC."""
    offset: int = 0
    muted: frozenset[str] = frozenset()
    levels: Mapping[str, int] = {}
    classes: bool = False

    @classmethod
    def of(
        cls,
        lines: Iterable[str],
        hostname: str,
        *,
        classes: bool = False,
        addresses: Mapping[str, str] | None = None,
    ) -> "Form":
        """Read the configuration's lines; *addresses* are those of its interfaces, by name."""
        wanted = ("logging ", "no logging ", "clock timezone ")
        held = [line for line in lines if line.startswith(wanted)]
        stamp, device_id, trap, facility = "none", "", -1, 20
        listed: tuple[tuple[int, int], ...] = ()
        zone, offset = "", 0
        muted: set[str] = set()
        levels: dict[str, int] = {}
        for line in held:
            words = line.split()
            match words:
                case ["logging", "timestamp"]:
                    stamp = "timestamp"
                case ["logging", "timestamp", "rfc5424"]:
                    stamp = "rfc5424"
                case ["logging", "device-id", "hostname"]:
                    device_id = hostname
                case ["logging", "device-id", "string", text]:
                    device_id = text[:16]
                case ["logging", "device-id", "ipaddress", interface, *_]:
                    device_id = (addresses or {}).get(interface, "")
                case ["logging", "device-id", "context-name"]:
                    device_id = SINGLE_CONTEXT
                case ["clock", "timezone", zone, hours, *_]:
                    sign = -1 if hours.startswith("-") else 1
                    offset = sign * 3600 * (whole(hours.removeprefix("-"), 23) or 0)
                case ["logging", "trap", level]:
                    known = level_of(level)
                    trap, listed = chosen_by(level, held) if known is None else (known, ())
                case ["logging", "facility", number]:
                    facility = whole(number, 23) or 0
                case ["logging", "message", number, "level", level]:
                    levels[number] = level_of(level) or 0
                case ["no", "logging", "message", number]:
                    muted.add(number)
        return cls(
            enabled="logging enable" in held,
            trap=trap,
            listed=listed,
            facility=facility,
            stamp="emblem" if "logging emblem" in held else stamp,
            device_id=device_id,
            zone=zone,
            offset=offset,
            muted=frozenset(muted),
            levels=levels,
            classes=classes,
        )

    def line(
        self, message: Message, now: float, *, udp: bool = True, emblem: bool = False
    ) -> bytes | None:
        """
        The whole line without its end; None when the commands hold it back.

        *emblem*: its `logging host` line says `format emblem`.
        """
        level = self.levels.get(message.id, message.level)
        if not self.enabled or message.id in self.muted or not self._wanted(message.id, level):
            return None
        middle = f"{_CLASSES.get(message.id[:3], 'sys')}-" if self.classes else ""
        tag = f"%ASA-{middle}{level}-{message.id}: {message.text}"
        pri = f"<{self.facility * 8 + level}>"
        return (pri + self.header(now, udp=udp, emblem=emblem) + tag).encode("utf-8", "replace")

    def _wanted(self, number: str, level: int) -> bool:
        return level <= self.trap or any(low <= int(number) <= high for low, high in self.listed)

    def header(self, now: float, *, udp: bool, emblem: bool = False) -> str:
        """What stands between PRI and tag."""
        # RFC 5424 stamps are in UTC, all others in local time.
        at = time.gmtime(now if self.stamp == "rfc5424" else now + self.offset)
        month = _MONTHS[at.tm_mon - 1]
        clock = f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
        if udp and (emblem or self.stamp == "emblem"):
            return f":{month} {at.tm_mday:02} {clock} {self.zone or 'UTC'}: "
        if self.stamp == "rfc5424":
            stamp = f"{at.tm_year}-{at.tm_mon:02}-{at.tm_mday:02}T{clock}Z"
        elif self.stamp == "none":
            stamp = ""
        else:
            stamp = f"{month} {at.tm_mday:02} {at.tm_year} {clock} {self.zone}".rstrip()
        if self.device_id:
            return f"{stamp} {self.device_id} : ".lstrip()
        return f"{stamp}: " if stamp else ""
