"""
From a session that has just begun to a privileged prompt, in the right context, without pages.
"""

from collections.abc import Sequence

from attrs import frozen

from tscm.base.secrets import Secret
from tscm.errors import DeviceFault
from tscm.kinds.asa.cli.verdicts import Verdict, as_words, judge
from tscm.kinds.asa.ssh.console import Console
from tscm.kinds.asa.ssh.faults import ContextRefused, EnableRefused
from tscm.kinds.asa.ssh.screen import Candidate, Line, PasswordAsked, Prompted
from tscm.kinds.faults import Overloaded

_QUIET_SECONDS = 0.3
"""A line that could be a prompt, and nothing behind it for so long: it is one, or the banner pauses there."""
_PROMPT_SECONDS = 60.0
_ENABLE_SECONDS = 60.0


@frozen(kw_only=True)
class Entrance:
    """
    What a login needs beyond the account; *enable* empty is the empty password that an ASA has by default.
    """

    enable: Secret = Secret("")
    context: str = ""


def enter(device: str, console: Console, entrance: Entrance) -> bool:
    """
    Learn the prompt, go to privileged mode and to the context, and turn pages off; are they?

    Raises `DeviceFault`, and what `Console.next_event` raises.
    """
    _learn_prompt(device, console)
    assert console.prompt is not None
    if not console.prompt.privileged:
        _enable(device, console, entrance.enable)
    without_pages = _no_pages(console)
    if entrance.context:
        _change_context(device, console, entrance.context)
    return without_pages


def _learn_prompt(device: str, console: Console) -> None:
    until = console.monotonic() + _PROMPT_SECONDS
    typed: str | None = None
    candidate = ""
    while console.prompt is None:
        left = until - console.monotonic()
        if left <= 0:
            raise Overloaded(
                device,
                f"it shows no prompt that could be an ASA's within {_PROMPT_SECONDS:.0f} s",
                "log in with `ssh` and check what it prints after the login",
            )
        waiting = candidate and typed != candidate
        event = console.next_event(min(left, _QUIET_SECONDS if waiting else left))
        if isinstance(event, Candidate):
            candidate, typed = event.text, None
        elif isinstance(event, Line):
            candidate = ""
        elif event is None and waiting:
            typed = candidate
            console.type(console.screen.mark)


def _enable(device: str, console: Console, password: Secret) -> None:
    console.screen.password_expected = True
    console.type("enable")
    try:
        _answer_password(device, console, password)
    finally:
        console.screen.password_expected = False


def _answer_password(device: str, console: Console, password: Secret) -> None:
    said: list[str] = []
    answered = False
    while True:
        event = console.next_event(_ENABLE_SECONDS)
        match event:
            case None:
                raise Overloaded(
                    device,
                    f"`enable` was not answered within {_ENABLE_SECONDS:.0f} s",
                    "see with `ssh` what it prints there: a prompt of its own is set with `tsadmin configure "
                    f"{device} --password_prompt`, and a server for AAA may take long to answer",
                )
            case PasswordAsked() if not answered:
                answered = True
                console.type(password.reveal(), secret=True)
            case PasswordAsked():
                raise _enable_refused(device, said)
            case Line(text):
                said.append(text)
            case Prompted(prompt):
                if prompt.privileged:
                    return
                if answered or _bad(said):
                    raise _enable_refused(device, said)


def _enable_refused(device: str, said: Sequence[str]) -> DeviceFault:
    words = next((as_words(line) for line in _bad(said)), "")
    return EnableRefused(
        device,
        f"`enable` was refused{': ' + words if words else ''}",
        f"`tsadmin configure {device} --enable_password` sets the enable password, or let the login "
        "land in privileged mode (`aaa authorization exec LOCAL auto-enable`)",
    )


def _bad(said: Sequence[str]) -> list[str]:
    return [line for line in said if judge(line) in (Verdict.REFUSED, Verdict.FORBIDDEN)]


def _no_pages(console: Console) -> bool:
    """By either command, for a server may allow one alone; where it allows none, pages are turned."""
    return not (_bad(console.ask("terminal pager 0")) and _bad(console.ask("no terminal pager")))


def _change_context(device: str, console: Console, context: str) -> None:
    said = console.ask(f"changeto context {context}")
    bad = _bad(said)
    if any(judge(line) is Verdict.FORBIDDEN for line in bad):
        raise ContextRefused(
            device,
            f"the account is not allowed to change to context {context}",
            "log in to the context itself, by its own address",
        )
    if bad:
        raise ContextRefused(
            device,
            f"it did not change to context {context}: {as_words(bad[0])}",
            f"`show context` lists the contexts; `tsadmin configure {device} --context none` is for "
            "a device without",
        )
