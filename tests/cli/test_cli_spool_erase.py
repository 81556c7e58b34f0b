"""
`tsadmin spool erase`: searches, asks, erases, and is in the audit; and the commands of the appliance on another host.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.spool.spool_room import make_spool, run_of
from tscm.settings.layout import Layout

if TYPE_CHECKING:
    from tests.cli.conftest import Tsadmin

HIS = b"%ASA-6-113039: Group <VPN> User <jdoe> IP <192.0.2.7> parent session started"
OTHER = b"%ASA-6-113039: Group <VPN> User <bob> IP <192.0.2.70> parent session started"


@pytest.fixture
def logs(root: Path) -> None:
    """Two logs of devices that were removed."""
    spool = make_spool(Layout(root).logs)
    for name in ("one", "two"):
        spool.open_device(name, 1 << 20)
        spool.append(name, [run_of(HIS, OTHER)], 1_700_000_000.0)
    spool.stopService()


@pytest.mark.usefixtures("logs")
def test_nothing_is_erased_without_a_yes_and_then_nothing_else(tsadmin: "Tsadmin") -> None:
    kept = tsadmin("spool", "erase", "--all", "--user", "jdoe")
    assert kept.status == 2
    assert "one: %ASA-6-113039: Group <VPN> User <jdoe>" in kept.out
    assert tsadmin("spool", "export", "one").out.encode().startswith(HIS)

    done = tsadmin("spool", "erase", "--all", "--user", "JDOE", "--yes", "--json")
    assert done.status == 0
    assert [(one["name"], one["lines"]) for one in json.loads(done.out)] == [("one", 1), ("two", 1)]
    left = tsadmin("spool", "export", "two").out
    assert left.startswith("[erased]...")
    assert left.encode().endswith(b"\n" + OTHER + b"\n")
    assert tsadmin("spool", "verify").status == 0

    again = tsadmin("spool", "erase", "one", "--user", "jdoe", "--yes")
    assert (again.status, "No line about user jdoe" in again.err) == (1, True)
    noted = [one for one in json.loads(tsadmin("audit", "--json").out) if "erase" in str(one)]
    assert len(noted) == 2
    assert "JDOE" in str(noted[0])


@pytest.mark.usefixtures("logs")
@pytest.mark.parametrize(
    "words",
    [
        ("one",),
        ("one", "--address", "192.0.2.7", "--user", "jdoe"),
        ("one", "--address", "192.0.2.0/24"),
        ("--user", "jdoe"),
        ("one", "--all", "--user", "jdoe"),
    ],
)
def test_what_is_unclear_is_refused(tsadmin: "Tsadmin", words: tuple[str, ...]) -> None:
    done = tsadmin("spool", "erase", *words, "--yes")
    assert done.status == 2
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("network", "show"),
        ("network", "static", "192.0.2.5/24", "192.0.2.1"),
        ("network", "confirm"),
        ("network", "take_back"),
        ("ntp",),
        ("ntp", "ntp.example.org"),
        ("hostname", "collector"),
    ],
)
def test_a_host_that_is_not_the_appliance_is_left_alone(
    tsadmin: "Tsadmin", words: tuple[str, ...]
) -> None:
    done = tsadmin(*words)
    assert done.status == 2
    assert "is not the appliance" in done.err
    assert len(done.err.splitlines()) == 1


def test_a_network_that_cannot_be_is_refused_with_one_sentence(tsadmin: "Tsadmin") -> None:
    done = tsadmin("network", "static", "192.0.2.5", "192.0.2.1")
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert "192.0.2.5/24" in done.err
