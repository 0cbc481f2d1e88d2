"""
When the shutter went: from many claims the one to believe, as a date in the place where it was.

The order of trust is one table, TRUST. A claim that a clock made which nobody had set is refused, with the reason.
What a person sees is the calendar day of the place of the shot, so `Captured.local` is wall-clock time; an instant
without a zone gets its zone from a witness (the file name, GPS) or, failing that, from the home of the archive; far
from home, from the longitude of the place.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo

from mediad.model import Asset, Captured, Claim, Original, Remote, Role
from mediad.policy.name_dates import date_in_name

TRUST: tuple[str, ...] = (
    "exif:DateTimeOriginal",
    "exif:CreateDate",
    "quicktime:CreationDate",  # Apple's own key: wall clock with its zone
    "quicktime:ContentCreateDate",
    "xmp:DateTimeOriginal",
    "xmp:DateCreated",
    "iptc:DateCreated",
    "xmp:CreateDate",
    "riff:DateTimeOriginal",
    "exif:GPSDateTime",
    "quicktime:CreateDate",  # mvhd: UTC by the book
    "quicktime:ContentCreateDay",
    "matroska:DateUTC",
    "png:CreationTime",
    "sidecar:DateTimeOriginal",
    "sidecar:DateCreated",
    "sidecar:CreateDate",
    "filename:time",
    "filename:day",
    "cloud:asset",
    "modified:ModifyDate",  # the last save, not the shot: better than nothing
    "mtime:file",
)
PLACE = "place:coordinates"  # no date, but a witness for the zone: "+35.6894+139.6917"
PERSON = "person"  # decided by somebody who was there, or who looked: above every clock
_RANK = {tag: rank for rank, tag in enumerate(TRUST)}
_WEAK = frozenset({"filename", "cloud", "modified", "mtime"})

_DATE = re.compile(
    r"\s*(\d{4})[:\-/.](\d\d?)[:\-/.](\d\d?)"
    r"(?:[T _]+(\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?"
    r"\s*(Z|[+-]\d\d?:?\d\d)?\s*"
)
_OFFSET = re.compile(r"([+-])(\d\d?):?(\d\d)")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - wall-clock times here are naive on purpose
_FUTURE = timedelta(days=2)  # the date line, and a clock that is a little off
_HALF_HOUR_S = 1800
_ODD_ZONES_S = (
    20_700,
    31_500,
    45_900,
    49_500,
)  # Nepal, Eucla, the Chatham Islands in winter and summer
_WITNESS_S = 90  # how far apart two records of one moment may be
_FAR = timedelta(hours=3.5)  # no clock at home is so far from the sun
_DATE_LINE = -168  # degrees: west of it, islands have the day of the east
_PLACE = re.compile(r"([+-]\d+(?:\.\d*)?)([+-]\d+(?:\.\d*)?)(?:[+-]\d+(?:\.\d*)?)?(?:CRS.*)?/?")
_FURTHEST_OFFSET = timedelta(hours=14)
_NOON = 12  # of a day without a time: no zone moves it to another day
_AT_HOME = "the file knows the instant only: shown in the home time zone"
_BY_THE_SUN = "the zone is guessed by the longitude of the place"
_FIRST_PHOTOGRAPH = 1826
_FIRST_DIGITAL = 1990
_NEVER_SET = {
    (1904, 1, 1): "the first day of QuickTime's calendar",
    (1970, 1, 1): "the first day of Unix's calendar",
    (1969, 12, 31): "the first day of Unix's calendar, west of Greenwich",
    (1980, 1, 1): "where a camera's clock starts without its battery",
}
_RESET = datetime(2000, 1, 1)  # noqa: DTZ001 - of a camera's clock, by its minute: parties have photos of that night
_CAMERAS = ("exif:", "xmp:", "quicktime:", "riff:", "modified:")
_PLACEHOLDER = datetime(2002, 12, 8, 12)  # noqa: DTZ001 - of a camera's clock
_COUNTERS = ("quicktime:CreateDate", "matroska:", "exif:GPS", "filename:", "mtime:", "cloud:")


def believe(
    claims: Iterable[Claim], *, now: int, name: str = "", home: tzinfo | None = None
) -> tuple[Captured | None, str]:
    """
    The claim to believe, and a note: what was refused and why, or where the zone came from.

    `name` is only a witness for the zone. `home` is the zone of last resort; None is this machine's.
    """
    ranked = sorted(claims, key=_trust)
    refused: list[str] = []
    for claim in ranked:
        if claim.tag == PLACE:
            continue
        moment = read(claim)
        why = "not a date" if moment is None else refusal(claim, moment[0], now)
        if moment is not None and not why:
            captured, note = _placed(claim, moment, ranked, name, home)
            return captured, "; ".join([*refused, note] if note else refused)
        refused.append(f"{claim.tag} says {claim.text[:40]!r}: {why}")
    return None, "; ".join(refused)


def resolve(
    originals: Sequence[Original],
    *,
    now: int,
    cloud: Claim | None = None,
    home: tzinfo | None = None,
) -> tuple[Captured | None, str]:
    """
    The date of an asset from all that its originals, their names and the cloud say.

    Within one rank the primary speaks first; what only another member knows comes from a "partner". None only when
    even the mtimes are absurd.
    """
    inside = [_of_member(o, n) for n, o in enumerate(originals)]
    known = sorted((c for c in inside if c is not None), key=lambda c: c[0])
    notes = [o.inspection.date_note for o in originals if o.inspection and o.inspection.date_note]
    if known and known[0][1].source not in _WEAK:
        best, others = known[0][1], [c for _, c in known[1:]]
        return _with_zone(best, others), "; ".join(notes)
    claims = [c for o in originals if (c := date_in_name(o.name)) is not None]
    claims += [cloud] if cloud is not None else []
    found, note = believe(claims, now=now, home=home)
    if found is None and known:
        found = known[0][1]
    if found is None:
        stamps = [mtime_claim(o) for o in originals]
        found, last = believe(stamps, now=now, home=home)
        note = "; ".join(n for n in (note, last) if n)
    return found, "; ".join(n for n in (*notes, note) if n)


def confidence_of(asset: Asset) -> str:
    """Likewise, of an asset's date: only likely where the zone of an instant had to be assumed."""
    captured = asset.captured
    if captured is None:
        return "guess"
    level = confidence(captured)
    assumed = any(
        seen.captured is not None
        and (seen.captured.at, seen.captured.offset) == (captured.at, captured.offset)
        and seen.date_note.endswith((_AT_HOME, _BY_THE_SUN))
        for seen in (o.inspection for o in asset.originals)
        if seen is not None
    )
    return "likely" if level == "sure" and assumed and captured.source != PERSON else level


def confidence(captured: Captured) -> str:
    """How far to trust it: sure (day and instant), likely (the day), guess."""
    if captured.source == PERSON:
        return "sure"
    if captured.source in {"modified", "mtime"}:
        return "guess"
    return "sure" if captured.offset and captured.source not in _WEAK else "likely"


def cloud_claim(remote: Remote | None) -> Claim | None:
    """What iCloud says: the instant, and the zone of the shot where it knows that."""
    if remote is None or not remote.taken_at:
        return None
    moment = _EPOCH + timedelta(milliseconds=remote.taken_at)
    if remote.offset_s is None:
        return Claim("cloud:asset", moment.isoformat(" "), is_utc=True)
    span = timedelta(seconds=remote.offset_s)
    return Claim("cloud:asset", (moment + span).isoformat(" "), offset=written(span))


def refusal(claim: Claim, moment: datetime, now: int) -> str:
    """Why this date cannot be true, or "". A scanned photograph of 1900 can."""
    if reason := _unset(claim, moment):
        return reason
    if moment > _EPOCH + timedelta(milliseconds=now) + _FUTURE:
        return "it lies in the future"
    if moment.year < _FIRST_PHOTOGRAPH:
        return "older than photography"
    if moment.year < _FIRST_DIGITAL and claim.tag.startswith(_COUNTERS):
        return "older than any digital camera"
    return ""


def _unset(claim: Claim, moment: datetime) -> str:
    """Where clocks stand that nobody has set."""
    if reason := _NEVER_SET.get((moment.year, moment.month, moment.day)):
        return f"{reason}: a clock that nobody had set"
    if moment.replace(second=0, microsecond=0) == _RESET and claim.tag.startswith(_CAMERAS):
        return "where many a camera's clock starts: a clock that nobody had set"
    if moment == _PLACEHOLDER and claim.tag.startswith("exif:"):
        return "what some Android cameras write when nobody tells them the time"
    return ""


def read(claim: Claim) -> tuple[datetime, str] | None:
    """The wall clock (or UTC, for an instant) and the offset that the claim gives; None: no date."""
    found = _DATE.fullmatch(claim.text.strip("\0 "))
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    digits = (fraction or claim.fraction.strip("\0 "))[:6]
    micros = int(digits.ljust(6, "0")) if digits.isascii() and digits.isdigit() else 0
    try:
        moment = datetime(  # noqa: DTZ001 - a wall clock
            int(year),
            int(month),
            int(day),
            _NOON if hour is None else int(hour),
            int(minute or 0),
            min(int(second or 0), 59),  # a leap second
            micros,
        )
    except ValueError:
        return None
    return moment, offset(zone or claim.offset)


def offset(text: str) -> str:
    """All the ways to write a zone, as "+02:00"; empty when it is none."""
    text = text.strip("\0 ")
    if text in {"Z", "z"}:
        return "+00:00"
    found = _OFFSET.fullmatch(text)
    if found is None:
        return ""
    sign, hours, minutes = found.groups()
    if int(minutes) > 59 or timedelta(hours=int(hours), minutes=int(minutes)) > _FURTHEST_OFFSET:  # noqa: PLR2004 - minutes in an hour
        return ""
    return f"{sign}{int(hours):02}:{minutes}"


def _trust(claim: Claim) -> int:
    return _RANK.get(claim.tag, len(_RANK))


def _placed(
    claim: Claim,
    moment: tuple[datetime, str],
    claims: Sequence[Claim],
    name: str,
    home: tzinfo | None,
) -> tuple[Captured, str]:
    """The claim with the best zone that can be had."""
    when, zone = moment
    source = claim.tag.partition(":")[0]
    if claim.is_utc:
        zone, note = _zone_of_instant(when, claims, name, home)
        return captured_at(when + _delta(zone), zone, source), note
    if zone:
        return captured_at(when, zone, source), ""
    zone = _witnessed(when, _instants(claims))
    return captured_at(when, zone, source), "the zone comes from GPS" if zone else ""


def captured_at(local: datetime, zone: str, source: str) -> Captured:
    """`local` is naive; sub-seconds are shown to the millisecond when there are any."""
    at = (local - _delta(zone) - _EPOCH) // timedelta(milliseconds=1)
    spec = "milliseconds" if local.microsecond else "seconds"
    return Captured(local.isoformat(timespec=spec), zone, source, at)


def _instants(claims: Sequence[Claim]) -> list[datetime]:
    gps = (read(c) for c in claims if c.tag == "exif:GPSDateTime")
    return [moment[0] for moment in gps if moment is not None]


def _witnessed(local: datetime, instants: Iterable[datetime]) -> str:
    """The offset between a wall clock and an instant of the same moment, if they look like one."""
    for instant in instants:
        seconds = (local - instant).total_seconds()
        nearest = round(seconds / _HALF_HOUR_S) * _HALF_HOUR_S
        span = min((nearest, *_ODD_ZONES_S), key=lambda zone: abs(seconds - zone))
        if abs(seconds - span) <= _WITNESS_S and timedelta(seconds=abs(span)) <= _FURTHEST_OFFSET:
            return written(timedelta(seconds=span))
    return ""


def _zone_of_instant(
    instant: datetime, claims: Sequence[Claim], name: str, home: tzinfo | None
) -> tuple[str, str]:
    named = date_in_name(name)
    wall = read(named) if named and named.tag == "filename:time" and not named.is_utc else None
    if wall is not None and (zone := _witnessed(wall[0], [instant])):
        return zone, "the zone comes from the file name"
    span = instant.replace(tzinfo=UTC).astimezone(home).utcoffset() or timedelta()
    sun = _sun(claims)
    if sun is not None and abs(sun - span) > _FAR:
        hours = round(sun / timedelta(hours=1))
        return written(timedelta(hours=hours)), _BY_THE_SUN
    return written(span), _AT_HOME


def _sun(claims: Sequence[Claim]) -> timedelta | None:
    """What a sundial at the place is ahead of Greenwich."""
    found = next((_PLACE.fullmatch(c.text.strip("\0 ")) for c in claims if c.tag == PLACE), None)
    if found is None:
        return None
    north, east = float(found[1]), float(found[2])
    if not (north or east) or abs(north) > 90 or abs(east) > 180:  # noqa: PLR2004 - degrees
        return None  # nowhere, as phones without GPS write it
    return timedelta(hours=(east + 360 if east < _DATE_LINE else east) / 15)


def written(span: timedelta) -> str:
    """An offset as "+02:00"."""
    minutes = round(span.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _delta(zone: str) -> timedelta:
    if not zone:
        return timedelta()
    span = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return -span if zone[0] == "-" else span


def _of_member(original: Original, nth: int) -> tuple[tuple[bool, bool, int], Captured] | None:
    captured = original.inspection.captured if original.inspection else None
    if captured is None:
        return None
    is_guess, is_sidecar = captured.source in _WEAK, original.role is Role.SIDECAR
    if nth > 0 and not is_sidecar and not is_guess:
        captured = replace(captured, source="partner")
    return (is_guess, is_sidecar, nth), captured


def _with_zone(best: Captured, others: Sequence[Captured]) -> Captured:
    """A still without a zone takes it from its movie, or a sidecar: from the instant that they know of the moment."""
    if best.offset:
        return best
    local = datetime.fromisoformat(best.local)
    instants = [_EPOCH + timedelta(milliseconds=o.at) for o in others if o.offset]
    return captured_at(local, _witnessed(local, instants), best.source)


def mtime_claim(original: Original) -> Claim:
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=original.mtime_ns // 1000)
    return Claim("mtime:file", moment.replace(tzinfo=None).isoformat(" "), is_utc=True)
