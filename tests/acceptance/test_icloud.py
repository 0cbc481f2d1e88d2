"""iCloud whole: from the sign-in with two factors to an emptied library, and never without every single proof."""

import base64
import hashlib
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest

from mediad.testing.icloud import AlbumRow, AssetRow, Body, Fault
from mediad.testing.icloud.bodies import jpeg
from mediad.testing.icloud.person import JPEG
from mediad.testing.icloud.rows import File
from tests.acceptance.clouded import Clouded, clouded, stays
from tests.acceptance.phone import Phoned, away
from tests.acceptance.whole import hashes

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


def _fetched(c: Clouded) -> int:
    """How often a file's bytes were asked for."""
    asked: dict[str, int] = c.do(c.icloud.remembered.requests.copy)
    return sum(n for path, n in asked.items() if path.startswith("content"))


def test_two_hundred_come_home_whole_whatever_they_are_called_and_none_twice(
    tmp_path: Path,
) -> None:
    """Two of one name on one day, names that are paths; after a restart nothing is fetched again."""
    odd = [
        "IMG_0001.JPG",
        "IMG_0001.JPG",
        "../../etc/passwd",
        "/IMG.JPG",
        ".hidden.JPG",
        "CON.JPG",
        "ä\u0308.JPG",
        "",
    ]
    names = [*odd, *(f"IMG_1{n:03}.JPG" for n in range(200 - len(odd)))]
    with clouded(tmp_path, MEDIAD_DELETE__ENABLED="false") as c:
        shots = [c.do(c.me.shoot, name, taken_at=TAKEN + n) for n, name in enumerate(names)]
        wanted = contents(c, [shot.record for shot in shots])
        assert len(set(wanted)) == len(names)
        with c.root.running():
            c.sign_in()
            c.root.until(lambda: c.stage("archive")["done"] == len(names))
            c.root.until(lambda: c.root.ask("icloud", "completeness")["complete"])
            c.root.until(lambda: hashes(c.root.library) == wanted)
        assert c.originals() == wanted
        assert _fetched(c) == len(names)
        looks = c.do(c.icloud.remembered.requests.copy)["/changes/database"]
        c.root.once()
        assert c.do(c.icloud.remembered.requests.copy)["/changes/database"] > looks
        assert _fetched(c) == len(names)
        assert c.originals() == wanted


def album_of(c: Clouded) -> str:
    [album] = [a.record for a in c.icloud.library.primary.of(AlbumRow) if a.name == "DeletePending"]
    return album


def archived(c: Clouded, name: str) -> Path:
    [copy] = c.root.archive.rglob(name)
    return copy


def _veto(c: Clouded, shot: AssetRow, _: str) -> None:
    c.do(c.me.take_out, album_of(c), shot.record)


def _rot(c: Clouded, _: AssetRow, name: str) -> None:
    copy = archived(c, name)
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    stat = copy.stat()
    copy.write_bytes(bytes(content))
    os.utime(copy, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _lose(c: Clouded, _: AssetRow, name: str) -> None:
    archived(c, name).unlink()


def _edit(c: Clouded, shot: AssetRow, _: str) -> None:
    c.do(c.me.edit, shot.record)


def _exchange(c: Clouded, shot: AssetRow, name: str) -> None:
    """The same photo, as far as its record goes, has another original."""
    shot.master = c.do(c.me.shoot, name, taken_at=TAKEN + 1).master
    c.do(c.icloud.library.primary.put, shot)


def _favour(c: Clouded, shot: AssetRow, _: str) -> None:
    c.do(c.me.favour, shot.record)


def _hide(c: Clouded, shot: AssetRow, _: str) -> None:
    c.do(c.me.hide, shot.record)


def _trash(c: Clouded, shot: AssetRow, _: str) -> None:
    c.do(c.me.delete, shot.record)


def _copy_it(c: Clouded, shot: AssetRow, _: str) -> None:
    """A duplicate made on the phone, which is listed and cannot be fetched any more."""
    c.do(c.me.duplicate, shot.record)


Spoil: TypeAlias = Callable[[Clouded, AssetRow, str], None]
SPOILS: dict[Spoil, str] = {
    _veto: "does not stand in the album",
    _rot: "the archive does not give back",
    _lose: "the archive does not give back",
    _edit: "not taken in with Apple's fingerprint",
    _exchange: "not taken in with Apple's fingerprint",
    _favour: "it is a favourite",
    _hide: "it is in the Hidden album",
    _copy_it: "shares its bytes, and is not archived whole",
}


@pytest.mark.loss("DL1")
def test_without_a_single_one_of_its_proofs_a_photo_stays_and_says_why(tmp_path: Path) -> None:
    """Each photo lacks one proof, and the delete stage's own word is awaited; the one that lacks none goes."""
    with clouded(tmp_path) as c:
        names = {spoil: f"{spoil.__name__}.JPG" for spoil in SPOILS}
        shots = {s: c.do(c.me.shoot, name, taken_at=TAKEN) for s, name in names.items()}
        sound = c.do(c.me.shoot, "sound.JPG", taken_at=TAKEN).record
        gone = c.do(c.me.shoot, "trashed.JPG", taken_at=TAKEN)
        with c.root.running():
            c.sign_in()
            c.root.until(lambda: c.stage("mark")["done"] == len(shots) + 2)
            c.icloud.faults.append(Fault("icloud-content.com", times=1_000, hang=True))
            assert c.root.ctl("selftest").returncode == 0
            ids = {spoil: str(c.root.explain(name)["id"]) for spoil, name in names.items()}
            for spoil, shot in shots.items():
                spoil(c, shot, names[spoil])
            _trash(c, gone, "")
            rule(c, "icloud.at_once", "3")  # which has iCloud's news read at once
            c.root.until(lambda: c.root.ask("status")["assets"]["total"] > len(ids) + 2)
            c.arm()
            for spoil, why in SPOILS.items():
                c.root.until(partial(c.says, ids[spoil], "delete", why))
            c.root.until(lambda: c.stage("delete")["done"] == 2)
            assert "Recently Deleted" in c.root.ctl("explain", "trashed.JPG").stdout
        assert c.deleted() == [sound]
        assert c.expunged() == []


NAME = "IMG_0000.JPG"


def rule(c: Clouded, name: str, value: str) -> None:
    c.root.ctl("config", "set", name, value)


def only(c: Clouded, why: str, *not_these: str) -> None:
    """That, and none of the others, keeps it."""
    c.root.until(partial(c.says, NAME, "delete", why, *not_these))
    assert c.deleted() == []


def _is_armed_or_tested(c: Clouded) -> None:
    disarmed, untested = "deletions are not armed", "has never been run"
    c.arm()
    only(c, untested, disarmed)
    rule(c, "safety.armed", "false")
    only(c, disarmed)
    assert c.root.ctl("selftest").returncode == 0
    only(c, disarmed, untested)
    rule(c, "safety.min_copies", "4")
    c.arm()
    only(c, "copies at home, 4 are wanted", disarmed)


RULES = [
    ("delete.per_day", "0", "as many as a day allows", ("safety.min_copies", "1")),
    ("delete.mode", "manual", "it is for the person to empty the album", ("delete.per_day", "100")),
    ("delete.cooloff_days", "30", "for its days", ("delete.mode", "auto")),
    ("delete.min_age_days", "36500", "it was taken too short a time ago", ("delete.cooloff_days", "0")),
]  # fmt: skip


def test_every_rule_of_the_person_keeps_it_as_long_as_it_stands_alone(tmp_path: Path) -> None:
    """One after the other is the only thing in the way; each is named; with the last one lifted it goes."""
    with clouded(tmp_path) as c:
        c.decide_by_file(
            "delete.enabled = true", "delete.cooloff_days = 0", "delete.percent_per_day = 100"
        )
        record = c.do(c.me.shoot, NAME, taken_at=TAKEN).record
        with c.root.running():
            c.sign_in()
            c.root.until(lambda: c.stage("mark")["done"] == 1)
            _is_armed_or_tested(c)
            for name, value, why, before in RULES:
                rule(c, name, value)
                rule(c, *before)
                only(c, why)
            rule(c, "delete.enabled", "false")
            rule(c, "delete.min_age_days", "0")
            c.root.until(lambda: c.root.explain(NAME)["position"]["cloud"] == "deleted")
            assert c.deleted() == []
            rule(c, "delete.enabled", "true")
            c.root.until(lambda: c.deleted() == [record])


def test_without_its_album_nothing_is_deleted(tmp_path: Path) -> None:
    """A person has deleted it: that is a veto for all that stood in it."""
    with clouded(tmp_path) as c:
        c.do(c.me.shoot, "IMG_0000.JPG", taken_at=TAKEN)
        with c.root.running():
            c.sign_in()
            c.root.until(lambda: c.stage("mark")["done"] == 1)
            assert c.root.ctl("selftest").returncode == 0
            c.do(c.me.delete_album, album_of(c))
            c.arm()
            c.root.until(partial(c.says, "IMG_0000.JPG", "delete", "was deleted in iCloud"))
        assert c.deleted() == []


def test_without_the_phone_alone_nothing_is_deleted(tmp_path: Path) -> None:
    """One that it never had is not even marked; one that it has other bytes of since is not deleted."""
    with clouded(tmp_path, phone=True) as c:
        assert isinstance(c.root, Phoned)
        c.do(c.me.shoot, "IMG_0000.JPG", taken_at=TAKEN)
        with c.root.running():
            c.sign_in()
            c.root.until(lambda: c.stage("mark")["done"] == 1)
            assert c.root.ctl("selftest").returncode == 0
            away(c.root.pair.pixel)
            c.root.until(lambda: c.root.pixel_link() != "up")
            c.do(c.me.shoot, "IMG_0001.JPG", taken_at=TAKEN)
            c.root.ctl("icloud", "sync", check=False)
            c.arm()
            c.root.until(
                partial(c.says, "IMG_0000.JPG", "delete", "the phone is not known to have")
            )
        assert c.deleted() == []


def test_a_photo_that_was_dropped_as_well_gives_its_space_back_in_either_order(
    tmp_path: Path,
) -> None:
    """By the bytes of whichever was first; a duplicate whose keeper is rotten, or lost, stays."""
    with clouded(tmp_path) as c:
        before = {
            n: jpeg(f"seed {n}", taken_at=TAKEN, size=3_000) for n in ("good", "rotten", "lost")
        }
        for name, body in before.items():
            (c.root.incoming / f"{name}.JPG").write_bytes(body.read())
        with c.root.running():
            c.root.until(lambda: c.stage("archive")["done"] == 3)
            first = c.do(c.me.shoot, "first.JPG", taken_at=TAKEN)
            twins = {
                n: c.do(c.me.add, f"{n}-twin.JPG", [File("resOriginal", JPEG, b, 8, 8)], taken_at=TAKEN)
                for n, b in before.items()
            }  # fmt: skip
            c.sign_in()
            c.root.until(lambda: c.stage("archive")["done"] == 4)
            body = c.icloud.library.primary.master(first.master).files[0].body
            (c.root.incoming / "second.JPG").write_bytes(body.read())
            c.root.until(lambda: c.root.ask("status")["assets"]["duplicates"] == 4)
            c.root.until(lambda: c.stage("mark")["done"] == 8)
            assert c.root.ctl("selftest").returncode == 0
            _rot(c, twins["rotten"], "rotten.JPG")
            _lose(c, twins["lost"], "lost.JPG")
            c.arm()
            for name in ("rotten", "lost"):
                why = "the archive does not give back"
                c.root.until(partial(c.says, f"{name}-twin.JPG", "delete", why))
            c.root.until(lambda: c.stage("delete")["done"] == 6)
        assert sorted(c.deleted()) == sorted([first.record, twins["good"].record])
        assert c.left() == {twins["rotten"].record, twins["lost"].record}


class Odd(Body):
    """With a fingerprint of a form that Apple has not used so far."""

    @property
    def fingerprint(self) -> str:
        return base64.b64encode(b"\x02" + hashlib.sha1(self.read()).digest()).decode()  # noqa: S324 - made up


def test_what_has_a_fingerprint_of_another_form_comes_home_and_is_never_deleted(
    tmp_path: Path,
) -> None:
    with clouded(tmp_path) as c:
        body = Odd(partial(jpeg("odd", taken_at=TAKEN, size=3_000).read))
        c.do(c.me.add, NAME, [File("resOriginal", JPEG, body, 8, 8)], taken_at=TAKEN)
        with c.root.running():
            c.sign_in()
            c.root.until(lambda: c.stage("archive")["done"] == 1)
            assert c.root.ctl("selftest").returncode == 0
            c.arm()
            c.root.until(partial(c.says, NAME, "mark", "a form that nobody can work out"))
        assert c.originals() == [hashlib.sha256(body.read()).hexdigest()]
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


@pytest.mark.parametrize("obeys_tags", [True, False], ids=["Apple refuses", "Apple takes it"])
def test_an_edit_in_the_last_moment_comes_home_and_has_its_own_days_in_the_album(
    tmp_path: Path,
    obeys_tags: bool,  # noqa: FBT001 - a case
) -> None:
    """Between our last look and the deletion: whether Apple compares change tags or not, the edit is not given up."""
    with clouded(tmp_path) as c:
        c.decide_by_file(
            "delete.enabled = true", "delete.cooloff_days = 0", "delete.percent_per_day = 100"
        )
        shot = c.do(c.me.shoot, NAME, taken_at=TAKEN)
        c.icloud.quirks.is_oplock_enforced = obeys_tags
        with c.root.running():
            c.sign_in()
            c.root.until(lambda: c.stage("mark")["done"] == 1)
            assert c.root.ctl("selftest").returncode == 0
            first = str(c.root.explain(NAME)["id"])
            edit = partial(c.me.edit, shot.record)
            c.icloud.faults.append(Fault("records/modify", meanwhile=edit))
            c.arm()
            c.root.until(lambda: c.deleted() == [shot.record])
            rule(c, "delete.cooloff_days", "7")
            rule(c, "icloud.at_once", "3")  # which has iCloud's news read at once
            c.root.until(lambda: c.originals() == contents(c, [shot.record]))
            c.root.until(lambda: c.stage("mark")["done"] == 2)
            c.root.until(partial(c.says, "IMG_0000-edited.JPG", "delete", "for its days"))
            if not obeys_tags:
                c.root.until(partial(c.says, first, "delete", "was edited in iCloud in the moment"))
        assert c.left() == {shot.record}
        assert c.deleted() == [shot.record]


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
