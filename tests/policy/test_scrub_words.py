"""Guards what a person is told of damaged copies: the file, what it means for it, and no odd byte of a name."""

from dataclasses import replace

from mediad.model import AssetId, Digest, OriginalId, Place, Site, SiteKey
from mediad.policy.scrub import DAY_MS, TOLD_MS, Damage, Fate, Found, Progress
from mediad.policy.scrub_words import problems_of

NOW = 100 * DAY_MS
BAD = Damage(
    AssetId(1), OriginalId(1), Place(Site.ARCHIVE, SiteKey("2024/a.jpg")), Digest("a" * 64), None,
    Found.ROTTEN, Fate.HEALING, NOW - 5,
)  # fmt: skip


def test_every_open_damage_is_one_problem_of_its_kind_with_its_file_and_since_when() -> None:
    """P12: told, and never silently mended."""
    lost = replace(BAD, fate=Fate.LOST, seen_at=NOW - 7)
    sick = replace(BAD, fate=Fate.UNREADABLE, what=Found.UNREADABLE)
    told = problems_of([BAD, lost, sick], [], NOW, None)
    assert [p.code for p in told] == ["scrub.lost", "scrub.rot", "scrub.unreadable"]
    assert all("archive/2024/a.jpg" in p.message and p.remedy for p in told)
    assert told[0].since == NOW - 7


def test_healed_rot_is_told_for_some_days_because_the_disk_may_be_failing() -> None:
    healed = replace(BAD, fate=Fate.HEALED, ended_at=NOW, healed_key="2024/a_1.jpg")
    [told] = problems_of([], [healed], NOW + TOLD_MS - 1, None)
    assert told.code == "scrub.healed"
    assert "2024/a_1.jpg" in told.message
    assert problems_of([], [healed], NOW + TOLD_MS, None) == []


def test_what_a_person_removed_is_no_problem() -> None:
    removed = replace(BAD, what=Found.MISSING, fate=Fate.OVER, ended_at=NOW)
    assert problems_of([], [removed], NOW, None) == []


def test_many_files_are_counted_and_only_some_are_named() -> None:
    many = [replace(BAD, place=Place(Site.ARCHIVE, SiteKey(f"{n}.jpg"))) for n in range(9)]
    [told] = problems_of(many, [], NOW, None)
    assert told.message.startswith("9 copies")
    assert "and 6 more" in told.message


def test_a_name_that_is_no_text_can_be_told() -> None:
    odd = replace(BAD, place=Place(Site.ARCHIVE, SiteKey("a\udcff.jpg")))
    [told] = problems_of([odd], [], NOW, None)
    assert "\N{REPLACEMENT CHARACTER}" in told.message


def test_falling_behind_is_told_in_days() -> None:
    [told] = problems_of([], [], NOW, Progress(1, 1, 1, 1, oldest=NOW - 40 * DAY_MS))
    assert (told.code, "40 days" in told.message) == ("scrub.behind", True)
