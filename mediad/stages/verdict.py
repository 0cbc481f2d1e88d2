"""
The things a stage may say, and what a stage is.

`look` and `act` take a lot (several assets at once) and answer in the same order, one answer an asset; an answer that
is an error is that member's own and never spoils the lot. `decide` sees one asset's facts, is pure and total.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from mediad.errors import MediadError
from mediad.model import Asset, AssetId, Evidence
from mediad.ports import Ports
from mediad.state import State

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Act:
    """Do the stage's one effect, then look again."""

    what: str  # a sentence for the plan: "copy IMG_0001.HEIC to archive 2024/07/IMG_0001.HEIC"


@dataclass(frozen=True, slots=True)
class Done:
    evidence: Evidence
    then: State


@dataclass(frozen=True, slots=True)
class Merge:
    """The asset is a part of another one, which gets its originals."""

    into: AssetId
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Wait:
    until: int  # UTC ms
    why: str
    code: str = ""  # where the wait itself is something that a person should know
    remedy: str = ""
    evidence: Evidence | None = None  # what was seen on the way: kept, though nothing moves by it
    is_loss: bool = (
        False  # a proof that was there is not: the breaker of a destructive stage counts it
    )


@dataclass(frozen=True, slots=True)
class Leave:
    """Not its turn: it stays ready as it is, and nothing is written. The stage's `door` says when it opens again."""

    why: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A person must decide: the asset is held with this question."""

    code: str
    question: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """It would be unsafe: held, never retried by itself."""

    code: str
    why: str
    remedy: str


Verdict: TypeAlias = Act | Done | Merge | Wait | Leave | Ask | Refuse


@dataclass(frozen=True, slots=True)
class Stage(Generic[F]):
    name: str
    at: frozenset[State]
    pool: str  # settle, hash, copy, photo, video …: which limiter it runs under
    look: Callable[[Sequence[Asset], Ports], Awaitable[Sequence[F | MediadError]]]
    decide: Callable[[Asset, F], Verdict]
    # Evidence: what the other side answered. It is in the journal before the next look.
    act: Callable[
        [Sequence[Asset], Sequence[F], Ports], Awaitable[Sequence[Evidence | MediadError | None]]
    ]
    needs: frozenset[str] = frozenset()  # links (archive, library …) whose fault pauses this stage
    lot_files: int = 256
    lot_bytes: int = 64 << 20
    slowest_bytes_s: int = (
        250_000  # a poor line; half an hour more than that takes, and it hangs somewhere
    )
    destructive: bool = False  # the engine journals the intent before the first look
    # May the stage take anything now? A Wait says why not; asked before any work is read.
    door: Callable[[Ports], Awaitable[Wait | None]] | None = None
    rung_by: frozenset[State] = frozenset()  # states whose entry, by any asset, may open the door
