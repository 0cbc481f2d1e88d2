"""
Which of the files that mediad made in processing/renditions/ nobody can ask for any more.

A motion photo is wanted until it is placed, a candidate until it is judged; what was taken is in the journal. Whatever
is thrown away too early can be made again: none of these bytes are an original's.
"""

from collections.abc import Collection
from typing import Final

from mediad.state import State

_JOINING: Final = frozenset({State.PHONE_DUE, State.BATCHED})
_JUDGING: Final = frozenset({State.LIBRARY_DUE})


def is_needed(rest: str, states: Collection[State], *, is_recorded: bool) -> bool:
    """`rest`: its name without that of the working copy it is made of; `states`: where that asset stands."""
    wanted_in = _JOINING if rest.startswith(".motion-") else _JUDGING
    return is_recorded or not wanted_in.isdisjoint(states)
