"""
A change of settings that takes away what is in force is asked about when it is made.
"""

import pytest
from attrs import evolve

from tscm.cli import configure
from tscm.cli.configure import NotConfirmed, losses
from tscm.model import Json
from tscm.store.generations import GenerationRow
from tscm.update.answers import History

PRESENT = {"block_list": "block.example", "allow_list": "allow.example", "max_policy_size": 1000}
IN_FORCE = GenerationRow(number=2, applied_at=1.0, block_entries=900, allow_entries=50)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"max_policy_size": "900"}, ["of 900 block entries in force, at most 850 remain"]),
        ({"max_policy_size": "950"}, []),
        ({"max_policy_size": "auto"}, []),
        ({"max_policy_size": 10}, ["at most 0 remain"]),
        ({"block_list": "Block.example "}, []),
        ({"block_list": "b.example"}, ["900 entries in force from the block list block.example"]),
        (
            {"allow_list": "b.example", "block_list": "block.example"},
            ["50 entries in force from the allow"],
        ),
        ({"log_rotate_size": "50"}, []),
    ],
)
def test_what_a_change_takes_away_is_told(table: Json, words: list[str]) -> None:
    found = list(losses(PRESENT, table, IN_FORCE))
    assert len(found) == len(words)
    assert all(word in one for word, one in zip(words, found, strict=True))
    assert not list(losses(PRESENT, table, None)), "nothing is in force yet"


class Backend:
    def call(self, _operation: object, _args: object) -> History:
        return History(generations=(IN_FORCE, evolve(IN_FORCE, number=1)))


def test_without_a_terminal_it_takes_a_word() -> None:
    with pytest.raises(NotConfirmed, match=r"at most 50 remain .* add --yes") as caught:
        configure._ask_about_force(Backend(), "fw", PRESENT, {"max_policy_size": "100"})  # type: ignore[arg-type]  # all that is asked of it
    assert caught.value.exit_status == 2


def test_at_a_terminal_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(question: str, *, default: bool = False) -> bool:
        asked.append(question)
        return len(asked) > 1

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(configure, "confirmed", answer)
    with pytest.raises(NotConfirmed, match=r"fw is unchanged$"):
        configure._ask_about_force(Backend(), "fw", PRESENT, {"max_policy_size": "100"})  # type: ignore[arg-type]  # as above
    configure._ask_about_force(Backend(), "fw", PRESENT, {"max_policy_size": "100"})  # type: ignore[arg-type]  # as above
    configure._ask_about_force(Backend(), "fw", PRESENT, {"log_rotate_size": "100"})  # type: ignore[arg-type]  # as above
    assert len(asked) == 2
