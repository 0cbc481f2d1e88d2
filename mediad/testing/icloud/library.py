"""
The photos of one account, zone by zone, with the order in which they changed.

Nothing here speaks HTTP: records.py writes rows as CloudKit does, and what a person does is in person.py.
"""

import bisect
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, TypeVar

from mediad.ports import Clock
from mediad.testing.icloud.bodies import Body
from mediad.testing.icloud.rows import (
    OWNER,
    PRIMARY,
    AlbumRow,
    AssetRow,
    File,
    Gone,
    MasterRow,
    MemberRow,
    Row,
)

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
R = TypeVar("R", bound=Row)


@dataclass
class Zone:
    name: str
    library: "Library"
    owner: str = OWNER
    rows: dict[str, Row] = field(default_factory=dict)
    epoch: int = 1  # tokens of an older one are not understood any more
    is_gone: bool = False
    change: int = 0
    _log: list[tuple[int, str]] = field(default_factory=list)
    _arriving: list[tuple[int, Row]] = field(default_factory=list)
    _ranks: dict[str, tuple[int, list[AssetRow]]] = field(default_factory=dict)

    def put(self, row: R) -> R:
        """Make it so, as of now: a new change tag, and news for everybody who asks for changes."""
        now = self.library.clock.now()
        self.library.change += 1
        self.library.moves += 1
        self.change = row.change = self.library.change
        row.tag = _short(row.change + 10_000)
        row.modified_at = now
        row.created_at = row.created_at or now
        self.rows[row.record] = row
        self._log.append((row.change, row.record))
        return row

    def put_later(self, row: Row, at: int) -> None:
        """As an upload: stored, and seen by nobody before it is indexed."""
        self._arriving.append((at, row))
        self.library.moves += 1

    def settle(self) -> None:
        """Index what has arrived by now."""
        now = self.library.clock.now()
        due = [row for at, row in self._arriving if at <= now]
        self._arriving = [(at, row) for at, row in self._arriving if at > now]
        for row in due:
            self.put(row)

    @property
    def coming(self) -> list[tuple[int, Row]]:
        """What will be indexed, and when."""
        return self._arriving

    def restore(self, rows: list[Row], coming: list[tuple[int, Row]]) -> None:
        """As it was kept: the rows in any order, each with the place of its last change."""
        self.rows = {row.record: row for row in rows}
        self._log = sorted((row.change, row.record) for row in rows)
        self.change = self._log[-1][0] if self._log else 0
        self._arriving = coming

    def arriving(self, master: str) -> list[AssetRow]:
        rows = (row for _, row in self._arriving)
        return [row for row in rows if isinstance(row, AssetRow) and row.master == master]

    def undo(self, rows: dict[str, Row], change: int, copies: dict[str, Row]) -> None:
        """As if nothing had been put since: these were the rows, and these are copies of those that were changed."""
        self.library.moves += 1
        self.rows, self.change = {**rows, **copies}, change
        self._log = [entry for entry in self._log if entry[0] <= change]
        self._ranks.clear()

    def changes(self, since: int) -> Iterator[Row]:
        """Each row that changed after `since`, once, in the order of its latest change."""
        start = bisect.bisect_right(self._log, (since, "\U0010ffff"))
        for change, record in self._log[start:]:
            row = self.rows[record]
            if row.change == change:
                yield row

    def asset(self, record: str) -> AssetRow:
        return self._is(AssetRow, record)

    def master(self, record: str) -> MasterRow:
        return self._is(MasterRow, record)

    def album(self, record: str) -> AlbumRow:
        return self._is(AlbumRow, record)

    def _is(self, kind: type[R], record: str) -> R:
        row = self.rows[record]
        if not isinstance(row, kind):
            raise KeyError(record)
        return row

    def of(self, kind: type[R]) -> Iterator[R]:
        return (row for row in self.rows.values() if isinstance(row, kind))

    def ranked(
        self, name: str, wanted: Callable[[AssetRow], bool], order: str = "taken_at"
    ) -> list[AssetRow]:
        """The newest first. Kept until something changes: fifty thousand are not sorted for every page."""
        kept = self._ranks.get(name)
        if kept is None or kept[0] != self.change:
            rows = sorted(filter(wanted, self.of(AssetRow)), key=attrgetter("record"))
            rows.sort(key=attrgetter(order), reverse=True)
            kept = self._ranks[name] = (self.change, rows)
        return kept[1]

    def members(self, album: str) -> list[MemberRow]:
        return [row for row in self.of(MemberRow) if row.album == album]

    def assets_of(self, master: str) -> list[AssetRow]:
        return [row for row in self.of(AssetRow) if row.master == master]

    def forget_tokens(self) -> None:
        """Every token given out so far is refused from now on."""
        self.epoch += 1


class Library:
    """All zones; `PrimarySync` is always there."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.change = 0
        self.moves = 0  # of any kind, those that are no news to anybody too
        self.epoch = 1
        self.zones: dict[str, Zone] = {}
        self._contents: dict[str, Body] = {}
        self.primary = self.zone(PRIMARY)

    def zone(self, name: str) -> Zone:
        return self.zones.setdefault(name, Zone(name, self))

    def keep(self, file: File) -> str:
        """Have its bytes at hand for the content host. Its fingerprint."""
        self._contents[file.body.fingerprint] = file.body
        return file.body.fingerprint

    def content(self, fingerprint: str) -> Body | None:
        return self._contents.get(fingerprint)

    def remove_zone(self, name: str) -> None:
        """A shared library that the person left."""
        zone = self.zones[name]
        self.change += 1
        self.moves += 1
        zone.change, zone.is_gone = self.change, True

    def settle(self) -> None:
        for zone in self.zones.values():
            zone.settle()

    def bury(self, zone: Zone, record: str) -> None:
        """Remove a record for good: a tombstone stays in the changes."""
        zone.put(Gone(record=record))


def new_record() -> str:
    return str(uuid.uuid4()).upper()


def _short(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text
