"""
Reports by target, severity and type of threat: which addresses are meant.
"""

from pathlib import Path
from typing import Any

import pytest

from tscm.policy.cidr import Entries
from tscm.policy.user_lists import Mode, read_text
from tscm.portal.attributes import Wanted, networks_meant
from tscm.portal.items import ItemFaulty
from tscm.settings.files import write_private
from tscm.store.database import Store
from tscm.store.portal_items import PortalItems
from tscm.store.user_list_values import Who, Wish
from tscm.store.user_lists import UserLists

NOW = 1_700_000_000.0
WHO = Who(name="ada", at=NOW)


@pytest.fixture
def site(tmp_path: Path) -> tuple[Path, Path]:
    database, portal = tmp_path / "tscm.db", tmp_path / "portal"
    store = Store(database)
    store.open()
    store.close()
    items, feed = PortalItems(database), [{"name": "f", "url": "https://x.example/f"}]
    for name, content, networks in (
        ("mild", {"severity": 2, "threat": "scanner", "feeds": feed}, ["192.0.2.0/24"]),
        ("grave", {"severity": 5, "threat": "c2", "feeds": feed}, ["198.51.100.0/24"]),
        ("own", {"severity": 4, "threat": "c2", "lists": ["own-block"]}, []),
    ):
        items.keep("target", name, content, WHO, version=None)
        if networks:
            file = portal / "targets" / f"{name}.entries"
            write_private(file, Entries.of(networks).to_bytes())
    entries = read_text("203.0.113.7", NOW, wide=False, until=None, comment="").entries
    UserLists(database).edit("own-block", entries, next(iter(Mode)), WHO, Wish())
    return database, portal


@pytest.mark.parametrize(
    ("options", "networks"),
    [
        ({"target": "mild"}, ["192.0.2.0/24"]),
        ({"target": "mild,own"}, ["192.0.2.0/24", "203.0.113.7/32"]),
        ({"severity": "5"}, ["198.51.100.0/24"]),
        ({"severity": "4-5"}, ["198.51.100.0/24", "203.0.113.7/32"]),
        ({"severity": 4}, ["203.0.113.7/32"]),
        ({"threat_type": "c2 scanner"}, ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.7/32"]),
        ({"threat_type": "c2", "severity": "0-4"}, ["203.0.113.7/32"]),
        ({"target": "mild", "threat_type": "c2"}, []),
    ],
)
def test_what_is_asked_for_together_must_fit_together(
    site: tuple[Path, Path], options: dict[str, Any], networks: list[str]
) -> None:
    wanted = Wanted.of(options)
    assert wanted is not None
    assert list(networks_meant(*site, wanted, NOW).cidrs()) == networks


def test_without_such_an_option_nothing_is_asked() -> None:
    assert Wanted.of({"by": "entry", "target": "", "severity": None}) is None


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"severity": "6"}, "not a severity; allowed: 0 to 5"),
        ({"severity": "5-3"}, "not a severity"),
        ({"severity": "high"}, "not a severity"),
        ({"threat_type": "malware,evil"}, "'evil' is not a type of threat"),
        ({"target": "x" * 3000}, "longer than"),
        ({"target": "absent"}, "no target 'absent'"),
        ({"target": ["mild"]}, "no target"),
    ],
)
def test_what_is_no_attribute_is_told(
    site: tuple[Path, Path], options: dict[str, Any], cause: str
) -> None:
    with pytest.raises(ItemFaulty, match=cause):
        networks_meant(*site, Wanted.of(options) or Wanted(), NOW)
