"""
Dates put right in bulk: which files, what they would get, and the order itself.

A preview is the plan of the order, made by the same code. An order is a run: `undo --run` takes all of it back.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta, timezone, tzinfo
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mediad.errors import MediadError, Refused
from mediad.journal import Listed
from mediad.model import (
    Asset,
    AssetId,
    Captured,
    Evidence,
    Original,
    OriginalId,
    Place,
    Site,
    SiteKey,
)
from mediad.policy.dates import confidence_of, offset
from mediad.policy.grouping import taken
from mediad.policy.redating import From, Order, redated
from mediad.policy.spans import span
from mediad.service.answers import DatedDoc, DatesDoc, Doc, RedatedDoc, RedatingDoc
from mediad.service.parts import Parts
from mediad.service.story import position_doc
from mediad.service.words import captured_doc
from mediad.stages import sort
from mediad.state import Lane, State

PAGE: Final = 256
SHOWN: Final = 100  # of a preview, with the place that each file would get
REDATED: Final = "redated"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which assets; what is left out does not narrow it."""

    sources: frozenset[str] | None = None
    confidence: frozenset[str] | None = None
    folder: str = ""  # below the library, or below incoming
    since: str | None = None  # local dates: 2024-07-14, or with a time
    until: str | None = None
    ids: frozenset[AssetId] | None = None

    @property
    def is_narrow(self) -> bool:
        return self != Choice()


class Dates:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def shown(self, choice: Choice, cursor: int, limit: int) -> DatesDoc:
        """A page of dates, by id; the next page's cursor is the id of this one's last."""
        lines: list[DatedDoc] = []
        async for listed in self._chosen(choice, AssetId(cursor)):
            lines.append(_dated(listed))
            if len(lines) == limit:
                return {"assets": lines, "cursor": str(lines[-1]["id"])}
        return {"assets": lines, "cursor": None}

    async def preview(self, choice: Choice, order: Order, limit: int = SHOWN) -> RedatingDoc:
        """What `apply` would do, and change nothing. Of the first few also where they would lie."""
        doc = _empty()
        async for listed in self._chosen(choice):
            line = await self._line(listed, order, with_place=len(doc["assets"]) < limit)
            _count(doc, line)
            if len(doc["assets"]) < limit:
                doc["assets"].append(line)
        return doc

    async def apply(self, choice: Choice, order: Order) -> RedatingDoc:
        """Journal the new dates; what lies in the library goes to its new day by itself."""
        if not choice.is_narrow:
            raise Refused(
                "an order for every date that there is was not carried out",
                code="dates.invalid",
                remedy="say which: --source, --confidence, --folder, --since, --until, or ids",
            )
        doc = _empty()
        run = await self._parts.journal.start_run(f"dates: {order.said}", "")
        doc["run"] = run
        page: list[tuple[Listed, RedatedDoc, Captured]] = []
        async for listed in self._chosen(choice):
            line = await self._line(listed, order, with_place=False)
            if line["possible"] and line["changes"]:
                page.append((listed, line, self._wanted(listed.asset, order)))
            else:
                _count(doc, line)
                if not line["possible"]:
                    doc["assets"].append(line)
            if len(page) == PAGE:
                await self._write(doc, page, order, run)
                page = []
        await self._write(doc, page, order, run)
        counts = {"redated": doc["changed"], "refused": doc["refused"]}
        await self._parts.journal.finish_run(run, counts)
        self._parts.engine.wake()
        return doc

    async def _write(
        self,
        doc: RedatingDoc,
        page: Sequence[tuple[Listed, RedatedDoc, Captured]],
        order: Order,
        run: int,
    ) -> None:
        now = self._parts.ports().clock.now()
        orders = [
            (x.asset.id, redating(x.asset, new, now, order.said, {"run": run}))
            for x, _, new in page
        ]
        answers = await self._parts.journal.rearrange(orders)
        for (_, line, _), answer in zip(page, answers, strict=True):
            told = line
            if isinstance(answer, MediadError):
                told = {**line, "possible": False, "why": answer.what}
            _count(doc, told)
            if len(doc["assets"]) < SHOWN or not told["possible"]:
                doc["assets"].append(told)

    async def _line(self, listed: Listed, order: Order, *, with_place: bool) -> RedatedDoc:
        asset = listed.asset
        line: RedatedDoc = {
            **_dated(listed), "becomes": None, "goes_to": [], "changes": False, "possible": True, "why": "",
        }  # fmt: skip
        try:
            new = self._wanted(asset, order)
        except Refused as refused:
            return {**line, "possible": False, "why": refused.what}
        line["becomes"] = captured_doc(new)
        line["changes"] = new != asset.captured
        if why := _not_now(listed):
            return {**line, "possible": False, "why": why}
        if with_place:
            line["goes_to"] = await self._places(asset, new)
        return line

    def _wanted(self, asset: Asset, order: Order) -> Captured:
        return redated(asset, order, self._parts.ports().clock.now())

    async def _places(self, asset: Asset, new: Captured) -> list[str]:
        """The look of the stage that will put it there; nothing when the library cannot be asked."""
        if not taken(asset):
            return []
        moved = replace(asset, captured=new, originals=tuple(unshelved(o) for o in asset.originals))
        [facts] = await sort.look([moved], self._parts.ports())
        return [] if isinstance(facts, MediadError) else [str(k) for k in facts.found.keys]

    async def _chosen(self, choice: Choice, after: AssetId = AssetId(0)) -> AsyncIterator[Listed]:  # noqa: B008 - a number
        while page := await self._parts.journal.dated(
            after,
            PAGE,
            sources=choice.sources,
            since=choice.since,
            until=choice.until,
            ids=choice.ids,
        ):
            after = page[-1].asset.id
            for listed in page:
                if _fits(listed.asset, choice):
                    yield listed


def redating(
    asset: Asset,
    new: Captured | None,
    now: int,
    note: str,
    figures: Mapping[str, object],
    shelves: Mapping[str, str] = MappingProxyType({}),
) -> Evidence:
    """
    The evidence of another date, with all that its undo needs: the date and the places that it has now.

    `shelves`: where each original is to lie again; without them its new date says where.
    """
    originals = tuple(
        replace(o, shelf=SiteKey(shelves.get(str(o.id), "")))
        for o in asset.originals
        if o.shelf or str(o.id) in shelves
    )
    was = asset.captured
    told = {
        **figures,
        "was": asdict(was) if was else None,
        "shelves": {str(n): p.key for n, p in shelved(asset).items()},
    }
    kind = "taken back" if "undoes" in figures else REDATED
    captured = new or Captured("", "", "", 0)
    return Evidence(kind, now, note=note, captured=captured, originals=originals, figures=told)


def shelved(asset: Asset) -> dict[OriginalId, Place]:
    """Where the library has each original now, or what stands for it."""
    copies = {c.original: c.place for c in asset.copies if c.place.site is Site.LIBRARY}
    made = {r.original: r.place for r in asset.renditions if r.place.site is Site.LIBRARY}
    return {**copies, **made}


def unshelved(original: Original) -> Original:
    return replace(original, shelf=SiteKey("")) if original.shelf else original


def choice_of(said: Doc, ids: Collection[AssetId] | None) -> Choice:
    """From the words of a request; Refused names what cannot be understood."""
    levels = said.get("confidence") or ()
    if wrong := set(levels) - {"sure", "likely", "guess"}:
        raise _invalid(f"there is no confidence {', '.join(sorted(wrong))}: sure, likely or guess")
    return Choice(
        sources=frozenset(said["source"]) if said.get("source") else None,
        confidence=frozenset(levels) or None,
        folder=str(said.get("folder") or "").strip("/"),
        since=said.get("since"),
        until=said.get("until"),
        ids=frozenset(ids) if ids is not None else None,
    )


def order_of(said: Doc) -> Order:
    """Exactly one of the five ways to say a date."""
    given = {k: str(said[k]) for k in ("shift", "zone", "in_zone", "from", "to") if said.get(k)}
    if len(given) != 1:
        raise _invalid("say one of: shift, zone, in_zone, from, to")
    [(way, text)] = given.items()
    told = f"{way.replace('_', ' ')} {text}"
    match way:
        case "shift":
            by = span(text)
            if by is None:
                raise _invalid(f"{text!r} is no span; write +1h30m, -2d or +7d4h")
            return Order(told, shift=by)
        case "zone":
            return Order(told, zone=_zone(text))
        case "in_zone":
            return Order(told, in_zone=_zone(text))
        case "from":
            if text not in set(From):
                raise _invalid(f"there is no source {text!r}: {', '.join(From)}")
            return Order(told, take=From(text))
        case _:
            return Order(told, to=text)


def _zone(text: str) -> tzinfo:
    if fixed := offset(text):
        minutes = int(fixed[1:3]) * 60 + int(fixed[4:6])
        return timezone(timedelta(minutes=-minutes if fixed[0] == "-" else minutes))
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _invalid(f"{text!r} is no time zone; write +02:00 or Europe/Rome") from error


def _invalid(what: str) -> Refused:
    return Refused(
        f"{what}; nothing was changed", code="dates.invalid", remedy="mediactl dates --help has examples"
    )  # fmt: skip


def _fits(asset: Asset, choice: Choice) -> bool:
    if choice.confidence is not None and confidence_of(asset) not in choice.confidence:
        return False
    if not choice.folder:
        return True
    keys = [p.key for p in shelved(asset).values()] + [o.source_key for o in asset.originals]
    return any(k == choice.folder or k.startswith(f"{choice.folder}/") for k in keys)


def _not_now(listed: Listed) -> str:
    """Why the journal would refuse it."""
    at = {s.lane: s.state for s in listed.standing}
    if at.get(Lane.LIBRARY) in {State.COMPRESSED, State.KEPT}:
        return "it is just on its way into the library"
    return ""


def _dated(listed: Listed) -> DatedDoc:
    asset = listed.asset
    return {
        "id": asset.id,
        "name": asset.name,
        "captured_at": captured_doc(asset.captured),
        "confidence": confidence_of(asset),
        "library": sorted(p.key for p in shelved(asset).values()),
        "position": position_doc(listed),
    }


def _empty() -> RedatingDoc:
    return {"run": None, "changed": 0, "unchanged": 0, "refused": 0, "assets": []}


def _count(doc: RedatingDoc, line: RedatedDoc) -> None:
    if not line["possible"]:
        doc["refused"] += 1
    elif line["changes"]:
        doc["changed"] += 1
    else:
        doc["unchanged"] += 1
