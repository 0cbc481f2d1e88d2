"""Guards a look at many names: one answer for each, one question for each, and none to one who is known to be away."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from mediad.adapters.syncthing import SyncthingPhone
from mediad.errors import MediadError
from mediad.model import SiteKey
from mediad.ports import Indexed, Opinion
from tests.adapters.syncthing_phone import Told, phone_of
from tests.adapters.syncthing_stand_in import KEY, PIXEL, StandIn, file_of, row, serving

FILE, NEED, REMOTE = "/rest/db/file", "/rest/db/need", "/rest/db/remoteneed"


@pytest.fixture
async def stand_in(tmp_path: Path) -> AsyncIterator[StandIn]:
    async with serving(StandIn(str(tmp_path))) as stand_in:
        yield stand_in


@pytest.fixture
async def phone(stand_in: StandIn, tmp_path: Path) -> AsyncIterator[SyncthingPhone]:
    async with phone_of(Told(tmp_path, tmp_path, url=stand_in.url, api_key=KEY)) as phone:
        yield phone


def keys_of(*names: str) -> list[SiteKey]:
    return [SiteKey(name) for name in names]


def code_of(answer: object) -> str:
    assert isinstance(answer, MediadError), answer
    return answer.code


async def test_each_name_costs_one_question(stand_in: StandIn, phone: SyncthingPhone) -> None:
    names = [f"{n}.jpg" for n in range(50)]
    stand_in.files = {name: file_of(name) for name in names}
    await phone.indexed(keys_of(*names))
    stand_in.asked.clear()
    found = await phone.indexed(keys_of(*names))
    assert len(stand_in.asked) == 50
    assert [one.here.version for one in found if isinstance(one, Indexed) and one.here] == [
        f"MEMEMEM:{100 + len(name)}" for name in names
    ]
    assert await phone.indexed([]) == ()


async def test_one_odd_answer_spoils_only_its_own_name(
    stand_in: StandIn, phone: SyncthingPhone
) -> None:
    stand_in.files = {"a": file_of("a"), "b": {"global": 1}, "c": file_of("c", availability=None)}
    a, b, c, d = await phone.indexed(keys_of("a", "b", "c", "d"))
    assert isinstance(a, Indexed)
    assert a.is_on_phone
    assert code_of(b) == "syncthing.answer"
    assert isinstance(c, Indexed)
    assert not c.is_on_phone
    assert d is None


async def test_when_syncthing_itself_is_at_fault_the_rest_is_not_asked_for(
    stand_in: StandIn, phone: SyncthingPhone
) -> None:
    async def say(_: web.Request) -> web.Response:
        return web.Response(text="*** Database migration in progress ***")

    stand_in.says[FILE] = say
    found = await phone.indexed(keys_of(*(str(n) for n in range(100))))
    assert {code_of(one) for one in found} == {"syncthing.migrating"}
    assert len([asked for asked in stand_in.asked if FILE in asked]) <= 4


async def test_an_answer_of_another_node_in_between_is_not_believed(
    stand_in: StandIn, phone: SyncthingPhone
) -> None:
    stand_in.files = {"a": file_of("a")}
    assert isinstance((await phone.indexed(keys_of("a")))[0], Indexed)
    stand_in.me = "ANOTHER-NODEAAA"
    assert code_of((await phone.indexed(keys_of("a")))[0]) == "syncthing.not_syncthing"


async def test_a_folder_that_was_taken_away_is_missing(
    stand_in: StandIn, phone: SyncthingPhone
) -> None:
    await phone.indexed(keys_of("a"))

    async def say(_: web.Request) -> web.Response:
        return stand_in.plain(404, "no such folder\n")

    stand_in.says |= {FILE: say, REMOTE: say, "/rest/config/folders": None}
    assert code_of((await phone.indexed(keys_of("a")))[0]) == "syncthing.folder_missing"


async def test_without_an_opinion_the_phone_is_not_had_for_sure_on_2(
    stand_in: StandIn, phone: SyncthingPhone
) -> None:
    stand_in.version = "v2.1.3"
    stand_in.files = {"a": file_of("a")}
    [found] = await phone.indexed(keys_of("a"))
    assert isinstance(found, Indexed)
    assert (found.is_on_phone, found.opinion) == (True, Opinion.NONE)


async def test_null_lists_are_empty(phone: SyncthingPhone) -> None:
    assert await phone.needed() == frozenset()
    assert await phone.ahead() == frozenset()


async def test_all_pages_are_read_and_deletions_are_not_needed(
    stand_in: StandIn, phone: SyncthingPhone
) -> None:
    rows = [row(f"{n}.jpg", deleted=n % 2 == 1) for n in range(2500)]

    async def say(request: web.Request) -> web.Response:
        page, size = int(request.query["page"]), int(request.query["perpage"])
        assert request.query["device"] == PIXEL
        return stand_in.json({"files": rows[(page - 1) * size : page * size] or None})

    stand_in.says[REMOTE] = say
    assert await phone.needed() == {f"{n}.jpg" for n in range(0, 2500, 2)}


async def test_what_is_ahead_is_gathered_from_all_three_lists_with_deletions(
    stand_in: StandIn, phone: SyncthingPhone
) -> None:
    stand_in.says[NEED] = {
        "progress": [row("a")], "queued": [row("b")], "rest": [row("c", deleted=True)]
    }  # fmt: skip
    assert await phone.ahead() == {"a", "b", "c"}


@pytest.mark.parametrize(
    "odd",
    [
        None, [], "x", 5, {"files": {}}, {"files": [None]}, {"files": [{}]}, {"files": [{"name": 5}]},
        {"files": [{"name": "a", "deleted": "no"}]},
    ],
)  # fmt: skip
async def test_an_odd_list_is_an_error_and_no_empty_one(
    stand_in: StandIn, phone: SyncthingPhone, odd: object
) -> None:
    stand_in.says[REMOTE] = odd
    with pytest.raises(MediadError) as caught:
        await phone.needed()
    assert caught.value.code == "syncthing.answer"


@pytest.mark.parametrize("odd", [{}, "x", 5, [None], [[]], ["x"]])
async def test_what_is_no_list_of_events_is_an_error(
    stand_in: StandIn, phone: SyncthingPhone, odd: object
) -> None:
    stand_in.says["/rest/events"] = odd
    with pytest.raises(MediadError) as caught:
        await phone.events(0, mask=["ConfigSaved"], limit=None, timeout_s=0)
    assert caught.value.code == "syncthing.answer"


async def test_another_address_or_key_is_used_from_the_next_question_on(
    stand_in: StandIn, tmp_path: Path
) -> None:
    told = Told(tmp_path, tmp_path, url=stand_in.url, api_key="an old key")
    async with phone_of(told) as phone:
        with pytest.raises(MediadError) as caught:
            await phone.link()
        assert caught.value.code == "syncthing.bad_key"
        told.say(api_key=KEY)
        assert (await phone.link()).device == PIXEL
        async with serving(StandIn(str(tmp_path), key="another")) as other:
            told.say(url=other.url, api_key="another")
            assert (await phone.link()).is_connected
            assert other.asked
