"""What is known of files made of working copies: whose they are, whether recorded, and where that asset stands."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from mediad.journal.rows import to_sql
from mediad.model import Site, SiteKey
from mediad.state import State

OWNER: Final = "SELECT asset FROM original WHERE spool_key = ?"
STATES: Final = "SELECT state FROM standing WHERE asset = ?"
RECORDED: Final = "SELECT 1 FROM rendition WHERE site = ? AND key = ?"


class Made(NamedTuple):
    key: SiteKey
    rest: str  # of its name, behind that of the working copy it was made of
    is_recorded: bool
    states: frozenset[State]


def made(db: sqlite3.Connection, keys: Sequence[SiteKey]) -> list[Made]:
    """Of these files in processing/ those whose working copy belongs to an original that the journal knows."""
    return [found for key in keys for found in _made(db, key)]


def _made(db: sqlite3.Connection, key: SiteKey) -> Iterator[Made]:
    name = key.rpartition("/")[2]
    recorded = db.execute(RECORDED, (Site.SPOOL.value, to_sql(key))).fetchone()
    at = len(name)
    while (
        at := name.rfind(".", 0, at)
    ) > 0:  # a name may have dots of its own, and so may a recipe
        if owner := db.execute(OWNER, (to_sql(SiteKey(name[:at])),)).fetchone():
            states = frozenset(State(row[0]) for row in db.execute(STATES, owner))
            yield Made(key, name[at:], recorded is not None, states)
            return
