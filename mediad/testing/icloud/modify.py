"""CloudKit's writing half: creating, changing and deleting records, each answered for itself."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from mediad.testing.icloud.call import Answer, Call, answer, refusal
from mediad.testing.icloud.cloudkit import ROOT, CloudKit
from mediad.testing.icloud.faults import Destroyed, Json, Remembered
from mediad.testing.icloud.library import Zone, new_record
from mediad.testing.icloud.quirks import Quirks
from mediad.testing.icloud.records import Writer
from mediad.testing.icloud.rows import (
    RECOVERABLE_MS,
    AlbumRow,
    AssetRow,
    Gone,
    MemberRow,
    Row,
)

MOST: Final = 200


class NotDone(Exception):
    """Why one record was not changed."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Modify:
    def __init__(
        self, cloudkit: CloudKit, writer: Writer, quirks: Quirks, remembered: Remembered
    ) -> None:
        self._cloudkit, self._writer, self._quirks = cloudkit, writer, quirks
        self._remembered = remembered
        self._kinds: dict[str, Callable[[Zone, Json], Row]] = {
            "create": self._create,
            "update": self._update,
            "forceUpdate": lambda zone, record: self._update(zone, record, is_forced=True),
            "delete": self._delete,
            "forceDelete": lambda zone, record: self._delete(zone, record, is_forced=True),
        }

    def routes(self) -> dict[tuple[str, str], Callable[[Call], Answer]]:
        return {("POST", f"{ROOT}/records/modify"): self._modify}

    def _modify(self, call: Call) -> Answer:
        zone, operations = self._cloudkit.zone_of(call.json), call.json.get("operations", [])
        if zone is None:
            return refusal(404, "ZONE_NOT_FOUND", "Zone does not exist")
        if not operations or len(operations) > MOST:
            return refusal(400, "BAD_REQUEST", f"1 to {MOST} operations, not {len(operations)}")
        if call.json.get("atomic"):
            records = self._all_or_none(zone, operations)
        else:
            records = [self._one(zone, operation) for operation in operations]
        return answer({"records": records, "syncToken": self._cloudkit.token(zone)})

    def _all_or_none(self, zone: Zone, operations: list[Json]) -> list[Json]:
        before = dict(zone.rows), zone.change
        copies = {name: replace(row) for name, row in _touched(zone, operations).items()}
        records = [self._one(zone, operation) for operation in operations]
        if not any("serverErrorCode" in record for record in records):
            return records
        zone.undo(*before, copies)
        failed = {"serverErrorCode": "ATOMIC_ERROR", "reason": "another record of the batch failed"}
        return [
            r if "serverErrorCode" in r else {"recordName": r["recordName"], **failed}
            for r in records
        ]

    def _one(self, zone: Zone, operation: Json) -> Json:
        kind, record = str(operation.get("operationType")), operation.get("record", {})
        destroyed = _destroyed(zone, kind, record)
        try:
            row = self._kinds.get(kind, _unknown)(zone, record)
        except NotDone as error:
            self._remember(destroyed, error.code)
            return {
                "recordName": record.get("recordName"),
                "reason": error.reason,
                "serverErrorCode": error.code,
            }
        self._remember(destroyed, "done")
        if isinstance(row, Gone):
            return {"recordName": row.record, "deleted": True}
        return self._writer.record(zone, row)

    def _remember(self, destroyed: Destroyed | None, outcome: str) -> None:
        if destroyed is not None:
            self._remembered.destroyed.append(replace(destroyed, outcome=outcome))

    def _create(self, zone: Zone, record: Json) -> Row:
        name = str(record.get("recordName") or new_record())
        if not isinstance(zone.rows.get(name, Gone(record=name)), Gone):
            raise NotDone(self._quirks.there_already, "record to insert already exists")
        fields = _values(record)
        match record.get("recordType"):
            case "CPLAlbum":
                album = AlbumRow(
                    record=name, name=_plain(fields["albumNameEnc"]),
                    position=int(fields.get("position", 0)), kind=int(fields.get("albumType", 0)),
                )  # fmt: skip
                return zone.put(album)
            case "CPLContainerRelation":
                member = MemberRow(
                    record=name, asset=str(fields["itemId"]), album=str(fields["containerId"]),
                    position=int(fields.get("position", 1024)),
                )  # fmt: skip
                return zone.put(member)
            case other:
                raise NotDone("ACCESS_DENIED", f"records of type {other} are not made this way")

    def _update(self, zone: Zone, record: Json, *, is_forced: bool = False) -> Row:
        row = self._current(zone, record, is_forced=is_forced)
        if isinstance(row, AssetRow):
            self._update_asset(zone, row, record)
        elif isinstance(row, AlbumRow):
            self._update_album(zone, row, record)
        else:
            raise NotDone("ACCESS_DENIED", "this record cannot be changed")
        if _values(record).get("isExpunged"):
            zone.library.bury(zone, row.record)
            return zone.rows[row.record]
        return zone.put(row)

    def _update_asset(self, zone: Zone, row: AssetRow, record: Json) -> None:
        for name, value in _values(record).items():
            match name:
                case "isDeleted":
                    row.expunged_at = zone.library.clock.now() + RECOVERABLE_MS if value else None
                case "isFavorite":
                    row.is_favourite = bool(value)
                case "isHidden":
                    row.is_hidden = bool(value)
                case _:
                    row.extra = {**row.extra, name: record["fields"][name]}

    def _update_album(self, zone: Zone, row: AlbumRow, record: Json) -> None:
        for name, value in _values(record).items():
            match name:
                case "isDeleted":
                    row.expunged_at = zone.library.clock.now() + RECOVERABLE_MS if value else None
                case "albumNameEnc":
                    row.name = _plain(value)
                case _:
                    row.extra = {**row.extra, name: record["fields"][name]}

    def _delete(self, zone: Zone, record: Json, *, is_forced: bool = False) -> Row:
        row = self._current(zone, record, is_forced=is_forced)
        zone.library.bury(zone, row.record)
        return zone.rows[row.record]

    def _current(self, zone: Zone, record: Json, *, is_forced: bool) -> Row:
        row = zone.rows.get(str(record.get("recordName")))
        if row is None or isinstance(row, Gone):
            raise NotDone("NOT_FOUND", "Record not found")
        tag = record.get("recordChangeTag")
        if not is_forced and not tag:
            raise NotDone("BAD_REQUEST", "missing required field 'recordChangeTag'")
        if not is_forced and tag != row.tag and self._quirks.is_oplock_enforced:
            raise NotDone("CONFLICT", "client oplock error updating record")
        return row


def _unknown(_zone: Zone, _record: Json) -> Row:
    raise NotDone("BAD_REQUEST", "unknown operation")


def _touched(zone: Zone, operations: list[Json]) -> Mapping[str, Row]:
    names = {str(o.get("record", {}).get("recordName")) for o in operations}
    return {name: zone.rows[name] for name in names if name in zone.rows}


def _values(record: Json) -> dict[str, Any]:
    return {name: field.get("value") for name, field in record.get("fields", {}).items()}


def _plain(value: object) -> str:
    return base64.b64decode(str(value)).decode()


def _destroyed(zone: Zone, kind: str, record: Json) -> Destroyed | None:
    fields = _values(record)
    row = zone.rows.get(str(record.get("recordName")))
    if "elete" in kind:
        what = "remove" if isinstance(row, MemberRow) else "delete"
    elif fields.get("isExpunged"):
        what = "expunge"
    elif fields.get("isDeleted"):
        what = "trash"
    else:
        return None
    if kind == "create":  # an album that is made says of itself that it is not deleted
        return None
    return Destroyed(
        at=zone.library.clock.now(),
        operation=kind,
        record_type=type(row).__name__.removesuffix("Row") if row else "",
        record=str(record.get("recordName")),
        zone=zone.name,
        change_tag=str(record.get("recordChangeTag", "")),
        what=what,
        outcome="",
    )
