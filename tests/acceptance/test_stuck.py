"""What hangs or holds on under the running daemon is noticed in its time, named, and no other file's trouble."""

import sqlite3
from pathlib import Path

import pytest

from tests.acceptance.pictures import jpeg, movie
from tests.acceptance.whole import Whole, hashes
from tests.adapters.poisoned import poisoned

pytestmark = [pytest.mark.crash, pytest.mark.timeout(400)]


def test_a_coder_that_hangs_is_ended_in_its_time_and_is_that_film_s_fault_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned(tmp_path / "bin", monkeypatch, "if out: time.sleep(10**6)")
    whole = Whole(tmp_path, MEDIAD_POOLS__PHOTO="2")
    film = movie(whole.incoming / "film.mov", seconds=3.0)
    kept = hashes(whole.incoming)
    with whole.running():
        whole.until(lambda: whole.ask("status")["assets"]["total"] == 1)
        for n in range(6):
            jpeg(whole.incoming / f"{n}.jpg", n)
        whole.until(lambda: len(hashes(whole.library)) == 6)
        assert not whole.ask("status")["problems"]
        whole.until(lambda: len(hashes(whole.library)) == 7, timeout=200)
        said = [h["evidence"].get("code") for h in whole.explain(film.name)["history"]]
        assert "compress.timeout" in said
        assert not whole.ask("status")["problems"]
    assert set(kept) <= set(hashes(whole.archive))
    assert set(kept) <= set(hashes(whole.library)), "the original, as there is nothing smaller"


def test_a_journal_that_somebody_else_holds_is_named_and_work_goes_on_when_it_is_let_go(
    tmp_path: Path,
) -> None:
    whole = Whole(tmp_path)
    with whole.running():
        jpeg(whole.incoming / "0.jpg", 0)
        whole.until(lambda: len(hashes(whole.library)) == 1)
        other = sqlite3.connect(tmp_path / "state" / "journal.db", isolation_level=None)
        try:
            other.execute("BEGIN EXCLUSIVE")
            for n in range(1, 6):
                jpeg(whole.incoming / f"{n}.jpg", n)
            whole.until(lambda: "journal.locked" in codes(whole))
            assert len(hashes(whole.library)) == 1
            other.execute("ROLLBACK")
        finally:
            other.close()
        whole.until(lambda: len(hashes(whole.library)) == 6)
        whole.until(lambda: codes(whole) == [])
        assert len(hashes(whole.archive)) == 6


def codes(whole: Whole) -> list[str]:
    return [p["code"] for p in whole.ask("status")["problems"]]
