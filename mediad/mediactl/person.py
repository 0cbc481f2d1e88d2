"""Commands of a person's care: dates, undo, and the seals of the history."""

import argparse
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from mediad.mediactl.asking import meant, quoted
from mediad.mediactl.client import DONE, NO, Client
from mediad.mediactl.show import clean, complain, document, is_terminal, say

STEP: Final = 100_000  # rows of the history at a time: so that a person sees it move
_WAYS: Final = ("shift", "zone", "in_zone", "from", "to")


def dates(client: Client, words: argparse.Namespace) -> int:
    if words.action == "list":
        return _list(client, words)
    doc = client.post(f"/dates/{words.action}", _order(words), timeout=None)
    if words.json:
        document(doc)
        return DONE if not doc["refused"] else NO
    for a in doc["assets"]:
        _redated(a)
    if words.action == "preview":
        rest = doc["changed"] + doc["unchanged"] + doc["refused"] - len(doc["assets"])
        more = f"; {rest} more are not shown" if rest > 0 else ""
        say(
            f"{doc['changed']} would change, {doc['unchanged']} would not, {doc['refused']} cannot{more}"
        )
    else:
        say(
            f"run {doc['run']}: {doc['changed']} changed, {doc['unchanged']} as they were, {doc['refused']} refused"
        )
        if doc["changed"]:
            say(
                f"the library follows by itself; mediactl undo --run {doc['run']} takes it all back"
            )
    return DONE if not doc["refused"] else NO


def _list(client: Client, words: argparse.Namespace) -> int:
    asked = {k: getattr(words, k) for k in ("source", "confidence", "folder", "since", "until")}
    fixed = "".join(f"&{k}={quoted(v)}" for k, v in asked.items() if v)
    left, cursor = words.limit, "0"
    while cursor and (left is None or left > 0):
        page = client.get(f"/dates?limit={min(left or 500, 500)}&cursor={cursor}{fixed}")
        for a in page["assets"]:
            if words.json:
                document(a)
            else:
                where = ", ".join(clean(k) for k in a["library"])
                say(
                    f"{a['id']:>7}  {_date(a['captured_at']):<32}  {a['confidence']:<6}  {clean(a['name'])}  {where}"
                )
        left = None if left is None else left - len(page["assets"])
        cursor = page["cursor"]
    return DONE


def _order(words: argparse.Namespace) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for name in ("folder", "since", "until"):
        if value := getattr(words, name):
            body[name] = value
    for name in ("source", "confidence"):
        if value := getattr(words, name):
            body[name] = value.split(",")
    if words.assets:
        body["assets"] = [meant(a) for a in words.assets]
    for name in _WAYS:
        if value := getattr(words, f"take_{name}"):
            body[name] = value
    return body


def _redated(a: Mapping[str, Any]) -> None:
    if not a["possible"]:
        complain(f"{a['id']:>7}  {clean(a['name'])}: {clean(a['why'])}")
        return
    new = _date(a["becomes"]) if a["changes"] else "as it is"
    say(f"{a['id']:>7}  {clean(a['name'])}  {_date(a['captured_at'])} -> {new}")
    if a["changes"]:
        for was, goes in zip(a["library"], sorted(a["goes_to"]), strict=False):
            say(f"         {clean(was)} -> {clean(goes)}")


def _date(captured: Mapping[str, Any] | None) -> str:
    return f"{captured['at']} ({captured['source']})" if captured else "unknown"


def undo(client: Client, words: argparse.Namespace) -> int:
    body: dict[str, Any] = {"dry_run": words.dry_run}
    if words.run is not None:
        body["run"] = words.run
    elif words.row is not None:
        body["row"] = words.row
    elif words.what:
        body["what"] = meant(words.what)
    doc = client.post("/undo", body, timeout=None)
    if words.json:
        document(doc)
        return NO if doc["refused"] else DONE
    for deed in doc["deeds"]:
        head = f"{deed['asset']:>7}  {clean(deed['name'])}, row {deed['row']} of {deed['at']}: {clean(deed['what'])}"
        if deed["possible"]:
            say(head)
            for line in deed["will"]:
                say(f"         {clean(line)}")
        else:
            complain(f"{head}\n         {clean(deed['why'])}")
    verb = "would be taken back" if doc["dry_run"] else "taken back"
    say(f"{doc['undone']} {verb}, {doc['refused']} cannot be")
    return NO if doc["refused"] else DONE


def audit(client: Client, words: argparse.Namespace) -> int:
    if words.action == "head":
        doc = client.get("/audit/head")
        if words.json:
            document(doc)
        else:
            say(doc["head"])
        return DONE
    doc = _followed(client, words.since or "")
    if words.json:
        document(doc)
    elif doc["ok"]:
        kept = (
            f"; the seals in {len(doc['backups'])} backups are among them" if doc["backups"] else ""
        )
        say(f"{doc['rows']} rows of history, all as they were written{kept}")
        say(f"head: {doc['head']}")
    else:
        say(clean(doc["message"]))
    return DONE if doc["ok"] else NO


def _followed(client: Client, since: str) -> dict[str, Any]:
    """A part at a time; each answer says where the next begins."""
    after, backups = "", set()
    shows = is_terminal() and "NO_COLOR" not in os.environ
    while True:
        body: dict[str, Any] = {"limit": STEP}
        body |= {k: v for k, v in (("since", since), ("after", after)) if v}
        doc: dict[str, Any] = client.post("/audit/verify", body, timeout=None)
        backups |= set(doc["backups"])
        if doc["is_end"] or not doc["ok"]:
            if shows and after:
                sys.stderr.write("\r\x1b[K")
            return {**doc, "backups": sorted(backups)}
        after = doc["head"]
        if shows:
            sys.stderr.write(f"\r{doc['rows']} rows followed")
            sys.stderr.flush()
