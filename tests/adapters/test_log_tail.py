"""Guards following the log: bounded memory, nothing lost for who keeps up, open to every thread."""

import anyio
from anyio import to_thread

from mediad.adapters.log_tail import KEPT, WAITING, Tail


def test_only_the_last_lines_are_kept() -> None:
    tail = Tail()
    for number in range(KEPT + 10):
        tail.add({"n": number})
    assert len(tail.recent()) == KEPT
    assert [line["n"] for line in tail.recent(2)] == [KEPT + 8, KEPT + 9]
    assert tail.recent(0) == []


async def test_a_follower_hears_what_other_threads_say() -> None:
    tail = Tail()
    tail.add({"n": "before"})

    def talk() -> None:
        for number in range(50):
            tail.add({"n": number})

    async with tail.follow() as follower, anyio.create_task_group() as group:
        group.start_soon(to_thread.run_sync, talk)
        heard = [(await anext(follower))["n"] for _ in range(50)]
    assert heard == list(range(50))
    tail.add({"n": "after"})
    assert follower.missed == 0


async def test_who_reads_too_slowly_misses_the_oldest_and_is_told() -> None:
    tail = Tail()
    async with tail.follow() as follower:
        for number in range(WAITING + 7):
            tail.add({"n": number})
        await anyio.lowlevel.checkpoint()
        assert (await anext(follower))["n"] == 7
        assert follower.missed == 7
