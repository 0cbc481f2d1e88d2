"""Guards that no event is ever believed, and that whatever may have been missed is a reason to look."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeAlias, cast

import anyio.lowlevel
import pytest
from structlog.testing import capture_logs

from mediad.errors import Bug, MediadError, Retryable
from mediad.syncthing_events import MASK, POLL_S, TOGETHER_S, News, Reason, Stream
from mediad.testing.clock import StoppedClock

OURS, PHONE = "pixel-photos", "AZW7H5L-PHONE"
INDEX = {"device": PHONE, "folder": OURS, "items": 1, "sequence": 1, "version": 1}
DOWN = Retryable("refused", code="syncthing.unreachable", site="syncthing")

Answer: TypeAlias = Sequence[object] | Exception


@dataclass
class Node:
    """A Source whose every long poll the test writes; one more than written waits its time in vain."""

    clock: StoppedClock
    script: list[Answer | Callable[[], Answer]] = field(default_factory=list)
    newest: int = 0  # what a first look finds
    missed: list[object] = field(default_factory=list)  # what a look without waiting finds
    life: str = "2026-11-21T02:59:46+01:00"
    down: MediadError | None = None
    polls: list[tuple[int, float]] = field(default_factory=list)
    asked: int = 0

    async def started(self) -> str:
        self.asked += 1
        await anyio.lowlevel.checkpoint()
        if self.down:
            raise self.down
        return self.life

    async def events(
        self, since: int, *, mask: Sequence[str], limit: int | None, timeout_s: float
    ) -> Sequence[Mapping[str, object]]:
        assert mask == MASK
        await anyio.lowlevel.checkpoint()
        if self.down:
            raise self.down
        if limit == 1:
            return [event(self.newest)] if self.newest else []
        if not timeout_s:
            missed, self.missed = self.missed, []
            return cast("Sequence[Mapping[str, object]]", missed)
        self.polls.append((since, timeout_s))
        if not self.script:
            self.clock.advance(timeout_s)
            return []
        answer = self.script.pop(0)
        if callable(answer):
            answer = answer()
        if isinstance(answer, Exception):
            raise answer
        return cast("Sequence[Mapping[str, object]]", answer)

    def begins_anew(self, answer: Answer = ()) -> Callable[[], Answer]:
        """A poll in which Syncthing is started again."""

        def play() -> Answer:
            self.life += "+"
            return answer

        return play


def event(
    number: object, kind: object = "RemoteIndexUpdated", data: object = None
) -> dict[str, Any]:
    at = "2026-11-21T02:59:46.983591506+01:00"
    return {"id": number, "globalID": number, "time": at, "type": kind, "data": data or INDEX}


@asynccontextmanager
async def listening(
    *script: Answer | Callable[[], Answer], sweep_s: float = 300.0, **more: Any
) -> AsyncIterator[tuple[Node, AsyncIterator[News]]]:
    clock = StoppedClock()
    node = Node(clock, list(script), **more)
    stream = Stream(
        node, clock, folder=lambda: OURS, device=lambda: PHONE, patience_s=lambda: sweep_s
    )
    with anyio.fail_after(5):
        async with aclosing(stream.news()) as news:
            yield node, news


async def told(news: AsyncIterator[News], number: int) -> list[set[str]]:
    """What the next so many news are reasons for."""
    return [{r.value for r in (await anext(news)).reasons} for _ in range(number)]


def test_the_mask_is_one_constant_in_names_that_every_syncthing_knows() -> None:
    assert MASK == (
        "RemoteIndexUpdated", "DeviceConnected", "DeviceDisconnected", "FolderErrors", "FolderPaused",
        "FolderResumed", "ConfigSaved",
    )  # fmt: skip


async def test_it_begins_with_the_newest_event_and_goes_on_from_there() -> None:
    async with listening([event(43), event(44)], newest=42) as (node, news):
        assert await told(news, 3) == [{"start"}, {"index"}, {"silence"}]
        assert [since for since, _ in node.polls[:2]] == [42, 44]


async def test_what_the_phone_announced_last_is_named_and_nothing_of_its_data_is() -> None:
    async with listening([event(1), event(2)]) as (_, news):
        await anext(news)
        heard = (await anext(news)).heard
        assert heard is not None
        assert (heard.id, heard.type) == (2, "RemoteIndexUpdated")
        assert heard.at == "2026-11-21T02:59:46.983591506+01:00"


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        ("RemoteIndexUpdated", INDEX, "index"),
        ("RemoteIndexUpdated", INDEX | {"folder": "music"}, ""),
        ("RemoteIndexUpdated", INDEX | {"device": "OTHER"}, ""),
        ("RemoteIndexUpdated", {}, "gap"),
        ("RemoteIndexUpdated", INDEX | {"folder": None}, "gap"),
        ("RemoteIndexUpdated", INDEX | {"device": ["x"]}, "gap"),
        ("RemoteIndexUpdated", "a text", "gap"),
        ("DeviceConnected", {"id": PHONE, "addr": "x"}, "link"),
        ("DeviceDisconnected", {"id": PHONE, "error": "x"}, "link"),
        ("DeviceConnected", {"id": "OTHER"}, ""),
        ("DeviceConnected", {"id": 3}, "gap"),
        ("FolderErrors", {"folder": OURS, "errors": None}, "folder"),
        ("FolderErrors", {"folder": "music"}, ""),
        ("FolderPaused", {"id": OURS, "label": ""}, "folder"),
        ("FolderResumed", {"id": OURS}, "folder"),
        ("FolderPaused", {"folder": OURS}, "gap"),
        ("ConfigSaved", {"gui": {"apiKey": "abc"}}, "config"),
        ("ConfigSaved", [], "config"),
        ("SomethingNew", {}, "gap"),
        (None, {}, "gap"),
        (7, {}, "gap"),
    ],
)
async def test_only_what_is_about_our_folder_and_our_phone_is_a_reason(
    kind: object, data: object, reason: str
) -> None:
    one = event(1, kind) | {"data": data}
    async with listening([one], [event(2)]) as (node, news):
        await anext(news)
        [first] = await told(news, 1)
        assert first == ({reason} if reason else {"index"})  # the next one, after nothing
        assert [since for since, _ in node.polls][:2] == ([0] if reason else [0, 1])


async def test_while_the_ids_are_not_known_every_folder_and_device_counts() -> None:
    clock = StoppedClock()
    node = Node(clock, [[event(1, data=INDEX | {"folder": "music", "device": "OTHER"})]])
    stream = Stream(node, clock, folder=lambda: "", device=lambda: "", patience_s=lambda: 300.0)
    async with aclosing(stream.news()) as news:
        assert await told(news, 2) == [{"start"}, {"index"}]


async def test_the_key_in_a_saved_configuration_goes_nowhere() -> None:
    saved = event(1, "ConfigSaved", {"gui": {"apiKey": "s3cret", "password": "$2a$"}})
    with capture_logs() as said:
        async with listening([saved | {"time": "s3cret"}, event(2)]) as (_, news):
            await anext(news)
            heard = await anext(news)
    assert heard.reasons == {Reason.CONFIG, Reason.INDEX}
    assert "s3cret" not in repr((heard, said))


@pytest.mark.parametrize(
    "odd",
    [
        None, 7, "event", [], {}, event(None), event("2"), event(0) | {"id": True}, event(0), event(-5), event(1 << 63),
        event(2.5),
    ],
)  # fmt: skip
async def test_what_is_no_event_is_a_reason_to_look_and_the_others_count(odd: object) -> None:
    async with listening([odd, event(1)], [event(2)]) as (_, news):
        assert await told(news, 3) == [{"start"}, {"gap", "index"}, {"index"}]


@pytest.mark.parametrize("at", [None, 5, "x" * 2000, "now\nor never", "<b>"])
async def test_an_odd_time_is_left_out(at: object) -> None:
    async with listening([event(1) | {"time": at}]) as (_, news):
        await anext(news)
        heard = (await anext(news)).heard
        assert heard is not None
        assert heard.at == ""


@pytest.mark.parametrize("ids", [(2,), (1, 3), (502, 503), (1, 2, 900)])
async def test_a_gap_in_the_ids_is_a_reason_to_look(ids: tuple[int, ...]) -> None:
    others = INDEX | {"folder": "music"}
    async with listening([event(n, data=others) for n in ids]) as (node, news):
        assert await told(news, 3) == [{"start"}, {"gap"}, {"silence"}]
        assert node.polls[1][0] == ids[-1]


async def test_ids_in_a_row_are_no_gap() -> None:
    others = INDEX | {"folder": "music"}
    async with listening([event(n, data=others) for n in (8, 9, 10)], newest=7) as (_, news):
        assert await told(news, 2) == [{"start"}, {"silence"}]


@pytest.mark.parametrize("ids", [(7,), (3,), (8, 8), (9, 8)])
async def test_ids_that_go_back_are_of_another_life(ids: tuple[int, ...]) -> None:
    async with listening([event(n) for n in ids], newest=7) as (node, news):
        await anext(news)
        node.newest = 3
        assert await told(news, 2) == [{"restart"}, {"silence"}]
        assert node.polls[1][0] == 3


async def test_a_stale_cursor_that_would_wait_for_ever_is_noticed_with_the_first_empty_poll() -> (
    None
):
    async with listening(newest=7) as (node, news):
        await anext(news)
        node.script = [node.begins_anew()]
        node.newest = 2
        assert await told(news, 2) == [{"restart"}, {"silence"}]
        assert [since for since, _ in node.polls[:2]] == [7, 2]


async def test_a_stale_cursor_that_skips_without_a_gap_is_noticed_too() -> None:
    async with listening(newest=7) as (node, news):
        await anext(news)
        node.script = [node.begins_anew([event(8), event(9)])]
        node.newest = 9
        assert await told(news, 2) == [{"restart"}, {"silence"}]


async def test_a_poll_that_is_cut_off_is_no_outage_when_the_next_question_is_answered() -> None:
    async with listening(DOWN, [event(3)]) as (node, news):
        await anext(news)
        node.missed = [event(1), event(2)]
        returned = await anext(news)
        assert returned.reasons == {Reason.RETURNED, Reason.INDEX}
        assert returned.heard is not None
        assert returned.heard.id == 2
        assert await told(news, 1) == [{"index"}]


async def test_polls_that_are_always_cut_off_are_made_ever_more_rarely_and_each_is_a_look() -> None:
    async with listening(*[DOWN] * 20) as (node, news):
        assert await told(news, 21) == [{"start"}] + [{"returned"}] * 20
        assert node.clock.slept[1:8] == [1, 2, 4, 8, 16, 32, 60]
        assert max(node.clock.slept) == 60


async def test_an_outage_is_told_with_its_fault_and_asked_about_from_one_to_sixty_seconds() -> None:
    async with listening() as (node, news):
        await anext(news)
        node.down = DOWN
        broken = [await anext(news) for _ in range(9)]
        assert {n.reasons for n in broken} == {frozenset({Reason.BROKEN})}
        assert {n.fault for n in broken} == {DOWN}
        assert node.clock.slept[1:9] == [1, 2, 4, 8, 16, 32, 60, 60]
        node.down = None
        assert await told(news, 1) == [{"returned"}]
        before = node.clock.now()
        node.script = [[event(1)]]
        assert await told(news, 1) == [{"index"}]
        assert node.clock.now() - before <= 1000, "a long outage makes nobody wait once it is over"


async def test_a_syncthing_that_comes_back_from_a_restart_is_listened_to_from_its_newest() -> None:
    async with listening(newest=70) as (node, news):
        await anext(news)
        node.down = DOWN
        await anext(news)
        node.down, node.newest, node.life = None, 3, "later"
        assert await told(news, 1) == [{"restart"}]
        node.script = [[event(4)]]
        assert await told(news, 1) == [{"index"}]
        assert node.polls[-1][0] == 3


async def test_it_may_be_down_from_the_first() -> None:
    async with listening(down=DOWN) as (node, news):
        assert await told(news, 2) == [{"broken"}] * 2
        node.down = None
        assert await told(news, 1) == [{"start"}]


async def test_a_fault_of_our_own_is_not_swallowed() -> None:
    for script in ([Bug("ours", code="bug")], []):
        async with listening(*script) as (node, news):
            await anext(news)
            node.down = None if script else Bug("ours", code="bug")
            with pytest.raises(Bug):
                await anext(news)


async def test_silence_is_told_in_time_and_a_poll_is_never_longer_than_it_may_be_silent() -> None:
    async with listening(sweep_s=150.0) as (node, news):
        await anext(news)
        before = node.clock.monotonic()
        assert await told(news, 2) == [{"silence"}] * 2
        assert node.clock.monotonic() - before == pytest.approx(300, abs=3)
        assert {wait_s for _, wait_s in node.polls} <= {POLL_S, 30.0}
    async with listening(sweep_s=1.0) as (node, news):
        assert await told(news, 3) == [{"start"}, {"silence"}, {"silence"}]
        assert {wait_s for _, wait_s in node.polls} == {1.0}


async def test_three_silent_days_cost_two_questions_a_minute() -> None:
    async with listening() as (node, news):
        await anext(news)
        end = node.clock.monotonic() + 3 * 86400
        while node.clock.monotonic() < end:
            await anext(news)
        assert len(node.polls) + node.asked < 3 * 1440 * 2.1


async def test_polls_that_end_before_their_time_with_nothing_do_not_spin() -> None:
    async with listening(*[[]] * 30, [event(1)]) as (node, news):
        assert await told(news, 2) == [{"start"}, {"silence"}]
        assert node.clock.slept[1:8] == [1, 2, 4, 8, 16, 32, 60]


async def test_answers_that_never_move_the_cursor_do_not_spin() -> None:
    async with listening(*[[None]] * 30) as (node, news):
        assert await told(news, 9) == [{"start"}] + [{"gap"}] * 8
        assert node.clock.slept[1:8] == [1, 2, 4, 8, 16, 32, 60]


async def test_a_syncthing_that_tells_of_another_start_each_time_does_not_spin() -> None:
    async with listening() as (node, news):
        await anext(news)
        node.script = [node.begins_anew([event(1)])] * 30
        assert await told(news, 8) == [{"restart"}] * 8
        assert node.clock.slept[1:8] == [1, 2, 4, 8, 16, 32, 60]


async def test_what_comes_fast_is_told_a_few_times_a_second() -> None:
    async with listening(*[[event(n)] for n in range(1, 41)]) as (node, news):
        await anext(news)
        at = []
        for _ in range(40):
            await anext(news)
            at.append(node.clock.monotonic())
        assert min(b - a for a, b in pairwise(at)) >= TOGETHER_S - 0.001
