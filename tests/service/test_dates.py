"""Guards dates in bulk: what a preview says is what happens, a Live pair stays together, a person's word stays."""

from pathlib import Path

import pytest

from mediad.errors import Refused
from mediad.model import AssetId, Site
from mediad.service.dates import Choice, choice_of, order_of
from tests.service.care_world import CHAIN, care

LATE = {"clean": {"after_hours": 1_000_000}}


def of(*assets: AssetId) -> Choice:
    return Choice(ids=frozenset(assets))


async def test_a_preview_says_old_and_new_with_the_place_and_changes_nothing(
    tmp_path: Path,
) -> None:
    async with care(tmp_path, **LATE) as c:
        photo = await c.drop("IMG_1.HEIC", "heic at=0")
        await c.w.run(*CHAIN)
        tree, rows = c.tree(), await c.w.journal.latest_event()
        doc = await c.desk.dates.preview(of(photo), order_of({"shift": "+8h"}))
        [line] = doc["assets"]
        assert (doc["changed"], doc["run"]) == (1, None)
        assert (line["library"], line["goes_to"]) == (
            ["2024/07/14/IMG_1.HEIC"],
            ["2024/07/15/IMG_1.HEIC"],
        )
        assert line["becomes"] is not None
        assert line["becomes"]["source"] == "person"
        assert (c.tree(), await c.w.journal.latest_event()) == (tree, rows)
        await c.desk.dates.apply(of(photo), order_of({"shift": "+8h"}))
        await c.w.run(*CHAIN)
        assert c.library() == line["goes_to"]


async def test_only_the_librarys_file_moves_and_its_time_stays(tmp_path: Path) -> None:
    async with care(tmp_path, **LATE) as c:
        photo = await c.drop("IMG_1.HEIC", "heic at=0")
        await c.w.run(*CHAIN)
        before = {k: v for k, v in c.tree().items() if not k.startswith("library/")}
        [was] = [v for k, v in c.tree().items() if k.startswith("library/")]
        await c.desk.dates.apply(of(photo), order_of({"to": "1994-12-24"}))
        await c.w.run(*CHAIN)
        assert {k: v for k, v in c.tree().items() if not k.startswith("library/")} == before
        assert c.tree()["library/1994/12/24/IMG_1.HEIC"] == was


async def test_a_live_pair_and_its_sidecar_move_together(tmp_path: Path) -> None:
    async with care(tmp_path, **LATE) as c:
        live = await c.drop("x/IMG_9.HEIC", "heic cid=A at=0")
        await c.drop("x/IMG_9.MOV", "mov cid=A")
        await c.drop("x/IMG_9.AAE", "sidecar")
        await c.w.run(*CHAIN)
        assert len(c.library()) == 3
        await c.desk.dates.apply(of(live), order_of({"to": "1994-12-24"}))
        await c.w.run(*CHAIN)
        assert [k.rpartition("/")[0] for k in c.library()] == ["1994/12/24"] * 3


async def test_a_persons_word_survives_a_restart_and_a_second_look(tmp_path: Path) -> None:
    async with care(tmp_path, **LATE) as c:
        live = await c.drop("x/IMG_9.HEIC", "heic cid=A at=0")
        await c.w.run(*CHAIN)
        await c.desk.dates.apply(of(live), order_of({"to": "1994-12-24"}))
        await c.w.run(*CHAIN)
        await c.drop("x/IMG_9.MOV", "mov cid=A")  # a late half: all of it goes through intake again
        await c.w.run(*CHAIN)
        captured = await c.captured(live)
        assert captured is not None
        assert (captured.source, captured.local[:10]) == ("person", "1994-12-24")
        assert [k.rpartition("/")[0] for k in c.library()][:1] == ["1994/12/24"]
    async with care(tmp_path, **LATE) as c:
        captured = await c.captured(live)
        assert captured is not None
        assert captured.source == "person"


async def test_what_is_not_in_the_library_yet_is_sorted_by_its_new_date(tmp_path: Path) -> None:
    async with care(tmp_path, workflow={"preset": "relay"}, **LATE) as c:
        photo = await c.drop("IMG_1.HEIC", "heic at=0")
        await c.w.run(*CHAIN[:2])
        doc = await c.desk.dates.apply(of(photo), order_of({"to": "1994-12-24"}))
        assert doc["changed"] == 1
        await c.w.run(*CHAIN)
        assert c.library() == ["1994/12/24/IMG_1.HEIC"]


async def test_what_is_just_on_its_way_into_the_library_is_left_alone(tmp_path: Path) -> None:
    async with care(tmp_path, **LATE) as c:
        photo = await c.drop("IMG_1.HEIC", "heic at=0")
        await c.w.run(*CHAIN[:2])
        doc = await c.desk.dates.apply(of(photo), order_of({"to": "1994-12-24"}))
        assert doc["refused"] == 1
        assert "on its way into the library" in doc["assets"][0]["why"]


async def test_assets_are_chosen_by_what_is_known_of_their_dates(tmp_path: Path) -> None:
    async with care(tmp_path, **LATE) as c:
        sure = await c.drop("a/IMG_1.HEIC", "heic at=0")
        day = await c.drop("b/IMG-20190101-WA0001.jpg", "jpeg n=1")
        await c.w.run(*CHAIN)
        for choice, wanted in (
            (Choice(), {sure, day}),
            (Choice(sources=frozenset({"exif"})), {sure}),
            (Choice(confidence=frozenset({"likely"})), {day}),
            (Choice(folder="a"), {sure}),
            (Choice(folder="2019/01"), {day}),
            (Choice(since="2020-01-01"), {sure}),
            (Choice(until="2020-01-01"), {day}),
            (of(day), {day}),
        ):
            found = await c.desk.dates.shown(choice, 0, 100)
            assert {a["id"] for a in found["assets"]} == wanted, choice
        first = await c.desk.dates.shown(Choice(), 0, 1)
        assert first["cursor"] == str(first["assets"][0]["id"])


async def test_all_dates_at_once_are_not_changed_by_a_slip(tmp_path: Path) -> None:
    async with care(tmp_path, **LATE) as c:
        await c.drop("IMG_1.HEIC", "heic at=0")
        await c.w.run(*CHAIN)
        with pytest.raises(Refused, match="every date"):
            await c.desk.dates.apply(Choice(), order_of({"shift": "+1h"}))


async def test_the_same_bytes_of_two_assets_do_not_go_two_ways(tmp_path: Path) -> None:
    async with care(tmp_path, dedup={"enabled": False}, **LATE) as c:
        one = await c.drop("a/IMG_1.HEIC", "heic at=0")
        await c.w.run(*CHAIN)
        await c.drop("b/IMG_1.HEIC", "heic at=0")
        await c.w.run(*CHAIN)
        if len(c.library()) > 1:
            pytest.fail("the two are one file here")
        doc = await c.desk.dates.apply(of(one), order_of({"to": "1994-12-24"}))
        assert doc["refused"] == 1
        assert "shares its file" in doc["assets"][0]["why"]
        assert c.w.files.under(Site.LIBRARY)


@pytest.mark.parametrize(
    "said",
    [
        {}, {"shift": "x"}, {"zone": "Nowhere/Land"}, {"zone": "../../etc/passwd"}, {"from": "dreams"},
        {"shift": "+1h", "to": "2024-01-01"},
    ],
)  # fmt: skip
def test_an_order_that_cannot_be_understood_is_refused(said: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        order_of(said)
    assert refused.value.code == "dates.invalid"


def test_a_confidence_that_is_none_is_refused() -> None:
    with pytest.raises(Refused):
        choice_of({"confidence": ["certain"]}, None)
