"""Guards which Live Photos go to the phone as one file: only whole pairs, and never twice in two ways."""

from dataclasses import replace

import pytest

from mediad.model import (
    Asset,
    AssetId,
    BatchId,
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
from mediad.policy.motion import halves_of, joined, pair_of, pair_that_went
from mediad.policy.sending import (
    Sent,
    is_original,
    joined_at,
    placement_of,
    placements,
    sent,
    sources,
)
from mediad.ports import Halves

STILL, FILM, SIDE, BOTH, SMALL = (Digest(c * 64) for c in "abcde")


def original(n: int, name: str, role: Role, media: Media, digest: Digest | None) -> Original:
    key = SiteKey(f"0-{name}")
    looked = Inspection(media, f".{media.value}")
    return Original(OriginalId(n), role, name, SiteKey(name), key, 10 * n, 1, digest, looked)


HEIC = original(1, "a.HEIC", Role.PRIMARY, Media.HEIC, STILL)
MOV = original(2, "a.MOV", Role.LIVE_VIDEO, Media.MOV, FILM)
AAE = original(3, "a.AAE", Role.SIDECAR, Media.SIDECAR, SIDE)
PAIR = Asset(AssetId(1), "a.HEIC", Kind.LIVE_PHOTO, "folder", 1, (HEIC, MOV, AAE))


def sending(asset: Asset = PAIR) -> tuple[Sent, ...]:
    return sent(asset, renditions=False)


def of(*originals: Original, kind: Kind = Kind.LIVE_PHOTO) -> Asset:
    return replace(PAIR, originals=originals, kind=kind)


def placed(n: int, digest: Digest, batch: int = 1, film: int | None = None) -> Placement:
    half = None if film is None else OriginalId(film)
    key = SiteKey(f"{n}-{digest[:1]}-{film}")
    return Placement(OriginalId(n), BatchId(batch), key, digest, 9, 1, film=half)


def test_the_halves_of_a_live_photo_are_a_pair_where_that_is_wanted() -> None:
    pair = pair_of(PAIR, sending(), wanted=True)
    assert pair is not None
    assert (pair.still.original, pair.film.original, pair.size) == (HEIC, MOV, 30)
    assert pair_of(PAIR, sending(), wanted=False) is None


@pytest.mark.parametrize(
    "asset",
    [
        of(HEIC, AAE),
        of(HEIC, replace(MOV, digest=None)),  # it vanished before it was taken
        of(HEIC, MOV, kind=Kind.PHOTO),
        of(replace(HEIC, inspection=Inspection(Media.PNG, ".png")), MOV),
        of(replace(HEIC, inspection=None), MOV),
        of(HEIC, replace(MOV, inspection=Inspection(Media.AVI, ".avi"))),
        of(HEIC, replace(MOV, inspection=Inspection(Media.MOV, ".mov", flaw="intake.truncated"))),
        of(HEIC, MOV, replace(MOV, id=OriginalId(4), name="b.MOV")),
        of(HEIC, replace(MOV, role=Role.EDITED)),
    ],
)
def test_what_is_no_whole_pair_goes_file_by_file(asset: Asset) -> None:
    assert pair_of(asset, sending(asset), wanted=True) is None


@pytest.mark.parametrize(
    "went", [(placed(1, STILL),), (placed(2, FILM),), (placed(1, BOTH, film=2), placed(2, FILM, 2))]
)
def test_a_half_that_went_alone_once_is_never_sent_again_within_another_file(
    went: tuple[Placement, ...],
) -> None:
    asset = replace(PAIR, placements=went)
    assert pair_of(asset, sending(asset), wanted=True) is None


def test_what_went_as_one_file_stays_one_whatever_is_wanted_now() -> None:
    asset = replace(PAIR, placements=(placed(1, BOTH, film=2), placed(3, SIDE)))
    assert pair_of(asset, sending(asset), wanted=False) is not None


@pytest.mark.parametrize(("size", "is_small"), [(31, False), (30, False), (23, True), (22, True)])
def test_the_halves_that_went_are_told_by_how_large_they_were_together(
    size: int, *, is_small: bool
) -> None:
    """Originals of 10 and 20, a rendition of the still of 2; the one file says a little of the film besides."""
    made = Rendition(OriginalId(1), "r/1", Place(Site.LIBRARY, SiteKey("a.HEIC")), SMALL, 2)
    went = replace(placed(1, BOTH, film=2), size=size)
    asset = replace(PAIR, renditions=(made,), placements=(went,))
    pair = pair_that_went(asset)
    assert pair is not None
    assert (pair.still.digest, pair.film.digest) == (SMALL if is_small else STILL, FILM)


def test_of_what_went_as_two_files_or_not_at_all_no_pair_is_told() -> None:
    assert pair_that_went(PAIR) is None
    assert pair_that_went(replace(PAIR, placements=(placed(1, STILL), placed(2, FILM)))) is None


def test_one_file_stands_for_both_and_the_sidecar_goes_beside_it() -> None:
    pair = pair_of(PAIR, sending(), wanted=True)
    assert pair is not None
    one, side = joined(sending(), pair, BOTH, 31)
    assert (one.original, one.film, one.digest, one.size) == (HEIC, MOV, BOTH, 31)
    assert side == sending()[2]


def test_the_halves_are_read_from_our_working_copies() -> None:
    pair = pair_of(PAIR, sending(), wanted=True)
    assert pair is not None
    assert halves_of(PAIR, pair) == Halves(
        Place(Site.SPOOL, HEIC.spool_key), STILL, Place(Site.SPOOL, MOV.spool_key), FILM, 30
    )


def test_one_placement_is_the_place_of_both_halves_and_a_copy_of_neither() -> None:
    both, side = placed(1, BOTH, film=2), placed(3, SIDE)
    asset = replace(PAIR, placements=(both, side))
    assert placement_of(asset, MOV.id) == placement_of(asset, HEIC.id) == both
    assert placements(asset) == (both, side)
    assert not is_original(asset, both)
    assert not is_original(asset, replace(both, digest=STILL))  # whatever its bytes are
    assert is_original(asset, side)


def test_a_half_that_was_placed_alone_later_is_there() -> None:
    both, alone = placed(1, BOTH, film=2), placed(2, FILM, 2)
    asset = replace(PAIR, placements=(both, alone))
    assert placement_of(asset, MOV.id) == alone
    assert placement_of(asset, HEIC.id) == both


def test_the_bytes_of_a_motion_photo_come_from_where_it_was_made() -> None:
    made = joined_at(HEIC)
    assert made == Place(Site.SPOOL, SiteKey("renditions/0-a.HEIC.motion-1.heic"))
    assert sources(PAIR, HEIC.id, BOTH) == (made,)
    assert sources(PAIR, HEIC.id, STILL) == (Place(Site.SPOOL, HEIC.spool_key),)
    jpeg = replace(HEIC, inspection=Inspection(Media.JPEG, ".jpg"))
    assert joined_at(jpeg).key.endswith(".motion-1.jpg")
