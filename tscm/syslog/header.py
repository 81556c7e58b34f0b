"""
What stands before the text of a line: PRI, time stamps, names, sequence numbers, the tag.

One reader for all who ask: attribution of a relay's lines, the events of reports, and the HOSTNAME
that a SIEM is sent.  The forms are listed in docs/develop/asa.md, section 7: those of the firewall itself, and the
headers that relays put in front (RFC 3164, RFC 5424, and what rsyslog, syslog-ng and others make of them).

The sender controls all of it: names are compared with names that are known, and nothing else.
Pure; the time is linear in the first 4 KB of the line, whatever stands there.
"""

import re
from ipaddress import IPv6Address
from itertools import islice
from typing import NamedTuple

from attrs import define, field

from tscm.syslog.asa_tag import TAG

_WITHIN = 4096
"""Where a tag is looked for, and so the longest header: structured data may be long."""
_MAX_TOKENS = 64
_MAX_NAMES = 8
_MAX_NAME = 255
_MAX_TAGS = 4
_MAX_DIGITS = 20

_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_ISO = (
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?"
    rb"(?:Z|[+-][0-9]{2}:?[0-9]{2})?(?![0-9])"
)
_BSD = (
    rb"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? {1,3})?(?:[0-9]{4} {1,3})?"
    + _MONTH
    + rb" {1,3}[0-9]{1,2}(?: {1,3}[0-9]{4})? {1,3}[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?"
    rb"(?: (?:19|20)[0-9]{2}(?=:?(?:[ \t]|\Z)))?(?=[ \t:<]|\Z)"
)
_DATA = rb"(?:-|(?>(?:\[[!-~]{1,64}?(?>(?: [!-<>-~]{1,64}=\"(?:[^\"\\]++|\\.)*+\")*)\])+))"
"""STRUCTURED-DATA (RFC 5424, 6.3)."""
_BOM = rb"(?:\xef\xbb\xbf)?"
_TOKEN = re.compile(
    rb"(?P<lead>(?>(?:[\x00- ]++|:(?!:))*))(?:"
    rb"(?P<pri><[0-9]{1,3}>)"
    rb"|(?P<version>[1-9][0-9]{0,2} (?=- |[0-9]{4}-[0-9]{2}-[0-9]{2}T))"
    rb"|(?P<bsd>[*.]?" + _BSD + rb")|(?P<iso>[*.]?" + _ISO + rb")"
    rb"|(?P<skip>\[ {0,12}[0-9]{1,10}\.[0-9]{1,9}\]|\xef\xbb\xbf|<(?:[0-9]{4,20})?>)"
    rb"|(?P<original>Original Address=)"
    rb"|message repeated (?P<times>[0-9]{1,9}) times: \[ ?"
    rb"|(?P<word>[^\x00- <]++|<))"
)
_FIELDS = re.compile(
    rb"(?P<stamp>-|" + _ISO + rb") +(?P<host>[!-~]{1,255}+)"
    rb"(?P<rest> +[!-~]{1,48}+ +[!-~]{1,128}+ +[!-~]{1,32}+ +"
    + _DATA
    + rb"(?: |\Z)"
    + _BOM
    + rb")?"
)
"""TIMESTAMP and HOSTNAME, and what follows up to MSG unless the tag is among it (RFC 5424, 6)."""
_VERSION = re.compile(
    rb"(?:\A[\x00- ]*+|<[0-9]{1,3}>)[1-9][0-9]{0,2} (?=- |[0-9]{4}-[0-9]{2}-[0-9]{2}T)"
)
_UP_TO_DATA = re.compile(
    rb"(?:-|" + _ISO + rb") +[!-~]{1,255}+ +[!-~]{1,48}+ +[!-~]{1,128}+ +[!-~]{1,32}+ +"
    rb"(?P<data>" + _DATA + rb")(?= |\Z)"
)
_MAX_HEADERS = 4
_BEHIND_APP_NAME = re.compile(rb" [!-~]{1,128}+ [!-~]{1,32}+ " + _DATA + rb"(?: +|\Z)" + _BOM)
"""PROCID, MSGID and STRUCTURED-DATA: what follows a tag that a relay took for the APP-NAME."""
_USUAL_STAMP = (
    rb"(?:" + _MONTH + rb" [ 0-9][0-9](?: [0-9]{4})? [0-9]{2}:[0-9]{2}:[0-9]{2}"
    rb"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)"
)
_USUAL_NAME = (
    rb"(?:[a-z][a-z0-9_-]{1,62}+|(?!UTC|GMT)[A-Z][A-Za-z]{0,30}+[0-9_-][A-Za-z0-9_-]{0,62}+"
    rb"|[0-9]{1,3}(?:\.[0-9]{1,3}){3})"
)
"""A name that can be nothing else."""
_USUAL = re.compile(
    rb"(?:<[0-9]{1,3}>)?(?:(" + _USUAL_STAMP + rb")(?: (" + _USUAL_NAME + rb")(?: :)?| ?:) )?"
    rb"(?:(" + _USUAL_STAMP + rb")(?: (" + _USUAL_NAME + rb") :| ?:) )?\Z"
)
"""The heads that most lines have: nothing, or one or two stamps, each with such a name or without."""
_USUAL_UNTAGGED = re.compile(
    rb"(?:<[0-9]{1,3}>)?(" + _USUAL_STAMP + rb") (?!last message)(" + _USUAL_NAME + rb") "
    rb"(?=[a-zA-Z/(])(?!" + _MONTH + rb"|Mon|Tue|Wed|Thu|Fri|Sat|Sun|Original)"
)
_OWN = re.compile(rb"[*.]|.{0,20}?(?<![0-9])[0-9]{4}(?![0-9])|.*[0-9] [0-9]{4}\Z")
"""Stamps that a relay does not write: with a mark, as while the clock is not set, or with a year."""
_AS_TOLD = re.compile(
    rb"(?:[A-Z][a-z]{2} {1,2}[0-9]{1,2}(?: [0-9]{4})? [0-9:.]+"
    rb"|[0-9]{4}-[0-9-]{5}T[0-9:.]+(?:Z|[+-][0-9]{2}:[0-9]{2}))\Z"
)
"""Stamps as RFC 3164 and RFC 3339 have them; the ASA's year is known to receivers."""
_STAMP = re.compile(rb"[*.]?(?:" + _BSD + rb"|" + _ISO + rb")")
_OFFSET = re.compile(rb"(?:UTC|GMT)?[+-][0-9]{1,2}(?::?[0-9]{2})?|Z")
_ZONE = re.compile(
    rb"[A-Z][A-Za-z]{0,6}|[A-Z]{2,5}(?:/[A-Z]{2,5}){1,3}|[A-Z][a-z]{1,20}(?:/[A-Z][A-Za-z_]{1,20}){1,2}"
)
_SHORT_ZONE = re.compile(rb"[A-Za-z]{2,7}")
"""A zone by what `clock timezone` takes, where a colon stands behind it and no blank before that."""
_WORD_ZONE = re.compile(rb"[A-Za-z][A-Za-z0-9_/+-]{0,20}")
_DEVICE_ID = re.compile(rb"[ \t]+([^\x00- :<]++) +: *\Z")
"""What the ASA writes between a zone and the tag: a name, and a colon between blanks."""
_MONTHS = frozenset(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split())
_BLANK_COLON = re.compile(rb"[ \t]+:")
_NEXT_WORD = re.compile(rb"[ \t]+([^ \t:<][^ \t<]*)")
_PRI_NEXT = re.compile(rb"[ \t]*<[0-9]{1,3}>")
_AGAIN = re.compile(rb"[: ]{0,4}(?=%)")
_LAST_MESSAGE = re.compile(rb"last message repeated [0-9]{1,9} times")
_PROGRAM = re.compile(rb"[^\s\[]*\[[0-9]*\]:?")
_NO_NAME = re.compile(
    rb"[-:.*<>]*|[^\s\[]*\[[0-9]*\]|(?:local[0-7]|kern|user|daemon|auth|syslog)\.[a-z]{3,9}"
    rb"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}"
    rb"|[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9:]{4,5})?"
    rb"|[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}|[0-9]{9,10}[.,][0-9]{1,9}",
    re.IGNORECASE,
)
"""
Words that name no device: programs, facility and severity, marks, the halves of a stamp that
rsyslog parted at its first colon, and the date and the time of stamps in forms that are not read.
"""
_WITH_PORT = re.compile(
    rb"([0-9A-Za-z_.-]+):[0-9]{1,5}|([0-9]{1,3}(?:\.[0-9]{1,3}){3})[/#][0-9]{1,5}"
)
_WRAPPED = re.compile(rb"[(\"']*([0-9A-Fa-f:.]{2,45}?)[)\"',;]*")
_IN_BRACKETS = re.compile(rb"\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?")

ZONES = frozenset(
    b"UTC GMT WET WEST CET CEST EET EEST MSK MSD EST EDT CST CDT MST MDT PST PDT AKST AKDT HST JST KST IST BST "
    b"AST ADT SST GST ART BRT CLT SGT HKT AEST AEDT ACST ACDT AWST NZST NZDT SAST MEZ MESZ WIB WITA PKT IDT "
    b"TRT SAMT YEKT OMST KRAT IRKT VLAT".split()
)
"""Zones by the names that most give them; `clock timezone` takes any word."""


class Header(NamedTuple):
    """
    What stands before a line's text.

    *names* are what the line calls its device, the likeliest first: the innermost time stamp is the
    device's own, and so is what follows it; names before it were put in front by relays.
    *doubtful* are words that pass for a zone or a number unless they are known as a name.
    *stamp* is the innermost one as it stands in the line, *zone* its zone where that is a word of its
    own.  *text* is where the text begins.  *times* is how often a relay says that the message came.
    *leads* says that the device's name stands where RFC 3164 and RFC 5424 have it: any receiver finds it.
    """

    names: tuple[bytes, ...] = ()
    doubtful: tuple[bytes, ...] = ()
    stamp: bytes | None = None
    zone: bytes | None = None
    sequence: int | None = None
    text: int = 0
    tag: re.Match[bytes] | None = None
    times: int = 1
    leads: bool = False


def read_header(line: bytes) -> Header:
    """
    The header of *line*.  Never raises.

    A line without a tag is read as RFC 3164 or RFC 5424: one name behind each stamp, and the text
    begins at the first word that can be neither.
    """
    tag = find_tag(line, _WITHIN)
    if tag is None:
        if usual := _USUAL_UNTAGGED.match(line):
            return Header((usual[2],), (), usual[1], None, None, usual.end(), None, 1, True)
        return _Reading(line[:_WITHIN], tagged=False).header(None, 0)
    head = line[: tag.start()]
    tag, text = text_behind(line, tag)
    usual = _USUAL.match(head)
    if usual is None:
        return _Reading(head, tagged=True).header(tag, text)
    stamp, name, inner_stamp, inner_name = usual.groups()
    if inner_name is None or inner_name == name:
        names: tuple[bytes, ...] = () if name is None else (name,)
        return Header(names, (), inner_stamp or stamp, None, None, text, tag, 1, name is not None)
    names = (inner_name,) if name is None else (inner_name, name)
    return Header(names, (), inner_stamp, None, None, text, tag)


def find_tag(line: bytes, end: int) -> re.Match[bytes] | None:
    """
    The first tag before *end* that is not a value in structured data (RFC 5424, 6.3): there it is a quotation.
    """
    tag = TAG.search(line, 0, end)
    if tag is None or line.find(b'="', 0, tag.start()) < 0:
        return tag
    for version in islice(_VERSION.finditer(line, 0, tag.start()), _MAX_HEADERS):
        fields = _UP_TO_DATA.match(line, version.end())
        if fields is not None and fields.start("data") < tag.start() < fields.end("data"):
            tag = TAG.search(line, fields.end("data"), end)
            if tag is None:
                return None
    return tag


def text_behind(line: bytes, tag: re.Match[bytes]) -> tuple[re.Match[bytes], int]:
    """
    The tag that counts, and where its text begins.

    A relay may have written the tag twice, or taken it for the APP-NAME of RFC 5424.
    """
    text = _after(line, tag.end())
    for _ in range(_MAX_TAGS):
        again = _AGAIN.match(line, text)
        if again is None:
            break
        found = TAG.match(line, again.end())
        if found is None:
            break
        tag, text = found, _after(line, found.end())
    return tag, text


def _after(line: bytes, end: int) -> int:
    if line[end : end + 1] == b" " and (fields := _BEHIND_APP_NAME.match(line, end)):
        return fields.end()
    return end


def all_names(line: bytes) -> tuple[bytes, ...]:
    """All that may name the device, the likeliest first: for who knows which names there are."""
    found = read_header(line)
    return found.names + found.doubtful if found.doubtful else found.names


@define(eq=False)
class _Reading:
    """
    A head read word by word.  Without a tag behind it, it may go on into the text.
    """

    _head: bytes
    tagged: bool
    _names: list[list[bytes]] = field(factory=lambda: [[]])
    """What each header names, the outermost first."""
    _doubtful: list[bytes] = field(factory=list)
    _stamp: bytes | None = None
    _zone: bytes | None = None
    _sequence: int | None = None
    _times: int = 1
    _leading: bytes | None = None
    """The name where the RFCs have it."""
    _before: str = ""
    """Kind of the token before."""
    _own: bool = False
    """The stamp read last is one that no relay writes."""
    _closed: bool = False
    """A colon follows the stamp's zone, or all fields of RFC 5424 are read: no name follows."""
    _at_start: bool = True
    """PRI and stamp stand where the RFCs have them, so far."""

    def header(self, tag: re.Match[bytes] | None, text: int) -> Header:
        """What stands in it."""
        end = self._read()
        names = dict.fromkeys(name for names in reversed(self._names) for name in names)
        return Header(
            tuple(names)[:_MAX_NAMES],
            tuple(dict.fromkeys(self._doubtful))[:_MAX_NAMES],
            self._stamp,
            self._zone,
            self._sequence,
            end if tag is None else text,
            tag,
            self._times,
            self._leading is not None and self._leading == next(iter(names)),
        )

    def _read(self) -> int:
        """Gives where the text begins if no tag follows."""
        at = 0
        for _ in range(_MAX_TOKENS):
            token = _TOKEN.match(self._head, at)
            if token is None:
                return len(self._head)
            kind, start = str(token.lastgroup), token.end("lead")
            if kind == "version" and not self.tagged and self._before not in ("", "pri"):
                kind = "word"
            if kind == "version":
                at = self._rfc5424(token)
            elif kind == "pri":
                self._names.append([])
                self._at_start = start == 0
                at = token.end()
            elif kind in ("bsd", "iso"):
                self._take_stamp(token, kind, adjacent=start == at)
                at = token.end()
            elif kind == "times" and self.tagged:
                self._times = int(token["times"])
                at = token.end()
            elif kind == "times" or (kind == "word" and not self._take_word(token)):
                return start
            else:
                at = token.end()
            self._before = kind
        return at

    def _rfc5424(self, token: re.Match[bytes]) -> int:
        """The fields behind a version (RFC 5424, 6); gives where MSG begins."""
        fields = _FIELDS.match(self._head, token.end())
        if fields is None:
            return token.end()
        named = names_of(fields["host"])
        self._names.append(list(named))
        if fields["stamp"] != b"-":
            self._stamp, self._zone, self._own = fields["stamp"], None, False
        if self._at_start and named[:1] == [fields["host"]]:
            self._leading = named[0]
        self._at_start = False
        self._closed = fields["rest"] is not None  # MSG follows, also where HOSTNAME is none
        return fields.end()

    def _take_stamp(self, token: re.Match[bytes], kind: str, *, adjacent: bool) -> None:
        self._names.append([])
        stamp = token[kind]
        emblem = b":" in token["lead"] and self._before in ("", "pri")
        self._own = kind == "bsd" and (emblem or _OWN.match(stamp) is not None)
        self._stamp, self._zone, self._closed = stamp, None, False
        self._at_start = bool(
            self._at_start and adjacent and self._before in ("", "pri") and _AS_TOLD.match(stamp)
        )

    def _take_word(self, token: re.Match[bytes]) -> bool:
        """False where the text begins with it."""
        start, end = token.end("lead"), token.end()
        word = self._head[start:end].rstrip(b" ")
        bare = word if word.endswith(b"::") else word.rstrip(b":")
        stamped = self._before in ("bsd", "iso")
        behind_stamp = stamped and b":" not in token["lead"]
        if not self.tagged and not self._is_header(bare, start, apart=stamped and not behind_stamp):
            return False
        leads = self._at_start and behind_stamp
        self._at_start = False
        attached = len(bare) < len(word)
        if behind_stamp and (sure := self._is_zone(bare, end, attached=attached)):
            self._zone, self._closed = bare, attached
            if sure == "maybe":
                self._doubtful.append(bare)
        elif bare.isdigit():
            if not _PRI_NEXT.match(self._head, end):  # else an octet count
                self._sequence = int(bare[:_MAX_DIGITS])
                self._doubtful.append(bare[:_MAX_NAME])
        elif bare.title() in _MONTHS and not behind_stamp:
            self._doubtful.append(bare)  # of a stamp in a form that is not known
        elif attached and bare in ZONES and self._names[-1]:
            pass  # of a stamp that a relay has put before its own idea of the sender
        elif named := names_of(bare):
            self._names[-1] += named
            if leads and named[0] == word:
                self._leading = word
        return True

    def _is_header(self, bare: bytes, start: int, *, apart: bool) -> bool:
        """In a line without a tag: can a word still be of the header?  *apart*: a colon parts it from the stamp."""
        if self._names[-1] or apart or self._closed or _LAST_MESSAGE.match(self._head, start):
            return False
        return self._stamp is not None or self._before == "original" or bare.isdigit()

    def _is_zone(self, bare: bytes, end: int, *, attached: bool) -> str:
        """
        Is the word behind a stamp its zone: `yes`, `maybe`, or nothing for a name?

        `clock timezone` takes any word.  The ASA writes a blank before the colon that follows a
        device-id, and none before that of a zone; where both stand, the zone stands first.  So a word
        alone with a blank and a colon behind it is a name, but for the zones of `ZONES`: those are zones first.
        """
        if _OFFSET.fullmatch(bare):
            return "yes"
        if all(part in ZONES for part in bare.split(b"/")):
            return "maybe" if b"/" in bare or _BLANK_COLON.match(self._head, end) else "yes"
        if not self._own:
            return ""
        if attached and _SHORT_ZONE.fullmatch(bare):
            return "maybe"
        if not attached and _WORD_ZONE.fullmatch(bare) and self._is_device_id(end):
            return "maybe"
        if not _ZONE.fullmatch(bare):
            return ""
        if attached:
            return "maybe"
        following = _NEXT_WORD.match(self._head, end)
        if following is None or _PROGRAM.fullmatch(following[1]):
            return ""
        if _STAMP.match(self._head, following.start(1)):
            return ""
        return "maybe" if b":" in self._head[end:] else ""

    def _is_device_id(self, at: int) -> bool:
        """Does all that is left of the head look like the device-id that the ASA writes behind a zone?"""
        found = _DEVICE_ID.match(self._head, at)
        return found is not None and bool(names_of(found[1]))


def names_of(word: bytes) -> list[bytes]:
    """The names in a word: an address without its port, each host of a chain, a context with its firewall."""
    if len(word) > _MAX_NAME or _NO_NAME.fullmatch(word):
        return []
    if word.startswith(b"["):
        bracketed = _IN_BRACKETS.fullmatch(word)
        word = bracketed[1] if bracketed else word
    if wrapped := _WRAPPED.fullmatch(word):
        word = wrapped[1]
    if with_port := _WITH_PORT.fullmatch(word):
        word = with_port[1] or with_port[2]
    if b":" in word:
        word = _without_mapping(word)
    if b"@" in word:  # syslog-ng puts the name of the source before the first host of a chain
        word = word.partition(b"@")[2] or word
    if b"/" not in word:
        return [word]
    parts = [part for part in word.split(b"/")[:_MAX_NAMES] if part]
    if not parts:
        return []
    others = parts[1:]
    # `client/relay.example.net/192.0.2.9` is a chain of hosts, `firewall/context` is one name.
    if any(b"." in other or b":" in other for other in others):
        return parts
    return [word, *parts]


def _without_mapping(word: bytes) -> bytes:
    """The IPv4 address in an IPv6 address that maps one, however that is spelled."""
    try:
        mapped = IPv6Address(word.decode("ascii")).ipv4_mapped
    except ValueError:
        return word
    return word if mapped is None else str(mapped).encode("ascii")
