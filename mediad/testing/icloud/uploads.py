"""The four steps of an upload: an address, the bytes, the asset, and how far it has got. JPEGs only."""

import hashlib
import io
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from PIL import Image

from mediad.testing.icloud.bodies import Body
from mediad.testing.icloud.call import Answer, Call, answer, refusal
from mediad.testing.icloud.cloudkit import CloudKit
from mediad.testing.icloud.faults import Json
from mediad.testing.icloud.fingerprint import fingerprint
from mediad.testing.icloud.library import Library, Zone, new_record
from mediad.testing.icloud.quirks import Quirks
from mediad.testing.icloud.rows import AssetRow, File, MasterRow

HOST: Final = "cws.icloud-content.com"
ROOT: Final = "/photosupload"
JPEG_MAGIC: Final = b"\xff\xd8\xff"
_DATE, _OWN, _OFFSET = 0x9003, 0x8769, 0x9011


@dataclass
class _Sent:
    size: int
    content: bytes | None = None
    receipt: str = ""


class Uploads:
    def __init__(self, library: Library, cloudkit: CloudKit, quirks: Quirks) -> None:
        self._library, self._cloudkit, self._quirks = library, cloudkit, quirks
        self._sent: dict[str, _Sent] = {}
        self._jobs: set[str] = set()

    def routes(self) -> dict[tuple[str, str], Callable[[Call], Answer]]:
        return {
            ("POST", f"{ROOT}/createUploadUrl"): self._create,
            ("POST", f"{ROOT}/putAsset"): self._put,
            ("POST", f"{ROOT}/uploadStatus"): self._status,
        }

    def take(self, call: Call) -> Answer:
        """The bytes, to the content host: the address alone says whose they are."""
        sent = self._sent.get(call.request.query.get("tk", ""))
        if sent is None:
            return answer({"error": "no such upload"}, 403)
        if int(call.request.query["e"]) <= self._library.clock.now() // 1000:
            return answer({"error": "too late"}, 410)
        if len(call.body) != sent.size:
            return answer({"error": f"{sent.size} bytes were promised"}, 400)
        sent.content, sent.receipt = call.body, secrets.token_hex(16)
        return answer({"singleFile": _receipt(sent)})

    def _create(self, call: Call) -> Answer:
        until = self._library.clock.now() // 1000 + 3600
        urls = {}
        for name, size in call.json.get("assets", {}).items():
            token = secrets.token_hex(16)
            self._sent[token] = _Sent(int(size))
            urls[name] = (
                f"https://{HOST}:443/singleFileUpload?tk={token}&c=com.apple.imports.fdb"
                f"&z=PhotosUploadImport&uuid={name}&p=31&e={until}"
            )
        return answer({"uploadUrls": urls})

    def _put(self, call: Call) -> Answer:
        zone = self._library.zones.get(str(call.json.get("zoneName")))
        if zone is None:
            return refusal(404, "ZONE_NOT_FOUND", "Zone does not exist")
        return answer([self._put_one(zone, file) for file in call.json.get("files", [])])

    def _put_one(self, zone: Zone, file: Json) -> Json:
        given = file.get("singleFileUploadRequest", {})
        sent = next((s for s in self._sent.values() if s.receipt == given.get("receipt")), None)
        if sent is None or not sent.receipt or sent.content is None:
            return _said(400, "no such receipt")
        master = fingerprint(sent.content)
        if not sent.content.startswith(JPEG_MAGIC):
            return _said(415, "unsupported media type")
        there = [a for a in zone.assets_of(master) if not a.is_deleted] or zone.arriving(master)
        if there:
            return _said(409, "duplicate asset", cplMaster=master, cplAsset=there[0].record)
        record = self._arrive(zone, master, str(file["fileName"]), sent.content, file)
        job = f"{master}#{zone.name}:{record}"
        self._jobs.add(job)
        return {
            "uploadJobId": job,
            "cplMaster": master,
            "cplAsset": record,
            "response": {"status": 200, "isRetryable": False},
        }

    def _arrive(self, zone: Zone, master: str, name: str, content: bytes, file: Json) -> str:
        now = self._library.clock.now()
        at = now + round(self._quirks.index_delay_s * 1000)
        taken_at, offset_s, size = _exif(content, int(file.get("lastModDate", now)))
        original = File("resOriginal", "public.jpeg", Body.of(content), *size)
        self._library.keep(original)
        record = new_record()
        zone.put_later(MasterRow(record=master, name=name, files=[original]), at)
        asset = AssetRow(
            record=record, master=master, taken_at=taken_at, added_at=now, offset_s=offset_s
        )
        zone.put_later(asset, at)
        return record

    def _status(self, call: Call) -> Answer:
        asked = call.json.get("uploadJobIds", [])
        return answer({job: _progress(job in self._jobs) for job in asked})


def _progress(is_known: bool) -> Json:  # noqa: FBT001 - one word of an answer
    return {"progress": 95} if is_known else {"errorCode": 404}


def _said(status: int, message: str, **more: str) -> Json:
    return {**more, "response": {"status": status, "errorMessage": message}}


def _receipt(sent: _Sent) -> Json:
    content = sent.content or b""
    reference = hashlib.sha1(b"reference" + content, usedforsecurity=False).hexdigest()
    return {
        "referenceChecksum": reference,
        "size": len(content),
        "fileChecksum": fingerprint(content),
        "wrappingKey": "made-up",
        "receipt": sent.receipt,
    }


def _exif(content: bytes, else_at: int) -> tuple[int, int, tuple[int, int]]:
    """When a JPEG says it was taken (UTC ms), the offset of its zone in seconds, and its size in pixels."""
    with Image.open(io.BytesIO(content)) as picture:
        own, size = picture.getexif().get_ifd(_OWN), picture.size
    offset = str(own.get(_OFFSET, "+00:00"))
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    offset_s = (hours * 60 + minutes) * 60 * (-1 if offset.startswith("-") else 1)
    try:
        local = datetime.strptime(str(own.get(_DATE)), "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return else_at, offset_s, size
    return round((local - timedelta(seconds=offset_s)).timestamp() * 1000), offset_s, size
