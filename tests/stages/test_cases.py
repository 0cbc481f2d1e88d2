"""Guards what is asked of iCloud before anything is marked or deleted: few questions, each answer to its own photo."""

from pathlib import Path

from mediad.stages import cases
from tests.stages.clouds import album, at_home, cloudy, self_tested


async def test_each_photo_has_its_own_answer_and_a_file_from_elsewhere_none(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        first, one = await at_home(w)
        second, two = await at_home(w, "IMG_2.HEIC")
        other = await w.drop("a.HEIC", "heic at=0 a")
        w.cloud.expunge(second)
        w.cloud.calls.clear()
        assets = [await w.asset(a) for a in (two, other, one)]
        known = await cases.from_journal(assets, w.ports())
        assert [c.row.remote.ref if c else None for c in known] == [second, None, first]
        assert not w.cloud.calls
        asked = await cases.asked([c for c in known if c], w.ports())
        assert [c.fresh and c.fresh.ref for c in asked] == [None, first]
        assert dict(w.cloud.calls) == {"members": 1, "lookup": 1}


async def test_without_a_photo_of_icloud_nobody_is_asked(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        other = await w.drop("a.HEIC", "heic at=0 a")
        assert await cases.from_journal([await w.asset(other)], w.ports()) == [None]
        assert await cases.asked([], w.ports()) == []
        assert not w.cloud.calls


async def test_a_self_test_of_other_parts_is_none(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        _, asset = await at_home(w)
        whole = await w.asset(asset)
        [case] = await cases.from_journal([whole], w.ports())
        assert case is not None
        assert (case.untested, case.selftest is not None) == ("", True)
        w.configure("icloud", username="somebody.else@example.com")
        [case] = await cases.from_journal([whole], w.ports())
        assert case is not None
        assert "other parts" in case.untested
        await self_tested(w)
        [case] = await cases.from_journal([whole], w.ports())
        assert case is not None
        assert case.untested == ""


async def test_the_album_keeps_its_record_name(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        record = await cases.album(w.ports())
        assert record == await album(w) == await cases.album(w.ports())
        w.configure("icloud", album="Another")
        assert await cases.album(w.ports()) != record
