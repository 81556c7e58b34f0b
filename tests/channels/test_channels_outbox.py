"""
What waits for a channel: bounded, in order, given up after a day, whatever comes of the tries.
"""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tscm.channels.message import ITEMS_MOST, Message, What, item
from tscm.channels.outbox import (
    DELIVERIES_MOST,
    GIVE_UP_SECONDS,
    LONGEST_PAUSE,
    PARCELS_MOST,
    Outbox,
)

AT = 1_800_000_000.0


def message(number: int) -> Message:
    one = item(What.NEW, f"policy_age/{number}", "failed", "too old", AT)
    return Message(id=str(number), source="tscm", at=AT, items=(one,))


def test_a_message_that_fails_waits_and_keeps_its_place() -> None:
    box = (
        Outbox()
        .put("mail", message(1), AT)
        .put("mail", message(2), AT)
        .put("syslog", message(1), AT)
    )
    first = box.next("mail")
    assert first is not None
    box = box.failed(first, AT, "no route", 0.5)
    assert box.next("mail") is None
    assert box.next("syslog") is not None
    assert box.figures()["mail"].failing_since == AT
    box = box.passed(LONGEST_PAUSE, AT)
    assert box.next("mail") == evolve(first, waited_seconds=LONGEST_PAUSE)
    box = box.sent(first, AT + 5, "250 ok")
    second = box.next("mail")
    assert second is not None
    assert second.message.id == "2"
    figures = box.figures()["mail"]
    assert (figures.sent, figures.failed, figures.failures, figures.waiting) == (1, 1, 0, 1)
    assert [one.good for one in box.deliveries] == [False, True]
    assert box.deliveries[-1].answer == "250 ok"


def test_the_oldest_makes_room_and_that_is_told() -> None:
    box = Outbox()
    for number in range(PARCELS_MOST + 3):
        box = box.put("mail", message(number), AT)
    assert len(box.parcels) == PARCELS_MOST
    assert box.parcels[0].message.id == "3"
    assert box.figures()["mail"].lost == 3


def test_after_a_day_a_message_is_given_up_with_the_cause() -> None:
    box = Outbox().put("mail", message(1), AT)
    parcel = box.next("mail")
    assert parcel is not None
    box = box.failed(parcel, AT, "no route", 1.0).passed(GIVE_UP_SECONDS, AT)
    assert box.parcels == ()
    assert box.deliveries[-1].answer == "given up after a day: no route"


def test_a_message_that_was_given_up_meanwhile_is_no_trouble() -> None:
    box = Outbox().put("mail", message(1), AT)
    parcel = box.next("mail")
    assert parcel is not None
    box = box.passed(GIVE_UP_SECONDS, AT)
    assert box.sent(parcel, AT, "ok").parcels == ()


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.sampled_from(["mail", "webhook"])),
            st.tuples(st.just("sent"), st.sampled_from(["mail", "webhook"])),
            st.tuples(st.just("failed"), st.sampled_from(["mail", "webhook"])),
            st.tuples(st.just("passed"), st.floats(0, 50_000)),
        ),
        max_size=60,
    )
)
def test_every_message_arrives_waits_or_is_lost(acts: list[tuple[str, str | float]]) -> None:
    box, put = Outbox(), {"mail": 0, "webhook": 0}
    for number, (act, of) in enumerate(acts):
        if isinstance(of, float):
            box = box.passed(of, AT)
            continue
        parcel = box.next(of)
        if act == "put":
            box = box.put(of, message(number), AT)
            put[of] += 1
        elif parcel is not None:
            box = (
                box.sent(parcel, AT, "ok")
                if act == "sent"
                else box.failed(parcel, AT, str(number), 0.3)
            )
    for channel, count in put.items():
        figures = box.figures().get(channel)
        if figures is not None:
            assert figures.sent + figures.lost + figures.waiting == count
        ids = [int(one.message.id) for one in box.parcels if one.channel == channel]
        assert ids == sorted(ids)
    assert len(box.deliveries) <= DELIVERIES_MOST
    assert all(0 < pause <= LONGEST_PAUSE for pause in box.pauses.values())


@given(st.text(max_size=200), st.text(max_size=200), st.integers(1, 3))
def test_a_subject_is_one_line_of_bounded_length(name: str, sentence: str, count: int) -> None:
    some = tuple(item(What.NEW, name, "failed", sentence, AT) for _ in range(count))
    subject = evolve(message(1), items=some, more=ITEMS_MOST).subject
    assert subject.isprintable()
    assert len(subject) <= 120
    assert evolve(message(1), items=some[:1]).subject.isprintable()
