"""Guards what is told of iCloud and ordered there: every state in words, no secret told, nothing believed unseen."""

import json
from pathlib import Path

import pytest

from mediad.errors import Refused, Retryable
from mediad.model import Evidence
from mediad.policy.problems import Problem
from mediad.ports import Delta, SignIn, SignInState, Zone
from mediad.testing.cloud import PRIMARY, READY
from mediad.testing.files import digest_of
from tests.service.cloud_lane import (
    ARMED,
    ON,
    S,
    archived,
    deleted,
    listed,
    marked,
    ref_of,
    sorted_,
    taken,
)
from tests.service.phone_lane import go
from tests.service.scripted_door import NEED_CODE, SIGNED_OUT
from tests.service.world import World, a_world

DAY_MS = 86_400_000


async def test_off_is_said_to_be_off_with_the_way_to_switch_it_on(tmp_path: Path) -> None:
    async with a_world(tmp_path, is_working=False) as w:
        doc = await w.service.icloud.status()
        assert doc["state"] == "off"
        assert "icloud.enabled" in doc["remedy"]
        assert doc["counts"]["listed"] == 0
        for order in (
            w.service.icloud.sms(),
            w.service.icloud.key(),
            w.service.icloud.login("x"),
            w.service.icloud.logout(),
        ):
            with pytest.raises(Refused, match="off") as said:
                await order
            assert said.value.code == "link.off"
        assert await w.service.icloud.findings() == []


@pytest.mark.parametrize("state", SignInState)
async def test_every_state_of_the_sign_in_has_its_sentence_and_its_remedy(
    tmp_path: Path, state: SignInState
) -> None:
    async with a_world(tmp_path, ON, is_working=False) as w:
        w.cloud.signed = SignIn(state, "m…@example.com")
        doc = await w.service.icloud.status()
        link = (await w.service.status())["links"]["icloud"]
        [session, *_] = await w.service.icloud.findings()
    is_ready = state is SignInState.READY
    assert doc["sign_in"] == state.value
    assert doc["message"]
    assert bool(doc["remedy"]) != is_ready
    assert (doc["state"], link["state"]) == (("up", "up") if is_ready else ("down", "down"))
    assert is_ready or doc["message"] in link["detail"]
    assert (session["level"] == "ok") == is_ready


async def test_a_sign_in_with_a_code_goes_from_step_to_step(tmp_path: Path) -> None:
    async with a_world(tmp_path, ON, is_working=False) as w:
        assert w.door is not None
        w.cloud.signed = SIGNED_OUT
        w.door.answers.extend([NEED_CODE, NEED_CODE])
        first = await w.service.icloud.login("secret-word")
        resent = await w.service.icloud.sms()
        last = await w.service.icloud.code("123 456")
        gone = await w.service.icloud.logout()
    assert [d["sign_in"] for d in (first, resent, last, gone)] == [
        "need-code", "need-code", "ready", "signed-out",
    ]  # fmt: skip
    assert first["code_by"] == "trusted-device"
    assert w.door.given == [
        ("login", "secret-word"), ("sms", None), ("code", "123456"), ("logout", None),
    ]  # fmt: skip
    assert "secret-word" not in json.dumps([first, resent, last, gone])


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345x", "١٢٣٤٥٦"])
async def test_what_is_no_code_is_never_shown_to_apple(tmp_path: Path, code: str) -> None:
    async with a_world(tmp_path, ON, is_working=False) as w:
        assert w.door is not None
        with pytest.raises(Refused) as said:
            await w.service.icloud.code(code)
        assert said.value.code == "icloud.code_form"
        assert w.door.given == []


async def test_an_empty_password_is_none_and_one_beyond_all_measure_is_refused(
    tmp_path: Path,
) -> None:
    async with a_world(tmp_path, ON, is_working=False) as w:
        assert w.door is not None
        await w.service.icloud.login("")
        with pytest.raises(Refused):
            await w.service.icloud.login("x" * 2000)
        assert w.door.given == [("login", None)]


async def test_a_session_that_holds_again_ends_the_problem_that_its_end_had_made(
    tmp_path: Path,
) -> None:
    async with a_world(tmp_path, ON, is_working=False) as w:
        assert w.door is not None
        w.problems.report(Problem("icloud.signed_out", "signed out", 1, "sign in", "icloud"))
        w.door.answers.append(NEED_CODE)
        await w.service.icloud.login("x")
        assert w.problems.about("icloud") is not None
        await w.service.icloud.code("123456")
        assert w.problems.about("icloud") is None


async def test_an_outage_while_signing_in_is_told_as_one(tmp_path: Path) -> None:
    async with a_world(tmp_path, ON, is_working=False) as w:
        assert w.door is not None
        w.door.answers.append(Retryable("Apple does not answer", code="icloud.offline"))
        with pytest.raises(Retryable, match="Apple does not answer"):
            await w.service.icloud.login("x")
        await w.service.icloud.login("x")  # the door is free again


@pytest.mark.parametrize(
    ("days", "level", "code"),
    [(30, "ok", "icloud.ready"), (13, "warning", "icloud.trust_expires"),
     (2, "warning", "icloud.trust_expires"), (0.5, "fault", "icloud.trust_expires"),
     (-1, "fault", "icloud.trust_expires")],
)  # fmt: skip
async def test_the_end_of_trust_is_a_finding_in_time(
    tmp_path: Path, days: float, level: str, code: str
) -> None:
    async with a_world(tmp_path, ON, is_working=False) as w:
        until = w.clock.now() + round(days * DAY_MS)
        w.cloud.signed = SignIn(SignInState.READY, "m…@example.com", trust_expires_at=until)
        [session, *_] = await w.service.icloud.findings()
    assert (session["level"], session["code"]) == (level, code)


async def test_a_server_that_stands_in_for_apples_is_told_everywhere(tmp_path: Path) -> None:
    env = {**ON, "MEDIAD_ICLOUD__GATEWAY": "http://127.0.0.1:9"}
    async with a_world(tmp_path, env, is_working=False) as w:
        doc = await w.service.icloud.status()
        link = (await w.service.status())["links"]["icloud"]
        codes = {f["code"] for f in await w.service.icloud.findings()}
    assert doc["gateway"] == "http://127.0.0.1:9"
    assert (link["state"], "not Apple's" in link["detail"]) == ("up", True)
    assert "icloud.stand_in" in codes


async def test_counts_say_what_became_of_everything(tmp_path: Path) -> None:
    async with a_world(tmp_path, ON, is_working=False) as w:
        await archived(w, await taken(w, "a.jpg", b"a"), b"a")
        await marked(w, await taken(w, "b.jpg", b"b"), days_ago=1)
        await deleted(w, await taken(w, "c.jpg", b"c"))
        await listed(w, w.cloud.take("d.jpg", b"d"), why="filtered: added before icloud.days")
        doc = await w.service.icloud.status()
    assert doc["counts"] == {
        "listed": 4, "fetched": 1, "waiting": 2, "filtered": 1, "unsupported": 0, "gone": 0,
        "marked": 1, "deleted": 1, "recoverable": 1,
    }  # fmt: skip
    assert [z["name"] for z in doc["zones"]] == ["PrimarySync"]


@pytest.mark.parametrize(
    ("env", "state"),
    [(ON, "off"), ({**ON, "MEDIAD_DELETE__ENABLED": "true"}, "disarmed"),
     ({**ARMED, "MEDIAD_DELETE__MODE": "manual"}, "manual"), (ARMED, "disarmed")],
)  # fmt: skip
async def test_without_all_its_switches_and_a_self_test_nothing_is_armed(
    tmp_path: Path, env: dict[str, str], state: str
) -> None:
    async with a_world(tmp_path, env, is_working=False) as w:
        deletion = (await w.service.icloud.status())["deletion"]
    assert deletion["state"] == state
    assert deletion["why"]


# -- completeness -----------------------------------------------------------------------------------


async def test_the_grid_adds_up_and_every_missing_asset_has_its_reason(tmp_path: Path) -> None:
    async with a_world(tmp_path, ON, is_working=False) as w:
        await archived(w, await taken(w, "a.jpg", b"a"), b"a")
        waiting = await taken(w, "b.jpg", b"b")
        left = w.cloud.take("c.jpg", b"c", taken_at=0)
        await listed(w, left, why="filtered: it is hidden")
        doc = await w.service.icloud.completeness("", 100)
    assert not doc["complete"]
    assert doc["sums"] == {
        "listed": 3, "journalled": 2, "archived": 1, "missing": 2,
        "reasons": {"filtered: it is hidden": 1, "waits to be fetched": 1},
    }  # fmt: skip
    assert [(c["month"], c["listed"], c["archived"]) for c in doc["grid"]] == [
        ("", 1, 0),
        ("2024-07", 2, 1),
    ]
    assert {m["name"]: (m["asset"], m["why"], m["month"]) for m in doc["missing"]} == {
        "b.jpg": (waiting, "waits to be fetched", "2024-07"),
        "c.jpg": (None, "filtered: it is hidden", ""),
    }
    assert doc["cursor"] is None


async def test_what_is_missing_comes_in_pages_that_end(tmp_path: Path) -> None:
    async with a_world(tmp_path, ON, is_working=False) as w:
        names = {f"{n}.jpg" for n in range(5)}
        for name in names:
            await taken(w, name, name.encode())
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = await w.service.icloud.completeness(cursor, 2)
            seen += [m["name"] for m in page["missing"]]
            cursor = page["cursor"]
        assert (await w.service.icloud.completeness("", 0))["missing"] == []
        with pytest.raises(Refused):
            await w.service.icloud.completeness("nonsense", 2)
    assert sorted(seen) == sorted(names)


async def test_when_everything_is_archived_it_is_complete(tmp_path: Path) -> None:
    async with a_world(tmp_path, ON, is_working=False) as w:
        await archived(w, await taken(w, "a.jpg", b"a"), b"a")
        await w.journal.cloud_listed(PRIMARY.name, w.clock.now())
        assert (await w.service.icloud.completeness("", 100))["complete"]


async def test_what_was_never_listed_whole_is_never_called_complete(tmp_path: Path) -> None:
    """Half a listing whose photos are all archived is half a library."""
    async with a_world(tmp_path, ON, is_working=False) as w:
        nothing = await w.service.icloud.completeness("", 100)
        await archived(w, await taken(w, "a.jpg", b"a"), b"a")
        half = await w.service.icloud.completeness("", 100)
        await w.journal.cloud_listed(PRIMARY.name, w.clock.now())
        await w.journal.cloud_page(Zone("SharedSync-1", ""), [], Delta())
        other = await w.service.icloud.completeness("", 100)
    assert [(d["complete"], d["unlisted"]) for d in (nothing, half, other)] == [
        (False, []),
        (False, ["PrimarySync"]),
        (False, ["SharedSync-1"]),
    ]


# -- bringing back ----------------------------------------------------------------------------------


async def test_what_was_deleted_comes_back_and_its_history_says_so(tmp_path: Path) -> None:
    async with a_world(tmp_path, ON, is_working=False) as w:
        asset = await taken(w, "a.jpg", b"a")
        ref = await deleted(w, asset)
        doc = await w.service.undelete(["a.jpg", str(asset)])
        assert w.looks_at_icloud == 1, (
            "what iCloud lists is told as it is now, not at the next turn"
        )
        again = await w.service.undelete([str(asset)])
        [row] = (await w.journal.remotes([ref])).values()
        history = [h["evidence"]["kind"] for h in await w.service.history(asset)]
    assert doc["ok"]
    assert [line["state"] for line in doc["assets"]] == ["back"]
    assert [line["state"] for line in again["assets"]] == ["was there"]
    assert w.cloud.left() == [ref]
    assert (row.deleted_at, row.marked_at) == (None, None)
    assert history[-1] == "undelete"


async def test_what_is_gone_for_good_is_told_with_where_the_original_is(tmp_path: Path) -> None:
    async with a_world(tmp_path, ON, is_working=False) as w:
        asset = await taken(w, "a.jpg", b"a")
        w.cloud.expunge(await deleted(w, asset))
        doc = await w.service.undelete([str(asset)])
    assert not doc["ok"]
    assert doc["assets"][0]["state"] == "gone"
    assert f"recover {asset}" in doc["assets"][0]["remedy"]


async def test_an_order_that_icloud_only_took_is_not_believed(tmp_path: Path) -> None:
    async with a_world(tmp_path, ON, is_working=False) as w:
        asset = await taken(w, "a.jpg", b"a")
        ref = await deleted(w, asset)
        w.cloud.refusals[ref] = Retryable("Apple is busy", code="icloud.busy", remedy="later")
        doc = await w.service.undelete([str(asset)])
        [row] = (await w.journal.remotes([ref])).values()
    assert [(x["state"], x["message"]) for x in doc["assets"]] == [("failed", "Apple is busy")]
    assert row.deleted_at is not None


async def test_what_never_was_in_icloud_cannot_come_back_to_it(tmp_path: Path) -> None:
    async with a_world(tmp_path, ON) as w:
        await w.bring("a.jpg")
        doc = await w.service.undelete(["a.jpg"])
        with pytest.raises(Refused):
            await w.service.undelete(["a.jpg", "nobody.jpg"])
    assert doc["assets"][0]["state"] == "not from iCloud"
    assert w.cloud.calls["undelete"] == 0


# -- one asset --------------------------------------------------------------------------------------


async def story(w: World, name: str) -> str:
    return "\n".join((await w.service.explain(name))["story"])


async def test_explain_tells_what_icloud_says_of_it(tmp_path: Path) -> None:
    async with a_world(tmp_path, ARMED, is_working=False) as w:
        asset = await taken(w, "IMG_0001.JPG", b"a", favourite=True)
        album = w.cloud.new_album("Summer")
        ref = await ref_of(w, asset)
        w.cloud.put_in(album, ref)
        await listed(w, ref)
        plain = await w.service.explain("IMG_0001.JPG")
        await marked(w, asset, days_ago=1)
        waits = await story(w, "IMG_0001.JPG")
        await deleted(w, asset)
        gone = await story(w, "IMG_0001.JPG")
    icloud = plain["icloud"]
    assert icloud is not None
    assert (icloud["favourite"], icloud["albums"], icloud["marked_at"]) == (True, ["Summer"], None)
    assert "iCloud knows it as IMG_0001.JPG" in "\n".join(plain["story"])
    assert "favourite; in the albums Summer" in "\n".join(plain["story"])
    assert "it waits in the album to be deleted since" in waits
    assert "mediad moved it to Recently Deleted in iCloud" in gone
    assert "in the albums" not in gone


async def test_what_came_by_the_folder_has_nothing_to_tell_of_icloud(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        await w.bring("a.jpg")
        doc = await w.service.explain("a.jpg")
    assert doc["icloud"] is None
    assert "iCloud knows" not in "\n".join(doc["story"])


async def test_why_not_names_every_proof_and_what_is_wanting(tmp_path: Path) -> None:
    async with a_world(tmp_path, ARMED, is_working=False) as w:
        asset = await taken(w, "a.jpg", b"a")
        await archived(w, asset, b"a")
        await marked(w, asset, days_ago=31)
        before = await w.service.why_not_delete("a.jpg")
        await w.service.selftest.run(probe=False)
        after = await w.service.why_not_delete("a.jpg")
    missing = {r["proof"] for r in before["reasons"] if not r["holds"]}
    assert missing == {"the self-test was green within 30 days"}
    assert all(r["why"] for r in before["reasons"] if not r["holds"])
    assert all(r["holds"] for r in after["reasons"]), after["reasons"]
    assert "nothing stands against it" in after["answer"]
    assert "its turn has not come" in after["turn"]


async def test_why_not_says_when_its_turn_came_while_deletion_was_off(tmp_path: Path) -> None:
    async with a_world(tmp_path, ON, is_working=False) as w:
        asset = await taken(w, "a.jpg", b"a")
        await archived(w, asset, b"a")
        await sorted_(w, asset)
        doc = await w.service.why_not_delete("a.jpg")
    assert "comes again when that is on" in doc["turn"]
    assert "[delete] enabled = false" in doc["turn"]


async def test_why_not_says_what_a_duplicate_waits_for(tmp_path: Path) -> None:
    async with a_world(tmp_path, ARMED, is_working=False) as w:
        first = await taken(w, "a.jpg", b"a")
        await archived(w, first, b"a")
        again = await taken(w, "again.jpg", b"a")
        await go(w, again, S.LISTED, "download", S.DOWNLOADED, Evidence("fetched", 1))
        same = Evidence("read", 1, identity=digest_of(b"a"), keeper=first)
        await go(w, again, S.DOWNLOADED, "hash", S.DUPLICATE, same)
        doc = await w.service.why_not_delete("again.jpg")
    assert "under way" in doc["turn"]
    [keeper] = [r for r in doc["reasons"] if r["proof"].startswith("what it is a duplicate of")]
    assert not keeper["holds"]
    assert f"asset {first}" in keeper["why"]


async def test_why_not_reads_the_archive_afresh(tmp_path: Path) -> None:
    async with a_world(tmp_path, ARMED, is_working=False) as w:
        asset = await taken(w, "a.jpg", b"a")
        place = await archived(w, asset, b"a")
        await marked(w, asset, days_ago=31)
        await w.service.selftest.run(probe=False)
        w.files.drop(place.site, place.key, b"rot")
        doc = await w.service.why_not_delete("a.jpg")
    assert "the archive gives every file of it back now" in {
        r["proof"] for r in doc["reasons"] if not r["holds"]
    }


async def test_why_not_without_a_session_says_that_it_could_not_look(tmp_path: Path) -> None:
    async with a_world(tmp_path, ARMED, is_working=False) as w:
        await taken(w, "a.jpg", b"a")
        w.cloud.signed = SIGNED_OUT
        doc = await w.service.why_not_delete("a.jpg")
        w.cloud.signed = READY
    assert doc["error"] is not None
    assert doc["error"]["code"] == "icloud.signed_out"
    assert "not everything could be looked up" in doc["answer"]


async def test_why_not_of_what_is_not_from_icloud_is_one_sentence(tmp_path: Path) -> None:
    async with a_world(tmp_path, ON) as w:
        await w.bring("a.jpg")
        doc = await w.service.why_not_delete("a.jpg")
    assert (doc["reasons"], "did not come from iCloud" in doc["answer"]) == ([], True)
