"""Guards what may leave iCloud: with any single proof removed, nothing does."""

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediad.config import Settings
from mediad.errors import Refused
from mediad.model import (
    AssetId,
    CloudRef,
    Copy,
    Digest,
    OriginalId,
    Place,
    Remote,
    RemoteFile,
    Resource,
    Site,
    SiteKey,
)
from mediad.policy.cloud_guard import (
    CLOCK_MS,
    DAY_MS,
    HOME,
    MARKING,
    QUICK,
    SELFTEST_MS,
    Case,
    Held,
    Proof,
    Rules,
    album_times,
    changes,
    day_budget,
    is_back,
    is_marked_in_time,
    lacks,
    lacks_before_reading,
    lacks_for_album,
    never,
)
from mediad.policy.deletion import warrant_for_cloud
from mediad.ports import RemoteRow, SelfTest

NOW = 4_102_444_800_000
REF = CloudRef(HOME, "ASSET-1")


def mark(seed: str) -> str:
    """Apple's fingerprint of something, in the one form that is known."""
    return base64.b64encode(b"\x01" + seed.encode().ljust(20)).decode()


STILL_MARK, MOVIE_MARK = mark("still"), mark("movie")
STILL, MOVIE = Digest("a" * 64), Digest("b" * 64)
FILES = (
    RemoteFile(Resource.ORIGINAL, "IMG_1.HEIC", 9, STILL_MARK, OriginalId(1), is_proved=True),
    RemoteFile(Resource.LIVE_VIDEO, "IMG_1.MOV", 8, MOVIE_MARK, OriginalId(2), is_proved=True),
)
REMOTE = Remote(
    REF, STILL_MARK, "t1", "IMG_1.HEIC", NOW - 900 * DAY_MS, NOW - 900 * DAY_MS, files=FILES
)
RULES = Rules(
    may_delete=True, is_armed=True, has_archive=True, has_phone=True, keep_favourites=True,
    min_age_ms=30 * DAY_MS, cooloff_ms=30 * DAY_MS, min_copies=1,
)  # fmt: skip


def copy(site: Site, key: str, digest: Digest, original: int = 1) -> Copy:
    return Copy(OriginalId(original), Place(site, SiteKey(key)), digest, 1, "o_direct")


def held(file: RemoteFile, digest: Digest) -> Held:
    kept = (copy(Site.ARCHIVE, file.name, digest),)
    return Held(
        file, digest, kept, kept, (file.fingerprint,), is_on_phone=True, holders=(AssetId(1),)
    )


HELD = (held(FILES[0], STILL), held(FILES[1], MOVIE))
TWIN_FILE = replace(FILES[0], original=OriginalId(7))
TWIN = RemoteRow(replace(REMOTE, ref=CloudRef(HOME, "ASSET-2"), files=(TWIN_FILE,)))
GOOD = Case(
    NOW,
    RULES,
    RemoteRow(REMOTE, assets=(AssetId(1),), marked_at=NOW - 31 * DAY_MS),
    replace(REMOTE, files=tuple(replace(f, original=None, is_proved=False) for f in FILES)),
    SelfTest(NOW - DAY_MS, ok=True, detail="all well"),
    ahead_ms=1_500,
    album=frozenset({"ASSET-1", "ASSET-9"}),
    held=HELD,
    twins=((TWIN, (held(TWIN_FILE, STILL),)),),
)


def rules(**said: object) -> Callable[[Case], Case]:
    return lambda case: replace(case, rules=replace(case.rules, **said))  # type: ignore[arg-type]


def fresh(**said: object) -> Callable[[Case], Case]:
    return lambda case: replace(case, fresh=replace(REMOTE, **said))  # type: ignore[arg-type]


def row(**said: object) -> Callable[[Case], Case]:
    return lambda case: replace(case, row=replace(case.row, **said))  # type: ignore[arg-type]


def listed(**said: object) -> Callable[[Case], Case]:
    """Both as the journal has it and as iCloud says."""
    now = replace(REMOTE, **said)  # type: ignore[arg-type]
    return lambda case: replace(case, row=replace(case.row, remote=now), fresh=now)


def case(**said: object) -> Callable[[Case], Case]:
    return lambda good: replace(good, **said)  # type: ignore[arg-type]


def second(**said: object) -> Callable[[Case], Case]:
    """The movie half is not as it should be."""
    return lambda good: replace(good, held=(HELD[0], replace(HELD[1], **said)))  # type: ignore[arg-type]


def unproved(file: RemoteFile) -> Callable[[Case], Case]:
    """Whatever else is said of it, and by whomever."""
    worse = replace(REMOTE, files=(FILES[0], file))
    kept = replace(HELD[1], file=file, fingerprints=(file.fingerprint,))
    return lambda good: replace(
        good, row=replace(good.row, remote=worse), fresh=worse, held=(HELD[0], kept)
    )


def twin(kept: tuple[Held, ...]) -> Callable[[Case], Case]:
    return lambda good: replace(good, twins=((TWIN, kept),))


ROTTEN = copy(Site.ARCHIVE, "IMG_1.MOV", Digest("c" * 64))
LIBRARY = copy(Site.LIBRARY, "IMG_1.MOV", MOVIE)
EDIT = RemoteFile(Resource.EDITED, "IMG_E1.JPG", 5, mark("edit"))
# Each way in which one proof, and no other, is missing.
WITHOUT: list[tuple[Proof, Callable[[Case], Case]]] = [
    (Proof.ALLOWED, rules(may_delete=False)),
    (Proof.ARMED, rules(is_armed=False)),
    (Proof.TESTED, case(selftest=None)),
    (Proof.TESTED, case(selftest=SelfTest(NOW, ok=False, detail="red"))),
    (Proof.TESTED, case(selftest=SelfTest(NOW - 31 * DAY_MS, ok=True, detail=""))),
    (Proof.TESTED, case(selftest=SelfTest(NOW + 2 * DAY_MS, ok=True, detail=""))),
    (Proof.TESTED, case(untested="of another archive")),
    (Proof.THERE, case(fresh=None)),
    (Proof.THERE, fresh(ref=CloudRef(HOME, "ANOTHER"))),
    (Proof.THERE, fresh(is_deleted=True)),
    (Proof.NEVER_BACK, row(deleted_at=NOW - DAY_MS)),
    (Proof.NEVER_BACK, row(recoverable_until=NOW + DAY_MS)),
    (Proof.OURS, fresh(is_ours=False)),
    (Proof.SHOWN, fresh(is_hidden=True)),
    (Proof.NO_FAVOURITE, fresh(is_favourite=True)),
    (Proof.OLD_ENOUGH, fresh(taken_at=NOW - 29 * DAY_MS)),
    (Proof.OLD_ENOUGH, fresh(taken_at=NOW + DAY_MS)),
    (Proof.SOUND, fresh(flaw="a record without a file")),
    (Proof.SAME, fresh(master="AYother")),
    (Proof.SAME, fresh(files=(*FILES, EDIT))),
    (Proof.SAME, fresh(files=FILES[:1])),
    (Proof.SAME, fresh(files=(FILES[0], replace(FILES[1], size=7)))),
    (Proof.SAME, fresh(files=(FILES[0], replace(FILES[1], fingerprint=mark("other movie"))))),
    (Proof.TAKEN, unproved(replace(FILES[1], original=None))),
    (Proof.TAKEN, unproved(replace(FILES[1], is_proved=False))),
    (Proof.TAKEN, unproved(replace(FILES[1], fingerprint="AgUnknown"))),
    (Proof.CLOCK, case(ahead_ms=None)),
    (Proof.CLOCK, case(ahead_ms=2 * 3_600_000)),
    (Proof.CLOCK, case(ahead_ms=-2 * 3_600_000)),
    (Proof.MEMBER, case(album=frozenset({"ASSET-9"}))),
    (Proof.MEMBER, case(album=None)),
    (Proof.COOLED, row(marked_at=NOW - 29 * DAY_MS)),
    (Proof.COOLED, row(marked_at=None)),
    (Proof.COOLED, row(marked_at=0)),
    (Proof.COOLED, row(marked_at=NOW - 902 * DAY_MS)),
    (Proof.COOLED, row(marked_at=NOW + 2 * DAY_MS)),
    (Proof.ARCHIVED, rules(has_archive=False)),
    (Proof.ARCHIVED, second(fresh=(LIBRARY,))),
    (Proof.MATCHED, second(fingerprints=())),
    (Proof.MATCHED, second(fingerprints=("AYother",))),
    (Proof.MATCHED, second(fingerprints=(MOVIE_MARK, "AYother"))),
    (Proof.COPIES, rules(min_copies=2)),
    (Proof.ON_PHONE, second(is_on_phone=False)),
    (Proof.KEEPER, case(behind="its keeper is not through its lanes")),
    (Proof.TWINS, twin(())),
    (Proof.TWINS, twin((replace(held(TWIN_FILE, STILL), fresh=()),))),
    (Proof.TWINS, twin((replace(held(TWIN_FILE, STILL), fingerprints=()),))),
]  # fmt: skip


def test_with_every_proof_it_may_go_and_the_warrant_names_it_as_it_was_looked_up() -> None:
    assert lacks(GOOD) == ()
    warrant = warrant_for_cloud(GOOD)
    assert (warrant.ref, warrant.change_tag) == (REF, "t1")
    assert warrant.evidence == tuple(c for h in HELD for c in h.fresh)
    assert (warrant.assets, warrant.keepers) == ((1,), ())


def test_only_what_would_have_kept_it_counts_as_a_change() -> None:
    heart, hidden = replace(REMOTE, is_favourite=True), replace(REMOTE, is_hidden=True)
    assert changes(REMOTE, heart) == "made a favourite"
    assert changes(REMOTE, hidden) == "hidden"
    assert changes(heart, heart) == changes(hidden, hidden) == changes(heart, REMOTE) == ""
    assert changes(REMOTE, replace(REMOTE, files=FILES[:1])) == "edited"
    assert changes(REMOTE, replace(REMOTE, master="AYother")) == "edited"
    assert changes(REMOTE, replace(REMOTE, is_deleted=True, change_tag="t2", albums=("A",))) == ""


def test_the_warrant_for_a_duplicate_names_it_and_its_keeper() -> None:
    kept = tuple(replace(h, holders=(AssetId(1), AssetId(5))) for h in HELD)
    warrant = warrant_for_cloud(replace(GOOD, held=kept))
    assert (warrant.assets, warrant.keepers) == ((1,), (5,))


def test_every_proof_is_tried() -> None:
    assert {proof for proof, _ in WITHOUT} | {Proof.HOME} == set(Proof)


@pytest.mark.parametrize(("proof", "spoil"), WITHOUT)
def test_with_any_single_proof_removed_nothing_goes(
    proof: Proof, spoil: Callable[[Case], Case]
) -> None:
    spoilt = spoil(GOOD)
    assert {lack.proof for lack in lacks(spoilt)} == {proof}
    assert all(lack.why for lack in lacks(spoilt))
    with pytest.raises(Refused) as caught:
        warrant_for_cloud(spoilt)
    assert caught.value.code == "icloud.not_safe"
    assert lacks(spoilt)[0].why in caught.value.what


def test_from_a_shared_library_nothing_goes() -> None:
    shared = listed(ref=CloudRef("SharedSync-1", "ASSET-1"))(GOOD)
    assert {lack.proof for lack in lacks(shared)} == {Proof.HOME}
    assert "shared" in never(shared.row.remote)
    assert "somebody else" in never(replace(REMOTE, is_ours=False))
    assert never(REMOTE) == ""


def test_what_was_not_looked_for_at_home_stays() -> None:
    for kept in [(), HELD[:1], (*HELD, HELD[0])]:
        proofs = {lack.proof for lack in lacks(replace(GOOD, held=kept))}
        assert proofs == {Proof.ARCHIVED}


def test_bytes_that_are_not_those_taken_are_no_copy() -> None:
    rotten = replace(HELD[1], fresh=(ROTTEN,))
    proofs = {lack.proof for lack in lacks(replace(GOOD, held=(HELD[0], rotten)))}
    assert proofs == {Proof.ARCHIVED, Proof.COPIES}
    unknown = replace(HELD[1], digest=None)
    assert not unknown.is_archived
    assert unknown.was_archived is False


def test_without_an_original_iclouds_listing_is_no_whole_one() -> None:
    for files in [(), FILES[1:]]:
        bare = listed(files=files)(GOOD)
        assert Proof.SOUND in {lack.proof for lack in lacks(bare)}


def test_what_the_person_does_not_want_to_be_asked_is_not_asked() -> None:
    loose = replace(RULES, keep_favourites=False, has_phone=False, min_age_ms=0, cooloff_ms=0)
    easy = replace(GOOD, rules=loose, held=tuple(replace(h, is_on_phone=False) for h in HELD))
    assert lacks(fresh(is_favourite=True)(easy)) == ()


def test_a_twin_that_is_gone_from_icloud_is_in_nobodys_way() -> None:
    for away in (
        replace(TWIN, is_gone=True),
        replace(TWIN, remote=replace(TWIN.remote, is_deleted=True)),
    ):
        assert lacks(replace(GOOD, twins=((away, ()),))) == ()


def test_the_album_wants_less_and_no_file_is_read_for_it() -> None:
    bare = replace(GOOD, held=(), twins=(), album=None, selftest=None, row=RemoteRow(REMOTE))
    unarmed = rules(is_armed=False, has_archive=False)(bare)
    assert lacks_for_album(unarmed) == ()
    assert {lack.proof for lack in lacks_for_album(fresh(is_favourite=True)(unarmed))} == {
        Proof.NO_FAVOURITE
    }
    assert MARKING < QUICK
    assert lacks_before_reading(replace(GOOD, held=(), twins=())) == ()


@pytest.mark.parametrize(
    ("marked_at", "expected"),
    [
        (None, False),
        (NOW - DAY_MS, True),
        (NOW + DAY_MS // 2, True),
        (NOW + 2 * DAY_MS, False),
        (1, False),
    ],
)
def test_a_time_of_marking_that_cannot_be_is_not_believed(
    marked_at: int | None,
    expected: bool,  # noqa: FBT001 - a case
) -> None:
    assert is_marked_in_time(row(marked_at=marked_at)(GOOD)) is expected


@pytest.mark.parametrize(
    ("deleted", "listed_", "per_day", "percent", "left"),
    [
        (0, 10_000, 100, 5.0, 100),
        (60, 10_000, 100, 5.0, 40),
        (0, 1000, 100, 5.0, 50),
        (50, 1000, 100, 5.0, 0),
        (70, 1000, 100, 5.0, 0),
        (0, 10, 100, 5.0, 1),
        (1, 10, 100, 5.0, 0),
        (0, 10_000, 0, 5.0, 0),
    ],
)
def test_a_day_has_its_limit(
    deleted: int, listed_: int, per_day: int, percent: float, left: int
) -> None:
    assert day_budget(deleted, listed_, per_day, percent) == left


def test_the_rules_are_the_persons() -> None:
    settings = Settings.model_validate({
        "root": "/nowhere", "icloud": {"enabled": True}, "safety": {"armed": True, "min_copies": 2},
        "delete": {"enabled": True, "cooloff_days": 2, "min_age_days": 3, "keep_favourites": False},
    })  # fmt: skip
    found = Rules.of(settings)
    assert found == Rules(
        may_delete=True, is_armed=True, has_archive=True, has_phone=False, keep_favourites=False,
        min_age_ms=3 * DAY_MS, cooloff_ms=2 * DAY_MS, min_copies=2,
    )  # fmt: skip
    bare = Rules.of(Settings.model_validate({"root": "/nowhere", "archive": {"enabled": False}}))
    assert (bare.may_delete, bare.is_armed, bare.has_archive) == (False, False, False)


@given(st.lists(st.sampled_from(WITHOUT), min_size=1, max_size=6))
def test_no_two_faults_make_a_right(faults: list[tuple[Proof, Callable[[Case], Case]]]) -> None:
    spoilt = GOOD
    for _, spoil in faults:
        spoilt = spoil(spoilt)
    last = faults[-1][0]
    assert last in {lack.proof for lack in lacks(spoilt)}
    with pytest.raises(Refused):
        warrant_for_cloud(spoilt)


@pytest.mark.parametrize(
    ("proof", "remembered"),
    [
        (Proof.OURS, replace(REMOTE, is_ours=False)),
        (Proof.OLD_ENOUGH, replace(REMOTE, taken_at=NOW - 29 * DAY_MS)),
        (Proof.SOUND, replace(REMOTE, flaw="a record without a file")),
    ],
)
def test_what_was_once_listed_against_it_counts_though_icloud_says_otherwise_now(
    proof: Proof, remembered: Remote
) -> None:
    assert {lack.proof for lack in lacks(row(remote=remembered)(GOOD))} == {proof}


@pytest.mark.parametrize(
    "file", [replace(TWIN_FILE, original=None), replace(TWIN_FILE, is_proved=False)]
)
def test_a_twin_that_was_not_taken_in_whole_keeps_the_photo_there(file: RemoteFile) -> None:
    other = replace(TWIN, remote=replace(TWIN.remote, files=(file,)))
    unsure = replace(GOOD, twins=((other, (held(file, STILL),)),))
    assert {lack.proof for lack in lacks(unsure)} == {Proof.TWINS}


TWIN_MOVIE = replace(FILES[1], original=OriginalId(8))
UNREAD = replace(held(TWIN_MOVIE, MOVIE), fresh=())


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ((), ()),
        ((TWIN_FILE, TWIN_MOVIE), (held(TWIN_FILE, STILL),)),
        ((TWIN_FILE, TWIN_MOVIE), (held(TWIN_FILE, STILL), UNREAD)),
    ],
    ids=["nothing is listed", "one was not looked for", "one is not given back"],
)
def test_a_twin_of_which_a_file_is_not_known_to_be_safe_keeps_the_photo_there(
    files: tuple[RemoteFile, ...], found: tuple[Held, ...]
) -> None:
    live = replace(TWIN, remote=replace(TWIN.remote, files=files))
    unsure = replace(GOOD, twins=((live, found),))
    assert {lack.proof for lack in lacks(unsure)} == {Proof.TWINS}


def test_a_photo_of_no_files_is_not_archived_because_none_is_missing() -> None:
    empty = replace(listed(files=())(GOOD), held=())
    assert {lack.proof for lack in lacks(empty)} == {Proof.SOUND, Proof.ARCHIVED}


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (row(deleted_at=NOW), True),
        (row(recoverable_until=NOW), True),
        (case(), False),
        (lambda good: row(deleted_at=NOW)(case(fresh=None)(good)), False),
        (lambda good: row(deleted_at=NOW)(fresh(is_deleted=True)(good)), False),
    ],
)
def test_back_is_what_was_deleted_once_and_shows_now(
    spoil: Callable[[Case], Case],
    expected: bool,  # noqa: FBT001 - a case
) -> None:
    assert is_back(spoil(GOOD)) is expected


@pytest.mark.parametrize(
    "spoil",
    [
        case(ahead_ms=CLOCK_MS), case(ahead_ms=-CLOCK_MS), fresh(taken_at=NOW - 30 * DAY_MS),
        row(marked_at=NOW - 30 * DAY_MS), case(selftest=SelfTest(NOW - SELFTEST_MS, ok=True, detail="")),
        case(selftest=SelfTest(NOW + DAY_MS, ok=True, detail="")),
    ],
)  # fmt: skip
def test_to_the_day_is_in_time(spoil: Callable[[Case], Case]) -> None:
    assert lacks(spoil(GOOD)) == ()


@pytest.mark.parametrize("at", [REMOTE.added_at - DAY_MS, NOW + DAY_MS])
def test_a_marking_may_be_a_day_off_and_no_more(at: int) -> None:
    assert is_marked_in_time(row(marked_at=at)(GOOD))
    further = at - 1 if at < NOW else at + 1
    assert not is_marked_in_time(row(marked_at=further)(GOOD))


def test_one_more_place_in_the_archive_takes_nothing_from_the_first() -> None:
    both = replace(HELD[1], fresh=(LIBRARY, *HELD[1].fresh))
    assert both.is_archived
    assert replace(both, remembered=both.fresh).was_archived


def test_an_album_that_was_deleted_is_told_from_a_photo_that_was_taken_out() -> None:
    gone, taken_out = case(album=None)(GOOD), case(album=frozenset())(GOOD)
    assert (gone.is_member, taken_out.is_member) == (False, False)
    assert [lack.why for lack in lacks(gone)] == ["the album is not there any more"]
    assert [lack.why for lack in lacks(taken_out)] == ["it does not stand in the album"]


def test_a_fingerprint_that_nobody_can_work_out_is_said_once() -> None:
    odd = unproved(replace(FILES[1], fingerprint="AgUnknown", is_proved=False))(GOOD)
    assert [lack.proof for lack in lacks(odd)].count(Proof.TAKEN) == 1


def test_its_days_begin_when_it_is_marked_and_never_before() -> None:
    assert album_times(row(marked_at=None)(GOOD)) == NOW + RULES.cooloff_ms


def test_which_proofs_are_asked_for_when_is_written_down() -> None:
    """Adding one is a decision: whoever changes these sets changes them here, too."""
    read = {Proof.ARCHIVED, Proof.MATCHED, Proof.COPIES, Proof.ON_PHONE, Proof.TWINS}
    assert set(Proof) - QUICK == read
    later = {Proof.ARMED, Proof.TESTED, Proof.MEMBER, Proof.COOLED}
    assert set(Proof) - MARKING == read | later
