"""Guards what the phone is sent: the original or its rendition, whole shots, and from where the bytes are taken."""

from dataclasses import replace

from mediad.model import (
    Asset,
    AssetId,
    BatchId,
    Copy,
    Digest,
    Inspection,
    Kind,
    Media,
    Original,
    OriginalId,
    Place,
    Placement,
    Rendition,
    Role,
    Site,
    SiteKey,
)
from mediad.policy.sending import is_original, placement_of, placements, sent, sources

STILL, MOVIE, SMALL = Digest("a" * 64), Digest("b" * 64), Digest("c" * 64)


def original(n: int, name: str, digest: Digest | None, role: Role = Role.PRIMARY) -> Original:
    looked = Inspection(Media.HEIC, ".heic") if digest == STILL else None
    return Original(
        OriginalId(n), role, name, SiteKey(name), SiteKey(f"0-{name}"), 9, 1, digest, looked
    )


def rendition(site: Site, key: str, digest: Digest = SMALL) -> Rendition:
    return Rendition(OriginalId(1), "photo/1", Place(site, SiteKey(key)), digest, 4)


def copy(site: Site, key: str, digest: Digest = STILL) -> Copy:
    return Copy(OriginalId(1), Place(site, SiteKey(key)), digest, 1, "reread")


def placement(n: int, digest: Digest, batch: int = 1) -> Placement:
    return Placement(OriginalId(n), BatchId(batch), SiteKey(f"{n}.x"), digest, 9, 1)


PAIR = Asset(
    AssetId(1), "a.HEIC", Kind.LIVE_PHOTO, "folder", 1,
    (original(1, "a.HEIC", STILL), original(2, "a.MOV", MOVIE, Role.LIVE_VIDEO), original(3, "a.AAE", None)),
    renditions=(rendition(Site.SPOOL, "renditions/1.heic"), rendition(Site.LIBRARY, "2024/a.jpg")),
)  # fmt: skip


def test_all_that_was_taken_goes_and_nothing_that_was_not() -> None:
    assert [(s.original.name, s.digest, s.size) for s in sent(PAIR, renditions=False)] == [
        ("a.HEIC", STILL, 9), ("a.MOV", MOVIE, 9),
    ]  # fmt: skip


def test_a_rendition_stands_for_its_original_where_there_is_one() -> None:
    still, movie = sent(PAIR, renditions=True)
    assert (still.digest, still.size, still.rendition) == (SMALL, 4, PAIR.renditions[1])
    assert (movie.digest, movie.rendition) == (MOVIE, None)
    assert (still.member.name, movie.member.name) == ("a.jpg", "a.MOV")


def test_the_newest_placement_counts_and_a_shot_is_placed_whole_or_not() -> None:
    one = replace(PAIR, placements=(placement(1, STILL), placement(1, SMALL, 2)))
    assert placement_of(one, OriginalId(1)) == placement(1, SMALL, 2)
    assert placement_of(one, OriginalId(2)) is None
    assert placements(one) == ()
    both = replace(one, placements=(*one.placements, placement(2, MOVIE)))
    assert placements(both) == (placement(1, SMALL, 2), placement(2, MOVIE))


def test_a_rendition_is_no_original() -> None:
    assert is_original(PAIR, placement(1, STILL))
    assert not is_original(PAIR, placement(1, SMALL))
    assert not is_original(PAIR, placement(2, STILL))


def test_bytes_come_from_our_working_copy_first_and_never_from_the_shared_folder() -> None:
    kept = replace(
        PAIR,
        copies=(
            copy(Site.PHONE, "1.x"), copy(Site.ARCHIVE, "a.HEIC"), copy(Site.DUPLICATES, "d"),
            copy(Site.LIBRARY, "b.HEIC", MOVIE),
        ),
    )  # fmt: skip
    assert sources(kept, OriginalId(1), STILL) == (
        Place(Site.SPOOL, SiteKey("0-a.HEIC")), Place(Site.ARCHIVE, SiteKey("a.HEIC")),
    )  # fmt: skip
    assert sources(kept, OriginalId(1), SMALL) == (
        Place(Site.LIBRARY, SiteKey("2024/a.jpg")), Place(Site.SPOOL, SiteKey("renditions/1.heic")),
    )  # fmt: skip
