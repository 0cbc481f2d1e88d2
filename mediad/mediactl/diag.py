"""
`diag`: one archive to send to whoever helps, with what they would ask for, and without a secret.

With a daemon its own answers, which hide secrets already; without one what can be seen from here. Everything goes
through the same filter as the log once more. Names of photos are in it, photos are not.
"""

import argparse
import importlib.metadata
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from mediad import __version__
from mediad.config import ConfigFaults, Loaded, Settings
from mediad.config.redaction import Cleaner
from mediad.config.schema import effective
from mediad.mediactl.client import DONE, NO, Client, Trouble
from mediad.mediactl.host import examined
from mediad.mediactl.settings import loaded
from mediad.mediactl.show import document, say
from mediad.service.logs import tail

LINES: Final = 2000
PATIENCE_S: Final = 20
_LIBRARIES: Final = (
    "aiohttp", "anyio", "blake3", "pillow", "pillow-heif", "pydantic", "pyjpegli", "watchfiles",
)  # fmt: skip
_PROGRAMS: Final = {
    "ffmpeg.txt": ("ffmpeg", "-hide_banner", "-version"),
    "exiftool.txt": ("exiftool", "-ver"),
    "service.txt": ("systemctl", "status", "--no-pager", "--lines=0", "mediad.service", "mediad.socket"),
    "unit.txt": ("systemctl", "cat", "--no-pager", "mediad.service", "mediad.socket"),
    "journald.txt": ("journalctl", "--no-pager", "--output=short-iso", f"--lines={LINES}", "--unit=mediad"),
    "mounts.txt": ("findmnt", "--real", "--noheadings", "--output=TARGET,FSTYPE,OPTIONS,SIZE,AVAIL"),
}  # fmt: skip
_ANSWERS: Final = {
    "status.json": "/status",
    "config.json": "/config",
    "errors.json": "/errors",
    "runs.json": "/workflow/runs?limit=20",
}


def diag(client: Client, words: argparse.Namespace) -> int:
    file = Path(words.file or f"mediad-diag-{time.strftime('%Y%m%d-%H%M%S')}.tar.gz").absolute()
    here = _read(words)
    clean = Cleaner(here.settings if isinstance(here, Loaded) else Settings(root=Path("/")))
    parts: dict[str, str] = {}
    for name, gather in _parts(client, words, here).items():
        try:
            parts[name] = _hidden(clean, gather())
        except (Trouble, OSError, subprocess.SubprocessError) as fault:
            parts[name] = _hidden(clean, f"not to be had: {fault}\n")
    _write(file, parts)
    if words.json:
        document({"file": str(file), "parts": sorted(parts)})
    else:
        say(
            f"{file}: {len(parts)} files, no secrets, but names of photos and folders: look before you send it"
        )
    return DONE


def _read(words: argparse.Namespace) -> Loaded | ConfigFaults | OSError:
    try:
        read: Loaded = loaded(words)
    except (ConfigFaults, OSError) as fault:
        return fault
    return read


def _parts(
    client: Client, words: argparse.Namespace, here: Loaded | ConfigFaults | OSError
) -> Mapping[str, Callable[[], object]]:
    parts: dict[str, Callable[[], object]] = {"versions.json": lambda: _versions(client)}
    parts |= {name: partial(client.get, path) for name, path in _ANSWERS.items()}
    parts["doctor.json"] = lambda: examined(client, words)
    parts["log.jsonl"] = lambda: _lines(client.stream(f"/logs?follow=0&lines={LINES}&level=debug"))
    parts |= {name: partial(_said, argv) for name, argv in _PROGRAMS.items()}
    if isinstance(here, Loaded):
        parts["config-here.json"] = lambda: _config(here)
        parts["log-here.jsonl"] = lambda: _lines(tail(here.settings.log_path, LINES, "debug")[0])
    else:
        parts["config-here.txt"] = lambda: f"{here}\n"
    return parts


def _hidden(clean: Cleaner, found: object) -> str:
    if isinstance(found, Mapping):
        return json.dumps(clean(found), ensure_ascii=False, indent=1) + "\n"
    return clean.text(str(found), may_break=True)


def _versions(client: Client) -> Mapping[str, Any]:
    try:
        daemon = client.get("/status")["version"]
    except Trouble as trouble:
        daemon = trouble.what
    return {
        "mediactl": __version__,
        "mediad": daemon,
        "python": sys.version,
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
    }


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _config(here: Loaded) -> Mapping[str, Any]:
    entries = effective(here.settings, here.origins)
    return {"file": str(here.file), "values": {e.key: [e.value, e.origin] for e in entries}}


def _lines(said: Any) -> str:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in said)


def _said(argv: tuple[str, ...]) -> str:
    ended = subprocess.run(  # noqa: S603 - fixed questions to programs of the system
        argv, capture_output=True, text=True, errors="replace", timeout=PATIENCE_S, check=False
    )
    return ended.stdout + ended.stderr


def _write(file: Path, parts: Mapping[str, str]) -> None:
    """For its owner's eyes, and never in the place of something else."""
    try:
        fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise Trouble(
            f"{file} cannot be written ({fault.strerror}); nothing was changed", NO,
            remedy="name another file: mediactl diag FILE",
        ) from None  # fmt: skip
    now = int(os.fstat(fd).st_mtime)
    with os.fdopen(fd, "wb") as out, tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in sorted(parts.items()):
            data = text.encode(errors="replace")
            entry = tarfile.TarInfo(f"{file.name.removesuffix('.tar.gz')}/{name}")
            entry.size, entry.mtime, entry.mode = len(data), now, 0o600
            archive.addfile(entry, io.BytesIO(data))
