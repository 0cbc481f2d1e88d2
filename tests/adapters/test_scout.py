"""Guards that what hangs holds one thread, however often it is asked, and that its end is heard."""

import threading
from threading import Thread

import anyio
import pytest

from mediad.adapters.scout import Scout

SOON_S = 20.0


async def test_the_answer_is_that_of_the_question_and_a_fault_is_raised_where_it_was_asked() -> (
    None
):
    scout = Scout()
    assert await scout.ask(lambda: threading.current_thread().name) == "scout"

    def fails() -> None:
        raise OSError(5, "I/O error")

    with pytest.raises(OSError, match="I/O error"):
        await scout.ask(fails)
    assert await scout.ask(lambda: 7) == 7


async def test_a_server_that_hangs_all_weekend_holds_one_thread() -> None:
    scout, comes_back, asked = Scout(), threading.Event(), [0]

    def hang() -> int:
        asked[0] += 1
        comes_back.wait(SOON_S)
        return asked[0]

    for _ in range(50):
        with anyio.move_on_after(0.001):
            await scout.ask(hang)
    assert asked == [1]
    assert len([t for t in threading.enumerate() if t.name == "scout"]) == 1
    with anyio.fail_after(SOON_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(scout.ask, hang)
            comes_back.set()
        assert asked == [2], "an answer of its own, not the one from before it asked"


async def test_several_at_once_are_all_answered_one_after_the_other() -> None:
    scout, inside, most = Scout(), [0], [0]
    answers: list[int] = []

    def look() -> int:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        inside[0] -= 1
        return 7

    async def ask() -> None:
        answers.append(await scout.ask(look))

    with anyio.fail_after(SOON_S):
        async with anyio.create_task_group() as tasks:
            for _ in range(9):
                tasks.start_soon(ask)
    assert answers == [7] * 9
    assert most == [1]


async def test_without_a_thread_to_be_had_the_next_one_is_not_kept_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scout = Scout()

    def start(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as poor:
        poor.setattr(Thread, "start", start)
        with pytest.raises(RuntimeError, match="can't start"):
            await scout.ask(lambda: 1)
    with anyio.fail_after(SOON_S):
        assert await scout.ask(lambda: 1) == 1
