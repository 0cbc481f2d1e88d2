"""
Taking back what was done here at home: what it would be, deed by deed, and the order itself.

Each taking back is a row of the history that names the row it takes back. It changes the journal only: files are
brought back, or to their old place, by the stages that put files there, which read before they write and overwrite
nothing. What lies in iCloud is brought back with `mediactl icloud undelete`.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, Final

from mediad.errors import MediadError, Refused
from mediad.journal import BY_HAND, Listed, Run, Step
from mediad.model import AssetId, Captured, Evidence, Original, Site, SiteKey
from mediad.policy.naming import aside_keys
from mediad.policy.undoing import Deed, What, deeds, standing, to_undo, why_not
from mediad.service.answers import UndoDoc, UndoneDoc
from mediad.service.dates import redating, shelved
from mediad.service.parts import Parts
from mediad.service.words import iso
from mediad.stages.restore import SOURCES
from mediad.state import State, Transition, stage_of

PAGE: Final = 500
LAST: Final = "LAST"
MOST: Final = 1 << 62
PATIENCE_S: Final = 10.0
LOOK_EVERY_S: Final = 0.1
_BACK: Final = "taken back"

Will = Callable[[Listed, Deed], Awaitable[list[str]]]
Do = Callable[[Listed, Deed], Awaitable[None]]


class Undoing:
    def __init__(self, parts: Parts, find: Callable[[str], Awaitable[AssetId]]) -> None:
        self._parts = parts
        self._journal = parts.journal
        self._find = find
        self._ways: dict[What, tuple[Will, Do]] = {
            What.REARRANGED: (self._will_return, self._return),
            What.CLEANED: (self._will_restore, self._restore),
            What.SKIPPED: (self._will_resume, self._resume),
            What.RETURNED: (self._will_release, self._release),
            What.RESUMED: (self._will_skip, self._skip),
        }

    async def undo(self, what: str, *, run: int | None, row: int | None, is_dry: bool) -> UndoDoc:
        """The last deed with all that it was a part of, a run, a row of the history, or the last of one asset."""
        chosen = await self._chosen(what, run, row)
        doc: UndoDoc = {"dry_run": is_dry, "undone": 0, "refused": 0, "deeds": []}
        above: set[int] = set()  # of a plan: what would have been taken back by then
        for deed in chosen:
            line = await self._one(deed, above, is_dry=is_dry)
            above.add(deed.row.seq)
            doc["undone" if line["possible"] else "refused"] += 1
            doc["deeds"].append(line)
        if not is_dry:
            self._parts.engine.wake()
        return doc

    async def _one(self, deed: Deed, above: Collection[int], *, is_dry: bool) -> UndoneDoc:
        listed = await self._at_rest(deed.row.asset, patience_s=0.0 if is_dry else PATIENCE_S)
        line: UndoneDoc = {
            "asset": listed.asset.id, "name": listed.asset.name, "row": deed.row.seq, "at": iso(deed.row.at),
            "what": _told(deed), "will": [], "possible": True, "why": "",
        }  # fmt: skip
        try:
            await self._refuse_buried(deed, above)
            will, do = self._ways.get(deed.what, (_never, _nothing))
            line["will"] = await will(listed, deed)
            if not is_dry:
                await do(listed, deed)
        except MediadError as fault:
            line["possible"], line["why"] = False, fault.what
        return line

    async def _at_rest(self, asset: AssetId, *, patience_s: float) -> Listed:
        """What the deed before has set going ends first: its files may just be on their way."""
        clock = self._parts.ports().clock
        until = clock.monotonic() + patience_s
        while True:
            [listed] = await self._journal.listed([asset])
            if not _is_moving(listed) or clock.monotonic() >= until:
                return listed
            self._parts.engine.wake()
            await clock.sleep(LOOK_EVERY_S)

    # -- which --------------------------------------------------------------------------------------

    async def _chosen(self, what: str, run: int | None, row: int | None) -> list[Deed]:
        if row is not None:
            return [await self._of_row(row)]
        if run is not None:
            return await self._of_run(run)
        if what and what != LAST:
            asset = await self._find(what)
            found = to_undo(deeds(await self._journal.history(asset)))[:1]
            return found or _nothing_left(
                f"nothing that was done to asset {asset} is left to take back"
            )
        return await self._last()

    async def _of_row(self, row: int) -> Deed:
        rows = [r for r in await self._journal.events(row - 1, 1) if r.seq == row]
        found = deeds(rows)
        if not rows:
            raise _refused(f"the history has no row {row}", "undo.nothing")
        if not found:
            what = f"row {row} of the history is nothing that can be taken back: {why_not(rows[0])}"
            raise _refused(what, "undo.not_possible")
        asset = found[0].row.asset
        left = standing(deeds(await self._journal.history(asset)))
        if row not in {d.row.seq for d in left}:
            raise _refused(f"row {row} of the history was taken back already", "undo.nothing")
        return found[0]

    async def _last(self) -> list[Deed]:
        taken_back: set[int] = set()
        before = MOST
        while rows := await self._journal.done_lately(before, 0, PAGE):
            for deed in deeds(rows):
                if deed.row.seq in taken_back:
                    continue
                if deed.undoes is not None:
                    taken_back.add(deed.undoes)
                    continue
                return await self._of_run(deed.run) if deed.run is not None else [deed]
            before = rows[-1].seq
        return _nothing_left("nothing is left to take back")

    async def _of_run(self, number: int) -> list[Deed]:
        """What an order has done, and what was done while a run was under way; the newest first."""
        run = next((r for r in await self._journal.runs(MOST) if r.id == number), None)
        if run is None:
            raise _refused(f"there is no run {number}", "undo.nothing")
        found: list[Deed] = []
        before = MOST
        while rows := await self._journal.done_lately(before, run.started, PAGE):
            found += deeds(rows)
            before = rows[-1].seq
        mine = [d for d in to_undo(found) if _is_of(d, run)]
        return mine or _nothing_left(f"nothing that run {number} did is left to take back")

    async def _refuse_buried(self, deed: Deed, above: Collection[int]) -> None:
        """What was done to the asset since, of the same kind, has to go first: each undo knows only one step back."""
        rows = await self._journal.history(deed.row.asset)
        later = [d for d in to_undo(deeds(rows)) if d.row.seq > deed.row.seq]
        kin = {What.REARRANGED} if deed.what is What.REARRANGED else {What.CLEANED, What.RETURNED}
        over = [d for d in later if d.what in kin and deed.what in kin and d.row.seq not in above]
        if over:
            raise _refused(
                f"it was changed again since: take back row {over[0].row.seq} first", "undo.not_possible"
            )  # fmt: skip

    # -- another date, another place ------------------------------------------------------------------

    async def _will_return(self, listed: Listed, deed: Deed) -> list[str]:
        was, shelves = _before(deed.row)
        here = shelved(listed.asset)
        at = listed.position
        if at & {State.COMPRESSED, State.KEPT}:
            raise _refused(
                "it is just on its way into the library: wait until it is there",
                "undo.not_possible",
            )
        date = was.local + was.offset if was else "unknown"
        moves = [
            f"library/{place.key} -> library/{shelves[str(n)]}"
            for n, place in here.items()
            if str(n) in shelves and shelves[str(n)] != place.key
        ]
        return [f"its date back to {date}", *(f"move {m}" for m in sorted(moves))]

    async def _return(self, listed: Listed, deed: Deed) -> None:
        was, shelves = _before(deed.row)
        now = self._parts.ports().clock.now()
        note = f"row {deed.row.seq} is taken back"
        seen = redating(listed.asset, was, now, note, {"undoes": deed.row.seq}, shelves)
        [answer] = await self._journal.rearrange([(listed.asset.id, seen)])
        _raise(answer)

    # -- what was removed -----------------------------------------------------------------------------

    async def _will_restore(self, listed: Listed, deed: Deed) -> list[str]:
        if State.CLEANED not in listed.position:
            raise _refused("it does not stand where the cleaning left it", "undo.not_possible")
        asset = listed.asset
        keeper = await self._journal.keeper(asset.id) if asset.keeper is not None else None
        copies = [*asset.copies, *(keeper.asset.copies if keeper else ())]
        places = {c.place: c.digest for c in copies if c.place.site in SOURCES}
        seen = await self._parts.ports().files.sight(list(places))
        there = {
            d for d, s in zip(places.values(), seen, strict=True) if s is not None and not isinstance(s, MediadError)
        }  # fmt: skip
        lost = [o.name for o in asset.originals if o.digest and o.digest not in there]
        if lost:
            raise _refused(
                f"no copy of {', '.join(lost)} is in sight to bring it back from", "undo.no_copy"
            )
        return [f"bring back {p['site']}/{p['key']}" for p in _gone(deed.row)]

    async def _restore(self, listed: Listed, deed: Deed) -> None:
        gone = {p["key"] for p in _gone(deed.row) if p["site"] == Site.DUPLICATES}
        originals = tuple(
            replace(o, shelf=key) for o in listed.asset.originals for key in _own(o) if key in gone
        )
        step = Transition(State.CLEANED, "undo", State.RETURNING)
        await self._record(listed, deed, step, originals)

    async def _will_release(self, listed: Listed, _: Deed) -> list[str]:
        if State.CLEANABLE not in listed.position:
            raise _refused("it does not stand where the restoring left it", "undo.not_possible")
        return ["let it be cleaned again, as soon as that is safe"]

    async def _release(self, listed: Listed, deed: Deed) -> None:
        await self._journal.witness([(listed.asset.id, self._seen(deed))])
        await self._journal.retry([listed.asset.id], ["held"])

    # -- what was skipped -----------------------------------------------------------------------------

    async def _will_resume(self, listed: Listed, deed: Deed) -> list[str]:
        at, then = _ends(deed.row)
        if then not in listed.position:
            raise _refused(f"it has gone on from {then.value} since", "undo.not_possible")
        stage = stage_of(then)
        if stage is not None and stage in self._parts.engine.works_on(listed.asset.id):
            raise _refused(f"{stage} is working on it right now", "undo.not_possible")
        return [f"back to {at.value}: {deed.row.stage} takes it up again"]

    async def _resume(self, listed: Listed, deed: Deed) -> None:
        at, then = _ends(deed.row)
        await self._record(listed, deed, Transition(then, "undo", at))

    async def _will_skip(self, listed: Listed, deed: Deed) -> list[str]:
        _, then = _ends(deed.row)
        stage = stage_of(then) or ""
        if then not in listed.position or stage in self._parts.engine.works_on(listed.asset.id):
            raise _refused(f"it has gone on from {then.value} since", "undo.not_possible")
        return [f"pass {stage} by hand again"]

    async def _skip(self, listed: Listed, deed: Deed) -> None:
        at, then = _ends(deed.row)
        seen = replace(self._seen(deed), kind=BY_HAND)
        step = Step(listed.asset.id, Transition(then, stage_of(then) or "", at), seen)
        [answer] = await self._journal.record([step])
        _raise(answer)

    # -- how it is written ----------------------------------------------------------------------------

    async def _record(
        self, listed: Listed, deed: Deed, step: Transition, originals: tuple[Original, ...] = ()
    ) -> None:
        seen = replace(self._seen(deed), originals=originals)
        [answer] = await self._journal.record([Step(listed.asset.id, step, seen)])
        _raise(answer)

    def _seen(self, deed: Deed) -> Evidence:
        now = self._parts.ports().clock.now()
        note = f"row {deed.row.seq} is taken back"
        return Evidence(_BACK, now, note=note, figures={"undoes": deed.row.seq})


def _is_moving(listed: Listed) -> bool:
    going = {State.COMPRESSED, State.KEPT, State.RETURNING}
    return any(s.state in going and s.mark.runs for s in listed.standing)


def _told(deed: Deed) -> str:
    words = {
        What.REARRANGED: "it got another date or place",
        What.CLEANED: "what was no longer needed was removed",
        What.SKIPPED: f"{deed.row.stage} was skipped by hand",
        What.RETURNED: "a cleaning was taken back",
        What.RESUMED: "a skip was taken back",
        What.RELEASED: "it was let be cleaned again",
    }
    note = deed.row.evidence.get("note")
    return f"{words[deed.what]}: {note}" if note else words[deed.what]


def _is_of(deed: Deed, run: Run) -> bool:
    if deed.run is not None:
        return deed.run == run.id
    return run.started <= deed.row.at <= (run.finished if run.finished is not None else MOST)


def _before(row: Any) -> tuple[Captured | None, dict[str, str]]:
    figures = row.evidence["figures"]
    return (Captured(**figures["was"]) if figures["was"] else None), dict(figures["shelves"])


def _gone(row: Any) -> Sequence[dict[str, str]]:
    gone: Sequence[dict[str, str]] = row.evidence.get("gone", ())
    return gone


def _own(original: Original) -> tuple[SiteKey, ...]:
    return aside_keys(original)


def _ends(row: Any) -> tuple[State, State]:
    return row.from_state, row.to_state


async def _never(_: Listed, deed: Deed) -> list[str]:
    raise _refused(f"{_told(deed)}: undo the cleaning itself instead", "undo.not_possible")


async def _nothing(_: Listed, __: Deed) -> None:
    return


def _nothing_left(what: str) -> list[Deed]:
    raise _refused(what, "undo.nothing")


def _refused(what: str, code: str) -> Refused:
    return Refused(
        f"{what}; nothing was changed", code=code, remedy="mediactl explain shows where it stands"
    )


def _raise(answer: object) -> None:
    if isinstance(answer, MediadError):
        raise answer
