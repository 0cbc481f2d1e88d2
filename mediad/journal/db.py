"""
One thread writes, a few read, nobody else opens the file.

Natural group commit: whatever queued while the last commit was on its way to the disk goes into the next one, so
that the price of durability is per group. There is no timer. An item that fails does so alone, at its savepoint.
docs/decisions/0001-journal-writer-thread.md says why this is not aiosqlite.
"""

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from mediad.errors import Bug, MediadError
from mediad.journal import faults
from mediad.journal.halt import Halt
from mediad.journal.rows import Committed

T = TypeVar("T")

GROUP_ITEMS: Final = 1000
QUEUED_CALLS: Final = 4096  # callers beyond these wait their turn before they queue
BUSY_MS: Final = 5000
# Of pages, for each connection. They stay until it is closed: a reader's come from the system's own cache as well.
WRITER_KIB, READER_KIB = 16 << 10, 4 << 10


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(
        "PRAGMA recursive_triggers = ON"
    )  # so that REPLACE deletes nothing behind a trigger's back
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA cache_size = -{READER_KIB if read_only else WRITER_KIB}")
    return connection


class Tape(Protocol):
    """What the items of a group write through; the writer only begins, marks and turns back."""

    def begin(self) -> None: ...
    def end(self) -> None: ...
    def mark(self) -> object: ...
    def turn_back(self, mark: Any) -> None: ...
    def take(self) -> list[Committed]: ...


@dataclass(slots=True)
class _Call:
    items: Sequence[Callable[[], Any]]
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[list[Any]]


class Writer:
    """`do` returns when its items are durable. Answers of failed items are their MediadError."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        tape: Tape,
        told: Callable[[list[Committed]], None],
    ) -> None:
        self._connection = connection
        self._tape = tape
        self._told = told
        self._queue: deque[_Call] = deque()
        self._wakes = threading.Condition()
        self._closing = False
        self._room = anyio.Semaphore(QUEUED_CALLS, fast_acquire=True)
        self.groups = 0
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    async def do(self, items: Sequence[Callable[[], T]]) -> list[T | MediadError]:
        answers: list[T | MediadError] = []
        for start in range(0, len(items), GROUP_ITEMS):
            async with self._room:
                answers += await self._queued(items[start : start + GROUP_ITEMS])
        return answers

    def _queued(self, items: Sequence[Callable[[], T]]) -> "asyncio.Future[list[T | MediadError]]":
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[T | MediadError]] = loop.create_future()
        with self._wakes:
            if self._closing:
                raise Bug("the journal was used after it was closed", code="journal.closed")
            self._queue.append(_Call(items, loop, answer))
            self._wakes.notify()
        return answer

    async def close(self) -> None:
        """What is queued is still written; then the thread ends."""
        with self._wakes:
            self._closing = True
            self._wakes.notify()
        await anyio.to_thread.run_sync(self._thread.join)

    # -- the thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        while group := self._next_group():
            answers = self._write(group)
            committed = self._tape.take()
            self.groups += 1
            loop = group[0].loop
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._resolve, group, answers, committed)

    def _next_group(self) -> list[_Call]:
        with self._wakes:
            while not self._queue and not self._closing:
                self._wakes.wait()
            group: list[_Call] = []
            room = GROUP_ITEMS
            while self._queue and (not group or len(self._queue[0].items) <= room):
                group.append(self._queue.popleft())
                room -= len(group[-1].items)
            return group

    def _write(self, group: Sequence[_Call]) -> list[list[Any] | BaseException]:
        """One transaction. If it cannot be committed, every item of it gets the reason."""
        execute = self._connection.execute
        start = self._tape.mark()
        try:
            execute("BEGIN IMMEDIATE")
            self._tape.begin()
            answers = self._answers(group)
            self._tape.end()
            execute("COMMIT")
        except sqlite3.Error as fault:
            self._give_up(start)
            why = faults.ours(fault)
            return [[why] * len(call.items) for call in group]
        except BaseException as mistake:  # noqa: BLE001 - carried to those who asked; the thread lives
            self._give_up(start)
            return [mistake] * len(group)
        return answers

    def _give_up(self, start: object) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._tape.turn_back(start)

    def _answers(self, group: Sequence[_Call]) -> list[list[Any] | BaseException]:
        if len(group) > 1:
            return [self._call(call) for call in group]
        [call] = group
        answers = self._bare(call)
        return [self._each(call) if answers is None else answers]

    def _bare(self, call: _Call) -> list[Any] | None:
        """
        A single caller's items need no savepoint: the transaction is one. None: one of them failed, and none was.

        Every statement with a trigger walks through all the pages that a savepoint has kept.
        """
        start = self._tape.mark()
        try:
            return [item() for item in call.items]
        except (sqlite3.Error, MediadError):
            self._give_up(start)
            self._connection.execute("BEGIN IMMEDIATE")
            return None

    def _call(self, call: _Call) -> list[Any] | BaseException:
        """All items at once; if one of them fails, none was, and then each by itself: a savepoint has its price."""
        try:
            together = self._item(lambda: [item() for item in call.items])
        except sqlite3.Error:
            raise
        except BaseException as mistake:  # noqa: BLE001 - carried to the one who asked; the thread lives
            return mistake
        return together if isinstance(together, list) else self._each(call)

    def _each(self, call: _Call) -> list[Any] | BaseException:
        try:
            return [self._item(item) for item in call.items]
        except sqlite3.Error:
            raise
        except BaseException as mistake:  # noqa: BLE001 - likewise
            return mistake

    def _item(self, item: Callable[[], T]) -> T | MediadError:
        execute = self._connection.execute
        mark = self._tape.mark()
        execute("SAVEPOINT item")
        try:
            answer: T | MediadError = item()
        except sqlite3.Error as fault:
            if not self._connection.in_transaction:  # SQLite gave the whole transaction up
                raise
            answer = faults.ours(fault)
            self._undo(mark)
        except MediadError as fault:
            answer = fault
            self._undo(mark)
        except BaseException:
            self._undo(mark)
            raise
        execute("RELEASE item")
        return answer

    def _undo(self, mark: object) -> None:
        self._connection.execute("ROLLBACK TO item")
        self._tape.turn_back(mark)

    # -- back in the loop -------------------------------------------------------------------------

    def _resolve(
        self,
        group: Sequence[_Call],
        answers: Sequence[list[Any] | BaseException],
        committed: list[Committed],
    ) -> None:
        for call, answer in zip(group, answers, strict=True):
            if call.answer.done():  # the caller was cancelled; what it wrote stands
                continue
            if isinstance(answer, BaseException):
                call.answer.set_exception(answer)
            else:
                call.answer.set_result(answer)
        if committed:
            self._told(committed)


class Readers:
    """Read-only connections, opened when needed, each question in one snapshot."""

    def __init__(self, path: Path, most: int = 4) -> None:
        self._path = path
        self._idle: deque[sqlite3.Connection] = deque()
        self._limiter = anyio.CapacityLimiter(most)

    async def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        return await anyio.to_thread.run_sync(self._ask, question, limiter=self._limiter)

    async def aside(self, deed: Callable[[Halt], T]) -> T:
        """Something longer that opens a connection of its own. Cancelled, it is halted and its end waited for."""
        halt = Halt()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_ask_when_over, halt)
            outcome = await anyio.to_thread.run_sync(_outcome, deed, halt, limiter=self._limiter)
            tasks.cancel_scope.cancel()
        await anyio.lowlevel.checkpoint_if_cancelled()  # what a halted deed says is nobody's fault
        return outcome()

    def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        with self._connection() as connection:
            try:
                connection.execute("BEGIN")
                try:
                    return question(connection)
                finally:
                    connection.execute("ROLLBACK")
            except sqlite3.Error as fault:
                raise faults.ours(fault) from fault

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = connect(self._path, read_only=True)
            connection.execute("PRAGMA query_only = ON")
        try:
            yield connection
        finally:
            self._idle.append(connection)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


async def _ask_when_over(halt: Halt) -> None:
    try:
        await anyio.sleep_forever()
    finally:
        halt.ask()


def _outcome(deed: Callable[[Halt], T], halt: Halt) -> Callable[[], T]:
    """A task group would wrap what is raised within it."""
    try:
        answer = deed(halt)
    except BaseException as fault:  # noqa: BLE001 - raised where it was asked for
        return partial(_raised, fault)
    return lambda: answer


def _raised(fault: BaseException) -> NoReturn:
    raise fault
