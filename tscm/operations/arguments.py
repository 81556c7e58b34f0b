"""
What each operation is given.

Fields are of the types str, int, float, bool, `tuple[str, ...]`, `Json`, and each of them `| None`:
what a request's path, query and JSON body can carry.
"""

from attrs import field, frozen

from tscm.model import Json
from tscm.operations.operation import WHOLE_BODY


@frozen(kw_only=True)
class Nothing:
    """No arguments."""


@frozen(kw_only=True)
class Device:
    """One device by its nickname."""

    name: str


@frozen(kw_only=True)
class RenamedDevice:
    """A device, and the nickname that it is to have."""

    name: str
    to: str


@frozen(kw_only=True)
class Balanced:
    """One device, or all of them with the node's own counts."""

    device: str | None = None


@frozen(kw_only=True)
class NewDevice:
    """Settings of a device that is to be added; they have its name."""

    settings: Json


@frozen(kw_only=True)
class Prospect:
    """A device that is to be added or changed, and the management address that it is to have, once that is known."""

    name: str
    address: str | None = None


@frozen(kw_only=True)
class ChangedDevice:
    """
    Settings of a device that are to be changed; the others stay.  With *version* only while its settings are that one.
    """

    name: str
    settings: Json
    version: str | None = None
    """As `view` told it."""


@frozen(kw_only=True)
class Push:
    """
    A device, and the risks that are accepted: the words of `tscm.risks`.

    *force* of a plan looks behind risks that are not accepted, too; of a push it is the word of
    earlier clients, and accepts what the guard finds in lists and nothing about the device.
    """

    name: str
    accept: tuple[str, ...] = ()
    force: bool = False
    plan: str | None = None
    """Of an update: the ID of the plan that is pushed, or nothing is."""
    reason: str = ""
    """For the audit."""


@frozen(kw_only=True)
class Rollback:
    """
    A device and the number of one of its generations; with *newest* only while that is its newest one.
    """

    name: str
    generation: int
    newest: int | None = None
    reason: str = ""
    """For the audit."""


@frozen(kw_only=True)
class Proven:
    """
    A device whose chain is tested: how long the line is waited for, and whether this host sends a packet.
    """

    name: str
    wait_seconds: float = 30.0
    send: bool = False


@frozen(kw_only=True)
class Holding:
    """A device without scheduled updates until then (POSIX seconds; None: until `resume`), and why."""

    name: str
    until: float | None = None
    reason: str = ""


@frozen(kw_only=True)
class Generations:
    """Two generations of a device; *newer* is the latest where it is not given."""

    name: str
    older: int
    newer: int | None = None


@frozen(kw_only=True)
class Address:
    """A device, and an address or network that is asked about."""

    name: str
    address: str


@frozen(kw_only=True)
class DroppedOf:
    """A device; with *search* only what meets this address or network."""

    name: str
    search: str | None = None


@frozen(kw_only=True)
class Rejected:
    """Rejected batches of a device: the one with this key, or `all`."""

    name: str
    key: str


@frozen(kw_only=True)
class Reader:
    """A reader of a device's log."""

    name: str
    reader: str


@frozen(kw_only=True)
class Erasure:
    """A log, and the address or the user whose lines are erased: one of the two."""

    name: str
    address: str | None = None
    user: str | None = None


@frozen(kw_only=True)
class Adoption:
    """An unknown sender's address, and the device that it becomes a source of."""

    address: str
    name: str


@frozen(kw_only=True)
class Asked:
    """A device, and what is asked of its roll-ups: the options of `tsadmin report`."""

    name: str
    options: Json = field(factory=dict, metadata={WHOLE_BODY: True})


@frozen(kw_only=True)
class AskedOfSeveral:
    """Devices (none: all that are stored), and what is asked of their roll-ups together, as in `Asked`."""

    devices: tuple[str, ...] = ()
    options: Json = field(factory=dict)


@frozen(kw_only=True)
class AnyAddress:
    """An address or network that all devices are asked about."""

    address: str


@frozen(kw_only=True)
class JobNumber:
    """A job by its number."""

    id: int


@frozen(kw_only=True)
class Audited:
    """Whose audit, since when (POSIX seconds), and how many of the latest entries at most."""

    device: str | None = None
    since: float = 0.0
    top: int = 1000


@frozen(kw_only=True)
class NewEntry:
    """
    An entry by hand: `block` or `allow` an address or network, on one device or (None) on all.

    *seconds* is how long it stands; None is what the settings say.  With *held* also where updates are
    held or disabled.
    """

    action: str
    cidr: str
    device: str | None = None
    seconds: float | None = None
    reason: str = ""
    held: bool = False


@frozen(kw_only=True)
class EntryNamed:
    """Entries by hand: by number the one, by network all that have it."""

    entry: str


@frozen(kw_only=True)
class PushedEntries:
    """A device that is to get its entries by hand; with *held* also where updates are held or disabled."""

    name: str
    held: bool = False


@frozen(kw_only=True)
class LinesWanted:
    """
    Devices (none: all), when their lines were received (POSIX seconds), how many are told, and which: `text`,
    `ignore_case`, `hits`, and of lines about hits the filters of a report.

    The oldest are told, or the *newest*.
    """

    devices: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None
    top: int = 200
    newest: bool = False
    options: Json = field(factory=dict)


@frozen(kw_only=True)
class Following:
    """
    The same of the lines behind *positions*, offsets in the logs by device; where there is none, of the last ones.
    """

    devices: tuple[str, ...] = ()
    positions: Json = field(factory=dict)
    top: int = 200
    options: Json = field(factory=dict)


@frozen(kw_only=True)
class AlarmNamed:
    """Alarms by their name, as `Muting` has it."""

    alarm: str


@frozen(kw_only=True)
class Muting:
    """
    Alarms of this name (`RULE`, `RULE/SUBJECT`, `all/SUBJECT` or `all`), until when they are muted (POSIX seconds;
    None: until they are unmuted), and why.
    """

    alarm: str
    until: float | None = None
    reason: str = ""


@frozen(kw_only=True)
class LoginsFailed:
    """
    How many logins to the page failed since the last call, for whom the last of them was, and from where.

    *user* is empty where the name is not a user's.
    """

    count: int
    user: str = ""
    address: str = ""


@frozen(kw_only=True)
class ReportNamed:
    """A scheduled report by its name."""

    report: str


@frozen(kw_only=True)
class Channel:
    """A channel of alarms: mail, webhook or syslog."""

    channel: str
