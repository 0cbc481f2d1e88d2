"""Guards what one transition carries with it: evidence, facts, lanes, gates, switched-off stages, the condition."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mediad.errors import Bug, MediadError, Refused, Retryable
from mediad.journal import Arrival, Committed, Condition, Journal, Mark, Park, Standing, Step
from mediad.model import (
    AssetId,
    BatchId,
    Captured,
    Digest,
    Evidence,
    Inspection,
    Kind,
    Media,
    Place,
    Placement,
    Rendition,
    Role,
    Site,
    SiteKey,
)
from mediad.ports import Kin, Partner
from mediad.state import WORKFLOWS, Lane, State, Transition
from tests.journal.world import (
    PHONE_OFF,
    World,
    arrived,
    copy_of,
    digest_of,
    hashed,
    moved,
    step,
    walked,
    whole_asset,
)

S = State


async def test_a_file_that_is_awaited_arrives_only_once(journal: Journal) -> None:
    first = Arrival(SiteKey("2024/IMG_1.HEIC"), "IMG_1.HEIC", 7, 8)
    [asset, again] = await journal.arrive([first, first])
    assert asset == 1
    assert again is None
    assert await journal.known_sources() == {"2024/IMG_1.HEIC"}


async def test_a_name_that_was_taken_may_come_again_as_another_file(journal: Journal) -> None:
    await hashed(journal, await arrived(journal, "IMG_1.HEIC"))
    assert await journal.known_sources() == set()
    assert await arrived(journal, "IMG_1.HEIC") == 2


async def test_names_come_back_byte_for_byte(journal: Journal) -> None:
    names = [
        "caf\udce9.jpg",
        "emoji 📷.jpg",
        "new\nline.jpg",
        "'; DROP TABLE asset; --.jpg",
        "🇫🇷\udcff",
    ]
    for name in names:
        asset = await whole_asset(journal, await arrived(journal, f"in/{name}"))
        assert (asset.name, asset.originals[0].source_key) == (name, f"in/{name}")
        assert await journal.find(name) == [asset.id]
        assert "\udcff" not in str(await journal.history(asset.id))


async def test_the_spool_key_is_fixed_when_the_file_is_first_seen(
    journal: Journal, world: World
) -> None:
    asset = await whole_asset(journal, await arrived(journal, "a/../IMG 1.HEIC"))
    assert asset.originals[0].spool_key == f"{world.clock.at:x}-1-IMG 1.HEIC"
    assert "/" not in asset.originals[0].spool_key


async def test_hashing_opens_the_lanes_of_the_workflow(journal: Journal) -> None:
    position = await hashed(journal, await arrived(journal, "a.jpg"))
    assert position == {S.HASHED, S.PHONE_DUE, S.ARCHIVE_DUE, S.LIBRARY_DUE}


async def test_what_was_learnt_is_there_with_the_transition(journal: Journal) -> None:
    asset = await whole_asset(journal, await arrived(journal, "a.heic"))
    [original] = asset.originals
    captured = Captured("2024-07-14T18:03:22", "+02:00", "exif", 1_720_973_002_000)
    inspection = Inspection(Media.HEIC, ".heic", 4032, 3024, content_id="AB-12", captured=captured)
    known = replace(original, size=120, inspection=inspection, digest=digest_of("a"))
    await moved(journal, asset.id, S.SEEN, S.SETTLED, Evidence("stat", 1, originals=(known,)))
    copy = copy_of(original.id, Site.SPOOL, original.spool_key)
    rendition = Rendition(
        original.id, "photo/1", Place(Site.SPOOL, SiteKey("r/1.jpg")), digest_of("r"), 60, {"q": 88}
    )
    learnt = Evidence(
        "rename", 2, copies=(copy,), renditions=(rendition,), kind_now=Kind.PHOTO,
        captured=captured, identity=digest_of("a"),
    )  # fmt: skip
    await moved(journal, asset.id, S.SETTLED, S.HASHED, learnt)
    now = await whole_asset(journal, asset.id)
    assert now == replace(
        asset, originals=(known,), copies=(copy,), renditions=(rendition,), kind=Kind.PHOTO,
        captured=captured, identity=digest_of("a"),
    )  # fmt: skip


async def test_a_copy_that_is_seen_to_be_gone_is_forgotten_and_told(journal: Journal) -> None:
    asset = await arrived(journal, "a.heic")
    [original] = (await whole_asset(journal, asset)).originals
    spool = copy_of(original.id, Site.SPOOL, "1-a")
    library = copy_of(original.id, Site.LIBRARY, "2024/a")
    await moved(journal, asset, S.SEEN, S.SETTLED, Evidence("stat", 1, copies=(spool,)))
    seen = Evidence("rename", 1, copies=(library,), gone=(spool.place,))
    await moved(journal, asset, S.SETTLED, S.HASHED, seen)
    assert (await whole_asset(journal, asset)).copies == (library,)
    assert (await journal.history(asset))[-1].evidence["gone"] == [{"site": "spool", "key": "1-a"}]


async def test_a_rendition_that_moves_stays_one_rendition(journal: Journal) -> None:
    asset = await arrived(journal, "a.heic")
    [original] = (await whole_asset(journal, asset)).originals
    there = Rendition(original.id, "photo/1", Place(Site.SPOOL, SiteKey("r")), digest_of("r"), 60)
    here = replace(there, place=Place(Site.LIBRARY, SiteKey("2024/a.jpg")))
    await moved(journal, asset, S.SEEN, S.SETTLED, Evidence("a", 1, renditions=(there,)))
    seen = Evidence("b", 1, renditions=(here,), gone=(there.place,))
    await moved(journal, asset, S.SETTLED, S.HASHED, seen)
    assert (await whole_asset(journal, asset)).renditions == (here,)


async def test_switched_off_stages_pass_and_the_history_says_why(
    journal: Journal, world: World
) -> None:
    world.off = PHONE_OFF
    asset = await arrived(journal, "a.jpg")
    assert S.RELEASED in await hashed(journal, asset)
    passed = [
        r for r in await journal.history(asset) if r.evidence["kind"] == "off by configuration"
    ]
    assert [r.stage for r in passed] == ["batch", "place", "verify", "release"]
    assert {r.evidence["note"] for r in passed} == {"off: no [syncthing] url"}
    counts = await journal.counts()
    assert (counts.done["batch"], counts.skipped["batch"]) == (0, 1)


async def test_a_stage_switched_off_later_passes_for_those_that_wait_for_it(
    journal: Journal, world: World
) -> None:
    asset = await arrived(journal, "a.jpg")
    await hashed(journal, asset)
    await moved(journal, asset, S.PHONE_DUE, S.BATCHED)
    world.off = PHONE_OFF
    await journal.reconsider()
    assert S.RELEASED in {s.state for s in await journal.standing(asset)}


async def test_a_gate_holds_its_stage_back_until_the_other_lanes_are_there(
    journal: Journal, world: World
) -> None:
    world.workflow = WORKFLOWS["bridge"]
    world.off = dict.fromkeys(("mark", "delete"), "off")
    asset = await arrived(journal, "a.jpg")
    await hashed(journal, asset)
    await walked(journal, asset, (S.ARCHIVE_DUE, S.ARCHIVED))
    await walked(journal, asset, (S.LIBRARY_DUE, S.COMPRESSED))
    assert _mark(await journal.standing(asset), Lane.LIBRARY) is Mark.GATED
    assert await journal.work([S.COMPRESSED], world.clock.now(), 10) == []
    await walked(journal, asset, (S.CLOUD_DUE, S.UPLOADED))
    seen: list[Committed] = []
    journal.on_commit.append(seen.extend)
    await walked(journal, asset, (S.PHONE_DUE, S.BATCHED, S.PLACED, S.ON_PHONE))
    assert _mark(await journal.standing(asset), Lane.LIBRARY) is Mark.READY
    assert S.COMPRESSED in seen[-1].opened
    [work] = await journal.work([S.COMPRESSED], world.clock.now(), 10)
    assert work.asset.id == asset


async def test_a_step_from_where_the_asset_no_longer_stands_changes_nothing(
    journal: Journal,
) -> None:
    asset = await arrived(journal, "a.jpg")
    await moved(journal, asset, S.SEEN, S.SETTLED)
    answer = await step(journal, asset, S.SEEN, S.SETTLED)
    assert isinstance(answer, Retryable)
    assert answer.code == "journal.moved_on"
    assert len(await journal.history(asset)) == 2


async def test_a_step_that_the_law_does_not_know_is_a_bug(journal: Journal) -> None:
    asset = await arrived(journal, "a.jpg")
    unlawful = Step(asset, Transition(S.SEEN, "hash", S.CLEANED), Evidence("x", 1))
    [answer] = await journal.record([unlawful])
    assert isinstance(answer, Bug)


async def test_the_same_bytes_can_be_one_asset_only(journal: Journal) -> None:
    one, two = await arrived(journal, "a.jpg"), await arrived(journal, "b.jpg")
    await hashed(journal, one, "same")
    await moved(journal, two, S.SEEN, S.SETTLED)
    seen = Evidence("rename", 1, identity=digest_of("same"))
    answer = await step(journal, two, S.SETTLED, S.HASHED, seen)
    assert isinstance(answer, Retryable)
    assert answer.code == "journal.conflict"
    assert [r.to_state for r in await journal.history(two)] == [S.SEEN, S.SETTLED]


async def test_two_with_the_same_bytes_in_one_group_are_told_apart(journal: Journal) -> None:
    assets = [await arrived(journal, f"{n}.jpg") for n in range(2)]
    for asset in assets:
        await moved(journal, asset, S.SEEN, S.SETTLED)
    hash_ = Transition(S.SETTLED, "hash", S.HASHED)
    seen = Evidence("rename", 1, identity=digest_of("same"))
    first, second = await journal.record([Step(a, hash_, seen) for a in assets])
    assert isinstance(first, frozenset)
    assert isinstance(second, Retryable)


async def test_what_was_made_of_an_asset_leads_back_to_it(journal: Journal) -> None:
    asset, back = await arrived(journal, "a.jpg"), AssetId(99)
    await hashed(journal, asset, "taken")
    [original] = (await whole_asset(journal, asset)).originals
    small, sent = digest_of("small"), digest_of("sent")
    made = Rendition(original.id, "r/1", Place(Site.LIBRARY, SiteKey("a.jpg")), small, 5)
    placed = Placement(original.id, BatchId(1), SiteKey("a.jpg"), sent, 5, 1)
    seen = Evidence("x", 1, renditions=(made,), placements=(placed,))
    await journal.witness([(asset, seen)])
    taken, new, none = digest_of("taken"), digest_of("new"), list[Digest]()
    asked = [[small], [sent], [small, taken], [small, new], none, [new]]
    answers = await journal.makers_of([(back, digests) for digests in asked])
    assert [a.id if a else None for a in answers] == [asset, asset, asset, None, None, None]
    assert await journal.makers_of([(asset, [small])]) == [None]
    await journal.witness([(asset, Evidence("x", 2, gone=(made.place,)))])
    assert await journal.makers_of([(back, [small])]) == [None]


async def test_a_duplicate_knows_its_keeper_and_leaves_it_the_identity(journal: Journal) -> None:
    keeper, twin = await arrived(journal, "a.jpg"), await arrived(journal, "b.jpg")
    await hashed(journal, keeper, "same")
    asset = await whole_asset(journal, twin)
    assert await journal.keepers_of([(asset.id, [digest_of("same")])]) == [keeper]
    assert await journal.keepers_of([(asset.id, [digest_of("same"), digest_of("other")])]) == [None]
    assert await journal.keepers_of([(asset.id, [])]) == [None]
    await moved(journal, twin, S.SEEN, S.SETTLED)
    seen = Evidence("read-back", 1, keeper=keeper, identity=digest_of("same"))
    position = await moved(journal, twin, S.SETTLED, S.DUPLICATE, seen)
    assert {s.lane for s in position} == {Lane.INTAKE, Lane.CLOUD, Lane.SPOOL}
    [listed] = await journal.listed([twin])
    assert (listed.condition, listed.asset.keeper) == (Condition.DUPLICATE, keeper)
    assert listed.asset.identity is None


async def test_one_half_joins_the_other(journal: Journal) -> None:
    photo, movie = await arrived(journal, "IMG_1.HEIC"), await arrived(journal, "IMG_1.MOV")
    [half] = (await whole_asset(journal, movie)).originals
    seen = Evidence("same name", 1, originals=(replace(half, role=Role.LIVE_VIDEO),))
    assert await journal.merge(movie, photo, seen) == {S.SEEN}
    [host, guest] = await journal.listed([photo, movie])
    assert [o.name for o in host.asset.originals] == ["IMG_1.HEIC", "IMG_1.MOV"]
    assert (guest.condition, guest.absorbed_by) == (Condition.ABSORBED, photo)
    assert guest.asset.originals == ()
    assert guest.standing == ()
    [*_, last] = await journal.history(movie)
    assert (last.stage, last.to_state) == ("merge", None)
    assert last.evidence["figures"] == {"into": photo}


async def test_a_late_half_sends_its_host_through_intake_again(journal: Journal) -> None:
    photo = await arrived(journal, "IMG_1.HEIC")
    await hashed(journal, photo, "photo")
    await walked(journal, photo, (S.ARCHIVE_DUE, S.ARCHIVED))
    movie = await arrived(journal, "IMG_1.MOV")
    assert await journal.merge(movie, photo, Evidence("content id", 1)) == {S.SEEN}
    assert [s.state for s in await journal.standing(photo)] == [S.SEEN]
    host = await whole_asset(journal, photo)
    assert host.identity is None
    assert len(host.originals) == 2
    await moved(journal, photo, S.SEEN, S.SETTLED)
    seen = Evidence("rename", 2, identity=digest_of("photo and movie"))
    assert S.ARCHIVE_DUE in await moved(journal, photo, S.SETTLED, S.HASHED, seen)


async def test_a_half_that_comes_after_the_cleaning_is_refused(
    journal: Journal, world: World
) -> None:
    world.off = PHONE_OFF
    photo = await arrived(journal, "IMG_1.HEIC")
    await hashed(journal, photo)
    await walked(journal, photo, (S.ARCHIVE_DUE, S.ARCHIVED))
    await walked(journal, photo, (S.LIBRARY_DUE, S.KEPT, S.SORTED))
    await walked(journal, photo, (S.CLEANABLE, S.CLEANED))
    movie = await arrived(journal, "IMG_1.MOV")
    with pytest.raises(Refused) as refused:
        await journal.merge(movie, photo, Evidence("content id", 1))
    assert refused.value.code == "journal.too_late"
    assert len((await whole_asset(journal, movie)).originals) == 1
    assert len(await journal.history(movie)) == 1


async def test_what_was_seen_of_a_half_is_not_written_of_the_whole(journal: Journal) -> None:
    photo, movie = [await arrived(journal, f"IMG_1.{x}") for x in ("HEIC", "MOV")]
    await journal.merge(movie, photo, Evidence("content id", 1))
    settle = Transition(S.SEEN, "settle", S.SETTLED)
    for count, code in ((1, "journal.moved_on"), (2, "")):
        await journal.park([Park(photo, Lane.INTAKE, "held", code=f"of {count}", originals=count)])
        [intake] = await journal.standing(photo)
        assert intake.code == ("of 2" if count == 2 else "")
        [answer] = await journal.record([Step(photo, settle, Evidence("x", 1), originals=count)])
        assert (answer.code if isinstance(answer, MediadError) else "") == code


async def test_a_half_of_a_half_finds_the_whole(journal: Journal) -> None:
    a, b, c = [await arrived(journal, f"IMG_1.{x}") for x in ("HEIC", "MOV", "AAE")]
    await journal.merge(b, a, Evidence("name", 1))
    await journal.merge(c, b, Evidence("name", 1))
    assert len((await whole_asset(journal, a)).originals) == 3
    with pytest.raises(Retryable) as moved_on:
        await journal.merge(b, a, Evidence("name", 1))
    assert moved_on.value.code == "journal.moved_on"
    with pytest.raises(Bug):
        await journal.merge(a, b, Evidence("name", 1))


async def partners_of(journal: Journal, kin: Kin) -> Sequence[Partner]:
    [partners] = await journal.partners_of([kin])
    return partners


async def test_partners_share_a_content_id_or_a_name(journal: Journal, world: World) -> None:
    photo = await arrived(journal, "in/IMG_1.HEIC")
    since = world.clock.now() - 1
    movie = await whole_asset(journal, await arrived(journal, "in/img_1.mov"))
    other = await whole_asset(journal, await arrived(journal, "else/IMG_1.MOV"))
    found = await partners_of(journal, Kin(movie.id, (), "in/img_1", since))
    assert [(p.asset.id, p.position) for p in found] == [(photo, frozenset({S.SEEN}))]
    assert await partners_of(journal, Kin(movie.id, (), "in/img_1", world.clock.now())) == []
    [original] = other.originals
    known = replace(original, inspection=Inspection(Media.MOV, content_id="AB"))
    seen = Evidence("stat", 1, originals=(known,))
    await moved(journal, other.id, S.SEEN, S.SETTLED, seen)
    found = await partners_of(journal, Kin(movie.id, ("AB",), "", since))
    assert [p.asset.id for p in found] == [other.id]


async def test_a_parked_lane_says_why_and_is_not_due(journal: Journal, world: World) -> None:
    asset = await arrived(journal, "a.jpg")
    later = world.clock.now() + 5_000
    await journal.park([Park(asset, Lane.INTAKE, "retry", later, "the NAS is away", "nas", "wait", True)])  # fmt: skip  # noqa: FBT003 - the last field
    [standing] = await journal.standing(asset)
    assert (standing.mark, standing.due, standing.attempts) == (Mark.RETRY, later, 1)
    assert (standing.why, standing.code, standing.remedy) == ("the NAS is away", "nas", "wait")
    assert await journal.work([S.SEEN], later - 1, 10) == []
    assert await journal.next_due([S.SEEN]) == later
    [work] = await journal.work([S.SEEN], later, 10)
    assert work.attempts == 1
    await moved(journal, asset, S.SEEN, S.SETTLED)
    [standing] = await journal.standing(asset)
    assert (standing.mark, standing.attempts, standing.why) == (Mark.READY, 0, "")


async def test_failed_and_held_wait_for_a_person(journal: Journal, world: World) -> None:
    asset = await arrived(journal, "a.jpg")
    await hashed(journal, asset)
    await journal.park([Park(asset, Lane.ARCHIVE, "held", None, "which one?")])
    assert await _condition(journal, asset) is Condition.HELD
    await journal.park([Park(asset, Lane.LIBRARY, "failed", None, "no")])
    assert await _condition(journal, asset) is Condition.FAILED
    assert await journal.work([S.ARCHIVE_DUE, S.LIBRARY_DUE], 1 << 60, 10) == []
    assert await journal.retry(None, [Mark.FAILED]) == 1
    assert await _condition(journal, asset) is Condition.HELD
    assert await journal.retry([asset], [Mark.HELD, Mark.FAILED]) == 1
    assert await _condition(journal, asset) is Condition.ACTIVE
    assert len(await journal.work([S.ARCHIVE_DUE, S.LIBRARY_DUE], world.clock.now(), 10)) == 2


async def test_an_asset_is_complete_when_only_the_cleaning_is_left(
    journal: Journal, world: World
) -> None:
    world.off = PHONE_OFF
    asset = await arrived(journal, "a.jpg")
    await hashed(journal, asset)
    await walked(journal, asset, (S.ARCHIVE_DUE, S.ARCHIVED))
    assert await _condition(journal, asset) is Condition.ACTIVE
    world.off = {**PHONE_OFF, **dict.fromkeys(("upload", "mark", "delete"), "off")}
    await walked(journal, asset, (S.LIBRARY_DUE, S.KEPT, S.SORTED))
    assert await _condition(journal, asset) is Condition.COMPLETED
    await walked(journal, asset, (S.CLEANABLE, S.CLEANED))
    assert await _condition(journal, asset) is Condition.COMPLETED


async def test_quarantine_is_a_condition_of_its_own(journal: Journal) -> None:
    asset = await arrived(journal, "a.jpg")
    seen = Evidence("inspection", 1, code="intake.truncated", remedy="copy it again")
    await moved(journal, asset, S.SEEN, S.QUARANTINED, seen)
    assert await _condition(journal, asset) is Condition.QUARANTINED
    [*_, last] = await journal.history(asset)
    assert last.evidence["code"] == "intake.truncated"
    assert await journal.known_sources() == set()


async def test_an_intent_stands_until_its_lane_moves_or_is_parked(
    journal: Journal, world: World
) -> None:
    world.off = PHONE_OFF
    assets = [await arrived(journal, f"{n}.jpg") for n in range(2)]
    for asset in assets:
        await hashed(journal, asset)
        await walked(journal, asset, (S.ARCHIVE_DUE, S.ARCHIVED))
        await walked(journal, asset, (S.LIBRARY_DUE, S.KEPT, S.SORTED))
    await journal.intend(assets, "clean")
    assert {i.asset for i in await journal.intents()} == set(assets)
    await moved(journal, assets[0], S.CLEANABLE, S.CLEANED)
    assert [i.asset for i in await journal.intents()] == [assets[1]]
    await journal.park([Park(assets[1], Lane.SPOOL, "waiting", None, "too young")])
    assert await journal.intents() == []


async def test_listeners_hear_of_a_transition_after_its_commit(
    journal: Journal, world: World
) -> None:
    heard: list[Committed] = []

    def listen(rows: object) -> None:
        with world.sqlite() as other:
            [count] = other.execute("SELECT count(*) FROM history").fetchone()
        assert isinstance(rows, list)
        heard.extend(rows)
        assert count == len(heard)

    journal.on_commit.append(listen)
    asset = await arrived(journal, "a.jpg")
    await hashed(journal, asset)
    assert [(c.stage, c.from_state, c.to_state) for c in heard] == [
        ("arrive", None, S.SEEN),
        ("settle", S.SEEN, S.SETTLED),
        ("hash", S.SETTLED, S.HASHED),
    ]
    assert set(heard[-1].opened) == {S.PHONE_DUE, S.ARCHIVE_DUE, S.LIBRARY_DUE}


def _mark(standing: list[Standing], lane: Lane) -> Mark:
    return next(s.mark for s in standing if s.lane is lane)


async def _condition(journal: Journal, asset: AssetId) -> Condition:
    [listed] = await journal.listed([asset])
    return listed.condition
