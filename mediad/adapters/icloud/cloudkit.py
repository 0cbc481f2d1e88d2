"""
CloudKit's questions about Photos, in raw JSON: what is sent, and what of the answers is believed.

Writes go in batches that are not atomic, and count as done only where the answer shows the record as it was wanted.
"""

import base64
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from mediad.adapters.icloud.faults import ANSWER, NOT_FOUND, THROTTLED, TOKEN, fault, said
from mediad.adapters.icloud.records import BETWEEN, KEYS, PRIMARY, SHARED, Raw
from mediad.adapters.icloud.session import Session
from mediad.errors import MediadError

PAGE: Final = 200  # records: the most that CloudKit gives
LOOKUPS: Final = 200
ADDS: Final = 50
DELETES: Final = 25
_PAGES: Final = 10_000  # of one question: beyond that an answer goes in circles
_SPACING: Final = 1024  # between positions in an album, as Apple's own pages leave it
_DONE: Final = frozenset(
    {"CONFLICT", "EXISTS"}
)  # of a record with a name of ours: it is there already
_NO_SUCH: Final = frozenset({"NOT_FOUND", "UNKNOWN_ITEM", "RECORD_DELETED"})
_TOKENS: Final = frozenset({"BAD_REQUEST", "400"})
_TEXT: Final = 4096  # of a token or a marker
T = TypeVar("T")


class Ask(Protocol):
    """sign_in.Door.ask"""

    def __call__(self, work: Callable[[Session], T], /) -> Awaitable[T]: ...


class CloudKit:
    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._owners: dict[str, str] = {}  # of zones, as they were last told

    # -- reading ------------------------------------------------------------------------------------

    async def changed(self, token: str | None) -> tuple[list[tuple[str, str, bool]], str]:
        """(zone, owner, is gone) of each library with news, and the token to ask with the next time."""
        found: dict[str, tuple[str, str, bool]] = {}
        for _ in range(_PAGES):
            payload: dict[str, object] = {"syncToken": token} if token else {}
            answer = await self._post("/changes/database", payload, token=token)
            for row in _rows(answer, "zones"):
                zone_id = row.get("zoneID")
                name, owner = _zone(zone_id)
                if name == PRIMARY or name.startswith(SHARED):
                    found[name] = name, owner, row.get("deleted") is True
                    self._owners[name] = owner
            token = text_in(answer, "syncToken")
            if not token:
                raise fault(ANSWER, more="no token came with it")
            if answer.get("moreComing") is not True:
                return list(found.values()), token
        raise fault(ANSWER, more="it does not end")

    async def owner(self, zone: str) -> str:
        """Raises Refused when there is no such library."""
        if zone not in self._owners:
            answer = await self._post("/zones/list", {})
            for row in _rows(answer, "zones"):
                name, owner = _zone(row.get("zoneID"))
                self._owners[name] = owner
        if zone not in self._owners:
            raise fault(NOT_FOUND)
        return self._owners[zone]

    async def delta(self, zone: str, token: str) -> tuple[list[object], str | None, bool]:
        """A page of changed records, the token behind it, and whether more is coming."""
        row: dict[str, object] = {"zoneID": await self._zone_id(zone), "desiredKeys": list(KEYS)}
        row |= {"resultsLimit": PAGE, "syncToken": token}
        answer = await self._post("/changes/zone", {"zones": [row]}, token=token)
        rows = _rows(answer, "zones")
        if len(rows) != 1:
            raise fault(ANSWER, more="not the one library that was asked for")
        [page] = rows
        _raise_for(page, token=token)
        return _list(page, "records"), text_in(page, "syncToken"), page.get("moreComing") is True

    async def query(
        self,
        zone: str,
        kind: str,
        *,
        rank: int | None = None,
        parent: str = "",
        marker: str = "",
        keys: Sequence[str] = KEYS,
    ) -> dict[str, Any]:
        filters = []
        if rank is not None:
            filters += [_is("startRank", "INT64", rank), _is("direction", "STRING", "ASCENDING")]
        if parent:
            filters.append(_is("parentId", "STRING", parent))
        payload: dict[str, object] = {
            "query": {"recordType": kind, **({"filterBy": filters} if filters else {})},
            "resultsLimit": PAGE,
            "desiredKeys": list(keys),
            "zoneID": await self._zone_id(zone),
        }
        if marker:
            payload["continuationMarker"] = marker
        return await self._post("/records/query", payload)

    async def by_marker(self, zone: str, kind: str) -> list[object]:
        """All records of a query that has no ranks."""
        found, marker = [], ""
        for _ in range(_PAGES):
            answer = await self.query(zone, kind, marker=marker)
            found += _list(answer, "records")
            marker = text_in(answer, "continuationMarker") or ""
            if not marker:
                return found
        raise fault(ANSWER, more="it does not end")

    async def by_rank(self, zone: str, kind: str, parent: str, counts: str) -> list[object]:
        """All records of a query by rank; `counts`: the type of record that ranks are given to."""
        found: list[object] = []
        rank = 0
        for _ in range(_PAGES):
            answer = await self.query(zone, kind, rank=rank, parent=parent)
            records = _list(answer, "records")
            found += records
            step = sum(1 for r in records if isinstance(r, dict) and r.get("recordType") == counts)
            if not step:
                return found
            rank += step
        raise fault(ANSWER, more="it does not end")

    async def lookup(self, zone: str, names: Iterable[str]) -> dict[str, Raw]:
        """Each record as it is now, by name; those that are no more are left out."""
        wanted = list(dict.fromkeys(names))
        found: dict[str, Raw] = {}
        for start in range(0, len(wanted), LOOKUPS):
            lot = wanted[start : start + LOOKUPS]
            payload: dict[str, object] = {
                "records": [{"recordName": name} for name in lot],
                "zoneID": await self._zone_id(zone),
                "desiredKeys": list(KEYS),
            }
            answer = await self._post("/records/lookup", payload)
            told = _by_name(answer)
            for name in lot:
                record = told.get(name)
                if record is None:
                    raise fault(ANSWER, more="a record that was asked for is not in it")
                code = record.get("serverErrorCode")
                if code is None and record.get("deleted") is not True:
                    found[name] = record
                elif code is not None and code not in _NO_SUCH:
                    raise refused(record)
        return found

    # -- writing ------------------------------------------------------------------------------------

    async def make_album(self, zone: str, record: str, name: str) -> None:
        fields = {
            "albumNameEnc": base64.b64encode(name.encode()).decode(),
            "albumType": 0, "isDeleted": 0, "isExpunged": 0, "position": _SPACING, "sortAscending": 1, "sortType": 1,
        }  # fmt: skip
        told = await self._modify(zone, [_operation("create", "CPLAlbum", record, fields)])
        row = told.get(record)
        if row is None:
            raise fault(ANSWER, more="the album is not in it")
        if "serverErrorCode" in row and row["serverErrorCode"] not in _DONE:
            raise refused(row)

    async def add(
        self, zone: str, album: str, assets: Sequence[str]
    ) -> dict[str, MediadError | None]:
        """By asset. One that is in the album already is success."""
        answers: dict[str, MediadError | None] = {}
        for start in range(0, len(assets), ADDS):
            lot = list(dict.fromkeys(assets[start : start + ADDS]))
            names = {asset: f"{asset}{BETWEEN}{album}" for asset in lot}
            fields = {"containerId": album, "position": _SPACING}
            told = await self._modify(
                zone,
                [
                    _operation(
                        "create", "CPLContainerRelation", names[asset], {"itemId": asset, **fields}
                    )
                    for asset in lot
                ],
            )
            for asset in lot:
                row = told.get(names[asset])
                is_done = row is not None and row.get("serverErrorCode") in {None, *_DONE}
                answers[asset] = None if is_done else refused(row)
        return answers

    async def update(
        self, zone: str, items: Sequence[tuple[str, str]], fields: Mapping[str, object]
    ) -> dict[str, Raw | MediadError]:
        """Assets, each with the tag it was looked up with: the record as it is now, or why it is not."""
        told = await self._modify(
            zone, [_operation("update", "CPLAsset", name, fields, tag) for name, tag in items]
        )
        answers: dict[str, Raw | MediadError] = {}
        for name, _ in items:
            row = told.get(name)
            answers[name] = refused(row) if row is None or "serverErrorCode" in row else row
        return answers

    async def _modify(self, zone: str, operations: list[object]) -> dict[str, Raw]:
        payload: dict[str, object] = {"operations": operations, "atomic": False}
        payload["zoneID"] = await self._zone_id(zone)
        return _by_name(await self._post("/records/modify", payload))

    async def _zone_id(self, zone: str) -> dict[str, str]:
        owner = await self.owner(zone)
        named = {"zoneName": zone}
        return (
            {**named, "ownerRecordName": owner, "zoneType": "REGULAR_CUSTOM_ZONE"}
            if owner
            else named
        )

    async def _post(
        self, path: str, payload: dict[str, object], *, token: str | None = None
    ) -> dict[str, Any]:
        def asked(session: Session) -> dict[str, Any]:
            from mediad.adapters.icloud.wire import RefusedByCloudKitError  # noqa: PLC0415

            try:
                return session.post(path, payload)
            except RefusedByCloudKitError as refusal:
                if token and refusal.code in _TOKENS:
                    raise fault(TOKEN) from None
                raise

        answer = await self._ask(asked)
        _raise_for(answer, token=token)
        return answer


def refused(row: Raw | None) -> MediadError:
    """What one record's entry says of why it was not taken."""
    if row is None:
        return fault(ANSWER, more="a record that was asked for is not in it")
    code, reason = row.get("serverErrorCode"), row.get("reason")
    return said(code if isinstance(code, str) else "", reason if isinstance(reason, str) else "")


def text_in(row: Mapping[str, Any], key: str) -> str | None:
    found = row.get(key)
    return found if isinstance(found, str) and 0 < len(found) <= _TEXT else None


def _raise_for(row: Raw, *, token: str | None) -> None:
    code = row.get("serverErrorCode")
    if code is None:
        return
    if token and code in _TOKENS:
        raise fault(TOKEN)
    after = row.get("retryAfter")
    if code in {"THROTTLED", "TRY_AGAIN_LATER"} and isinstance(after, int | float):
        raise fault(THROTTLED, after_s=min(max(float(after), 0.0), 86_400.0))
    raise refused(row)


def _operation(
    verb: str, kind: str, name: str, fields: Mapping[str, object], tag: str = ""
) -> dict[str, object]:
    record: dict[str, object] = {"recordName": name, "recordType": kind}
    record["fields"] = {key: {"value": value} for key, value in fields.items()}
    return {"operationType": verb, "record": record | ({"recordChangeTag": tag} if tag else {})}


def _is(name: str, kind: str, value: object) -> dict[str, object]:
    return {
        "fieldName": name,
        "comparator": "EQUALS",
        "fieldValue": {"type": kind, "value": value},
    }


def _list(answer: Mapping[str, Any], key: str) -> list[object]:
    found = answer.get(key, [])
    if not isinstance(found, list):
        raise fault(ANSWER, more=f"{key} is no list")
    return found


def _rows(answer: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    return [row for row in _list(answer, key) if isinstance(row, dict)]


def _by_name(answer: Mapping[str, Any]) -> dict[str, Raw]:
    rows = _rows(answer, "records")
    return {row["recordName"]: row for row in rows if isinstance(row.get("recordName"), str)}


def _zone(zone_id: object) -> tuple[str, str]:
    if not isinstance(zone_id, dict):
        return "", ""
    name, owner = zone_id.get("zoneName"), zone_id.get("ownerRecordName")
    return (
        name if isinstance(name, str) and len(name) <= 255 else "",  # noqa: PLR2004 - no name is longer
        owner if isinstance(owner, str) and len(owner) <= 255 else "",  # noqa: PLR2004
    )
