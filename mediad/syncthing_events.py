"""
Syncthing's events, read as what they are: reasons to look, never anything to believe.

The cursor is only good within one life of Syncthing and one mask, events get lost, and a stale cursor waits in silence
or passes over what happened. So after every poll Syncthing is asked whether it is still the one that gave us the
cursor, and whatever may have been missed is a reason to look at everything. What an event carries beside its kind and
what it is about is never kept and never logged: a saved configuration has the API key in it.
"""

import math
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from mediad.errors import Bug, MediadError
from mediad.ports import Clock, Heard

POLL_S: Final = 60.0  # the longest poll
TOGETHER_S: Final = 0.25  # news that come within this time are told as one
LONGEST_PAUSE_S: Final = 60.0
LARGEST_ID: Final = (1 << 63) - 1
_TIME: Final = re.compile(r"[0-9TZ:.+-]{1,40}")


class Source(Protocol):
    """Where events come from. Errors: MediadError with `site` "syncthing". Every call ends, whoever is asked."""

    async def events(
        self, since: int, *, mask: Sequence[str], limit: int | None, timeout_s: float
    ) -> Sequence[Mapping[str, object]]:
        """
        What happened after the id `since`; waits up to `timeout_s` when that is nothing yet.

        `limit`: only the last so many. As it came: nothing within is checked but that it is a list.
        """
        ...

    async def started(self) -> str:
        """When this Syncthing was started, as it says; another answer means another life."""
        ...


class Reason(StrEnum):
    """Why to look, and so at what."""

    START = "start"  # the first look
    INDEX = "index"  # the phone has, or has not any more, some files
    LINK = "link"  # the phone came or went
    FOLDER = "folder"  # the folder was paused, resumed, or has errors
    CONFIG = "config"  # somebody changed Syncthing's configuration
    GAP = "gap"  # events are missing or could not be read
    RESTART = "restart"  # Syncthing was started anew: the ids begin again
    RETURNED = "returned"  # it answers again
    BROKEN = "broken"  # it does not answer
    SILENCE = "silence"  # nothing was heard for a while


class _Kind(NamedTuple):
    reason: Reason
    folder: str = ""  # under which names its data tells what it is about
    device: str = ""


# What is asked for. One constant set: each other one would be another subscription with other ids, which Syncthing
# keeps until it ends.
_KINDS: Final = {
    "RemoteIndexUpdated": _Kind(Reason.INDEX, "folder", "device"),
    "DeviceConnected": _Kind(Reason.LINK, device="id"),
    "DeviceDisconnected": _Kind(Reason.LINK, device="id"),
    "FolderErrors": _Kind(Reason.FOLDER, "folder"),
    "FolderPaused": _Kind(Reason.FOLDER, "id"),
    "FolderResumed": _Kind(Reason.FOLDER, "id"),
    "ConfigSaved": _Kind(Reason.CONFIG),
}
MASK: Final = tuple(_KINDS)


@dataclass(frozen=True, slots=True)
class News:
    reasons: frozenset[Reason]
    heard: Heard | None = None  # the last event that was about the phone
    fault: MediadError | None = None  # with BROKEN


@dataclass(frozen=True, slots=True)
class _Event:
    """What is kept of one event."""

    id: int
    type: str
    at: str
    about: tuple[str, str] | None  # folder and device, "" where it names none; None: cannot be told


class Stream:
    """
    `folder` and `device` are the ids that count; "": not known yet, so all count.

    `patience_s`: how long after the last news it may be silent. All three are asked afresh each time.
    """

    def __init__(
        self,
        source: Source,
        clock: Clock,
        *,
        folder: Callable[[], str],
        device: Callable[[], str],
        patience_s: Callable[[], float],
    ) -> None:
        self._source = source
        self._clock = clock
        self._folder = folder
        self._device = device
        self._patience_s = patience_s
        self._life: str | None = None  # the start of the Syncthing that the cursor belongs to
        self._cursor = 0
        self._is_cut = True  # the cursor must be proved, or made anew, before the next poll
        self._rough = 0  # polls in a row that did not end as they should
        self._failed = 0  # tries in a row to take up again
        self._told_at = clock.monotonic()

    async def news(self) -> AsyncGenerator[News, None]:
        """For ever. The first is START (or BROKEN): what was before has to be looked at anyhow."""
        while True:
            try:
                news = await self._next()
            except Bug:
                raise
            except MediadError as fault:
                self._is_cut = True
                self._failed += 1
                news = News(frozenset({Reason.BROKEN}), fault=fault)
            if news.reasons:
                self._told_at = self._clock.monotonic()
                yield news
            await self._pause(TOGETHER_S if news.reasons else 0.0)

    async def _pause(self, least_s: float) -> None:
        """Before the next poll: what happens meanwhile is told as one, and what goes wrong is not asked on and on."""
        wrong = max(self._rough, self._failed)
        wrong_s = min(2.0 ** min(wrong - 1, 30), LONGEST_PAUSE_S) if wrong else 0.0
        # After a quiet poll it is no time at all, but says to whoever watches that we get on.
        await self._clock.sleep(max(least_s, wrong_s))

    async def _next(self) -> News:
        if self._is_cut:
            return await self._taken_up()
        wait_s, began, was = self._wait_s(), self._clock.monotonic(), self._cursor
        try:
            answer = await self._source.events(was, mask=MASK, limit=None, timeout_s=wait_s)
        except Bug:
            raise
        except (
            MediadError
        ):  # a poll that is cut off is no outage as long as the next question is answered
            self._rough += 1
            return await self._taken_up()
        is_early = not answer and self._clock.monotonic() - began < wait_s / 2
        news = self._read(answer)
        if Reason.RESTART in news.reasons or await self._source.started() != self._life:
            self._rough += 1
            return await self._taken_up()
        is_stuck = bool(answer) and self._cursor == was
        self._rough = self._rough + 1 if is_early or is_stuck else 0
        if self._clock.monotonic() - self._told_at >= self._patience_s():
            return News(news.reasons | {Reason.SILENCE}, news.heard)
        return news

    def _wait_s(self) -> float:
        """Whole seconds: until it has been silent for too long."""
        left_s = self._told_at + self._patience_s() - self._clock.monotonic()
        return float(min(POLL_S, max(1, math.ceil(left_s))))

    async def _taken_up(self) -> News:
        """
        Listen again, from a cursor that is good for this life of Syncthing.

        An answer to both questions is needed: that it lives is not yet that it tells of events.
        """
        life = await self._source.started()
        if life == self._life:
            answer = await self._source.events(self._cursor, mask=MASK, limit=None, timeout_s=0.0)
            self._is_cut = False
            news = self._read(answer)
            reasons = news.reasons | {Reason.RETURNED}
        else:
            last = await self._source.events(0, mask=MASK, limit=1, timeout_s=0.0)
            self._is_cut = False
            self._cursor = max((e.id for e in map(_event, last) if e), default=0)
            reasons = frozenset({Reason.START if self._life is None else Reason.RESTART})
            self._life, news = life, News(reasons)
        self._failed = 0
        return News(reasons, news.heard)

    def _read(self, answer: Sequence[Mapping[str, object]]) -> News:
        """What these are reasons for; moves the cursor. Ids that go back are of another life, whatever it says."""
        reasons: set[Reason] = set()
        heard: Heard | None = None
        for event in map(_event, answer):
            if event is None:
                reasons.add(Reason.GAP)
                continue
            if event.id <= self._cursor:
                self._is_cut, self._life = True, ""
                return News(frozenset({Reason.RESTART}))
            if event.id > self._cursor + 1:
                reasons.add(Reason.GAP)
            self._cursor = event.id
            reason = self._reason(event)
            reasons |= {reason} if reason else set()
            if reason in {Reason.INDEX, Reason.LINK}:
                heard = Heard(event.id, event.type, event.at)
        return News(frozenset(reasons), heard)

    def _reason(self, event: _Event) -> Reason | None:
        """None: it is about somebody else's folder or device."""
        if event.about is None:
            return Reason.GAP
        for about, ours in zip(event.about, (self._folder(), self._device()), strict=True):
            if about and ours and about != ours:
                return None
        return _KINDS[event.type].reason


def _event(raw: object) -> _Event | None:
    """None: not even an id."""
    if not isinstance(raw, Mapping):
        return None
    number, kind, at = raw.get("id"), raw.get("type"), raw.get("time")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number <= LARGEST_ID:
        return None
    known = kind if isinstance(kind, str) and kind in _KINDS else ""
    return _Event(
        number,
        known,
        at if isinstance(at, str) and _TIME.fullmatch(at) else "",
        _about(_KINDS[known], raw.get("data")) if known else None,
    )


def _about(kind: _Kind, data: object) -> tuple[str, str] | None:
    said = data if isinstance(data, Mapping) else {}
    folder, device = (said.get(name) if name else "" for name in (kind.folder, kind.device))
    if isinstance(folder, str) and isinstance(device, str):
        return folder, device
    return None
