"""Guards that whatever goes wrong with one file is sorted to who can put it right, and is nobody else's trouble."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from mediad.engine.lots import MAX_LOOKS
from mediad.errors import Bug, MediadError, NeedsOperator, Refused, Retryable
from mediad.journal import Step
from mediad.model import Asset, AssetId, Evidence
from mediad.stages.verdict import Act, Ask, Merge, Refuse, Verdict, Wait
from mediad.state import State, Transition
from mediad.testing.clock import StoppedClock
from tests.engine.world import Play, World, world

THREE = ("good.jpg", "bad.jpg", "fine.jpg")
SETTLED = State.SETTLED.value
FIRST, SECOND = AssetId(1), AssetId(2)  # the look may come before `drop` has answered


def raises(error: BaseException) -> Any:
    raise error


def for_bad(answer: Callable[[], Any]) -> Callable[[Asset], Any]:
    return lambda asset: answer() if asset.name.startswith("bad") else 0


def bad_act(asset: Asset, facts: Any) -> Verdict:  # noqa: ARG001 - the shape of a decision
    return Act("do it") if asset.name.startswith("bad") else Play().done()


def act_first(asset: Asset, facts: int) -> Verdict:  # noqa: ARG001 - likewise
    return Act("do it") if not facts else Play().done()


async def ended(tmp_path: Path, play: Play, **rules: Any) -> tuple[list[str], World]:
    async with world(tmp_path, play, **rules) as w:
        ids = await w.drop(*THREE)
        w.engine.wake()
        await w.idle()
        return await w.marks(ids), w


# -- one bad member --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "mark"),
    [
        (Retryable("the disk coughed", code="io.cough"), "retry"),
        (NeedsOperator("who is this?", code="test.who", remedy="say"), "held"),
        (Refused("never", code="test.never"), "held"),
        (KeyError("oh"), "held"),
    ],
)
async def test_one_bad_look_never_spoils_the_others(
    tmp_path: Path, error: Exception, mark: str
) -> None:
    play = Play()
    is_ours = isinstance(error, MediadError)
    play.look = for_bad(lambda: error if is_ours else raises(error))
    marks, _ = await ended(tmp_path, play)
    assert marks == [SETTLED, mark, SETTLED]


@pytest.mark.parametrize("error", [Refused("the whole lot", code="test.lot"), OSError(5, "eio")])
async def test_an_error_raised_for_a_whole_lot_shows_whose_it_was(
    tmp_path: Path, error: Exception
) -> None:
    play = Play()

    async def lot(assets: Sequence[Asset]) -> None:
        if any(a.name == "bad.jpg" for a in assets):
            raise error

    play.lot = lot
    marks, _ = await ended(tmp_path, play)
    assert marks == [SETTLED, "held", SETTLED]


@pytest.mark.parametrize("error", [Refused("no", code="test.no"), ZeroDivisionError()])
async def test_a_deed_that_raises_is_its_own_members(tmp_path: Path, error: Exception) -> None:
    play = Play()
    play.rule = bad_act
    play.deed = for_bad(lambda: raises(error))
    marks, _ = await ended(tmp_path, play)
    assert marks == [SETTLED, "held", SETTLED]
    assert play.looks.count("good.jpg") == 1, "who is settled is not looked at again"


async def test_a_decision_that_raises_is_its_own_members(tmp_path: Path) -> None:
    play = Play()
    play.rule = lambda asset, _: raises(KeyError()) if asset.name == "bad.jpg" else play.done()
    marks, _ = await ended(tmp_path, play)
    assert marks == [SETTLED, "held", SETTLED]


async def test_a_stage_that_answers_for_too_few_holds_them_all_and_the_engine_lives(
    tmp_path: Path,
) -> None:
    play = Play()
    play.look = lambda _: 0

    async def short(assets: Sequence[Asset], _: Any) -> Sequence[Any]:
        return [0] * (len(assets) - 1)

    object.__setattr__(play.stage, "look", short)
    marks, _ = await ended(tmp_path, play)
    assert marks == ["held"] * 3


async def test_an_unexpected_error_is_held_with_its_kind_and_a_remedy(tmp_path: Path) -> None:
    play = Play()
    play.look = lambda _: raises(KeyError("oh"))
    async with world(tmp_path, play) as w:
        [asset] = await w.drop("a.jpg")
        w.engine.wake()
        await w.idle()
        standing = await w.intake(asset)
    assert (standing.code, standing.mark) == ("bug.unexpected", "held")
    assert "KeyError" in standing.why
    assert "mediactl retry" in standing.remedy


# -- who can put it right ----------------------------------------------------------------------------


async def test_a_retry_comes_later_each_time_survives_a_restart_and_ends_as_failed(
    tmp_path: Path,
) -> None:
    play, clock = Play(), StoppedClock()
    play.look = lambda _: Retryable("not now", code="io.cough", remedy="wait")
    waits = []
    async with world(tmp_path, play, clock=clock, retries=4) as w:
        [asset] = await w.drop("a.jpg")
        w.engine.wake()
        await w.idle()
        for n in range(2):
            await w.idle()
            standing = await w.intake(asset)
            assert (standing.mark, standing.code) == ("retry", "io.cough")
            assert standing.due is not None
            waits.append(standing.due - w.clock.now())
            await w.pass_time(waits[-1] / 1000)
            await play.until_looked(n + 2)
        await w.idle()
    async with world(tmp_path, play, clock=clock, retries=4) as w:
        standing = await w.intake(asset)
        assert (standing.mark, standing.attempts) == ("retry", 3)
        assert standing.due is not None
        waits.append(standing.due - w.clock.now())
        await w.pass_time(waits[-1] / 1000)
        await play.until_looked(4)
        await w.idle()
        standing = await w.intake(asset)
        assert (standing.mark, standing.attempts, standing.due) == ("failed", 4, None)
        await w.pass_time(10**7)
    assert waits == sorted(set(waits)), waits
    assert len(play.looks) == 4, "what failed is not tried again by itself"


async def test_the_other_sides_own_time_is_kept(tmp_path: Path) -> None:
    play = Play()
    play.look = lambda _: Retryable("busy", code="web.busy", after_s=90.0)
    async with world(tmp_path, play) as w:
        [asset] = await w.drop("a.jpg")
        w.engine.wake()
        await w.idle()
        assert (await w.intake(asset)).due == w.clock.now() + 90_000


@pytest.mark.parametrize("kind", [NeedsOperator, Refused])
async def test_a_question_is_held_with_its_code_and_remedy(
    tmp_path: Path, kind: type[MediadError]
) -> None:
    play = Play()
    play.look = lambda _: kind("which one?", code="test.which", remedy="this one")
    async with world(tmp_path, play) as w:
        [asset] = await w.drop("a.jpg")
        w.engine.wake()
        await w.idle()
        s = await w.intake(asset)
        await w.pass_time(10**7)
    assert (s.mark, s.code, s.why, s.remedy) == ("held", "test.which", "which one?", "this one")
    assert len(play.looks) == 1


@pytest.mark.parametrize("kind", [Ask, Refuse])
async def test_a_verdict_that_needs_a_person_is_held(tmp_path: Path, kind: type[Any]) -> None:
    play = Play()
    play.rule = lambda _, __: kind("test.why", "because", "do this")
    async with world(tmp_path, play) as w:
        [asset] = await w.drop("a.jpg")
        w.engine.wake()
        await w.idle()
        s = await w.intake(asset)
    assert (s.mark, s.code, s.why, s.remedy) == ("held", "test.why", "because", "do this")


async def test_a_bug_stops_the_run(tmp_path: Path) -> None:
    play = Play()
    play.look = lambda _: Bug("an invariant broke")
    async with world(tmp_path, play, is_working=False) as w:
        await w.drop("a.jpg")
        with anyio.fail_after(5), pytest.raises(ExceptionGroup) as met:
            await w.engine.run()
        assert met.group_contains(Bug)
        assert w.engine.running("settle") == 0


async def test_an_unlawful_step_is_a_bug(tmp_path: Path) -> None:
    play = Play(then=State.ARCHIVED)
    async with world(tmp_path, play, is_working=False) as w:
        await w.drop("a.jpg")
        with anyio.fail_after(5), pytest.raises(ExceptionGroup) as met:
            await w.engine.run()
        assert met.group_contains(Bug)


# -- looking again -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["place.taken", "io.busy"])
async def test_an_act_that_met_another_world_makes_the_engine_look_again(
    tmp_path: Path, code: str
) -> None:
    play = Play()
    play.rule = act_first
    play.deed = lambda _: Refused("it is taken", code=code)
    marks, _ = await ended(tmp_path, play)
    assert marks == [SETTLED] * 3
    assert play.looks.count("bad.jpg") == 2


async def test_what_is_met_at_every_look_is_what_the_person_reads(tmp_path: Path) -> None:
    play = Play()
    play.rule = lambda _, __: Act("try")
    play.deed = lambda _: Refused("other bytes are there", code="place.taken", remedy="look")
    async with world(tmp_path, play) as w:
        [asset] = await w.drop("a.jpg")
        w.engine.wake()
        await w.idle()
        s = await w.intake(asset)
    assert (s.mark, s.code, s.remedy) == ("held", "place.taken", "look")
    assert len(play.looks) == MAX_LOOKS


@pytest.mark.loss("DL18")
async def test_a_stage_that_never_sees_its_effect_is_held(tmp_path: Path) -> None:
    play = Play()
    play.rule = bad_act
    async with world(tmp_path, play) as w:
        ids = await w.drop(*THREE)
        w.engine.wake()
        await w.idle()
        assert await w.marks(ids) == [SETTLED, "held", SETTLED]
        assert (await w.intake(ids[1])).code == "engine.no_effect"
    assert play.acted == ["bad.jpg"] * MAX_LOOKS


async def test_an_identity_that_was_taken_meanwhile_makes_the_engine_look_again(
    tmp_path: Path,
) -> None:
    play = Play()

    def rule(asset: Asset, _: Any) -> Verdict:
        is_second = play.looks.count(asset.name) > 1
        identity: Any = f"{asset.id if is_second else 7:064x}"
        return play.done() if asset.name == "none" else _identified(play, identity)

    play.rule = rule
    marks, _ = await ended(tmp_path, play)
    assert marks == [SETTLED] * 3
    assert len(play.looks) == 5, "two of the three claimed what the first had"


def _identified(play: Play, identity: Any) -> Verdict:
    done = play.done()
    return type(done)(Evidence("looked", 1, identity=identity), done.then)


async def test_a_conflict_without_end_is_not_called_a_missing_effect(tmp_path: Path) -> None:
    play = Play()
    play.rule = lambda _, __: _identified(play, f"{7:064x}")
    async with world(tmp_path, play, retries=2) as w:
        ids = await w.drop("a.jpg", "b.jpg")
        w.engine.wake()
        with anyio.fail_after(5):
            await w.engine.until_idle()
        assert await w.marks(ids) == [SETTLED, "failed"]
        assert (await w.intake(ids[1])).code == "journal.conflict"


# -- going another way meanwhile ---------------------------------------------------------------------


def on_first_look(play: Play, name: str, deed: Callable[[], Any]) -> None:
    """While the lot with this file is in hand for the first time, something else happens."""

    async def lot(assets: Sequence[Asset]) -> None:
        if name in [a.name for a in assets] and play.looks.count(name) == 1:
            await deed()

    play.lot = lot


@pytest.mark.parametrize(
    "answer",
    [
        None,
        Wait(1 << 50, "later"),
        Ask("test.old", "?", "!"),
        Refused("gone", code="test.old"),
        Retryable("gone", code="test.old"),
        KeyError("gone"),
    ],
)
async def test_who_went_another_way_is_left_there_without_a_word(
    tmp_path: Path, answer: Any
) -> None:
    play = Play()
    async with world(tmp_path, play) as w:

        async def move_on() -> None:
            step = Transition(State.SEEN, "settle", State.SETTLED)
            await w.journal.record([Step(FIRST, step, Evidence("by somebody else", 1))])

        if isinstance(answer, MediadError):
            play.look = lambda _: answer
        elif isinstance(answer, Exception):
            play.look = lambda _: raises(answer)
        elif answer:
            play.rule = lambda _, __: answer
        on_first_look(play, "a.jpg", move_on)
        [asset] = await w.drop("a.jpg")
        w.engine.wake()
        await w.idle()
        s = await w.intake(asset)
        assert (s.state, s.mark, s.attempts, s.code) == (State.SETTLED, "ready", 0, "")
        assert len(await w.journal.history(asset)) == 2


def guest_of(host: AssetId, play: Play) -> Callable[[Asset, Any], Verdict]:
    def rule(asset: Asset, _: Any) -> Verdict:
        if asset.name.endswith(".mov"):
            return Merge(host, Evidence("grouped", 1))
        return play.done(str(len(asset.originals)))

    return rule


async def test_a_half_joins_and_the_host_is_looked_at_whole(tmp_path: Path) -> None:
    """Both in one lot: what was seen of the host alone must not be recorded for the pair."""
    play = Play()
    async with world(tmp_path, play) as w:
        play.rule = guest_of(FIRST, play)
        host, guest = await w.drop("a.jpg", "a.mov")
        w.engine.wake()
        await w.idle()
        history = await w.journal.history(host)
        assert history[-1].evidence["note"] == "2"
        assert (await w.intake(host)).state is State.SETTLED
        assert await w.journal.standing(guest) == []
    assert play.looked == [["a.jpg", "a.mov"], ["a.jpg"]]


async def test_a_half_that_joins_from_another_lot_makes_the_host_look_again(
    tmp_path: Path,
) -> None:
    play = Play(lot_files=1)
    joined, looking = anyio.Event(), anyio.Event()
    async with world(tmp_path, play) as w:
        play.rule = guest_of(FIRST, play)

        async def lot(assets: Sequence[Asset]) -> None:
            if assets[0].name == "a.mov":
                await looking.wait()
            elif not looking.is_set():
                looking.set()
                while await w.journal.standing(SECOND):
                    await anyio.lowlevel.checkpoint()
                joined.set()

        play.lot = lot
        host, _guest = await w.drop("a.jpg", "a.mov")
        w.engine.wake()
        await w.idle()
        assert joined.is_set()
        assert (await w.journal.history(host))[-1].evidence["note"] == "2"


@pytest.mark.parametrize("verdict", ["done", "wait", "failed"])
async def test_what_was_seen_before_a_half_joined_is_not_said_of_the_whole(
    tmp_path: Path, verdict: str
) -> None:
    """Joined, taken in again, and back where it stood while the lot was still at it: it is another asset now."""
    play = Play("archive", State.ARCHIVE_DUE, State.ARCHIVED)

    def rule(asset: Asset, _: Any) -> Verdict:
        if len(asset.originals) > 1 or verdict == "done":
            return play.done(str(len(asset.originals)))
        return Wait(w.clock.now() + 3_600_000, "half of it")

    def seen(asset: Asset) -> MediadError | None:
        alone = len(asset.originals) == 1 and verdict == "failed"
        return Retryable("half of it", code="io.error", after_s=3600.0) if alone else None

    async with world(tmp_path, play) as w:

        async def take_in(asset: AssetId) -> None:
            for at, stage, then in (
                (State.SEEN, "settle", State.SETTLED),
                (State.SETTLED, "hash", State.HASHED),
            ):
                [answer] = await w.journal.record(
                    [Step(asset, Transition(at, stage, then), Evidence("by hand", 1))]
                )
                assert not isinstance(answer, MediadError)

        async def join() -> None:
            await w.journal.merge(guest, host, Evidence("grouped", 1))
            await take_in(host)

        host, guest = await w.drop("a.jpg", "a.mov")
        play.rule, play.look = rule, seen
        on_first_look(play, "a.jpg", join)
        await take_in(host)
        w.engine.wake()
        await w.idle()
        [archived] = [r for r in await w.journal.history(host) if r.stage == "archive"]
        assert archived.evidence["note"] == "2"


async def test_an_absorbed_asset_in_flight_does_no_harm(tmp_path: Path) -> None:
    play = Play()
    async with world(tmp_path, play) as w:

        async def absorb() -> None:
            await w.journal.merge(SECOND, FIRST, Evidence("grouped", 1))

        on_first_look(play, "a.mov", absorb)
        host, guest = await w.drop("a.jpg", "a.mov")
        w.engine.wake()
        await w.idle()
        assert await w.journal.standing(guest) == []
        assert (await w.intake(host)).state is State.SETTLED


async def test_a_half_that_cannot_join_is_alone_in_that(tmp_path: Path) -> None:
    play = Play()
    async with world(tmp_path, play) as w:
        play.rule = guest_of(FIRST, play)
        [late] = await w.drop("old.jpg")
        w.engine.wake()
        await w.idle()
        step = Transition(State.SETTLED, "hash", State.QUARANTINED)
        await w.journal.record([Step(late, step, Evidence("by hand", 1))])
        ids = await w.drop("a.mov", "b.jpg")
        w.engine.wake()
        await w.idle()
        assert await w.marks(ids) == ["held", SETTLED]
        assert (await w.intake(ids[0])).code == "journal.too_late"
    assert play.looks.count("b.jpg") == 1


# -- waiting -----------------------------------------------------------------------------------------


async def test_a_wait_is_waited_for(tmp_path: Path) -> None:
    play = Play()
    async with world(tmp_path, play) as w:
        until = w.clock.now() + 60_000
        play.rule = lambda _, __: play.done() if w.clock.now() >= until else Wait(until, "not yet")
        [asset] = await w.drop("a.jpg")
        w.engine.wake()
        while (await w.intake(asset)).mark != "waiting":
            await anyio.lowlevel.checkpoint()
        s = await w.intake(asset)
        assert (s.due, s.why, s.attempts) == (until, "not yet", 0)
        await w.pass_time(60)
        assert (await w.intake(asset)).state is State.SETTLED
    assert len(play.looks) == 2


async def test_a_wait_until_a_time_that_has_passed_does_not_turn_on_the_spot(
    tmp_path: Path,
) -> None:
    play = Play()
    play.rule = lambda _, __: Wait(0, "for nothing")
    async with world(tmp_path, play) as w:
        [asset] = await w.drop("a.jpg")
        w.engine.wake()
        while (await w.intake(asset)).mark != "waiting":
            await anyio.lowlevel.checkpoint()
        with anyio.move_on_after(0.2):
            await anyio.sleep_forever()
        assert len(play.looks) == 1, "the clock stands still"


# -- destructive stages ------------------------------------------------------------------------------


async def test_a_destructive_stage_writes_its_intent_before_it_looks(tmp_path: Path) -> None:
    play = Play(destructive=True)
    intents: list[Any] = []
    async with world(tmp_path, play) as w:

        async def lot(_: Sequence[Asset]) -> None:
            intents.append([(i.asset, i.stage) for i in await w.journal.intents()])

        play.lot = lot
        play.rule = act_first
        ids = await w.drop("a.jpg", "b.jpg")
        w.engine.wake()
        await w.idle()
        assert intents == [[(a, "settle") for a in ids]] * 2
        assert await w.journal.intents() == []


async def test_a_parked_intent_is_closed(tmp_path: Path) -> None:
    play = Play(destructive=True)
    play.rule = lambda _, __: Refuse("test.no", "no", "")
    async with world(tmp_path, play) as w:
        await w.drop("a.jpg")
        w.engine.wake()
        await w.idle()
        assert await w.journal.intents() == []


def lost_copies(play: Play, names: Callable[[str], bool]) -> None:
    """Its files whose name says so have lost their copy; the others are removed."""

    def rule(asset: Asset, facts: int) -> Verdict:
        if names(asset.name):
            return Refuse("test.copy_lost", "the copy is lost", "look")
        return act_first(asset, facts)

    play.rule = rule


async def test_a_flood_of_lost_copies_stops_a_destructive_stage_before_it_removes_the_rest(
    tmp_path: Path,
) -> None:
    play = Play(destructive=True)
    lost_copies(play, lambda name: name.startswith("lost"))
    async with world(tmp_path, play) as w:
        await w.journal.pause("settle")  # so that all twelve are one lot
        await w.engine.refresh()
        ids = await w.drop(*[f"lost{n}.jpg" for n in range(10)], "a.jpg", "b.jpg")
        await w.journal.resume("settle")
        await w.engine.refresh()
        await w.idle()
        assert play.acted == []
        assert await w.marks(ids) == ["held"] * 10 + ["ready"] * 2
        assert await w.journal.paused() == {"settle"}
        [problem] = w.problems.now()
        assert (problem.code, problem.subject) == ("safety.breaker", "settle")
        assert "10 of 12 files" in problem.message
        assert "mediactl resume settle" in problem.remedy
        assert [e["lost"] for e in w.said if e["event"] == "breaker.tripped"] == [10]
        with w.engine.lifted({"settle"}):
            await w.idle()
        assert play.acted == [], "a run order is no look at the archive"

        await w.journal.resume("settle")
        w.engine.reset_breakers("settle")
        await w.engine.refresh()
        await w.idle()
        assert w.problems.now() == ()
        assert sorted(play.acted) == ["a.jpg", "b.jpg"]
        assert await w.marks(ids[:10]) == ["held"] * 10


@pytest.mark.parametrize(
    ("is_destructive", "lost", "sound"), [(True, 9, 0), (True, 10, 90), (False, 20, 0)]
)
async def test_a_few_lost_copies_stop_nothing_and_a_refusal_elsewhere_is_none(
    tmp_path: Path, lost: int, sound: int, *, is_destructive: bool
) -> None:
    play = Play(destructive=is_destructive)
    lost_copies(play, lambda name: name.startswith("lost"))
    async with world(tmp_path, play) as w:
        names = [f"lost{n}.jpg" for n in range(lost)] + [f"{n}.jpg" for n in range(sound)]
        await w.drop(*names)
        w.engine.wake()
        await w.idle()
        assert w.problems.now() == ()
        assert len(play.acted) == sound


@pytest.mark.parametrize("stop", ["pause", "settings"])
async def test_nothing_is_removed_after_a_person_said_stop_while_it_was_looked_at(
    tmp_path: Path, stop: str
) -> None:
    """A look reads whole files back, which takes its time."""
    play = Play(destructive=True)
    never = Wait(9_000_000_000_000, "not any more")
    async with world(tmp_path, play) as w:
        if stop == "settings":  # the first decision is made with the old ones
            play.rule = lambda _, __: Act("remove") if len(play.looked) == 1 else never
        else:
            play.rule = act_first

        async def and_meanwhile(_: Sequence[Asset]) -> None:
            if len(play.looked) > 1:
                return
            if stop == "pause":
                await w.journal.pause("settle")
                await w.engine.refresh()
            else:
                safety = w.settings.safety.model_copy(update={"armed": True})
                w.settings = w.settings.model_copy(update={"safety": safety})

        play.lot = and_meanwhile
        [asset] = await w.drop("a.jpg")
        w.engine.wake()
        await play.until_looked(1 if stop == "pause" else 2)
        await w.engine.until_quiet()
        assert play.acted == []
        assert (await w.intake(asset)).mark == ("ready" if stop == "pause" else "waiting")
        if stop == "pause":
            await w.journal.resume("settle")
            await w.engine.refresh()
            await w.idle()
            assert play.acted == ["a.jpg"]


async def test_what_the_other_side_answered_is_kept_before_the_next_look(tmp_path: Path) -> None:
    play = Play()
    kept: list[list[str]] = []
    play.rule = lambda _, acts: play.done() if acts else Act("ask")
    play.deed = lambda _: Evidence("answered", 1, note="they said yes")
    async with world(tmp_path, play) as w:

        async def history(lot: Sequence[Asset]) -> None:
            rows = await w.journal.history(lot[0].id)
            kept.append([str(r.evidence["kind"]) for r in rows])

        play.lot = history
        [asset] = await w.drop("a.jpg")
        w.engine.wake()
        await w.idle()
        assert kept == [["seen"], ["seen", "answered"]]
        assert (await w.intake(asset)).state is State.SETTLED


async def test_what_was_seen_on_the_way_to_a_wait_is_kept(tmp_path: Path) -> None:
    play = Play()
    noted = Evidence("looked", 1, note="taken out")
    play.rule = lambda _, __: Wait(9_000_000_000_000, "not now", evidence=noted)
    async with world(tmp_path, play) as w:
        [asset] = await w.drop("a.jpg")
        w.engine.wake()
        await play.until_looked(1)
        await w.engine.until_quiet()
        assert (await w.intake(asset)).mark == "waiting"
        rows = await w.journal.history(asset)
        assert [r.evidence.get("note", "") for r in rows] == ["", "taken out"]


async def test_a_wait_for_a_proof_that_was_there_counts_as_a_loss(tmp_path: Path) -> None:
    play = Play(destructive=True)
    play.rule = lambda _, __: Wait(9_000_000_000_000, "changed", is_loss=True)
    async with world(tmp_path, play) as w:
        await w.journal.pause("settle")
        await w.engine.refresh()
        await w.drop(*[f"{n}.jpg" for n in range(10)])
        await w.journal.resume("settle")
        await w.engine.refresh()
        await w.idle()
        assert [p.code for p in w.problems.now()] == ["safety.breaker"]


# -- plan --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_raised", [True, False])
async def test_a_plan_is_a_look_and_a_decision_and_tells_a_fault_as_a_refusal(
    tmp_path: Path,
    is_raised: bool,  # noqa: FBT001 - a case
) -> None:
    play = Play()
    error = Refused("it hangs", code="test.hangs", remedy="pull")
    async with world(tmp_path, play, is_working=False) as w:
        [asset] = await w.drop("a.jpg")
        play.rule = lambda _, __: Act("do it")
        [planned] = await w.engine.plan(asset)
        assert (planned.asset, planned.stage, planned.verdict) == (asset, "settle", Act("do it"))
        play.look = lambda _: raises(error) if is_raised else error
        [planned] = await w.engine.plan(asset)
        assert planned.verdict == Refuse("test.hangs", "it hangs", "pull")
        assert (await w.intake(asset)).mark == "ready"
    assert play.acted == []
