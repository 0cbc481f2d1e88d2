"""Giving a rendition back: a JPEG, by the four steps that Apple's own pages take. Nothing of it is believed yet."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from mediad.adapters.icloud.faults import ANSWER, NOT_JPEG, NOT_TAKEN, fault
from mediad.adapters.icloud.hosts import APPLE, route
from mediad.adapters.icloud.records import is_fingerprint
from mediad.model import CloudRef
from mediad.ports import Uploaded

JPEG: Final = b"\xff\xd8\xff"
_NAMES: Final = (".jpg", ".jpeg")
_DUPLICATE: Final = 409
_REFUSED: Final = 400
_UNKNOWN_JOB: Final = 404
_CHARS: Final = 255


@dataclass(frozen=True, slots=True)
class Parcel:
    path: Path
    name: str  # what it is to be called there
    fingerprint: str  # known, and written down, before the first byte leaves
    zone: str


def beginning(fd: int) -> bytes:
    return os.read(fd, len(JPEG))


def must_be_jpeg(beginning: bytes, name: str) -> None:
    if not beginning.startswith(JPEG) or not name.lower().endswith(_NAMES):
        raise fault(NOT_JPEG)


def send(uploader: Any, parcel: Parcel) -> Uploaded:
    """In the one thread. Raises Retryable where Apple does not take it."""
    url = _reserved(uploader, parcel)
    route(url, "", APPLE)  # raises unless it is Apple's
    receipt = uploader.send_bytes(url, parcel.path)
    if receipt.fileChecksum != parcel.fingerprint:
        raise fault(NOT_TAKEN, more="other bytes arrived there than were sent")
    result = _put(uploader, parcel, receipt)
    ref = CloudRef(parcel.zone, result.cplAsset)
    is_duplicate = bool(result.is_duplicate)
    if not is_duplicate:
        _ask_on(uploader, result.uploadJobId)
    return Uploaded(ref, parcel.fingerprint, is_duplicate=is_duplicate)


def _reserved(uploader: Any, parcel: Parcel) -> str:
    mark = str(uuid4())
    size = parcel.path.stat().st_size
    urls = uploader.create_upload_url(zone_name=parcel.zone, assets={mark: size})
    url = urls.get(mark)
    if not isinstance(url, str):
        raise fault(NOT_TAKEN)
    return url


def _put(uploader: Any, parcel: Parcel, receipt: object) -> Any:
    from pyicloud.services.photos_cloudkit.models import PhotosPutAssetFile  # noqa: PLC0415

    # The date that people see comes from the picture's own EXIF; this one is the file's.
    told = PhotosPutAssetFile(
        fileName=parcel.name,
        lastModDate=int(parcel.path.stat().st_mtime * 1000),
        timeZoneOffset=0,
        singleFileUploadRequest=receipt,
    )
    results = uploader.put_asset(
        zone_name=parcel.zone,
        files=[told],
        import_group=str(uuid4()),
        local_time_zone_id="UTC",
    )
    if len(results) != 1:
        raise fault(ANSWER, more="not one answer for the one photo")
    [result] = results
    status = result.response.status if result.response else None
    if not result.is_duplicate and isinstance(status, int) and status >= _REFUSED:
        raise fault(NOT_TAKEN, more=f"status {status}")
    if not isinstance(result.cplAsset, str) or not 0 < len(result.cplAsset) <= _CHARS:
        raise fault(ANSWER, more="no record for the photo")
    if (
        result.cplMaster
        and is_fingerprint(result.cplMaster)
        and result.cplMaster != parcel.fingerprint
    ):
        raise fault(NOT_TAKEN, more="it was filed under other bytes")
    return result


def _ask_on(uploader: Any, job: object) -> None:
    """A job that failed says so; one that is unknown may be through already: the lookup decides."""
    if not isinstance(job, str):
        return
    code = getattr(uploader.upload_status([job]).get(job), "errorCode", None)
    if code not in {None, 0, _UNKNOWN_JOB}:
        raise fault(NOT_TAKEN)
