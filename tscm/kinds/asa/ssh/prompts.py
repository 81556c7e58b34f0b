"""
The prompt of an ASA's command line: which text it is, and what it says of the mode.  Pure.

`fw1> `, `fw1# `, `fw1(config)# `, `fw1/pri/act(config-network-object-group)# `, `fw1/CONTEXT# `, or what else `prompt`
puts together.  The part that tells the failover state changes in mid-session, and `changeto` changes the context, so
only the device's own name is held fast.
"""

import re

from attrs import frozen

_STATES = frozenset(
    ["act", "stby", "actNoFailover", "active", "standby", "pri", "sec", "primary", "secondary"]
)
_PART = r"[^\s/#>()$]{1,128}"
_MODE = r"(?:\((?P<mode>[^\s()]{1,100})\))?"
_WHOLE = re.compile(rf"(?P<parts>{_PART}(?:/{_PART}){{0,7}}){_MODE}(?P<sign>[>#])(?P<blank> ?)")
CONFIGURATION = "config"


@frozen
class Prompt:
    """
    A prompt that was printed; *mode* is what stands in its brackets.
    """

    text: str
    mode: str = ""
    privileged: bool = False

    @property
    def submode(self) -> bool:
        """Is it a mode below `(config)`, such as that of an object-group?"""
        return self.mode.startswith(f"{CONFIGURATION}-")


def looks_like_prompt(line: str) -> bool:
    """Could *line*, all that stands on the last line, be a prompt?  A banner's line can, too."""
    return _WHOLE.fullmatch(line) is not None


@frozen
class PromptShape:
    """
    What prompts of one device look like.
    """

    pattern: re.Pattern[str]

    @classmethod
    def learn(cls, prompt: str) -> "PromptShape | None":
        """From one prompt; None where *prompt* is none."""
        found = _WHOLE.fullmatch(prompt)
        if found is None:
            return None
        parts = found["parts"].split("/")
        own = next((part for part in parts if part not in _STATES), None)
        if own is None:
            first = "(?:" + "|".join(sorted(map(re.escape, _STATES))) + ")"
        else:
            # Before the name there may be states, which change; behind it anything may come and go.
            first = rf"(?:{_PART}/){{{parts.index(own)}}}{re.escape(own)}"
        tail = rf"(?:/{_PART}){{0,7}}{_MODE}(?P<sign>[>#]){found['blank']}"
        return cls(re.compile(first + tail))

    def at_start(self, line: str) -> tuple[Prompt, int] | None:
        """The prompt at the start of *line*, and where it ends."""
        found = self.pattern.match(line)
        if found is None:
            return None
        return Prompt(found[0], found["mode"] or "", found["sign"] == "#"), found.end()
