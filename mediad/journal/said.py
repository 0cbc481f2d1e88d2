"""
How a piece of evidence, and what an inspection found, read as JSON: in the history, and in a column.

What was not seen is left out. The history is for people and programs alike: a foreign byte of a name is U+FFFD there.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Final

from mediad.model import (
    Captured,
    Copy,
    Evidence,
    Inspection,
    Media,
    Original,
    Place,
    Placement,
    RemoteFact,
    Rendition,
    Witness,
)
from mediad.state import State

_ENCODE: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), default=str, check_circular=False
).encode


def shown(value: object) -> str:
    """JSON for people and programs: compact, and any foreign byte of a name as U+FFFD."""
    text = _ENCODE(value)
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _place(place: Place) -> dict[str, object]:
    return {"site": place.site, "key": place.key}


def _original(original: Original) -> dict[str, object]:
    said: dict[str, object] = {"id": original.id, "role": original.role, "name": original.name}
    if original.digest:
        said["blake3"] = original.digest
    if original.inspection:
        said["media"] = original.inspection.media
        if original.inspection.flaw:
            said["flaw"] = original.inspection.flaw
            said["flaw_detail"] = original.inspection.flaw_detail
    return said


def _copy(copy: Copy) -> dict[str, object]:
    return {
        "original": copy.original,
        **_place(copy.place),
        "blake3": copy.digest,
        "verified_at": copy.verified_at,
        "method": copy.method,
    }


def _rendition(rendition: Rendition) -> dict[str, object]:
    return {
        "original": rendition.original,
        "recipe": rendition.recipe,
        **_place(rendition.place),
        "blake3": rendition.digest,
        "size": rendition.size,
        "figures": dict(rendition.figures),
    }


def _placement(placement: Placement) -> dict[str, object]:
    said: dict[str, object] = {
        "original": placement.original,
        "batch": placement.batch,
        "key": placement.key,
        "blake3": placement.digest,
        "size": placement.size,
        "mtime_ns": placement.mtime_ns,
    }
    if placement.version:
        said["version"] = placement.version
    if placement.blocks:
        said["blocks"] = placement.blocks
    if placement.film is not None:
        said["film"] = placement.film
    return said


def _witness(witness: Witness) -> dict[str, object]:
    said: dict[str, object] = {
        "original": witness.original,
        "rung": witness.rung,
        "at": witness.at,
        "how": witness.how,
    }
    if witness.detail:
        said["detail"] = dict(witness.detail)
    return said


def _remote(fact: RemoteFact) -> dict[str, object]:
    said: dict[str, object] = fact.ref._asdict()
    for name in ("marked_at", "deleted_at", "recoverable_until"):
        if (value := getattr(fact, name)) is not None:
            said[name] = value
    if fact.replacement:
        said["replacement"] = fact.replacement._asdict()
    if fact.change_tag:
        said["change_tag"] = fact.change_tag
    for name, files in (("proved", fact.proved), ("unproved", fact.unproved)):
        if files:
            said[name] = [
                {"original": f.original, "resource": f.resource, "fingerprint": f.fingerprint}
                for f in files
            ]
    return said


def _captured(captured: Captured) -> dict[str, object]:
    return {
        "local": captured.local,
        "offset": captured.offset,
        "source": captured.source,
        "at": captured.at,
    }


def _same(fact: Any) -> Any:
    return fact


# what a piece of evidence may say beside its kind and time, and how it reads in JSON
_SAID: Final[tuple[tuple[str, Callable[[Any], object]], ...]] = (
    ("note", _same),
    ("code", _same),
    ("remedy", _same),
    ("copies", lambda rows: [_copy(c) for c in rows]),
    ("gone", lambda rows: [_place(p) for p in rows]),
    ("originals", lambda rows: [_original(o) for o in rows]),
    ("renditions", lambda rows: [_rendition(r) for r in rows]),
    ("placements", lambda rows: [_placement(p) for p in rows]),
    ("witnesses", lambda rows: [_witness(w) for w in rows]),
    ("remotes", lambda rows: [_remote(r) for r in rows]),
    ("figures", dict),
    ("kind_now", _same),
    ("captured", _captured),
    ("identity", _same),
)


def evidence_json(evidence: Evidence) -> str:
    """What was seen, without what was not: as it is kept in the history."""
    said: dict[str, object] = {"kind": evidence.kind, "at": evidence.at}
    for name, read in _SAID:
        if fact := getattr(evidence, name):
            said[name] = read(fact)
    if evidence.keeper is not None:
        said["keeper"] = evidence.keeper
    return shown(said)


def with_starts(said: str, starts: Sequence[State]) -> str:
    """The evidence with the lanes that its step opened: what stood where can be told from the history alone."""
    return f'{said[:-1]},"starts":{shown(list(starts))}}}' if starts else said


_INSPECTED: Final = tuple(f.name for f in fields(Inspection))


def inspection_json(inspection: Inspection | None) -> str | None:
    if inspection is None:
        return None
    said = {n: v for n in _INSPECTED if (v := getattr(inspection, n)) or n == "media"}
    if inspection.captured:
        said["captured"] = _captured(inspection.captured)
    return json.dumps(said)


def inspection_from(text: str | None) -> Inspection | None:
    if text is None:
        return None
    said = json.loads(text)
    said["media"] = Media(said["media"]) if said["media"] else None
    if "captured" in said:
        said["captured"] = Captured(**said["captured"])
    return Inspection(**said)
