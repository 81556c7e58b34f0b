"""
Pages over answers of a manager: what hostile texts become, what is asked in whose name, and what is shown without one.
"""

import csv
import io
import json
from typing import Any

import pytest
from attrs import evolve

from tests.faces.web.web_site import DOWN, NOW, FakeSite
from tscm.alarms.answers import AlarmsStanding
from tscm.devices.answers import Changed, DeviceRow
from tscm.doctor.finding import Findings, failed, ok
from tscm.events.answers import FoundLines, LineHit, LogLine
from tscm.faces.backend import ManagerError
from tscm.faces.web.assets import Assets
from tscm.faces.web.roles import Role
from tscm.faces.web.saved import SavedReport, save_report, saved_reports
from tscm.faces.web.views.charts import chart
from tscm.faces.web.views.filters import REPORT_FILTERS
from tscm.intake.sender_figures import StrangerFigures
from tscm.ledger.figures import Balance, DeviceBalance, ListenerBalance, ReaderBalance
from tscm.model import Json, Progress
from tscm.operations.answers import Audit, DeviceView, Held, ModuleVersion, SetupLines
from tscm.operations.arguments import JobNumber
from tscm.operations.entry_answers import (
    EntryDone,
    EntryGone,
    EntryHandedOut,
    EntryRow,
    EntryRows,
)
from tscm.operations.job_figures import JobFigures, JobState
from tscm.operations.list_answers import (
    ListDone,
    ListPage,
    Lists,
    ListsHolding,
    ListVersions,
    TextRead,
)
from tscm.operations.portal_answers import (
    BundleRow,
    BundleRows,
    PolicyRow,
    PolicyRows,
    PortalDone,
    TargetRow,
    TargetRows,
)
from tscm.pairing.messages import Standing
from tscm.policy.user_lists import LineFault
from tscm.portal.compiling import HeldBack
from tscm.risks import Risk, RiskFound
from tscm.spool.figures import LogFigures, ReaderFigures
from tscm.standing import Row, Verdict
from tscm.state import DeviceState
from tscm.store.audit_entry import AuditEntry
from tscm.store.user_list_values import ListVersion, UserEntry, UserList
from tscm.update.answers import Changes, Difference, Listed
from tscm.update.figures import (
    Edits,
    InForce,
    ListFigures,
    PlanDiff,
    PlanFigures,
    Result,
    UpdateFigures,
    UpdateRecord,
)
from tscm.wire.writing import as_json

EVIL = "<script>alert(1)</script>\"'`{{7*7}}\x1b[31m\u202e\x00&amp;"
SHOWN = "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;`{{7*7}}\\x1b[31m\\u202e\\x00&amp;amp;"
PLAN_ID = "p" * 20
BUNDLE = BundleRow(
    name="severe",
    content={"title": EVIL, "min_severity": 4, "threats": ["c2"], "publishers": [EVIL]},
    version=2,
    targets=(EVIL,),
)
PORTAL_ENTRY = EntryRow(
    nickname="east", device_id="tdid_east", ip_type="static", address="192.0.2.1", policy="default",
    block_list="block.default.tscm.internal", allow_list="allow.default.tscm.internal", note=EVIL,
    manufacturer=EVIL, model=EVIL, location=EVIL, integration="auto", stage="paired", manager=EVIL,
    paired_from=EVIL, paired_at=1.0, seen_at=2.0, ended_at=1.0, ended_by=EVIL, version=7, revision="r1",
    settings={"type": "asarest", "prefix": EVIL, "send_logs": False}, settings_fault=EVIL,
    standing=Standing(applied=6, fault=EVIL, verdict=EVIL, causes=(EVIL,), generation=4, entries=9,
                      upload=EVIL, software=EVIL, hits=3),
)  # fmt: skip
RECORD = UpdateRecord(
    device="fw",
    finished_at=NOW - 100,
    result=Result.PLANNED,
    block=ListFigures(name=EVIL, serial=3, published=1200, cut=5, desired=1190),
    allow=ListFigures(name="allow"),
    findings=(EVIL,),
    notes=(EVIL,),
    warnings=(EVIL,),
    risks=(RiskFound(risk=Risk.SHRINK, sentence=EVIL),),
    plan=PlanFigures(steps=2, requests=3, added=4, removed=1, bytes_before=10, bytes_after=20),
    diff=PlanDiff(block=Edits(added=(EVIL, "192.0.2.0/24"), removed=("198.51.100.1/32",))),
    plan_id=PLAN_ID,
)
STATE = DeviceState(
    policy=UpdateFigures(last_update=RECORD, last_good=RECORD, in_force=InForce(block=1190)),
    log=LogFigures(stored_lines=14_800, readers={EVIL: ReaderFigures(sent=7, waiting_lines=3)}),
    users={EVIL: EVIL},
)
ROW = Row(name="fw", verdict=Verdict.FAILED, causes=(EVIL, "another"), entries=1200, cut=5)
JOB = JobFigures(
    number=7,
    operation="update",
    device="fw",
    actor=f"anna by {EVIL}",
    state=JobState.RUNNING,
    asked_at=NOW,
    progress=Progress(phase="push", text=EVIL, done=1, total=4),
)


def report(args: Any) -> Json:
    by = args.options["by"]
    rows: dict[str, list[Json]] = {
        "hour": [{"hour": int(NOW) // 3600 * 3600, "hits": 9, "lines": 3}],
        "hour,action": [
            {"hour": int(NOW) // 3600 * 3600 - 3600, "action": "blocked", "hits": 6, "lines": 2},
            {"hour": int(NOW) // 3600 * 3600 - 3600, "action": "allowed", "hits": 3, "lines": 1},
        ],
        "action": [{"action": "blocked", "hits": 9, "lines": 3}],
        "port": [{"port": -1, "hits": 9, "lines": 3}],
    }
    others = [{by: EVIL, "hits": 6, "lines": 2}, {by: "=1+1", "hits": 3, "lines": 1}]
    return {
        "since": args.options["since"],
        "until": args.options["until"],
        "by": by,
        "rows": rows.get(by, others),
        "hits": 9,
        "lines": 3,
        "groups": 2,
        "counts_are_low": 2,
        "unread_lines": 1,
        "devices": [{"device": "fw", "hits": 9, "lines": 3}],
    }


def why(args: Any) -> Json:
    return {
        "asked": args.address,
        "devices": {
            "fw": {
                "verdict": "blocked",
                "sentences": [EVIL],
                "held": EVIL,
                "unchecked": None,
                "by_hand": [
                    {
                        "id": 3,
                        "action": "allow",
                        "cidr": "192.0.2.1/32",
                        "by": EVIL,
                        "made_at": NOW,
                        "until": None,
                        "reason": EVIL,
                    }
                ],
                "seen": {"entries": [], "address": [], "count": 0},
            },
            "new": {"error": EVIL},
        },
    }


FOUND = FoundLines(
    lines=(
        LogLine(
            device="fw",
            received_at=NOW,
            sender=EVIL,
            line=EVIL,
            cut=7,
            hit=LineHit(action="blocked", direction="inbound", list=EVIL, entry="192.0.2.0/24"),
        ),
        LogLine(device=EVIL, line="=cmd|calc"),
    ),
    fitting=3,
    left_out=1,
    read_lines=4,
    ended=EVIL,
    missing=(EVIL,),
    positions={"fw": 9},
)
ENTRY = {
    "id": 3, "action": "allow", "cidr": "192.0.2.1/32", "device": None, "reason": EVIL, "by": EVIL,
    "made_at": NOW, "until": NOW + 60, "stands": True, "in_force": [EVIL], "waiting": [], "left_out": [],
}  # fmt: skip
USER_ENTRY = UserEntry(
    id=1, list_name="partners", side="allow", network="192.0.2.0/24", comment=EVIL, who=EVIL
)
POLICY = PolicyRow(
    name="default",
    content={
        "title": EVIL,
        "block": ["target:drop"],
        "allow": ["list:partners"],
        "block_name": "block.default.example",
        "allow_name": "allow.default.example",
        "refuse": ["kept"],
    },
    version=3,
    held=EVIL,
    fault=EVIL,
    off=(EVIL,),
    held_back=(HeldBack(cause=EVIL, entries=1, addresses=2, examples=(EVIL,)),),
)
ANSWERS: dict[str, Any] = {
    "fleet": (ROW, Row(name="hq", verdict=Verdict.HELD, causes=(f"updates are held by {EVIL}",))),
    "ledger": Balance(
        devices={
            "fw": DeviceBalance(stored=9, readers={EVIL: ReaderBalance(sent=9, difference=1)})
        },
        listeners={
            EVIL: ListenerBalance(received=12, stored=9, dropped=3, dropped_by_cause={EVIL: 3})
        },
        received=12,
        stored_since_start=9,
        dropped=3,
        balanced=False,
    ),
    "senders": (StrangerFigures(address=EVIL, lines=5, last_seen_at=NOW, sample=EVIL),),
    "report_several": report,
    "view": DeviceView(
        settings={"name": "fw", "type": "asarest", "device": EVIL, "log_rotate_size": 10},
        state=STATE,
        version="v1",
    ),
    "setup_lines": SetupLines(name="fw", text=EVIL),
    "diff": Difference(block=Changes(added=Listed(count=900, entries=(EVIL,) * 250))),
    "history": {
        "updates": [as_json(RECORD)],
        "generations": [{"number": 1, "applied_at": NOW, "block_entries": 3, "allow_entries": 1}],
    },
    "why_all": why,
    "entries": {"now": NOW, "entries": [ENTRY]},
    "jobs": (JOB,),
    "audit": Audit(
        entries=(
            AuditEntry(
                at=NOW,
                actor=EVIL,
                operation="update",
                device="fw",
                arguments={"reason": EVIL},
                outcome="failed",
                sentence=EVIL,
            ),
            AuditEntry(at=NOW, actor="=cmd", operation="hold", device=None, outcome="done"),
        )
    ),
    "versions": (ModuleVersion(module=EVIL, version=EVIL),),
    "doctor": Findings(findings=(failed(EVIL, EVIL, EVIL), ok("clock", "good"))),
    "doctor_device": Findings(findings=(failed(EVIL, EVIL, EVIL),)),
    "plan": {**as_json(RECORD), "sentence": EVIL},
    "start update": JOB,
    "start push_entries": JOB,
    "enter": {
        "entry": ENTRY,
        "new": True,
        "devices": [{"name": "fw", "push": True, "cause": None}],
        "notes": [],
        "sentence": EVIL,
    },
    "remove_entry": {
        "entries": [ENTRY],
        "devices": [{"name": "fw", "push": False, "cause": EVIL}],
        "sentence": EVIL,
    },
    "hold": Held(name="fw", sentence=f"updates of fw are held: {EVIL}"),
    "resume": Changed(name="fw", check=None, settings={}),
    "search_lines": FOUND,
    "follow_lines": FOUND,
    "devices": (DeviceRow(name="fw", lists=("block.default.example",)),),
    "lists": Lists(
        lists=(UserList(name="partners", side="allow", note=EVIL, entries=3, version=2, who=EVIL),)
    ),
    "list_page": lambda args: ListPage(
        version=2,
        found=300,
        entries=(
            evolve(USER_ENTRY, network=f"192.0.{args.version or 2}.0/24"),
            evolve(USER_ENTRY, network=EVIL),
        ),
    ),
    "list_versions": ListVersions(
        versions=tuple(
            ListVersion(version=number, at=NOW, who=EVIL, did="add", reason=EVIL)
            for number in (2, 1)
        )
    ),
    "lists_holding": ListsHolding(entries=(USER_ENTRY,)),
    "check_text": TextRead(added=1, fault_count=301, faults=(LineFault(17, EVIL),) * 250),
    "edit_list": ListDone(list_name="partners", sentence=EVIL),
    "remove_found": ListDone(list_name="partners", sentence=EVIL),
    "undo_list": ListDone(list_name="partners", sentence=EVIL),
    "create_list": ListDone(list_name="partners", sentence=EVIL),
    "delete_list": ListDone(list_name="partners", sentence=EVIL),
    "portal_policies": PolicyRows(
        policies=(POLICY,), shipped=(evolve(POLICY, name="edge"),), faults=(EVIL,)
    ),
    "portal_targets": TargetRows(
        targets=(
            TargetRow(name="drop", content={"terms": EVIL, "title": EVIL}, fault=EVIL, on=True),
            TargetRow(name="tor", content={"terms": EVIL, "false_positives": EVIL}),
            TargetRow(name="own", used_by=(EVIL,)),
        )
    ),
    "keep_policy": PortalDone(item="default", version=4, sentence=EVIL),
    "adopt_policy": PortalDone(item="edge", sentence=EVIL),
    "confirm_policy": PortalDone(item="default", sentence=EVIL),
    "switch_target": PortalDone(item="tor", sentence=EVIL),
    "portal_bundles": BundleRows(bundles=(BUNDLE,)),
    "keep_bundle": PortalDone(item="severe", version=3, sentence=EVIL),
    "delete_bundle": PortalDone(item="severe", sentence=EVIL),
    "portal_entries": EntryRows(entries=(PORTAL_ENTRY,), faults=(EVIL,)),
    "change_entry": EntryDone(entry=PORTAL_ENTRY, sentence=EVIL),
    "add_entry": EntryHandedOut(
        entry=PORTAL_ENTRY, device_key="k3y", tsig_key="ts1g", sentence=EVIL
    ),
    "rotate_key": EntryHandedOut(entry=PORTAL_ENTRY, device_key="k3y", sentence=EVIL),
    "issue_code": EntryHandedOut(entry=PORTAL_ENTRY, auto_key="c0de", good_until=NOW, command=EVIL),
    "unpair_entry": EntryDone(entry=PORTAL_ENTRY, sentence=EVIL),
    "delete_entry": EntryGone(item="east", sentence=EVIL),
}
PATHS = (
    "/",
    "/lists",
    "/lists?search=192.0.2.1",
    "/lists/partners",
    "/lists/partners?search=192.0.2.0/24&page=2",
    "/lists/partners/diff?older=1&newer=2",
    "/policies",
    "/targets",
    "/bundles",
    "/bundles?name=severe",
    "/portal",
    "/portal/east",
    "/devices",
    "/devices?name=f&state=failed&page=2",
    "/devices/fw",
    "/devices/fw/policy",
    "/devices/fw/hits",
    "/devices/fw/checks",
    "/devices/fw/policy/diff?older=1&newer=2",
    "/devices/fw/settings",
    "/devices/fw/setup",
    "/reports",
    "/reports?by=port&since=7d",
    "/reports?by=hour,action",
    "/reports?by=outside&list=%3Cscript%3E&outside=%22%3E&since=40d&until=1d",
    "/lines",
    "/lines?text=%3Cscript%3E&since=1h&list=%22%3E&hits=yes",
    "/live",
    "/live?text=%3Cscript%3E&outside=%22%3E",
    "/check",
    "/check?address=192.0.2.1",
    "/entries",
    "/jobs",
    "/jobs/7",
    "/holds",
    "/health",
    "/health/senders",
    "/health/ledger",
    "/health/audit",
    "/health/alarms",
    "/about",
    "/account",
    "/admin/users",
)


@pytest.fixture
def full(web: FakeSite) -> FakeSite:
    web.manager.answers.update(ANSWERS)
    return web


@pytest.mark.parametrize("path", PATHS)
def test_hostile_texts_stand_on_the_page_and_do_nothing(full: FakeSite, path: str) -> None:
    key = full.signed_in()
    full.ask("/health", {}, key=key)
    reply = full.ask(path, key=key)
    assert reply.status == 200
    assert "<script>alert" not in reply.text
    assert "\x1b" not in reply.text
    assert "\u202e" not in reply.text
    assert ">49<" not in reply.text
    assert " style=" not in reply.text
    assert "onclick" not in reply.text


@pytest.mark.parametrize("path", ["/", "/devices", "/devices/fw", "/check?address=x", "/entries", "/health/senders", "/health/audit", "/lines?since=1h", "/live"])  # fmt: skip
def test_what_came_from_elsewhere_can_be_read(full: FakeSite, path: str) -> None:
    assert SHOWN in full.ask(path, key=full.signed_in()).text


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_there_without_a_manager(web: FakeSite, path: str) -> None:
    reply = web.ask(path, key=web.signed_in())
    assert reply.status in {200, 400, 404}
    if path not in {"/account", "/admin/users", "/check", "/lines"} and "jobs/7" not in path:
        assert "no manager is running" in reply.text


EMPTY = {
    "fleet": (),
    "ledger": Balance(listeners={}, received=0, stored_since_start=0, dropped=0),
    "senders": (),
    "report_several": lambda args: {**report(args), "rows": [], "devices": []},
    "view": DeviceView(settings={"name": "fw"}, state=DeviceState()),
    "history": {"updates": [], "generations": []},
    "why_all": lambda args: {"asked": args.address, "devices": {}},
    "entries": {"now": NOW, "entries": []},
    "jobs": (),
    "audit": Audit(entries=()),
    "alarms": AlarmsStanding(),
    "reports": (),
    "versions": (),
    "setup_lines": SetupLines(name="fw"),
    "diff": Difference(),
    "search_lines": FoundLines(),
    "follow_lines": FoundLines(),
    "devices": (),
    "lists": Lists(),
    "list_page": ListPage(version=1),
    "list_versions": ListVersions(),
    "lists_holding": ListsHolding(),
    "portal_policies": PolicyRows(),
    "portal_targets": TargetRows(),
    "portal_entries": EntryRows(),
    "portal_bundles": BundleRows(),
}


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_there_with_nothing_to_show(web: FakeSite, path: str) -> None:
    web.manager.answers.update(EMPTY)
    reply = web.ask(path, key=web.signed_in())
    missing = path.startswith(("/devices/", "/portal/")) or path == "/jobs/7"
    missing = missing or path.partition("?")[0] == "/lists/partners"
    assert reply.status == (404 if missing else 200)


def test_a_device_that_was_never_updated_has_its_pages(web: FakeSite) -> None:
    web.manager.answers.update(EMPTY, fleet=(Row(name="fw", verdict=Verdict.NEW),))
    key = web.signed_in()
    for tab in ("", "/policy", "/hits", "/checks", "/settings", "/setup", "/policy/diff?older=1"):
        assert web.ask(f"/devices/fw{tab}", key=key).status == 200


def test_the_last_figures_stay_with_their_time_when_the_manager_goes(full: FakeSite) -> None:
    key = full.signed_in()
    assert "does not answer" not in full.ask("/", key=key).text
    full.manager.answers.clear()
    full.clock.advance(90)
    reply = full.ask("/", key=key)
    assert reply.status == 200
    assert "does not answer" in reply.text
    assert "2 " in reply.text
    assert SHOWN in reply.text
    assert full.ask("/check", {"address": "192.0.2.1", "reason": "why not"}, key=key).status == 400


def test_what_changes_something_is_asked_in_the_users_name(full: FakeSite) -> None:
    key = full.signed_in(Role.OPERATOR, "anna")
    full.ask(
        "/check",
        {"address": "192.0.2.1", "reason": "CR-1", "action": "allow", "hours": "24"},
        key=key,
    )
    full.ask("/holds", {"device": "fw", "reason": "freeze", "until": "2d"}, key=key)
    full.ask("/devices/fw/resume", {}, key=key)
    full.ask("/entries/3/remove", {}, key=key)
    changing = {"enter", "start push_entries", "hold", "resume", "remove_entry"}
    by = {(name, user) for name, _, user in full.manager.asked if name in changing}
    assert by == {(name, "anna") for name in changing}
    entry = next(args for name, args, _ in full.manager.asked if name == "enter")
    assert (entry.cidr, entry.seconds, entry.reason) == ("192.0.2.1", 86400.0, "CR-1")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"reason": ""}, "reason"),
        ({"reason": "  x "}, "reason"),
        ({"hours": "none"}, "ends after"),
        ({"hours": "25"}, "ends after"),
        ({"hours": "-1"}, "not a number of hours"),
        ({"hours": "1e9"}, "not a number of hours"),
        ({"address": "192.0.0.0/16"}, "is wider"),
        ({"address": "0.0.0.0/0"}, "is wider"),
        ({"address": "2001:db8::/32"}, "is wider"),
    ],
)
def test_an_analyst_enters_little_and_for_a_short_time(
    full: FakeSite, changes: dict[str, str], word: str
) -> None:
    form = {"address": "192.0.2.1", "action": "allow", "hours": "24", "reason": "CR-1188"}
    key = full.signed_in(Role.ANALYST)
    reply = full.ask("/check", {**form, **changes}, key=key)
    assert reply.status == 400
    assert word in reply.text
    assert "enter" not in {name for name, _, _ in full.manager.asked}
    assert full.ask("/check", form, key=key).status == 303


def test_what_was_typed_stays_in_a_form_that_is_refused(full: FakeSite) -> None:
    full.manager.answers["enter"] = ManagerError("the guard protects 192.0.2.1", 2)
    form = {"address": "192.0.2.1", "action": "block", "hours": "4", "reason": '"kept" <b>'}
    reply = full.ask("/check", form, key=full.signed_in(Role.OPERATOR))
    assert "the guard protects 192.0.2.1" in reply.text
    assert "&#34;kept&#34; &lt;b&gt;" in reply.text
    assert 'value="block" checked' in reply.text


def test_a_push_is_bound_to_the_plan_that_was_shown(full: FakeSite) -> None:
    key = full.signed_in(Role.OPERATOR, "anna")
    where = full.ask("/devices/fw/plan", {}, key=key).headers["location"]
    shown = full.ask(where, key=key)
    assert SHOWN in shown.text
    assert PLAN_ID in shown.text
    assert full.ask(where, {"reason": ""}, key=key).status == 400
    pushed = full.ask(where, {"reason": "CR-9"}, key=key)
    assert pushed.headers["location"] == "/jobs/7"
    name, args, user = full.manager.asked[-1]
    assert (name, args.name, args.plan, args.reason, user) == (
        "start update",
        "fw",
        PLAN_ID,
        "CR-9",
        "anna",
    )
    assert full.ask(where, {"reason": "CR-9"}, key=full.signed_in(Role.ANALYST)).status == 403
    assert full.ask("/plans/nothing", key=key).status == 404


def test_a_plan_that_fails_or_changes_nothing_cannot_be_pushed(full: FakeSite) -> None:
    key = full.signed_in(Role.OPERATOR)
    none = evolve(RECORD, plan=PlanFigures())
    outcomes = (
        ManagerError("the device does not answer", 5, evolve(RECORD, result=Result.FAILED)),
        ManagerError("the device does not answer", 5),
        {**as_json(none), "sentence": "fw already has the policy"},
        DOWN,
    )
    for outcome in outcomes:
        full.manager.answers["plan"] = outcome
        where = full.ask("/devices/fw/plan", {}, key=key).headers["location"]
        assert "Push this plan" not in full.ask(where, key=key).text
        assert full.ask(where, {"reason": "CR-9"}, key=key).status == 409
    assert "start update" not in {name for name, _, _ in full.manager.asked}


def test_a_plan_is_kept_for_a_day(full: FakeSite) -> None:
    key = full.signed_in(Role.OPERATOR)
    where = full.ask("/devices/fw/plan", {}, key=key).headers["location"]
    full.clock.advance(86401)
    assert full.ask(where, key=full.signed_in(Role.OPERATOR)).status == 404


def test_no_cell_of_a_file_is_a_formula(full: FakeSite) -> None:
    key = full.signed_in(Role.VIEWER)
    for path in (
        "/reports?format=csv&by=outside",
        "/health/audit?format=csv",
        "/lines?format=csv&since=1h",
    ):
        reply = full.ask(path, key=key)
        assert reply.headers["content-disposition"].startswith("attachment; filename=")
        assert reply.headers["content-type"].startswith("text/csv")
        cells = [cell for row in csv.reader(io.StringIO(reply.text)) for cell in row]
        assert any(cell.startswith("'=") for cell in cells)
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
        assert "\x1b" not in reply.text


def test_a_file_holds_the_question_and_all_rows(full: FakeSite) -> None:
    reply = full.ask(
        "/reports?format=json&by=outside&since=3h&device=fw&top=1", key=full.signed_in()
    )
    found = json.loads(reply.text)
    assert found["question"]["devices"] == ["fw"]
    assert found["question"]["since"] == pytest.approx(NOW - 3 * 3600, abs=60)
    assert (found["hits"], found["lines"], len(found["rows"])) == (9, 3, 2)
    name, args, _ = full.manager.asked[-1]
    assert (name, args.options["top"]) == ("report_several", "100000")


def test_the_picture_of_a_report_is_one_question(full: FakeSite) -> None:
    reply = full.ask("/reports?by=hour,action", key=full.signed_in())
    asked = [args.options["by"] for name, args, _ in full.manager.asked if name == "report_several"]
    assert set(asked) == {"hour,action"}
    assert "6 blocked and 3 allowed" in reply.text
    assert "action=blocked" in reply.text
    assert "tsadmin report --all --together" in reply.text


def test_a_filter_that_cannot_be_meant_is_told_beside_the_form(full: FakeSite) -> None:
    reply = full.ask("/reports?since=yesterdayish", key=full.signed_in())
    assert reply.status == 400
    assert "is not a time" in reply.text
    assert 'value="yesterdayish"' in reply.text


def test_a_failure_of_a_page_tells_nothing_but_a_mark(
    full: FakeSite, logged_failures: list[Any]
) -> None:
    full.manager.answers["fleet"] = ZeroDivisionError(EVIL)
    reply = full.ask("/devices", key=full.signed_in())
    logged_failures.clear()
    assert reply.status == 500
    assert "internal error" in reply.text
    assert "ZeroDivision" not in reply.text
    assert SHOWN not in reply.text


def test_many_browsers_make_one_question(full: FakeSite) -> None:
    key = full.signed_in()
    for _ in range(20):
        full.ask("/devices", key=key)
    assert [name for name, _, _ in full.manager.asked].count("fleet") == 1


def test_assets_are_small_named_by_their_content_and_kept(web: FakeSite) -> None:
    assets = Assets.load()
    assert sum(len(one.packed) for one in assets.by_path.values()) < 60_000
    for path, asset in assets.by_path.items():
        reply = web.ask(path, accept_encoding="gzip")
        assert reply.status == 200
        assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert reply.text.encode() == asset.plain
        assert web.ask(path).text.encode() == asset.plain
    assert assets.path("page.css").startswith("/static/page.")


def test_a_page_of_a_hundred_devices_is_small(web: FakeSite) -> None:
    rows = tuple(
        Row(name=f"branch-{number:03}", verdict=Verdict.WARNING, causes=(f"cause {number} of it",))
        for number in range(500)
    )
    web.manager.answers.update(ANSWERS, fleet=rows)
    key = web.signed_in()
    for path in ("/", "/devices"):
        reply = web.ask(path, key=key, accept_encoding="gzip")
        assert reply.headers["content-encoding"] == "gzip"
        assert 1_000 < reply.size < 40_000
    assert web.ask("/devices", key=key).text.count("<tr data-device") == 100
    assert web.ask("/devices?page=5", key=key).text.count("<tr data-device") == 100
    assert web.ask("/devices?page=99999", key=key).status == 200
    assert web.ask("/devices?page=x", key=key).status == 200


def test_a_long_time_is_drawn_by_the_day() -> None:
    hours = {int(NOW) // 3600 * 3600 - 3600 * number: 2 for number in range(24 * 40)}
    long = chart(hours, {}, NOW - 40 * 86400, NOW)
    assert long.unit == "day"
    assert len(long.bars) in {40, 41}
    short = chart(hours, hours, NOW - 86400, NOW)
    assert short.unit == "hour"
    assert short.most == 4
    assert chart({}, {}, NOW, NOW).bars == ()


def test_an_operator_stops_a_job_in_progress_after_the_request_in_progress(full: FakeSite) -> None:
    button = 'action="/jobs/7/stop"'
    key = full.signed_in(Role.OPERATOR)
    assert button not in full.ask("/jobs/7", key=key).text
    full.manager.answers["jobs"] = (evolve(JOB, stoppable=True),)
    full.clock.advance(5)
    assert button in full.ask("/jobs/7", key=key).text
    assert button not in full.ask("/jobs/7", key=full.signed_in(Role.ANALYST)).text
    full.manager.answers["stop_job"] = JOB
    assert full.ask("/jobs/7/stop", {}, key=key).status == 303
    assert full.manager.asked[-1] == ("stop_job", JobNumber(id=7), "the-operator")
    full.manager.answers["jobs"] = (evolve(JOB, stoppable=True, stopped_by=EVIL),)
    full.clock.advance(5)
    text = full.ask("/jobs/7", key=key).text
    assert button not in text
    assert f"Stops after the request in progress, requested by {SHOWN}" in text


def test_a_report_is_saved_for_its_user_with_its_times_as_they_were_typed(full: FakeSite) -> None:
    anna, bert = (full.signed_in(Role.VIEWER, one) for one in ("anna", "bert"))
    form = {
        "name": "<b>week",
        "device": "fw",
        "since": "7d",
        "by": "outside",
        "port": "443",
        "evil": "1",
    }
    saved = full.ask("/reports/save", form, key=anna)
    assert saved.headers["location"] == ("/reports?device=fw&since=7d&by=outside&top=100&port=443")
    shown = full.ask(saved.headers["location"], key=anna).text
    assert ">&lt;b&gt;week</a>" in shown
    assert 'action="/reports/delete"' in shown
    assert 'action="/reports/save"' not in shown
    assert 'action="/reports/save"' in full.ask("/reports?since=7d", key=anna).text
    assert "week" not in full.ask(saved.headers["location"], key=bert).text
    full.ask("/reports/delete", {"name": "<b>week"}, key=bert)
    assert len(saved_reports(full.accounts.database, "anna")) == 1
    full.ask("/reports/delete", {"name": "<b>week"}, key=anna)
    assert saved_reports(full.accounts.database, "anna") == ()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": " "}, "1 to 60 printable characters"),
        ({"name": "a\x1bb"}, "1 to 60 printable characters"),
        ({"name": "x" * 61}, "1 to 60 printable characters"),
        ({"name": "x", **dict.fromkeys(REPORT_FILTERS, "y" * 300)}, "more than 2,000 characters"),
        ({"name": "one more"}, "50 saved reports already"),
    ],
)
def test_what_is_no_report_to_save_is_told(
    full: FakeSite, fields: dict[str, str], said: str
) -> None:
    key = full.signed_in(Role.VIEWER, "anna")
    for number in range(50):
        one = SavedReport(name=f"r{number}", query="since=1d")
        save_report(full.accounts.database, "anna", one)
    to = full.ask("/reports/save", fields, key=key).headers["location"]
    assert said in full.ask(to, key=key).text
    assert len(saved_reports(full.accounts.database, "anna")) == 50
    assert saved_reports(full.accounts.database, "ANNA"), "however the name is written"
