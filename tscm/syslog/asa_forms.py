"""
The texts of ASA messages, by message id (Cisco ASA Series Syslog Messages; docs/asa.md, section 8).

Each form is one regular expression over the text behind the tag; its named groups are the facts.
Unknown ids and texts that fit no form give no facts: the line is still an event.
"""

import re

_IF = r"[^\s:/()]+"
_HOST = r"[^\s/(),]+"
_PARENS = r"(?: ?\([^()]{0,300}\)){0,4}"


def _with_interface(side: str) -> str:
    """`IF:HOST/PORT (mapped)(user)`; older templates have blanks before ':' and '/'."""
    return (
        rf"(?P<{side}_if>{_IF}) ?:(?P<{side}>{_HOST}) ?(?:/(?P<{side}_port>[\w-]+))?"
        rf"(?P<{side}_par>{_PARENS})"
    )


def _bare(side: str) -> str:
    """`HOST/PORT(user)`."""
    return rf"(?P<{side}>{_HOST}) ?(?:/(?P<{side}_port>[\w-]+))?(?P<{side}_par>{_PARENS})"


def _listed(side: str) -> str:
    """`IF/HOST(PORT)(user)` as 106100 writes it."""
    return (
        rf"(?P<{side}_if>[^\s/()]+)/(?P<{side}>[^\s()]+) ?\((?P<{side}_port>[\w-]*)\)"
        rf"(?P<{side}_par>{_PARENS})"
    )


_ICMP = r"\(type (?P<type>\d+), code (?P<code>\d+)\)"
_HASHES = r"(?:\s*\[(?P<hash1>\w+)(?:, ?(?P<hash2>\w+))?\])?"
_PAIR = f"{_with_interface('src')} to {_with_interface('dst')}"
_LISTED = (
    rf"access-list (?P<acl>\S+) (?P<action>permitted|denied|est-allowed) (?P<protocol>\S+)"
    rf"(?: for user (?P<login>\S+))?"
    rf" {_listed('src')} -> {_listed('dst')}"
    rf" hit-cnt (?P<hits>\d+) (?:first hit|(?P<interval>\d+)-second interval){_HASHES}"
)
_INSPECTED = (
    rf"(?P<action>Deny) (?:inbound )?(?:\(No xlate\) )?(?:protocol )?(?P<protocol>\S+)"
    rf" src {_with_interface('src')} dst {_with_interface('dst')}"
)
_FROM_TO = rf"from {_bare('src')} to {_bare('dst')}"
_ON = r"(?:.*? on interface (?P<src_if>[^\s,]+?)\.?$)?"
_CONNECTION = (
    rf"(?P<action>Built|Teardown) (?:(?P<direction>inbound|outbound) )?(?:stub )?(?P<protocol>\w+)"
    rf"(?: connection)? \S+ (?:for|from) {_PAIR}"
)
_FACED = (
    rf"(?P<action>Built|Teardown) (?:(?:inbound|outbound) )?(?P<protocol>ICMP\w*|IPv6-ICMP) connection"
    rf"(?: \d+)? for faddr {_bare('dst')} gaddr \S+ laddr {_bare('src')}"
    rf"(?: type (?P<type>\d+) code (?P<code>\d+))?"
)
_ICMP_TO_BOX = (
    r"(?P<action>Denied) (?P<protocol>[\w-]+) type ?= ?(?P<type>\d+) ?, ?code ?= ?(?P<code>\d+)"
    rf" from (?P<src>{_HOST}) on interface (?P<dst_if>\S+)"
)

_FORMS: dict[str, tuple[str, ...]] = {
    "106001": (rf"Inbound (?P<protocol>\w+) connection (?P<action>denied) {_FROM_TO}{_ON}",),
    "106006": (rf"(?P<action>Deny) inbound (?P<protocol>\w+) {_FROM_TO}{_ON}",),
    "106007": (rf"(?P<action>Deny) inbound (?P<protocol>\w+) {_FROM_TO} due to DNS",),
    "106010": (_INSPECTED,),
    "106011": (_INSPECTED,),
    "106012": (r"(?P<action>Deny) (?P<protocol>\w+) from (?P<src>[^\s,]+) to (?P<dst>[^\s,]+), IP options",),
    "106014": (rf"{_INSPECTED}",),
    "106015": (rf"(?P<action>Deny) (?P<protocol>\w+) \(no connection\) {_FROM_TO}{_ON}",),
    "106016": (rf"(?P<action>Deny) (?P<protocol>\w+) spoof from \(?(?P<src>[^\s()]+)\)? to (?P<dst>{_HOST}){_ON}",),
    "106017": (rf"(?P<action>Deny) (?P<protocol>\w+) due to Land Attack from (?P<src>{_HOST}) to (?P<dst>{_HOST})",),
    "106020": (rf"(?P<action>Deny) (?P<protocol>\w+) teardrop fragment \(.*?\) from (?P<src>{_HOST}) to (?P<dst>{_HOST})",),
    "106021": (rf"(?P<action>Deny) (?P<protocol>\S+) reverse path check from (?P<src>{_HOST}) to (?P<dst>{_HOST}){_ON}",),
    "106022": (rf"(?P<action>Deny) (?P<protocol>\S+) connection spoof from (?P<src>{_HOST}) to (?P<dst>{_HOST}){_ON}",),
    "106023": (
        (
            rf"(?P<action>Deny) (?:protocol )?(?P<protocol>\S+) src {_with_interface('src')}"
            rf" dst {_with_interface('dst')}.{{0,200}}? by access-group \"?(?P<acl>[^\"\s]+)\"?{_HASHES}"
        ),
    ),
    "106027": (
        (
            r"\S+: (?P<action>Deny) src \[?(?P<src>[^\s\]]+)\]? dst \[?(?P<dst>[^\s\]]+)\]?"
            rf".{{0,200}}? by access-group \"?(?P<acl>[^\"\s]+)\"?{_HASHES}"
        ),
    ),
    "106100": (_LISTED,),
    "106102": (_LISTED,),
    "106103": (_LISTED,),
    "302013": (_CONNECTION,),
    "302014": (_CONNECTION,),
    "302015": (_CONNECTION,),
    "302016": (_CONNECTION,),
    "302017": (_CONNECTION,),
    "302018": (_CONNECTION,),
    "302020": (_FACED, _CONNECTION),
    "302021": (_FACED, _CONNECTION),
    "302023": (_CONNECTION,),
    "313001": (_ICMP_TO_BOX,),
    "313004": (
        (
            r"(?P<action>Denied) (?P<protocol>\w+) type ?= ?(?P<type>\d+), from (?:laddr )?(?P<src>\S+)"
            r" on interface (?P<src_if>\S+) to (?P<dst>[^\s:]+(?::[^\s:]+)*):? no matching"
        ),
    ),
    "313005": (
        (
            rf"No matching connection for ICMP error message: (?P<protocol>\S+) src {_with_interface('src')}"
            rf" dst {_with_interface('dst')}"
        ),
    ),
    "313008": (_ICMP_TO_BOX,),
    "313009": (rf"(?P<action>Denied) invalid (?P<protocol>\w+) code (?P<code>\d+), for {_PAIR}",),
    "710002": (rf"(?P<protocol>\S+) access (?P<action>permitted) from {_bare('src')} to {_with_interface('dst')}",),
    "710003": (rf"(?P<protocol>\S+) access (?P<action>denied) by ACL from {_bare('src')} to {_with_interface('dst')}",),
    "710004": (rf"(?P<protocol>\S+) connection limit exceeded from {_bare('src')} to {_with_interface('dst')}",),
    "710005": (rf"(?P<protocol>\S+) request (?P<action>discarded) from {_bare('src')} to {_with_interface('dst')}",),
}  # fmt: skip
_COMPILED = {
    message_id: tuple(re.compile(form, re.ASCII | re.IGNORECASE) for form in forms)
    for message_id, forms in _FORMS.items()
}
_TRAILING_ICMP = re.compile(_ICMP, re.ASCII)
_TEXT_READ = 2048  # no form is longer; what a sender appends beyond that costs nothing

_SERVICES = {
    "aol": 5190, "bgp": 179, "biff": 512, "bootpc": 68, "bootps": 67, "chargen": 19, "cifs": 3020,
    "citrix-ica": 1494, "cmd": 514, "ctiqbe": 2748, "daytime": 13, "discard": 9, "dnsix": 195,
    "domain": 53, "echo": 7, "exec": 512, "finger": 79, "ftp": 21, "ftp-data": 20, "gopher": 70,
    "h323": 1720, "hostname": 101, "http": 80, "https": 443, "ident": 113, "imap4": 143, "irc": 194,
    "isakmp": 500, "kerberos": 750, "klogin": 543, "kshell": 544, "ldap": 389, "ldaps": 636,
    "login": 513, "lotusnotes": 1352, "lpd": 515, "mobile-ip": 434, "nameserver": 42,
    "netbios-dgm": 138, "netbios-ns": 137, "netbios-ssn": 139, "nfs": 2049, "nntp": 119, "ntp": 123,
    "pcanywhere-data": 5631, "pcanywhere-status": 5632, "pim-auto-rp": 496, "pop2": 109, "pop3": 110,
    "pptp": 1723, "radius": 1645, "radius-acct": 1646, "rip": 520, "rsh": 514, "rtsp": 554,
    "secureid-udp": 5510, "sip": 5060, "smtp": 25, "snmp": 161, "snmptrap": 162, "sqlnet": 1521,
    "ssh": 22, "sunrpc": 111, "syslog": 514, "tacacs": 49, "talk": 517, "telnet": 23, "tftp": 69,
    "time": 37, "uucp": 540, "vxlan": 4789, "who": 513, "whois": 43, "www": 80, "xdmcp": 177,
}  # fmt: skip
"""Names that the ASA writes in place of port numbers (ASA CLI guide, TCP and UDP ports)."""


def read_text(message_id: str, text: str) -> dict[str, str]:
    """The facts of *text* by name; empty where no form fits."""
    text = " ".join(text[:_TEXT_READ].split("\n"))
    for form in _COMPILED.get(message_id, ()):
        match = form.match(text)
        if match:
            facts = {name: value for name, value in match.groupdict().items() if value is not None}
            _add_icmp(message_id, text, facts)
            return facts
    return {}


def _add_icmp(message_id: str, text: str, facts: dict[str, str]) -> None:
    """106100 writes type and code where other protocols have ports; others write them at the end."""
    if not facts.get("protocol", "").lower().removeprefix("ipv6-").startswith("icmp"):
        return
    if message_id in {"106100", "106102", "106103"}:
        facts["type"] = facts.pop("src_port", "")
        facts["code"] = facts.pop("dst_port", "")
    elif trailing := _TRAILING_ICMP.search(text):
        facts.update(type=trailing["type"], code=trailing["code"])


def port_number(word: str | None) -> int | None:
    """A port from digits or from the name that the ASA writes for it."""
    if not word:
        return None
    if word.isascii() and word.isdecimal() and len(word) <= 5:
        number = int(word)
        return number if number <= 65535 else None
    return _SERVICES.get(word.lower())


def user(parens: str | None) -> str | None:
    """
    The user out of what stands in parentheses behind an endpoint; the mapped address is none.
    """
    for inner in re.findall(r"\(([^()]*)\)", parens or ""):
        word = str(inner).split(",")[0].strip()
        if word and not re.fullmatch(r"[^\s/]+/[\w-]+|type \d+", word):
            return word
    return None
