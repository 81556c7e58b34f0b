"""
`tsadmin why`, and `tsadmin policy why`: what the lists say of an address, and what it did.
"""

import click

from tscm.cli import say
from tscm.cli.by_hand import hand_words
from tscm.cli.names import optional_device_argument
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.errors import TscmError
from tscm.faces.backend import Backend, ManagerError
from tscm.operations.arguments import Address, AnyAddress
from tscm.operations.portal_arguments import AddressAsked
from tscm.operations.table.policies import WHY, WHY_ALL
from tscm.operations.table.portal import PORTAL_WHY
from tscm.plural import many
from tscm.policy.by_hand import BY_HAND_NAMES, LIST_NAME
from tscm.policy.standing import Met, Seen
from tscm.printable import visible
from tscm.update.answers import Explanation, Unanswered


@click.command("why")
@click.argument("address")
@optional_device_argument
@click.option("--json", "json_output", is_flag=True, help="Print the answers as JSON.")
@click.pass_obj
def command(session: Session, /, address: str, name: str | None, *, json_output: bool) -> int:
    """
    Show whether an address or network is blocked or permitted by the lists of a device, or of all devices.

    Shows the list and the entry, since which generation, and when it had hits.
    """
    backend = session.backend()
    if name:
        answers = {name: backend.call(WHY, Address(name=name, address=address))}
        faults: list[Unanswered] = []
    else:
        answers, faults = _of_all(backend, address)
    for fault in faults:
        say.warn(fault.error)
    if not answers and not faults:
        say.info("No devices yet; add one with `tsadmin add --type asarest`", aside=True)
    status = 1 if faults else 0
    if json_output:
        say.as_json(answers)
        return status
    for one, answer in answers.items():
        say.info(f"{one}: {address} is {answer.verdict}")
        for sentence in answer.sentences:
            say.plain(f"  {visible(sentence)}")
        if answer.held:
            say.plain(f"  {visible(answer.held)}")
        unchecked = answer.unchecked
        if unchecked:
            say.plain(f"  {visible(unchecked)}")
        for entry in answer.by_hand:
            held = " (perhaps in force)" if unchecked else ""
            state = held if entry.in_force else " (not in force yet)"
            say.plain(f"  {visible(hand_words(entry))}{state}")
        _tell_seen(answer.seen)
    _tell_policies(backend, address)
    return status


def _tell_policies(backend: Backend, address: str) -> None:
    """Which parts of the published policies hold the address, and who entered it; nothing without a manager."""
    try:
        found = backend.call(PORTAL_WHY, AddressAsked(address=address))
    except TscmError:
        return  # what devices say is told already
    for one in found.holders:
        told = f", severity {one.severity}, {one.threat}" if one.severity is not None else ""
        entries = ", ".join(one.entries)
        told += f" ({', '.join(one.feeds)})" if one.feeds else ""
        say.plain(
            visible(f"policy {one.policy}: its {one.side} list has {entries} by {one.part}{told}")
        )
    for entry in found.lists:
        if entry.list_name not in BY_HAND_NAMES:
            remark = f" ({entry.comment})" if entry.comment else ""
            say.plain(visible(f"list {entry.list_name}: {entry.network} by {entry.who}{remark}"))


def _of_all(backend: Backend, address: str) -> tuple[dict[str, Explanation], list[Unanswered]]:
    """The answers of all devices, and what is wrong with the others.  Raises where no device can answer."""
    found = backend.call(WHY_ALL, AnyAddress(address=address)).devices
    answers = {name: one for name, one in found.items() if isinstance(one, Explanation)}
    faults = [one for one in found.values() if isinstance(one, Unanswered)]
    if faults and not answers:
        raise ManagerError(faults[0].error, faults[0].exit_status)
    return answers, faults


def _tell_seen(seen: Seen) -> None:
    for one in seen.entries:
        say.plain(f"  entry {one.entry}: {_hits(one)}")
    more = seen.count - len(seen.entries)
    if more:
        say.plain(f"  and {many(more, 'entry', 'entries')} more with hits")
    for one in seen.address:
        say.plain(f"  {one.outside} itself: {_hits(one)}")
    if not seen.count:
        say.plain("  no hits counted")


def _hits(one: Met) -> str:
    by = LIST_NAME if one.list == LIST_NAME else f"by {one.list}"
    return visible(
        f"{one.action} {many(one.hits, 'time', 'times')} {by}, first in the hour of "
        f"{when(one.first_hour)}, last of {when(one.last_hour)}"
    )
