"""
The texts of ASA messages, by message id (Cisco ASA Series Syslog Messages; docs/develop/asa.md, section 8).

Each form is one regular expression over the text behind the tag; its named groups are the facts,
and how its two ends are spelled stands beside it.  Unknown ids and texts that fit no form give no
facts: the line is still an event.
"""

import re
from collections.abc import Callable

from attrs import evolve, field, frozen

from tscm.syslog import asa_ends
from tscm.syslog.asa_ends import Endpoint

_END = ".{1,600}?"
_SRC, _DST = f"(?P<src>{_END})", f"(?P<dst>{_END})"

# Up to the first such word and never to a later one, so that no text makes anything be tried twice.
_SRC_TO, _SRC_DST = (rf"(?>{_SRC} {word} )" for word in ("to", "dst"))
_SRC_ARROW = rf"(?>{_SRC}(?: |(?<=\)))-> ?)"
_FADDR_LADDR = rf"(?>{_DST} (?=[gl]addr ))(?>(?:gaddr {_END} )?laddr )"
_PARENS = r"(?: ?\([^()]{0,300}\)){0,4}"
_WORD_DST = rf"(?P<dst>[^\s(),]+(?: ?/ ?[\w-]+)?{_PARENS})"
_ICMP = r"(?:,? ?\(?type (?P<type>\d+), ?code (?P<code>\d+)\)?,?)?"
_HASHES = r"(?: ?\[(?P<hash1>\w+)(?:, ?(?P<hash2>\w+))?\])?"
_ACL = r"(?P<acl>\"[^\"]{1,600}\"?|'[^']{1,600}'?|\S+)"
_LOGIN = r"(?P<login>'[^']*'|\"[^\"]*\"|[^,]{1,200}?)"
"""A user's name may have blanks without quotation marks: it ends where the form goes on."""
_FOR_USER = rf"(?> for user (?:{_LOGIN} (?=[^\s/]+/[^\s(]+ ?\()|(?P<login2>[^\s,]+) ))"
_LISTED = (
    rf"access-list (?P<flow>(?P<acl>\S+) (?P<action>permitted|denied|est-allowed) (?P<protocol>\S+)"
    rf"(?:{_FOR_USER}| ){_SRC_ARROW}{_DST})"
    rf"(?: hit-cnt (?P<hits>\d+)(?: \(?(?:(?P<first>first hit)|(?P<interval>\d+)-second interval)\)?)?{_HASHES}.*)?$"
)
_DENY = r"(?P<action>Deny) (?:inbound )?(?:\(No xlate\) )?(?:protocol )?(?P<protocol>\S+)"
_GROUPED = rf"{_DENY} src {_SRC_DST}{_DST}{_ICMP} by access-group {_ACL}{_HASHES}"
_FROM_TO = rf"from {_SRC_TO}{_WORD_DST}"
_ON = r"(?:.{0,600}? on interface (?P<src_if>[^\s,]+?)\.?$)?"
_CONNECTION = (
    rf"(?P<action>Built|Teardown)(?: inbound| outbound| director| backup| forwarder| stub){{0,3}}"
    rf" (?P<protocol>[\w-]+)(?: state-bypass)?(?: connection)?(?: \S+)? (?:for|from) {_SRC_TO}{_DST}"
    rf"(?: duration\b.*)?$"
)
_FACED = (
    rf"(?P<action>Built|Teardown)(?: inbound| outbound| stub){{0,2}} (?P<protocol>[\w-]+) connection"
    rf"(?: \S+)? for faddr {_FADDR_LADDR}{_SRC}(?: type (?P<type>\d+) code (?P<code>\d+))?"
    rf"(?: duration\b.*)?$"
)
_ICMP_DENIED = (
    r"(?P<action>Denied) (?P<protocol>[\w-]+) type ?= ?(?P<type>\d+) ?, ?(?:code ?= ?(?P<code>\d+) )?"
    rf"from (?:laddr )?{_SRC} on interface"
)
_WHERE_IT_CAME = r"(?=(?P<dst_if>\S+))(?P<src_if>\S+)"
"""The interface at which a packet for the firewall itself came in: that of both ends."""
_Reader = Callable[[str], Endpoint | None]


def _compiled(form: str) -> re.Pattern[str]:
    return re.compile(form, re.ASCII | re.IGNORECASE)


@frozen
class _Form:
    """One wording of a message, and how it spells the ends."""

    text: re.Pattern[str] = field(converter=_compiled)
    source: _Reader = asa_ends.inspected
    destination: _Reader = asa_ends.inspected


def _bare(text: str) -> _Form:
    return _Form(text, asa_ends.bare, asa_ends.bare)


def _to_box(text: str) -> _Form:
    """What reached the firewall itself: the interface stands at the near end alone."""
    return _Form(text, asa_ends.bare)


def _listed(text: str) -> _Form:
    return _Form(text, asa_ends.listed, asa_ends.listed)


_INBOUND = (
    _Form(rf"{_DENY} src {_SRC_DST}(?P<dst>[^\s(]*:[^\s(]+{_PARENS}?){_ICMP}(?: .*)?$"),
    _Form(rf"{_DENY} src {_SRC_DST}{_DST}{_ICMP}$"),
)
_FORMS: dict[str, tuple[_Form, ...]] = {
    "106001": (_bare(rf"Inbound (?P<protocol>\w+) connection (?P<action>denied) {_FROM_TO}{_ON}"),),
    "106002": (
        _bare(r"(?P<protocol>\w+) connection (?P<action>denied) by outbound list (?P<acl>\S+) src (?P<src>\S+)(?: \d+)? dest (?P<dst>\S+?)(?: \d+)?$"),
    ),
    "106006": (_bare(rf"(?P<action>Deny) inbound (?P<protocol>\w+) {_FROM_TO}{_ON}"),),
    "106007": (_bare(rf"(?P<action>Deny) inbound (?P<protocol>\w+) {_FROM_TO}{_ON}"),),
    "106010": _INBOUND,
    "106011": _INBOUND,
    "106012": (_bare(rf"(?P<action>Deny) (?P<protocol>\w+) {_FROM_TO}"),),
    "106013": (_bare(rf"(?P<action>Dropping) echo request from {_SRC_TO}PAT address {_DST}$"),),
    "106014": _INBOUND,
    "106015": (_bare(rf"(?P<action>Deny) (?P<protocol>\w+) \(no connection\) {_FROM_TO}{_ON}"),),
    "106016": (_bare(rf"(?P<action>Deny) (?P<protocol>\w+) spoof from \(?(?P<src>[^\s()]+)\)? to {_WORD_DST}{_ON}"),),
    "106017": (_bare(rf"(?P<action>Deny) (?P<protocol>\w+) due to Land Attack {_FROM_TO}"),),
    "106018": (
        _bare(rf"(?P<protocol>ICMP) packet type (?P<type>\d+) (?P<action>denied) by outbound list (?P<acl>\S+) src {_SRC} dest {_DST}$"),
    ),
    "106020": (_bare(rf"(?P<action>Deny) (?P<protocol>\w+) (?:teardrop fragment \(.{{0,200}}?\) )?{_FROM_TO}"),),
    "106021": (_bare(rf"(?P<action>Deny) (?:protocol )?(?P<protocol>\S+) reverse path check {_FROM_TO}{_ON}"),),
    "106022": (_bare(rf"(?P<action>Deny) (?:protocol )?(?P<protocol>\S+) connection spoof {_FROM_TO}{_ON}"),),
    "106023": (_Form(_GROUPED),),
    "106027": (
        _Form(
            rf"(?:\S+: )?(?P<action>Deny)(?: (?P<protocol>\S+))? src \[?{_SRC}\]? dst \[?{_DST}\]? by access-group {_ACL}{_HASHES}",
            asa_ends.hardware,
            asa_ends.hardware,
        ),
    ),
    "106100": (_listed(_LISTED),),
    "106102": (_listed(_LISTED),),
    "106103": (_listed(_LISTED),),
    "109033": (
        _bare(rf"Authentication (?P<action>failed) for admin user {_LOGIN} from (?P<src>[^\s,]+?)\.?(?: |$)"),
    ),
    "111008": (_Form(rf"User {_LOGIN} executed the (?P<command>.+?) command\.?$"),),
    "111010": (
        _bare(rf"User {_LOGIN}, running .{{1,100}}? from IP (?P<src>[^\s,]+), executed (?P<command>.+)$"),
    ),
    "302001": (_bare(_FACED),),
    "302002": (_bare(_FACED),),
    "302013": (_Form(_CONNECTION),),
    "302014": (_Form(_CONNECTION),),
    "302015": (_Form(_CONNECTION),),
    "302016": (_Form(_CONNECTION),),
    "302017": (_Form(_CONNECTION),),
    "302018": (_Form(_CONNECTION),),
    "302020": (_bare(_FACED), _Form(_CONNECTION)),
    "302021": (_bare(_FACED), _Form(_CONNECTION)),
    "302022": (_Form(_CONNECTION),),
    "302023": (_Form(_CONNECTION),),
    "302024": (_Form(_CONNECTION),),
    "302025": (_Form(_CONNECTION),),
    "302026": (_Form(_CONNECTION),),
    "302027": (_Form(_CONNECTION),),
    "302303": (_Form(_CONNECTION),),
    "302304": (_Form(_CONNECTION),),
    "305011": (_Form(rf"(?P<action>Built) (?:static|dynamic) (?P<protocol>\w+) translation from {_SRC_TO}{_DST}$"),),
    "305012": (
        _Form(rf"(?P<action>Teardown) (?:static|dynamic) (?P<protocol>\w+) translation from {_SRC_TO}{_DST}(?: duration\b.*)?$"),
    ),
    "313001": (_bare(rf"{_ICMP_DENIED} {_WHERE_IT_CAME}"),),
    "313004": (_bare(rf"{_ICMP_DENIED} (?P<src_if>\S+) to (?P<dst>\S+?):?(?: no matching.*)?$"),),
    "313005": (
        _Form(rf"No matching connection for ICMP error message: (?P<protocol>\S+) src {_SRC_DST}{_DST}{_ICMP}(?: on .*)?$"),
    ),
    "313008": (_bare(rf"{_ICMP_DENIED} {_WHERE_IT_CAME}"),),
    "313009": (
        _Form(rf"(?P<action>Denied) invalid (?P<protocol>\w+) code (?P<code>\d+), for {_SRC_TO}{_DST}(?:, ICMP id [^,]*(?:, ICMP type (?P<type>\d+))?.*)?$"),
    ),
    "605004": (_to_box(rf"Login (?P<action>denied) from {_SRC_TO}{_DST} for user {_LOGIN}(?:,|$)"),),
    "605005": (_to_box(rf"Login (?P<action>permitted) from {_SRC_TO}{_DST} for user {_LOGIN}(?:,|$)"),),
    "710001": (_to_box(rf"(?P<protocol>\S+) access requested from {_SRC_TO}{_DST}$"),),
    "710002": (_to_box(rf"(?P<protocol>\S+) access (?P<action>permitted) from {_SRC_TO}{_DST}$"),),
    "710003": (_to_box(rf"(?P<protocol>\S+) access (?P<action>denied)(?: by ACL)? from {_SRC_TO}{_DST}$"),),
    "710004": (_to_box(rf"(?P<protocol>\S+) connection limit exceeded from {_SRC_TO}{_DST}$"),),
    "710005": (_to_box(rf"(?P<protocol>\S+) request (?P<action>discarded) from {_SRC_TO}{_DST}$"),),
    "710006": (_to_box(rf"(?P<protocol>\S+) request (?P<action>discarded) from {_SRC_TO}{_DST}$"),),
}  # fmt: skip
_TRAILING_ICMP = re.compile(r"\(type (?P<type>\d+), code (?P<code>\d+)\)", re.ASCII)
_BLANKS = re.compile(r"[ \t\n\r\f\v]+")
_REPEATED = re.compile(
    r"message repeated (?P<times>[0-9]{1,9}) times: \[ ?(?P<text>.*?)\]?$", re.ASCII
)
_TEXT_READ = 2048  # no form is longer; what a sender appends beyond that costs nothing
_OCTET = 255
_COUNTED_FLOWS = frozenset({"106100", "106102", "106103"})


@frozen
class Facts:
    """What a text says: words by name, the two ends, and how often a relay says it was sent."""

    words: dict[str, str] = field(factory=dict)
    source: Endpoint | None = None
    destination: Endpoint | None = None
    times: int = 1


def read_text(message_id: str, text: str, times: int = 1) -> Facts:
    """The facts of *text*, said *times* times; nothing where no form fits."""
    text = _BLANKS.sub(" ", text[:_TEXT_READ]).strip()
    if times != 1:
        text = text.removesuffix("]").rstrip()
    elif repeated := _REPEATED.match(text):
        times, text = int(repeated["times"]), repeated["text"].strip()
    for form in _FORMS.get(message_id, ()):
        match = form.text.match(text)
        if match:
            words = {name: value for name, value in match.groupdict().items() if value is not None}
            source = _end(words, "src", form.source, words.get("login") or words.get("login2"))
            destination = _end(words, "dst", form.destination)
            if "acl" in words:
                words["acl"] = _unquoted(words["acl"])
            return _with_icmp(message_id, text, Facts(words, source, destination, times))
    return Facts()


def _end(
    words: dict[str, str], side: str, read: _Reader, login: str | None = None
) -> Endpoint | None:
    spec, interface = words.get(side), words.get(f"{side}_if")
    end = read(spec) if spec else None
    user = _unquoted(login) if login else None
    if interface is not None or user is not None:
        end = end or Endpoint()
        end = evolve(end, interface=interface or end.interface, user=end.user or user)
    return end


def _unquoted(word: str) -> str:
    quote = word[:1]
    return word[1:].removesuffix(quote) if quote in {"'", '"'} else word


def _with_icmp(message_id: str, text: str, facts: Facts) -> Facts:
    """
    106100 writes type and code where other protocols have ports; others write them at the end.

    Either is one octet: larger numbers are what they are for other protocols.
    """
    words, source, destination = facts.words, facts.source, facts.destination
    if not words.get("protocol", "").lower().removeprefix("ipv6-").startswith("icmp"):
        return facts
    if message_id not in _COUNTED_FLOWS:
        if "type" not in words and (trailing := _TRAILING_ICMP.search(text)):
            words.update(trailing.groupdict())
        return facts
    if source is None or destination is None:
        return facts
    kind, code = source.port, destination.port
    if (kind or 0) > _OCTET or (code or 0) > _OCTET:
        return facts
    words.update({name: str(n) for name, n in (("type", kind), ("code", code)) if n is not None})
    return Facts(words, evolve(source, port=None), evolve(destination, port=None), facts.times)
