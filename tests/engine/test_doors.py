"""Guards a stage's door: shut, it takes nothing and writes nothing; it is asked again when it may be open."""

from pathlib import Path

import anyio
import anyio.lowlevel

from mediad.model import Asset
from mediad.ports import Ports
from mediad.stages.verdict import Leave, Verdict, Wait
from mediad.state import State
from tests.engine.world import SOON_S, Play, world


class Door:
    """Shut until a test opens it; counts how often it is asked."""

    def __init__(self, until: int) -> None:
        self.until = until
        self.is_shut = True
        self.asked = 0

    async def __call__(self, _: Ports) -> Wait | None:
        self.asked += 1
        return Wait(self.until, "one at a time") if self.is_shut else None


FAR = 1 << 60


async def test_behind_a_shut_door_nothing_is_taken_and_it_is_no_work_to_wait_for(
    tmp_path: Path,
) -> None:
    door = Door(FAR)
    play = Play(door=door)
    async with world(tmp_path, play) as w:
        assets = await w.drop("a.jpg", "b.jpg")
        w.engine.wake()
        await w.idle()
        assert play.looks == []
        assert await w.marks(assets) == ["ready", "ready"]
        assert w.engine.closed("settle") == "one at a time"


async def test_a_door_is_asked_again_when_it_is_rung(tmp_path: Path) -> None:
    door = Door(FAR)
    play = Play(door=door)
    async with world(tmp_path, play) as w:
        assets = await w.drop("a.jpg")
        w.engine.wake()
        await w.idle()
        door.is_shut = False
        w.engine.wake()
        await play.until_looked(1)
        await w.idle()
        assert await w.marks(assets) == ["intake.settled"]
        assert w.engine.closed("settle") == ""


async def test_a_transition_that_may_open_the_door_rings_it(tmp_path: Path) -> None:
    """The second stage's door is rung by what the first one does to another asset."""
    door = Door(FAR)
    first = Play()
    second = Play(
        "hash", State.SETTLED, State.QUARANTINED, door=door, rung_by=frozenset({State.SETTLED})
    )

    async def opened(_: object) -> None:
        door.is_shut = False

    first.lot = opened
    async with world(tmp_path, first, second) as w:
        [asset] = await w.drop("a.jpg")
        w.engine.wake()
        await second.until_looked(1)
        await w.idle()
        assert (await w.intake(asset)).state is State.QUARANTINED


async def test_what_is_left_stays_as_it_was_and_is_not_read_again_at_once(tmp_path: Path) -> None:
    def leave(_: Asset, __: object) -> Verdict:
        return Leave("not its turn")

    play = Play()
    play.rule = leave
    async with world(tmp_path, play) as w:
        [asset] = await w.drop("a.jpg")
        w.engine.wake()
        await play.until_looked(1)
        await w.engine.until_quiet()
        standing = await w.intake(asset)
        assert (standing.mark, standing.why, standing.attempts) == ("ready", "", 0)
        assert play.looks == ["a.jpg"]  # the runner rests
        w.clock.advance(2)
        w.engine.wake()
        await play.until_looked(2)


async def test_what_is_left_leaves_the_others_of_its_lot_alone(tmp_path: Path) -> None:
    play = Play()
    play.rule = lambda a, _: Leave("not its turn") if a.name == "b.jpg" else play.done()
    async with world(tmp_path, play) as w:
        assets = await w.drop("a.jpg", "b.jpg", "c.jpg")
        w.engine.wake()
        await play.until_looked(3)
        await w.engine.until_quiet()
        assert await w.marks(assets) == ["intake.settled", "ready", "intake.settled"]


async def test_a_runner_whose_door_does_not_answer_is_told_as_stuck(tmp_path: Path) -> None:
    asked, answer = anyio.Event(), anyio.Event()

    async def door(_: Ports) -> Wait | None:
        asked.set()
        await answer.wait()
        return None

    play = Play(door=door)
    async with world(tmp_path, play) as w:
        await w.drop("a.jpg")
        w.engine.wake()
        await asked.wait()
        assert w.engine.stuck(60) == []
        w.clock.advance(61)
        assert w.engine.stuck(60) == ["runner settle"]
        answer.set()
        await play.until_looked(1)
        await w.idle()
        with anyio.fail_after(SOON_S):
            while w.engine.stuck(60):  # it may be asking once more just now
                await anyio.lowlevel.checkpoint()
