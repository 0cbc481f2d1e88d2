"""Guards that one bad member never spoils its lot, and that every asset gets its own answers."""

from collections.abc import Sequence

from mediad.errors import Bug, MediadError, Refused, Retryable
from mediad.model import Digest, Place, Site, SiteKey
from mediad.ports import Put
from mediad.stages.lots import each, look_again, pair, place_each, spread

BAD = Refused("no")


async def doubled(numbers: Sequence[int]) -> Sequence[int | MediadError]:
    return [BAD if n < 0 else 2 * n for n in numbers]


async def test_each_asset_gets_its_own_answers_in_order() -> None:
    assert await spread(doubled, [[1, 2], [], [3]]) == [(2, 4), (), (6,)]


async def test_one_error_is_that_assets_answer_alone() -> None:
    assert await spread(doubled, [[1, -1, 2], [3]]) == [BAD, (6,)]


async def test_who_failed_before_is_not_asked_again() -> None:
    asked: list[int] = []

    async def ask(numbers: Sequence[int]) -> Sequence[int | MediadError]:
        asked.extend(numbers)
        return list(numbers)

    assert await spread(ask, [BAD, [7]]) == [BAD, (7,)]
    assert asked == [7]


async def test_nothing_to_ask_is_not_asked() -> None:
    async def never(_: Sequence[int]) -> Sequence[int]:
        raise Bug("asked")

    assert await spread(never, [[], BAD]) == [(), BAD]


def test_the_next_step_leaves_the_fallen_alone() -> None:
    def halved(number: int) -> int:
        if number % 2:
            raise BAD
        return number // 2

    numbers: list[int | MediadError] = [4, 3, BAD]
    assert each(halved, numbers) == [2, BAD, BAD]
    assert pair([1, BAD, 3], ["a", "b", BAD]) == [(1, "a"), BAD, BAD]


def put(target: str) -> Put:
    return Put(
        Place(Site.SPOOL, SiteKey("x")), Place(Site.ARCHIVE, SiteKey(target)), Digest("a" * 64), 1
    )


async def test_who_wants_a_place_that_is_about_to_be_taken_looks_again() -> None:
    placed: list[str] = []

    async def place(puts: Sequence[Put]) -> Sequence[MediadError | None]:
        placed.extend(p.target.key for p in puts)
        return [BAD if p.target.key == "bad" else None for p in puts]

    lot = [[put("a"), put("b")], [put("b"), put("c")], [put("bad"), put("d")], [], [put("e")]]
    first, second, third, empty, last = await place_each(place, lot)
    assert (first, third, empty, last) == (None, BAD, None, None)
    assert second is not None
    assert second.code == "place.taken"
    assert placed == ["a", "b", "bad", "d", "e"]


def test_a_source_that_changed_is_no_case_for_a_person() -> None:
    changed = look_again(Refused("other bytes", code="place.changed"))
    assert isinstance(changed, Retryable)
    assert changed.after_s == 1
    assert look_again(BAD) is BAD
    assert look_again(None) is None
