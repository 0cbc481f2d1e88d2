"""
What a person's orders write: another date, another place in the library, and what is taken back.

The writer's thread only, as all of the scribe. Each is one row of the history, sealed as every other.
"""

from typing import Final

from mediad.errors import Refused
from mediad.journal import learn
from mediad.journal.course import Lanes
from mediad.journal.migrate import REARRANGE
from mediad.journal.scribe import Scribe
from mediad.model import AssetId, Evidence
from mediad.state import HELD_AFTER, Lane, Position, State, Transition

UNDONE: Final = "undo.done"
SHARED: Final = (
    "SELECT o.asset FROM copy c JOIN original o ON o.id = c.original"
    " WHERE c.site = ?1 AND c.key = ?2 AND o.asset <> ?3"
    " UNION SELECT o.asset FROM rendition r JOIN original o ON o.id = r.original"
    " WHERE r.site = ?1 AND r.key = ?2 AND o.asset <> ?3 LIMIT 1"
)
SHELVED: Final = (
    "SELECT c.site, c.key FROM copy c JOIN original o ON o.id = c.original"
    " WHERE o.asset = ?1 AND c.site = 'library'"
    " UNION SELECT r.site, r.key FROM rendition r JOIN original o ON o.id = r.original"
    " WHERE o.asset = ?1 AND r.site = 'library'"
)
# In the library's lane, but neither there yet nor before its beginning: the sort stage may just be placing it.
_UNDER_WAY: Final = frozenset({State.COMPRESSED, State.KEPT})


class Hand(Scribe):
    def rearrange(self, asset: AssetId, evidence: Evidence) -> Position:
        """
        Learn another date or place; what is in the library goes to it, through the stage that puts files there.

        What is not there yet only learns, and is sorted so when its turn comes. Refused while it is being sorted: what
        that stage has just placed would be placed under a date that is no more.
        """
        lanes = self._lanes(asset)
        at = lanes.get(Lane.LIBRARY)
        if Lane.INTAKE not in lanes or lanes[Lane.INTAKE][0] is not State.HASHED:
            raise _no_capture(asset)
        if at and at[0] in _UNDER_WAY:
            raise _under_way(asset)
        if at is None or at[0] is not State.SORTED:
            learn.apply(self._do, asset, evidence, None)
            self._tell(asset, REARRANGE, None, None, evidence)
            return frozenset(s for s, _ in lanes.values())
        self._refuse_shared(asset)
        learn.apply(self._do, asset, evidence, None)
        [made] = self._do(
            "SELECT count(*) FROM rendition r JOIN original o ON o.id = r.original"
            " WHERE o.asset = ?",
            (asset,),
        ).fetchone()
        then = State.COMPRESSED if made else State.KEPT
        return self._walk(asset, lanes, Transition(State.SORTED, REARRANGE, then), evidence)

    def _walk(self, asset: AssetId, lanes: Lanes, step: Transition, evidence: Evidence) -> Position:
        position = super()._walk(asset, lanes, step, evidence)
        if step.stage in HELD_AFTER and step.then in position:
            self._do(
                "UPDATE standing SET why = ?, code = ?, remedy = ? WHERE asset = ? AND lane = ?",
                (
                    "taken back by a person: it is not done again by itself", UNDONE,
                    "mediactl retry ID lets it be done again", asset, step.then.lane.value,
                ),
            )  # fmt: skip
        return position

    def _refuse_shared(self, asset: AssetId) -> None:
        """The same bytes of two assets can be one file in the library: it cannot go two ways."""
        for site, key in self._do(SHELVED, (asset,)).fetchall():
            other = self._do(SHARED, (site, key, asset)).fetchone()
            if other is not None:
                raise Refused(
                    f"asset {asset} shares its file in the library with asset {other[0]}, which holds the same bytes;"
                    " it stays where it is",
                    code="rearrange.shared",
                    remedy="move the file by hand, or let one of the two be: mediactl explain shows both",
                )


def _no_capture(asset: AssetId) -> Refused:
    return Refused(
        f"asset {asset} is not taken in, or is a duplicate or in quarantine: it has no place in the library",
        code="rearrange.not_taken",
        remedy="mediactl explain shows where it stands; a duplicate's keeper is the one to change",
    )


def _under_way(asset: AssetId) -> Refused:
    return Refused(
        f"asset {asset} is just on its way into the library; nothing was changed",
        code="rearrange.under_way",
        remedy="wait until it is there (mediactl wait), or resume the stage sort, and give the order again",
    )
