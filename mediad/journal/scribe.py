"""
What one item of a group writes. Runs in the writer thread only, inside the item's savepoint.

A transition, its evidence, what the evidence taught, every lane that it opens, the passing of switched-off stages,
the gates and the asset's condition are one thing here: all of it is written, or none.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from mediad.errors import Bug
from mediad.journal import cloud_page, learn
from mediad.journal.chain import GENESIS, seal
from mediad.journal.course import (
    ARRIVED,
    LISTED,
    REMADE,
    Course,
    Lanes,
    chart,
    condition,
    position_of,
)
from mediad.journal.faults import joined, moved_on, too_late
from mediad.journal.migrate import ARRIVE, MERGE, WITNESS
from mediad.journal.rows import (
    OFF,
    SKIPPED,
    Arrival,
    CloudPage,
    Committed,
    Mark,
    Park,
    Step,
    to_sql,
)
from mediad.journal.said import evidence_json, with_starts
from mediad.model import AssetId, Evidence, Kind, Role, SiteKey
from mediad.policy.grouping import group_key
from mediad.policy.naming import safe_name
from mediad.ports import Clock
from mediad.state import (
    TRANSITIONS,
    Lane,
    Position,
    State,
    Transition,
    Workflow,
    may_rejoin,
)

_LAWFUL: Final = frozenset(TRANSITIONS)
LANE_OF: Final = {t.stage: t.at.lane for t in TRANSITIONS}
_TAKEN: Final = frozenset({State.HASHED, State.DUPLICATE, State.QUARANTINED})

_STATES: Final = {s.value: s for s in State}
_MARKS: Final = {m.value: m for m in Mark}

_STAND: Final = "INSERT INTO standing (state, mark, due, asset, lane) VALUES (?, ?, ?, ?, ?)"
_STAND_ON: Final = (
    "UPDATE standing SET state = ?, mark = ?, due = ?, attempts = 0, why = '', code = '',"
    " remedy = '' WHERE asset = ? AND lane = ?"
)

# By the asset first: of these few, never of all that stand there.
ROUSE: Final = (
    "UPDATE standing SET due = ?1 WHERE asset IN (SELECT value FROM json_each(?2))"
    " AND +state IN (SELECT value FROM json_each(?3)) AND +mark = 'waiting' AND +due > ?1"
)

_TELL: Final = "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_COURSES: Final = 1024


class Scribe:
    def __init__(
        self,
        connection: sqlite3.Connection,
        clock: Clock,
        law: Callable[[], Workflow],
        off: Callable[[], Mapping[str, str]],
    ) -> None:
        self._do = connection.execute
        self._do_all = connection.executemany
        self._clock = clock
        self._law_of = law
        self.off = off
        self._law, self._off = law(), off()
        self._off_stages = frozenset(self._off)
        self._now = clock.now()
        last = self._do("SELECT seq, chain FROM history ORDER BY seq DESC LIMIT 1").fetchone()
        self._seq: int = last[0] if last else 0
        self._chain: bytes = last[1] if last else GENESIS
        self._committed: list[Committed] = []
        self._unwritten: list[tuple[object, ...]] = []
        self._notes: dict[str, tuple[Evidence, str]] = {}  # of switched-off stages, in this group
        self._courses: dict[tuple[frozenset[tuple[State, Mark]], Transition | None], Course] = {}
        self._intended: set[tuple[AssetId, str]] = set()

    # -- Tape: the group's beginning, marks and end ------------------------------------------------

    def begin(self) -> None:
        law, off = self._law_of(), self.off()
        if (law, off) != (self._law, self._off):
            self._courses.clear()
        self._law, self._off, self._now = law, off, self._clock.now()
        self._off_stages = frozenset(self._off)
        self._notes.clear()
        self._intended = set(self._do("SELECT asset, lane FROM intent"))

    def end(self) -> None:
        """The group's history, in one go: nothing in the group has to read it."""
        self._do_all(_TELL, self._unwritten)
        self._unwritten.clear()

    def mark(self) -> tuple[int, bytes, int, int]:
        return self._seq, self._chain, len(self._committed), len(self._unwritten)

    def turn_back(self, mark: tuple[int, bytes, int, int]) -> None:
        self._seq, self._chain, told, unwritten = mark
        del self._committed[told:]
        del self._unwritten[unwritten:]

    def take(self) -> list[Committed]:
        committed, self._committed = self._committed, []
        return committed

    # -- the items --------------------------------------------------------------------------------

    def arrive(self, arrival: Arrival) -> AssetId | None:
        """None: this file is known and still awaited."""
        source_key = to_sql(arrival.source_key)
        if self._do(
            "SELECT 1 FROM original WHERE source_key = ? AND taken = 0", (source_key,)
        ).fetchone():
            return None
        asset = self._asset(arrival.name, Kind.UNKNOWN, arrival.source)
        figures = {"size": arrival.size, "source": arrival.source}
        figures["original"] = self._original(asset, Role.PRIMARY, arrival)
        seen = Evidence("seen", self._now, figures=figures)
        self._tell(asset, ARRIVE, None, State.SEEN, seen, ARRIVED.opened)
        self._follow(asset, {}, ARRIVED)
        return asset

    def page(self, page: CloudPage) -> list[AssetId]:
        """What iCloud said, and the assets of ours that follow from it, each to be fetched."""
        return [self._listed(due) for due in cloud_page.write(self._do, page, self._now)]

    def record(self, step: Step) -> Position:
        asset, transition = step.asset_id, step.transition
        if transition not in _LAWFUL:
            raise Bug(f"unlawful transition {transition} of asset {asset}", code="journal.unlawful")
        lanes = self._lanes(asset)
        position = position_of(lanes)
        if transition.at not in position:
            raise moved_on(asset, transition)
        if step.originals not in {None, self._originals(asset)}:
            raise joined(asset)
        if transition.stage == "join" and not may_rejoin(position):
            raise too_late(asset)
        learn.apply(self._do, asset, step.evidence, transition.then)
        return self._walk(asset, lanes, transition, step.evidence)

    def merge(self, guest: AssetId, into: AssetId, evidence: Evidence) -> Position:
        """The guest's originals become the host's; the host goes through intake again, whole."""
        host = self._final_host(into)
        if host == guest:
            raise Bug(f"asset {guest} cannot join itself", code="journal.unlawful")
        lanes, guest_lanes = self._lanes(host), self._lanes(guest)
        at = guest_lanes.get(Lane.INTAKE)
        if at is None or at[0] in REMADE:
            raise moved_on(guest, None)
        if not may_rejoin(position_of(lanes)) or not may_rejoin(position_of(guest_lanes)):
            raise too_late(host)
        told = replace(evidence, figures={**evidence.figures, "into": host})
        host_at = lanes[Lane.INTAKE][0]
        waiting = host_at is State.SEEN
        self._tell(guest, MERGE, at[0], None, told, (State.SEEN,) if waiting else ())
        self._do("DELETE FROM standing WHERE asset = ?", (guest,))
        self._do("DELETE FROM intent WHERE asset = ?", (guest,))
        self._do(
            "UPDATE asset SET condition = 'absorbed', absorbed_by = ?, identity = NULL WHERE id = ?",
            (host, guest),
        )
        self._do("UPDATE original SET asset = ? WHERE asset = ?", (host, guest))
        learn.apply(self._do, host, evidence, State.SEEN)
        if waiting:
            self._do(
                "UPDATE standing SET mark = 'ready', due = ?, attempts = 0, why = '', code = '',"
                " remedy = '' WHERE asset = ? AND lane = 'intake'",
                (self._now, host),
            )
            self._judge(host, self._lanes(host))
            return position_of(lanes)
        return self._walk(host, lanes, Transition(host_at, "join", State.SEEN), evidence)

    def witness(self, asset: AssetId, evidence: Evidence) -> None:
        """Something was seen that moves no lane: told and learnt as with a transition."""
        host = self._final_host(asset)
        learn.apply(self._do, host, evidence, None)
        self._tell(host, WITNESS, None, None, evidence)

    def rouse(self, assets: Sequence[AssetId], states: Collection[State]) -> int:
        """Of these, the lanes that wait there for later become due now."""
        return self._do(
            ROUSE,
            (self._now, json.dumps(assets), json.dumps([s.value for s in states])),
        ).rowcount

    def park(self, park: Park) -> None:
        if park.originals not in {None, self._originals(park.asset_id)}:
            return  # what was seen is not true of the whole; it stands as it does
        mark = Mark(park.mark)
        due = (self._now if park.due is None else park.due) if mark.runs else None
        self._do(
            "UPDATE standing SET mark = ?, due = ?, why = ?, code = ?, remedy = ?,"
            " attempts = attempts + ? WHERE asset = ? AND lane = ? AND mark <> 'final'"
            " AND state = coalesce(?, state)",
            (
                mark.value, due, park.why, park.code, park.remedy,
                int(park.failed_attempt), park.asset_id, park.lane.value,
                park.state.value if park.state else None,
            ),
        )  # fmt: skip
        self._close_intents(park.asset_id, park.lane)
        self._judge(park.asset_id, self._lanes(park.asset_id))

    def retry(self, asset: AssetId, marks: Collection[Mark]) -> int:
        lanes = self._lanes(asset)
        again = [lane for lane, (_, mark) in lanes.items() if mark in marks and mark != Mark.FINAL]
        for lane in again:
            self._do(
                "UPDATE standing SET mark = 'ready', due = ?, attempts = 0, why = '', code = '',"
                " remedy = '' WHERE asset = ? AND lane = ?",
                (self._now, asset, lane.value),
            )
        if again:
            self.reconsider(asset)
        return len(again)

    def reconsider(self, asset: AssetId) -> None:
        """The configuration changed: switched-off stages pass now, gates are looked at again."""
        lanes = self._lanes(asset)
        self._follow(asset, lanes, self._course(lanes, None))
        self._judge(asset, self._lanes(asset))

    def intend(self, asset: AssetId, stage: str) -> None:
        self._do(
            "INSERT OR REPLACE INTO intent (asset, stage, lane, at) VALUES (?, ?, ?, ?)",
            (asset, stage, LANE_OF[stage].value, self._now),
        )
        self._intended.add((asset, LANE_OF[stage].value))

    # -- how it is done ---------------------------------------------------------------------------

    def _listed(self, due: cloud_page.Due) -> AssetId:
        asset = self._asset(due.files[0].name or due.name, due.kind, "icloud")
        for nth, file in enumerate(due.files):
            key = cloud_page.source_key(due.ref, file.name or due.name)
            arrival = Arrival(key, file.name or due.name, file.size, due.mtime_ns, "icloud")
            role = cloud_page.ROLES[file.resource] if nth else Role.PRIMARY
            cloud_page.bind(self._do, due.ref, file, self._original(asset, role, arrival))
        figures = {**due.ref._asdict(), "files": len(due.files)}
        seen = Evidence("listed", self._now, figures=figures)
        self._tell(asset, ARRIVE, None, State.LISTED, seen, LISTED.opened)
        self._follow(asset, {}, LISTED)
        return asset

    def _asset(self, name: str, kind: Kind, source: str) -> AssetId:
        row = self._do(
            "INSERT INTO asset (name, kind, source, seen_at) VALUES (?, ?, ?, ?)",
            (to_sql(name), kind.value, source, self._now),
        )
        return AssetId(row.lastrowid or 0)

    def _original(self, asset: AssetId, role: Role, arrival: Arrival) -> int:
        [original] = self._do("SELECT coalesce(max(id), 0) + 1 FROM original").fetchone()
        key = arrival.source_key
        if arrival.source != "folder" and self._is_given(key):
            key = cloud_page.numbered(key, original)
        folder = key.rpartition("/")[0]
        spool_key = f"{self._now:x}-{original}-{safe_name(arrival.name)}"
        self._do(
            "INSERT INTO original (id, asset, role, name, source_key, spool_key, size, mtime_ns,"
            " group_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                original, asset, role.value, to_sql(arrival.name), to_sql(key), to_sql(spool_key),
                arrival.size, arrival.mtime_ns, to_sql(group_key(folder, arrival.name)),
            ),
        )  # fmt: skip
        return int(original)

    def _originals(self, asset: AssetId) -> int:
        """They only ever become more, so their number tells whether a half has joined."""
        [count] = self._do("SELECT count(*) FROM original WHERE asset = ?", (asset,)).fetchone()
        return int(count)

    def _is_given(self, key: SiteKey) -> bool:
        """Was a file ever awaited there? Then what comes late for it would be taken for the new one."""
        sql = "SELECT 1 FROM original WHERE source_key = ?"
        return self._do(sql, (to_sql(key),)).fetchone() is not None

    def _walk(self, asset: AssetId, lanes: Lanes, step: Transition, evidence: Evidence) -> Position:
        if step.then in _TAKEN:
            self._do("UPDATE original SET taken = 1 WHERE asset = ? AND taken = 0", (asset,))
        if step.stage == "join":
            self._do("UPDATE asset SET identity = NULL WHERE id = ?", (asset,))
        course = self._course(lanes, step)
        text = with_starts(evidence_json(evidence), course.starts)
        self._write_down(asset, step, evidence, text, course.opened)
        self._follow(asset, lanes, course)
        self._close_intents(asset, step.at.lane)
        return course.position

    def _course(self, lanes: Lanes, step: Transition | None) -> Course:
        key = frozenset(lanes.values()), step
        course = self._courses.get(key)
        if course is None:
            if len(self._courses) >= _COURSES:
                self._courses.clear()
            course = self._courses[key] = chart(lanes, step, self._off_stages, self._law)
        return course

    def _follow(self, asset: AssetId, lanes: Lanes, course: Course) -> None:
        """Let switched-off stages pass, then write where the asset stands."""
        for step, starts in zip(course.passed, course.passed_starts, strict=True):
            if step.stage not in self._notes:
                note = Evidence(OFF, self._now, note=self._off[step.stage])
                self._notes[step.stage] = note, evidence_json(note)
            evidence, text = self._notes[step.stage]
            self._write_down(asset, step, evidence, with_starts(text, starts))
        for step in course.via:
            self._do(
                "UPDATE standing SET state = ? WHERE asset = ? AND lane = ?",
                (step.then.value, asset, step.at.lane.value),
            )
        for state, mark in course.writes:
            sql = _STAND_ON if state.lane in lanes else _STAND
            due = self._now if mark is Mark.READY else None
            self._do(sql, (state.value, mark.value, due, asset, state.lane.value))
        for lane in course.ended:
            self._do("DELETE FROM standing WHERE asset = ? AND lane = ?", (asset, lane.value))
        if course.turns:
            self._judge(asset, course.stands)

    def _judge(self, asset: AssetId, lanes: Lanes) -> None:
        if lanes:
            word = condition(lanes).value
            self._do(
                "UPDATE asset SET condition = ?1 WHERE id = ?2 AND condition <> ?1", (word, asset)
            )

    def _tell(
        self,
        asset: AssetId,
        stage: str,
        at: State | None,
        then: State | None,
        evidence: Evidence,
        opened: Sequence[State] = (),
    ) -> None:
        self._write_down(asset, (at, stage, then), evidence, evidence_json(evidence), opened)

    def _write_down(
        self,
        asset: AssetId,
        step: Transition | tuple[State | None, str, State | None],
        evidence: Evidence,
        text: str,
        opened: Sequence[State] = (),
    ) -> None:
        (at, stage, then), seq, now = step, self._seq + 1, self._now
        skipped = 1 if evidence.kind in SKIPPED else 0
        row = (seq, asset, now, stage, at or "", then or "", skipped, text)
        self._chain = seal(self._chain, row)
        self._seq = seq
        self._unwritten.append((*row, self._chain))
        self._committed.append(Committed(seq, asset, now, stage, at, then, evidence, opened))

    def _lanes(self, asset: AssetId) -> Lanes:
        rows = self._do("SELECT state, mark FROM standing WHERE asset = ?", (asset,))
        standing = [(_STATES[word], _MARKS[mark]) for word, mark in rows]
        return {s[0].lane: s for s in standing}

    def _final_host(self, asset: AssetId) -> AssetId:
        """The host may have joined a third asset meanwhile."""
        while True:
            row = self._do("SELECT absorbed_by FROM asset WHERE id = ?", (asset,)).fetchone()
            if row is None:
                raise Bug(f"there is no asset {asset}", code="journal.unlawful")
            if row[0] is None:
                return asset
            asset = AssetId(row[0])

    def _close_intents(self, asset: AssetId, lane: Lane) -> None:
        if (asset, lane.value) in self._intended:  # as the group began, or since
            self._do("DELETE FROM intent WHERE asset = ? AND lane = ?", (asset, lane.value))
