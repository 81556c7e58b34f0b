"""
What is broken around `tsadmin`: files, keys, pipes.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tscm.settings.layout import Layout

if TYPE_CHECKING:
    from tests.cli.conftest import Add, Ended, Stored, Tsadmin


def one_sentence(done: "Ended", status: int, *parts: str) -> None:
    assert done.status == status
    assert done.err.startswith("[ERROR] : ")
    assert done.err.count("\n") == 1
    for part in parts:
        assert part in done.err


def test_a_lost_key_hides_no_device_and_stops_what_needs_it(
    tsadmin: "Tsadmin", root: Path, add: "Add", stored: "Stored"
) -> None:
    add()
    Layout(root).key.unlink()

    one_sentence(add("other", device="192.0.2.11"), 3, "it is missing, so stored passwords")
    one_sentence(tsadmin("configure", "tstest", "--dns_port=5353"), 3, "it is missing")
    assert tsadmin("list").status == 0
    assert tsadmin("show", "tstest").status == 0
    assert stored() == ["etc/tscm/devices/tstest.toml"]
    assert tsadmin("remove", "tstest", "--yes").status == 0


def test_a_question_about_no_device_at_all_is_told_so(tsadmin: "Tsadmin") -> None:
    done = tsadmin("policy", "why", "198.51.100.7")
    assert done.status == 0
    assert "No devices yet" in done.out + done.err


def test_a_key_of_loose_mode_is_refused(tsadmin: "Tsadmin", root: Path, add: "Add") -> None:
    add()
    Layout(root).key.chmod(0o644)

    one_sentence(tsadmin("configure", "tstest", "--dns_port=5353"), 3, "mode 0644", "`chmod 600 ")


def test_a_key_of_another_node_is_refused(tsadmin: "Tsadmin", root: Path, add: "Add") -> None:
    add()
    key = Layout(root).key
    key.write_text("A" * 43 + "=\n")

    one_sentence(tsadmin("configure", "tstest", "--dns_port=5353"), 3, "another key")


def test_a_damaged_device_file_hides_no_other_device(
    tsadmin: "Tsadmin", root: Path, add: "Add"
) -> None:
    add()
    add("other", device="192.0.2.11")
    Layout(root).device_file("other").write_text('device = "192')
    done = tsadmin("list")

    one_sentence(done, 2, "other.toml cannot be used: it is not valid TOML")
    assert "| tstest " in done.out
    one_sentence(tsadmin("show", "other"), 2, "it is not valid TOML")
    one_sentence(tsadmin("configure", "other", "--dns_port=53"), 2, "it is not valid TOML")
    assert json.loads(tsadmin("list", "--json").out)[0]["fault"]
    assert tsadmin("remove", "other", "--yes").status == 0


def test_faults_of_the_node_settings_are_all_told(
    tsadmin: "Tsadmin", root: Path, add: "Add", stored: "Stored"
) -> None:
    Layout(root).settings_file.write_text('[policy]\nservers = "x!"\n[spool]\nfsync = "never"\n')
    done = add()

    assert done.status == 2
    assert "tscm.toml: 2 errors" in done.err
    assert "policy.servers: 'x!'" in done.err
    assert "spool.fsync: 'never' is not among the choices; allowed: off, interval, seal" in done.err
    assert tsadmin("list").status == 0
    assert stored() == []


def test_a_file_in_the_place_of_a_folder_is_a_sentence(
    root: Path, add: "Add", stored: "Stored"
) -> None:
    (root / "var").write_text("")

    done = add()
    assert done.status == 1
    assert "var" in done.err
    assert "Not a directory" in done.err or "File exists" in done.err
    assert stored() == ["var"]


def test_a_log_folder_that_cannot_be_made_stores_nothing(
    root: Path, add: "Add", tsadmin: "Tsadmin"
) -> None:
    folder = root / "var/log"
    folder.mkdir(parents=True)
    (folder / "threatstop").write_text("")

    assert add().status == 1
    assert "tstest" not in tsadmin("list").out


def test_a_closed_pipe_ends_in_silence(root: Path, environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tscm", "add", "--type", "asarest", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_that_cannot_be_written_is_a_sentence(environment: dict[str, str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tscm", "version"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment,
            timeout=60,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr == b"[ERROR] : operation failed: No space left on device\n"


def test_a_poor_locale_shows_everything(
    tsadmin_process: "Tsadmin", environment: dict[str, str], root: Path
) -> None:
    environment.update({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    Layout(root).settings_file.write_text("")
    done = tsadmin_process("list")
    assert done.status == 0
    done = tsadmin_process("portal", "add", "office", "--address", "192.0.2.1", "--note=ü")
    assert done.status == 0
    done = tsadmin_process("portal", "list")
    assert done.status == 0
    assert "office" in done.out


def test_the_root_comes_from_the_environment(
    environment: dict[str, str], root: Path, add: "Add"
) -> None:
    add()
    done = subprocess.run(
        [sys.executable, "-m", "tscm", "list"],
        capture_output=True,
        text=True,
        env={**environment, "TSCM_ROOT": str(root)},
        timeout=60,
        check=False,
    )

    assert "| tstest " in done.stdout


@pytest.mark.parametrize(
    ("shell", "words"),
    [
        ("bash", {"COMP_WORDS": "tsadmin --root {root} show t", "COMP_CWORD": "4"}),
        ("zsh", {"COMP_WORDS": "tsadmin --root {root} show t", "COMP_CWORD": "4"}),
        ("fish", {"COMP_WORDS": "tsadmin --root {root} show t", "COMP_CWORD": "t"}),
    ],
)
def test_shells_complete_device_names(
    environment: dict[str, str], root: Path, add: "Add", shell: str, words: dict[str, str]
) -> None:
    add()
    done = subprocess.run(
        [str(Path(sys.executable).parent / "tsadmin")],
        capture_output=True,
        text=True,
        env={
            **environment,
            "_TSADMIN_COMPLETE": f"{shell}_complete",
            **{name: value.format(root=root) for name, value in words.items()},
        },
        timeout=60,
        check=False,
    )

    assert "tstest" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_of_each_shell(tsadmin: "Tsadmin", shell: str) -> None:
    assert f"_TSADMIN_COMPLETE={shell}_complete" in tsadmin("completion", shell).out


def test_list_imports_nothing_heavy(environment: dict[str, str], root: Path, add: "Add") -> None:
    add()
    program = (
        "import sys; from tscm.cli import main; main.run(sys.argv[1:]); "
        "print(sorted({'twisted', 'numpy', 'httpx', 'requests', 'dns', 'rich', 'tomlkit', "
        "'cryptography', 'klein', 'ssl', 'tscm.settings.node', 'tscm.state'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--root", str(root), "list"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )

    assert "| tstest " in done.stdout
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize("words", [("version",), ("--help",), ()], ids=["version", "help", "tab"])
def test_what_asks_nobody_imports_nothing_but_the_parser(
    environment: dict[str, str], root: Path, words: tuple[str, ...]
) -> None:
    program = (
        "import atexit, sys; from tscm.cli import main; "
        "atexit.register(lambda: print(sorted({'attrs', 'json', 'pathlib', 'tscm.errors', 'tscm.faces', 'tscm.operations', "
        "'tscm.settings', 'tscm.cli.status'} & set(sys.modules)))); "
        "main.main(sys.argv[1:])"
    )
    tab = {"_TSADMIN_COMPLETE": "bash_complete", "COMP_WORDS": "tsadmin st", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        env=environment | {"TSCM_ROOT": str(root)} | ({} if words else tab),
        timeout=60,
        check=False,
    )

    assert words or done.stdout.startswith("plain,status")
    assert done.stdout.endswith("[]\n")
