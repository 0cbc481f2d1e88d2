"""Commands about the copies' health: verify, export. Both ask in slices, so that stopping them harms nothing."""

import argparse
import base64
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from mediad.mediactl.client import DONE, NO, Client, Trouble
from mediad.mediactl.show import clean, complain, document, say, size

SLICE_S: Final = 1.0
_KINDS: Final = ("differing", "missing", "unreadable")


def verify(client: Client, words: argparse.Namespace) -> int:
    body: dict[str, Any] = {"sample": words.sample, **({"site": words.site} if words.site else {})}
    doc = _whole(_slices(client, "/verify", body))
    _progress("")
    if words.json:
        document(doc)
    else:
        say(f"{doc['checked']} copies read again, {size(doc['bytes'])} as they were")
        for kind in _KINDS:
            _complain_of(kind, doc[kind])
    return DONE if doc["ok"] else NO


def _whole(slices: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """All the answers as one."""
    doc = next(slices)
    _tell(doc)
    for part in slices:
        for name in ("checked", "bytes", *_KINDS):
            doc[name] += part[name]
        _tell(doc)
    return {**doc, "ok": not any(doc[kind] for kind in _KINDS), "cursor": None}


def _tell(doc: dict[str, Any]) -> None:
    wrong = sum(len(doc[kind]) for kind in _KINDS)
    _progress(
        f"{doc['checked']} of {doc['total']} copies, {size(doc['bytes'])} as they were, {wrong} not"
    )


def _complain_of(kind: str, copies: list[dict[str, Any]]) -> None:
    for c in copies:
        owners = "".join(f" (asset {i})" for i in c.get("assets", ()))
        complain(f"{kind}: {c['site']}/{clean(c['key'])}{owners}: {clean(c['message'])}")
        if c["remedy"]:
            complain(f"  remedy: {clean(c['remedy'])}")


def export(client: Client, words: argparse.Namespace) -> int:
    """The file appears whole or not at all; with a name left out the answer is no."""
    body = {"site": words.site, "format": words.format}
    if words.file and os.path.lexists(words.file):
        raise Trouble(
            f"{words.file} exists already and was left as it is",
            NO,
            remedy="name a file that does not exist yet",
        )
    part = f"{words.file}.part" if words.file else ""
    files, left_out, folder = 0, [], ""
    try:
        with open(part, "xb") if part else os.fdopen(os.dup(sys.stdout.fileno()), "wb") as out:  # noqa: PTH123 - no pathlib at start
            for doc in _slices(client, "/export", body):
                out.write(base64.b64decode(doc["manifest"]))
                files, folder = files + doc["files"], doc["folder"]
                left_out += doc["left_out"]
                _progress(f"{files} files")
        _progress("")
        if part:
            os.link(part, words.file)  # never in the place of another file
    finally:
        if part:
            with suppress(FileNotFoundError):
                os.unlink(part)  # noqa: PTH108 - as above
    for f in left_out:
        complain(f"left out: {f['site']}/{clean(f['key'])}: {clean(f['message'])}")
    if words.file:
        tool = "sha256sum" if words.format == "sha256" else "b3sum"
        path = os.path.abspath(words.file)  # noqa: PTH100 - as above
        how = f"cd {clean(folder)} && {tool} -c {clean(path)}"
        if words.json:
            document({"file": path, "folder": folder, "files": files, "left_out": left_out})
        else:
            say(f"{files} files are in {clean(words.file)}; check them with: {how}")
    return NO if left_out else DONE


def _slices(client: Client, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    while True:
        doc = client.post(path, {**body, "seconds": SLICE_S}, timeout=None)
        yield doc
        if not doc["cursor"]:
            return
        body = {**body, "cursor": doc["cursor"]}


def _progress(text: str) -> None:
    """One line that writes over itself, for somebody who looks on."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()
