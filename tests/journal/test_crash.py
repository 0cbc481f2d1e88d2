"""Guards the journal against kill -9 at any moment: it opens, what was answered is there, and it is consistent."""

import itertools
import random
import subprocess
import sys
from pathlib import Path

import pytest

from mediad.model import BatchId
from mediad.state import WORKFLOWS
from tests.journal.test_counts import batches_are_told, counts_are_true, positions_are_told
from tests.journal.world import World

VICTIM = """
import sys
from pathlib import Path
import anyio
from tests.journal.world import S, World, arrived, hashed, walked

async def one(journal, key):
    asset = await arrived(journal, key)
    await hashed(journal, asset, key)
    await walked(journal, asset, (S.ARCHIVE_DUE, S.ARCHIVED))
    print(key, asset, flush=True)

async def main():
    journal = World(Path(sys.argv[1])).open()
    print("open", flush=True)
    turn = 0
    while True:
        turn += 1
        async with anyio.create_task_group() as tasks:
            for n in range(16):
                tasks.start_soon(one, journal, f"{sys.argv[2]}-{turn}-{n}.jpg")

anyio.run(main)
"""

# One call for each batch of eight: placed with their witnesses, then seen freed without a transition.
PLACER = """
import sys
from pathlib import Path
import anyio
from mediad.journal import Step
from mediad.model import BatchId, Digest, Evidence, Placement, Rung, SiteKey, Witness
from tests.journal.world import S, World, arrived, digest_of, hashed, lawful

async def batch(journal, number, start):
    originals = []
    for n in range(8):
        asset = await arrived(journal, f"{sys.argv[2]}-{number}-{n}.jpg")
        await hashed(journal, asset)
        originals.append((asset, (await journal.asset(asset)).originals[0].id))
    def said(version, *rungs):
        for asset, o in originals:
            p = Placement(o, BatchId(start + number), SiteKey(f"{o}.jpg"), digest_of(f"{o}"), 1, 1, version)
            yield asset, Evidence("x", 1, placements=(p,), witnesses=tuple(Witness(o, r, 1, "x") for r in rungs))
    for at, then, told in ((S.PHONE_DUE, S.BATCHED, said("")), (S.BATCHED, S.PLACED, said("A:1", Rung.INDEXED))):
        await journal.record([Step(asset, lawful(at, then), seen) for asset, seen in told])
    print(start + number, "placed", flush=True)
    await journal.witness([*said("A:1", Rung.PHONE_HAS, Rung.PHONE_FREED)])
    print(start + number, "freed", flush=True)

async def main():
    journal = World(Path(sys.argv[1])).open()
    start = await journal.next_batch()
    await batch(journal, 0, start)
    print("open", flush=True)
    turn = 1
    while True:
        async with anyio.create_task_group() as tasks:
            for n in range(4):
                tasks.start_soon(batch, journal, turn * 4 + n, start)
        turn += 1

anyio.run(main)
"""


@pytest.mark.parametrize("seed", range(3))
async def test_a_killed_journal_opens_whole(world: World, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a moment to kill at, not a secret
    promised: list[int] = []
    for turn in range(3):
        promised += [
            int(n) for _, n in _killed(VICTIM, world.path, turn, chance.uniform(0.0, 0.15))
        ]
        journal = world.open()
        assert journal.was_unclean
        await journal.check()
        assert (await journal.audit()).broken_at is None
        await counts_are_true(journal, world)
        await positions_are_told(journal, WORKFLOWS["vault"])
        done = {p.asset.id for p in await journal.assets(state="archive.verified", limit=100_000)}
        assert set(promised) <= done, "an answer was given for what is not there"
        await journal.close()


@pytest.mark.parametrize("seed", range(3))
async def test_a_kill_tears_no_batch(world: World, seed: int) -> None:
    """What went in with one call is there whole or not at all: placements, the steps, and what was witnessed."""
    chance = random.Random(seed)  # noqa: S311 - a moment to kill at, not a secret
    promised: list[list[str]] = []
    for turn in range(3):
        promised += _killed(PLACER, world.path, turn, chance.uniform(0.0, 0.15))
        journal = world.open()
        await journal.check()
        assert (await journal.audit()).broken_at is None
        await counts_are_true(journal, world)
        await positions_are_told(journal, WORKFLOWS["vault"])
        await batches_are_told(journal)
        for row in await journal.batches(None, 100_000):
            assert len(row.members) == 8
            assert len({(m.state, *(w.rung for w in m.witnesses)) for m in row.members}) == 1
            assert {bool(p.version) for m in row.members for p in m.placements} == {
                bool(m.witnesses) for m in row.members
            }
        for number, word in promised:
            told = await journal.batch(BatchId(int(number)))
            assert told is not None, "an answer was given for what is not there"
            rungs = {w.rung.value for m in told.members for w in m.witnesses}
            assert rungs >= {"placed": {"indexed"}, "freed": {"indexed", "phone-freed"}}[word]
        await journal.close()
        assert len(promised) > 2 * turn, "it was killed before it did anything: nothing was tried"


def _killed(victim_is: str, path: Path, turn: int, after_s: float) -> list[list[str]]:
    """Run the victim, let it answer for a while once it is open, kill it. Returns its answers."""
    repo = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", victim_is, path, str(turn)],
        cwd=repo,
        stdout=subprocess.PIPE,
        text=True,
    ) as victim:
        assert victim.stdout
        answers = list(itertools.takewhile(lambda line: line != "open\n", victim.stdout))
        assert victim.poll() is None, "it ended by itself"
        try:
            victim.wait(after_s)
        except subprocess.TimeoutExpired:
            victim.kill()
        answers += [line for line in victim.stdout if line.endswith("\n")]
    return [line.split() for line in answers]
