"""
Guards the promises in any order of events: arrivals, late halves, faults, kills, restarts, orders, clocks that jump.

After every step: no photo is lost, nothing was removed without its copies elsewhere, the history only grew and its
seals hold, every lane has one state, the counters equal the rows, and the history leads to where everything stands.
"""

import asyncio
import tempfile
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from structlog.testing import capture_logs

from mediad.errors import MediadError, NeedsOperator, Retryable
from mediad.model import AssetId, CloudRef, Place, Resource, Site, SiteKey
from mediad.service.dates import Choice, order_of
from mediad.state import STAGE_ORDER
from tests.machine.events import (
    CALLS,
    COPIES,
    DAY_S,
    DISKS,
    FAULTS,
    FEW,
    JUMPS,
    NTH,
    ODD,
    SAFER,
    SETTINGS,
    SPANS,
    Change,
    movie,
    plain,
    still,
)
from tests.machine.house import House
from tests.machine.truths import Truths

T = TypeVar("T")

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a tmpfs, where there is one: nobody here tests the disk


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._said = self._stack.enter_context(capture_logs())
        above = MEMORY if MEMORY.is_dir() else None
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(dir=above))
        self._runner = self._stack.enter_context(asyncio.Runner())
        self.house = House(Path(folder))
        self.truths = Truths()
        self.refs: list[CloudRef] = []
        self._do(self.house.open())

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def teardown(self) -> None:
        """In the end everything is mended, all are asked again, and time passes: nothing is lost by that, either."""
        try:
            self._do(self._end())
            self.truths.look(self.house)
        finally:
            self._do(self.house.stop())
            self._stack.close()

    async def _end(self) -> None:
        house = self.house
        house.mend()
        await house.order(house.service.resume(None))
        await house.order(house.service.retry(None))
        await house.pass_time(3 * DAY_S)
        await house.journal.check()
        assert (await house.journal.audit()).broken_at is None

    @invariant()
    def all_is_true(self) -> None:
        crashed = [line for line in self._said if line["event"] == "lot.crashed"]
        assert crashed == []
        self._said.clear()
        self.truths.look(self.house)

    # -- what arrives -------------------------------------------------------------------------------

    @initialize(n=FEW)
    def begin(self, n: int) -> None:
        """There is a photo of the drop folder, one of iCloud, one that came both ways, and one whose half is late."""
        self._drop(f"IMG_{n}.HEIC", still(n, 0))
        self._drop("IMG_0.JPG", plain(0))
        self._shoot("IMG_0.JPG", plain(0))
        self._shoot("IMG_8.HEIC", still(8, 0), [(Resource.LIVE_VIDEO, "IMG_8.MOV", movie(8))])
        self._do(self._pass(90.0))
        self._drop(f"IMG_{n}.MOV", movie(n))

    @rule(
        n=FEW,
        folder=st.sampled_from(("", "a/")),
        what=st.sampled_from(("still", "movie", "plain", "twin")),
    )
    def drop(self, n: int, folder: str, what: str) -> None:
        match what:
            case "still":
                self._drop(f"{folder}IMG_{n}.HEIC", still(n, 0))
            case "movie":
                self._drop(f"{folder}IMG_{n}.MOV", movie(n))
            case "plain":
                self._drop(f"{folder}IMG_{n}.JPG", plain(n))
            case _:  # the same name in another folder, and other bytes
                self._drop(f"{folder}IMG_{n}.HEIC", still(n, 1))

    @rule(n=FEW, odd=st.sampled_from(ODD))
    def drop_something_odd(self, n: int, odd: bytes) -> None:
        self._drop(f"odd_{n}.heic", odd)

    def _drop(self, key: str, content: bytes) -> None:
        house = self.house
        if Place(Site.INCOMING, SiteKey(key)) not in house.files.files:
            house.files.drop(Site.INCOMING, key, content)
            house.mine.add(content)

    @rule()
    def rescan(self) -> None:
        self._do(self.house.rescan())

    @rule(nth=NTH)
    def take_back_from_the_drop_folder(self, nth: int) -> None:
        """A person changes their mind, where nobody has taken it in yet."""
        place = self._nth(nth, {Site.INCOMING})
        if place is not None:
            gone = self.house.files.files.pop(place)
            self.house.mine -= set(self.house.lost()) & {gone.content}

    @rule(nth=NTH)
    def write_on_in_the_drop_folder(self, nth: int) -> None:
        place = self._nth(nth, {Site.INCOMING})
        if place is not None:
            old = self.house.files.files.pop(place).content
            self.house.files.drop(Site.INCOMING, place.key, old + b" more")
            self.house.mine -= set(self.house.lost()) & {old}
            self.house.mine.add(old + b" more")

    # -- time, work, the end of the world -------------------------------------------------------------

    @rule()
    def work(self) -> None:
        self._do(self.house.rest())

    @rule(commits=st.integers(1, 6))
    def work_a_little(self, commits: int) -> None:
        self._do(self.house.a_little(commits))

    @rule(seconds=st.sampled_from(SPANS))
    def pass_time(self, seconds: float) -> None:
        self._do(self._pass(seconds))

    async def _pass(self, seconds: float) -> None:
        """With the watchers of incoming and of iCloud awake."""
        await self.house.rescan()
        await self.house.hear()
        await self.house.prove(ok=True)
        await self.house.pass_time(seconds)

    @rule(seconds=st.sampled_from(JUMPS))
    def jump_the_clock(self, seconds: float) -> None:
        self.house.clock.at = max(1, self.house.clock.at + round(seconds * 1000))

    @rule(killed=st.booleans())
    def restart(self, *, killed: bool) -> None:
        self._do(self.house.again(killed=killed))

    @rule(touches=st.integers(1, 12), seconds=st.sampled_from(SPANS))
    def cut_the_power(self, touches: int, seconds: float) -> None:
        """At that touch of a folder, of the phone's, or of iCloud, if it comes to that."""
        power = self.house.files.power
        power.cut_at = power.touches + touches
        self._do(self._pass(seconds))
        power.cut_at = 10**9

    # -- what breaks ----------------------------------------------------------------------------------

    @rule(site=st.sampled_from(DISKS), fault=st.sampled_from(range(len(FAULTS))))
    def lose_a_disk(self, site: Site, fault: int) -> None:
        self.house.files.faults[site] = FAULTS[fault](site)

    @rule(site=st.sampled_from(DISKS), room=st.sampled_from((0, 100)))
    def fill_a_disk(self, site: Site, room: int) -> None:
        self.house.files.room[site] = room

    @rule(call=st.sampled_from(CALLS), times=st.integers(1, 3), is_out=st.booleans())
    def lose_icloud(self, call: str, times: int, *, is_out: bool) -> None:
        fault: MediadError = Retryable("iCloud does not answer", code="icloud.busy")
        if is_out:
            fault = NeedsOperator("sign in", code="icloud.signed_out", site="icloud")
        self.house.cloud.fail(call, *[fault] * times)

    @rule()
    def mend(self) -> None:
        self.house.mend()

    @rule(nth=NTH, how=st.sampled_from(("rot", "other", "gone", "unreadable")))
    def spoil_a_copy(self, nth: int, how: str) -> None:
        """A disk, or a hand; never the last copy that there is."""
        self._do(self.house.rest())
        house = self.house
        place = self._nth(nth, COPIES)
        if place is None or place.key.startswith("renditions/"):
            return
        if how == "unreadable":
            house.files.unreadable.add(place)
            return
        was = house.files.files[place]
        content, mtime_ns = was.content, was.mtime_ns
        if how == "gone":
            del house.files.files[place]
        else:
            was.content = bytes([content[0] ^ 1]) + content[1:] if content else b"x"
            was.mtime_ns += how == "other"
        if self._is_the_last(content):
            was.content, was.mtime_ns = content, mtime_ns
            house.files.files[place] = was
        else:
            names = [p for p, f in house.files.files.items() if f is was]
            house.spoilt |= {place, *names}

    def _is_the_last(self, content: bytes) -> bool:
        """Also where only the phone, which may free its space, or iCloud has it."""
        return content in self.house.mine and not self.house.whole(content, *COPIES, Site.INCOMING)

    def _nth(self, nth: int, sites: set[Site] | frozenset[Site]) -> Place | None:
        there = sorted(p for p in self.house.files.files if p.site in sites)
        return there[nth % len(there)] if there else None

    # -- the phone ------------------------------------------------------------------------------------

    @rule(
        what=st.sampled_from(("go_offline", "come_online", "forget_there", "forget_here", "fetch"))
    )
    def reach_the_phone_or_not(self, what: str) -> None:
        getattr(self.house.phone, what)()

    @rule()
    def let_the_phone_fetch_or_not(self) -> None:
        self.house.phone.fetches = not self.house.phone.fetches

    @rule(nth=NTH, is_edit=st.booleans())
    def use_the_phone(self, nth: int, *, is_edit: bool) -> None:
        """Google Photos frees its space, or somebody edits a photo; neither is the last copy."""
        self._do(self.house.rest())
        phone = self.house.phone
        if any(self._is_the_last(f.content) for f in phone.there.values()):
            return
        if not is_edit:
            phone.free_all()
        elif keys := sorted(phone.there):
            phone.edit(keys[nth % len(keys)], b"edited there")

    # -- iCloud ---------------------------------------------------------------------------------------

    @rule(n=FEW, is_live=st.booleans(), favourite=st.booleans())
    def shoot(self, n: int, *, is_live: bool, favourite: bool) -> None:
        """A photo appears in iCloud; it may be one that also came another way."""
        content = still(n, 2) if is_live else plain(n)
        more = [(Resource.LIVE_VIDEO, f"IMG_{n}.MOV", movie(n))] if is_live else []
        name = f"IMG_{n}.HEIC" if is_live else f"IMG_{n}.JPG"
        self._shoot(name, content, more, favourite=favourite)

    def _shoot(
        self, name: str, content: bytes, more: Sequence[tuple[Resource, str, bytes]] = (), *, favourite: bool = False
    ) -> None:  # fmt: skip
        self.refs.append(self.house.cloud.take(name, content, more=more, favourite=favourite))
        self.house.mine |= {content, *(c for _, _, c in more)}

    @rule()
    def hear(self) -> None:
        self._do(self.house.hear())

    @rule(nth=NTH, what=st.sampled_from(("heart", "out", "bin", "back", "touch")))
    def use_icloud(self, nth: int, what: str) -> None:
        if not self.refs:
            return
        cloud, ref = self.house.cloud, self.refs[nth % len(self.refs)]
        match what:
            case "heart":
                cloud.set(ref, favourite=not cloud.remote(ref).is_favourite)
            case "out":
                for record in [m.album for m in cloud.inside.values() if m.asset == ref.record]:
                    cloud.take_out(record, ref)
            case "bin":
                cloud.set(ref, deleted=True)
                self.house.mine -= set(self.house.lost()) & set(cloud.held[ref].contents)
            case "back":
                cloud.set(ref, deleted=False)
            case _:
                cloud.set(ref)

    # -- what people order ------------------------------------------------------------------------------

    @rule(which=st.sampled_from(range(len(SETTINGS))), nth=NTH)
    def configure(self, which: int, nth: int) -> None:
        section, key, values = SETTINGS[which]
        self._do(self.house.configure(section, key, values[nth % len(values)]))

    @rule(which=st.sampled_from(range(len(SAFER))), seconds=st.sampled_from(SPANS))
    def change_their_mind_while_copies_are_read(self, which: int, seconds: float) -> None:
        self._do(self._hesitate(SAFER[which], seconds))

    async def _hesitate(self, change: Change, seconds: float) -> None:
        """All was as lenient as can be; what is asked for meanwhile counts for what has not gone yet."""
        for section, key, lenient, _ in SAFER:
            await self.house.configure(section, key, lenient)
        section, key, _, strict = change
        self.house.wanted = (section, key, strict)
        await self._pass(seconds)
        self.house.wanted = None

    @rule(ok=st.booleans())
    def selftest(self, *, ok: bool) -> None:
        self._do(self.house.prove(ok=ok))

    @rule(nth=NTH, of_all=st.booleans())
    def retry(self, nth: int, *, of_all: bool) -> None:
        self._order(self.house.service.retry(None if of_all else [self._asset(nth)]))

    @rule(stage=st.sampled_from((None, *STAGE_ORDER)))
    def pause(self, stage: str | None) -> None:
        self._order(self.house.service.pause(stage))

    @rule(stage=st.sampled_from((None, *STAGE_ORDER)))
    def resume(self, stage: str | None) -> None:
        self._order(self.house.service.resume(stage))

    @rule(nth=NTH, stage=st.sampled_from(STAGE_ORDER))
    def skip(self, nth: int, stage: str) -> None:
        self._order(self.house.service.skip(self._asset(nth), stage, "no need"))

    @rule(nth=NTH, last=st.booleans())
    def undo(self, nth: int, *, last: bool) -> None:
        what = "LAST" if last else str(self._asset(nth))
        self._order(self.house.service.person.undoing.undo(what, run=None, row=None, is_dry=False))

    @rule(nth=NTH, day=st.integers(1, 28))
    def redate(self, nth: int, day: int) -> None:
        choice = Choice(ids=frozenset({self._asset(nth)}))
        self._order(
            self.house.service.person.dates.apply(choice, order_of({"to": f"1994-12-{day:02}"}))
        )

    @rule(nth=NTH)
    def undelete(self, nth: int) -> None:
        self._order(self.house.service.undelete([str(self._asset(nth))]))

    @rule(nth=NTH)
    def explain(self, nth: int) -> None:
        """It changes nothing."""
        self._do(self.house.rest())
        before = dict(self.house.files.files)
        self._order(self.house.service.explain(str(self._asset(nth))))
        assert self.house.files.files == before

    @rule()
    def scrub(self) -> None:
        self._do(self.house.rest())
        self._order(self.house.scrubber.turn(self.house.clock))

    def _order(self, order: Coroutine[Any, Any, Any]) -> None:
        self._do(self.house.order(order))

    def _asset(self, nth: int) -> AssetId:
        """There may be none of that number."""
        return AssetId(1 + nth % 8)


QUICK: Final = settings(
    max_examples=8,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
DEEP: Final = settings(
    QUICK,
    max_examples=500,
    stateful_step_count=50,
    derandomize=False,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    print_blob=True,
)


def test_in_any_order_of_events_nothing_is_lost() -> None:
    run_state_machine_as_test(Machine, settings=QUICK)


@pytest.mark.crash
@pytest.mark.timeout(7200)
def test_in_any_order_of_many_events_nothing_is_lost() -> None:
    run_state_machine_as_test(Machine, settings=DEEP)
