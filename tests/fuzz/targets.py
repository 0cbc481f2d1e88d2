"""Everything that reads foreign bytes, and what each may say of them. What it says otherwise is a fault of ours."""

import base64
import gzip
import io
import json
import os
import random
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from mediad.adapters import exiftool
from mediad.adapters.headers_base import Source
from mediad.adapters.icloud import records
from mediad.adapters.icloud.wire import refusal
from mediad.adapters.inspector import header
from mediad.adapters.syncthing import answers
from mediad.adapters.video_probe import read_probe
from mediad.config import edit
from mediad.config.faults import ConfigFaults
from mediad.config.loader import build
from mediad.errors import Bug, MediadError
from mediad.mediactl import google, takeout
from mediad.mediactl.client import Trouble
from mediad.model import Site, SiteKey
from mediad.policy.dates import believe
from mediad.service.care import Cursor
from mediad.syncthing_events import Stream
from mediad.testing.clock import StoppedClock
from tests.adapters import forge
from tests.fuzz import motion
from tests.fuzz.mutants import gone_wrong, torn

NOW: Final = 1_795_000_000_000
READ, REFUSED = "read", "refused"


@dataclass(frozen=True, slots=True)
class Target:
    """`deed` says READ or REFUSED of what `mutant` made; anything that it raises is a find."""

    name: str
    seeds: Sequence[Any]
    mutant: Callable[[random.Random], Any]
    deed: Callable[[Any, Path], str]


# -- media and their companions -------------------------------------------------------------------


@cache
def media() -> dict[str, list[bytes]]:
    exif = forge.shot(offset="+02:00", content_id="8A6E-4C1D")
    gps = forge.tiff({0x010F: forge.text("Apple")}, {0x9003: forge.text("2024:07:14 18:03:22")}, {})
    xmp = b'<x:xmpmeta><rdf:RDF xmp:CreateDate="2024-07-14T18:03:22+02:00"/></x:xmpmeta>'
    app13 = forge.segment(0xED, b"Photoshop 3.0\0" + b"\x1c\x02\x37\0\x0820240714")
    packet = forge.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp)
    apple = forge.keys(content_identifier="8A6E", creationdate="2024-07-14T18:03:22+0200")
    return {
        "jpg": [forge.jpeg(exif), forge.jpeg(gps, more=packet + app13)],
        "heic": [forge.heic(exif), forge.heic(exif, b"avif")],
        "mov": [
            forge.movie(created=3_800_000_000, extra=apple),
            forge.movie(b"mp42", 3_800_000_000, is_index_first=True),
        ],
        "mkv": [forge.matroska(nanoseconds=10**17), forge.matroska(b"webm")],
        "tif": [gps, forge.tiff({0x0100: forge.long(4000), 0x0101: forge.long(3000)}, {}, {})],
        "raf": [forge.raf(exif)],
        "png": [forge.png(), forge.png(forge.chunk(b"eXIf", exif))],
        "gif": [forge.gif(), forge.gif(3)],
        "webp": [forge.webp(exif), forge.avi()],
    }


SIDECARS: Final[dict[str, list[bytes]]] = {
    "xmp": [b'<?xpacket?><x:xmpmeta><rdf:RDF exif:DateTimeOriginal="2024-07-14T18:03:22"/></x:xmpmeta>'],
    "aae": [
        b'<?xml version="1.0"?><plist><dict><key>adjustmentData</key></dict></plist>', b"bplist00\xd1adjustment",
    ],
    "json": [
        b'{"title":"a.jpg","photoTakenTime":{"timestamp":"1720972800"},"creationTime":{"timestamp":"0"}}',
        b'[{"date_original":"2024-07-14T18:03:22+02:00","uuid":"8A6E","filename":"a.jpg"}]',
    ],
}  # fmt: skip


def _read_header(content: bytes, folder: Path, *, name: str) -> str:
    path = folder / "mutant"
    path.write_bytes(content)
    fd = os.open(path, os.O_RDONLY)
    try:
        form = header(Source(fd, len(content)), name)
    finally:
        os.close(fd)
    believe(form.claims, now=NOW, name=name)
    assert form.width >= 0
    assert form.height >= 0
    assert form.duration_s >= 0
    return READ if form.media else REFUSED


# -- what servers and programs answer -------------------------------------------------------------

MARK: Final = base64.b64encode(b"\x01" + b"m" * 20).decode()
_RESOURCE: Final = {
    "value": {"fileChecksum": MARK, "size": 100, "downloadURL": "https://x/${f}?e=1533044225"}
}
_ICLOUD: Final[list[Any]] = [[
    {"recordName": MARK, "recordType": "CPLMaster", "fields": {
        "filenameEnc": {"value": base64.b64encode(b"IMG_1.HEIC").decode()}, "itemType": {"value": "public.heic"},
        "resOriginalRes": _RESOURCE, "resOriginalFileType": {"value": "public.heic"}}},
    {"recordName": "A-1", "recordType": "CPLAsset", "recordChangeTag": "1a", "fields": {
        "masterRef": {"value": {"recordName": MARK}}, "assetDate": {"value": 1000}, "addedDate": {"value": 2000},
        "timeZoneOffset": {"value": 3600}, "isExpunged": {"value": 0}, "dateExpunged": {"value": 5},
        "resJPEGFullRes": _RESOURCE, "resJPEGFullFileType": {"value": "public.jpeg"}}},
    {"recordName": "B", "recordType": "CPLAlbum", "fields": {
        "albumNameEnc": {"value": "QQ=="}, "albumType": {"value": 0}}},
    {"recordName": "A-1-IN-B", "recordType": "CPLContainerRelation", "fields": {
        "itemId": {"value": "A-1"}, "containerId": {"value": "B"}, "isDeleted": {"value": 0}}},
    {"serverErrorCode": "THROTTLED", "reason": "later", "retryAfter": 30, "recordName": "C-1", "deleted": True},
]]  # fmt: skip


def _read_records(said: Any, _: Path) -> str:
    rows = said if isinstance(said, list) else [said]
    page = records.sort_out(rows, "PrimarySync")
    for asset in page.assets.values():
        master = page.masters.get(records.master_of(asset))
        found = records.remote(asset, master, "PrimarySync", "_me")
        assert all(f.size > 0 and f.fingerprint for f in found.files)
        records.locations(asset, master)
        records.expunged_at(asset)
        records.is_marked_deleted(asset)
    for row in rows:
        refusal(row)
    return READ if page.assets else REFUSED


_ROW: Final = {
    "name": "a.jpg", "type": "FILE_INFO_TYPE_FILE", "size": 100, "modified": "2026-11-21T02:59:46.98+01:00",
    "deleted": False, "invalid": False, "localFlags": 0, "modifiedBy": "QKX2222", "version": ["QKX2222:5"],
    "blocksHash": "abc",
}  # fmt: skip
_INDEXED: Final[list[Any]] = [{
    "global": _ROW, "local": _ROW, "availability": [{"id": "PIXEL", "fromTemporary": False}],
}]  # fmt: skip
_EVENTS: Final[list[Any]] = [[
    {"id": 1, "type": "RemoteIndexUpdated", "time": "2026-11-21T02:59:46Z",
     "data": {"folder": "f", "device": "PIXEL", "items": 3, "sequence": 9}},
    {"id": 2, "type": "FolderErrors", "time": "", "data": {"folder": "f", "errors": [{"path": "a", "error": "no"}]}},
    {"id": 3, "type": "DeviceDisconnected", "time": "2026-11-21T02:59:46Z", "data": {"id": "PIXEL", "error": "EOF"}},
    {"id": 4, "type": "ConfigSaved", "data": {"devices": [], "folders": []}},
]]  # fmt: skip


def _read_index(said: Any, _: Path) -> str:
    try:
        answers.indexed(said, SiteKey("a.jpg"), "PIXEL")
    except MediadError:
        return REFUSED
    return READ


_NEED: Final[list[Any]] = [[_ROW, {**_ROW, "deleted": True}], [_ROW]]


def _read_need(said: Any, _: Path) -> str:
    try:
        found = list(answers.names(answers.sequence(said, "files"), deleted=True))
    except MediadError:
        return REFUSED
    assert all(isinstance(name, str) for name in found)
    return READ


def _read_events(said: Any, _: Path) -> str:
    stream = Stream(
        None,  # type: ignore[arg-type]  # nobody is asked
        StoppedClock(), folder=lambda: "f", device=lambda: "PIXEL", patience_s=lambda: 60.0,
    )  # fmt: skip
    try:
        rows = answers.sequence(said, "events")
    except MediadError:
        return REFUSED
    news = stream._read(rows)  # type: ignore[arg-type]
    return READ if news.heard else REFUSED


_EXIF: Final[list[Any]] = [[{
    "DateTimeOriginal": "2024:07:14 18:03:22", "OffsetTimeOriginal": "+02:00", "SubSecTimeOriginal": 12,
    "ImageWidth": 4000, "ImageHeight": 3000, "Duration": 1.5, "CreateDate": "2024:07:14 18:03:22",
}]]  # fmt: skip
_STREAM: Final = {
    "codec_type": "video", "codec_name": "hevc", "pix_fmt": "yuv420p10le", "width": 3840, "height": 2160,
    "time_base": "1/600", "nb_frames": "90", "avg_frame_rate": "30000/1001", "field_order": "progressive",
    "side_data_list": [{"side_data_type": "DOVI configuration record", "rotation": -90, "dv_profile": 8}],
    "color_space": "bt2020nc", "disposition": {"default": 1}, "tags": {"language": "und", "handler_name": "Core"},
}  # fmt: skip
_PROBE: Final[list[Any]] = [{
    "whole": {"streams": [_STREAM, {"codec_type": "audio", "codec_name": "aac"}],
              "format": {"duration": "3.0", "tags": {"com.apple.quicktime.creationdate": "2024"}}},
    "first": {"frames": [{"interlaced_frame": 0, "side_data_list": [{"side_data_type": "Mastering display metadata",
              "red_x": "34000/50000", "max_luminance": "10000000/10000"}]}]},
}]  # fmt: skip


def _read_exiftool(said: Any, _: Path) -> str:
    return READ if exiftool._read(json.dumps(said).encode()).claims else REFUSED


def _read_probe(said: Any, _: Path) -> str:
    whole, first = (said.get(k) if isinstance(said, dict) else None for k in ("whole", "first"))
    parts = [part if isinstance(part, dict) else {} for part in (whole, first)]
    return READ if read_probe(*parts).videos else REFUSED


# -- what a person gives --------------------------------------------------------------------------

_TOML: Final = [
    (b'root = "/photos"\n[ingest]\nsettle_seconds = 5\n[compress]\nenabled = true\n[compress.photo]\n'
    b'light_quality = 60\n[safety]\nreserve = "2 GiB"\n[folders]\nnas_archive = "/mnt/nas"\n[sort]\n'
    b'template = "{YYYY}/{MM}/{name}"\n'),
    (b'[syncthing]\nurl = "http://127.0.0.1:8384"\napi_key = "k"\n[icloud]\nenabled = true\nusername = "a@b.c"\n'
    b'[workflow]\npreset = "relay"\n[workflow.joins]\n"archive.due" = ["intake.hashed"]\n'
    b'"library.due" = ["archive.verified"]\n'),
]  # fmt: skip


_KEYS: Final = [
    b"safety.reserve=2 GiB",
    b"compress.photo.light_quality=55",
    b"ingest.settle_seconds=1.5",
]


def _read_companion(said: Any, folder: Path) -> str:
    return _read_header(json.dumps(said).encode(), folder, name="IMG_1.json")


def _read_config(content: bytes, folder: Path) -> str:
    text = content.decode("utf-8", "replace")
    try:
        build(text, None, root=folder, environ={})
    except ConfigFaults:
        return REFUSED
    return READ


def _edit_config(content: bytes, folder: Path) -> str:
    """A key and a value as they are typed, into a good file; what is refused changes nothing."""
    key, _, value = content.decode("utf-8", "replace").partition("=")
    file = folder / "mediad.toml"
    file.write_bytes(_TOML[0])
    try:
        edit.set_value(file, key.strip(), value.strip())
    except Bug:
        raise
    except MediadError:
        assert file.read_bytes() == _TOML[0]
        return REFUSED
    build(file.read_text("utf-8"), file, root=None, environ={})
    return READ


@cache
def _exports() -> list[bytes]:
    names = ["Takeout/Google Photos/2024/a.jpg", "Takeout/Google Photos/2024/b.mp4"]
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as made:
        for name in names:
            made.writestr(name, b"picture" * 99)
    with tarfile.open(fileobj=tarred, mode="w") as made_tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 700
            made_tar.addfile(member, io.BytesIO(b"picture" * 100))
    return [zipped.getvalue(), gzip.compress(tarred.getvalue(), mtime=0), tarred.getvalue()]


def _tar_or_not(chance: random.Random) -> bytes:
    """A tar is hurt before it is packed, or nothing of it is ever reached."""
    zipped, packed, plain = _exports()
    if chance.random() < 0.4:
        return gzip.compress(torn([plain], chance), compresslevel=1, mtime=0)
    return torn([zipped, packed], chance)


def _read_export(content: bytes, folder: Path) -> str:
    path = folder / "export"
    path.write_bytes(content)
    try:
        found = list(takeout.held(path) or ())
    except Trouble:
        return REFUSED
    return READ if any(not one.why for one in found) else REFUSED


_EVIDENCE: Final = [
    b'{"name":"a.jpg","size":9,"sha1":"aa","url":"u","taken":1}\n{"state":"found","detail":"x"}\n{"name":"b","blake3":"b"}'
]


def _read_evidence(content: bytes, folder: Path) -> str:
    path = folder / "evidence.jsonl"
    path.write_bytes(content)
    found = list(google._lines(path, google.Report()))
    assert all(isinstance(one["name"], str) for one in found)
    return READ if found else REFUSED


def _cursor(chance: random.Random) -> str:
    said = json.dumps(gone_wrong([["archive", "2024/a.jpg", 3]], chance)).encode()
    if chance.random() < 0.3:
        said = torn([said], chance)
    text = base64.urlsafe_b64encode(said)
    return (text if chance.random() < 0.8 else torn([text], chance)).decode("utf-8", "replace")


def _read_cursor(text: str, _: Path) -> str:
    try:
        cursor = Cursor.read(text)
    except Bug:
        raise
    except MediadError:
        return REFUSED
    assert Cursor.read(str(cursor)) == cursor
    return READ


def _of_bytes(name: str, seeds: list[bytes], deed: Callable[[bytes, Path], str]) -> Target:
    return Target(name, seeds, partial(torn, seeds), deed)


def _of_json(name: str, seeds: list[Any], deed: Callable[[Any, Path], str]) -> Target:
    return Target(name, seeds, partial(gone_wrong, seeds), deed)


def _joined(name: str, seeds: list[bytes], read: Callable[[bytes, Path], bool]) -> Target:
    return _of_bytes(
        f"motion photo: {name}", seeds, lambda said, at: READ if read(said, at) else REFUSED
    )


def _headers() -> list[Target]:
    kinds = {**media(), **SIDECARS}
    return [
        _of_bytes(f"header {kind}", seeds, partial(_read_header, name=f"IMG_1.{kind}"))
        for kind, seeds in kinds.items()
    ]


TARGETS: Final = (
    *_headers(),
    _of_json(
        "sidecar of Takeout", [json.loads(seed) for seed in SIDECARS["json"]], _read_companion
    ),
    _joined("JPEG", motion.jpegs(), motion.join_jpeg),
    _joined("HEIC", motion.heics(), motion.join_heic),
    _joined("film", motion.films(), motion.read_film),
    _joined("XMP", [motion.XMP, motion.NOTES], motion.add_to_xmp),
    _of_json("records of iCloud", _ICLOUD, _read_records),
    _of_json("index of Syncthing", _INDEXED, _read_index),
    _of_json("needs of Syncthing", _NEED, _read_need),
    _of_json("events of Syncthing", _EVENTS, _read_events),
    _of_json("answer of exiftool", _EXIF, _read_exiftool),
    _of_json("answer of ffprobe", _PROBE, _read_probe),
    _of_bytes("configuration", _TOML, _read_config),
    _of_bytes("config set", _KEYS, _edit_config),
    Target("export of Takeout", _exports()[:2], _tar_or_not, _read_export),
    _of_bytes("evidence of Google", _EVIDENCE, _read_evidence),
    Target("cursor", [str(Cursor(Site.ARCHIVE, SiteKey("2024/a.jpg"), 3))], _cursor, _read_cursor),
)
