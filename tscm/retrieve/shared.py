"""
One question for all who want to know: the latest answer of a feed's publisher.
"""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from tscm.retrieve.answers import Answer, Answers, digest_of
from tscm.retrieve.content import FeedFault
from tscm.retrieve.feed_source import FeedSource
from tscm.retrieve.taxii import read_collection
from tscm.retrieve.web import WebAnswer, read_web

COUNTS_SECONDS = 86400.0
"""So long an answer goes on counting while its publisher asks for patience."""
_ACCEPT = {"misp": "application/json"}
"""By format, where a publisher has several."""
_BROKEN_OFF = "fetching it was interrupted"


def latest(
    source: FeedSource,
    answers: Answers,
    now: float,
    *,
    left: Callable[[], float],
    secrets: Mapping[str, str] | None = None,
    transport: Any = None,
) -> tuple[Answer, bytes]:
    """
    What the publisher of *source* last gave, and its content; asked now where that may be, with the
    headers *secrets*.

    Blocking.  Raises `FeedFault`, also for what the last question brought where it is too early for another.
    """
    key, most = source.key, source.limits.max_bytes
    with answers.alone(key, left):
        known = answers.known(key)
        content = answers.content(key, known, most)
        if not known.may_be_asked(now):
            return _kept(known, content, now)
        # Kept before the question: a manager that is killed over it and starts again does not ask
        # again at once.
        asking = evolve(
            known,
            asked_at=now,
            not_before=now + source.least_interval,
            fault=_BROKEN_OFF,
            remedy="",
            waits=True,
        )
        answers.keep(key, asking)
        try:
            got = _asked(
                source,
                {} if content is None else known.marks,
                now,
                secrets=secrets or {},
                left=left,
                transport=transport,
            )
        except FeedFault as fault:
            failed = _after(asking, fault, source.least_interval)
            answers.keep(key, failed)
            if not fault.waits:
                raise
            return _kept(failed, content, now)
        if got.content is not None:
            content = got.content
        elif content is None:
            raise FeedFault(
                "the server reports no change, but no copy is stored", "try again later"
            )
        answer = Answer(
            asked_at=now,
            not_before=now + max(source.least_interval, got.pause),
            got_at=now,
            content=digest_of(content),
            marks=got.marks,
        )
        answers.keep(key, answer, got.content)
        return answer, content


def _asked(
    source: FeedSource,
    validators: Mapping[str, str],
    now: float,
    *,
    secrets: Mapping[str, str],
    left: Callable[[], float],
    transport: Any,
) -> WebAnswer:
    if source.shape.format == "taxii":
        return read_collection(
            source.url,
            now=now,
            ca_file=source.ca_file,
            limits=source.limits,
            secrets=secrets,
            left=left,
            permitted=source.permitted,
            transport=transport,
        )
    return read_web(
        source.url,
        now=now,
        ca_file=source.ca_file,
        limits=source.limits,
        validators=validators,
        secrets=secrets,
        left=left,
        accept=_ACCEPT.get(source.shape.format),
        permitted=source.permitted,
        transport=transport,
    )


def _after(asking: Answer, fault: FeedFault, least: float) -> Answer:
    """What is known after a question in vain; one that no server heard may be asked again at once."""
    pause = 0.0 if fault.pause is None else max(least, fault.pause)
    return evolve(
        asking,
        not_before=asking.asked_at + pause,
        fault=str(fault),
        remedy=fault.remedy,
        waits=fault.waits,
    )


def _kept(known: Answer, content: bytes | None, now: float) -> tuple[Answer, bytes]:
    """The kept answer, where it counts; raises `FeedFault` where it does not."""
    patient = known.waits and now - known.got_at < COUNTS_SECONDS
    if content is not None and (not known.fault or patient):
        return known, content
    seconds = max(1, round(known.not_before - now))
    cause = known.fault or "the stored copy is damaged"
    remedy = (
        f"it is not fetched again for {seconds:,} s (least_interval, or the server's own limit)"
    )
    raise FeedFault(cause, f"{known.remedy}; {remedy}" if known.remedy else remedy)
