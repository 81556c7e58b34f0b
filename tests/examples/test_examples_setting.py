"""
How a setting is added: a field.  File, sample, page and errors follow from it.  CONTRIBUTING.md points here.
"""

from pathlib import Path

import pytest
from attrs import frozen

from tscm.errors import SettingsFaulty
from tscm.settings import files, node, page, values
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.settings.schema import section, setting


@frozen(kw_only=True)
class Contact:
    """`[contact]`: who is called when a firewall fails."""

    phone: str | None = setting(
        values.optional(values.text), None, doc="Number that messages name."
    )
    after_minutes: int = setting(values.whole(1, 60), 15, doc="Time before the number is named.")


@frozen(kw_only=True)
class WithContact(NodeSettings):
    """The settings of the manager, with one section more."""

    contact: Contact = section(Contact, doc="Who is called.")


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A root directory whose settings have the new section: in the house, the class itself gets the field."""
    for module in (node, page):
        monkeypatch.setattr(module, "NodeSettings", WithContact)
    made = Layout(tmp_path)
    made.settings_file.parent.mkdir(parents=True)
    return made


def read(layout: Layout, text: str) -> Contact:
    layout.settings_file.write_text(text)
    found = files.read_node(layout)
    assert isinstance(found, WithContact)
    return found.contact


def test_a_field_is_read_from_the_file_and_has_its_default(layout: Layout) -> None:
    assert read(layout, "") == Contact()
    assert read(layout, '[contact]\nphone = "110"\n') == Contact(phone="110", after_minutes=15)


def test_a_wrong_value_and_a_misspelt_name_are_reported_with_what_is_allowed(
    layout: Layout,
) -> None:
    with pytest.raises(SettingsFaulty) as raised:
        read(layout, '[contact]\nafter_minutes = 0\nphoen = "110"\n')
    sentence = str(raised.value)
    assert "contact.after_minutes" in sentence
    assert "from 1 to 60" in sentence
    assert "phone" in sentence  # the name that was probably meant


@pytest.mark.usefixtures("layout")
def test_page_and_sample_have_the_field() -> None:
    assert "| `after_minutes` | `15` | a whole number from 1 to 60 |" in page.settings_page()
    assert "# Time before the number is named.\n# after_minutes = 15\n" in page.sample()
