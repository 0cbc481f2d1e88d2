"""Guards that a foreign program or decoder can hurt nothing but its own file: not the daemon, not the machine."""

import errno
import os
import select
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from mediad.adapters.workers import Children, Finished, Limits, Workers, run_limited
from mediad.errors import MediadError, NeedsOperator, Refused, Retryable

REPO = Path(__file__).parents[2]
SMALL = Limits(memory_bytes=1 << 30, cpu_s=20, wall_s=20.0, file_bytes=1 << 20)


def python(code: str, cwd: Path, limits: Limits = SMALL) -> Finished:
    return run_limited([sys.executable, "-c", code], limits=limits, cwd=cwd)


def test_what_a_container_makes_a_program_say_is_no_complaint_of_the_file(tmp_path: Path) -> None:
    says = "".join(
        f"{line}\\n"
        for line in (
            "numa_sched_setaffinity_v2_int() failed: Bad", "set_mempolicy: Not permitted",
            "Warning: using insecure memory!", "real trouble",
        )
    )  # fmt: skip
    ended = python(f"import sys; sys.stderr.write('{says}')", tmp_path)
    assert ended.stderr == "real trouble\n"


def test_a_program_is_heard_to_its_end(tmp_path: Path) -> None:
    ended = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", tmp_path)
    assert ended == Finished(3, b"out\n", "err\n")


def test_a_program_runs_alone_in_its_folder_and_steps_aside(tmp_path: Path) -> None:
    ended = python(
        "import os, sys; print(os.getcwd(), os.nice(0), os.getsid(0) == os.getpid(),"
        " sys.stdin.read() == '')",
        tmp_path,
    )
    assert ended.stdout.decode().split() == [str(tmp_path), "10", "True", "True"]


def test_memory_has_an_end(tmp_path: Path) -> None:
    ended = python("bytearray(1 << 31)", tmp_path)
    assert "MemoryError" in ended.stderr


def test_files_have_an_end(tmp_path: Path) -> None:
    ended = python(f"open('large', 'wb').write(bytes({2 << 20}))", tmp_path)
    assert "File too large" in ended.stderr
    assert (tmp_path / "large").stat().st_size <= 1 << 20


def test_cpu_time_has_an_end(tmp_path: Path) -> None:
    ended = python("while True: pass", tmp_path, Limits(memory_bytes=1 << 30, cpu_s=1))
    assert ended.returncode == -signal.SIGXCPU


def test_what_the_system_kills_had_time_left(tmp_path: Path) -> None:
    ended = python("import os; os.kill(os.getpid(), 9)", tmp_path)
    assert ended.returncode == -signal.SIGKILL


def test_a_crash_is_told_and_leaves_no_core(tmp_path: Path) -> None:
    ended = python("import os; os.abort()", tmp_path)
    assert ended.returncode == -6
    assert not list(tmp_path.iterdir())


def test_when_time_is_up_grandchildren_go_too(tmp_path: Path) -> None:
    """In a shell, which is there at once: an interpreter may need longer than it is given."""
    with pytest.raises(Refused) as no:
        run_limited(
            ["sh", "-c", "sleep 600 & echo $! > pid; wait"], limits=Limits(wall_s=1.0), cwd=tmp_path
        )
    assert no.value.code == "compress.timeout"
    ends_soon(int((tmp_path / "pid").read_text()))


def test_a_kernel_that_wakes_nobody_is_asked_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_pid: int) -> int:
        raise OSError(errno.ENOSYS, "")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    assert python("print(7)", tmp_path).stdout == b"7\n"
    with pytest.raises(Refused):
        run_limited(["sleep", "600"], limits=Limits(wall_s=0.1), cwd=tmp_path)


def ends_soon(pid: int) -> None:
    """It was told to: on a machine with much to do it may not have come to dying yet."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([handle], [], [], 30.0)[0]
    finally:
        os.close(handle)


def is_gone(pid: int) -> bool:
    """Or a zombie that nobody has reaped yet."""
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX"


def test_secrets_of_the_environment_stay_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDIAD_ICLOUD__PASSWORD", "hush")
    assert b"hush" not in python("import os; print(dict(os.environ))", tmp_path).stdout


def test_a_missing_program_is_a_matter_for_a_person(tmp_path: Path) -> None:
    with pytest.raises(NeedsOperator) as needed:
        run_limited(["no-such-program-here"], limits=SMALL, cwd=tmp_path)
    assert needed.value.code == "tool.missing"


async def test_cancelled_work_ends_its_programs_and_starts_no_more(tmp_path: Path) -> None:
    children = Children()
    ended: list[Finished] = []

    def work() -> None:
        ended.append(run_limited(["sleep", "60"], limits=SMALL, cwd=tmp_path))

    async with anyio.create_task_group() as tasks:
        with children.adopted():
            tasks.start_soon(anyio.to_thread.run_sync, work)
            while not children._running:  # noqa: ASYNC110 - a thread sets no anyio event
                await anyio.sleep(0.01)
            children.kill()
    assert ended[0].returncode == -9
    with children.adopted(), pytest.raises(Refused):
        run_limited(["true"], limits=SMALL, cwd=tmp_path)


@pytest.fixture
async def crew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Workers]:
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    workers = Workers("tests.adapters.odd_worker", 1, cwd=tmp_path, jobs_each=3)
    yield workers
    await workers.aclose()


async def pid_of(crew: Workers, do: str = "work") -> int:
    return int((await crew.ask({"do": do}, SMALL))["pid"])


async def test_a_worker_does_many_jobs_and_is_then_replaced(crew: Workers) -> None:
    pids = [await pid_of(crew) for _ in range(6)]
    assert pids[0] == pids[1] == pids[2]
    assert pids[3] == pids[4] == pids[5] != pids[0]
    assert is_gone(pids[0])


async def test_a_worker_that_keeps_too_much_memory_is_replaced(crew: Workers) -> None:
    assert await pid_of(crew, "leak") != await pid_of(crew)


@pytest.mark.parametrize("do", ["die", "babble"])
async def test_a_crash_is_the_fault_of_its_file_alone(crew: Workers, do: str) -> None:
    with pytest.raises(Refused) as no:
        await crew.ask({"do": do}, SMALL)
    assert no.value.code == "compress.crashed"
    assert await pid_of(crew)


async def test_what_the_system_killed_says_nothing_about_its_file(crew: Workers) -> None:
    """As it does who takes too much memory."""
    with pytest.raises(Retryable) as later:
        await crew.ask({"do": "be killed"}, SMALL)
    assert later.value.code == "compress.killed"
    assert await pid_of(crew)


async def test_a_worker_with_no_cpu_time_left_took_too_long(crew: Workers) -> None:
    with pytest.raises(Refused) as no:
        await crew.ask({"do": "use it all up"}, SMALL)
    assert no.value.code == "compress.timeout"
    assert await pid_of(crew)


async def test_a_worker_that_hangs_is_stopped(crew: Workers) -> None:
    with pytest.raises(Refused) as no:
        await crew.ask({"do": "hang"}, Limits(wall_s=0.5))
    assert no.value.code == "compress.timeout"
    assert await pid_of(crew)


async def test_a_worker_that_died_while_idle_is_noticed(crew: Workers) -> None:
    first = await pid_of(crew)
    os.kill(first, 9)
    await crew._idle[0].process.wait()
    assert await pid_of(crew) != first


async def test_what_a_worker_says_is_raised_in_our_words(crew: Workers) -> None:
    with pytest.raises(MediadError) as full:
        await crew.ask({"do": "full"}, SMALL)
    assert isinstance(full.value, NeedsOperator)
    assert (full.value.code, full.value.site) == ("space.full", "spool")


KILLED = """
import anyio, os, pathlib, sys
from mediad.adapters.workers import Limits, Workers

async def main():
    crew = Workers("tests.adapters.odd_worker", 1, cwd=pathlib.Path(sys.argv[1]))
    print((await crew.ask({"do": "work"}, Limits()))["pid"], flush=True)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(crew.ask, {"do": "hang"}, Limits())
        await anyio.sleep(0.3)
        os.kill(os.getpid(), 9)

anyio.run(main)
"""


async def test_a_busy_worker_does_not_outlive_a_killed_daemon(tmp_path: Path) -> None:
    killed = await anyio.run_process(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        check=False,
        cwd=REPO,
        env={**os.environ, "PYTHONPATH": str(REPO)},
    )
    assert killed.returncode == -9
    with anyio.fail_after(5):
        while not is_gone(int(killed.stdout)):  # noqa: ASYNC110 - a death sets no anyio event
            await anyio.sleep(0.05)


async def test_cancelling_a_job_ends_its_worker(crew: Workers) -> None:
    first = await pid_of(crew)
    with anyio.move_on_after(0.2):
        await crew.ask({"do": "hang"}, SMALL)
    assert is_gone(first)
