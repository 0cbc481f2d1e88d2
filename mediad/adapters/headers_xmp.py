"""
Dates in XMP, IPTC and the sidecar files beside a picture.

XMP is searched, not parsed: no XML parser meets foreign bytes, so no entity can grow.
"""

import json
import re
from datetime import UTC, datetime, timedelta

from mediad.adapters.headers_base import Header
from mediad.model import Claim, Media

MAX_SIDECAR = 4 << 20
_MAX_XMP = 2 << 20
_NAMES = {
    b"exif:DateTimeOriginal": "DateTimeOriginal",
    b"photoshop:DateCreated": "DateCreated",
    b"xmp:CreateDate": "CreateDate",
    b"xap:CreateDate": "CreateDate",
}
_XMP_DATE = re.compile(
    rb"\b(exif:DateTimeOriginal|photoshop:DateCreated|x[ma]p:CreateDate)"
    rb"(?:\s*=\s*[\"']|\s*>\s*)([0-9T:.,+\-Zz ]{4,40})"
)
_IPTC_DAY = re.compile(rb"\x1c\x02\x37\x00\x08(\d{8})")
_IPTC_TIME = re.compile(rb"\x1c\x02\x3c\x00[\x06\x0b](\d{6})([+-]\d{4})?")
_TAKEOUT_KEYS = frozenset({"photoTakenTime", "creationTime", "imageViews", "geoData"})
_OSXPHOTOS_KEYS = frozenset({"SourceFile", "uuid", "original_filename", "ExifTool:ExifToolVersion"})
_JSON_DATES = {
    "EXIF:DateTimeOriginal": "DateTimeOriginal",
    "DateTimeOriginal": "DateTimeOriginal",
    "QuickTime:CreationDate": "DateTimeOriginal",
    "EXIF:CreateDate": "CreateDate",
    "CreateDate": "CreateDate",
    "date_original": "DateTimeOriginal",
    "date": "DateCreated",
}


def read_xmp(packet: bytes, form: Header, source: str = "xmp") -> None:
    seen = set[bytes]()
    for found in _XMP_DATE.finditer(packet[:_MAX_XMP]):
        if found[1] not in seen:
            seen.add(found[1])
            text = found[2].decode("ascii").strip()
            form.claims.append(Claim(f"{source}:{_NAMES[found[1]]}", _minutes(text)))


def read_iptc(block: bytes, form: Header) -> None:
    day, clock = _IPTC_DAY.search(block), _IPTC_TIME.search(block)
    if day is None:
        return
    ymd = day[1].decode()
    text = f"{ymd[:4]}-{ymd[4:6]}-{ymd[6:]}"
    zone = ""
    if clock is not None:
        hms = clock[1].decode()
        text += f" {hms[:2]}:{hms[2:4]}:{hms[4:]}"
        zone = (clock[2] or b"").decode()
    form.claims.append(Claim("iptc:DateCreated", text, zone))


def read_sidecar(content: bytes, suffix: str) -> Header | None:
    """`suffix` and content must agree; None when this is no sidecar of a picture."""
    form = Header(Media.SIDECAR, suffix)
    if suffix == ".aae":
        is_plist = content.startswith(b"bplist00") or b"<plist" in content[:1024]
        return form if is_plist and b"adjustment" in content else None
    if suffix == ".xmp":
        read_xmp(content, form, "sidecar")
        return form if b"<x:xmpmeta" in content or b"<rdf:RDF" in content else None
    return _read_json(content, form) if suffix == ".json" else None


def _read_json(content: bytes, form: Header) -> Header | None:
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if isinstance(said, list) and said:
        said = said[0]
    if not isinstance(said, dict):
        return None
    if not (_TAKEOUT_KEYS | _OSXPHOTOS_KEYS) & said.keys():
        return None
    taken = said.get("photoTakenTime")
    stamp = str(taken.get("timestamp", "")) if isinstance(taken, dict) else ""
    if stamp.lstrip("-").isdecimal() and len(stamp) < 12:  # noqa: PLR2004 - seconds, for the next 300 years
        moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=int(stamp))
        text = moment.replace(tzinfo=None).isoformat(" ")
        form.claims.append(Claim("sidecar:DateTimeOriginal", text, is_utc=True))
    for key, name in _JSON_DATES.items():
        if isinstance(value := said.get(key), str):
            form.claims.append(Claim(f"sidecar:{name}", _minutes(value)))
    return form


def _minutes(text: str) -> str:
    """A year or a month alone is no capture date: left as it is, it will not be read as one."""
    return text.replace("T", " ", 1)[:40]
