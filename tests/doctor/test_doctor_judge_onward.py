"""
What is said of lists, updates, arriving lines, proxy, log service and SIEM.
"""

from typing import Any

import pytest

from tscm.base.secrets import Secret
from tscm.doctor import judge_onward
from tscm.doctor.finding import Finding
from tscm.doctor.judge_onward import ProxyAnswer
from tscm.forward.figures import ForwardFigures
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.spool.figures import LogFigures
from tscm.standing import Verdict
from tscm.update.figures import UpdateFigures
from tscm.upload.figures import UploadFigures
from tscm.upload.probe import ServiceAnswer
from tscm.wire.reading import read

OK, WARNING, FAILED = Verdict.OK, Verdict.WARNING, Verdict.FAILED
NOT_CHECKED = Verdict.NOT_CHECKED
NOW = 1.8e9
PROXY, URL = "http://proxy:3128", "https://logs.example"


def updates(figures: dict[str, Any] | None) -> Finding:
    known = None if figures is None else read(UpdateFigures, figures)
    return judge_onward.judge_updates(known, "fw", 3600, NOW)


def lines(state: dict[str, Any] | None, *strangers: str) -> Finding:
    log = None if state is None else read(LogFigures, state)
    return judge_onward.judge_lines(log, NOW, strangers, "fw", "look at the device")


def proxy(answer: str = "", fault: str | None = None) -> Finding:
    return judge_onward.judge_proxy(PROXY, ProxyAnswer(answer=answer, fault=fault), sends=True)


def service(said: ServiceAnswer | None, figures: dict[str, Any] | None = None) -> Finding:
    known = None if figures is None else read(UploadFigures, figures)
    return judge_onward.judge_log_service(URL, said, known, sends=True)


def siem(probed: str | None = None, answers: bool = True, **figures: Any) -> Finding:
    expired = figures.pop("expired", None)
    return judge_onward.judge_siem(
        "TCP siem:514",
        read(ForwardFigures, figures) if figures else None,
        probed,
        answers=answers,
        name="fw",
        expired=expired,
    )


LAST_GOOD = {"last_update": {"result": "changed", "finished_at": NOW - 600}}
READY = ServiceAnswer(status=400, ready=True)

CASES: list[tuple[Finding, Verdict, str]] = [
    (judge_onward.judge_policy_service({"a:53": None}, feeds_only=False), OK, "a:53"),
    (judge_onward.judge_policy_service({}, feeds_only=True), OK, "feeds"),
    (judge_onward.judge_policy_service({}, feeds_only=False), FAILED, "no policy server"),
    (
        judge_onward.judge_policy_service({"a:53": "x", "b:53": None}, feeds_only=False),
        WARNING,
        "a:53",
    ),
    (judge_onward.judge_policy_service({"a:53": "refused"}, feeds_only=False), FAILED, "refused"),
    (judge_onward.judge_list("block", "b", 1, None, ""), OK, "1 entry"),
    (judge_onward.judge_list("allow", "a", 0, None, ""), OK, "0 entries"),
    (judge_onward.judge_list("block", "b", 0, None, ""), FAILED, "empty"),
    (judge_onward.judge_list("block", "b", None, "no such name", "wait"), FAILED, "no such name"),
    (updates(None), NOT_CHECKED, "no manager"),
    (updates({"fault": "malformed", "last_update": None}), FAILED, "malformed"),
    (updates({"locked_out": True}), FAILED, "too often"),
    (updates({"last_update": None}), WARNING, "update yet"),
    (updates({"last_update": {"result": "failed", "error": "no TCP"}}), FAILED, "no TCP"),
    (updates({**LAST_GOOD, "held": True}), WARNING, "paused"),
    (updates({**LAST_GOOD, "paused": True}), WARNING, "paused"),
    (
        updates({"last_update": {"result": "changed", "finished_at": NOW - 11000}}),
        WARNING,
        "3 hours",
    ),
    (updates({**LAST_GOOD, "unsaved": True}), WARNING, "save"),
    (updates(LAST_GOOD), OK, "10 minutes"),
    (lines({"last_received_at": NOW - 5}), OK, "5 s"),
    (lines({"last_received_at": NOW - 7200}), WARNING, "2 hours"),
    (lines({"last_received_at": NOW - 200_000}), FAILED, "2 days"),
    (lines({"last_received_at": None}), FAILED, "no line has arrived yet"),
    (lines({"last_received_at": NOW, "fault": "disk full"}), FAILED, "disk full"),
    (lines(None), FAILED, "no manager"),
    (judge_onward.judge_proxy(None, None, sends=True), OK, "no proxy is configured"),
    (judge_onward.judge_proxy(PROXY, None, sends=False), OK, "no proxy is configured"),
    (judge_onward.judge_proxy(PROXY, None, sends=True), NOT_CHECKED, "not asked"),
    (proxy("200 Connection established"), OK, "allows the connection"),
    (proxy("502 Bad Gateway"), OK, "cannot reach the log service"),
    (proxy("407 Proxy Authentication Required"), FAILED, "password"),
    (proxy("403 Forbidden"), FAILED, "forbids"),
    (proxy(""), FAILED, "an unreadable response"),
    (proxy(fault="connection refused"), FAILED, "connection refused"),
    (judge_onward.judge_log_service(URL, None, None, sends=False), OK, "is off"),
    (
        judge_onward.judge_log_service(None, None, None, sends=True),
        WARNING,
        "no log service is configured",
    ),
    (service(None), NOT_CHECKED, "not asked"),
    (service(READY), OK, "knows the device"),
    (service(READY, {"retry_at": 5.0, "last_error": "away"}), WARNING, "away"),
    (service(ServiceAnswer(fault="no TLS", remedy="x")), FAILED, "no TLS"),
    (service(ServiceAnswer(status=401, sentence="who?", remedy="x")), FAILED, "who?"),
    (judge_onward.judge_siem(None, None, None, answers=False, name="fw"), OK, "is off"),
    (siem("connection refused"), FAILED, "connection refused"),
    (siem(failures=2, last_error="x", sentence="is tried again"), WARNING, "tried again"),
    (siem(expired={"age": 4, "space": 3, "lost": 2}), WARNING, "7 lines expired"),
    (siem(expired={"age": 0, "lost": 1}), WARNING, "1 line was lost to log damage"),
    (siem(expired={"age": 0, "lost": 0}), OK, "accepts connections"),
    (siem(failures=0, last_error="old"), OK, "accepts connections"),
    (siem(), OK, "accepts connections"),
    (siem(answers=False), OK, "does not confirm"),
]


@pytest.mark.parametrize(("finding", "verdict", "words"), CASES)
def test_verdict_on_a_link_beyond_the_manager(
    finding: Finding, verdict: Verdict, words: str
) -> None:
    assert finding.verdict == verdict
    assert words in finding.sentence


def test_an_unknown_sender_is_named_where_no_line_arrives() -> None:
    found = lines({"last_received_at": None}, "192.0.2.5")
    assert "192.0.2.5" in found.remedy
    assert "senders adopt" in found.remedy


def test_the_remedy_for_a_refused_list_does_not_repeat_what_is_refused() -> None:
    last = {
        "result": "refused",
        "error": "policy for fw refused",
        "finished_at": NOW,
    }
    assert "tsadmin update fw" not in updates({"last_update": last}).remedy
    assert "tsadmin plan fw" in updates({"last_update": last}).remedy
    assert (
        updates({"last_update": {**last, "result": "failed"}}).remedy == "run `tsadmin update fw`"
    )


def test_another_device_that_is_the_same_firewall_is_a_failure() -> None:
    settings = AsaRestSettings(
        name="fw",
        device_id="tdid_test1",
        device="192.0.2.1",
        block_list="block.example",
        allow_list="allow.example",
        username="admin",
        password=Secret("secret"),
    )
    found = judge_onward.judge_twin(settings, "office", "serial number X")
    assert found.verdict == FAILED
    assert "office is the same firewall with the same prefix ThreatSTOP (serial number X)" in str(
        found.sentence
    )
    assert "tsadmin configure fw --prefix" in found.remedy
