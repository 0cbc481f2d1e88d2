"""`batches` and `syncthing`: how far each file has come on its way to the phone, and how that way stands."""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

from mediad.mediactl.client import DONE, NO, USAGE, Client, Trouble
from mediad.mediactl.show import clean, columns, complain, document, paint, say, size

_COLOURS: Final = {"ok": "green", "warning": "yellow", "fault": "red"}
_NEEDS_A_PERSON: Final = frozenset({"failed", "held", "stuck"})
_KINDS: Final = ("differing", "missing", "unreadable")


def batches(client: Client, words: argparse.Namespace) -> int:
    match words.words:
        case []:
            return _all(client, words)
        case ["refresh", number]:
            return _refresh(client, words, _number(number))
        case [number] if words.manifest:
            return _check(client, words, _number(number))
        case [number]:
            return _one(client, words, _number(number))
        case _:
            raise Trouble(
                "either one batch, or refresh and one batch",
                USAGE,
                remedy="mediactl batches --help",
            )


def _number(text: str) -> int:
    """12, or batch-000012."""
    digits = text.removeprefix("batch-")
    if not digits.isdecimal() or len(digits) > 18:  # noqa: PLR2004 - 64 bits
        raise Trouble(f"{text!r} is no batch", USAGE, remedy="mediactl batches shows what there is")
    return int(digits)


def _all(client: Client, words: argparse.Namespace) -> int:
    before = f"&before={words.before}" if words.before is not None else ""
    doc = client.get(f"/batches?limit={words.limit}{before}")
    if words.json:
        document(doc)
        return NO if doc["state"] == "off" else DONE
    if doc["state"] != "up":
        say(f"the phone is {doc['state']}: {clean(doc['detail'])}")
    rows = [
        (b["name"], b["state"], b["made_at"], sum(b["counts"].values()), size(b["bytes"]), _counts(b), b["reason"])
        for b in doc["batches"]
    ]  # fmt: skip
    if rows:
        say("\n".join(columns(rows, ("batch", "state", "made", "files", "size", "", "why"))))
    elif doc["state"] != "off":
        say("no batch was made yet")
    return NO if doc["state"] == "off" else DONE


def _counts(batch: Mapping[str, Any]) -> str:
    counts = batch["counts"]
    return ", ".join(f"{n} {state}" for state, n in counts.items()) if len(counts) > 1 else ""


def _one(client: Client, words: argparse.Namespace, number: int) -> int:
    doc = client.get(f"/batches/{number}")
    if words.json:
        document(doc)
    else:
        _show(doc)
    return NO if doc["state"] in _NEEDS_A_PERSON else DONE


def _show(doc: Mapping[str, Any]) -> None:
    reason = f": {clean(doc['reason'])}" if doc["reason"] else ""
    say(f"{paint(doc['name'], 'bold')}  made {doc['made_at']}  {doc['state']}{reason}")
    rows = [
        (f["asset"], f["key"], size(f["size"]), f["state"], f["rung"] or "-", f["blake3"], f["why"])
        for f in doc["files"]
    ]
    say("\n".join(columns(rows, ("asset", "name", "size", "state", "known", "blake3", "why"))))
    for remedy in dict.fromkeys(f["remedy"] for f in doc["files"] if f["remedy"]):
        say(f"remedy: {clean(remedy)}")


def _check(client: Client, words: argparse.Namespace, number: int) -> int:
    doc = client.post(f"/batches/{number}/check", timeout=None)
    if words.json:
        document(doc)
        return DONE if doc["ok"] else NO
    gone = f"; {len(doc['gone'])} have left the shared folder since" if doc["gone"] else ""
    read = f"{doc['checked']} files read again, {size(doc['bytes'])} as they were placed"
    say(f"{doc['name']}: {read}{gone}")
    for kind in _KINDS:
        for line in doc[kind]:
            complain(f"{kind}: {_named(line)}: {clean(line['message'])}")
    return DONE if doc["ok"] else NO


def _named(line: Mapping[str, Any]) -> str:
    return f"{clean(line['key'])} (asset {line['asset']})"


def _refresh(client: Client, words: argparse.Namespace, number: int) -> int:
    doc = client.post(f"/batches/{number}/refresh", timeout=None)
    if words.json:
        document(doc)
        return NO if doc["missing"] or doc["error"] else DONE
    _show(doc["batch"])
    say(f"{doc['retried']} tried again, {doc['roused']} looked at again")
    say(f"{doc['scanned']} names shown to Syncthing")
    if doc["error"]:
        complain(f"Syncthing could not be asked: {clean(doc['error']['message'])}")
        complain(f"  remedy: {clean(doc['error']['remedy'])}")
    for line in doc["missing"]:
        say(f"missing: {_named(line)}: {line['truth']}: {clean(line['why'])}")
    if not doc["missing"]:
        say("nothing is missing")
    return NO if doc["missing"] or doc["error"] else DONE


# -- syncthing --------------------------------------------------------------------------------------


def syncthing(client: Client, words: argparse.Namespace) -> int:
    if (words.yes or words.probe) and words.action != "setup":
        raise Trouble("--yes and --probe belong to setup", USAGE, remedy="mediactl syncthing setup")
    return {"diagnostics": _diagnostics, "setup": _set_up, "rescan": _rescan}[words.action](
        client, words
    )


def _diagnostics(client: Client, words: argparse.Namespace) -> int:
    doc = client.get("/syncthing/diagnostics")
    if words.json:
        document(doc)
        return DONE if doc["ok"] else NO
    if doc["state"] == "off":
        say(f"Syncthing is off: {clean(doc['detail'])}")
    else:
        say(f"Syncthing is {doc['state']}" + (f": {clean(doc['detail'])}" if doc["detail"] else ""))
        say("\n".join(columns(_facts(doc))))
    _findings(doc["findings"])
    return DONE if doc["ok"] else NO


def _facts(doc: Mapping[str, Any]) -> list[tuple[str, str]]:
    folder, phone, heard = doc["folder"], doc["phone"], doc["heard"]
    rows = [("address", doc["url"])]
    if doc["syncthing"]:
        rows.append(("Syncthing here", f"{doc['syncthing']} {doc['my_id'] or ''}"))
    if folder:
        label = folder["label"] or folder["id"]
        state = f"{folder['type']}, {folder['state'] or 'paused'}"
        rows.append(("folder", f"{label} ({folder['id']}), {state}: {folder['path']}"))
    if phone:
        is_there = "connected" if phone["is_connected"] else "not connected"
        since = f" since {phone['since']}" if phone["since"] else ""
        rows.append(("phone", f"{phone['name']} {phone['id']}: {is_there}{since}"))
    if heard:
        rows.append(("last heard", f"{heard['type']} at {heard['at']} (event {heard['id']})"))
    pending = ", ".join(f"{n} {word}" for word, n in doc["pending"].items())
    rows.append(("on the way", pending or "nothing"))
    return rows


def _findings(findings: Iterable[Mapping[str, Any]]) -> None:
    for f in findings:
        say(f"{paint(f['level'], _COLOURS[f['level']])}  {f['code']}: {clean(f['message'])}")
        if f["remedy"]:
            say(f"  remedy: {clean(f['remedy'])}")


def _rescan(client: Client, words: argparse.Namespace) -> int:
    doc = client.post("/syncthing/rescan", timeout=None)
    if words.json:
        document(doc)
    else:
        say("Syncthing has looked at the whole folder")
    return DONE


def _set_up(client: Client, words: argparse.Namespace) -> int:
    """The difference first, then the question, then the change; where nobody can be asked, only the difference."""
    doc = _order(client, is_order=False, probe=words.probe and not words.yes)
    if not words.json:
        _changes(doc)
    if doc["changes"] and (words.yes or _is_wanted(words, len(doc["changes"]))):
        doc = _order(client, is_order=True, probe=words.probe, shown=doc["seal"])
        if not words.json:
            say("changed" if not doc["left"] else f"{len(doc['left'])} changes did not take")
    elif words.yes and words.probe:
        doc = _order(client, is_order=False, probe=True)
    if words.json:
        document(doc)
    else:
        _findings(doc["findings"])
        if not (doc["probe"] and doc["probe"]["answer"] == "honoured"):
            say(clean(doc["ask"]))
        if doc["probe"]:
            say(f"probe: {doc['probe']['answer']}: {clean(doc['probe']['said'])}")
    is_kept = doc["probe"] is None or doc["probe"]["answer"] == "honoured"
    is_unsafe = any(f["level"] == "fault" for f in doc["findings"])
    return NO if doc["left"] or is_unsafe or not is_kept else DONE


def _order(client: Client, *, is_order: bool, probe: bool, shown: str = "") -> Any:
    body = {"apply": is_order, "probe": probe, "shown": shown}
    return client.post("/syncthing/setup", body, timeout=None)


def _changes(doc: Mapping[str, Any]) -> None:
    if not doc["changes"]:
        say("Syncthing is set up as it should be: nothing to change")
    for c in doc["changes"]:
        what = f"{c['subject']} {c['id']}" + (f" {c['key']}" if c["key"] else "")
        change = f"{clean(_value(c['now']))} -> {clean(_value(c['value']))}"
        say(f"{paint(clean(what), 'bold')}: {change}  ({clean(c['why'])})")


def _value(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)


def _is_wanted(words: argparse.Namespace, number: int) -> bool:
    if words.json or not sys.stdin.isatty():
        complain("nothing was changed; with --yes it is")
        return False
    sys.stderr.write(f"make {number} changes in Syncthing? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
