"""
Security events of Cisco Firepower: 430001 to 430005 of a device, and `SFIMS` of its management centre.

Pure (Cisco, Firepower Threat Defense Syslog Messages).  The line is `Key: value, Key: value`, and values hold
commas: so keys are looked for, and the first of each counts.
"""

import re

from tscm.syslog.asa import Action
from tscm.syslog.passage import Passage, address, number, port, protocol, text_of

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
        "InstanceID",
        "FirstPacketSecond",
        "ConnectionID",
        "ConnectionDuration",
        "ConnectType",
    )
}
_RULE = re.compile(r"(?:^|, )AccessControlRuleName: (.{1,200}?)(?=, [A-Z][A-Za-z_ ]{1,40}: |$)")
_BEGIN, _END = "430002", "430003"
"""Connection events at the begin and at the end."""
_TIES = (
    ("InstanceID", "FirstPacketSecond", "ConnectionID"),
    ("SrcIP", "SrcPort", "DstIP", "DstPort"),
)
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
    action = _action(words)
    connection, lasted = _connection(message, words) if action is Action.PERMITTED else (None, None)
    return Passage(
        message=message,
        action=action,
        protocol=name,
        source=address(words.get("SrcIP")),
        source_port=port(words.get("SrcPort"), name),
        destination=address(words.get("DstIP")),
        destination_port=port(words.get("DstPort"), name),
        rule=None if rule is None else rule[1],
        list_name=category if acted else None,
        connection=connection,
        lasted=lasted,
    )


def _connection(message: str, words: dict[str, str]) -> tuple[str | None, int | None]:
    """
    Which connection the line tells the begin or the end of, and how long that lasted.

    430002 and 430003 number it from release 6.5 on; before, and in `SFIMS`, its two ends have to do.
    """
    step = {_BEGIN: "Start", _END: "End"}.get(message, words.get("ConnectType"))
    keys = next((keys for keys in _TIES if all(key in words for key in keys)), None)
    if keys is None or step not in ("Start", "End"):
        return None, None
    name = " ".join(words[key] for key in keys)
    return name, number(words.get("ConnectionDuration")) if step == "End" else None


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
