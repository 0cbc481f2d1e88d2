"""
One sweep over everything that has to do with the phone: whose turn it is to be looked at, and what the phone did.

It believes nothing and moves nothing. Lanes that wait are made due, and the stage looks for itself; what the phone has
removed or changed is journalled as seen, whatever the lane is doing, because Syncthing forgets it again one day.
Pages, so that it costs the same memory with ten files or ten thousand; between two of them it says, by a sleep of no
length, that it gets on.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from mediad.errors import MediadError
from mediad.journal import Journal, Placed
from mediad.model import AssetId, Evidence, Rung, SiteKey, Witness
from mediad.policy.phone import Truth, judge, testimony, version_of
from mediad.ports import Clock, Indexed, Phone, PhoneLink
from mediad.state import State

PAGE: Final = 500
FEW: Final = (
    100  # waiting assets; as few as these are looked at without asking what the phone still needs
)
AWAITED: Final = frozenset({State.PLACED})
TOUCHED: Final = frozenset({State.PLACED, State.ON_PHONE})

# What the phone did to a file that it had: the rung, how that was seen, and the evidence's fixed word.
_DONE_THERE: Final = {
    Truth.FREED: (Rung.PHONE_FREED, "deletion", "freed on the phone"),
    Truth.CHANGED_THERE: (Rung.PHONE_CHANGED, "newer-version", "changed on the phone"),
}


class Seen(NamedTuple):
    """What is new since the last sweep, in files."""

    freed: int = 0
    changed: int = 0


class _Finding(NamedTuple):
    asset: AssetId
    truth: Truth
    why: str
    witnesses: tuple[Witness, ...]


class Sweep:
    """One at a time. What it remembers only spares it work."""

    def __init__(self, journal: Journal, clock: Clock, phone: Callable[[], Phone]) -> None:
        self._journal = journal
        self._clock = clock
        self._phone = phone
        self._settled: set[SiteKey] = set()  # names that are ahead, and were understood

    async def rouse(self, *, all_of_them: bool) -> int:
        """Make due what waits for the phone, but not what it has still to fetch. Returns how many assets."""
        if all_of_them:
            return await self._journal.rouse(None, AWAITED)
        roused, after = 0, AssetId(0)
        needed: frozenset[SiteKey] | None = None
        while True:
            page = await self._journal.awaited(AWAITED, after, PAGE)
            assets = {p.asset for p in page}
            if needed is None:
                needed = await self._phone().needed() if len(assets) > FEW else frozenset()
            late = {p.asset for p in page if _is_late(p, needed)}
            if due := sorted(assets - late):
                roused += await self._journal.rouse(due, AWAITED)
            if len(assets) < PAGE:
                return roused
            after = page[-1].asset
            await self._clock.sleep(0)

    async def look_ahead(self, link: PhoneLink, *, all_of_them: bool) -> Seen:
        """Journal what the phone has removed or changed, and make due whoever may care. Each thing once."""
        ahead = await self._phone().ahead()
        self._settled = set() if all_of_them else self._settled & ahead
        freed = changed = 0
        for keys in _pages(sorted(ahead - self._settled)):
            await self._clock.sleep(0)
            findings = await self._findings(keys, link)
            if not findings:
                continue
            await self._journal.witness([*_evidence(findings, self._clock.now())])
            await self._journal.rouse(sorted({f.asset for f in findings}), TOUCHED)
            gone = sum(f.truth is Truth.FREED for f in findings)
            freed, changed = freed + gone, changed + len(findings) - gone
        return Seen(freed, changed)

    async def _findings(self, keys: Sequence[SiteKey], link: PhoneLink) -> list[_Finding]:
        ours = await self._journal.placed_under(keys)
        asked = [p for p in ours.values() if p.placement.version and not _is_over(p)]
        self._settled |= {k for k in keys if k not in ours or _is_over(ours[k])}
        if not asked:
            return []
        now, found = self._clock.now(), []
        indexed = await self._phone().indexed([p.placement.key for p in asked])
        for placed, said in zip(asked, indexed, strict=True):
            finding = _finding(placed, said, link, now)
            if finding:
                self._settled.add(placed.placement.key)
            if finding and finding.witnesses:
                found.append(finding)
        return found


def _finding(
    placed: Placed, said: Indexed | MediadError | None, link: PhoneLink, now: int
) -> _Finding | None:
    """None: the phone did nothing to it, or that cannot be told now."""
    if said is None or isinstance(said, MediadError) or said.newest is None:
        return None
    truth, why = judge(placed.placement, said, None, link.short)
    if truth not in _DONE_THERE:
        return None
    rung, how, _ = _DONE_THERE[truth]
    original = placed.placement.original
    detail = testimony(link, version_of(placed.placement, said.newest, link.short))
    # It had the file, or it could not have made a newer version of it.
    new = [r for r in (Rung.PHONE_HAS, rung) if r not in placed.rungs]
    witnesses = tuple(Witness(original, r, now, how, detail) for r in new)
    return _Finding(placed.asset, truth, why, witnesses)


def _evidence(findings: Sequence[_Finding], now: int) -> Iterator[tuple[AssetId, Evidence]]:
    """One piece an asset and kind."""

    def alike(finding: _Finding) -> tuple[AssetId, Truth]:
        return finding.asset, finding.truth

    for (asset, truth), group in groupby(sorted(findings, key=alike), key=alike):
        same = list(group)
        kind = _DONE_THERE[truth][2]
        witnesses = tuple(w for f in same for w in f.witnesses)
        yield asset, Evidence(kind, now, note=same[0].why, witnesses=witnesses)


def _is_late(placed: Placed, needed: Collection[SiteKey]) -> bool:
    return placed.placement.key in needed and Rung.PHONE_HAS not in placed.rungs


def _is_over(placed: Placed) -> bool:
    """It was freed, and that was journalled: nothing more can be learnt of it."""
    return Rung.PHONE_FREED in placed.rungs


def _pages(keys: Sequence[SiteKey]) -> Iterator[Sequence[SiteKey]]:
    for n in range(0, len(keys), PAGE):
        yield keys[n : n + PAGE]
