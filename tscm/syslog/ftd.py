"""
Security events of Cisco Firepower: 430001 to 430005 of a device, and `SFIMS` of its management centre.

Pure (Cisco, Firepower Threat Defense Syslog Messages).  The line is `Key: value, Key: value`, and values hold
commas: so keys are looked for, and the first of each counts.
"""

import re

from tscm.syslog.asa import Action
from tscm.syslog.passage import Passage, address, port, protocol, text_of

_EVENT = re.compile(r"%FTD-[0-7]-(43000[1-5]): ?|\b(SFIMS): ?")
_PAIR = r"(?:^|, ){key}: ([^,]{{1,200}})"
_KEYS = {
    key: re.compile(_PAIR.format(key=key))
    for key in (
        "SrcIP",
        "DstIP",
        "SrcPort",
        "DstPort",
        "Protocol",
        "AccessControlRuleAction",
        "AccessControlRuleReason",
        "InlineResult",
        "FileAction",
        "IPReputationSICategory",
        "DNSSICategory",
        "URLSICategory",
    )
}
_RULE = re.compile(r"(?:^|, )AccessControlRuleName: (.{1,200}?)(?=, [A-Z][A-Za-z_ ]{1,40}: |$)")
_CATEGORIES = ("IPReputationSICategory", "DNSSICategory", "URLSICategory")
_LIST_ACTED = re.compile(r"\b(?:IP|DNS|URL) (?:Block|Monitor)\b")
_PERMITTED = frozenset({"allow", "trust", "monitor", "fastpath"})


def parse(line: bytes) -> Passage | None:
    """What a security event says; None for every other line."""
    text = text_of(line)
    found = _EVENT.search(text)
    if found is None:
        return None
    body = text[found.end() :].lstrip()
    words = {key: value[1].strip() for key, one in _KEYS.items() if (value := one.search(body))}
    message = found[1] or found[2]
    name = protocol(words.get("Protocol"))
    rule = _RULE.search(body)
    acted = _LIST_ACTED.search(words.get("AccessControlRuleReason", ""))
    category = next((words[one] for one in _CATEGORIES if one in words), None)
    return Passage(
        message=message,
        action=_action(words),
        protocol=name,
        source=address(words.get("SrcIP")),
        source_port=port(words.get("SrcPort"), name),
        destination=address(words.get("DstIP")),
        destination_port=port(words.get("DstPort"), name),
        rule=None if rule is None else rule[1],
        list_name=category if acted else None,
    )


def _action(words: dict[str, str]) -> Action | None:
    """Of connections the rule's or the list's, of intrusions and files what was done with them."""
    if "InlineResult" in words:
        return Action.DENIED if words["InlineResult"].lower() == "dropped" else None
    if "FileAction" in words:
        return Action.DENIED if "block" in words["FileAction"].lower() else Action.PERMITTED
    word = words.get("AccessControlRuleAction", "").lower()
    if "block" in word:
        return Action.DENIED
    return Action.PERMITTED if word in _PERMITTED else None
