"""Habits of Apple that are not known for certain, or differ from day to day."""

from dataclasses import dataclass


@dataclass
class Quirks:
    is_oplock_enforced: bool = True  # a stale change tag is refused
    there_already: str = "CONFLICT"  # or EXISTS: how a second relation of the same name is refused
    index_delay_s: float = 15.0  # from putAsset until lookup sees the asset
    url_s: float = 6 * 3600.0  # how long the address of a file is good
