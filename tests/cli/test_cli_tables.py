import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.cli import tables
from tscm.cli.ledger import tell_ledger
from tscm.cli.list import table as device_table
from tscm.cli.manager_state import status_pairs
from tscm.cli.outcomes import list_row
from tscm.cli.progress import PlainProgress
from tscm.cli.state import state_pairs
from tscm.devices.answers import DeviceRow
from tscm.ledger.figures import Balance
from tscm.model import Json, Progress
from tscm.printable import visible
from tscm.state import DeviceState, ManagerState
from tscm.update.figures import ListFigures
from tscm.upload.outcome import UploadOutcome
from tscm.wire.reading import read


@settings(deadline=None, max_examples=200)
@given(st.text())
def test_no_text_acts_on_a_terminal(text: str) -> None:
    shown = visible(text)

    assert all(one.isprintable() for one in shown)
    assert not set(shown) & set("\x1b\x9b\u202e\u2066\u200b\ufeff\r\n")


@pytest.mark.parametrize("text", ["plain", "ünïcode ✓", "[bold]x[/bold]", "a\\b", "日本"])
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize("cell", ["[red]x[/red]", "[/]", "[link=http://x]y", ":smile:", "\x1b[1mx"])
def test_markup_in_a_cell_is_text(capsys: pytest.CaptureFixture[str], cell: str) -> None:
    tables.show_table(["head"], [[cell]], "[title]")
    tables.show_pairs([("[name]", cell)])
    out = capsys.readouterr().out

    assert out.count(visible(cell)) == 2
    assert "[title]" in out
    assert "[name]" in out


def test_a_table_in_a_pipe_is_as_wide_as_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show_table(["a", "b"], [["x" * 300, 1], ["y", 1234567]])
    lines = capsys.readouterr().out.splitlines()

    assert len(lines) == 4
    assert "x" * 300 in lines[2]
    assert lines[3].endswith("1,234,567")
    assert all(line == line.rstrip() for line in lines)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.text("aé日 x", max_size=12), st.integers(0, 9999) | st.none())))
def test_a_table_in_a_pipe_is_the_one_that_a_wide_terminal_gets(
    rows: list[tuple[str, int | None]],
) -> None:
    def shown(columns: int | None) -> list[str]:
        with pytest.MonkeyPatch.context() as patched, io.StringIO() as out:
            patched.setattr("sys.stdout", out)
            tables.show_table(["name", "count"], rows, columns=columns)
            tables.show_pairs(rows, columns=columns)
            lines = [line.rstrip() for line in out.getvalue().splitlines()]
        return [line for line in lines if line]

    assert shown(None) == shown(200)


def test_a_terminal_with_thousands_of_rows_gets_them_as_wide_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [["tstest", number] for number in range(1000)]
    tables.show_table(["device", "stored"], rows, columns=10)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1002
    assert lines[-1] == " tstest     999"


def test_a_narrow_terminal_gets_pairs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tables.show_table(["device", "stored", "difference"], [["tstest", 10, 0]], columns=20)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]

    assert lines == [["device", "tstest"], ["stored", "10"], ["difference", "0"], []]


WORDS = "a sentence of several words"


@pytest.mark.parametrize("wide", [50, 63, 80, 200])
def test_a_table_never_breaks_a_name_to_keep_a_sentence_in_one_line(
    capsys: pytest.CaptureFixture[str], wide: int
) -> None:
    row = ("block.tdid1234.example", WORDS, 123456, WORDS)
    tables.show_table(("name", "why", "entries in it", "what else"), [row], columns=wide)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]

    assert max(map(len, lines)) <= wide
    assert any("block.tdid1234.example" in line for line in lines)
    assert any("123,456" in line for line in lines)
    assert sum(line.count("several") for line in lines) == 2
    assert (WORDS in lines[-1]) == (wide in {50, 200})  # a pair a line, or all of it


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "yes"),
        (1234567, "1,234,567"),
        (0.25, "0.2"),
        ((), "none"),
        (["a", 1000], "a, 1,000"),
        ({"a": 1, "b": None}, "a 1, b -"),
        ("\x00", "\\x00"),
    ],
)
def test_values_as_people_read_them(value: object, text: str) -> None:
    assert tables.cell_text(value) == text


def test_the_device_table_grows_with_its_cells() -> None:
    row = DeviceRow(
        name="n" * 20,
        type="asarest",
        device_id="tdid_1",
        device="2001:db8::1",
        log_rotate_size=1000,
        send_logs=False,
    )
    lines = device_table([row]).splitlines()

    assert len({len(line) for line in lines}) == 1
    assert lines[1].endswith("| 1000k | disabled    |")


def test_plain_progress_tells_each_step_once(capsys: pytest.CaptureFixture[str]) -> None:
    report = PlainProgress()
    report(Progress(phase="fetch", text="block list"))
    report(Progress(phase="fetch", text="block list"))
    for done in range(1001):
        report(Progress(phase="push", text="requests", done=done, total=1000))

    assert capsys.readouterr().out.splitlines() == [
        "[INFO ] : fetch: block list",
        "[INFO ] : push: requests (0 of 1,000)",
        "[INFO ] : push: requests (1,000 of 1,000)",
    ]


def test_of_a_kept_generation_nothing_is_told_as_published() -> None:
    kept = ListFigures(name="b", serial=7, merged=9, desired=9)

    assert list_row("block", kept) == ("block", "b", "7", "-", "-", 9, 0, 9)
    assert list_row("allow", ListFigures(name="a")) == ("allow", "a", "-", 0, 0, 0, 0, 0)


def test_a_state_without_anything_is_said_in_words() -> None:
    pairs = dict(
        state_pairs({"name": "fw", "policy_updates": True}, read(DeviceState, {"policy": {}}))
    )

    assert pairs == {"last update": "never", "syslog forward": "off", "log upload": "off"}


def test_alarms_of_a_state_are_shown() -> None:
    state = {
        "policy": {"held": True, "locked_out": True, "stopped_at_failure": True},
        "log": {"fault": "No space left on device", "refused_lines": 3},
    }
    shown = " ".join(
        f"{name}: {value}" for name, value in state_pairs({"name": "fw"}, read(DeviceState, state))
    )

    assert "tsadmin policy resume" in shown
    assert "tsadmin configure" in shown
    assert "fifth failure" in shown
    assert "No space left on device" in shown


def test_lines_lost_to_damage_name_the_command_that_tells_where() -> None:
    readers = {"forward": {"expired": 9, "expired_by_cause": {"age": 2, "lost": 7}}}
    state = {"log": {"readers": readers}, "forward": {"sentence": "on", "reader": "forward"}}
    shown = dict(state_pairs({"name": "office"}, read(DeviceState, state)))

    assert shown["syslog forward expired"] == "9 (age 2 by max_age_days, lost 7)"
    assert "7 lines were lost" in shown["attention"]
    assert "list the files with `tsadmin spool verify office`" in shown["attention"]


def test_positions_that_were_damaged_are_told_with_what_it_meant() -> None:
    log = {"damaged_cursors": 2, "damaged_segments": 1}
    shown = dict(state_pairs({"name": "office"}, read(DeviceState, {"log": log})))

    assert shown["damaged positions"].startswith("2 records")
    assert "may have been sent twice" in shown["damaged positions"]
    assert ("1 segment cannot be read; list them with `tsadmin spool verify office`") in shown[
        "attention"
    ]


def test_commands_in_a_state_hold_the_names_that_they_need() -> None:
    state = {
        "users": {},
        "log": {"readers": {"forward": {"waiting_lines": 1}}},
        "upload": {"sentence": "x", "set_aside": 1},
    }
    shown = dict(state_pairs({"name": "office"}, read(DeviceState, state)))

    assert "`tsadmin spool drop office forward`" in shown["unused readers"]
    assert "`tsadmin logs office --rejected`" in shown["rejected batches"]


def test_lines_that_go_again_after_a_reset_are_told() -> None:
    shown = dict(
        state_pairs(
            {"name": "fw"}, read(DeviceState, {"forward": {"sentence": "x", "repeated": 400}})
        )
    )

    assert shown["syslog forward resent after a reset"] == 400


def test_the_ledger_names_the_command_for_batches_set_aside(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = {"sent": 3, "not_selected": 1, "waiting": 0, "expired": 0, "difference": 0}
    device = {"stored": 4, "readers": {"upload": {**row, "set_aside": 1}}}
    tell_ledger(read(Balance, {"balanced": True, "devices": {"office": device}}))

    said = capsys.readouterr().err
    assert "office: the log service rejected 1 batch" in said
    assert "`tsadmin logs office --rejected`" in said


def test_the_ledger_names_the_command_for_lines_lost_to_damage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = {"sent": 3, "not_selected": 0, "waiting": 0, "expired": 1, "difference": 0}
    device = {"stored": 4, "readers": {"forward": {**row, "expired_by_cause": {"lost": 1}}}}
    whole = {"stored": 4, "readers": {"forward": {**row, "expired_by_cause": {"age": 1}}}}
    tell_ledger(read(Balance, {"balanced": True, "devices": {"office": device, "whole": whole}}))

    said = capsys.readouterr().err
    assert "office: 1 line was lost" in said
    assert "list the files with `tsadmin spool verify office`" in said
    assert "whole" not in said


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (UploadOutcome(), "nothing to send"),
        (UploadOutcome(batches=1, lines=1, bytes=1), "1 line in 1 upload, 1 byte compressed"),
        (
            UploadOutcome(batches=2, lines=1000, bytes=5, aside=1),
            "1,000 lines in 2 uploads, 5 bytes compressed; 1 batch rejected",
        ),
    ],
)
def test_an_upload_is_told_with_the_right_nouns(outcome: UploadOutcome, words: str) -> None:
    assert str(outcome) == words


def test_a_restart_makes_no_upload_a_thing_that_never_was() -> None:
    for sent, words in (
        (515, "before the manager started or its settings last changed"),
        (0, "never"),
    ):
        upload = {"last_upload_at": None, "sent": sent, "sentence": "x"}
        assert (
            dict(state_pairs({"name": "fw"}, read(DeviceState, {"upload": upload})))["last upload"]
            == words
        )


def test_what_a_listener_counts_besides_is_shown_where_there_is_any() -> None:
    quiet = {"received": 5, "cut": 0, "partial_at_close": 0, "tls": {"handshakes_failed": {}}}
    odd = {
        "received": 5,
        "cut": 1,
        "partial_at_close": 2,
        "framing_faults": 3,
        "tls_on_plain_port": 4,
        "tls": {"handshakes_failed": {"a": 5, "b": 6}, "fault": "server.crt: no such file"},
    }
    shown = dict(
        status_pairs(read(ManagerState, {"intake": {"listeners": {"quiet": quiet, "odd": odd}}}))
    )
    assert shown["quiet"] == "5 received, 0 dropped"
    assert shown["odd"] == (
        "5 received, 0 dropped, 1 truncated, 2 closed inside a line, 3 framing errors, 4 TLS on a "
        "plain port, 11 handshakes failed, certificate not loaded: server.crt: no such file"
    )


def test_connections_that_were_refused_are_shown_with_their_cause() -> None:
    counts = {"open": 3, "highest": 1200, "refused": {}}
    shown = dict(status_pairs(read(ManagerState, {"intake": {"connections": counts}})))
    assert shown["connections"] == "3 open, peak 1,200 since the start"
    counts["refused"] = {"unknown sender": 1000, "all connections taken": 2}
    shown = dict(status_pairs(read(ManagerState, {"intake": {"connections": counts}})))
    assert shown["connections"].endswith("; refused: unknown sender 1,000, all connections taken 2")


def test_what_was_refused_for_want_of_a_pinned_certificate_is_shown_at_the_device() -> None:
    for connections, lines, words in (
        (2, 1, "2 connections and 1 line in its name refused since the start"),
        (0, 1500, "0 connections and 1,500 lines in its name refused since the start"),
    ):
        refused = {"connections": connections, "lines": lines}
        shown = dict(
            state_pairs(
                {"name": "fw"}, read(DeviceState, {"intake": {"without_certificate": refused}})
            )
        )
        assert shown["without its pinned certificate"].startswith(words)
    refused = {"connections": 0, "lines": 0}
    shown = dict(
        state_pairs({"name": "fw"}, read(DeviceState, {"intake": {"without_certificate": refused}}))
    )
    assert "without its pinned certificate" not in shown


def test_several_faults_of_a_file_stand_on_one_line() -> None:
    fault = "/etc/tscm/tscm.toml: 2 errors\n  listen.tcp: no address\n  listen.x: unknown"
    shown = dict(status_pairs(read(ManagerState, {"faults": {"": fault}})))
    assert shown["fault"] == (
        "/etc/tscm/tscm.toml: 2 errors; listen.tcp: no address; listen.x: unknown"
    )


def test_where_lines_of_unknown_senders_are_kept_is_shown() -> None:
    kept = {"path": "/var/log/threatstop/unknown", "kept": 701, "refused": 2299}
    shown = dict(
        status_pairs(
            read(ManagerState, {"intake": {"unknown_senders": {"senders": 1, "quarantine": kept}}})
        )
    )
    assert shown["quarantine"] == (
        "/var/log/threatstop/unknown: 701 written, the newest kept within the quota; 2,299 refused"
    )


def test_connections_refused_for_want_of_room_are_told_with_what_helps() -> None:
    refused = {"connections": 3, "last_at": 1.0, "cause": "all connections of the sender taken"}
    intake = {"turned_away": refused}
    told = dict(state_pairs({"name": "fw"}, read(DeviceState, {"intake": intake})))["attention"]
    assert (
        "3 connections from it were refused since the start: all connections of the sender" in told
    )
    assert "max_connections_per_sender" in told
    assert "permit-hostdown" in told
    node = dict(status_pairs(read(ManagerState, {"intake": {"devices": {"fw1": intake}}})))
    assert node["attention"].startswith("device fw1: 3 connections from it were refused")
    assert "attention" not in dict(
        state_pairs(
            {"name": "fw"}, read(DeviceState, {"intake": {"turned_away": {"connections": 0}}})
        )
    )


def test_a_name_that_cannot_be_looked_up_wants_attention() -> None:
    rows = [
        {
            "name": "siem.example",
            "failing_since": 9.0,
            "resolved_at": 5.0,
            "addresses": {"8.0.0.1": 5.0},
        },
        {"name": "p.example", "failing_since": 9.0, "resolved_at": None, "addresses": {}},
    ]
    shown = list(
        state_pairs(
            {"name": "fw", "policy_updates": True},
            read(DeviceState, {"policy": {"unknown_names": rows}}),
        )
    )
    words = [value for label, value in shown if label == "attention"]
    assert "siem.example, which must not be blocked, has not resolved since" in words[0]
    assert "remain protected" in words[0]
    assert "none of its addresses is known; see [policy] unknown_names" in words[1]


def test_an_update_that_has_nothing_to_tell_yet_ends_without_a_colon() -> None:
    state: Json = {"policy": {"running_since": 1_800_000_000.0, "progress": None}}
    told = dict(state_pairs({"name": "fw"}, read(DeviceState, state)))["update in progress"]
    assert told.startswith("since 20")
    assert not told.endswith((":", ": "))
    state["policy"]["progress"] = "changing groups"
    assert dict(state_pairs({"name": "fw"}, read(DeviceState, state)))[
        "update in progress"
    ].endswith(": changing groups")


def test_updates_that_go_on_are_not_said_to_be_stopped() -> None:
    pairs = list(
        state_pairs({"name": "fw"}, read(DeviceState, {"policy": {"stopped_at_failure": True}}))
    )
    told = next(words for name, words in pairs if name == "attention")
    assert "stopped" not in told
    assert "scheduled updates make one attempt each" in told


def test_a_title_counts_what_there_is() -> None:
    assert tables.latest("Updates kept", 1, 20) == "Updates kept: 1"
    assert tables.latest("Updates kept", 1500, 20) == "Updates kept: 1,500, latest 20 shown"
