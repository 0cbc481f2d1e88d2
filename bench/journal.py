"""The journal: transitions a second with 128 in flight, in journals of 10 to a million assets, beside raw SQLite."""

import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import anyio
from blake3 import blake3

from bench.side import Table, compare, fresh, single
from mediad.journal import Arrival, Journal, Step
from mediad.model import AssetId, Copy, Digest, Evidence, OriginalId, Place, Site, SiteKey
from mediad.state import TRANSITIONS, WORKFLOWS, State, Transition

SIZES: Final = (10, 1_000, 100_000, 1_000_000)
IN_FLIGHT: Final = 128
ASSETS: Final = 1_280  # moved in one run

S = State
LAW: Final = {(t.at, t.then): t for t in TRANSITIONS}
ROUTE: Final = tuple(
    LAW[pair]
    for pair in (
        (S.SEEN, S.SETTLED), (S.SETTLED, S.HASHED), (S.ARCHIVE_DUE, S.ARCHIVED), (S.LIBRARY_DUE, S.COMPRESSED),
        (S.COMPRESSED, S.SORTED), (S.PHONE_DUE, S.BATCHED), (S.BATCHED, S.PLACED), (S.PLACED, S.ON_PHONE),
        (S.ON_PHONE, S.RELEASED), (S.CLEANABLE, S.CLEANED),
    )
)  # fmt: skip

FILL: Final = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
INSERT INTO asset (id, name, kind, source, seen_at, identity, condition)
SELECT i, 'IMG_' || i || '.HEIC', 'photo', 'folder', i, randomblob(32), 'completed' FROM n;
INSERT INTO original (id, asset, role, name, source_key, spool_key, size, mtime_ns, taken, digest, media, group_key)
SELECT id, id, 'primary', name, name, id || name, 3000000, 1, 1, identity, 'heic', '/img_' || id FROM asset;
INSERT INTO standing (asset, lane, state, mark)
SELECT id, lane, lane || word, 'final' FROM asset, (SELECT 'intake' AS lane, '.hashed' AS word
  UNION ALL SELECT 'archive', '.verified' UNION ALL SELECT 'library', '.sorted'
  UNION ALL SELECT 'phone', '.released' UNION ALL SELECT 'spool', '.cleaned') ORDER BY id;
INSERT INTO copy (original, site, key, digest, verified_at, method)
SELECT id, 'archive', '2024/07/' || name, digest, 1, 'dontneed' FROM original;
INSERT INTO history (asset, at, stage, from_state, to_state, skipped, evidence, chain)
SELECT id, 1, stage, was, became, 0, '{{"kind":"read-back"}}', zeroblob(32) FROM asset,
  (SELECT 'arrive' AS stage, '' AS was, 'intake.seen' AS became
   UNION ALL SELECT 'settle', 'intake.seen', 'intake.settled'
   UNION ALL SELECT 'hash', 'intake.settled', 'intake.hashed'
   UNION ALL SELECT 'archive', 'archive.due', 'archive.verified') ORDER BY id;
"""


class Wall:
    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    def jitter(self) -> float:
        return 0.5


def no_stage_off() -> Mapping[str, str]:
    return {}


def opened(path: Path) -> Journal:
    return Journal.open(path, Wall(), law=lambda: WORKFLOWS["vault"], off=no_stage_off)


async def made(path: Path, assets: int) -> None:
    await opened(path).close()
    filling = sqlite3.connect(path)
    filling.execute("PRAGMA synchronous = OFF")
    filling.executescript(FILL.format(count=assets))
    filling.commit()
    filling.close()


def evidence(step: Transition, asset: AssetId, original: OriginalId) -> Evidence:
    digest = Digest(blake3(f"{asset}".encode()).hexdigest())
    match step.then:
        case S.HASHED:
            return Evidence("rename", 1, identity=digest)
        case S.ARCHIVED:
            place = Place(Site.ARCHIVE, SiteKey(f"2024/07/{asset}.HEIC"))
            return Evidence("read-back", 1, copies=(Copy(original, place, digest, 1, "dontneed"),))
        case _:
            return Evidence("stat", 1)


def steps(asset: AssetId) -> Iterator[Step]:
    for step in ROUTE:
        yield Step(asset, step, evidence(step, asset, OriginalId(asset)))


async def ours(path: Path, lot: int) -> float:
    """`lot` steps a call; as many calls at once as make 128 in flight."""
    journal = opened(path)
    mark = time.monotonic_ns()
    arrivals = [
        Arrival(SiteKey(f"{mark}/{n}.HEIC"), f"{n}.HEIC", 3_000_000, 1) for n in range(ASSETS)
    ]
    assets = [a for a in await journal.arrive(arrivals) if a is not None]
    lots = [assets[i : i + lot] for i in range(0, len(assets), lot)]

    async def worker() -> None:
        while lots:
            mine = [steps(a) for a in lots.pop()]
            for _ in ROUTE:
                answers = await journal.record([next(s) for s in mine])
                for answer in answers:
                    if isinstance(answer, Exception):
                        raise answer

    began = time.monotonic()
    async with anyio.create_task_group() as tasks:
        for _ in range(IN_FLIGHT // lot):
            tasks.start_soon(worker)
    took = time.monotonic() - began
    await journal.close()
    return ASSETS * len(ROUTE) / took


def raw(path: Path, group: int, assets: int) -> float:
    """A loop without a daemon: one UPDATE and one INSERT a transition, `group` of them a commit, same durability."""
    plain = sqlite3.connect(path, isolation_level=None)
    plain.execute("PRAGMA synchronous = FULL")
    top: int = plain.execute("SELECT max(id) FROM file").fetchone()[0] or 0
    plain.execute("BEGIN")
    files = range(top + 1, top + 1 + assets)
    plain.executemany("INSERT INTO file VALUES (?, 'intake.seen', 0)", [(f,) for f in files])
    plain.execute("COMMIT")
    began = time.monotonic()
    for first in range(0, assets, group):
        for step in ROUTE:
            plain.execute("BEGIN")
            for file in files[first : first + group]:
                plain.execute(
                    "UPDATE file SET state = ?, due = 1 WHERE id = ?", (step.then.value, file)
                )
                plain.execute(
                    "INSERT INTO event (file, at, was, now, evidence) VALUES (?, 1, ?, ?, ?)",
                    (file, step.at.value, step.then.value, '{"kind":"stat","at":1}'),
                )
            plain.execute("COMMIT")
    took = time.monotonic() - began
    plain.close()
    return assets * len(ROUTE) / took


def made_raw(path: Path, files: int) -> None:
    plain = sqlite3.connect(path)
    plain.executescript(
        f"""PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; BEGIN;
        CREATE TABLE file (id INTEGER PRIMARY KEY, state TEXT, due INTEGER) STRICT;
        CREATE TABLE event (seq INTEGER PRIMARY KEY, file INTEGER, at INTEGER, was TEXT, now TEXT, evidence TEXT)
          STRICT;
        CREATE INDEX work ON file (state, due);
        CREATE INDEX event_file ON event (file);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {files})
        INSERT INTO file SELECT i, 'spool.cleaned', 0 FROM n;
        INSERT INTO event (file, at, was, now, evidence)
          SELECT id, 1, 'archive.due', 'archive.verified', '{{"kind":"read-back"}}'
          FROM file, (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4);
        COMMIT;"""  # noqa: S608 - a number of ours
    )
    plain.close()


async def asked(path: Path) -> dict[str, float]:
    """What status and the engine ask all the time, in milliseconds (the best of 20)."""
    journal = opened(path)
    states = frozenset({S.ARCHIVE_DUE})
    questions: dict[str, Callable[[], Awaitable[object]]] = {
        "counts": journal.counts,
        "work": partial(journal.work, states, 1 << 50, 128),
        "list failed": partial(journal.assets, state="failed"),
        "list newest 100": journal.assets,
        "find by name": partial(journal.find, "IMG_7.HEIC"),
    }
    best: dict[str, float] = {}
    for name, ask in questions.items():
        for _ in range(20):
            began = time.perf_counter()
            await ask()
            best[name] = min(best.get(name, 1e9), (time.perf_counter() - began) * 1e3)
    await journal.close()
    return best


def _in_turn(run_one: Callable[[], float], _: int) -> float:
    return run_one()


def run(rounds: int) -> list[Table]:
    tables = []
    for size in SIZES:
        folder = fresh(f"journal-{size}")
        anyio.run(made, folder / "journal.db", size)
        made_raw(folder / "raw.db", size)
        whole = folder / "journal.db"
        grain = whole.stat().st_size / size
        beside = folder / "raw.db"
        contenders: dict[str, Callable[[], float]] = {
            "mediad, lots of 64": partial(anyio.run, ours, whole, 64),
            "mediad, one a call": partial(anyio.run, ours, whole, 1),
            "raw sqlite3, 128 a commit": partial(raw, beside, IN_FLIGHT, ASSETS),
            "raw sqlite3, 1 a commit": partial(raw, beside, 1, 64),
        }
        table = Table(
            f"journal of {size} assets: transitions, {IN_FLIGHT} in flight",
            "python -m bench journal",
            compare(
                {name: partial(_in_turn, run_one) for name, run_one in contenders.items()},
                "transitions/s",
                rounds=rounds,
                ours="mediad, lots of 64",
            ),
            note="The raw loop updates one row and inserts one; mediad also checks the law, seals the history, keeps"
            " the copies, lanes, gates and tallies, and answers each caller.",
        )
        table.rows += [single(f"{n}", "ms", [t]) for n, t in anyio.run(asked, whole).items()]
        if size >= SIZES[1]:
            table.rows.append(single("size on disk", "bytes an asset", [grain]))
        tables.append(table)
    return tables
