"""
Has a file stopped changing?

Three witnesses: the kernel (somebody has it open for writing), the file's own times, and how long this process has
seen it unchanged. The times are believed only while they lie in the past: a card from a camera with a wrong clock, or
a machine whose clock jumped, falls back on what we saw ourselves. Sizes that often mean "just begun" wait longer.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from mediad.ports import Sighting

# A file that looks unfinished (empty, cut short) gets this many times the usual patience, within a bound: a copying
# program that pauses is common, and a quarantined half is a nuisance; an empty file must still be told of soon.
PATIENCE: Final = 5
PATIENCE_BOUND_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Settled:
    why: str


@dataclass(frozen=True, slots=True)
class NotYet:
    until: int  # UTC ms: worth another look then
    why: str


Stillness: TypeAlias = Settled | NotYet


def is_settled(
    sighting: Sighting, now: int, settle_seconds: float, *, looks_unfinished: bool = False
) -> Stillness:
    """`looks_unfinished`: the structure says that the end is missing; an empty file always looks so."""
    needed = _needed_ms(settle_seconds, unfinished=looks_unfinished or sighting.size == 0)
    if sighting.is_open_for_writing:
        return NotYet(
            now + _needed_ms(settle_seconds, unfinished=False), "it is still being written"
        )
    changed_at = max(sighting.mtime_ns, sighting.ctime_ns) // 1_000_000
    if changed_at <= now:
        if now - changed_at >= needed:
            return Settled("its times say that it has not changed for long enough")
        return NotYet(changed_at + needed, "it changed a moment ago")
    seen_since = sighting.unchanged_since
    if not 0 < seen_since <= now:
        return NotYet(now + needed, "its times lie in the future: it must be watched for a while")
    if now - seen_since >= needed:
        return Settled("it has been watched and did not change; its times lie in the future")
    return NotYet(seen_since + needed, "its times lie in the future: it is being watched")


def _needed_ms(settle_seconds: float, *, unfinished: bool) -> int:
    if not unfinished:
        return int(settle_seconds * 1000)
    return int(max(settle_seconds, min(settle_seconds * PATIENCE, PATIENCE_BOUND_S)) * 1000)
