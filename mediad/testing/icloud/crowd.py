"""A library of any size in seconds: what a family has, in about the shares it has it in."""

from collections.abc import Callable
from typing import Final

from mediad.testing.icloud.library import Library
from mediad.testing.icloud.person import Person
from mediad.testing.icloud.rows import AssetRow

MINUTE_MS: Final = 60_000
START: Final = 1_420_070_400_000  # 2015
SHARED: Final = "SharedSync-6A1F0C52-8E0B-4D0F-9C55-0D6B2F5A7E31"
ALBUMS: Final = 5


def crowd(
    library: Library, count: int, *, first_at: int = START, step_ms: int = 90 * MINUTE_MS
) -> None:
    """
    As many assets, with the same bytes each time.

    Of a hundred 20 are Live, 5 films, 3 RAW beside JPEG; 4 are edited, 4 favourites, 1 hidden, 2 in a shared library,
    10 in one of five albums.
    """
    own, shared = Person(library), Person(library, library.zone(SHARED))
    albums = [own.make_album(f"Album {n + 1}", f"ALBUM-{n + 1:04}").record for n in range(ALBUMS)]
    for n in range(count):
        share = n % 100
        person = shared if share in {60, 61} else own
        asset = _kind(person, share)(_name(n), taken_at=first_at + n * step_ms)
        asset.added_at = asset.taken_at + MINUTE_MS
        asset.is_favourite = share in {10, 35, 60, 85}
        asset.is_hidden = share == 50  # noqa: PLR2004 - one of a hundred
        if share in {11, 36, 62, 86}:
            person.edit(asset.record)
        if share % 10 == 7:  # noqa: PLR2004 - every tenth
            own.add_to(albums[n // 10 % ALBUMS], asset.record)


def _name(number: int) -> str:
    return f"IMG_{number % 10_000:04}.JPG"


def _kind(person: Person, share: int) -> Callable[..., AssetRow]:
    if share % 5 == 0:
        return person.shoot_live
    if share in {21, 22, 23, 24, 26}:
        return person.film
    return person.shoot_raw if share in {31, 32, 33} else person.shoot
