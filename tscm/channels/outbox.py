"""
Messages that wait for their channel: bounded, tried again with longer and longer pauses, given up after a day.

Pure: time and outcome come in as parameters.  Pauses are measured by a steady clock, so that a clock that is set
back stops nothing.
"""

from collections.abc import Mapping
from typing import Self

from attrs import evolve, field, frozen

from tscm.base.schedule import backoff
from tscm.channels.figures import ChannelFigures, Delivery
from tscm.channels.message import Message

PARCELS_MOST = 100
"""Messages that wait for one channel; the oldest makes room for a new one."""
DELIVERIES_MOST = 50
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 1800.0
GIVE_UP_SECONDS = 86400.0


@frozen(kw_only=True)
class Parcel:
    """A message for one channel."""

    channel: str
    message: Message
    waited_seconds: float = 0.0


@frozen(kw_only=True)
class Outbox:
    """
    What waits, the oldest first, and how each channel stands.
    """

    parcels: tuple[Parcel, ...] = ()
    channels: Mapping[str, ChannelFigures] = field(factory=dict)
    pauses: Mapping[str, float] = field(factory=dict)
    """Seconds until a channel is tried again."""
    deliveries: tuple[Delivery, ...] = ()
    """The latest, the oldest of them first."""

    def put(self, channel: str, message: Message, at: float) -> Self:
        """With one more message for *channel*."""
        made = evolve(self, parcels=(*self.parcels, Parcel(channel=channel, message=message)))
        waiting = [one for one in made.parcels if one.channel == channel]
        if len(waiting) <= PARCELS_MOST:
            return made
        return made.lose(waiting[0], at, f"{PARCELS_MOST} messages were waiting")

    def passed(self, elapsed: float, at: float) -> Self:
        """After *elapsed* seconds: pauses run down, and what waited for a day is given up."""
        made = evolve(
            self,
            pauses={name: left - elapsed for name, left in self.pauses.items() if left > elapsed},
            parcels=tuple(
                evolve(one, waited_seconds=one.waited_seconds + elapsed) for one in self.parcels
            ),
        )
        for one in made.parcels:
            if one.waited_seconds >= GIVE_UP_SECONDS:
                cause = made.of(one.channel).last_error or "the channel is not in use"
                made = made.lose(one, at, f"given up after a day: {cause}")
        return made

    def next(self, channel: str) -> Parcel | None:
        """What is to be sent on *channel* now."""
        if channel in self.pauses:
            return None
        return next((one for one in self.parcels if one.channel == channel), None)

    def sent(self, parcel: Parcel, at: float, answer: str) -> Self:
        """*parcel* arrived."""
        figures = self.of(parcel.channel)
        return self._without(parcel).noted(
            Delivery(
                at=at,
                channel=parcel.channel,
                subject=parcel.message.subject,
                good=True,
                answer=answer,
            ),
            evolve(
                figures,
                sent=figures.sent + 1,
                failures=0,
                failing_since=None,
                last_error=None,
                last_sent_at=at,
            ),
        )

    def failed(self, parcel: Parcel, at: float, cause: str, chance: float) -> Self:
        """A try failed; *chance* (0 to 1) spreads the pause."""
        figures = self.of(parcel.channel)
        failures = figures.failures + 1
        pause = backoff(failures, chance, first=FIRST_PAUSE, most=LONGEST_PAUSE)
        made = self
        if (
            cause != figures.last_error
        ):  # each cause once, or a day of tries would push out the rest
            failed = Delivery(
                at=at,
                channel=parcel.channel,
                subject=parcel.message.subject,
                good=False,
                answer=cause,
            )
            made = made.noted(failed, figures)
        return evolve(
            made,
            pauses={**made.pauses, parcel.channel: pause},
            channels={
                **made.channels,
                parcel.channel: evolve(
                    figures,
                    failed=figures.failed + 1,
                    failures=failures,
                    failing_since=figures.failing_since or at,
                    last_error=cause,
                ),
            },
        )

    def of(self, channel: str) -> ChannelFigures:
        """How *channel* stands."""
        return self.channels.get(channel, ChannelFigures())

    def figures(self) -> Mapping[str, ChannelFigures]:
        """How every channel stands that was ever used."""
        names = sorted({*self.channels, *(one.channel for one in self.parcels)})
        return {
            name: evolve(self.of(name), waiting=sum(one.channel == name for one in self.parcels))
            for name in names
        }

    def lose(self, parcel: Parcel, at: float, cause: str) -> Self:
        """*parcel* is given up."""
        figures = self.of(parcel.channel)
        lost = Delivery(
            at=at,
            channel=parcel.channel,
            subject=parcel.message.subject,
            good=False,
            answer=cause,
        )
        return self._without(parcel).noted(lost, evolve(figures, lost=figures.lost + 1))

    def _without(self, parcel: Parcel) -> Self:
        """One parcel less; where it is no longer there, nothing changes."""
        found = next(
            (
                place
                for place, one in enumerate(self.parcels)
                if one.channel == parcel.channel and one.message.id == parcel.message.id
            ),
            None,
        )
        if found is None:
            return self
        return evolve(self, parcels=(*self.parcels[:found], *self.parcels[found + 1 :]))

    def noted(self, delivery: Delivery, figures: ChannelFigures) -> Self:
        """With one more delivery, after which its channel stands so."""
        return evolve(
            self,
            deliveries=(*self.deliveries, delivery)[-DELIVERIES_MOST:],
            channels={**self.channels, delivery.channel: figures},
        )
