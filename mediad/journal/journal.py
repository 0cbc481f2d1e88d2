"""
The journal: what was seen, in order, and where every asset stands. The one door to SQLite.

What a write returns is on the disk. Listeners in `on_commit` hear of a transition only after that, in the event loop.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from mediad.errors import MediadError, NeedsOperator
from mediad.journal import backup, faults, phone, queries
from mediad.journal.db import Readers, Writer, connect
from mediad.journal.hand import Hand
from mediad.journal.health_side import HealthSide
from mediad.journal.made import Made, made
from mediad.journal.migrate import editions, enact, migrate, pending, refuse_network, version
from mediad.journal.near_side import NearSide
from mediad.journal.person_side import PersonSide
from mediad.journal.rows import (
    Arrival,
    BatchRow,
    Committed,
    Counts,
    HistoryRow,
    Intent,
    Listed,
    Mark,
    Park,
    Placed,
    Run,
    Standing,
    Step,
    Work,
    to_sql,
)
from mediad.journal.whole import listed
from mediad.model import (
    Asset,
    AssetId,
    BatchId,
    Copy,
    Digest,
    Evidence,
    Site,
    SiteKey,
)
from mediad.ports import Clock, Kin, OpenBatch, Partner
from mediad.state import STAGE_ORDER, Position, State, Workflow

T = TypeVar("T")

_ROUSED_AT_ONCE: Final = 1000
_LONGEST_WAIT_MS: Final = 7 * 86_400_000


class Journal(PersonSide, HealthSide, NearSide):
    """Also the Ledger that stages may ask (ports.Ledger)."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        connection: sqlite3.Connection,
        scribe: Hand,
        *,
        was_unclean: bool,
    ) -> None:
        self.path = path
        self.on_commit: list[Callable[[Sequence[Committed]], None]] = []
        self.was_unclean = was_unclean  # the last one did not close it: `check` is worth its time
        self._clock = clock
        self._connection = connection
        self._scribe = self._hand = scribe
        self._writer = Writer(connection, scribe, self._tell)
        self._readers = Readers(path)

    @classmethod
    def open(
        cls,
        path: Path,
        clock: Clock,
        *,
        law: Callable[[], Workflow],
        off: Callable[[], Mapping[str, str]],
    ) -> "Journal":
        """Open or make the journal, bring it to this edition, and start its writer."""
        path.parent.mkdir(parents=True, exist_ok=True)
        mounts = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
        refuse_network(path.parent.resolve(), mounts)
        try:
            connection = connect(path)
            try:
                was_unclean = _prepare(connection, path, clock)
                scribe = Hand(connection, clock, law, off)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as fault:
            raise faults.ours(fault) from fault
        return cls(path, clock, connection, scribe, was_unclean=was_unclean)

    async def close(self) -> None:
        """Write what is queued, fold the log into the file, and note that we left in good order."""
        await self._writer.close()
        self._readers.close()
        self._connection.execute("UPDATE meta SET value = 1 WHERE key = 'clean'")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    @property
    def groups(self) -> int:
        """How many groups were committed since the start: for metrics, and to see that grouping works."""
        return self._writer.groups

    # -- writing ----------------------------------------------------------------------------------

    async def arrive(self, arrivals: Sequence[Arrival]) -> list[AssetId | None]:
        """None: a file of that name is known and not yet taken."""
        return await self._all([partial(self._scribe.arrive, a) for a in arrivals])

    async def record(self, steps: Sequence[Step]) -> list[Position | MediadError]:
        """Each transition with its evidence and all that follows from it; one that cannot be, fails alone."""
        return await self._writer.do([partial(self._scribe.record, s) for s in steps])

    async def merge(self, guest: AssetId, into: AssetId, evidence: Evidence) -> Position:
        """Give the guest's originals to `into`, which goes through intake again. Refused when it is too late."""
        [position] = await self._all([partial(self._scribe.merge, guest, into, evidence)])
        return position

    async def witness(self, rows: Sequence[tuple[AssetId, Evidence]]) -> None:
        """Keep what was seen, and what it taught, with assets that do not move by it."""
        await self._all([partial(self._scribe.witness, *row) for row in rows])

    async def rouse(self, assets: Sequence[AssetId] | None, states: Collection[State]) -> int:
        """Lanes that wait in these states become due now, and nothing else. Returns how many. None: of all assets."""
        if assets is None:
            assets = await self._readers.ask(lambda db: queries.marked(db, [Mark.WAITING], states))
        roused = 0
        for start in range(0, len(assets), _ROUSED_AT_ONCE):
            some = assets[start : start + _ROUSED_AT_ONCE]
            roused += sum(await self._all([partial(self._scribe.rouse, some, states)]))
        return roused

    async def park(self, parks: Sequence[Park]) -> None:
        await self._all([partial(self._scribe.park, p) for p in parks])

    async def intend(self, assets: Sequence[AssetId], stage: str) -> None:
        """Before a destructive stage looks. Closed by the next record or park of the asset's lane."""
        await self._all([partial(self._scribe.intend, a, stage) for a in assets])

    async def retry(self, ids: Sequence[AssetId] | None, marks: Collection[Mark | str]) -> int:
        """Set lanes with these marks ready now, their attempts forgotten. Returns how many. None: of all assets."""
        wanted = frozenset(Mark(m) for m in marks)
        if ids is None:
            ids = await self._readers.ask(lambda db: queries.marked(db, wanted, State))
        return sum(await self._all([partial(self._scribe.retry, a, wanted) for a in ids]))

    async def reconsider(self) -> None:
        """After a change of the configuration: what is switched off now passes, gates open or close."""
        off = frozenset(self._scribe.off())
        ids = await self._readers.ask(lambda db: queries.to_reconsider(db, off))
        await self._all([partial(self._scribe.reconsider, a) for a in ids])

    async def pause(self, stage: str | None) -> None:
        now = self._clock.now()
        await self._put(
            "INSERT OR IGNORE INTO paused VALUES (?, ?)",
            [(s, now) for s in ([stage] if stage else STAGE_ORDER)],
        )

    async def resume(self, stage: str | None) -> None:
        await self._put("DELETE FROM paused WHERE ?1 IS NULL OR stage = ?1", [(stage,)])

    async def start_run(self, what: str, config: str) -> int:
        """`config`: the digest of the configuration that it runs under."""
        sql = "INSERT INTO run (started, what, config) VALUES (?, ?, ?) RETURNING id"
        [[(number,)]] = await self._put(sql, [(self._clock.now(), what, config)])
        return int(number)

    async def finish_run(self, run: int, counts: Mapping[str, object]) -> None:
        row = (self._clock.now(), json.dumps(dict(counts)), run)
        await self._put("UPDATE run SET finished = ?, counts = ? WHERE id = ?", [row])

    async def enrol(self, site: Site, marker: Mapping[str, object]) -> None:
        """Remember what the mount guard must find at a site from now on."""
        sql = "INSERT OR REPLACE INTO enrolment VALUES (?, ?)"
        await self._put(sql, [(site.value, json.dumps(dict(marker)))])

    async def _put(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
        execute = self._connection.execute
        return await self._all([partial(_fetched, execute, sql, row) for row in rows])

    async def _each(self, items: Sequence[Callable[[], Any]]) -> list[Any]:
        return await self._writer.do(items)

    async def _all(self, items: Sequence[Callable[[], T]]) -> list[T]:
        """For writes of which none may fail."""
        answers: list[T] = []
        for answer in await self._writer.do(items):
            if isinstance(answer, MediadError):
                raise answer
            answers.append(answer)
        return answers

    def _tell(self, committed: list[Committed]) -> None:
        for listener in self.on_commit:
            listener(committed)

    # -- reading ----------------------------------------------------------------------------------

    async def work(
        self, states: Collection[State], now: int, limit: int, busy: Collection[AssetId] = ()
    ) -> list[Work]:
        """What is due at `now`, the longest due first. `busy`: already in somebody's hands."""
        held = frozenset(busy)
        return await self._readers.ask(lambda db: queries.work(db, states, now, limit, held))

    async def standing_work(self, asset: AssetId) -> list[Work]:
        return await self._readers.ask(lambda db: queries.standing_work(db, asset))

    async def next_due(self, states: Collection[State]) -> int | None:
        return await self._readers.ask(lambda db: queries.next_due(db, states))

    async def asset(self, asset: AssetId) -> Asset | None:
        found = await self.listed([asset])
        return found[0].asset if found else None

    async def listed(self, assets: Iterable[AssetId]) -> list[Listed]:
        """Whole assets with their condition and standing; unknown ids are left out."""
        ids = list(assets)
        return await self._readers.ask(lambda db: listed(db, ids))

    async def standing(self, asset: AssetId) -> list[Standing]:
        found = await self.listed([asset])
        return list(found[0].standing) if found else []

    async def history(self, asset: AssetId, after: int = 0) -> list[HistoryRow]:
        return await self._readers.ask(lambda db: queries.history(db, asset, after))

    async def events(self, after: int, limit: int) -> list[HistoryRow]:
        """The history of all assets, from the row after `after`."""
        return await self._readers.ask(lambda db: queries.events(db, after, limit))

    async def latest_event(self) -> int:
        return await self._readers.ask(lambda db: int(db.execute(queries.LATEST).fetchone()[0]))

    async def find(self, query: str) -> list[AssetId]:
        """By id, path, digest or name, whichever answers first."""
        return await self._readers.ask(lambda db: queries.find(db, query))

    async def assets(
        self,
        *,
        stage: str = "",
        state: str = "",
        since: int | None = None,
        cursor: int | None = None,
        limit: int = 100,
    ) -> list[Listed]:
        """A page, the newest first. `state`: a lane's state, a mark, or an asset's condition."""
        return await self._readers.ask(
            lambda db: queries.page(db, stage, state, since, cursor, limit)
        )

    async def counts(self) -> Counts:
        return await self._readers.ask(queries.counts)

    async def known_sources(self) -> set[SiteKey]:
        """Files in incoming/ that are journalled and not yet taken."""
        return await self._readers.ask(queries.known_sources)

    async def not_in_spool(self, keys: Sequence[SiteKey]) -> list[SiteKey]:
        """Those of these names in processing/ that no original has."""
        sql = "SELECT 1 FROM original WHERE spool_key = ?"
        return await self._readers.ask(
            lambda db: [k for k in keys if db.execute(sql, (to_sql(k),)).fetchone() is None]
        )

    async def made(self, keys: Sequence[SiteKey]) -> list[Made]:
        return await self._readers.ask(lambda db: made(db, keys))

    async def copies_at(self, site: Site, after: SiteKey, limit: int) -> list[Copy]:
        return await self._readers.ask(lambda db: queries.copies_at(db, site, after, limit))

    async def awaited(self, states: Collection[State], after: AssetId, limit: int) -> list[Placed]:
        """The placed files of `limit` assets whose phone lane runs in these states, by asset, from the one after."""
        return await self._readers.ask(lambda db: phone.awaited(db, states, after, limit))

    async def placed_under(self, keys: Sequence[SiteKey]) -> dict[SiteKey, Placed]:
        return await self._readers.ask(lambda db: phone.placed_under(db, keys))

    async def of_bytes(self, digests: Collection[Digest]) -> dict[Digest, list[AssetId]]:
        return await self._readers.ask(lambda db: phone.of_bytes(db, digests))

    async def batches(self, before: BatchId | None, limit: int) -> list[BatchRow]:
        return await self._readers.ask(lambda db: phone.batches(db, before, limit))

    async def batch(self, batch: BatchId) -> BatchRow | None:
        return await self._readers.ask(lambda db: phone.batch(db, batch))

    async def codes_at(self, state: State) -> dict[str, int]:
        return await self._readers.ask(lambda db: queries.codes_at(db, state))

    async def paused(self) -> frozenset[str]:
        return await self._readers.ask(
            lambda db: frozenset(s for (s,) in db.execute("SELECT stage FROM paused"))
        )

    async def runs(self, limit: int = 20) -> list[Run]:
        return await self._readers.ask(lambda db: queries.runs(db, limit))

    async def intents(self) -> list[Intent]:
        return await self._readers.ask(queries.intents)

    async def enrolment(self, site: Site) -> Mapping[str, Any] | None:
        sql = "SELECT marker FROM enrolment WHERE site = ?"
        row = await self._readers.ask(lambda db: db.execute(sql, (site.value,)).fetchone())
        return json.loads(row[0]) if row else None

    # -- Ledger -----------------------------------------------------------------------------------

    async def keepers_of(
        self, lot: Sequence[tuple[AssetId, Sequence[Digest]]]
    ) -> Sequence[AssetId | None]:
        return await self._readers.ask(lambda db: [queries.keeper_of(db, *asked) for asked in lot])

    async def makers_of(
        self, lot: Sequence[tuple[AssetId, Sequence[Digest]]]
    ) -> Sequence[Asset | None]:
        return await self._readers.ask(lambda db: [queries.maker_of(db, *asked) for asked in lot])

    async def partners_of(self, lot: Sequence[Kin]) -> Sequence[Sequence[Partner]]:
        return await self._readers.ask(lambda db: [queries.partners(db, kin) for kin in lot])

    async def open_batches(self, stuck_before: int) -> Sequence[OpenBatch]:
        return await self._readers.ask(lambda db: phone.open_batches(db, stuck_before))

    async def next_batch(self) -> BatchId:
        return await self._readers.ask(phone.next_batch)

    async def names_given(self, keys: Sequence[SiteKey]) -> frozenset[SiteKey]:
        return await self._readers.ask(lambda db: phone.names_given(db, keys))

    async def arriving(self) -> int:
        return await self._readers.ask(phone.arriving)

    # -- looking after itself ---------------------------------------------------------------------

    async def backup(self, path: Path) -> None:
        """A checked copy under `path`, made while the work goes on."""
        await self._readers.aside(partial(backup.save, self.path, path))

    async def prove(self) -> None:
        """Write something durably, or raise what keeps the journal from being written."""
        await self._put("UPDATE meta SET value = value WHERE key = 'clean'", [()])

    async def check(self) -> None:
        """SQLite's own quick look at the whole file. A damaged journal is said to be one, never remade."""
        said = await self._readers.aside(partial(backup.quick_check, self.path))
        if said != "ok":
            raise NeedsOperator(
                f"the journal is damaged ({said}); your files are untouched",
                code="journal.corrupt",
                remedy="restore the newest backup: mediactl restore state/backups/…",
                site="journal",
            )


def _fetched(execute: Callable[..., sqlite3.Cursor], sql: str, row: tuple[Any, ...]) -> list[Any]:
    return execute(sql, row).fetchall()


def _prepare(connection: sqlite3.Connection, path: Path, clock: Clock) -> bool:
    """Edition, law and safety settings. Returns whether the journal was left in disorder."""
    todo = pending(connection, editions())
    was = version(connection)
    if todo and was:
        at = path.parent / "backups" / f"before-{todo[0].name}-{backup.name_at(clock.now())}"
        backup.save(path, at)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_size_limit = 16777216")
    migrate(connection, todo)
    enact(connection)
    row = connection.execute("SELECT value FROM meta WHERE key = 'clean'").fetchone()
    connection.execute("UPDATE meta SET value = 0 WHERE key = 'clean'")
    # Due in years: written while the clock was wrong. Looking too early costs nothing, waiting for it a life.
    connection.execute(
        "UPDATE standing SET due = ?1 WHERE due > ?1 + ?2", (clock.now(), _LONGEST_WAIT_MS)
    )
    return bool(row != (1,))
