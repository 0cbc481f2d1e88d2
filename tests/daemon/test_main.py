"""Guards the daemon's words and exit codes: what it says before there is a log, and to whom it gives way."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mediad import __version__
from mediad.daemon import EX_CONFIG, EX_RUNNING, main
from mediad.journal import Lock

MEDIAD = Path(sys.executable).parent / "mediad"
BAD = '[archive]\nenabled = "perhaps"\ntempalte = "x"\n\n[pools]\nhash = -1\n'


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No variables of the machine, and its signals as they were."""
    for name in [n for n in os.environ if n.startswith("MEDIAD_")]:
        monkeypatch.delenv(name)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def config(folder: Path, text: str) -> str:
    file = folder / "mediad.toml"
    file.write_text(text)
    return str(file)


def test_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mediad {__version__}\n"


def test_a_good_configuration_is_checked_without_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", config(tmp_path, 'root = "photos"\n'), "--check"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")
    assert not (tmp_path / "photos").exists(), "a check makes nothing"


def test_a_check_names_every_fault_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config(tmp_path, f'root = "photos"\n{BAD}')
    assert main(["--config", file, "--check"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        [f"{file}:3", "archive.enabled"],
        [f"{file}:4", "archive.tempalte"],
        [f"{file}:7", "pools.hash"],
    ]
    assert "template" in lines[1], "the nearest name is told"


def test_a_wrong_configuration_starts_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", config(tmp_path, f'root = "photos"\n{BAD}')]) == EX_CONFIG == 78
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 3
    assert not (tmp_path / "photos").exists()


@pytest.mark.parametrize("words", [["--check"], []])
def test_a_file_that_is_not_there_is_a_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main(["--config", str(tmp_path / "none.toml"), *words]) == (2 if words else 78)
    said = capsys.readouterr()
    assert str(tmp_path / "none.toml") in said.out + said.err


def test_the_environment_counts_and_its_faults_bear_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEDIAD_ROOT", str(tmp_path))
    assert main(["--check"]) == 0
    monkeypatch.setenv("MEDIAD_POOLS__HASH", "many")
    assert main(["--check"]) == 2
    assert capsys.readouterr().out.startswith("MEDIAD_POOLS__HASH: pools.hash: ")


def test_mediad_config_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIAD_CONFIG", config(tmp_path, f'root = "photos"\n{BAD}'))
    assert main(["--check"]) == 2


def test_the_second_daemon_gives_way_and_names_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir()
    first = Lock.acquire(tmp_path / "state" / "mediad.lock")
    try:
        assert main(["--root", str(tmp_path), "--once"]) == EX_RUNNING == 3
    finally:
        first.release()
    assert f"PID {os.getpid()}" in capsys.readouterr().err
    assert {p.name for p in tmp_path.iterdir()} == {"state"}, "the second one made nothing"


def test_a_state_folder_that_cannot_be_is_told_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["--root", str(tmp_path / "file"), "--once"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"mediad: the state folder {tmp_path}/file/state cannot be used")


def test_a_journal_that_is_none_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = tmp_path / "state" / "journal.db"
    journal.parent.mkdir()
    journal.write_text("my diary")
    assert main(["--root", str(tmp_path), "--once"]) == 1
    assert journal.read_text() == "my diary"
    assert "Traceback" not in capsys.readouterr().err


def test_a_thing_in_the_place_of_the_socket_is_told_in_words_and_left(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "mediad.sock").write_text("mine")
    done = subprocess.run(
        [MEDIAD, "--root", tmp_path], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert "is no socket" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert (tmp_path / "state" / "mediad.sock").read_text() == "mine"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_still_wakes_up_ends_it_in_good_order(
    number: signal.Signals,
) -> None:
    """After the configuration is read, and before anything is open that would hear it."""
    program = (
        "import os, mediad.daemon as d\n"
        f"d._live = lambda *_: os.kill(os.getpid(), {int(number)}) or 1\n"
        "raise SystemExit(d.main(['--root', '/nowhere']))"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=30, check=False)
    assert done.returncode == 0


def test_a_journal_from_the_future_is_nothing_that_a_restart_could_mend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir()
    with closing(sqlite3.connect(tmp_path / "state" / "journal.db")) as journal:
        journal.execute("PRAGMA user_version = 9999")
    assert main(["--root", str(tmp_path), "--once"]) == EX_CONFIG
    assert "the journal is of edition 9999" in capsys.readouterr().err
