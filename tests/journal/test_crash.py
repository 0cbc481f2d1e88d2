"""Guards the journal against kill -9 at any moment: it opens, what was answered is there, and it is consistent."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from mediad.state import WORKFLOWS
from tests.journal.test_counts import counts_are_true, positions_are_told
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


@pytest.mark.parametrize("seed", range(3))
async def test_a_killed_journal_opens_whole(world: World, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a moment to kill at, not a secret
    promised: list[int] = []
    for turn in range(3):
        promised += _killed(world.path, turn, chance.uniform(0.0, 0.15))
        journal = world.open()
        assert journal.was_unclean
        await journal.check()
        assert (await journal.audit()).broken_at is None
        await counts_are_true(journal, world)
        await positions_are_told(journal, WORKFLOWS["vault"])
        done = {p.asset.id for p in await journal.assets(state="archive.verified", limit=100_000)}
        assert set(promised) <= done, "an answer was given for what is not there"
        await journal.close()


def _killed(path: Path, turn: int, after_s: float) -> list[int]:
    """Run the victim, let it answer for a while, kill it. Returns the assets for which it had an answer."""
    repo = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM, path, str(turn)], cwd=repo, stdout=subprocess.PIPE, text=True
    ) as victim:
        assert victim.stdout
        assert victim.stdout.readline() == "open\n"
        try:
            victim.wait(after_s)
        except subprocess.TimeoutExpired:
            victim.kill()
        lines = [line.split() for line in victim.stdout if line.endswith("\n")]
    return [int(asset) for _, asset in lines]
