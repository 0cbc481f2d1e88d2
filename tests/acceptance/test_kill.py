"""kill -9 at any moment of a run: the next start goes on, nothing is lost, nothing is done twice."""

import random
import shutil
from pathlib import Path

import pytest

from tests.acceptance.pictures import jpeg, movie
from tests.acceptance.whole import Whole, hashes, sha

SEED = 20260115


def a_set(folder: Path) -> None:
    """Photos of two days, two of one name, a duplicate, a Live pair by name, a movie, a broken file."""
    for n in range(24):
        jpeg(folder / f"IMG_{n:04}.JPG", n, taken=f"2021:07:{1 + n % 2:02} 10:00:{n:02}")
    jpeg(folder / "b" / "IMG_0001.JPG", 900)
    shutil.copy2(folder / "IMG_0003.JPG", folder / "again.JPG")
    movie(folder / "clip.MOV")
    (folder / "broken.jpg").write_bytes((folder / "IMG_0002.JPG").read_bytes()[:-200])


def world(whole: Whole) -> dict[str, list[tuple[str, str]]]:
    """
    Which bytes are where, by folder: what must come out the same.

    Which of two equal files is the keeper, and which of two namesakes gets the suffix, is decided by who was hashed
    first; a kill may change that, and nothing else.
    """
    return {
        name: sorted(
            (str(p.parent.relative_to(whole.root / name)), sha(p))
            for p in (whole.root / name).rglob("*")
            if p.is_file() and not p.name.startswith(".")
        )
        for name in ("incoming", "nas_archive", "library", "duplicates", "quarantine")
    }


def run_with_kills(whole: Whole, kills: int, chance: random.Random) -> None:
    originals = set(hashes(whole.incoming))
    for _ in range(kills):
        daemon = whole.start()
        try:
            daemon.wait(chance.uniform(0.25, 1.6))
        except Exception:  # noqa: BLE001  # it still runs, as it should
            daemon.kill()
        daemon.wait()
        everywhere = {h for site in ("incoming", "processing", "nas_archive", "duplicates", "quarantine")
                      for h in hashes(whole.root / site)}  # fmt: skip
        assert originals <= everywhere
        if not list(whole.incoming.iterdir()) and chance.random() < 0.3:
            extra = jpeg(
                whole.incoming / f"late_{chance.randrange(10**9)}.JPG", chance.randrange(10**9)
            )
            originals.add(sha(extra))


@pytest.mark.loss("DL15")
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_dozen_kills_change_nothing(tmp_path: Path) -> None:
    calm, hard = Whole(tmp_path / "calm"), Whole(tmp_path / "hard")
    a_set(calm.incoming)
    shutil.copytree(calm.incoming, hard.incoming, dirs_exist_ok=True)
    calm.once()
    chance = random.Random(SEED)  # noqa: S311  # chosen moments, the same in every run
    for _ in range(12):
        daemon = hard.start()
        hard.until((hard.root / "state").exists, timeout=20)
        try:
            daemon.wait(chance.uniform(0.2, 1.5))
        except Exception:  # noqa: BLE001  # it still runs, as it should
            daemon.kill()
        daemon.wait()
    hard.once()
    assert world(hard) == world(calm)


@pytest.mark.crash
@pytest.mark.timeout(1500)
def test_two_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    whole = Whole(tmp_path / "root")
    a_set(whole.incoming)
    chance = random.Random(SEED)  # noqa: S311  # as above
    run_with_kills(whole, 200, chance)
    whole.once()
    assert not [p for p in whole.incoming.rglob("*") if p.is_file()]
