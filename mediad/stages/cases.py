"""
What is known of photos in iCloud at this moment: as the journal has them, as iCloud says just now, who is in the album.

One question each for the whole lot. An asset that did not come from iCloud has no case.
"""

from collections.abc import Sequence
from dataclasses import replace

from mediad.model import Asset
from mediad.policy.cloud_guard import HOME, HOUR_MS, Case, Rules
from mediad.policy.selftest import fault_of
from mediad.ports import Ports, Zone
from mediad.stages.verdict import Wait
from mediad.state import may_be_marked

SHORT_MS = 5_000
LIBRARY = Zone(HOME, "")  # its owner is the account itself


async def from_journal(assets: Sequence[Asset], io: Ports) -> list[Case | None]:
    """Nobody outside is asked."""
    refs = [a.remote.ref for a in assets if a.remote]
    rows = await io.ledger.remotes(refs) if refs else {}
    test = await io.ledger.selftest() if refs else None
    now, rules, fault = io.clock.now(), Rules.of(io.settings), fault_of(test, io.settings)
    return [
        Case(now, rules, rows[a.remote.ref], None, test, await behind(a, io), fault)
        if a.remote and a.remote.ref in rows
        else None
        for a in assets
    ]


async def behind(asset: Asset, io: Ports) -> str:
    """Why the asset that this one is an exact duplicate of cannot stand for it yet; "": it can, or there is none."""
    if asset.keeper is None:
        return ""
    found = await io.ledger.keeper(asset.id)
    if found is None:
        return (
            f"nobody knows any more what became of asset {asset.keeper}, of which it is a duplicate"
        )
    if may_be_marked(found.position, io.settings.law()):
        return ""
    name = f"{found.asset.name} (asset {found.asset.id})"
    return f"it is an exact duplicate of {name}, which is not through its own lanes yet"


def patience_ms(asset: Asset, now: int) -> int:
    """A keeper is soon through, or long not: who waits for it asks the more seldom the longer that takes."""
    return max(SHORT_MS, min(HOUR_MS, (now - asset.seen_at) // 8))


async def asked(cases: Sequence[Case], io: Ports) -> list[Case]:
    """The same, with what iCloud says just now."""
    if not cases:
        return []
    inside = await io.cloud.members(await album(io), LIBRARY)
    found = await io.cloud.lookup([c.row.remote.ref for c in cases])
    now = io.clock.now()
    return [
        replace(c, now=now, fresh=fresh, album=inside, ahead_ms=io.cloud.ahead_ms())
        for c, fresh in zip(cases, found, strict=True)
    ]


async def album(io: Ports) -> str:
    """The record name of mediad's own album: chosen once, and in the journal before iCloud hears of it."""
    return await io.ledger.album_for(HOME, io.settings.icloud.album)


def wrong_clock(now: int) -> Wait:
    return Wait(
        now + HOUR_MS,
        "the clock here does not agree with Apple's, so a photo's days in the album cannot be counted: it stays",
        "icloud.clock",
        "set the clock of this machine (`timedatectl`); mediad looks again by itself",
    )
