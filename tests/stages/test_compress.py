"""Guards the renditions: worth it, whole, both halves or none, never at the original's expense."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from mediad.adapters.no_cloud import NoCloud
from mediad.config import Settings
from mediad.errors import MediadError, NeedsOperator, Refused, Retryable
from mediad.model import (
    Asset,
    AssetId,
    Captured,
    Evidence,
    Inspection,
    Kind,
    Media,
    Original,
    OriginalId,
    Place,
    Role,
    Site,
    SiteKey,
)
from mediad.ports import Inspector, Ledger, Ports, Recipe
from mediad.stages.compress import STAGE, candidate_of
from mediad.stages.verdict import Act, Done, Verdict
from mediad.state import State
from mediad.testing import Killed, Power
from mediad.testing.clock import StoppedClock
from mediad.testing.encoder import MemoryEncoder
from mediad.testing.files import MemoryFiles, digest_of
from mediad.testing.phone import MemoryPhone
from tests.stages.clouds import cloudy
from tests.stages.world import TAKE

YEARS = 365 * 86_400_000
BIG = 1_000_000


INSPECTOR = cast(Inspector, None)  # never asked here
LEDGER = cast(Ledger, None)


@dataclass
class World:
    """A spool in memory with assets in it."""

    min_saving: float = 0.10
    folders: dict[str, str] = field(default_factory=dict)
    power: Power = field(default_factory=Power)
    clock: StoppedClock = field(default_factory=StoppedClock)

    def __post_init__(self) -> None:
        self.files = MemoryFiles(self.clock, self.power)
        self.encoder = MemoryEncoder(self.files)

    def ports(self) -> Ports:
        compress = {"min_saving": self.min_saving, "folders": self.folders}
        settings = Settings.model_validate({"root": "/nowhere", "compress": compress})
        phone = MemoryPhone(self.files, self.clock)
        return Ports(
            self.clock, self.files, INSPECTOR, self.encoder, LEDGER, phone, NoCloud(), settings
        )  # fmt: skip

    def asset(
        self, kind: Kind, *members: tuple[str, Role, Media], size: int = BIG, years: float = 2
    ) -> Asset:
        at = self.clock.now() - round(years * YEARS)
        originals = []
        for n, (name, role, media) in enumerate(members, 1):
            content = name.encode().ljust(size, b"#")
            place = self.files.drop(Site.SPOOL, f"1-{n}-{name}", content)
            seen = Inspection(media, extension=f".{media.value}", duration_s=3.0)
            originals.append(
                Original(OriginalId(n), role, name, SiteKey(name), place.key, size, 0,
                         digest_of(content), seen)
            )  # fmt: skip
        captured = Captured("2024-07-14T18:03:22", "", "exif", at)
        return Asset(
            AssetId(1), members[0][0], kind, "folder", 0, tuple(originals), captured=captured
        )

    def photo(self, size: int = BIG, years: float = 2) -> Asset:
        return self.asset(Kind.PHOTO, ("a.jpg", Role.PRIMARY, Media.JPEG), size=size, years=years)

    def live(self, years: float = 2) -> Asset:
        return self.asset(
            Kind.LIVE_PHOTO,
            ("a.heic", Role.PRIMARY, Media.HEIC),
            ("a.mov", Role.LIVE_VIDEO, Media.MOV),
            ("a.aae", Role.SIDECAR, Media.SIDECAR),
            years=years,
        )

    def source(self, asset: Asset, n: int = 0) -> Place:
        return Place(Site.SPOOL, asset.originals[n].spool_key)

    async def rule(self, asset: Asset) -> Verdict:
        [facts] = await STAGE.look([asset], self.ports())
        assert not isinstance(facts, MediadError)
        return STAGE.decide(asset, facts)

    async def run(self, asset: Asset, looks: int = 5) -> Done:
        """As the engine does: look, decide, act, look again."""
        for _ in range(looks):
            [facts] = await STAGE.look([asset], self.ports())
            assert not isinstance(facts, MediadError)
            verdict = STAGE.decide(asset, facts)
            if isinstance(verdict, Done):
                return verdict
            [answer] = await STAGE.act([asset], [facts], self.ports())
            if isinstance(answer, MediadError):
                raise answer
        pytest.fail("acts without end")

    def candidates(self) -> list[str]:
        return [k for k in self.files.under(Site.SPOOL) if k.startswith("renditions/")]


async def kept(world: World, asset: Asset) -> Evidence:
    done = await world.run(asset)
    assert done.then is State.KEPT
    assert not done.evidence.renditions
    assert not world.candidates(), "nothing is left behind"
    return done.evidence


async def test_a_rendition_is_made_judged_and_told_with_its_figures() -> None:
    world = World()
    photo = world.photo()
    assert await world.rule(photo) == Act("render a.jpg as photo-auto-q75/2")
    done = await world.run(photo)
    [made] = done.evidence.renditions
    assert done.then is State.COMPRESSED
    assert made.place == Place(Site.SPOOL, SiteKey("renditions/1-1-a.jpg.photo-auto-q75-2.jpeg"))
    assert (made.original, made.recipe, made.size) == (1, "photo-auto-q75/2", BIG // 2)
    assert made.digest == world.files.files[made.place].digest
    assert (made.figures["bytes_in"], made.figures["ratio"]) == (BIG, 0.5)


async def test_originals_are_only_read() -> None:
    world = World()
    live = world.live()
    before = {p: f.content for p, f in world.files.files.items()}
    await world.run(live)
    assert before.items() <= {p: f.content for p, f in world.files.files.items()}.items()


@pytest.mark.parametrize(
    ("years", "name"), [(0.5, "q85"), (2, "q75"), (5, "q65"), (-1, "q85")]
)  # fmt: skip
async def test_the_age_chooses_the_recipe(years: float, name: str) -> None:
    world = World()
    [made] = (await world.run(world.photo(years=years))).evidence.renditions
    assert name in made.recipe


@pytest.mark.parametrize(
    ("share", "min_saving", "size", "then"),
    [
        (0.89, 0.10, BIG, State.COMPRESSED),
        (0.91, 0.10, BIG, State.KEPT),
        (0.91, 0.05, BIG, State.COMPRESSED),
        (0.79, 0.20, BIG, State.COMPRESSED),
        (0.80, 0.10, 300_000, State.KEPT),  # 60,000 bytes are not worth a second file
        (1.20, 0.00, BIG, State.KEPT),
    ],
)
async def test_a_rendition_must_be_worth_it(
    share: float, min_saving: float, size: int, then: State
) -> None:
    world = World(min_saving)
    photo = world.photo(size)
    world.encoder.shares[world.source(photo)] = share
    done = await world.run(photo)
    assert done.then is then
    assert bool(world.candidates()) == (then is State.COMPRESSED)


async def test_a_film_must_save_half_as_much_again() -> None:
    world = World()
    film = world.asset(Kind.VIDEO, ("a.mov", Role.PRIMARY, Media.MOV))
    world.encoder.shares[world.source(film)] = 0.86
    assert (await kept(world, film)).code == "compress.saving"
    world.encoder.shares[world.source(film)] = 0.84
    world.encoder._memory.clear()
    assert (await world.run(film)).then is State.COMPRESSED


@pytest.mark.parametrize("gate", ["compress.picture", "compress.dimensions", "compress.tags"])
async def test_what_a_gate_stops_is_thrown_away_and_the_original_kept(gate: str) -> None:
    world = World()
    photo = world.photo()
    world.encoder.spoilt[world.source(photo)] = gate
    evidence = await kept(world, photo)
    assert evidence.code == gate
    assert "a.jpg stays as it is" in evidence.note
    assert len(world.encoder.rendered) == 1


async def test_what_the_encoder_refuses_is_kept_with_its_reason() -> None:
    world = World()
    photo = world.photo()
    world.encoder.no[world.source(photo)] = Refused("rotten", code="compress.source_damaged")
    evidence = await kept(world, photo)
    assert (evidence.code, len(world.encoder.rendered)) == ("compress.source_damaged", 1)


async def test_a_source_that_rotted_since_it_was_hashed_gives_no_rendition() -> None:
    world = World()
    photo = world.photo()
    world.files.files[world.source(photo)].content = b"rot".ljust(BIG, b"#")
    assert (await kept(world, photo)).code == "compress.source_changed"


@pytest.mark.parametrize(
    "fault",
    [
        Retryable("the disk hiccups", code="io.error"),
        NeedsOperator("no ffmpeg", code="tool.missing"),
        Refused("the name is taken", code="place.taken"),
    ],
)
async def test_other_faults_are_the_engine_s(fault: MediadError) -> None:
    world = World()
    photo = world.photo()
    world.encoder.no[world.source(photo)] = fault
    with pytest.raises(type(fault)):
        await world.run(photo)


async def test_both_halves_of_a_live_photo_get_a_rendition() -> None:
    world = World()
    live = world.live()
    done = await world.run(live)
    assert [r.recipe for r in done.evidence.renditions] == [
        "photo-heic-crf18/2",
        "video-x265-crf26/1",
    ]


@pytest.mark.parametrize("spoilt", [0, 1])
async def test_a_live_photo_has_both_renditions_or_none(spoilt: int) -> None:
    world = World()
    live = world.live()
    world.encoder.spoilt[world.source(live, spoilt)] = "compress.picture"
    evidence = await kept(world, live)
    assert evidence.code in {"compress.picture", "compress.pair"}
    assert "the other half" in evidence.note
    if spoilt == 0:
        assert world.source(live, 1) not in world.encoder.rendered, "the film costs minutes"


@pytest.mark.parametrize("first", [0, 1])
async def test_a_rendition_that_the_library_had_before_the_other_half_came_is_told_as_it_is(
    first: int,
) -> None:
    """The late half stays as it is, and nothing is said of the first that is not so."""
    world = World()
    live = world.live()
    late = 1 - first
    made = (await world.run(live)).evidence.renditions
    await world.files.discard([r.place for r in made])
    shown = replace(made[first], place=Place(Site.LIBRARY, SiteKey("a")))
    live = replace(live, renditions=(shown,))
    world.encoder.spoilt[world.source(live, late)] = "compress.picture"
    evidence = await kept(world, live)
    names = [original.name for original in live.originals]
    assert f"{names[late]} stays as it is" in evidence.note
    assert f"the rendition of {names[first]} was there before and stays" in evidence.note
    assert f"{names[first]} stays as it is" not in evidence.note
    assert evidence.renditions == ()


async def test_a_live_photo_whose_still_has_nothing_to_give_is_left_alone() -> None:
    world = World()
    evidence = await kept(world, world.live(years=0.5))
    assert "a young HEIC" in evidence.note
    assert not world.encoder.rendered


def came_in(folder: str, asset: Asset, source: str = "folder") -> Asset:
    originals = [replace(o, source_key=SiteKey(f"{folder}/{o.name}")) for o in asset.originals]
    return replace(asset, source=source, originals=tuple(originals))


async def test_what_came_in_a_folder_has_the_tier_that_was_said_for_it_or_is_kept() -> None:
    world = World(folders={"Scans": "keep", "Trips": "heavy"})
    done = await world.run(came_in("Trips/Rome", world.photo(years=0.1)))
    assert done.evidence.renditions[0].recipe == "photo-auto-q65/2"
    await world.files.discard([r.place for r in done.evidence.renditions])
    evidence = await kept(world, came_in("Scans", world.live()))
    assert evidence.code == "compress.told"
    assert "a.heic stays as it is: what came in Scans is kept as it is" in evidence.note


async def test_a_name_in_icloud_is_no_folder_of_the_person_s() -> None:
    world = World(folders={"Scans": "keep"})
    done = await world.run(came_in("Scans", world.photo(), source="icloud"))
    assert done.then is State.COMPRESSED


async def test_what_is_in_an_album_has_the_rule_of_the_album(tmp_path: Path) -> None:
    rules = {"albums": {"Wedding": "keep"}}
    async with cloudy(tmp_path, compress=rules) as w:
        refs = [w.cloud.take(name, f"heic at=0 {name}".encode()) for name in ("a.HEIC", "b.HEIC")]
        w.cloud.put_in(w.cloud.new_album("Wedding"), refs[0])
        assets = [await w.bring(ref) for ref in refs]
        await w.run(*TAKE)
        whole = [await w.asset(asset) for asset in assets]
        notes = []
        for asset, facts in zip(whole, await STAGE.look(whole, w.ports()), strict=True):
            assert not isinstance(facts, MediadError)
            verdict = STAGE.decide(asset, facts)
            assert isinstance(verdict, Done)
            notes.append((verdict.evidence.code, verdict.evidence.note))
        assert notes[0] == (
            "compress.told",
            "a.HEIC stays as it is: what came in Wedding is kept as it is",
        )
        assert notes[1][0] != "compress.told"


async def test_beside_a_raw_the_jpeg_gets_a_rendition() -> None:
    world = World()
    pair = world.asset(
        Kind.RAW_JPEG, ("a.jpg", Role.PRIMARY, Media.JPEG), ("a.dng", Role.RAW, Media.RAW)
    )
    done = await world.run(pair)
    assert [r.original for r in done.evidence.renditions] == [1]
    assert "a.dng stays as it is: a RAW photo is the negative" in done.evidence.note


async def test_a_sidecar_alone_is_passed_over() -> None:
    world = World()
    asset = world.asset(Kind.UNKNOWN, ("a.xmp", Role.SIDECAR, Media.SIDECAR))
    assert not (await kept(world, asset)).note


async def test_a_candidate_from_before_a_crash_is_judged_and_not_made_again() -> None:
    world = World()
    photo = world.photo()
    await world.run(photo)
    world.encoder = MemoryEncoder(world.files)
    assert (await world.run(photo, looks=1)).then is State.COMPRESSED
    assert not world.encoder.rendered


async def test_a_rendition_of_another_recipe_is_another_candidate() -> None:
    world = World()
    photo = world.photo()
    [first] = (await world.run(photo)).evidence.renditions
    world.clock.advance(2 * YEARS / 1000)
    [second] = (await world.run(photo)).evidence.renditions
    assert first.place != second.place


@pytest.mark.parametrize("spoilt", [(), (0,), (1,)])
async def test_a_kill_at_any_touch_changes_nothing_of_the_end(spoilt: Sequence[int]) -> None:
    worlds = []
    for cut_at in range(1, 9):
        world = World(power=Power(cut_at=cut_at))
        live = world.live()
        for n in spoilt:
            world.encoder.spoilt[world.source(live, n)] = "compress.picture"
        with suppress(Killed):
            await world.run(live)
        world.files.power = Power()
        world.encoder._memory.clear()  # a new process
        await world.run(live)
        worlds.append(world.files.under(Site.SPOOL))
    assert all(w == worlds[0] for w in worlds)


async def test_one_bad_member_never_spoils_its_lot() -> None:
    world = World()
    good, bad = world.photo(), world.asset(Kind.PHOTO, ("b.jpg", Role.PRIMARY, Media.JPEG))
    world.encoder.no[world.source(bad)] = Retryable("hiccup", code="io.error")
    lot = [good, bad]
    seen = [f for f in await STAGE.look(lot, world.ports()) if not isinstance(f, MediadError)]
    first, second = await STAGE.act(lot, seen, world.ports())
    assert first is None
    assert isinstance(second, Retryable)


def test_candidates_of_foreign_names_stay_below_renditions() -> None:
    world = World()
    [original] = world.photo().originals
    place = candidate_of(original, Recipe("a/b", Media.JPEG, extension=".jpg"))
    assert place.key == "renditions/1-1-a.jpg.a-b.jpg"
