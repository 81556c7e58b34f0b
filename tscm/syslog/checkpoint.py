"""
Lines of Check Point's Log Exporter: `key=value` between bars, RFC 5424 parameters, CEF and LEEF.

Pure (sk122323).  Keys repeat, with a value for each layer: the first counts.
"""

import re

from tscm.syslog.asa import Action
from tscm.syslog.passage import Passage, address, port, protocol, text_of

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,60}=")
_PARAMETER = re.compile(r'([A-Za-z_][A-Za-z0-9_-]{0,60})="((?:[^"\\]|\\.)*)"')
_CEF = re.compile(r"CEF:[0-9]\|Check Point\|")
_LEEF = re.compile(r"LEEF:[0-9.]{1,3}\|Check Point\|")
_CEF_PAIR = re.compile(r"(?:^| )([A-Za-z_][A-Za-z0-9_]{0,60})=")
_HEADERS = 7
_LEEF_HEADERS = 5
_PERMITTED = frozenset({"accept", "detect", "allow", "bypass", "monitor", "encrypt", "decrypt"})
_DENIED = frozenset({"drop", "reject", "block", "prevent", "quarantine"})
_BLADES = frozenset({"Anti-Bot", "Anti Malware", "Anti-Virus", "Anti-Malware", "New Anti Virus"})
"""By these a custom intelligence feed acts."""


def parse(line: bytes) -> Passage | None:
    """What a line about a connection says; None for every other line, such as an administrator's log-in."""
    words = _words(text_of(line))
    source, destination = address(words.get("src")), address(words.get("dst"))
    if source is None and destination is None:
        return None
    name = protocol(words.get("proto"))
    product = words.get("product", "")
    return Passage(
        message=product[:40],
        action=_action(_first(words, "action", "act").lower()),
        protocol=name,
        source=source,
        source_port=port(_first(words, "s_port", "spt", "srcPort"), name),
        destination=destination,
        destination_port=port(_first(words, "service", "dpt", "dstPort"), name),
        rule=words.get("rule_name") or None,
        list_name=words.get("protection_name") or None if product in _BLADES else None,
    )


def counts_twice(passage: Passage) -> bool:
    """Is it a second line about a connection that another blade tells of?"""
    return passage.message == "QoS"


def _first(words: dict[str, str], *keys: str) -> str:
    return next((words[key] for key in keys if key in words), "")


def _action(word: str) -> Action | None:
    if word in _DENIED:
        return Action.DENIED
    return Action.PERMITTED if word in _PERMITTED else None


def _words(text: str) -> dict[str, str]:
    cef, leef = _CEF.search(text), _LEEF.search(text)
    if cef is not None:
        return _of_cef(text[cef.start() :])
    if leef is not None:
        return _of_leef(text[leef.start() :])
    if '="' in text:
        return _of(_PARAMETER.findall(text))
    return _of_bars(text)


def _of(pairs: list[tuple[str, str]]) -> dict[str, str]:
    words: dict[str, str] = {}
    for key, value in pairs:
        words.setdefault(key, value)
    return words


def _of_bars(text: str) -> dict[str, str]:
    """A bar inside a value is one behind which no key begins."""
    pairs: list[tuple[str, str]] = []
    for part in text.split("|"):
        if _KEY.match(part):
            key, _, value = part.partition("=")
            pairs.append((key, value))
        elif part and pairs:
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]}|{part}")
    return _of(pairs)


def _of_leef(text: str) -> dict[str, str]:
    body = text.split("|", _LEEF_HEADERS)[-1]
    return _of([(key, value) for key, _, value in (one.partition("=") for one in body.split("\t"))])


def _of_cef(text: str) -> dict[str, str]:
    r"""Values hold blanks, and an equals sign as `\=`; a rule's name is in the field whose label says so."""
    body = text.split("|", _HEADERS)[-1]
    keys = list(_CEF_PAIR.finditer(body))
    ends = [one.start() for one in keys[1:]] + [len(body)]
    words = _of([(one[1], body[one.end() : end]) for one, end in zip(keys, ends, strict=True)])
    for key in [key for key, value in words.items() if value == "Rule Name"]:
        rule = words.get(key.removesuffix("Label"))
        if rule:
            words.setdefault("rule_name", rule)
    return words
