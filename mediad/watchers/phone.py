"""
The way to the phone is watched: is Syncthing set up safely, is the phone there, and whose turn is it to be looked at?

Events say when to look, and a look now and then makes up for those that got lost. Everything that keeps files from the
phone is one problem with its remedy as long as it lasts, and when it is over the work goes on by itself. A phone that
is away for a week costs a question a minute and nothing else.
"""

import math
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final, NamedTuple

import anyio
import structlog

from mediad.config import Settings
from mediad.engine import Engine
from mediad.errors import Bug, MediadError, NeedsOperator
from mediad.journal import Journal
from mediad.model import Site
from mediad.policy.phone_setup import Fault, Wanted, device_of, folder_of, lint
from mediad.policy.problems import Problem, Problems
from mediad.ports import Clock, Heard, PhoneLink, Ports
from mediad.state import State
from mediad.syncthing_events import TOGETHER_S, News, Reason, Source, Stream
from mediad.watchers.phone_sweep import Sweep

log = structlog.get_logger()

LINK: Final = "syncthing"  # its API, and how it is set up
PIXEL: Final = "pixel"  # the phone at the other end
WARNINGS: Final = "syncthing setup"  # nothing waits for these
FILES: Final = "phone files"  # nor for these

SET_UP_S: Final = 3600.0  # between two looks at the set-up when nobody changes it
WORRIED_S: Final = 5.0  # while it is wrong: the person who mends it is waiting
STUBBORN_S: Final = (
    60.0  # what a stage met and we cannot see is tried again so often; warnings are looked at anew
)
AGAIN_S: Final = 1.0
LONGEST_S: Final = 60.0  # between two tries while Syncthing does not answer

HOUR_S: Final = 3600.0
MANY: Final = 20  # files changed there within an hour: no person's edits
SEVERAL: Final = 5  # or as few as these, when they are a tenth of all
SHARE: Final = 0.1

ARRIVED: Final = (State.PLACED, State.ON_PHONE, State.RELEASED)

_ANEW: Final = frozenset({Reason.START, Reason.RESTART, Reason.RETURNED, Reason.GAP})
_OF_SET_UP: Final = _ANEW | {Reason.CONFIG, Reason.FOLDER}
_OF_NOTHING: Final = frozenset(
    {Reason.SILENCE, Reason.BROKEN}
)  # by themselves no reason to look at files


class PhoneWatch:
    """
    `source`: where events come from under the configuration in force. `hear` is told of the last event.

    The clock of the ports is asked for once, and is this loop's own: liveness.py sees by it that it gets on.
    """

    def __init__(
        self,
        engine: Engine,
        problems: Problems,
        journal: Journal,
        ports: Callable[[], Ports],
        *,
        source: Callable[[], Source],
        hear: Callable[[Heard], None],
    ) -> None:
        self._engine = engine
        self._problems = problems
        self._journal = journal
        self._ports = ports
        self._source = source
        self._hear = hear
        self._clock: Clock = ports().clock
        self._sweep = Sweep(journal, self._clock, lambda: ports().phone)
        self._changes = Changes()
        self._new_rules = anyio.Event()
        self._found: frozenset[str] = frozenset()  # codes of the faults that we saw ourselves
        self._believed: dict[str, float] = {}  # those of others, and when we took them to be over
        self._rules = self._rules_now()
        self._begin()

    def _begin(self) -> None:
        """Nothing is known of Syncthing yet."""
        now = self._clock.monotonic()
        self._folder = self._device = ""  # ids; "" while they cannot be told
        self._owed: frozenset[Reason] = frozenset()  # reasons of looks that came to nothing
        self._is_safe = False
        self._failures = 0
        self._unsafe: frozenset[str] = frozenset()  # codes of what is wrong with the set-up
        self._again_at = math.inf  # when to look at the files once more
        self._news_at = self._set_up_at = self._failed_at = now
        self._sweep_at = now + self._settings.syncthing.sweep_seconds

    async def run(self) -> None:
        """For ever. While the phone is switched off in the configuration it does nothing at all."""
        while True:
            self._new_rules = anyio.Event()
            self._rules = self._rules_now()
            self._begin()
            async with anyio.create_task_group() as tasks:
                if self._rules.is_off:
                    self._forget()
                    tasks.start_soon(self._clock.sleep, math.inf)  # nobody expects us back
                else:
                    tasks.start_soon(self._watch)
                await self._new_rules.wait()
                tasks.cancel_scope.cancel()

    def wake(self) -> None:
        """After a reload: begin anew, if anything changed that the way to the phone depends on."""
        if self._rules != self._rules_now():
            self._new_rules.set()

    async def ask(self) -> None:
        """One look at everything, before anything is placed or believed."""
        if self._rules_now().is_off:
            self._forget()
        else:
            await self._look(frozenset({Reason.START}))

    # -- when to look -----------------------------------------------------------------------------

    async def _watch(self) -> None:
        stream = Stream(
            self._source(),
            self._clock,
            folder=lambda: self._folder,
            device=lambda: self._device,
            patience_s=lambda: self._due_at() - self._news_at,
        )
        async with aclosing(stream.news()) as all_news:
            async for news in all_news:
                self._news_at = began = self._clock.monotonic()
                await self._take(news)
                took_s = self._clock.monotonic() - began
                if took_s > TOGETHER_S:  # at most half of the time is spent with looking
                    await self._clock.sleep(min(took_s, LONGEST_S))

    async def _take(self, news: News) -> None:
        if news.heard:
            self._hear(news.heard)
        if news.fault:
            self._is_down(news.fault)
            return
        is_too_soon = self._failures and self._clock.monotonic() < self._due_at()
        if is_too_soon and not news.reasons & _OF_SET_UP:
            self._owed |= news.reasons
            return
        await self._look(news.reasons)

    def _due_at(self) -> float:
        """When to look again though nothing is heard."""
        if self._failures:
            return self._failed_at + min(2.0 ** min(self._failures - 1, 30), LONGEST_S)
        if self._open(LINK):
            return self._news_at + WORRIED_S
        return min(self._set_up_at, self._sweep_at, self._again_at)

    async def _look(self, fresh: frozenset[Reason]) -> None:
        reasons = fresh | self._owed
        try:
            is_done = await self._looked(fresh, reasons)
        except Bug:
            raise
        except MediadError as fault:
            is_done = False
            self._failures += 1
            self._failed_at = self._clock.monotonic()
            self._is_down(fault)
        else:
            self._failures = 0
        self._owed = frozenset() if is_done else (reasons | {Reason.RETURNED}) - _OF_NOTHING

    async def _looked(self, fresh: frozenset[Reason], reasons: frozenset[Reason]) -> bool:
        """False: the set-up keeps us from looking at the files."""
        is_wrong = bool(self._failures or self._open(LINK))
        if fresh & _OF_SET_UP or is_wrong or self._clock.monotonic() >= self._set_up_at:
            await self._look_at_set_up()
        now = self._clock.monotonic()
        is_all = now >= self._sweep_at
        if self._is_safe and (is_all or now >= self._again_at or reasons - _OF_NOTHING):
            await self._look_at_files(all_of_them=is_all)
        self._clear_what_is_over()
        return self._is_safe

    # -- the set-up -------------------------------------------------------------------------------

    async def _look_at_set_up(self) -> None:
        set_up = await self._ports().phone.set_up()
        wanted = self._wanted()
        folder = folder_of(set_up, wanted)
        self._folder = folder.id if folder else ""
        self._device = device_of(set_up, wanted)
        faults = lint(set_up, wanted)
        unsafe = _by_code([f for f in faults if f.is_unsafe])
        for code, fault in unsafe.items():
            self._engine.link_is_down(
                LINK, NeedsOperator(fault.message, code=code, remedy=fault.remedy, site=LINK)
            )
        warnings = _by_code([f for f in faults if not f.is_unsafe])
        self._tell_warnings(warnings)
        self._unsafe = frozenset(unsafe)
        self._is_safe = not unsafe
        self._set_up_at = self._clock.monotonic() + (STUBBORN_S if warnings else SET_UP_S)

    def _clear_what_is_over(self) -> None:
        """
        After a look that went well: what we saw before and see no more.

        What others met, and we do not see, they may meet again: it is believed to be over now and then only.
        """
        now = self._clock.monotonic()
        known = self._open(LINK) - self._unsafe
        met = known - self._found
        doubted = {c for c in met & self._believed.keys() if now < self._believed[c] + STUBBORN_S}
        over = known - doubted
        self._believed |= dict.fromkeys(met - doubted, now)
        self._found = self._unsafe
        if self._unsafe or doubted:
            self._clear(LINK, over)
        else:
            self._engine.link_is_up(LINK)

    def _tell_warnings(self, warnings: Mapping[str, Fault]) -> None:
        self._clear(WARNINGS, self._open(WARNINGS) - warnings.keys())
        for code, fault in warnings.items():
            self._tell(code, fault.message, fault.remedy, WARNINGS)

    def _is_down(self, fault: MediadError) -> None:
        """Syncthing, or the journal, does not answer. What was found before is not known any more."""
        if fault.site == "journal":
            self._engine.link_is_down(fault.site, fault)
            return
        self._is_safe = False
        self._engine.link_is_down(LINK, fault)
        self._clear(LINK, self._found - {fault.code})
        self._found = frozenset({fault.code})

    # -- the phone and its files ------------------------------------------------------------------

    async def _look_at_files(self, *, all_of_them: bool) -> None:
        link = await self._ports().phone.link()
        await self._tell_link(link)
        # What is being looked at just now may be parked with an older answer, after we have passed it by.
        is_busy = bool(self._engine.running("verify"))
        self._again_at = self._clock.monotonic() + AGAIN_S if is_busy else math.inf
        seen = await self._sweep.look_ahead(link, all_of_them=all_of_them)
        roused = seen.freed + seen.changed
        if link.is_connected:
            roused += await self._sweep.rouse(all_of_them=all_of_them)
        if roused:
            self._engine.wake()
        if seen.freed or seen.changed:
            log.info("phone.moved_on", freed=seen.freed, changed=seen.changed)
        await self._tell_changes(seen.changed)
        await self._tell_doubts()
        if all_of_them:
            self._sweep_at = self._clock.monotonic() + self._settings.syncthing.sweep_seconds

    async def _tell_link(self, link: PhoneLink) -> None:
        if link.is_connected:
            self._engine.link_is_up(PIXEL)
            return
        known = self._problems.about(PIXEL)
        since = datetime.fromtimestamp((known.since if known else self._clock.now()) / 1000, UTC)
        what = (
            f"the phone has not been connected to Syncthing here since {since:%Y-%m-%d %H:%M} UTC or longer;"
            " what is on its way waits for it, and nothing is lost"
        )
        remedy = (
            "see that the phone is on, in a network, and that Syncthing runs there (battery and Wi-Fi rules);"
            " everything goes on by itself when it is back"
        )
        self._engine.link_is_down(
            PIXEL, NeedsOperator(what, code="pixel.offline", remedy=remedy, site=PIXEL)
        )

    async def _tell_changes(self, changed: int) -> None:
        """So many at once are no person's edits. It is only told: what was verified stays so."""
        within = self._changes.count(self._clock.monotonic(), changed)
        if not is_mass(within, await self._count(ARRIVED, finals=True) if within else 0):
            self._problems.clear(FILES, prefix="phone.mass_change")
            return
        self._tell(
            "phone.mass_change",
            f"{within} files that the phone had from here were changed there within an hour; the files here are"
            " untouched, and what was verified before stays so",
            "look at the phone: an app that rewrites pictures, another device that shares the folder, or damage;"
            " `mediactl list --state phone.verified` shows what went there",
            FILES,
        )

    async def _tell_doubts(self) -> None:
        codes = await self._journal.codes_at(State.PLACED)
        self._clear(FILES, {"phone.stuck", "phone.doubtful"} - codes.keys())
        if stuck := codes.get("phone.stuck"):
            self._tell(
                "phone.stuck",
                f"{stuck} assets have lain in the shared folder for more than"
                f" {self._settings.phone.patience_hours:g} h, and the phone does not take them; they stay here",
                "look on the phone: free space, ignore patterns of the folder, and what Syncthing there calls failed",
                FILES,
            )
        if doubtful := codes.get("phone.doubtful"):
            self._tell(
                "phone.doubtful",
                f"{doubtful} assets are listed as on the phone, but nothing vouches for it, and Syncthing 2.x is wrong"
                " about files that the phone ignores; they stay here and count as not there",
                "give mediad the phone's own Syncthing (syncthing.phone_url), and look for ignore patterns there",
                FILES,
            )

    async def _count(self, states: Collection[State], *, finals: bool = False) -> int:
        standing = (await self._journal.counts()).standing
        return sum(n for (s, m), n in standing.items() if s in states and (m.runs or finals))

    # -- small things -----------------------------------------------------------------------------

    @property
    def _settings(self) -> Settings:
        return self._ports().settings

    def _wanted(self) -> Wanted:
        way, path = self._settings.syncthing, self._settings.path_of(Site.PHONE)
        return Wanted(way.folder_id, way.device_id, str(path))

    def _rules_now(self) -> "_Rules":
        settings = self._settings
        return _Rules("batch" in settings.off(), settings.syncthing, settings.phone, self._wanted())

    def _tell(self, code: str, what: str, remedy: str, subject: str) -> None:
        if self._problems.report(Problem(code, what, self._clock.now(), remedy, subject)):
            log.warning("phone.warned", code=code, what=what)

    def _open(self, subject: str) -> frozenset[str]:
        return frozenset(p.code for p in self._problems.now() if p.subject == subject)

    def _clear(self, subject: str, codes: Collection[str]) -> None:
        for code in codes:
            self._problems.clear(subject, prefix=code)

    def _forget(self) -> None:
        """The phone is off: nothing about it is a problem, and whatever waited for it may go its way."""
        self._problems.clear(WARNINGS)
        self._problems.clear(FILES)
        self._engine.link_is_up(LINK)
        self._engine.link_is_up(PIXEL)


class _Rules(NamedTuple):
    """What of the configuration the way to the phone depends on."""

    is_off: bool
    syncthing: object
    phone: object
    wanted: Wanted


class Changes:
    """How many files were changed on the phone within the last hour."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def count(self, now: float, new: int) -> int:
        while self._seen and self._seen[0][0] <= now - HOUR_S:
            self._seen.popleft()
        if new:
            self._seen.append((now, new))
        return sum(n for _, n in self._seen)


def is_mass(changed: int, arrived: int) -> bool:
    """Too many to be somebody's edits."""
    return changed > MANY or (changed >= SEVERAL and changed > SHARE * arrived)


def _by_code(faults: Sequence[Fault]) -> Mapping[str, Fault]:
    """One a code; several of the same are told together."""
    found: dict[str, list[Fault]] = {}
    for fault in faults:
        found.setdefault(fault.code, []).append(fault)
    return {
        code: same[0]._replace(message="; ".join(f.message for f in same))
        for code, same in found.items()
    }
