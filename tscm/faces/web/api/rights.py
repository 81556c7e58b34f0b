"""
Which role each call of the API takes.  Pure.

What stands here follows the pages: what a user of a role cannot do in a browser, a key of that role cannot do either.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from tscm.faces.web.limits import analysts_entry_fault, reason_fault
from tscm.faces.web.roles import Role
from tscm.operations.arguments import NewEntry
from tscm.operations.operation import Operation
from tscm.operations.table import (
    alarms,
    devices,
    doctor,
    entries,
    events,
    fleet,
    jobs,
    lines,
    listing,
    logs,
    manager,
    pairing,
    policies,
    portal,
    portal_entries,
    proof,
    reports,
    senders,
    user_lists,
)

_BY_ROLE: Mapping[Role, tuple[Operation[Any, Any], ...]] = {
    Role.VIEWER: (
        manager.STATUS,
        manager.VERSIONS,
        manager.LEDGER,
        senders.SENDERS,
        listing.DEVICES,
        devices.VIEW,
        devices.SETUP_LINES,
        fleet.FLEET,
        policies.HISTORY,
        policies.WHY,
        policies.WHY_ALL,
        policies.DROPPED,
        policies.DIFF,
        logs.REJECTED,
        lines.SEARCH_LINES,
        lines.FOLLOW_LINES,
        entries.ENTRIES,
        user_lists.LISTS,
        user_lists.LIST_PAGE,
        user_lists.LISTS_HOLDING,
        user_lists.LIST_VERSIONS,
        user_lists.CHECK_TEXT,
        portal.PORTAL_POLICIES,
        portal.PORTAL_TARGETS,
        portal.PORTAL_BUNDLES,
        portal.PORTAL_WHY,
        portal_entries.PORTAL_ENTRIES,
        pairing.BONDS,
        events.REPORT,
        events.REPORT_SEVERAL,
        jobs.JOBS,
        jobs.JOB,
        jobs.AUDIT,
        alarms.ALARMS,
        reports.REPORTS,
    ),
    Role.ANALYST: (
        policies.PLAN,
        entries.ENTER,
        entries.PUSH_ENTRIES,
        doctor.DOCTOR,  # logs in to firewalls
        doctor.DOCTOR_DEVICE,
    ),
    Role.OPERATOR: (
        senders.ADOPT,
        policies.UPDATE,
        policies.ROLLBACK,
        policies.HOLD,
        policies.PAUSE,
        policies.RESUME,
        logs.LOGS,
        logs.RESEND,
        entries.REMOVE_ENTRY,
        user_lists.CREATE_LIST,
        user_lists.EDIT_LIST,
        user_lists.REMOVE_FOUND,
        user_lists.UNDO_LIST,
        portal.KEEP_POLICY,
        portal.ADOPT_POLICY,
        portal.SWITCH_TARGET,
        portal.KEEP_BUNDLE,
        events.REBUILD_EVENTS,
        proof.TEST,
        jobs.WITHDRAW,
        jobs.STOP_JOB,
        alarms.MUTE_ALARM,
        alarms.UNMUTE_ALARM,
        reports.SEND_REPORT,
    ),
    Role.ADMIN: (
        alarms.TEST_ALARM,
        devices.PROSPECT,
        devices.ADD,
        devices.CHANGE,
        devices.REMOVE,
        devices.RENAME,
        policies.PURGE,
        logs.DROP,
        logs.DROP_READER,
        logs.DELETE_LOG,
        logs.ERASE_LINES,
        user_lists.IMPORT_LIST,  # makes the manager read a file or ask a server
        user_lists.DELETE_LIST,
        portal.CONFIRM_POLICY,  # accepts a risk by itself
        portal.KEEP_TARGET,  # makes the manager ask a server
        portal.DELETE_POLICY,
        portal.DELETE_TARGET,
        portal.DELETE_BUNDLE,
        portal_entries.ADD_ENTRY,  # hands out a key
        portal_entries.CHANGE_ENTRY,  # another manager's settings
        portal_entries.ROTATE_KEY,
        portal_entries.ISSUE_CODE,
        portal_entries.UNPAIR_ENTRY,
        portal_entries.DELETE_ENTRY,
        pairing.PAIR,  # makes the manager ask a server
        pairing.UNPAIR,
    ),
}
ROLES: Mapping[str, Role] = {
    operation.name: role for role, several in _BY_ROLE.items() for operation in several
}
"""The least role by the operation's name; one that is not named here takes an admin."""


def role_for(operation: Operation[Any, Any]) -> Role:
    """The least role that may call *operation* at all."""
    return ROLES.get(operation.name, Role.ADMIN)


_ACCEPTING = ("accept", "force", "accept_terms", "shrink", "wide")
"""Arguments that accept what is refused without them: a risk, a publisher's terms."""


def accepting(operation: Operation[Any, Any]) -> tuple[str, ...]:
    """The arguments of *operation* by which it takes an admin, where others may call it without them."""
    if not Role.VIEWER < role_for(operation) < Role.ADMIN:
        return ()
    return tuple(one.name for one in attrs.fields(operation.args) if one.name in _ACCEPTING)


def role_with(operation: Operation[Any, Any], args: Any) -> Role:
    """
    The least role that may call it with *args*.

    An operator makes every change that the guard takes; accepting what it refuses takes an admin, whatever it is
    refused for.  A plan counts too, because it logs in under a certificate that was accepted; a check of a text does
    not.  Pushing past a hold takes an operator, who may end the hold as well.
    """
    role = role_for(operation)
    if any(getattr(args, name) for name in accepting(operation)):
        return Role.ADMIN
    if getattr(args, "held", False):
        return max(role, Role.OPERATOR)
    return role


def call_fault(args: Any, role: Role, analyst_hours: int) -> str | None:
    """Why a user of *role*, who may make such calls, may not make just this one, or None."""
    if not isinstance(args, NewEntry):
        return None
    fault = reason_fault(args.reason)
    if fault is None and role < Role.OPERATOR:
        fault = analysts_entry_fault(args.cidr, args.seconds, analyst_hours)
    return fault
