import re
import tomllib
from pathlib import Path

import attrs
import pytest

from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.settings.forward_target import ForwardTarget
from tscm.settings.node import NodeSettings
from tscm.settings.page import main, sample, settings_page
from tscm.settings.schema import read_table

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("path", "text"), [("docs/operate/settings.md", settings_page()), ("etc/tscm.toml", sample())]
)
def test_what_is_written_is_what_the_code_says(path: str, text: str) -> None:
    assert (ROOT / path).read_text("utf-8") == text, (
        "run `python -m tscm.settings.page docs/operate/settings.md etc/tscm.toml`"
    )


def test_the_sample_holds_every_setting_and_each_is_taken() -> None:
    uncommented = re.sub(r"(?m)^# ([a-z_0-9]+ = )", r"\1", sample())
    table = tomllib.loads(uncommented)
    settings, faults = read_table(NodeSettings, table)

    assert not faults
    for one in attrs.fields(NodeSettings):
        assert one.name in table
        kind = one.metadata.get("section")
        if kind is not None:
            assert set(table[one.name]) == set(attrs.fields_dict(kind))
    assert settings is not None


def test_the_sample_as_it_stands_changes_nothing() -> None:
    assert read_table(NodeSettings, tomllib.loads(sample()))[0] == NodeSettings()


def test_every_setting_of_a_device_is_on_the_page() -> None:
    page = settings_page()
    for one in (*attrs.fields(AsaRestSettings), *attrs.fields(ForwardTarget)):
        if one.name not in {"name", "forward"}:
            assert f"\n| `{one.name}` | " in page


def test_both_are_written_where_asked(tmp_path: Path) -> None:
    main([str(tmp_path / "a"), str(tmp_path / "b")])

    assert (tmp_path / "a").read_text() == settings_page()
    assert (tmp_path / "b").read_text() == sample()
