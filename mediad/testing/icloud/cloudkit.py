"""CloudKit's reading half: zones, what changed, listings by rank, and single records."""

import base64
import json
from collections.abc import Callable, Collection
from itertools import islice
from typing import Final

from mediad.testing.icloud.call import Answer, Call, answer, refusal
from mediad.testing.icloud.faults import Json
from mediad.testing.icloud.library import Library, Zone
from mediad.testing.icloud.queries import ranked
from mediad.testing.icloud.records import Writer, number, text, zone_id
from mediad.testing.icloud.rows import OWNER, AlbumRow, AssetRow, MemberRow, Row

ROOT: Final = "/database/1/com.apple.photos.cloud/production/private"
SHARED: Final = "/database/1/com.apple.photos.cloud/production/shared"
PAGE: Final = 200


class CloudKit:
    """`empty_pages`: so many of the next pages of changes are empty, with more to come."""

    def __init__(self, library: Library, writer: Writer) -> None:
        self._library, self._writer = library, writer
        self.empty_pages = 0
        self.page = PAGE

    def routes(self) -> dict[tuple[str, str], Callable[[Call], Answer]]:
        return {
            ("POST", f"{ROOT}/zones/list"): self._zones,
            ("POST", f"{SHARED}/zones/list"): _no_zones,
            ("POST", f"{ROOT}/changes/database"): self._database,
            ("POST", f"{ROOT}/changes/zone"): self._changes,
            ("POST", f"{ROOT}/records/query"): self._query,
            ("POST", f"{ROOT}/records/lookup"): self._lookup,
            ("POST", f"{ROOT}/internal/records/query/batch"): self._count,
        }

    def zone_of(self, content: Json) -> Zone | None:
        zone = self._library.zones.get(str(content.get("zoneID", {}).get("zoneName")))
        return None if zone is None or zone.is_gone else zone

    def token(self, zone: Zone) -> str:
        return _seal("zone", zone.name, zone.epoch, zone.change)

    def _zones(self, _call: Call) -> Answer:
        zones = [z for z in self._library.zones.values() if not z.is_gone]
        return answer(
            {"zones": [{"zoneID": zone_id(z), "syncToken": self.token(z)} for z in zones]}
        )

    def _database(self, call: Call) -> Answer:
        given = call.json.get("syncToken")
        since = _since("database", "", self._library.epoch, given)
        if since is None:
            return refusal(400, "BAD_REQUEST", "Unknown sync continuation type")
        changed = [
            z for z in self._library.zones.values() if z.change > since or not (given or z.is_gone)
        ]
        return answer(
            {
                "syncToken": _seal("database", "", self._library.epoch, self._library.change),
                "moreComing": False,
                "zones": [
                    {"zoneID": zone_id(z), "syncToken": self.token(z), "deleted": z.is_gone}
                    for z in changed
                ],
            }
        )

    def _changes(self, call: Call) -> Answer:
        outer = call.json.get("resultsLimit", self.page)
        return answer({"zones": [self._zone_changes(z, outer) for z in call.json.get("zones", [])]})

    def _zone_changes(self, asked: Json, outer: int) -> Json:
        zone = self.zone_of(asked)
        if zone is None:
            return _zone_fault(asked, "ZONE_NOT_FOUND", "Zone does not exist")
        token = asked.get("syncToken")
        since = _since("zone", zone.name, zone.epoch, token)
        if since is None:
            return _zone_fault(asked, "BAD_REQUEST", "Unknown sync continuation type")
        if token == "":  # as Apple does: an empty token has seen everything
            return self._page(zone, [], zone.change, None, is_more=False)
        if self.empty_pages > 0:
            self.empty_pages -= 1
            return self._page(zone, [], since, None, is_more=True)
        limit = min(int(asked.get("resultsLimit", outer)), self.page)
        rows = list(islice(zone.changes(since), limit + 1))
        is_more = len(rows) > limit
        until = rows[limit - 1].change if is_more else zone.change
        return self._page(zone, rows[:limit], until, asked.get("desiredKeys"), is_more=is_more)

    def _page(
        self,
        zone: Zone,
        rows: list[Row],
        until: int,
        keys: Collection[str] | None,
        *,
        is_more: bool,
    ) -> Json:
        return {
            "zoneID": zone_id(zone),
            "syncToken": _seal("zone", zone.name, zone.epoch, until),
            "moreComing": is_more,
            "records": [self._writer.record(zone, row, keys) for row in rows],
        }

    def _query(self, call: Call) -> Answer:
        zone, query = self.zone_of(call.json), call.json.get("query", {})
        if zone is None:
            return refusal(404, "ZONE_NOT_FOUND", "Zone does not exist")
        words = {f["fieldName"]: f["fieldValue"]["value"] for f in query.get("filterBy") or []}
        limit = min(int(call.json.get("resultsLimit", self.page)), self.page)
        kind = str(query.get("recordType"))
        if kind == "CheckIndexingState":
            state = {"recordName": "_0", "recordType": kind, "fields": {"state": text("FINISHED")}}
            return answer({"records": [state], "syncToken": self.token(zone)})
        rows = self._rows(zone, kind, words, limit)
        if rows is None:
            return refusal(400, "BAD_REQUEST", f"Type is not marked indexable: {kind}")
        keys = call.json.get("desiredKeys")
        written = [self._writer.record(zone, row, keys) for row in rows]
        return answer({"records": written, "syncToken": self.token(zone)})

    def _rows(self, zone: Zone, kind: str, words: Json, limit: int) -> list[Row] | None:
        parent = str(words.get("parentId", ""))
        if kind == "CPLAlbumByPositionLive":
            albums = [] if parent else [a for a in zone.of(AlbumRow) if not a.is_deleted]
            return [*sorted(albums, key=lambda a: (a.position, a.record))]
        start = int(words.get("startRank", 0))
        members: dict[str, MemberRow] = {}
        if kind.startswith("CPLContainerRelationLive"):
            members = {row.asset: row for row in zone.members(parent)}
            each = 3
            found = _live_members(zone, parent, members)
        else:
            each = 2
            listed = ranked(zone, kind, str(words.get("smartAlbum", "")))
            if listed is None:
                return None
            found = listed
        count = max(1, limit // each)
        page = found[start : start + count]
        if words.get("direction") == "DESCENDING":
            page = found[max(0, start - count + 1) : start + 1][::-1]
        rows: list[Row] = []
        for asset in page:
            rows += [zone.rows[asset.master], asset]
            rows += [members[asset.record]] if asset.record in members else []
        return rows

    def _lookup(self, call: Call) -> Answer:
        zone = self.zone_of(call.json)
        if zone is None:
            return refusal(404, "ZONE_NOT_FOUND", "Zone does not exist")
        keys, names = call.json.get("desiredKeys"), call.json.get("records", [])
        if len(names) > PAGE:
            return refusal(400, "BAD_REQUEST", f"at most {PAGE} records, not {len(names)}")
        written: list[Json] = []
        for asked in names:
            row = zone.rows.get(str(asked["recordName"]))
            if row is None or (record := self._writer.record(zone, row, keys))["deleted"]:
                written.append(
                    {
                        "recordName": asked["recordName"],
                        "reason": "Record not found",
                        "serverErrorCode": "NOT_FOUND",
                    }
                )
            else:
                written.append(record)
        return answer({"records": written, "syncToken": self.token(zone)})

    def _count(self, call: Call) -> Answer:
        answers = []
        for asked in call.json.get("batch", []):
            zone = self.zone_of(asked) or self._library.primary
            [name] = asked["query"]["filterBy"]["fieldValue"]["value"]
            kind, _, album = str(name).partition(":")
            if kind.startswith("CPLContainerRelation"):
                count = len(zone.members(album))
            else:
                count = sum(not a.is_deleted and not a.is_hidden for a in zone.of(AssetRow))
            record = {
                "recordName": name, "recordType": "IndexCountResult", "fields": {"itemCount": number(count)},
            }  # fmt: skip
            answers.append({"records": [record], "syncToken": self.token(zone)})
        return answer({"batch": answers})


def _no_zones(_call: Call) -> Answer:
    return answer({"zones": []})


def _live_members(zone: Zone, album: str, members: Collection[str]) -> list[AssetRow]:
    row = zone.rows.get(album)
    if not isinstance(row, AlbumRow) or row.is_deleted:
        return []
    assets = (zone.rows[name] for name in members if name in zone.rows)
    live = [a for a in assets if isinstance(a, AssetRow) and not a.is_deleted]
    return sorted(live, key=lambda a: (a.taken_at, a.record))


def _zone_fault(asked: Json, code: str, reason: str) -> Json:
    return {"zoneID": asked.get("zoneID"), "serverErrorCode": code, "reason": reason}


def _seal(kind: str, name: str, epoch: int, change: int) -> str:
    return base64.b64encode(json.dumps([kind, name, epoch, change, OWNER]).encode()).decode()


def _since(kind: str, name: str, epoch: int, token: object) -> int | None:
    """The change up to which a token has seen; None: it is none of ours, or of another time."""
    if not token:
        return 0
    try:
        given = json.loads(base64.b64decode(str(token), validate=True))
    except ValueError:
        return None
    return int(given[3]) if given[:3] == [kind, name, epoch] else None
