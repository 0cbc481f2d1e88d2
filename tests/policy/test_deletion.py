"""Guards that no file goes whose bytes were not just now read back elsewhere."""

import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediad.errors import Refused
from mediad.model import (
    Asset,
    AssetId,
    BatchId,
    Copy,
    Digest,
    Kind,
    Original,
    OriginalId,
    Place,
    Placement,
    Rendition,
    Role,
    Site,
    SiteKey,
)
from mediad.policy import deletion
from mediad.policy.deletion import (
    COUNTED,
    KEPT,
    made_from,
    warrant_for_duplicate,
    warrant_for_shared,
    warrant_for_spool,
)

STILL, MOVIE = Digest("a" * 64), Digest("b" * 64)


def original(number: int, digest: Digest | None) -> Original:
    name = f"IMG_{number}.HEIC"
    return Original(
        OriginalId(number), Role.PRIMARY, name, SiteKey(name), SiteKey(f"0-{name}"), 9, 1, digest
    )


def copy(site: Site, digest: Digest, number: int = 1, key: str = "") -> Copy:
    method = "syncthing" if site is Site.PHONE else "o_direct"
    return Copy(
        OriginalId(number), Place(site, SiteKey(key or f"{digest[:4]}.HEIC")), digest, 7, method
    )


PAIR = Asset(
    AssetId(1), "IMG_1.HEIC", Kind.LIVE_PHOTO, "folder", 1, (original(1, STILL), original(2, MOVIE))
)
ALL = (
    copy(Site.ARCHIVE, STILL), copy(Site.ARCHIVE, MOVIE, 2), copy(Site.LIBRARY, STILL), copy(Site.LIBRARY, MOVIE, 2),
)  # fmt: skip


def test_every_file_is_named_with_the_digest_that_was_found_elsewhere() -> None:
    warrant = warrant_for_spool(PAIR, [*ALL, copy(Site.ARCHIVE, Digest("e" * 64))], 2)
    assert warrant.asset == PAIR
    assert warrant.places == (
        (Place(Site.SPOOL, SiteKey("0-IMG_1.HEIC")), STILL),
        (Place(Site.SPOOL, SiteKey("0-IMG_2.HEIC")), MOVIE),
    )
    assert set(warrant.evidence) == set(ALL)


@pytest.mark.parametrize("kept", [c for n in range(4) for c in combinations(ALL, n)])
def test_with_one_proof_less_nothing_goes(kept: tuple[Copy, ...]) -> None:
    with pytest.raises(Refused, match="Nothing was removed"):
        warrant_for_spool(PAIR, kept, 2)


def test_one_half_of_a_pair_never_goes_alone() -> None:
    with pytest.raises(
        Refused, match=r"0-IMG_2\.HEIC has 0 verified copies elsewhere, 1 are wanted"
    ):
        warrant_for_spool(PAIR, (copy(Site.ARCHIVE, STILL),), 1)


@pytest.mark.parametrize("site", sorted(set(Site) - COUNTED))
def test_a_copy_in_a_passing_place_is_no_proof(site: Site) -> None:
    with pytest.raises(Refused):
        warrant_for_spool(PAIR, [copy(site, STILL), copy(site, MOVIE, 2)], 1)


def test_the_same_copy_seen_twice_counts_once() -> None:
    with pytest.raises(Refused):
        warrant_for_spool(PAIR, [ALL[0], ALL[1], ALL[0], ALL[1]], 2)


@pytest.mark.parametrize("min_copies", [0, -3])
def test_no_setting_makes_the_last_copy_go(min_copies: int) -> None:
    with pytest.raises(Refused):
        warrant_for_spool(PAIR, (), min_copies)


def test_a_required_site_must_be_among_them() -> None:
    with pytest.raises(Refused, match=r"no verified copy of 0-IMG_1\.HEIC in the archive"):
        warrant_for_spool(PAIR, ALL[2:], 1, {Site.ARCHIVE})
    assert warrant_for_spool(PAIR, ALL[:2], 1, {Site.ARCHIVE}).places


def test_an_asset_of_unknown_bytes_keeps_its_files() -> None:
    unread = Asset(AssetId(2), "a.jpg", Kind.UNKNOWN, "folder", 1, (original(3, None),))
    with pytest.raises(Refused, match="nothing is known of its bytes"):
        warrant_for_spool(unread, ALL, 1)


def test_a_duplicate_goes_on_the_word_of_its_keepers_copies() -> None:
    twin = Asset(
        AssetId(5), "copy.HEIC", Kind.PHOTO, "folder", 1, (original(9, STILL),),
        copies=(copy(Site.DUPLICATES, STILL, 9),), keeper=AssetId(1),
    )  # fmt: skip
    warrant = warrant_for_duplicate(twin, ALL[:1], 1)
    assert warrant.places == ((twin.copies[0].place, STILL),)
    for other in ([], [copy(Site.DUPLICATES, STILL, 9)], [ALL[1]]):
        with pytest.raises(Refused):
            warrant_for_duplicate(twin, other, 1)


MADE: Final = Digest("c" * 64)


def rendition(of: int, digest: Digest) -> Rendition:
    return Rendition(OriginalId(of), "r/1", Place(Site.LIBRARY, SiteKey("r.jpg")), digest, 1)


def sent(digest: Digest, film: int | None = None) -> Placement:
    other = OriginalId(film) if film else None
    return Placement(OriginalId(1), BatchId(1), SiteKey("IMG_1.HEIC"), digest, 9, 1, film=other)


@pytest.mark.parametrize(
    ("renditions", "placements", "expected"),
    [
        ((rendition(2, MADE),), (), {MADE: {MOVIE}}),
        ((), (sent(MADE),), {MADE: {STILL}}),
        ((), (sent(MADE, film=2),), {MADE: {STILL, MOVIE}}),
        ((), (sent(STILL),), {}),  # it was sent as it came
        ((rendition(1, MOVIE),), (), {}),  # whoever has the film's own bytes has the film
        ((), (sent(MADE, film=3),), {}),  # of the third nothing is known
        ((rendition(4, MADE),), (), {}),  # nor of the fourth
    ],
)
def test_what_mediad_made_is_told_from_what_came(
    renditions: tuple[Rendition, ...],
    placements: tuple[Placement, ...],
    expected: dict[Digest, set[Digest]],
) -> None:
    """What is not in it goes only on copies of its own bytes."""
    three = (*PAIR.originals, original(3, None))
    holder = replace(PAIR, originals=three, renditions=renditions, placements=placements)
    assert made_from(holder) == expected


def test_a_rendition_that_came_back_goes_on_the_proof_of_what_it_was_made_from() -> None:
    aside = copy(Site.DUPLICATES, SMALL, 9)
    back = Asset(
        AssetId(5), "small.JPG", Kind.PHOTO, "folder", 1, (original(9, SMALL),),
        copies=(aside,), keeper=AssetId(1),
    )  # fmt: skip
    of = {SMALL: {STILL}}
    warrant = warrant_for_duplicate(back, ALL[:1], 1, {Site.ARCHIVE}, of)
    assert (warrant.places, warrant.evidence) == (((aside.place, SMALL),), ALL[:1])
    same = copy(Site.LIBRARY, SMALL, 2)  # the rendition itself, in the library, is no proof of it
    for fresh, known in (
        ([same], of),
        ([ALL[1]], of),
        (ALL, {}),
        (ALL, {STILL: {SMALL}}),
    ):
        with pytest.raises(Refused):
            warrant_for_duplicate(back, fresh, 1, (), known)
    with pytest.raises(Refused, match="in the archive"):
        warrant_for_duplicate(back, ALL[2:], 1, {Site.ARCHIVE}, of)


def test_of_a_duplicate_only_what_was_set_aside_goes() -> None:
    """Its other copies, if it ever has some, are no working files."""
    aside = copy(Site.DUPLICATES, STILL, 9)
    twin = Asset(
        AssetId(5), "copy.HEIC", Kind.PHOTO, "folder", 1, (original(9, STILL),),
        copies=(copy(Site.ARCHIVE, STILL, 9, "mine.HEIC"), aside), keeper=AssetId(1),
    )  # fmt: skip
    assert warrant_for_duplicate(twin, ALL[:1], 1).places == ((aside.place, STILL),)


def test_a_rendition_is_no_evidence_for_what_leaves_the_shared_folder() -> None:
    small = copy(Site.LIBRARY, SMALL, 2)
    assert warrant_for_shared(SENT, [*ALL, small]).evidence == ALL


def test_a_motion_photo_leaves_the_shared_folder_only_when_both_halves_are_kept() -> None:
    key, both = SiteKey("a.MP.HEIC"), Digest("e" * 64)
    joined = Placement(OriginalId(1), BatchId(1), key, both, 9, 1, film=OriginalId(2))
    sent = replace(PAIR, placements=(joined,))
    kept = (copy(Site.ARCHIVE, STILL), copy(Site.ARCHIVE, MOVIE, 2))
    assert warrant_for_shared(sent, kept).places == ((Place(Site.PHONE, key), both),)
    for less in kept:
        with pytest.raises(Refused, match="Nothing was removed"):
            warrant_for_shared(sent, (less,))


def test_a_motion_photo_that_came_back_goes_only_when_both_halves_are_kept() -> None:
    aside = copy(Site.DUPLICATES, SMALL, 9)
    back = Asset(
        AssetId(5), "a.MP.HEIC", Kind.PHOTO, "folder", 1, (original(9, SMALL),),
        copies=(aside,), keeper=AssetId(1),
    )  # fmt: skip
    of = {SMALL: {STILL, MOVIE}}
    kept = (copy(Site.ARCHIVE, STILL), copy(Site.ARCHIVE, MOVIE, 2))
    warrant = warrant_for_duplicate(back, kept, 1, {Site.ARCHIVE}, of)
    assert set(warrant.places) == {(aside.place, SMALL)}
    for less in kept:
        with pytest.raises(Refused, match="Nothing was removed"):
            warrant_for_duplicate(back, (less,), 1, {Site.ARCHIVE}, of)


def test_the_phones_copy_counts_by_the_phones_word_and_not_by_the_folder_that_is_shared() -> None:
    announced = (copy(Site.PHONE, STILL), copy(Site.PHONE, MOVIE, 2))
    assert warrant_for_spool(PAIR, announced, 1).evidence == announced
    read = [replace(c, method="o_direct") for c in announced]
    with pytest.raises(Refused):
        warrant_for_spool(PAIR, read, 1)


SMALL = Digest("d" * 64)
SENT = replace(
    PAIR,
    placements=(
        Placement(OriginalId(1), BatchId(1), SiteKey("a.HEIC"), STILL, 9, 1),
        Placement(OriginalId(2), BatchId(1), SiteKey("a.MOV"), SMALL, 4, 1),
    ),
)


def test_what_counts_where_is_written_down() -> None:
    """Another site here is a decision: whoever makes it changes this, too."""
    assert {Site.ARCHIVE, Site.LIBRARY, Site.PHONE} == COUNTED
    assert {Site.ARCHIVE, Site.LIBRARY, Site.SPOOL} == KEPT


@pytest.mark.parametrize("site", sorted(KEPT))
def test_the_shared_folder_is_left_when_the_bytes_as_taken_are_kept_elsewhere(site: Site) -> None:
    kept = (copy(site, STILL), copy(site, MOVIE, 2))
    warrant = warrant_for_shared(SENT, kept)
    assert warrant.places == (
        (Place(Site.PHONE, SiteKey("a.HEIC")), STILL), (Place(Site.PHONE, SiteKey("a.MOV")), SMALL),
    )  # fmt: skip
    assert warrant.evidence == kept
    for less in kept:
        with pytest.raises(Refused, match="Nothing was removed"):
            warrant_for_shared(SENT, (less,))


@pytest.mark.parametrize("site", sorted(set(Site) - KEPT))
def test_the_phone_and_passing_places_do_not_stand_in_for_the_shared_folder(site: Site) -> None:
    with pytest.raises(Refused):
        warrant_for_shared(SENT, [copy(site, STILL), copy(site, MOVIE, 2)])


def test_a_rendition_never_stands_in_for_what_was_taken() -> None:
    with pytest.raises(Refused, match=r"a\.MOV has 0 verified copies"):
        warrant_for_shared(SENT, [copy(Site.LIBRARY, STILL), copy(Site.LIBRARY, SMALL, 2)])


def test_the_archive_must_be_among_them_where_it_is_on() -> None:
    spool = [copy(Site.SPOOL, STILL), copy(Site.SPOOL, MOVIE, 2)]
    with pytest.raises(Refused, match="in the archive"):
        warrant_for_shared(SENT, spool, {Site.ARCHIVE})
    assert warrant_for_shared(SENT, [*ALL, *spool], {Site.ARCHIVE}).places


def test_what_is_placed_and_unknown_stays() -> None:
    foreign = replace(SENT, originals=PAIR.originals[:1])
    with pytest.raises(Refused, match=r"nothing is known of the bytes of a\.MOV"):
        warrant_for_shared(foreign, ALL)
    with pytest.raises(Refused, match="nothing is known of its bytes"):
        warrant_for_shared(PAIR, ALL)


COPIES = st.builds(
    copy,
    st.sampled_from(Site),
    st.sampled_from([STILL, MOVIE, Digest("c" * 64)]),
    st.just(1),
    st.sampled_from("xyz"),
)


@given(st.lists(COPIES, max_size=12), st.integers(-1, 4))
def test_a_warrant_always_leaves_enough_behind(fresh: list[Copy], min_copies: int) -> None:
    try:
        warrant = warrant_for_spool(PAIR, fresh, min_copies)
    except Refused:
        return
    for place, digest in warrant.places:
        left = {c.place for c in fresh if c.digest == digest and c.place.site in COUNTED} - {place}
        assert len(left) >= max(1, min_copies)


def test_only_this_file_makes_leave_to_delete() -> None:
    """Of files and of photos in iCloud alike: whoever wants to remove something has to bring the proofs here."""
    ours = Path(deletion.__file__)
    makers = re.compile(r"\b(Cloud)?Warrant\(")
    sources = [p for p in ours.parents[1].rglob("*.py") if p != ours]
    assert sources
    assert [p.name for p in sources if makers.search(p.read_text("utf-8"))] == []


def test_icloud_is_told_to_delete_by_one_stage_alone() -> None:
    sources = [
        p for p in Path(deletion.__file__).parents[1].rglob("*.py") if "testing" not in p.parts
    ]
    callers = [p.name for p in sources if ".cloud.delete(" in p.read_text("utf-8")]
    assert callers == ["delete.py"]
