"""iCloud whole: from the sign-in with two factors to an emptied library, and never without every single proof."""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from mediad.testing.icloud import AlbumRow, Fault
from tests.acceptance.clouded import Clouded, clouded, stays
from tests.acceptance.phone import Phoned, away

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TAKEN = 1_600_000_000_000


def shoot(c: Clouded, count: int) -> list[str]:
    """So many photos, the last of them a Live pair. Their records."""
    shots = [c.do(c.me.shoot, f"IMG_{n:04}.JPG", taken_at=TAKEN + n * 1000) for n in range(count)]
    live = c.do(c.me.shoot_live, "IMG_9000.HEIC", taken_at=TAKEN + 10_000_000)
    return [*(s.record for s in shots), live.record]


def contents(c: Clouded, records: Iterable[str]) -> list[str]:
    """The hashes of every file that iCloud has of these, sorted."""
    zone = c.icloud.library.primary
    assets = [zone.asset(record) for record in records]
    files = [f for a in assets for f in (*zone.master(a.master).files, *a.edited)]
    return sorted(hashlib.sha256(f.body.read()).hexdigest() for f in files)


def test_from_the_sign_in_to_an_emptied_icloud(tmp_path: Path) -> None:
    """Every original in the archive and on the phone; then, armed and tested, it goes to Recently Deleted."""
    with clouded(tmp_path, phone=True) as c:
        assert isinstance(c.root, Phoned)
        records = shoot(c, 6)
        wanted = contents(c, records)
        with c.root.running():
            c.sign_in()
            c.root.until_verified(7)
            c.root.until(lambda: c.stage("mark")["done"] == 7)
            assert c.originals() == wanted
            assert sorted(c.root.on_phone().values()) == wanted
            stays(lambda: not c.deleted(), 2.0)  # disarmed
            assert c.root.ctl("selftest").returncode == 0
            c.arm()
            c.root.until(lambda: c.stage("delete")["done"] == 7)
            grid = c.root.ask("icloud", "completeness")
            told = c.root.explain("IMG_0003.JPG")
        assert sorted(c.deleted()) == sorted(records)
        assert c.left() == set()
        assert c.expunged() == []
        assert c.originals() == wanted
        assert told["position"]["cloud"] == "deleted"
        assert grid["complete"] is True


def _veto(c: Clouded, record: str) -> None:
    [album] = [a.record for a in c.icloud.library.primary.of(AlbumRow) if a.name == "DeletePending"]
    c.do(c.me.take_out, album, record)


def _rot(c: Clouded, _: str) -> None:
    [copy] = c.root.archive.rglob("IMG_0000.JPG")
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    stat = copy.stat()
    copy.write_bytes(bytes(content))
    os.utime(copy, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _lose(c: Clouded, _: str) -> None:
    [copy] = c.root.archive.rglob("IMG_0000.JPG")
    copy.unlink()


def _edit(c: Clouded, record: str) -> None:
    c.do(c.me.edit, record)


def _favour(c: Clouded, record: str) -> None:
    c.do(c.me.favour, record)


def _hide(c: Clouded, record: str) -> None:
    c.do(c.me.hide, record)


def _delete_album(c: Clouded, _: str) -> None:
    [album] = [a.record for a in c.icloud.library.primary.of(AlbumRow) if a.name == "DeletePending"]
    c.do(c.me.delete_album, album)


def _nothing(_: Clouded, __: str) -> None:
    return


@pytest.mark.parametrize(
    ("spoil", "settings"),
    [
        (_veto, {}),
        (_delete_album, {}),
        (_rot, {}),
        (_lose, {}),
        (_edit, {}),
        (_favour, {}),
        (_hide, {}),
        (_nothing, {"MEDIAD_DELETE__COOLOFF_DAYS": "30"}),
        (_nothing, {"MEDIAD_DELETE__MODE": "manual"}),
        (_nothing, {"MEDIAD_DELETE__PER_DAY": "0"}),
        (_nothing, {"MEDIAD_SAFETY__MIN_COPIES": "4"}),
    ],
    ids=[
        "vetoed", "album deleted", "archive rotten", "archive lost", "edited", "favourite", "hidden", "not cooled off",
        "manual", "none a day", "too few copies",
    ],
)  # fmt: skip
def test_without_a_single_one_of_its_proofs_nothing_is_deleted(
    tmp_path: Path, spoil: Callable[[Clouded, str], None], settings: dict[str, Any]
) -> None:
    with clouded(tmp_path, **settings) as c:
        record = c.do(c.me.shoot, "IMG_0000.JPG", taken_at=TAKEN).record
        with c.root.running():
            c.sign_in()
            c.root.until(lambda: c.stage("mark")["done"] == 1)
            assert c.root.ctl("selftest").returncode == 0
            spoil(c, record)
            c.arm()
            stays(lambda: not c.deleted(), 4.0)
            assert c.stage("delete")["done"] == 0
        assert c.deleted() == []


def test_without_the_self_test_or_the_phone_nothing_is_deleted(tmp_path: Path) -> None:
    with clouded(tmp_path, phone=True) as c:
        assert isinstance(c.root, Phoned)
        c.do(c.me.shoot, "IMG_0000.JPG", taken_at=TAKEN)
        away(c.root.pair.pixel)
        with c.root.running():
            c.sign_in()
            c.root.until(lambda: c.stage("archive")["done"] == 1)
            c.arm()
            stays(lambda: not c.deleted(), 4.0)
            c.root.ctl("selftest", check=False)
            stays(lambda: not c.deleted(), 4.0)
        assert c.deleted() == []


def test_a_day_of_faults_ends_with_everything_at_home(tmp_path: Path) -> None:
    """Throttled, cut, truncated, flipped, an HTML page for a photo: nothing of it is believed, and it goes on alone."""
    with clouded(tmp_path, MEDIAD_DELETE__ENABLED="false") as c:
        records = shoot(c, 8)
        wanted = contents(c, records)
        content = "icloud-content.com"
        c.icloud.faults += [
            Fault(content, html=True),
            Fault(content, skip=1, truncate_at=500),
            Fault(content, skip=2, flip_at=700),
            Fault(content, skip=3, cut_at=100, times=2),
            Fault(content, skip=4, status=410),
            Fault("changes/database", skip=1, status=503, retry_after=1),
        ]
        with c.root.running():
            c.sign_in()
            c.root.until(lambda: c.stage("archive")["done"] == 9)
        assert c.originals() == wanted


def test_deleting_that_is_switched_on_later_concerns_what_is_at_home_already(
    tmp_path: Path,
) -> None:
    with clouded(tmp_path, MEDIAD_DELETE__ENABLED="false") as c:
        del c.root.env["MEDIAD_DELETE__ENABLED"]  # the file is to decide
        records = shoot(c, 2)
        with c.root.running():
            c.sign_in()
            c.root.until(lambda: c.stage("delete")["skipped"] == 3)
            c.root.ctl("config", "set", "delete.enabled", "true")
            c.root.until(lambda: c.stage("mark")["done"] == 3)
            c.arm()
            assert c.root.ctl("selftest").returncode == 0
            c.root.until(lambda: c.stage("delete")["done"] == 3)
        assert sorted(c.deleted()) == sorted(records)
