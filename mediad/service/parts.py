"""What the service stands on: the journal, the engine, and the orders that only the composition root can carry out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mediad.config import Fault, Loaded
from mediad.engine import Engine
from mediad.journal import Journal
from mediad.policy.problems import Problems
from mediad.ports import Ports, SignInDoor
from mediad.service.answers import FindingDoc
from mediad.watchers.scrub import Stands


class Orders(Protocol):
    """What the daemon does for the service: it alone knows the adapters and the watchers."""

    async def rescan(self) -> int:
        """Compare the drop folder with the journal once; returns how many files arrived."""
        ...

    async def reload(self) -> Sequence[Fault]:
        """Read the configuration anew. Faults: what is wrong with it; the old one is still in force."""
        ...

    def look_at_icloud(self) -> None:
        """Something was changed there for a person: its news are wanted soon, and not at the next turn."""
        ...

    def scrub(self) -> Stands:
        """How the scrub stands."""
        ...

    async def check_host(self) -> Sequence[FindingDoc]:
        """What only the adapters can see of this machine: versions, decoders, limits."""
        ...

    async def enrol(self, folder: Path, *, force: bool) -> Sequence[str]:
        """
        Make a folder the archive: its tree, README and identity marker, known to the journal.

        Returns what was done, a sentence each; nothing when all was there. Raises Refused for a folder on the root
        file system (unless forced).
        """
        ...


def _no_door() -> SignInDoor | None:
    return None


@dataclass(frozen=True, slots=True)
class Parts:
    journal: Journal
    engine: Engine
    problems: Problems
    loaded: Callable[[], Loaded]
    ports: Callable[[], Ports]
    orders: Orders
    version: str
    door: Callable[[], SignInDoor | None] = _no_door  # the sign-in to iCloud; None: iCloud is off
