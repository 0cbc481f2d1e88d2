"""What looks alike: who is to be looked at next, what was seen, and the pairs. Nothing here moves an asset."""

import heapq
import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from mediad.journal.rows import Condition, Listed
from mediad.journal.whole import listed
from mediad.model import AssetId, OriginalId
from mediad.policy.likeness import LOW_APART, alike, low_apart, near_bands
from mediad.ports.looks import Impression

Connection = sqlite3.Connection
Do = Callable[..., sqlite3.Cursor]

MOST_NEAR: Final = 20  # kept of one photo: the likest
MOST_TOLD: Final = 200  # of one asset: others may have it among their likest
MOST_IN_BAND: Final = 50_000  # looked through of one band: a library of blank pages ends somewhere
MOST_COMPARED: Final = (
    2_000  # of those, the nearest by their longest waves: a time lapse has 50,000 of one picture
)
_SIGNED: Final = 1 << 63
_WRAP: Final = 1 << 64
_ASIDE: Final = frozenset({Condition.DUPLICATE, Condition.QUARANTINED, Condition.ABSORBED})

NOWHERE: Final = (1 << 63) - 1  # no time: its bytes lie nowhere; over when there is news of a copy
GIVEN_UP: Final = NOWHERE - 1  # no time: tried too often; over likewise, and at the next start

DUE: Final = (
    "SELECT u.original, o.asset, u.tries FROM unlooked u JOIN original o ON o.id = u.original"
    " WHERE u.due <= ?1 ORDER BY u.due, u.original LIMIT ?2"
)
NEXT: Final = "SELECT min(due) FROM unlooked"
LATER: Final = "UPDATE unlooked SET due = ?2, tries = ?3 WHERE original = ?1"
GIVEN: Final = f"SELECT original FROM unlooked WHERE due = {GIVEN_UP} LIMIT ?"  # noqa: S608 - a number
AGAIN: Final = "UPDATE unlooked SET due = 0 WHERE original = ?"
SAW: Final = (
    "INSERT INTO impression (original, low, bits, tint) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (original)"
    " DO UPDATE SET low = excluded.low, bits = excluded.bits, tint = excluded.tint"
)
_SHIFTS: Final = ("low", "low >> 16", "low >> 32", "low >> 48")
IN_BAND: Final = tuple(
    f"SELECT original, low FROM impression INDEXED BY impression_{n} WHERE low IS NOT NULL"  # noqa: S608 - words from above
    f" AND {shift} & 65535 IN (SELECT value FROM json_each(?1)) LIMIT {MOST_IN_BAND}"
    for n, shift in enumerate(_SHIFTS)
)
LIKE: Final = (
    "SELECT i.original, i.low, i.bits, i.tint, o.asset FROM impression i JOIN original o"
    " ON o.id = i.original WHERE i.original IN (SELECT value FROM json_each(?1)) AND i.low IS NOT NULL"
)
OWNER: Final = "SELECT asset FROM original WHERE id = ?"
OF_ASSET: Final = (
    "SELECT n.id, n.one, n.other, n.alike FROM original o JOIN near n ON n.one = o.id WHERE o.asset = ?1"  # noqa: S608 - a number
    " UNION SELECT n.id, n.one, n.other, n.alike FROM original o JOIN near n ON n.other = o.id"
    f" WHERE o.asset = ?1 LIMIT {MOST_TOLD}"
)
PAIRS: Final = "SELECT id, one, other, alike FROM near WHERE id < ? ORDER BY id DESC LIMIT ?"


class Unlooked(NamedTuple):
    """A photo that nobody has looked at. `is_aside`: it stands for nothing, and needs no look."""

    original: OriginalId
    of: Listed
    tries: int  # that came to nothing, by no fault of the picture's

    @property
    def is_aside(self) -> bool:
        return self.of.condition in _ASIDE


class Later(NamedTuple):
    """Not looked at yet: when to come again, or NOWHERE, or GIVEN_UP."""

    original: OriginalId
    due: int
    tries: int = 0


class Near(NamedTuple):
    """Two photos of two assets that look the same."""

    id: int
    one: OriginalId
    of_one: Listed
    other: OriginalId
    of_other: Listed
    alike: int  # of 100


def due(db: Connection, now: int, limit: int) -> list[Unlooked]:
    rows = db.execute(DUE, (now, limit)).fetchall()
    found = {
        w.asset.id: w for w in listed(db, [AssetId(a) for a in dict.fromkeys(r[1] for r in rows)])
    }
    return [Unlooked(OriginalId(o), found[a], tries) for o, a, tries in rows]


def neighbours(
    db: Connection, original: OriginalId, seen: Impression
) -> list[tuple[OriginalId, int]]:
    """Who looks like this photo and is of another asset, the likest first."""
    mine = db.execute(OWNER, (original,)).fetchone() or (None,)
    close: dict[int, int] = {}
    for number, words in near_bands(seen.low):
        for o, low in db.execute(IN_BAND[number], (json.dumps(words),)):
            if (apart := low_apart(low % _WRAP, seen.low)) <= LOW_APART:
                close[o] = apart
    close.pop(original, None)
    nearest = heapq.nsmallest(MOST_COMPARED, close, key=lambda o: (close[o], o))
    found = [
        (OriginalId(row[0]), degree)
        for row in db.execute(LIKE, (json.dumps(nearest),))
        if row[4] != mine[0] and (degree := alike(seen, _impression(row)))
    ]
    return sorted(found, key=lambda f: (-f[1], f[0]))[:MOST_NEAR]


def keep(
    do: Do,
    original: OriginalId,
    seen: Impression | None,
    pairs: Sequence[tuple[OriginalId, int]],
) -> None:
    """What was seen of a photo, in the place of whatever was seen of it before. None: it cannot be looked at."""
    row: tuple[Any, ...] = (None, None, None)
    if seen is not None and not seen.is_flat:
        row = (_signed(seen.low), seen.bits.to_bytes(32, "big"), seen.tint)
    do("DELETE FROM near WHERE one = ?1", (original,))
    do("DELETE FROM near WHERE other = ?1", (original,))
    do(SAW, (original, *row))
    for other, degree in pairs:
        one, two = sorted((original, other))
        do("INSERT INTO near (one, other, alike) VALUES (?, ?, ?)", (one, two, degree))
    do("DELETE FROM unlooked WHERE original = ?", (original,))


def of_asset(db: Connection, asset: AssetId) -> list[Near]:
    """The likest first; what is set aside is like nobody."""
    rows = db.execute(OF_ASSET, (asset,)).fetchall()
    return _whole(db, sorted(rows, key=lambda row: (-row[3], row[0])))


def page(db: Connection, before: int | None, limit: int) -> tuple[list[Near], int | None]:
    """The pairs, the newest first, and where the next page begins; None: that was the last."""
    rows = db.execute(PAIRS, (1 << 62 if before is None else before, limit)).fetchall()
    return _whole(db, rows), rows[-1][0] if len(rows) == limit else None


def _whole(db: Connection, rows: Sequence[tuple[int, int, int, int]]) -> list[Near]:
    owners = {o: db.execute(OWNER, (o,)).fetchone()[0] for r in rows for o in r[1:3]}
    ids = [AssetId(a) for a in dict.fromkeys(owners.values())]
    found = {w.asset.id: w for w in listed(db, ids)}
    pairs = [
        Near(n, OriginalId(a), found[owners[a]], OriginalId(b), found[owners[b]], degree)
        for n, a, b, degree in rows
    ]
    return [p for p in pairs if _is_told(p)]


def _is_told(pair: Near) -> bool:
    """Of one asset are they by now, where a late half joined it; of two that stand, two copies."""
    one, other = pair.of_one, pair.of_other
    return one.asset.id != other.asset.id and not {one.condition, other.condition} & _ASIDE


def _impression(row: Sequence[Any]) -> Impression:
    return Impression(row[1] % _WRAP, int.from_bytes(row[2], "big"), row[3], is_flat=False)


def _signed(low: int) -> int:
    return low - _WRAP if low >= _SIGNED else low
