"""`config` and `version`: what is set and where from; checking and writing a file needs no daemon."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any, Final

from mediad.mediactl.client import DONE, NO, NO_DAEMON, USAGE, Client, Trouble
from mediad.mediactl.show import clean, columns, document, say

UNWRITABLE: Final = (
    "config.unwritable"  # what the daemon answers that may not write its own configuration
)


def config(client: Client, words: argparse.Namespace) -> int:
    return {"show": _show, "check": _check, "set": _set, "setup": _setup}[words.action](
        client, words
    )


def _show(client: Client, words: argparse.Namespace) -> int:
    doc = client.get("/config")
    if words.json:
        document(doc)
        return DONE
    rows = [(key, _text(value), doc["origins"][key]) for key, value in doc["values"].items()]
    say("\n".join(columns(rows, ("key", "value", "from"))))
    return DONE


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return '""' if value == "" else str(value)


def _set(client: Client, words: argparse.Namespace) -> int:
    value = _given(words)
    before = client.get("/config")
    body = {"values": {words.key: value}}
    try:
        doc = client.ask("PUT", "/config", body, headers={"If-Match": f'"{before["etag"]}"'})
    except Trouble as trouble:
        file = Path(before["file"] or "")
        if trouble.doc.get("code") != UNWRITABLE or not os.access(file, os.W_OK):
            raise
        try:
            doc = _set_here(client, file, words.key, value)
        except OSError:
            raise trouble from None
    value, origin = doc["values"].get(words.key), doc["origins"].get(words.key, "")
    if words.json:
        document({"key": words.key, "value": value, "file": doc["file"], "origin": origin})
    elif origin == "file":
        say(f"{words.key} = {_text(value)}   (in {doc['file']}, and in force)")
    else:  # written, but something stronger says otherwise
        say(f"{words.key} is written to {doc['file']}; in force is {_text(value)}, from {origin}")
    return DONE


def _set_here(client: Client, file: Path, key: str, value: str) -> Any:
    """By one who may what the daemon may not: root, for the system's. All or nothing, as the daemon does it."""
    from mediad.config import ConfigFaults, set_value  # noqa: PLC0415 - as in _given

    before = file.read_bytes()
    try:
        set_value(file, key, value)
    except ConfigFaults as faults:
        raise Trouble("\n".join(map(str, faults.faults)), USAGE) from None
    refused = client.post("/reload")["faults"]
    if refused:
        file.write_bytes(before)
        client.post("/reload")
        raise Trouble("\n".join(f"{f['where']}: {f['what']}" for f in refused), USAGE)
    return client.get("/config")


def _given(words: argparse.Namespace) -> str:
    """The value to set. What was typed stays in the process list and the shell's history: never a secret there."""
    from mediad.config.schema import KEYS  # noqa: PLC0415 - pydantic takes longer than all of `status`

    key = KEYS.get(tuple(words.key.split(".")))
    is_secret = key is not None and key.is_secret
    if words.value == "-":
        return _read(words.key, is_secret=is_secret)
    if is_secret and words.value:
        raise Trouble(
            f"{words.key} is a secret, and everybody on this machine can read what is typed here; nothing was changed",
            USAGE,
            remedy=f"mediactl config set {words.key} -   asks for it, or reads it from standard input",
        )
    return str(words.value)


def _read(key: str, *, is_secret: bool) -> str:
    if is_secret and sys.stdin.isatty():
        from getpass import getpass  # noqa: PLC0415 - nobody else needs it

        return getpass(f"{key}: ", sys.stderr)
    return sys.stdin.read().rstrip("\r\n")


def loaded(words: argparse.Namespace) -> Any:
    """The settings as a daemon would read them. Raises ConfigFaults."""
    from mediad.config import load  # noqa: PLC0415 - pydantic takes longer than all of `status`

    file = Path(words.config) if getattr(words, "config", None) else None
    return load(config_file=file, root=Path(words.root) if words.root else None, environ=os.environ)


def _check(client: Client, words: argparse.Namespace) -> int:
    """The named file; else what the daemon reads; else what a daemon would read."""
    words.config = words.file or words.config
    doc = None if words.config or words.root else _checked_by(client)
    doc = doc or _checked_here(words)
    faults = "\n".join(f"{f['where']}: {f['what']}" for f in doc["faults"])
    if words.json:
        document(doc)
    else:
        say(faults or f"{doc.get('file') or 'the configuration'}: fine")
    return DONE if doc["ok"] else USAGE


def _checked_by(client: Client) -> Any:
    try:
        return client.post("/config/check")
    except Trouble as trouble:
        if trouble.code != NO_DAEMON:
            raise
        return None


def _checked_here(words: argparse.Namespace) -> dict[str, Any]:
    from mediad.config import ConfigFaults  # noqa: PLC0415 - as above

    try:
        found = loaded(words)
    except ConfigFaults as faults:
        said = [{"where": f.where, "what": f.what} for f in faults.faults]
        return {"ok": False, "faults": said, "file": words.config}
    return {"ok": True, "faults": [], "file": str(found.file) if found.file else None}


def _setup(_: Client, words: argparse.Namespace) -> int:
    """Asks what it must know, writes a small file, and never in the place of another one."""
    from mediad.config import ConfigFaults, set_value  # noqa: PLC0415 - as above

    root = (
        Path(_answer(words, words.root, "Folder for everything", "~/mediad"))
        .expanduser()
        .absolute()
    )
    archive = _answer(
        words, words.archive, "Folder of the archive (a mounted NAS)", str(root / "nas_archive")
    )
    file = Path(words.file or words.config or root / "mediad.toml").expanduser().absolute()
    if file.exists():
        raise Trouble(
            f"{file} exists already and was left as it is",
            NO,
            remedy="mediactl config set KEY VALUE",
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        set_value(file, "root", str(root))
        if Path(archive).expanduser().absolute() != root / "nas_archive":
            set_value(file, "folders.nas_archive", str(Path(archive).expanduser().absolute()))
    except ConfigFaults as faults:
        raise Trouble("\n".join(str(f) for f in faults.faults), USAGE) from None
    doc = {"file": str(file), "root": str(root), "archive": archive}
    if words.json:
        document(doc)
    else:
        say(
            f"wrote {file}\nstart it: mediad --config {file}\nthen:     mediactl --root {root} doctor"
        )
    return DONE


def _answer(words: argparse.Namespace, given: str | None, question: str, default: str) -> str:
    if given or words.yes:
        return str(given or default)
    sys.stderr.write(f"{question} [{default}]: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() or default


def version(client: Client, words: argparse.Namespace) -> int:
    from mediad import __version__  # noqa: PLC0415 - nobody else needs it

    try:
        daemon = client.get("/status")["version"]
    except Trouble:
        daemon = None
    if words.json:
        document({"mediactl": __version__, "mediad": daemon})
    else:
        say(f"mediactl {__version__}; mediad {clean(daemon) if daemon else 'does not answer'}")
    return DONE
