"""Guards the tallies and the positions: after any run of events they equal what the rows and the history say."""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import anyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediad.errors import MediadError
from mediad.journal import Arrival, Journal, Mark, Park, Step
from mediad.journal.migrate import ARRIVE, MERGE, WITNESS
from mediad.model import (
    AssetId,
    BatchId,
    Evidence,
    OriginalId,
    Place,
    Placement,
    Rendition,
    Rung,
    Site,
    SiteKey,
    Witness,
)
from mediad.state import (
    TRANSITIONS,
    WORKFLOWS,
    Lane,
    Position,
    State,
    Transition,
    Workflow,
    advance,
)
from tests.journal.world import PHONE_OFF, World, arrived, copy_of, digest_of, hashed, whole_asset

MARKS: Final = ("waiting", "retry", "failed", "held")
CLOUD_OFF: Final = dict.fromkeys(("upload", "mark", "delete"), "off")

# (what, which asset, which of the lawful next steps or marks)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "arrive",
                *["step"] * 8,
                "park",
                "merge",
                "retry",
                "intend",
                "reconsider",
                "hear",
            ]
        ),
        st.integers(0, 5),
        st.integers(0, 7),
    ),
    min_size=1,
    max_size=60,
)


class Story:
    """Plays random events, lawful for the most part."""

    def __init__(self, world: World, journal: Journal) -> None:
        self.world, self.journal = world, journal
        self.assets: list[AssetId] = []

    async def play(self, what: str, which: int, choice: int) -> None:
        self.world.clock.advance(1)
        if what == "arrive" or not self.assets:
            await self.arrive(choice)
            return
        asset = self.assets[which % len(self.assets)]
        other = self.assets[choice % len(self.assets)]
        match what:
            case "step":
                await self.step(asset, choice)
            case "park":
                lane = list(Lane)[choice % len(Lane)]
                due = self.world.clock.now() + 9
                await self.journal.park([Park(asset, lane, MARKS[choice % 4], due, "because")])
            case "merge" if asset != other:
                await self.merge(asset, other)
            case "retry":
                await self.journal.retry(None if choice % 2 else [asset], [Mark.FAILED, Mark.HELD])
            case "hear":
                await self.hear(asset, choice)
            case "intend":
                await self.journal.intend([asset], "clean")
            case _:
                self.world.off = PHONE_OFF if choice % 2 else {**PHONE_OFF, **CLOUD_OFF}
                await self.journal.reconsider()

    async def hear(self, asset: AssetId, choice: int) -> None:
        """Something that moves nothing: of the phone's doing, and that it is time to look."""
        freed = Witness(OriginalId(asset), Rung.PHONE_FREED, choice, "deletion")
        await self.journal.witness([(asset, Evidence("index", 1, witnesses=(freed,)))])
        await self.journal.rouse(None if choice % 2 else [asset], list(State))

    async def arrive(self, choice: int) -> None:
        found = await self.journal.arrive(
            [Arrival(SiteKey(f"{choice}.jpg"), "x.jpg", 10 + choice, 1)]
        )
        self.assets += [a for a in found if a is not None]

    async def merge(self, guest: AssetId, host: AssetId) -> None:
        try:
            await self.journal.merge(guest, host, Evidence("name", 1))
        except MediadError as refusal:
            assert refusal.code in {"journal.moved_on", "journal.too_late", "journal.unlawful"}  # noqa: PT017 - both ways are right

    async def step(self, asset: AssetId, choice: int) -> None:
        position = frozenset(s.state for s in await self.journal.standing(asset))
        lawful = [t for t in TRANSITIONS if t.at in position and t.stage != "join"]
        if lawful:
            step = lawful[choice % len(lawful)]
            whole = await self.journal.asset(asset)
            assert whole is not None
            seen = _evidence(step, choice, [o.id for o in whole.originals])
            await self.journal.record([Step(asset, step, seen)])


def _evidence(step: Transition, choice: int, originals: Sequence[OriginalId]) -> Evidence:
    first = originals[0]
    match step.then:
        case State.HASHED:
            return Evidence("rename", 1, identity=digest_of(str(choice)))
        case State.COMPRESSED:
            place = Place(Site.SPOOL, SiteKey(f"r{choice}"))
            return Evidence(
                "judge",
                1,
                renditions=(Rendition(first, f"p/{choice % 2}", place, digest_of("r"), choice),),
            )
        case State.SORTED:
            return Evidence("rename", 1, gone=(Place(Site.SPOOL, SiteKey(f"r{choice}")),))
        case State.BATCHED | State.PLACED:
            batch, version = BatchId(1 + choice % 2), "" if step.then is State.BATCHED else "A:1"
            key, sent = SiteKey(f"{first}-{choice % 2}.jpg"), digest_of(f"{first}-{choice % 2}")
            return Evidence("x", 1, placements=(Placement(first, batch, key, sent, 1, 1, version),))
        case State.ARCHIVED:
            return Evidence("read-back", 1, copies=(copy_of(first, Site.ARCHIVE, f"{first}"),))
        case _:
            return Evidence("stat", 1)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS, st.sampled_from(sorted(WORKFLOWS)), st.booleans())
def test_counts_and_positions_are_what_the_rows_and_the_history_say(
    events: list[tuple[str, int, int]],
    preset: str,
    phone_is_off: bool,  # noqa: FBT001 - drawn
) -> None:
    anyio.run(_played, events, WORKFLOWS[preset], PHONE_OFF if phone_is_off else {})


async def _played(
    events: list[tuple[str, int, int]], workflow: Workflow, off: Mapping[str, str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder) / "journal.db", workflow=workflow, off=off)
        journal = world.open()
        story = Story(world, journal)
        for n in range(2):  # two are past intake, where many a story ends
            story.assets.append(await arrived(journal, f"past {n}.jpg"))
            await hashed(journal, story.assets[n])
        for event in events:
            await story.play(*event)
        await counts_are_true(journal, world)
        await positions_are_told(journal, workflow)
        assert (await journal.audit()).broken_at is None
        await batches_are_told(journal)
        await journal.close()
        with world.sqlite() as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert db.execute("PRAGMA foreign_key_check").fetchall() == []


async def counts_are_true(journal: Journal, world: World) -> None:
    counts = await journal.counts()
    with world.sqlite() as db:
        standing = Counter(db.execute("SELECT state, mark FROM standing").fetchall())
        conditions = Counter(c for (c,) in db.execute("SELECT condition FROM asset"))
        stages = Counter(db.execute("SELECT stage, skipped FROM history").fetchall())
        [volume] = db.execute("SELECT coalesce(sum(size), 0) FROM original").fetchone()
        smaller = db.execute(
            "SELECT coalesce(sum(r.size), 0), coalesce(sum(o.size), 0) - coalesce(sum(r.size), 0)"
            " FROM rendition r JOIN original o ON o.id = r.original"
        ).fetchone()
    assert dict(counts.standing) == standing
    assert {c: n for c, n in counts.conditions.items() if n} == conditions
    assert {s: n for s, n in counts.done.items() if n} == {
        s: n for (s, k), n in stages.items() if not k
    }
    assert {s: n for s, n in counts.skipped.items() if n} == {
        s: n for (s, k), n in stages.items() if k
    }
    assert counts.original_bytes == volume
    arriving = sum(
        n for (s, m), n in standing.items() if Mark(m).runs and State(s).lane is Lane.INTAKE
    )
    assert await journal.arriving() == arriving
    assert (counts.rendition_bytes, counts.saved_bytes) == smaller


async def batches_are_told(journal: Journal) -> None:
    """Every file of a batch is the file of an asset that says so, and an open batch has one on its way."""
    rows = await journal.batches(None, 100)
    for row in rows:
        for member in row.members:
            [listed] = await journal.listed([member.asset])
            assert member.state in listed.position
            originals = {o.id for o in listed.asset.originals}
            assert {p.original for p in member.placements} <= originals
            newest = [p for p in listed.asset.placements if p.batch == row.id]
            assert set(newest) <= set(member.placements)
    on_way: Counter[BatchId] = Counter()
    for row in rows:
        for member in row.members:
            if member.state in {State.BATCHED, State.PLACED} and member.mark.runs:
                now = (await whole_asset(journal, member.asset)).placements
                on_way[row.id] += len(set(now) & set(member.placements))
    opened = {b.id: b.pending for b in await journal.open_batches(0)}
    assert opened == {batch: n for batch, n in on_way.items() if n}


async def positions_are_told(journal: Journal, workflow: Workflow) -> None:
    """Replaying the history by the law gives exactly where each asset stands."""
    told: dict[AssetId, Position] = defaultdict(frozenset)
    for row in await journal.events(0, 100_000):
        if row.stage == ARRIVE:
            assert row.to_state
            told[row.asset] = frozenset({row.to_state})
        elif row.stage == MERGE:
            told[row.asset] = frozenset()
        elif row.stage == WITNESS:
            assert (row.from_state, row.to_state) == (None, None)
        else:
            assert row.from_state
            assert row.to_state
            step = Transition(row.from_state, row.stage, row.to_state)
            told[row.asset] = advance(told[row.asset], step, workflow)
    for listed in await journal.listed(told):
        assert listed.position == told[listed.asset.id], listed.asset.id
