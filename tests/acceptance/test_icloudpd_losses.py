"""Four losses that icloudpd's own issues tell, by number: the whole daemon lives through each and loses nothing."""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from mediad.testing.icloud import AssetRow, Fault
from tests.acceptance.clouded import Clouded, clouded
from tests.acceptance.test_icloud import TAKEN, album_of, contents, rule
from tests.acceptance.whole import hashes, sha

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NAME, FILM = "IMG_0001.JPG", "1234.MOV"
SIZE, PART = 20_000, 10_000
BIG, HALF = 3 << 20, 3 << 19  # more than is held in memory before it is written
CONTENT = "icloud-content.com"


def wanted(c: Clouded, shots: Iterable[AssetRow]) -> list[str]:
    return contents(c, [shot.record for shot in shots])


def at_home(c: Clouded) -> list[list[str]]:
    """What the archive has, and what the library has."""
    return [c.originals(), hashes(c.root.library)]


def torn(c: Clouded, whole: Iterable[str]) -> list[Path]:
    """Files under a name that a person or a program would take for a photo's, with no photo's bytes."""
    places = ("incoming", "processing", "nas_archive", "library", "duplicates", "quarantine")
    files = [p for place in places for p in (c.root.root / place).rglob("*") if p.is_file()]
    return [p for p in files if not p.name.startswith(".") and sha(p) not in set(whole)]


def looks(c: Clouded) -> int:
    """How often mediad has asked what changed."""
    asked: dict[str, int] = c.do(c.icloud.remembered.requests.copy)
    return asked["/changes/zone"]


def fetched(c: Clouded) -> list[int]:
    """The sizes of what lies where downloads arrive, the begun ones too: the smallest first."""
    sizes = []
    for folder, _, names in os.walk(c.root.incoming / ".icloud"):
        for name in names:
            with suppress(FileNotFoundError):  # it just got its name
                sizes.append((Path(folder) / name).stat().st_size)
    return sorted(sizes)


def is_in_the_middle(c: Clouded) -> bool:
    """The one that was cut is whole by now, and one hangs half way."""
    sizes = fetched(c)
    return any(size >= BIG for size in sizes) and any(0 < size < BIG for size in sizes)


def number(c: Clouded, shot: AssetRow) -> str:
    """The asset's, of one among many of its name: by its size."""
    body = c.icloud.library.content(shot.master)
    assert body is not None
    rows = [json.loads(line) for line in c.root.ctl("--json", "list").stdout.splitlines()]
    [found] = [row["id"] for row in rows if row["size"] == body.size and row["state"] == "active"]
    return str(found)


@pytest.mark.loss("icloudpd #99")
def test_a_download_that_is_cut_or_killed_ends_in_one_whole_file(tmp_path: Path) -> None:
    """One is cut by the server, one is called whole though it is half; one hangs half way when the daemon is killed."""
    with clouded(tmp_path, MEDIAD_DELETE__ENABLED="false", MEDIAD_COMPRESS__ENABLED="false") as c:
        shots = [c.do(c.me.shoot, NAME, taken_at=TAKEN, size=BIG) for _ in range(3)]
        originals = wanted(c, shots)
        c.icloud.faults += [
            Fault(CONTENT, cut_at=HALF),
            Fault(CONTENT, truncate_at=HALF),
            Fault(CONTENT, stall_at=HALF),
        ]
        with c.root.running() as daemon:
            c.sign_in()
            c.root.until(lambda: is_in_the_middle(c))
            daemon.kill()
            daemon.wait()
        assert torn(c, originals) == []
        with c.root.running():
            c.root.until(lambda: at_home(c) == [originals, originals])
            c.root.until(lambda: c.stage("archive")["done"] == len(shots))
        assert at_home(c) == [originals, originals]
        assert torn(c, originals) == []
        assert fetched(c) == []


@pytest.mark.loss("icloudpd #154")
def test_many_of_one_name_and_day_and_size_all_come_home(tmp_path: Path) -> None:
    with clouded(tmp_path, MEDIAD_DELETE__ENABLED="false") as c:
        sizes = [SIZE, SIZE, SIZE, PART]
        shots = [c.do(c.me.shoot, NAME, taken_at=TAKEN, size=size) for size in sizes]
        films = [c.do(c.me.film, FILM, taken_at=TAKEN, size=PART) for _ in range(2)]
        masters = [c.icloud.library.primary.master(s.master) for s in shots + films]
        assert len({(m.name, m.files[0].body.size) for m in masters}) == 3
        originals = wanted(c, shots + films)
        with c.root.running():
            c.sign_in()
            c.root.until(lambda: at_home(c) == [originals, originals])
        assert len(set(originals)) == 6
        assert torn(c, originals) == []


@pytest.mark.loss("icloudpd #346")
def test_a_duplicate_that_is_deleted_in_icloud_takes_nothing_with_it(tmp_path: Path) -> None:
    """One duplicate lies in Recently Deleted, one is gone for good. Then mediad deletes one photo, its own choice."""
    with clouded(tmp_path) as c:
        shots = [c.do(c.me.shoot, NAME, taken_at=TAKEN, size=size) for size in (SIZE, PART)]
        originals = wanted(c, shots)
        with c.root.running():
            c.sign_in()
            c.root.until(lambda: c.stage("mark")["done"] == 2)
            copies = [c.do(c.me.duplicate, shot.record) for shot in shots]
            rule(c, "icloud.at_once", "3")  # which has iCloud's news read at once
            c.root.until(lambda: c.stage("mark")["done"] == 4)
            for copy in copies:
                c.do(c.me.delete, copy.record)
            c.do(c.me.expunge, copies[1].record)
            c.do(c.me.take_out, album_of(c), shots[1].record)
            before = looks(c)
            rule(c, "icloud.at_once", "2")
            c.root.until(lambda: looks(c) > before)
            assert c.root.ctl("selftest").returncode == 0
            c.arm()
            c.root.until(lambda: c.stage("delete")["done"] == 3)
            kept = partial(c.says, number(c, shots[1]), "delete", "does not stand in the album")
            c.root.until(kept)
        assert c.deleted() == [shots[0].record]
        assert c.expunged() == []
        assert c.left() == {shots[1].record}
        assert at_home(c) == [originals, originals]


@pytest.mark.loss("icloudpd #918")
def test_an_old_film_that_is_deleted_in_icloud_takes_no_new_one_of_its_name(tmp_path: Path) -> None:
    """Five of one name: never seen, deleted, gone for good, vetoed, and one that mediad may delete: only that one."""
    with clouded(tmp_path) as c:
        films = [c.do(c.me.film, FILM, taken_at=TAKEN, size=SIZE + 1_000 * n) for n in range(5)]
        unseen, deleted, gone, vetoed, sound = films
        c.do(c.me.delete, unseen.record)
        originals = wanted(c, films[1:])
        with c.root.running():
            c.sign_in()
            c.root.until(lambda: c.stage("mark")["done"] == 4)
            c.do(c.me.take_out, album_of(c), vetoed.record)
            c.do(c.me.delete, deleted.record)
            c.do(c.me.delete, gone.record)
            c.do(c.me.expunge, gone.record)
            rule(c, "icloud.at_once", "3")  # which has iCloud's news read at once
            for film in (deleted, gone):
                told = partial(c.root.ctl, "explain", number(c, film))
                c.root.until(lambda told=told: "deleted it in iCloud" in told().stdout)
            assert at_home(c) == [originals, originals]
            assert c.deleted() == []
            assert c.root.ctl("selftest").returncode == 0
            c.arm()
            c.root.until(lambda: c.stage("delete")["done"] == 3)
            c.root.until(
                partial(c.says, number(c, vetoed), "delete", "does not stand in the album")
            )
        assert c.deleted() == [sound.record]
        assert c.expunged() == []
        assert c.left() == {vetoed.record}
        assert at_home(c) == [originals, originals]
