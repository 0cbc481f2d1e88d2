"""A journal with a law and a clock in the test's hands, and short words for what happens to it."""

import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from blake3 import blake3

from mediad.errors import MediadError
from mediad.journal import Arrival, Journal, Step
from mediad.model import (
    Asset,
    AssetId,
    Copy,
    Digest,
    Evidence,
    OriginalId,
    Place,
    Site,
    SiteKey,
)
from mediad.state import TRANSITIONS, WORKFLOWS, Position, State, Transition, Workflow
from mediad.testing.clock import StoppedClock

S = State
_BY_ENDS: Final = {(t.at, t.then): t for t in TRANSITIONS if t.stage != "join"}
PHONE_OFF: Final = dict.fromkeys(("batch", "place", "verify", "release"), "off: no [syncthing] url")


def lawful(at: State, then: State) -> Transition:
    return _BY_ENDS[at, then]


def digest_of(text: str) -> Digest:
    return Digest(blake3(text.encode()).hexdigest())


def copy_of(original: OriginalId, site: Site, key: str, text: str = "x") -> Copy:
    return Copy(original, Place(site, SiteKey(key)), digest_of(text), 1, "dontneed")


@dataclass
class World:
    path: Path
    clock: StoppedClock = field(default_factory=StoppedClock)
    workflow: Workflow = WORKFLOWS["vault"]
    off: Mapping[str, str] = field(default_factory=dict)

    def open(self) -> Journal:
        return Journal.open(self.path, self.clock, law=lambda: self.workflow, off=lambda: self.off)

    @contextmanager
    def sqlite(self) -> Iterator[sqlite3.Connection]:
        """A second hand on the file, which only a test may have."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute("PRAGMA foreign_keys = ON")
        try:
            yield connection
        finally:
            connection.close()


async def arrived(journal: Journal, key: str) -> AssetId:
    name = key.rpartition("/")[2]
    [asset] = await journal.arrive([Arrival(SiteKey(key), name, 100, 5)])
    assert asset is not None
    return asset


async def step(
    journal: Journal, asset: AssetId, at: State, then: State, evidence: Evidence | None = None
) -> Position | MediadError:
    seen = evidence or Evidence("stat", 1)
    [answer] = await journal.record([Step(asset, lawful(at, then), seen)])
    return answer


async def moved(
    journal: Journal, asset: AssetId, at: State, then: State, evidence: Evidence | None = None
) -> Position:
    answer = await step(journal, asset, at, then, evidence)
    assert not isinstance(answer, MediadError), answer
    return answer


async def hashed(journal: Journal, asset: AssetId, text: str = "") -> Position:
    """Through intake with bytes of its own."""
    await moved(journal, asset, S.SEEN, S.SETTLED)
    identity = digest_of(text or f"bytes of {asset}")
    whole = await whole_asset(journal, asset)
    originals = tuple(replace(o, digest=identity) for o in whole.originals)
    seen = Evidence("rename", 1, identity=identity, originals=originals)
    return await moved(journal, asset, S.SETTLED, S.HASHED, seen)


async def walked(journal: Journal, asset: AssetId, route: Iterable[State]) -> Position:
    states = list(route)
    position: Position = frozenset()
    for at, then in itertools.pairwise(states):
        position = await moved(journal, asset, at, then)
    return position


async def whole_asset(journal: Journal, asset: AssetId) -> Asset:
    found = await journal.asset(asset)
    assert found is not None
    return found
