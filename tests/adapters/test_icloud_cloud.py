"""Guards what is asked of iCloud Photos and what of its answers is believed: pages, albums, deletion, upload."""

import copy
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mediad.adapters.icloud import ICloud
from mediad.adapters.icloud.cloudkit import ADDS, CloudKit
from mediad.adapters.icloud.session import Session
from mediad.errors import Bug, MediadError, NeedsOperator, Refused, Retryable
from mediad.model import CloudRef, Place, Remote, Site
from mediad.ports import Deleted, Delta, Zone
from mediad.testing.clock import StoppedClock
from mediad.testing.icloud import Fault, jpeg
from tests.adapters.folders import at
from tests.adapters.icloud_stand import PRIMARY, Stand, standing

ALBUM = "0A" * 16


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with standing(tmp_path) as found:
        yield found


async def whole(cloud: ICloud, *, hidden: bool = False) -> tuple[list[Remote], str]:
    """The zone by rank, and the token of its first moment."""
    remotes: list[Remote] = []
    page: Delta | None = None
    tokens = set()
    while page is None or page.is_more:
        rank = 0 if page is None else page.rank
        assert rank is not None
        page = await cloud.listing(PRIMARY, rank, hidden=hidden)
        remotes += page.remotes
        tokens.add(page.token)
    [token] = tokens
    assert token
    return remotes, token


def fault_of(answer: object) -> str:
    return answer.code if isinstance(answer, MediadError) else ""


async def test_a_library_is_listed_whole_by_rank_once_each(stand: Stand) -> None:
    wanted = {stand.person.shoot(f"{n}.JPG", taken_at=n * 1_000).record for n in range(250)}
    async with stand.cloud() as cloud:
        remotes, _ = await whole(cloud)
        assert sorted(r.ref.record for r in remotes) == sorted(wanted)
        assert stand.asked("records/query") == 4  # a hundred assets a page, and one that is empty


async def test_how_far_our_clock_is_from_apples_is_heard_with_every_answer(stand: Stand) -> None:
    async with stand.cloud(signed_in=False) as cloud:
        assert cloud.ahead_ms() is None
    async with stand.cloud() as cloud:
        near = cloud.ahead_ms()
        assert near is not None
        assert 0 <= near < 1_000, "a header tells whole seconds"
        stand.server.clock = StoppedClock(stand.clock.now() - 40 * 86_400_000)
        await cloud.changed(None)
        assert (cloud.ahead_ms() or 0) // 86_400_000 == 40


async def test_a_page_of_changes_may_be_empty_and_lead_nowhere_for_once(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        token = (await whole(cloud))[1]
        stand.person.shoot("new.JPG")
        stand.server.cloudkit.empty_pages = 70
        for _ in range(70):
            page = await cloud.delta(PRIMARY, token)
            assert (page.remotes, page.is_more) == ((), True)
        assert [r.name for r in (await cloud.delta(PRIMARY, token)).remotes] == ["new.JPG"]


async def test_what_happens_while_it_is_listed_is_told_by_the_token_of_its_beginning(
    stand: Stand,
) -> None:
    for n in range(150):
        stand.person.shoot(f"{n}.JPG", taken_at=n * 1_000)
    async with stand.cloud() as cloud:
        first = await cloud.listing(PRIMARY, 0)
        late = stand.person.shoot("late.JPG", taken_at=10**12)
        second = await cloud.listing(PRIMARY, first.rank or 0)
        assert second.token == first.token
        assert first.token
        news = await cloud.delta(PRIMARY, first.token)
        assert late.record in {r.ref.record for r in news.remotes}


async def test_hidden_ones_are_listed_apart(stand: Stand) -> None:
    shown, hidden = stand.person.shoot("a.JPG"), stand.person.shoot("b.JPG")
    stand.person.hide(hidden.record)
    async with stand.cloud() as cloud:
        assert [r.ref.record for r in (await whole(cloud))[0]] == [shown.record]
        [found] = (await whole(cloud, hidden=True))[0]
        assert (found.ref.record, found.is_hidden) == (hidden.record, True)


async def test_no_news_cost_one_request(stand: Stand) -> None:
    stand.person.shoot("a.JPG")
    async with stand.cloud() as cloud:
        token = (await cloud.changed(None)).token
        before = stand.server.remembered.total
        again = await cloud.changed(token)
        assert again.zones == ()
        assert stand.server.remembered.total == before + 1
        stand.person.shoot("b.JPG")
        assert [z.name for z in (await cloud.changed(again.token)).zones] == ["PrimarySync"]


async def test_every_kind_of_change_is_told(stand: Stand) -> None:
    kept, edited, binned, expunged = (stand.person.shoot(f"{n}.JPG") for n in range(4))
    album = stand.person.make_album("Trip", ALBUM)
    stand.person.add_to(ALBUM, kept.record)
    async with stand.cloud() as cloud:
        _, token = await whole(cloud)
        stand.person.edit(edited.record)
        stand.person.delete(binned.record)
        stand.person.expunge(expunged.record)
        stand.person.take_out(ALBUM, kept.record)
        stand.person.delete_album(album.record)
        added = stand.person.shoot("new.JPG")
        news = await cloud.delta(PRIMARY, token)
        assert {r.ref.record for r in news.remotes} == {edited.record, added.record}
        assert {binned.record, expunged.record} <= {ref.record for ref in news.gone}
        assert [(a.record, a.is_gone) for a in news.albums] == [(ALBUM, True)]
        assert list(news.members_gone) == [f"{kept.record}-IN-{ALBUM}"]
        assert len(next(r for r in news.remotes if r.ref.record == edited.record).files) == 2


async def test_a_long_history_comes_in_pages_that_can_be_gone_on_with(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        _, token = await whole(cloud)
        wanted = {stand.person.shoot(f"{n}.JPG").record for n in range(250)}
        found: set[str] = set()
        is_more = True
        while is_more:
            page = await cloud.delta(PRIMARY, token)
            assert (await cloud.delta(PRIMARY, token)).remotes == page.remotes
            found |= {r.ref.record for r in page.remotes}
            assert page.token
            token, is_more = page.token, page.is_more
        assert found == wanted


@pytest.mark.parametrize("is_of_zone", [True, False])
async def test_a_token_that_apple_refuses_says_so(stand: Stand, *, is_of_zone: bool) -> None:
    async with stand.cloud() as cloud:
        with pytest.raises(Refused) as caught:
            await (cloud.delta(PRIMARY, "stale") if is_of_zone else cloud.changed("stale"))
        assert caught.value.code == "icloud.token"
        _, token = await whole(cloud)
        stand.server.library.primary.forget_tokens()
        with pytest.raises(Refused):
            await cloud.delta(PRIMARY, token)


async def test_both_halves_are_looked_up_where_a_page_has_one(stand: Stand) -> None:
    photo = stand.person.shoot("a.JPG")
    async with stand.cloud() as cloud:
        _, token = await whole(cloud)
        stand.person.favour(photo.record)  # the asset changes, its master does not
        [found] = (await cloud.delta(PRIMARY, token)).remotes
        assert found.is_favourite
        assert [f.name for f in found.files] == ["a.JPG"]
        assert found.flaw == ""


async def test_a_lookup_tells_what_is_now_and_what_is_not(stand: Stand) -> None:
    kept, binned = stand.person.shoot("a.JPG"), stand.person.shoot("b.JPG")
    async with stand.cloud() as cloud:
        remotes, _ = await whole(cloud)
        refs = [CloudRef("PrimarySync", x) for x in (binned.record, "NO-SUCH", kept.record)]
        stand.person.delete(binned.record)
        before = stand.asked("records/lookup")
        one, none, two = await cloud.lookup(refs)
        assert stand.asked("records/lookup") == before + 1  # its master is known from the listing
        assert none is None
        assert (one is not None and one.is_deleted, two in remotes) == (True, True)


async def test_duplicates_share_a_master_and_are_two_assets(stand: Stand) -> None:
    photo = stand.person.shoot("a.JPG")
    twin = stand.person.duplicate(photo.record)
    async with stand.cloud() as cloud:
        remotes, _ = await whole(cloud)
        assert {r.ref.record for r in remotes} == {photo.record, twin.record}
        assert len({r.master for r in remotes}) == 1


async def test_an_album_is_made_once_and_filled_once(stand: Stand) -> None:
    refs = [CloudRef("PrimarySync", stand.person.shoot(f"{n}.JPG").record) for n in range(60)]
    async with stand.cloud() as cloud:
        assert await cloud.members(ALBUM, PRIMARY) is None
        for _ in range(2):
            await cloud.make_album(PRIMARY, ALBUM, "Zum Löschen")
            before = stand.asked("records/modify")
            assert list(await cloud.add(ALBUM, refs)) == [None] * 60
            assert stand.asked("records/modify") - before == -(-60 // ADDS)
        assert await cloud.members(ALBUM, PRIMARY) == frozenset(ref.record for ref in refs)
        listed = await cloud.album_listing(PRIMARY)
        assert [(a.record, a.name) for a in listed.albums] == [(ALBUM, "Zum Löschen")]
        assert {m.asset for m in listed.members} == {ref.record for ref in refs}
        stand.person.take_out(ALBUM, refs[0].record)
        assert await cloud.members(ALBUM, PRIMARY) == frozenset(ref.record for ref in refs[1:])
        stand.person.delete_album(ALBUM)
        assert await cloud.members(ALBUM, PRIMARY) is None


async def test_the_other_word_for_there_already_is_success_as_well(stand: Stand) -> None:
    stand.server.quirks.there_already = "EXISTS"
    ref = CloudRef("PrimarySync", stand.person.shoot("a.JPG").record)
    async with stand.cloud() as cloud:
        for _ in range(2):
            await cloud.make_album(PRIMARY, ALBUM, "x")
            assert list(await cloud.add(ALBUM, [ref])) == [None]


async def test_an_empty_album_has_no_members(stand: Stand) -> None:
    stand.person.make_album("x", ALBUM)
    async with stand.cloud() as cloud:
        assert await cloud.members(ALBUM, PRIMARY) == frozenset()


async def test_a_deletion_is_to_recently_deleted_with_the_tag_and_can_be_undone(
    stand: Stand,
) -> None:
    one, two = stand.person.shoot("a.JPG"), stand.person.shoot("b.JPG")
    async with stand.cloud() as cloud:
        refs = [CloudRef("PrimarySync", row.record) for row in (one, two)]
        first, second = await cloud.lookup(refs)
        assert first
        assert second
        stand.person.favour(two.record)
        done, refused = await cloud.delete(
            [(first.ref, first.change_tag), (second.ref, second.change_tag)]
        )
        assert isinstance(done, Deleted)
        assert done.recoverable_until == stand.clock.now() + 30 * 86_400_000
        assert done.change_tag not in {"", first.change_tag}
        assert fault_of(refused) == "icloud.conflict"
        assert {d.what for d in stand.server.remembered.destroyed} == {"trash"}
        assert list(await cloud.undelete(refs)) == [None, None]
        back, _ = await cloud.lookup(refs)
        assert back
        assert not back.is_deleted
        assert back.files == first.files


async def test_too_many_deletions_or_one_without_a_tag_are_never_sent(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        ref = CloudRef("PrimarySync", "A")
        before = stand.server.remembered.total
        with pytest.raises(Bug):
            await cloud.delete([(ref, "1a")] * 26)
        with pytest.raises(Bug):
            await cloud.delete([(ref, "")])
        assert stand.server.remembered.total == before


async def test_a_deletion_whose_answer_is_lost_is_not_said_to_be_done(stand: Stand) -> None:
    row = stand.person.shoot("a.JPG")
    async with stand.cloud() as cloud:
        [now] = await cloud.lookup([CloudRef("PrimarySync", row.record)])
        assert now
        stand.server.faults.append(Fault("records/modify", lost=True))
        with pytest.raises(Retryable):
            await cloud.delete([(now.ref, now.change_tag)])


async def test_undeleting_what_is_no_more_says_so(stand: Stand) -> None:
    kept = stand.person.shoot("a.JPG")
    async with stand.cloud() as cloud:
        refs = [CloudRef("PrimarySync", "NO"), CloudRef("PrimarySync", kept.record)]
        answers = await cloud.undelete(refs)
        assert [fault_of(a) for a in answers] == ["icloud.not_found", ""]
        assert stand.asked("records/modify") == 0


async def test_hearts_and_albums_are_given_once(stand: Stand) -> None:
    row = stand.person.shoot("a.JPG")
    stand.person.make_album("x", ALBUM)
    async with stand.cloud() as cloud:
        ref = CloudRef("PrimarySync", row.record)
        for _ in range(2):
            await cloud.tag(ref, favourite=True, albums=[ALBUM])
        assert stand.server.library.primary.asset(row.record).is_favourite
        assert await cloud.members(ALBUM, PRIMARY) == frozenset({row.record})
        with pytest.raises(Refused):
            await cloud.tag(CloudRef("PrimarySync", "NO"), favourite=True, albums=[])


def picture(stand: Stand, name: str = "x.jpg") -> Place:
    body = jpeg(name, taken_at=1_700_000_000_000, size=3_000).read()
    return stand.folders.drop(Site.SPOOL, f"renditions/{name}", body)


async def test_a_jpeg_is_given_back_and_a_second_time_is_the_same_one(stand: Stand) -> None:
    place = picture(stand)
    async with stand.cloud() as cloud:
        sent = await cloud.upload(place, "IMG_1.JPG", zone=PRIMARY)
        assert [sent.fingerprint] == list(await cloud.fingerprints([place]))
        assert not sent.is_duplicate
        assert await cloud.lookup([sent.ref]) == [None]
        stand.clock.advance(20)
        [now] = await cloud.lookup([sent.ref])
        assert now
        assert (now.name, now.files[0].fingerprint) == ("IMG_1.JPG", sent.fingerprint)
        again = await cloud.upload(place, "IMG_1.JPG", zone=PRIMARY)
        assert (again.ref, again.is_duplicate) == (sent.ref, True)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\0\0\0\x18ftypheic", "a.jpg"),
        (b"\xff\xd8\xff\xe0", "a.heic"),
        (b"", "a.jpg"),
        (b"\xff\xd8", "a.jpg"),
    ],
)
async def test_nothing_but_a_jpeg_is_sent(stand: Stand, content: bytes, name: str) -> None:
    place = stand.folders.drop(Site.SPOOL, "renditions/a", content)
    async with stand.cloud(signed_in=False) as cloud:
        with pytest.raises(Refused) as caught:
            await cloud.upload(place, name, zone=PRIMARY)
        assert caught.value.code == "icloud.not_jpeg"
        assert stand.server.remembered.total == 0


async def test_what_is_not_there_is_not_sent(stand: Stand) -> None:
    async with stand.cloud(signed_in=False) as cloud:
        with pytest.raises(MediadError):
            await cloud.upload(at(Site.SPOOL, "renditions/no.jpg"), "no.jpg", zone=PRIMARY)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("createUploadUrl", {"uploadUrls": {}}),
        ("createUploadUrl", {"nonsense": 1}),
        ("singleFileUpload", {"singleFile": {"size": 1}}),
        ("putAsset", {}),
    ],
)
async def test_an_upload_that_apple_answers_oddly_is_not_said_to_be_done(
    stand: Stand, path: str, body: dict[str, object]
) -> None:
    place = picture(stand)
    async with stand.cloud() as cloud:
        stand.server.faults.append(Fault(path, status=200, body=body))
        with pytest.raises(Retryable):
            await cloud.upload(place, "x.jpg", zone=PRIMARY)
        await cloud.upload(place, "x.jpg", zone=PRIMARY)


@pytest.mark.parametrize(
    "step", ["createUploadUrl", "singleFileUpload", "putAsset", "uploadStatus"]
)
@pytest.mark.parametrize(
    "storm",
    [{"status": 429}, {"status": 503, "retry_after": 40.0}, {"lost": True}, {"cut_at": 5}],
    ids=["429", "503", "lost", "cut"],
)
async def test_a_storm_over_an_upload_makes_no_second_photo(
    stand: Stand, step: str, storm: dict[str, Any]
) -> None:
    place = picture(stand)
    async with stand.cloud() as cloud:
        stand.server.faults.append(Fault(step, times=3, **storm))
        for _ in range(8):
            try:
                sent = await cloud.upload(place, "x.jpg", zone=PRIMARY)
            except Retryable:
                stand.clock.advance(3600)
            else:
                break
        else:
            pytest.fail("it never went on")
        stand.clock.advance(60)
        stand.server.library.settle()
        there = stand.server.library.primary.assets_of(sent.fingerprint)
        assert [a.record for a in there] == [sent.ref.record]


async def test_an_upload_address_of_somebody_else_gets_no_photo(stand: Stand) -> None:
    async def upload_to(url: str) -> str:
        async with stand.cloud() as cloud:
            place = picture(stand)
            real = Session.uploading

            def redirected(session: Session, work: Callable[[Any], Any]) -> Any:
                def with_other_address(uploader: Any) -> Any:
                    uploader.create_upload_url = lambda *, zone_name, assets: (
                        dict.fromkeys(assets, url) if zone_name else {}
                    )
                    return work(uploader)

                return real(session, with_other_address)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Session, "uploading", redirected)
                with pytest.raises(Retryable) as caught:
                    await cloud.upload(place, "x.jpg", zone=PRIMARY)
            return caught.value.code

    assert await upload_to("https://evil.example/singleFileUpload") == "icloud.wrong_host"
    assert stand.asked("evil") == 0


class Answering:
    """CloudKit with answers of the test's choice."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.kit = CloudKit(self.ask)

    async def ask(self, work: Callable[[Any], Any], /) -> Any:
        return work(self)

    def post(self, path: str, payload: dict[str, Any]) -> object:
        self.asked.append((path, copy.deepcopy(payload)))
        return self.answers.pop(0)


ZONES = {"zones": [{"zoneID": {"zoneName": "PrimarySync", "ownerRecordName": "_me"}}]}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"zones": "no list", "syncToken": "t"},
        {"zones": [], "syncToken": ""},
        {"zones": [], "syncToken": 5},
        {"zones": [], "syncToken": "t" * 5_000},
    ],
)
async def test_an_answer_without_a_token_is_not_believed(answer: dict[str, object]) -> None:
    with pytest.raises(Retryable) as caught:
        await Answering(answer).kit.changed(None)
    assert caught.value.code == "icloud.answer"


async def test_only_photo_libraries_count_among_the_zones() -> None:
    names = ["PrimarySync", "SharedSync-1", "CMM-2", "AppLibrarySync-3", 7, None]
    rows: list[object] = [{"zoneID": {"zoneName": n, "ownerRecordName": "_o"}} for n in names]
    rows += ["row", {"zoneID": 5}, {}]
    found, token = await Answering({"zones": rows, "syncToken": "t"}).kit.changed(None)
    assert [name for name, _, _ in found] == ["PrimarySync", "SharedSync-1"]
    assert token == "t"  # noqa: S105 - a sync token


async def test_pages_of_news_are_read_to_their_end() -> None:
    more = {"zones": [], "syncToken": "a", "moreComing": True}
    there = Answering(more, more | {"syncToken": "b", "moreComing": False})
    assert (await there.kit.changed("start"))[1] == "b"
    assert [payload["syncToken"] for _, payload in there.asked] == ["start", "a"]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"serverErrorCode": "BAD_REQUEST", "reason": "Unknown sync continuation type"}, "icloud.token"),
        ({"serverErrorCode": "ZONE_NOT_FOUND"}, "icloud.not_found"),
        ({"serverErrorCode": "THROTTLED", "retryAfter": 31}, "icloud.throttled"),
        ({"serverErrorCode": "ACCESS_DENIED", "reason": "Private DB access disabled for …"}, "icloud.protected"),
        ({"serverErrorCode": "canary"}, "icloud.answer"),
        ({"records": "canary"}, "icloud.answer"),
    ],
)  # fmt: skip
async def test_a_refusal_within_an_answer_of_200_is_one(row: dict[str, object], code: str) -> None:
    with pytest.raises(MediadError) as caught:
        await Answering(ZONES, {"zones": [row]}).kit.delta("PrimarySync", "t")
    assert caught.value.code == code
    assert "canary" not in str(caught.value)
    if isinstance(caught.value, Retryable) and code == "icloud.throttled":
        assert caught.value.after_s == 31


@pytest.mark.parametrize("records", [[], [{"recordName": "OTHER"}], ["x"], [{"recordName": 4}]])
async def test_a_lookup_that_leaves_one_out_is_not_believed(records: list[object]) -> None:
    with pytest.raises(Retryable):
        await Answering(ZONES, {"records": records}).kit.lookup("PrimarySync", ["A"])


@pytest.mark.parametrize(
    "record",
    [
        {"recordName": "A", "fields": {}},
        {"recordName": "A", "fields": {"isDeleted": {"value": 0}}},
        {"recordName": "A", "serverErrorCode": "ACCESS_DENIED"},
        {"recordName": "B", "fields": {"isDeleted": {"value": 1}}},
    ],
)
async def test_a_deletion_counts_only_where_the_record_says_so(
    stand: Stand, record: dict[str, object]
) -> None:
    cloud = stand.adapter()
    cloud._kit = Answering(ZONES, {"records": [record]}).kit
    [answer] = await cloud.delete([(CloudRef("PrimarySync", "A"), "1a")])
    assert isinstance(answer, MediadError)


async def test_each_write_names_the_library_and_is_not_atomic() -> None:
    there = Answering(ZONES, {"records": []}, {"records": []}, {"records": []})
    with pytest.raises(Retryable):
        await there.kit.make_album("PrimarySync", ALBUM, "x")
    await there.kit.add("PrimarySync", ALBUM, ["A"])
    await there.kit.update("PrimarySync", [("A", "1a")], {"isDeleted": 1})
    for _, payload in there.asked[1:]:
        assert payload["atomic"] is False
        assert payload["zoneID"]["ownerRecordName"] == "_me"
    text = str(there.asked)
    assert text.count("isExpunged") == 1  # of the new album, where Apple's pages write a 0
    assert "'isExpunged': {'value': 0}" in text


async def test_a_library_that_is_no_more_is_said_to_be_gone(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        with pytest.raises(Refused) as caught:
            await cloud.listing(Zone("SharedSync-GONE", "_x"), 0)
        assert caught.value.code == "icloud.not_found"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("after", [None, 40.0])
async def test_a_storm_of_refusals_is_waited_out_in_silence(
    stand: Stand, status: int, after: float | None
) -> None:
    async with stand.cloud() as cloud:
        stand.server.faults.append(
            Fault(
                "database", times=999, status=status, retry_after=after, body={"reason": "canary"}
            )
        )
        before = stand.server.remembered.total
        for _ in range(20):
            with pytest.raises(Retryable) as caught:
                await cloud.changed(None)
            assert caught.value.code == "icloud.throttled"
            assert caught.value.after_s == pytest.approx(after or 60)
        assert stand.server.remembered.total == before + 1
        stand.server.faults.clear()
        stand.clock.advance((after or 60) + 1)
        await cloud.changed(None)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("changes/database", html=True),
        Fault("changes/database", truncate_at=10),
        Fault("changes/database", cut_at=10),
        Fault("changes/database", lost=True),
        Fault("changes/database", status=500),
        Fault("changes/database", status=200, body={"records": []}),
    ],
    ids=["html", "short", "cut", "lost", "500", "other"],
)
async def test_an_answer_that_is_none_is_asked_for_again(stand: Stand, fault: Fault) -> None:
    async with stand.cloud() as cloud:
        stand.server.faults.append(fault)
        with pytest.raises(Retryable) as caught:
            await cloud.changed(None)
        assert caught.value.site == "icloud"
        await cloud.changed(None)


async def test_a_question_that_nobody_signed_in_for_is_not_asked(stand: Stand) -> None:
    async with stand.cloud(signed_in=False) as cloud:
        for question in _questions(cloud):
            with pytest.raises(NeedsOperator) as caught:
                await question()
            assert caught.value.code == "icloud.signed_out"
        assert stand.server.remembered.total == 0


def _questions(cloud: ICloud) -> Sequence[Callable[[], Any]]:
    ref = CloudRef("PrimarySync", "A")
    return (
        lambda: cloud.changed(None),
        lambda: cloud.delta(PRIMARY, "t"),
        lambda: cloud.listing(PRIMARY, 0),
        lambda: cloud.album_listing(PRIMARY),
        lambda: cloud.lookup([ref]),
        lambda: cloud.make_album(PRIMARY, ALBUM, "x"),
        lambda: cloud.add(ALBUM, [ref]),
        lambda: cloud.members(ALBUM, PRIMARY),
        lambda: cloud.delete([(ref, "1a")]),
        lambda: cloud.undelete([ref]),
        lambda: cloud.tag(ref, favourite=True, albums=[]),
    )
