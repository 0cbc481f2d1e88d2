"""Guards nothing by itself: what can happen to a house, and what its photos are made of."""

from typing import Final, TypeAlias

from hypothesis import strategies as st

from mediad.errors import NeedsOperator, Retryable
from mediad.model import Site
from mediad.state import WORKFLOWS

HOUR_S: Final = 3600.0
DAY_S: Final = 24 * HOUR_S
SPANS: Final = (1.0, 90.0, HOUR_S, 2 * DAY_S, 40 * DAY_S)
JUMPS: Final = (HOUR_S, -HOUR_S, 2 * DAY_S, -2 * DAY_S, 4000 * DAY_S, -4000 * DAY_S)
DISKS: Final = (Site.INCOMING, Site.SPOOL, Site.ARCHIVE, Site.LIBRARY, Site.PHONE)
COPIES: Final = frozenset({Site.ARCHIVE, Site.LIBRARY, Site.SPOOL, Site.DUPLICATES})
FAULTS: Final = (
    lambda site: NeedsOperator(
        f"{site} is not there", code=f"{site.value}.unmounted", site=site.value
    ),
    lambda site: NeedsOperator("the disk is full", code="space.full", site=site.value),
    lambda site: Retryable(f"{site} gives an error", code="io.error"),
)
CALLS: Final = ("lookup", "members", "fetch", "add", "delete", "upload", "tag", "make_album")
SETTINGS: Final[tuple[tuple[str, str, tuple[object, ...]], ...]] = (
    ("workflow", "preset", tuple(sorted(WORKFLOWS))),
    ("archive", "enabled", (True, False)),
    ("compress", "enabled", (True, False)),
    ("sort", "enabled", (True, False)),
    ("clean", "enabled", (True, False)),
    ("clean", "after_hours", (0.0, 1.0)),
    ("safety", "min_copies", (1, 2)),
    ("safety", "armed", (True, False)),
    ("delete", "enabled", (True, False)),
    ("delete", "cooloff_days", (0.0, 1.0)),
    ("upload", "enabled", (True, False)),
    ("icloud", "enabled", (True, False)),
    ("phone", "enabled", (True, False)),
    ("phone", "release", ("freed", "never", "after 1 d")),
    ("phone", "send", ("original", "rendition")),
    ("phone", "allow_parallel", (True, False)),
    ("dedup", "keep_days", (0.0, 1.0)),
)
Change: TypeAlias = tuple[str, str, object, object]
SAFER: Final[tuple[Change, ...]] = (  # from what lets more go to what lets less go
    ("safety", "min_copies", 1, 2),
    ("safety", "armed", True, False),
    ("delete", "enabled", True, False),
    ("clean", "enabled", True, False),
)
NTH: Final = st.integers(0, 40)
FEW: Final = st.integers(0, 3)


OLD_MS: Final = 7 * 365 * 86_400_000  # so old, and
LARGE: Final = 210_000  # so large that a smaller rendition of it is made


def still(n: int, bytes_: int) -> bytes:
    """The HEIC of a Live Photo, if its other half ever comes."""
    return f"heic cid=C{n} at={n} n={bytes_} {'.' * 60}".encode()


def movie(n: int) -> bytes:
    return f"mov cid=C{n} at={n} {'.' * 80}".encode()


def plain(n: int) -> bytes:
    """A photo of years ago, as a JPEG; one of them is large."""
    return f"jpeg at={n - OLD_MS} {'.' * (LARGE if n == 0 else 70)}".encode()


ODD: Final = (b"", b"scrap of something", b"heic flaw=media.cut at=1")
