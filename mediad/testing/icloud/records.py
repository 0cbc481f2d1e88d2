"""Rows as CloudKit writes them: fields with a value and a type, files with a signed address that runs out."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Collection
from typing import Final
from urllib.parse import parse_qs, urlencode

from mediad.testing.icloud.faults import Json
from mediad.testing.icloud.library import Library, Zone
from mediad.testing.icloud.quirks import Quirks
from mediad.testing.icloud.rows import (
    DAY_MS,
    OWNER,
    AlbumRow,
    AssetRow,
    File,
    Gone,
    MasterRow,
    MemberRow,
    Row,
)

CONTENT_HOST: Final = "cvws.icloud-content.com"
KEPT_MS: Final = 10 * DAY_MS  # how long Apple keeps a record after a person can get it back no more


class Writer:
    """Writes the rows of a library."""

    def __init__(self, library: Library, quirks: Quirks, secret: str) -> None:
        self.library, self._quirks, self._secret = library, quirks, secret
        self.odd: dict[
            str, Callable[[Json], object]
        ] = {}  # by record name: what is done to it at last

    def record(self, zone: Zone, row: Row, keys: Collection[str] | None = None) -> Json:
        if isinstance(row, Gone):
            return {"recordName": row.record, "recordType": None, "deleted": True}
        name, fields = self._fields(zone, row)
        written: Json = {
            "recordName": row.record,
            "recordType": name,
            "fields": fields if keys is None else {k: v for k, v in fields.items() if k in keys},
            "pluginFields": {},
            "recordChangeTag": row.tag,
            "created": _stamp(row.created_at),
            "modified": _stamp(row.modified_at),
            "deleted": False,
            "zoneID": zone_id(zone),
        }
        if isinstance(row, AssetRow | AlbumRow) and row.expunged_at is not None:
            written["expirationTime"] = (row.expunged_at + KEPT_MS) // 1000
        if spoil := self.odd.get(row.record):
            spoil(written)
        return written

    def is_good(self, fingerprint: str, query: str) -> tuple[bool, bool]:
        """Of an address: whether it is one of ours to the letter, and whether it is still good."""
        words = {key: values[0] for key, values in parse_qs(query).items()}
        signature = words.pop("s", "")
        until = words.get("e", "0")
        is_ours = hmac.compare_digest(signature, self._sign(fingerprint, until))
        return is_ours, is_ours and int(until) > self.library.clock.now() // 1000

    def _fields(self, zone: Zone, row: Row) -> tuple[str, Json]:
        match row:
            case MasterRow():
                return "CPLMaster", self._master(zone, row)
            case AssetRow():
                return "CPLAsset", self._asset(zone, row)
            case AlbumRow():
                return "CPLAlbum", _album(row)
            case MemberRow():
                return "CPLContainerRelation", {
                    "itemId": text(row.asset),
                    "position": number(row.position),
                    "containerId": text(row.album),
                }
            case _:
                raise TypeError(row)

    def _master(self, zone: Zone, row: MasterRow) -> Json:
        fields: Json = {
            "filenameEnc": secret(row.name),
            "itemType": text(row.files[0].uti),
            "originalOrientation": number(1),
            "dataClassType": number(1),
        }
        for file in row.files:
            fields |= self._file(zone, file)
        return fields

    def _asset(self, zone: Zone, row: AssetRow) -> Json:
        fields: Json = {
            "assetDate": moment(row.taken_at),
            "addedDate": moment(row.added_at),
            "timeZoneOffset": number(row.offset_s),
            "orientation": number(1),
            "assetSubtype": number(0),
            "assetSubtypeV2": number(row.subtype),
            "isFavorite": number(int(row.is_favourite)),
            "isHidden": number(int(row.is_hidden)),
            "burstFlags": number(0),
            "duration": number(0),
            "masterRef": {
                "value": {
                    "recordName": row.master,
                    "action": "DELETE_SELF",
                    "zoneID": zone_id(zone),
                },
                "type": "REFERENCE",
            },
            **row.extra,
        }
        if row.expunged_at is not None:
            fields |= {"isDeleted": number(1), "dateExpunged": moment(row.expunged_at)}
        if row.burst:
            fields["burstId"] = text(row.burst)
        if row.edited:
            fields["adjustmentType"] = text("com.apple.photo")
        if row.contributor:
            fields["contributors"] = {
                "value": [{"recordName": row.contributor, "zoneID": zone_id(zone)}],
                "type": "REFERENCE_LIST",
            }
        for file in row.edited:
            fields |= self._file(zone, file)
        return fields

    def _file(self, zone: Zone, file: File) -> Json:
        fingerprint = self.library.keep(file)
        return {
            f"{file.part}Fingerprint": text(fingerprint),
            f"{file.part}FileType": text(file.uti),
            f"{file.part}Width": number(file.width),
            f"{file.part}Height": number(file.height),
            f"{file.part}Res": {
                "value": {
                    "fileChecksum": fingerprint,
                    "size": file.body.size,
                    "wrappingKey": _digest16(f"key {fingerprint}"),
                    "referenceChecksum": _reference(fingerprint),
                    "downloadURL": self._address(zone, fingerprint),
                },
                "type": "ASSETID",
            },
        }

    def _address(self, zone: Zone, fingerprint: str) -> str:
        until = str(int(self.library.clock.now() / 1000 + self._quirks.url_s))
        safe = fingerprint.replace("+", "-").replace("/", "_")
        words = urlencode(
            {
                "o": _reference(fingerprint), "v": 1, "x": 3, "a": _digest16(f"a {until}"), "e": until,
                "k": _digest16(f"key {fingerprint}"), "fl": "", "r": "02b17a96-ee7c-4379-aecf-532ffda2c021-1",
                "ckc": "com.apple.photos.cloud", "ckz": zone.name, "p": 10, "s": self._sign(fingerprint, until),
            }
        )  # fmt: skip
        return f"https://{CONTENT_HOST}/B/{safe}{safe}/${{f}}?{words}"

    def _sign(self, fingerprint: str, until: str) -> str:
        content = f"{fingerprint} {until}".encode()
        return hmac.new(self._secret.encode(), content, hashlib.sha256).hexdigest()[:24]


def zone_id(zone: Zone) -> Json:
    return {
        "zoneName": zone.name,
        "ownerRecordName": zone.owner,
        "zoneType": "REGULAR_CUSTOM_ZONE",
    }


def text(value: str) -> Json:
    return {"value": value, "type": "STRING"}


def number(value: int) -> Json:
    return {"value": value, "type": "INT64"}


def moment(value: int) -> Json:
    return {"value": value, "type": "TIMESTAMP"}


def secret(value: str) -> Json:
    return {"value": base64.b64encode(value.encode()).decode(), "type": "ENCRYPTED_BYTES"}


def _album(row: AlbumRow) -> Json:
    fields: Json = {
        "albumNameEnc": secret(row.name),
        "albumType": number(row.kind),
        "position": number(row.position),
        "sortAscending": number(1),
        "sortType": number(1),
        **row.extra,
    }
    if row.expunged_at is not None:
        fields |= {"isDeleted": number(1), "dateExpunged": moment(row.expunged_at)}
    return fields


def _stamp(at: int) -> Json:
    return {"timestamp": at, "userRecordName": OWNER, "deviceID": "2"}


def _digest16(words: str) -> str:
    return base64.b64encode(hashlib.md5(words.encode(), usedforsecurity=False).digest()).decode()


def _reference(fingerprint: str) -> str:
    digest = hashlib.sha1(f"reference {fingerprint}".encode(), usedforsecurity=False).digest()
    return base64.b64encode(b"\x01" + digest).decode()
