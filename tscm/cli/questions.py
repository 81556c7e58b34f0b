"""
The questions of `add` and `configure`, in their order and in their literal words.

What may be answered stands in `tscm.settings.device`; here stands how it is asked for.
"""

from collections.abc import Mapping
from typing import Any

import attrs
from attrs import frozen

from tscm.base.secrets import MASK, Secret
from tscm.devices.stored import AUTO
from tscm.settings import values
from tscm.settings.device import DeviceSettings

Answers = Mapping[str, Any]


@frozen(kw_only=True)
class Question:
    """
    One setting as it is asked for.

    *words* is the prompt without its `[default …]`, which follows after a blank, or on
    the next line where *words* end in a line end.  *only_with* names a yes/no setting or an optional
    one that must be on for the question to make sense.
    """

    name: str
    words: str
    advanced: bool = False
    hidden: bool = False
    letters: bool = False
    """yes and no are shown as `y` and `n`."""
    only_with: str | None = None
    default: str | None = None
    """What is shown as default for a new device where it is not the setting's own."""
    said: str | None = None
    """What is said of the answer, with the value as `{value}`."""

    def read(self, answer: str) -> Any:
        """The value; raises `ValueError` with what would be right."""
        if self.name == "max_policy_size" and answer.strip().lower() == AUTO:
            return AUTO
        return attrs.fields_dict(DeviceSettings)[self.name].metadata["read"](answer)

    def shown(self, value: Any) -> str | None:
        """*value* as the default in the prompt; None where there is none."""
        if value is attrs.NOTHING:
            return None
        if isinstance(value, Secret) or value == MASK:
            return "unchanged"
        if isinstance(value, bool):
            long = "yes" if value else "no"
            return long[0] if self.letters else long
        if self.name == "rest_url" and value is None:
            return AUTO
        if value in (None, (), []):
            return "none"
        if isinstance(value, tuple | list):
            return " ".join(value)
        return str(value)

    def prompt(self, default: str | None) -> str:
        """The prompt, with its default where there is one."""
        if default is None:
            return f"{self.words} "
        gap = "" if self.words.endswith("\n") else " "
        return f"{self.words}{gap}{'  ' if not gap else ''}[default {default}] "


NAME = Question(name="name", words="Device name : (letters, digits, '-' and '_')")

QUESTIONS = (
    Question(name="device_id", words="Device ID (tdid) :"),
    Question(name="device", words="Device Management IP address :"),
    Question(name="block_list", words="Block list name :"),
    Question(name="allow_list", words="Allow list name :"),
    Question(name="prefix", words="Prefix : (of the object-group names)"),
    Question(name="token_auth", words="Token Auth? (yes or no)"),
    Question(
        name="allow_self_signed",
        words="Allow Self-Signed Certificates? (yes or no; yes is not safe)",
    ),
    Question(
        name="max_policy_size",
        words="Max Policy Size : (number of entries; auto takes what the platform\n"
        "  bears, about 8,000 on the smallest; raise it step by step)",
        default=AUTO,
    ),
    Question(name="send_logs", words="Send logs to ThreatSTOP? (yes or no)"),
    Question(name="username", words="Device username :"),
    Question(name="password", words="Device password :", hidden=True),
    Question(name="dns_port", words="DNS port : (53 (standard) or 5353)", advanced=True),
    Question(
        name="syslog_sources",
        words="Please enter all additional syslog source IP(s). Use none for none.\n"
        "  Separate multiple entries with a space :",
        advanced=True,
    ),
    Question(name="log_rotate_size", words="Log rotate size : (in Kb, minimum 50)", advanced=True),
    Question(
        name="policy_updates",
        words="Enable policy updates? (y or n)",
        letters=True,
        advanced=True,
    ),
    Question(
        name="syslog_forward",
        words="Enable syslog forward? (y or n)",
        letters=True,
        advanced=True,
    ),
    Question(
        name="forward_address",
        words="Syslog forward IP address :",
        advanced=True,
        only_with="syslog_forward",
    ),
    Question(
        name="forward_port",
        words="Syslog forward port :",
        advanced=True,
        only_with="syslog_forward",
    ),
    Question(
        name="forward_protocol",
        words="Syslog forward protocol : (UDP, TCP or TLS)",
        advanced=True,
        only_with="syslog_forward",
    ),
    Question(
        name="log_proxy",
        words="Log upload proxy ( e.g. '', 'none' for none)?\n",
        advanced=True,
    ),
    Question(
        name="log_proxy_user",
        words="Log upload proxy user : (none for none)",
        advanced=True,
        only_with="log_proxy",
    ),
    Question(
        name="log_proxy_password",
        words="Log upload proxy password :",
        hidden=True,
        advanced=True,
        only_with="log_proxy_user",
    ),
    Question(
        name="ha_members",
        words="Is this device part of an HA/cluster setup?\n"
        "  If so, enter the additional IP(s) (space-separated),\n"
        '  or "none" for no HA :',
        advanced=True,
    ),
    Question(
        name="rest_url",
        words="Custom REST API URL: (Custom REST API URL if it is non-standard\n"
        "  https://<device_ip>/api. If unsure leave default value 'auto'.)\n",
        advanced=True,
    ),
    Question(
        name="object_group_size",
        words="Object-Group Size: (The number of CIDRs in the nested Object-Group(s).)\n",
        advanced=True,
        said="Object Group size set to [{value:,}]",
    ),
)
"""Every question of the type `asarest`, in the order of the reference."""

DEVICE_KEY = Question(
    name="upload_key",
    words="Device key at the log service {url} : (hidden; Enter for none)",
    hidden=True,
)
"""Of ours, and behind all of those: asked only where logs go to a service that wants a key."""

NEEDED = ("device_id", "device", "block_list", "allow_list", "username", "password")
"""What has no default."""


def applies(question: Question, answers: Answers) -> bool:
    """Does *question* make sense after what has been answered?"""
    if question.only_with is None:
        return True
    value = answers.get(question.only_with)
    if isinstance(value, str):
        try:
            value = attrs.fields_dict(DeviceSettings)[question.only_with].metadata["read"](value)
        except ValueError:
            return True  # the fault will be told; the answer behind it is still wanted
    return bool(value)


def disagrees(question: Question, value: Any, answers: Answers) -> str | None:
    """What is wrong with *value* beside the answers that were given before, or None."""
    names = set(str(answers.get("block_list")).lower().replace(",", " ").split())
    if question.name == "allow_list" and names & set(str(value).split()):
        return "that is the block list; an allow list is another one, and may be empty"
    return None


def default_of(question: Question, present: Answers | None) -> Any:
    """The present value, or the default of a new device; `attrs.NOTHING` where there is none."""
    if present is not None:
        value = present.get(question.name)
        if question.name == "forward_address" and value is None:
            return attrs.NOTHING
        if question.hidden and value is None:
            return attrs.NOTHING
        return value
    if question.default is not None:
        return question.default
    if question.name in {"forward_address", "log_proxy_password"}:
        return attrs.NOTHING
    return attrs.fields_dict(DeviceSettings)[question.name].default


def read_name(answer: str) -> str:
    """The answer to `NAME`."""
    return values.nickname(answer)
