"""Guards that what keeps files from the phone is told once, that all goes on by itself, and that news are kept."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import anyio.lowlevel
import pytest

from mediad.config import Settings
from mediad.daemon.liveness import LIMIT_S, Liveness
from mediad.errors import Bug, MediadError, NeedsOperator, Retryable
from mediad.journal import Arrival, Park, Placed, Step
from mediad.model import (
    Asset,
    AssetId,
    BatchId,
    Evidence,
    Placement,
    Rung,
    Site,
    SiteKey,
)
from mediad.policy.phone import seen_of
from mediad.ports import Heard, Indexed, PhoneLink, Ports, SetUp
from mediad.stages.verdict import Wait
from mediad.state import Lane, State
from mediad.syncthing_events import MASK
from mediad.testing.clock import StoppedClock
from mediad.testing.files import MemoryFiles
from mediad.testing.phone import MemoryPhone
from mediad.testing.shared import PIXEL
from mediad.watchers import phone_sweep
from mediad.watchers.phone import (
    LONGEST_S,
    SET_UP_S,
    STUBBORN_S,
    WORRIED_S,
    Changes,
    PhoneWatch,
    is_mass,
)
from tests.engine.world import SOON_S, Play, World, world
from tests.journal.world import lawful

S = State
LONG_MS = 40 * 86_400_000
DAY_S = 86_400.0
DOWN = Retryable("refused", code="syncthing.unreachable", remedy="start it", site="syncthing")


@dataclass
class CountedPhone(MemoryPhone):
    """
    The phone in memory, and how often it was asked what.

    `breaks`: a call that fails, whatever else works. `slow_s`: how long each takes; `seen` is called after that.
    """

    slow_s: float = 0.0
    seen: Callable[[], object] = tuple
    calls: Counter[str] = field(default_factory=Counter)
    breaks: dict[str, MediadError] = field(default_factory=dict)

    def _count(self, call: str) -> None:
        self.calls[call] += 1
        cast("StoppedClock", self.clock).advance(self.slow_s)
        self.seen()
        if call in self.breaks:
            raise self.breaks[call]

    async def link(self) -> PhoneLink:
        self._count("link")
        return await super().link()

    async def needed(self) -> frozenset[SiteKey]:
        self._count("needed")
        return await super().needed()

    async def ahead(self) -> frozenset[SiteKey]:
        self._count("ahead")
        return await super().ahead()

    async def indexed(self, keys: Sequence[SiteKey]) -> Sequence[Indexed | MediadError | None]:
        self._count("indexed")
        return await super().indexed(keys)

    async def set_up(self) -> SetUp:
        self._count("set_up")
        return await super().set_up()


class Events:
    """
    A Source that tells of what the test makes happen.

    While nothing does, a poll waits; or, where time flows, it ends in vain and its time is taken from the clock.
    """

    def __init__(self, clock: StoppedClock, phone: CountedPhone) -> None:
        self.clock = clock
        self.phone = phone
        self.life = "2026"
        self.polls = 0
        self.last = 0
        self.is_idle = False  # whatever happened before was told, and looked at
        self._untold: list[Mapping[str, object]] = []
        self._flows = False
        self._moved = anyio.Event()

    async def started(self) -> str:
        await anyio.lowlevel.checkpoint()
        if self.phone.faults:
            raise self.phone.faults
        return self.life

    async def events(
        self, since: int, *, mask: Sequence[str], limit: int | None, timeout_s: float
    ) -> Sequence[Mapping[str, object]]:
        assert mask == MASK
        await anyio.lowlevel.checkpoint()
        if timeout_s:
            self.polls += 1
            await self._something()
        if self.phone.faults:
            raise self.phone.faults
        found, self._untold = self._untold, []
        if not found:
            self.clock.advance(timeout_s)
        return [e for e in found if limit is None and e["id"] != since]

    async def _something(self) -> None:
        self.is_idle = not (self._untold or self._flows or self.phone.faults)
        while self.is_idle:
            await self._moved.wait()

    def stir(self, *, flows: bool = False) -> None:
        """Let a poll end that waits."""
        self._flows = flows
        self.is_idle = False
        self._moved.set()
        self._moved = anyio.Event()

    def happens(self, kind: str, **data: object) -> None:
        self.last += 1
        self._untold.append({"id": self.last, "type": kind, "time": "now", "data": data})
        self.stir()

    def announces(self) -> None:
        self.happens("RemoteIndexUpdated", folder="pixel-photos", device=PIXEL)


class Way:
    """The real journal and engine, a phone and its events, and the watch over them."""

    def __init__(self, w: World, settings: dict[str, Any]) -> None:
        self.w = w
        self.clock = w.clock
        self.problems = w.problems
        self.files = MemoryFiles(w.clock)
        self.phone = CountedPhone(self.files, w.clock)
        self.phone.folder = replace(self.phone.folder, path="/nowhere/pixel_sync")
        self.events = Events(w.clock, self.phone)
        self.heard: list[Heard] = []
        self.configure(**settings)
        self.liveness = Liveness(w.clock, lambda _: ())
        heart = self.liveness.heart("watch of the phone")
        self.watch = PhoneWatch(
            w.engine, w.problems, w.journal, lambda: replace(self.ports(), clock=heart),
            source=lambda: self.events, hear=self.heard.append,
        )  # fmt: skip

    def configure(self, **settings: Any) -> None:
        way = {"url": "http://127.0.0.1:8384"} | settings.pop("syncthing", {})
        self.settings = Settings.model_validate({"root": "/nowhere", "syncthing": way} | settings)

    def ports(self) -> Ports:
        return replace(self.w.ports(), files=self.files, phone=self.phone, settings=self.settings)

    async def place(self, number: int, *, fetched: bool = True) -> list[AssetId]:
        """So many assets placed and listed; their lanes wait for the phone, for long."""
        self.phone.fetches = fetched
        names = [SiteKey(f"{n}.jpg") for n in range(number)]
        found = await self.w.journal.arrive([Arrival(n, n, 100, 5) for n in names])
        ids = [a for a in found if a is not None]
        assert len(ids) == number
        await self._step(ids, S.SEEN, S.SETTLED, lambda _: Evidence("stat", 1))
        await self._step(ids, S.SETTLED, S.HASHED, lambda _: Evidence("rename", 1))
        whole = {x.asset.id: x.asset for x in await self.w.journal.listed(ids)}
        placed = {a: self._placement(whole[a], n) for n, a in enumerate(ids)}
        await self.phone.scan([p.key for p in placed.values()])
        await self._step(
            ids, S.PHONE_DUE, S.BATCHED, lambda a: Evidence("batch", 1, placements=(placed[a],))
        )
        listed = await MemoryPhone.indexed(self.phone, [placed[a].key for a in ids])
        versions = {
            a: i.here.version
            for a, i in zip(ids, listed, strict=True)
            if isinstance(i, Indexed) and i.here
        }
        await self._step(
            ids, S.BATCHED, S.PLACED,
            lambda a: Evidence("index", 1, placements=(replace(placed[a], version=versions[a]),)),
        )  # fmt: skip
        await self.wait(ids)
        return ids

    def _placement(self, asset: Asset, n: int) -> Placement:
        key = SiteKey(f"IMG_{n}.jpg")
        place = self.files.drop(Site.PHONE, key, b"picture %d" % n)
        file = self.files.files[place]
        return Placement(
            asset.originals[0].id, BatchId(1 + n // 500), key, file.digest, len(file.content), file.mtime_ns
        )  # fmt: skip

    async def _step(
        self, ids: Sequence[AssetId], at: State, then: State, seen: Callable[[AssetId], Evidence]
    ) -> None:
        steps = [Step(a, lawful(at, then), seen(a)) for a in ids]
        assert not [x for x in await self.w.journal.record(steps) if isinstance(x, MediadError)]

    async def verify(self, ids: Sequence[AssetId]) -> None:
        """The phone has them, and their release waits."""
        await self._step(ids, S.PLACED, S.ON_PHONE, lambda _: Evidence("availability", 2))
        await self.wait(ids)

    async def wait(self, ids: Sequence[AssetId], code: str = "") -> None:
        due = self.clock.now() + LONG_MS
        await self.w.journal.park([Park(a, Lane.PHONE, "waiting", due, "waits", code) for a in ids])

    async def due(self, state: State = S.PLACED) -> set[AssetId]:
        work = await self.w.journal.work([state], self.clock.now(), 10_000)
        return {item.asset.id for item in work}

    async def placed(self, number: int = 1) -> list[Placed]:
        keys = [SiteKey(f"IMG_{n}.jpg") for n in range(number)]
        return list((await self.w.journal.placed_under(keys)).values())

    def told(self) -> list[tuple[str, str]]:
        return sorted((p.subject, p.code) for p in self.problems.now())

    def said(self, *names: str) -> list[str]:
        return [str(e["event"]) for e in self.w.said if e["event"] in names]

    async def settled(self) -> None:
        """Until what has happened was told and looked at."""
        with anyio.fail_after(SOON_S):
            while not self.events.is_idle:
                await anyio.lowlevel.checkpoint()

    async def until(self, holds: Callable[[], bool]) -> None:
        """However long that takes by the clock."""
        await self._flow(holds, SOON_S)

    async def for_seconds(self, seconds: float) -> None:
        end = self.clock.monotonic() + seconds
        await self._flow(lambda: self.clock.monotonic() >= end, 60)

    async def _flow(self, holds: Callable[[], bool], patience_s: float) -> None:
        self.events.stir(flows=True)
        with anyio.fail_after(patience_s):
            while not holds():
                await anyio.lowlevel.checkpoint()
        self.events.stir()
        if not self.phone.faults:
            await self.settled()


@asynccontextmanager
async def way(
    folder: Path, *, running: bool = True, verify: Play | None = None, **settings: Any
) -> AsyncIterator[Way]:
    """`running`: the watch is at work; otherwise the test asks it itself. `verify`: the engine is at work with it."""
    needs = frozenset({"syncthing", "pixel"})
    idle = Play("verify", S.PLACED, S.ON_PHONE, needs=needs)
    async with world(folder, verify or idle, is_working=verify is not None) as w:
        it = Way(w, settings)
        async with anyio.create_task_group() as tasks:
            if running:
                tasks.start_soon(it.watch.run)
            yield it
            tasks.cancel_scope.cancel()


# -- does it get on ----------------------------------------------------------------------------------


async def test_a_quiet_phone_and_a_syncthing_that_is_away_are_no_stalled_loop(
    tmp_path: Path,
) -> None:
    async with way(tmp_path) as it:
        await it.settled()
        late: list[str] = []

        def is_over() -> bool:
            late.extend(it.liveness.late())
            return it.clock.monotonic() >= end

        for it.phone.faults in (None, DOWN):
            end = it.clock.monotonic() + SET_UP_S + 100
            await it.until(is_over)
        assert late == []


async def test_a_watch_whose_question_never_ends_is_named(tmp_path: Path) -> None:
    async with way(tmp_path) as it:
        await it.settled()  # a poll waits now, and this Syncthing will keep it for ever
        it.clock.advance(LIMIT_S - 1)
        assert it.liveness.late() == []
        it.clock.advance(2)
        assert it.liveness.late() == ["watch of the phone"]
        it.events.announces()
        await it.settled()
        assert it.liveness.late() == []


async def test_nobody_expects_the_watch_while_there_is_no_phone(tmp_path: Path) -> None:
    async with way(tmp_path) as it:
        await it.settled()
        it.configure(syncthing={"url": ""})
        it.watch.wake()
        await anyio.wait_all_tasks_blocked()
        it.clock.advance(DAY_S)
        assert it.liveness.late() == []
        it.configure()
        it.events.is_idle = False
        it.watch.wake()
        await it.settled()
        it.clock.advance(LIMIT_S + 1)
        assert it.liveness.late() == ["watch of the phone"]


async def test_a_long_sweep_tells_between_its_pages_that_it_gets_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone_sweep, "PAGE", 2)
    async with way(tmp_path, running=False) as it:
        await it.place(20)
        it.phone.fetch()
        it.phone.free_all()
        late: list[str] = []
        it.phone.slow_s, it.phone.seen = LIMIT_S / 4, lambda: late.extend(it.liveness.late())
        began = it.clock.monotonic()
        await it.watch.ask()
        assert it.phone.calls["indexed"] == 10
        assert it.clock.monotonic() - began > 3 * LIMIT_S
        assert late == []


# -- the set-up -------------------------------------------------------------------------------------


async def test_when_all_is_well_nothing_is_told_and_what_waits_is_looked_at(tmp_path: Path) -> None:
    async with way(tmp_path, running=False) as it:
        ids = await it.place(3)
        assert await it.due() == set()
        await it.watch.ask()
        assert it.told() == []
        assert await it.due() == set(ids)
        assert it.w.engine.may_work("verify")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"type": "sendreceive"}, "syncthing.folder_type"),
        ({"is_paused": True}, "syncthing.folder_paused"),
        ({"devices": ()}, "syncthing.not_shared"),
        ({"encrypted_for": (PIXEL,)}, "syncthing.encrypted"),
        ({"path": "/elsewhere"}, "syncthing.folder_missing"),
    ],
)
async def test_an_unsafe_set_up_stops_and_once_it_is_mended_all_goes_on(
    tmp_path: Path, fault: dict[str, Any], code: str
) -> None:
    async with way(tmp_path) as it:
        await it.settled()
        right, it.phone.folder = it.phone.folder, replace(it.phone.folder, **fault)
        it.events.happens("ConfigSaved", gui={"apiKey": "s3cret"})
        await it.until(lambda: ("syncthing", code) in it.told())
        [problem] = [p for p in it.problems.now() if p.code == code]
        assert problem.remedy
        assert not it.w.engine.may_work("verify")
        it.phone.folder = right
        ids = await it.place(2)
        it.phone.folder = replace(right, **fault)
        it.events.announces()
        await it.settled()
        assert await it.due() == set(), "nothing is confirmed under a set-up that is unsafe"
        it.phone.folder = right
        before = it.clock.monotonic()
        await it.until(lambda: it.told() == [])
        assert it.clock.monotonic() - before <= 2 * WORRIED_S
        await it.settled()
        assert await it.due() == set(ids)
        assert it.w.engine.may_work("verify")
        assert it.said("link.down", "link.up") == ["link.down", "link.up"]
        assert "s3cret" not in repr((it.w.said, it.problems.now()))


async def test_every_fault_of_the_set_up_is_told_and_each_goes_when_it_is_mended(
    tmp_path: Path,
) -> None:
    async with way(tmp_path, running=False) as it:
        it.phone.folder = replace(it.phone.folder, type="sendreceive", ignores=("*.mov",))
        it.phone.is_device_paused = True
        await it.watch.ask()
        assert it.told() == [
            ("syncthing", "syncthing.device_paused"), ("syncthing", "syncthing.folder_type"),
            ("syncthing", "syncthing.ignores"),
        ]  # fmt: skip
        it.phone.folder = replace(it.phone.folder, type="sendonly", ignores=())
        await it.watch.ask()
        assert it.told() == [("syncthing", "syncthing.device_paused")]
        it.phone.is_device_paused = False
        await it.watch.ask()
        assert it.told() == []


async def test_a_warning_is_told_and_nothing_waits_for_it(tmp_path: Path) -> None:
    async with way(tmp_path, running=False) as it:
        it.phone.folder = replace(it.phone.folder, watch_error="too many watches")
        ids = await it.place(1)
        for _ in range(3):
            await it.watch.ask()
        assert it.told() == [("syncthing setup", "syncthing.watch_error")]
        assert await it.due() == set(ids)
        assert it.w.engine.may_work("verify")
        assert it.said("phone.warned") == ["phone.warned"]
        it.phone.folder = replace(it.phone.folder, watch_error="")
        await it.watch.ask()
        assert it.told() == []


async def test_a_warning_that_is_put_right_is_over_in_a_minute(tmp_path: Path) -> None:
    async with way(tmp_path) as it:
        it.phone.folder = replace(it.phone.folder, unheard_of=(it.phone.device,))
        await it.for_seconds(SET_UP_S + 1)
        assert it.told() == [("syncthing setup", "syncthing.not_accepted")]
        it.phone.folder = replace(it.phone.folder, unheard_of=())
        await it.for_seconds(STUBBORN_S + 1)
        assert it.told() == []


async def test_the_set_up_is_looked_at_every_hour_though_nobody_tells_of_a_change(
    tmp_path: Path,
) -> None:
    async with way(tmp_path) as it:
        await it.for_seconds(10 * SET_UP_S)
        assert 10 <= it.phone.calls["set_up"] <= 12


# -- Syncthing away ---------------------------------------------------------------------------------


async def test_a_syncthing_that_is_away_for_days_is_one_problem_and_two_lines(
    tmp_path: Path,
) -> None:
    async with way(tmp_path) as it:
        ids = await it.place(2)
        await it.settled()
        await it.wait(ids)
        it.phone.faults = DOWN
        await it.until(lambda: it.told() == [("syncthing", "syncthing.unreachable")])
        since, asked = it.problems.now()[0].since, len(it.clock.slept)
        groups = it.w.journal.groups
        await it.for_seconds(3 * DAY_S)
        assert it.told() == [("syncthing", "syncthing.unreachable")]
        assert it.problems.now()[0].since == since
        assert len(it.clock.slept) - asked < 3 * 1440 + 20
        assert it.w.journal.groups == groups
        assert it.said("link.down", "link.up") == ["link.down"]
        it.phone.faults = None
        before = it.clock.monotonic()
        await it.until(lambda: it.told() == [])
        assert it.clock.monotonic() - before <= LONGEST_S
        assert await it.due() == set(ids)
        assert it.said("link.down", "link.up") == ["link.down", "link.up"]


async def test_one_question_that_fails_again_and_again_makes_no_noise(tmp_path: Path) -> None:
    async with way(tmp_path) as it:
        it.phone.breaks["ahead"] = DOWN
        await it.for_seconds(DAY_S)
        assert it.said("link.down", "link.up") == ["link.down"]
        assert it.phone.calls["ahead"] < 1440 + 20
        it.phone.breaks.clear()
        ids = await it.place(1)
        await it.until(lambda: it.told() == [])
        assert await it.due() == set(ids), "what the failed looks were for is still looked at"


async def test_another_fault_takes_the_place_of_the_first(tmp_path: Path) -> None:
    async with way(tmp_path, running=False) as it:
        for code in ("syncthing.unreachable", "syncthing.bad_key"):
            it.phone.faults = NeedsOperator("no", code=code, site="syncthing")
            await it.watch.ask()
        assert it.told() == [("syncthing", "syncthing.bad_key")]


async def test_a_syncthing_that_is_away_from_the_first_is_told_before_anything_is_placed(
    tmp_path: Path,
) -> None:
    async with way(tmp_path, running=False) as it:
        it.phone.faults = DOWN
        await it.watch.ask()
        assert not it.w.engine.may_work("verify")


async def test_what_a_stage_met_and_nobody_sees_is_believed_to_be_over_now_and_then(
    tmp_path: Path,
) -> None:
    async with way(tmp_path) as it:
        await it.settled()
        over_at = []
        for _ in range(3):
            it.w.engine.link_is_down("syncthing", NeedsOperator("x", code="syncthing.odd"))
            await it.until(lambda: it.told() == [])
            over_at.append(it.clock.monotonic())
        assert over_at[1] - over_at[0] >= STUBBORN_S
        assert over_at[2] - over_at[1] <= STUBBORN_S + 2 * LONGEST_S


async def test_a_journal_that_does_not_answer_is_told_and_the_look_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with way(tmp_path) as it:
        ids = await it.place(1)
        fault = Retryable("no", code="journal.io", site="journal")

        async def broken(*_: object) -> list[Placed]:
            raise fault

        with monkeypatch.context() as patch:
            patch.setattr(it.w.journal, "awaited", broken)
            it.events.announces()
            await it.until(lambda: ("journal", "journal.io") in it.told())
            assert it.told() == [("journal", "journal.io")]
        await it.for_seconds(5)
        assert await it.due() == set(ids)


async def test_a_fault_of_our_own_ends_the_watch(tmp_path: Path) -> None:
    async with way(tmp_path, running=False) as it:
        it.phone.breaks["ahead"] = Bug("ours", code="bug")
        with pytest.raises(Bug):
            await it.watch.ask()
        with pytest.raises(ExceptionGroup) as raised:
            await it.watch.run()
        assert raised.group_contains(Bug)


# -- the phone away ---------------------------------------------------------------------------------


async def test_a_phone_that_is_away_for_days_is_one_problem_and_costs_next_to_nothing(
    tmp_path: Path,
) -> None:
    async with way(tmp_path) as it:
        ids = await it.place(7, fetched=False)
        it.phone.go_offline()
        it.events.happens("DeviceDisconnected", id=PIXEL, error="gone")
        await it.until(lambda: it.told() == [("pixel", "pixel.offline")])
        await it.settled()
        since, groups = it.problems.now()[0].since, it.w.journal.groups
        polls, last = it.events.polls, await it.w.journal.latest_event()
        await it.wait(ids)
        await it.for_seconds(3 * DAY_S)
        [problem] = it.problems.now()
        assert (problem.code, problem.since) == ("pixel.offline", since)
        assert "nothing is lost" in problem.message
        assert "nothing is lost" in problem.message
        assert it.events.polls - polls <= 3 * 1440 * 1.2
        assert await it.w.journal.latest_event() == last
        assert it.w.journal.groups == groups + 1, "only our own wait was written"
        assert it.phone.calls["needed"] == 0
        assert it.said("link.down", "link.up") == ["link.down"]
        it.phone.come_online()
        it.phone.fetch()
        it.events.happens("DeviceConnected", id=PIXEL)
        await it.until(lambda: it.told() == [])
        await it.settled()
        assert await it.due() == set(ids)
        assert it.said("link.down", "link.up") == ["link.down", "link.up"]


async def test_a_phone_whose_coming_back_nobody_told_of_is_seen_with_the_next_sweep(
    tmp_path: Path,
) -> None:
    async with way(tmp_path, syncthing={"sweep_seconds": 90}) as it:
        it.phone.go_offline()
        await it.until(lambda: it.told() == [("pixel", "pixel.offline")])
        it.phone.come_online()
        before = it.clock.monotonic()
        await it.until(lambda: it.told() == [])
        assert it.clock.monotonic() - before <= 91


# -- whose turn it is -------------------------------------------------------------------------------


async def test_few_that_wait_are_looked_at_without_asking_what_is_needed(tmp_path: Path) -> None:
    async with way(tmp_path, running=False) as it:
        ids = await it.place(100, fetched=False)
        await it.watch.ask()
        assert it.phone.calls["needed"] == 0
        assert await it.due() == set(ids)


async def test_of_many_only_those_are_looked_at_that_the_phone_need_not_fetch(
    tmp_path: Path,
) -> None:
    async with way(tmp_path, running=False) as it:
        ids = await it.place(101, fetched=False)
        it.phone.fetch("IMG_3.jpg", "IMG_77.jpg")
        await it.watch.ask()
        assert it.phone.calls["needed"] == 1
        assert await it.due() == {ids[3], ids[77]}


async def test_an_announcement_is_a_reason_to_look_and_the_adapter_hears_of_it(
    tmp_path: Path,
) -> None:
    async with way(tmp_path) as it:
        await it.settled()
        ids = await it.place(2)
        it.events.happens("RemoteIndexUpdated", folder="music", device=PIXEL)
        await it.settled()
        assert await it.due() == set()
        it.events.announces()
        await it.settled()
        assert await it.due() == set(ids)
        assert [(h.id, h.type) for h in it.heard] == [(2, "RemoteIndexUpdated")]


@pytest.mark.parametrize("how", ["gap", "restart"])
async def test_what_may_have_been_missed_is_a_reason_to_look(tmp_path: Path, how: str) -> None:
    async with way(tmp_path) as it:
        await it.settled()
        ids = await it.place(2)
        if how == "gap":
            it.events.last = 40
            it.events.happens("FolderErrors", folder="music")
        else:
            it.events.life, it.events.last = "2027", 0
            it.events.stir()
        await it.settled()
        assert await it.due() == set(ids)


async def test_after_a_silence_everything_is_looked_at_whatever_syncthing_says_is_needed(
    tmp_path: Path,
) -> None:
    async with way(tmp_path, syncthing={"sweep_seconds": 120}) as it:
        await it.settled()
        ids = await it.place(101, fetched=False)
        await it.for_seconds(50)
        assert await it.due() == set()
        await it.for_seconds(70)
        assert await it.due() == set(ids)
        assert it.phone.calls["needed"] == 0


async def test_ten_pages_that_wait_cost_a_handful_of_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone_sweep, "PAGE", 120)
    async with way(tmp_path, running=False) as it:
        ids = await it.place(1200, fetched=False)
        it.phone.fetch("IMG_1199.jpg")
        groups, asked = it.w.journal.groups, Counter(it.phone.calls)
        await it.watch.ask()
        assert await it.due() == {ids[1199]}
        assert it.phone.calls - asked == {"set_up": 1, "link": 1, "ahead": 1, "needed": 1}
        assert it.w.journal.groups - groups == 1
        it.phone.fetch()
        await it.watch.ask()
        assert await it.due() == set(ids)
        assert it.w.journal.groups - groups <= 11


async def test_events_that_come_fast_do_not_keep_it_looking_all_the_time(tmp_path: Path) -> None:
    async with way(tmp_path) as it:
        await it.settled()
        began, asked = it.clock.monotonic(), it.phone.calls["ahead"]
        for _ in range(40):
            it.events.announces()
            await it.settled()
        looks = it.phone.calls["ahead"] - asked
        assert 10 <= looks <= 41
        assert (it.clock.monotonic() - began) / looks >= 0.25


async def test_what_is_announced_while_a_lot_is_being_looked_at_is_looked_at_again_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lot's answer may be the older one, and nobody would look again for minutes."""
    verify, go_on = Play("verify", S.PLACED, S.ON_PHONE), anyio.Event()
    verify.rule = lambda _, __: Wait(it.clock.now() + LONG_MS, "not there yet")

    async def is_slow(_: Sequence[Asset]) -> None:
        await go_on.wait()

    async with way(tmp_path, verify=verify) as it:
        await it.settled()
        await it.place(1)
        verify.lot = is_slow
        await it.w.journal.rouse(None, [S.PLACED])
        it.w.engine.wake()
        await it.until(lambda: it.w.engine.running("verify") == 1)
        looks = len(verify.looks)
        it.events.announces()
        await it.settled()
        roused: list[float] = []
        rouse = it.w.journal.rouse

        async def noted(*words: Any) -> int:
            at = it.clock.monotonic()
            count = await rouse(*words)
            roused.extend([at] if count else [])
            return count

        monkeypatch.setattr(it.w.journal, "rouse", noted)
        go_on.set()
        while it.w.engine.running(
            "verify"
        ):  # its end takes real time, of which the clock knows nothing
            await anyio.lowlevel.checkpoint()
        before = it.clock.monotonic()
        await it.until(lambda: len(verify.looks) > looks)
        assert roused[0] - before <= 5


# -- what the phone did -----------------------------------------------------------------------------


async def test_a_thousand_files_freed_are_journalled_once_and_their_release_is_due(
    tmp_path: Path,
) -> None:
    async with way(tmp_path, running=False) as it:
        ids = await it.place(1000)
        await it.verify(ids)
        last = await it.w.journal.latest_event()
        it.phone.free_all()
        for _ in range(3):
            await it.watch.ask()
        assert await it.w.journal.latest_event() == last + 1000
        assert {p.rungs >= {Rung.PHONE_HAS, Rung.PHONE_FREED} for p in await it.placed(1000)} == {
            True
        }
        assert await it.due(S.ON_PHONE) == set(ids)
        assert it.told() == [], "freeing space is what phones do"
        assert len(it.files.under(Site.PHONE)) == 1000
        assert it.said("phone.moved_on") == ["phone.moved_on"]


async def test_what_was_freed_before_it_was_ever_confirmed_was_there(tmp_path: Path) -> None:
    async with way(tmp_path, running=False) as it:
        [asset] = await it.place(1)
        it.phone.free_all()
        it.phone.go_offline()  # and it is gone again: its deletion is still known here
        await it.watch.ask()
        seen = {w.rung: w for w in (await it.w.journal.listed([asset]))[0].asset.witnesses}
        assert set(seen) == {Rung.PHONE_HAS, Rung.PHONE_FREED}
        assert {w.how for w in seen.values()} == {"deletion"}
        detail = seen[Rung.PHONE_FREED].detail
        assert (detail["device"], detail["syncthing"]) == (PIXEL, "v1.19.2")
        assert "PIXELAA:" in str(detail["version"])
        assert await it.due() == {asset}
        [row] = (await it.w.journal.history(asset))[-1:]
        assert row.evidence["kind"] == "freed on the phone"


async def test_what_was_freed_after_the_phones_database_was_lost_counts_for_its_release(
    tmp_path: Path,
) -> None:
    async with way(tmp_path, running=False) as it:
        it.phone.my_id = "ZZHOST"  # of two versions the one of the lower device wins
        ids = await it.place(2)
        await it.verify(ids)
        it.phone.forget_there()
        it.phone.free_all()
        await it.watch.ask()
        assert await it.due(S.ON_PHONE) == set(ids)
        for found in await it.w.journal.listed(ids):
            [placed] = found.asset.placements
            assert Rung.PHONE_FREED in seen_of(placed, found.asset.witnesses)


async def test_what_was_changed_there_is_kept_too_and_its_later_freeing(tmp_path: Path) -> None:
    async with way(tmp_path, syncthing={"sweep_seconds": 100}) as it:
        [asset] = await it.place(1)
        await it.verify([asset])
        it.phone.edit("IMG_0.jpg", b"brighter")
        it.events.announces()
        await it.settled()
        [placed] = await it.placed()
        assert placed.rungs == {Rung.PHONE_HAS, Rung.PHONE_CHANGED}
        it.phone.free_all()
        await it.for_seconds(200)
        [placed] = await it.placed()
        assert placed.rungs == {Rung.PHONE_HAS, Rung.PHONE_CHANGED, Rung.PHONE_FREED}


async def test_files_of_others_and_names_that_cannot_be_told_now_are_no_findings(
    tmp_path: Path,
) -> None:
    async with way(tmp_path, running=False) as it:
        ids = await it.place(3)
        await it.verify(ids)
        it.phone.edit("from-the-phone.jpg", b"not ours")
        it.phone.delete("IMG_0.jpg", "IMG_1.jpg")
        it.phone.faults_of[SiteKey("IMG_0.jpg")] = Retryable("cough", code="syncthing.odd")
        await it.watch.ask()
        assert [Rung.PHONE_FREED in p.rungs for p in await it.placed(3)] == [False, True, False]
        assert it.told() == []
        it.phone.faults_of.clear()
        await it.watch.ask()
        assert [Rung.PHONE_FREED in p.rungs for p in await it.placed(3)] == [True, True, False]


async def test_what_is_understood_is_not_asked_again_with_every_event(tmp_path: Path) -> None:
    async with way(tmp_path) as it:
        ids = await it.place(5)
        await it.verify(ids)
        it.phone.free_all()
        it.phone.edit("from-the-phone.jpg", b"not ours")
        it.events.announces()
        await it.settled()
        asked = it.phone.calls["indexed"]
        for _ in range(5):
            it.events.announces()
            await it.settled()
        assert it.phone.calls["indexed"] == asked


async def test_many_files_changed_at_once_are_told_for_an_hour_and_nothing_stops(
    tmp_path: Path,
) -> None:
    async with way(tmp_path) as it:
        ids = await it.place(30)
        await it.verify(ids)
        await it.settled()
        for n in range(21):
            it.phone.edit(f"IMG_{n}.jpg", b"filtered")
        it.events.announces()
        await it.until(lambda: it.told() == [("phone files", "phone.mass_change")])
        assert "21 files" in it.problems.now()[0].message
        assert it.w.engine.may_work("verify")
        await it.for_seconds(3600 - 400)
        assert it.told() == [("phone files", "phone.mass_change")]
        await it.for_seconds(800)
        assert it.told() == []


@pytest.mark.parametrize(
    ("changed", "arrived", "expected"),
    [
        (0, 0, False), (4, 4, False), (5, 50, False), (5, 49, True), (20, 1000, False), (21, 100_000, True),
    ],
)  # fmt: skip
def test_a_handful_of_edits_is_no_mass(changed: int, arrived: int, *, expected: bool) -> None:
    assert is_mass(changed, arrived) is expected


def test_changes_are_counted_for_an_hour() -> None:
    changes = Changes()
    assert [changes.count(at, new) for at, new in [(0, 3), (10, 0), (3000, 4), (3600, 0)]] == [
        3,
        3,
        7,
        4,
    ]
    assert changes.count(7000, 0) == 0


# -- files that do not get on -----------------------------------------------------------------------


async def test_stuck_and_doubtful_files_are_one_problem_each_while_there_are_any(
    tmp_path: Path,
) -> None:
    async with way(tmp_path, running=False) as it:
        ids = await it.place(5)
        await it.wait(ids[:3], "phone.stuck")
        await it.wait(ids[3:4], "phone.doubtful")
        await it.watch.ask()
        assert it.told() == [("phone files", "phone.doubtful"), ("phone files", "phone.stuck")]
        told = {p.code: p for p in it.problems.now()}
        assert told["phone.stuck"].message.startswith("3 assets")
        assert told["phone.doubtful"].message.startswith("1 assets")
        await it.wait(ids[:3])
        await it.watch.ask()
        assert it.told() == [("phone files", "phone.doubtful")]
        await it.verify(ids[3:4])
        await it.watch.ask()
        assert it.told() == []


# -- on and off -------------------------------------------------------------------------------------


async def test_while_the_phone_is_off_nothing_is_asked_and_nothing_is_a_problem(
    tmp_path: Path,
) -> None:
    async with way(tmp_path) as it:
        it.phone.faults = DOWN
        await it.until(lambda: it.told() != [])
        it.configure(phone={"enabled": False})
        it.watch.wake()
        await it.until(lambda: it.told() == [])
        asked = it.phone.calls.total()
        it.phone.faults = None
        for _ in range(200):
            await anyio.lowlevel.checkpoint()
        it.watch.wake()
        assert it.phone.calls.total() == asked
        ids = await it.place(1)
        it.configure()
        it.watch.wake()
        await it.settled()
        assert await it.due() == set(ids)


async def test_off_from_the_first_it_only_forgets(tmp_path: Path) -> None:
    async with way(tmp_path, running=False, syncthing={"url": ""}) as it:
        it.w.engine.link_is_down("syncthing", DOWN)
        await it.watch.ask()
        assert it.told() == []
        assert it.phone.calls.total() == 0


async def test_a_reload_that_changes_nothing_here_leaves_the_poll_alone(tmp_path: Path) -> None:
    async with way(tmp_path) as it:
        await it.settled()
        asked = it.phone.calls["set_up"]
        it.configure(web={"listen": "127.0.0.1:8480"})
        it.watch.wake()
        await it.settled()
        assert it.phone.calls["set_up"] == asked
        it.configure(syncthing={"sweep_seconds": 7})
        it.watch.wake()
        await it.until(lambda: it.phone.calls["set_up"] > asked)
