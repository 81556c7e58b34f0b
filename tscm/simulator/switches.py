"""
Whatever no document settles (`[not seen]` in docs/develop/asa.md) and whatever can be made to fail.

Each is an attribute with its likeliest position as the default; `update` takes JSON from the
control port and refuses unknown names and positions, all in one sentence.
"""

from typing import Any

from attrs import Attribute, define, field, fields

from tscm.errors import Fault, SettingsFaulty


def _choice(default: str | int, *others: str | int, doc: str) -> Any:
    return field(default=default, metadata={"allowed": (default, *others), "doc": doc})


def _number(default: float, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


def _flag(default: bool, doc: str) -> Any:
    return field(default=default, metadata={"allowed": (False, True), "doc": doc})


@define(eq=False)
class Switches:
    """
    The positions in force; read by the agent at every request, so a change works at once.
    """

    # -- logging in
    user_agent_gate: str = _choice(
        "basic", "all", "off", doc="Requests that must carry `REST API Agent`; off: before 2019."
    )
    user_agent_status: int = _choice(401, 403, doc="Answer to another User-Agent.")
    token_lifetime: float = _number(1800.0, "Seconds until an unused token dies; 0: never.")
    token_maximum: int = _number(25, "Tokens at a time.")
    lockout_after: int = _number(0, "Wrong passwords until an account is locked; 0: never.")
    restart_loses_tokens: bool = _flag(True, "Does a restart of the agent end all tokens?")

    # -- answers
    duplicate_status: int = _choice(400, 409, 500, doc="POST of a name that exists.")
    in_use_status: int = _choice(400, 409, 500, doc="DELETE or emptying of what is used.")
    member_error_status: int = _choice(
        400, 404, 500, doc="Adding what is there, removing what is not."
    )
    unknown_reference_status: int = _choice(400, 404, 500, doc="A member that names nothing.")
    member_present: str = _choice("refused", "ignored", doc="Adding a member that is there.")
    member_absent: str = _choice("refused", "ignored", doc="Removing a member that is not there.")
    kind_on_empty_list: bool = _flag(True, "Does an empty list carry `kind`?")
    description_when_unset: str = _choice(
        "empty", "absent", doc="`description` of a group without."
    )
    success_warning: bool = _flag(False, "Answer a write with 200 and a Warning instead of 204.")
    security_headers: bool = _flag(True, "The X- and Strict- headers of newer agents.")
    error_code: str = _choice("INVALID-INPUT", "", doc="`code` of errors that are not documented.")
    error_body: str = _choice("html", "empty", "json", doc="Body of 401, 403, 500 and 503.")

    audit_lines: bool = _flag(False, "605004/605005 for logins, 111008/111010 for commands.")

    # -- groups
    empty_group: str = _choice("refused", "accepted", doc="POST or PUT with `members: []`.")
    both_lists: str = _choice(
        "refused",
        "add-first",
        "remove-first",
        "only-add",
        doc="members.add and .remove in one PATCH.",
    )
    request_atomic: bool = _flag(True, "Is a POST or PATCH with one bad member refused as a whole?")
    single_host_network: str = _choice("refused", "accepted", doc="/32 and /128 sent as a network.")
    host_bits: str = _choice("refused", "cleared", doc="A network whose host bits are set.")
    max_members: int = _number(0, "Members a group can hold; 0: no limit.")
    max_nesting: int = _number(0, "Levels of groups; 0: no limit.")
    max_body_bytes: int = _number(0, "Largest body that is taken; 0: no limit but 64 MB.")

    # -- bulk and command line
    bulk_atomic: str = _choice("all", "validation", doc="validation: 1.2.1, earlier entries stay.")
    bulk_failure_status: int = _choice(400, 200, 500, doc="Answer when an entry is refused.")
    bulk_entry_form: str = _choice("messages", "bare", "null", doc="Shape of one entry's message.")
    bulk_maximum: int = _number(1000, "Entries in one bulk request.")
    cli_keeps_submode: bool = _flag(True, "Do commands of one call share the sub-mode?")
    cli_is_outside_change: bool = _flag(True, "Do writes by /api/cli make the agent read again?")

    # -- the agent as a process
    enforce_budget: bool = _flag(True, "Does the agent crash over its platform's budget?")
    time_scale: float = _number(
        0.0, "Latency by the cost model times this; 0: none, 1: as recorded."
    )
    concurrent_limit: int = _number(1, "Requests that the agent bears at a time; 0: no limit.")
    concurrent_fault: str = _choice("crash", "500", "served", doc="What one more of them does.")
    crash_body_bytes: int = _number(0, "A longer body crashes the agent; 0: none does.")
    agent_restart_seconds: float = _number(60.0, "How long an automatic restart takes.")
    agent_start_seconds: float = _number(0.0, "How long `rest-api agent` takes.")
    agent_restarts: int = _number(5, "Restarts until the agent gives up.")
    agent_stable_seconds: float = _number(
        300.0, "Well for so long, and failures are counted from zero."
    )
    down_status: int = _choice(500, 503, 404, doc="Answer while the agent is down.")
    accepted_late_seconds: float = _number(0.0, "Answer writes with 202 and do them later; 0: no.")
    slow_body_seconds: float = _number(0.0, "Time over which bodies trickle out.")
    reload_seconds: float = _number(0.0, "How long nothing answers while the firewall reloads.")
    reload_hazard: bool = _flag(False, "Do groups out of order fail to load (9.18.1, 9.19.1)?")
    reload_lines: bool = _flag(True, "Does it say when it has started (199002)?")
    standby_has_agent: bool = _flag(True, "Is the agent installed on the standby unit too?")
    standby_warns: bool = _flag(True, "Do REST writes on the standby carry its warning?")
    sync_warns: bool = _flag(True, "Do REST writes in a bulk synchronisation carry its notice?")

    clock_ahead_seconds: float = _number(0.0, "How far the firewall's clock is ahead of ours.")

    # -- the command line over SSH
    ssh_algorithms: str = _choice(
        "modern", "8.4", "9.4", "9.12", "9.16", doc="What SSH offers: that of an ASA release."
    )
    ssh_ahead_bytes: int = _number(0, "Keys taken ahead of what is read, others get lost; 0: all.")
    ssh_line_seconds: float = _number(0.0, "How long the device takes for a line.")
    ssh_recompile_seconds: float = _number(0.0, "And for one that changes a group in use.")
    ssh_idle_seconds: float = _number(0.0, "Until an idle session ends; 0: as `ssh timeout` says.")
    ssh_cut_after_bytes: int = _number(0, "End a session after so many typed bytes; 0: never.")
    ssh_unasked: str = _choice(
        "nothing", "replication", "syslog", "reporting", doc="What sessions print by themselves."
    )
    ssh_enable_prompt: str = _choice(
        "Password: ", "Enter PASSCODE: ", doc="What `enable` prints before it reads a password."
    )
    duplicate_message: str = _choice("plain", "warning", doc="Shape of `object already exists`.")

    # -- the HTTP interface
    http_agent_status: int = _choice(400, 401, doc="Answer to Basic by another User-Agent.")
    http_plus: str = _choice("blank", "plus", doc="What a `+` in a path is.")
    http_xml: str = _choice(
        "accepted", "refused", "text", doc="Lines in XML; text: taken as lines."
    )
    http_form_login: bool = _flag(True, "Is there the form by which ASDM logs in?")
    http_form_seconds: float = _number(1800.0, "Until an unused cookie of it dies; 0: never.")
    http_form_over: str = _choice(
        "login-page", "redirect", "401", doc="Answer to a cookie that has died."
    )
    http_post_seconds: float = _number(0.0, "How long the device takes for a POST.")
    http_line_seconds: float = _number(0.0, "And for each line of it.")
    http_timeout_seconds: float = _number(
        60.0, "Then a POST is cut off, what it did so far stays; 0: never."
    )

    # -- syslog
    trace_logs: bool = _flag(True, "Does packet-tracer log and count the packet that it makes up?")
    interval_counts_first: bool = _flag(
        True, "Does the first interval line of a flow count its first hit again (106100)?"
    )
    deny_flow_max: int = _number(4096, "Denied flows that 106100 keeps; 0: no limit.")
    class_form: bool = _flag(False, "`%ASA-session-6-106100` instead of `%ASA-6-106100`.")
    lines_per_second: float = _number(5000.0, "Pace of the syslog source; 0: as fast as it can.")
    stray_space_share: float = _number(0.01, "Share of TCP lines with a blank in front.")
    split_segments: bool = _flag(True, "Cut TCP segments in the middle of lines.")
    reconnect_seconds: float = _number(1.0, "Pause before a lost TCP collector is tried again.")

    def as_json(self) -> dict[str, Any]:
        """Every switch and its position."""
        return {item.name: getattr(self, item.name) for item in fields(Switches)}

    def update(self, wanted: dict[str, Any]) -> None:
        """Set several at once; all or none."""
        known = {item.name: item for item in fields(Switches)}
        faults = [f for name, value in wanted.items() if (f := _fault(known, name, value))]
        if faults:
            raise SettingsFaulty("switches", faults)
        for name, value in wanted.items():
            setattr(self, name, value)


def _fault(known: "dict[str, Attribute[Any]]", name: str, value: object) -> Fault | None:
    if name not in known:
        return Fault(where=name, wrong="there is no such switch")
    allowed = known[name].metadata.get("allowed")
    if allowed is not None:
        # 1 equals True in Python, and neither stands for the other here.
        if any(value == one and type(value) is type(one) for one in allowed):
            return None
        return Fault(where=name, wrong=f"{value!r}", allowed=", ".join(map(repr, allowed)))
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return None
    return Fault(where=name, wrong=f"{value!r}", allowed="a number from 0 up")
