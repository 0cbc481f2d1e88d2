"""Small words that all answers share: times, places, digests. Pure."""

from datetime import UTC, datetime, timedelta

from mediad.config import Settings
from mediad.model import Captured, Copy, Original, Place, Site
from mediad.service.answers import CapturedDoc

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 253_402_300_799_999  # the end of the year 9999: "not before anybody's lifetime"
# Where the present path of an original is looked for first: at hand before far away.
_NEAREST = (
    Site.SPOOL, Site.LIBRARY, Site.ARCHIVE, Site.DUPLICATES, Site.QUARANTINE, Site.PHONE, Site.INCOMING,
)  # fmt: skip


def iso(at: int) -> str:
    """UTC milliseconds as 2026-01-15T14:30:00Z, with milliseconds where there are any."""
    moment = _EPOCH + timedelta(milliseconds=min(max(at, 0), _LAST))
    spec = "milliseconds" if at % 1000 else "seconds"
    return moment.isoformat(timespec=spec).replace("+00:00", "Z")


def maybe_iso(at: int | None) -> str | None:
    return None if at is None else iso(at)


def captured_doc(captured: Captured | None) -> CapturedDoc | None:
    if captured is None:
        return None
    return {
        "at": captured.local + captured.offset,
        "offset": captured.offset or None,
        "source": captured.source,
    }


def path_of(place: Place, settings: Settings) -> str:
    """The absolute path of a place; what is in the cloud has none."""
    if place.site is Site.CLOUD:
        return ""
    return str(settings.path_of(place.site) / place.key)


def whereabouts(original: Original, copies: tuple[Copy, ...]) -> Place | None:
    """Where an original can be read now, as far as the journal knows."""
    places = [c.place for c in copies if c.original == original.id and c.place.site in _NEAREST]
    if places:
        return min(places, key=lambda p: _NEAREST.index(p.site))
    if original.digest is None:  # not taken in yet
        return Place(Site.INCOMING, original.source_key)
    return None
