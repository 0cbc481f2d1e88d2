"""
Another date, decided by a person: what it will be, and in which words that is told. Pure.

The person's word stands above every clock: its source is "person", and nothing that is read later takes its place. Only
a date that cannot be true is refused, as it would be of a camera.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final

from mediad.errors import Refused
from mediad.model import Asset, Captured, Claim, Original, Role
from mediad.policy.dates import (
    PERSON,
    believe,
    captured_at,
    cloud_claim,
    mtime_claim,
    read,
    refusal,
    resolve,
    written,
)
from mediad.policy.name_dates import date_in_name

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class From(StrEnum):
    """Whose word a person takes for it."""

    NAME = "name"  # the file's
    SIDECAR = "sidecar"
    MTIME = "mtime"
    CLOUD = "cloud"
    FILE = "file"  # what mediad itself finds: takes a person's word back


@dataclass(frozen=True, slots=True)
class Order:
    """One of these, and how it was said."""

    said: str
    shift: timedelta | None = None
    zone: tzinfo | None = None  # the wall clock is right, and this is its zone
    in_zone: tzinfo | None = None  # the instant is right, and is to be told in this zone
    take: From | None = None
    to: str = ""


def redated(asset: Asset, order: Order, now: int, home: tzinfo | None = None) -> Captured:
    """The date that the asset gets; Refused, with the reason, where the order gives it none."""
    found = _taken(asset, order.take, now, home) if order.take else _changed(asset, order)
    if order.take is From.FILE:
        return found
    claim = Claim("person:date", found.local)
    moment = read(claim)
    if moment is None or (why := refusal(claim, moment[0], now)):
        raise _refused(asset, f"{found.local} cannot be: {why if moment else 'that is no date'}")
    return replace(found, source=PERSON)


def _changed(asset: Asset, order: Order) -> Captured:
    if order.to:
        return _absolute(asset, order.to)
    was = asset.captured
    if was is None:
        raise _refused(asset, "nobody knows its date, so there is nothing to start from")
    local = datetime.fromisoformat(was.local)
    try:
        if order.shift is not None:
            return captured_at(local + order.shift, was.offset, PERSON)
        if order.zone is not None:
            return captured_at(local, _offset(order.zone, local), PERSON)
        if order.in_zone is not None:
            moment = (_EPOCH + timedelta(milliseconds=was.at)).astimezone(order.in_zone)
            there = moment.replace(tzinfo=None)
            return captured_at(there, written(moment.utcoffset() or timedelta()), PERSON)
    except OverflowError as error:
        raise _refused(asset, "that lies beyond every calendar") from error
    raise _refused(asset, "the order says nothing")


def _absolute(asset: Asset, text: str) -> Captured:
    """A day without a time keeps the time that the asset had; without a zone, its zone."""
    moment = read(Claim("person:date", text))
    if moment is None:
        raise _refused(asset, f"{text!r} is no date; write 2024-07-14 or 2024-07-14T18:03:22+02:00")
    local, zone = moment
    was = asset.captured
    if was is not None:
        old = datetime.fromisoformat(was.local)
        if len(text.strip()) <= len("2024-07-14"):
            local = datetime.combine(local.date(), old.time())
        zone = zone or was.offset
    return captured_at(local, zone, PERSON)


def _taken(asset: Asset, take: From, now: int, home: tzinfo | None) -> Captured:
    if take is From.FILE:
        found, _ = resolve(asset.originals, now=now, cloud=cloud_claim(asset.remote), home=home)
        why = "nothing in it tells a date that can be true"
    elif take is From.SIDECAR:
        found, why = _sidecar(asset.originals), "it has no sidecar that tells a date"
    else:
        claims = _claims(asset, take)
        found, why = believe(claims, now=now, home=home)
        why = why or f"its {take} tells no date"
    if found is None:
        raise _refused(asset, why)
    return found


def _claims(asset: Asset, take: From) -> list[Claim]:
    if take is From.NAME:
        return [c for o in asset.originals if (c := date_in_name(o.name)) is not None]
    if take is From.CLOUD:
        claim = cloud_claim(asset.remote)
        return [claim] if claim else []
    return [mtime_claim(asset.originals[0])]


def _sidecar(originals: Sequence[Original]) -> Captured | None:
    return next(
        (
            o.inspection.captured
            for o in originals
            if o.role is Role.SIDECAR and o.inspection and o.inspection.captured
        ),
        None,
    )


def _offset(zone: tzinfo, local: datetime) -> str:
    return written(local.replace(tzinfo=zone).utcoffset() or timedelta())


def _refused(asset: Asset, why: str) -> Refused:
    return Refused(
        f"{asset.name} keeps its date: {why}",
        code="dates.invalid",
        remedy="mediactl dates preview shows what each file would get, and why not",
    )
