"""Commands that only ask: status, list, explain, errors and runs."""

import argparse
import os
from collections.abc import Iterator, Mapping
from typing import Any

from mediad.mediactl.client import DONE, USAGE, Client, Trouble
from mediad.mediactl.show import (
    clean,
    columns,
    document,
    measured,
    paint,
    say,
    size,
    status_lines,
)


def status(client: Client, words: argparse.Namespace) -> int:
    if words.watch:
        from mediad.mediactl.watch import watch  # noqa: PLC0415 - rich is slow, and rarely needed

        return watch(client, words)
    doc = client.get("/status")
    if words.json:
        document(doc)
    else:
        say("\n".join(status_lines(doc)))
    return DONE


def asset_list(client: Client, words: argparse.Namespace) -> int:
    if words.near:
        return _near(client, words)
    for line in _assets(client, words):
        if words.json:
            document(line)
        else:
            where = " ".join(f"{lane}.{state}" for lane, state in line["position"].items())
            why = f"  {clean(line['reason'])}" if line["reason"] else ""
            where += f" [{line['phone']}]" if line["phone"] else ""
            say(f"{line['id']:>7}  {line['state']:<11}  {line['kind']:<10}  {size(line['size']):>10}"
                f"  {clean(line['name'])}  {paint(where, 'dim')}{why}")  # fmt: skip
    return DONE


def _near(client: Client, words: argparse.Namespace) -> int:
    if words.stage or words.state or words.since:
        raise Trouble(
            "--near goes with none of --stage, --state and --since", USAGE, remedy="leave them out"
        )
    for pair in _pages(client, words.limit, "/near", "pairs"):
        if words.json:
            document(pair)
            continue
        best = f"better: {pair['better']}" if pair["better"] is not None else ""
        told = "; ".join(
            p for p in ("same burst" if pair["burst"] else best, *pair["reasons"]) if p
        )
        say(f"{pair['of']:>7} {pair['asset']:>7}  {pair['alike']:>3} of 100  {clean(pair['of_name'])}"
            f"  {clean(pair['name'])}  {paint(clean(told), 'dim')}")  # fmt: skip
    return DONE


def _pages(
    client: Client, left: int | None, path: str, key: str, fixed: str = ""
) -> Iterator[dict[str, Any]]:
    cursor = ""
    while left is None or left > 0:
        page = client.get(f"{path}?limit={min(left or 500, 500)}&cursor={cursor}{fixed}")
        yield from page[key]
        left = None if left is None else left - len(page[key])
        cursor = page["cursor"]
        if not cursor:
            return


def _assets(client: Client, words: argparse.Namespace) -> Iterator[dict[str, Any]]:
    asked = {"stage": words.stage, "state": words.state, "since": words.since}
    fixed = "".join(f"&{k}={quoted(v)}" for k, v in asked.items() if v)
    return _pages(client, words.limit, "/assets", "assets", fixed)


def quoted(text: str) -> str:
    """Percent-encoding, without urllib's start-up time."""
    raw = os.fsencode(text)
    return "".join(chr(b) if chr(b).isalnum() and b < 128 else f"%{b:02X}" for b in raw)  # noqa: PLR2004 - ASCII


def meant(text: str) -> str:
    """A path is told whole: the daemon does not know where we stand."""
    return os.path.abspath(text) if os.sep in text else text  # noqa: PTH100 - spelling only, and no pathlib at start


def explain(client: Client, words: argparse.Namespace) -> int:
    then = {"as_of": words.as_of} if words.as_of else {}
    doc = client.post("/explain", {"what": meant(words.what), **then})
    if words.json:
        document(doc)
        return DONE
    captured = doc["captured_at"]
    say(
        f"{paint(clean(doc['name']), 'bold')}  asset {doc['id']}, {doc['kind']} from {doc['source']}: {doc['state']}"
    )
    if "as_of" in doc:
        say(f"  as it was known at {doc['as_of']}")
    if doc["asked"] != doc["id"]:
        say(f"  (asset {doc['asked']} became a part of it)")
    if captured:
        trust = doc["confidence"] + ("" if captured["offset"] else ", offset unknown")
        say(
            f"  taken {captured['at']} ({captured['source']}, {trust}), first seen {doc['seen_at']}"
        )
    _section(
        "files",
        [
            (f["role"], f["name"], size(f["size"]), f["blake3"] or "", f["path"] or "")
            for f in doc["files"]
        ],
    )
    _section(
        "copies", [(c["site"], c["key"], c["verified_at"], c["method"]) for c in doc["copies"]]
    )
    _section(
        "renditions",
        [
            (r["site"], r["key"], r["recipe"], size(r["size"]), measured(r["figures"]))
            for r in doc["renditions"]
        ],
    )
    _section("lanes", _lanes(doc))
    _section("story", [(line,) for line in doc["story"]])
    _section("history", [_history(h) for h in doc["history"]])
    return DONE


def _lanes(doc: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A lane that ends in a state because it is off was not really brought there: iCloud lost nothing."""
    last = {row["to"]: row["evidence"]["kind"] for row in doc["history"] if row["to"]}
    for lane, state in doc["position"].items():
        is_off = last.get(f"{lane}.{state}") == "off by configuration"
        yield lane, f"{state} (off)" if is_off else state


def _history(row: Mapping[str, Any]) -> tuple[str, ...]:
    seen = row["evidence"]
    note = seen.get("note", "")
    told = (
        note
        if note.startswith(seen["kind"])
        else f"{seen['kind']}: {note}"
        if note
        else seen["kind"]
    )
    return (
        row["at"],
        row["stage"],
        f"{row['from'] or '-'} -> {row['to'] or '-'}" if row["from"] or row["to"] else "seen",
        told,
    )


def _section(head: str, rows: Any) -> None:
    lines = columns(list(rows))
    if lines:
        say(paint(head, "bold"))
        say("\n".join(f"  {line}" for line in lines))


def errors(client: Client, words: argparse.Namespace) -> int:
    groups = client.get("/errors")["errors"]
    if words.json:
        document({"errors": groups})
        return DONE
    if not groups:
        say("nothing went wrong")
    for g in groups:
        counts = ", ".join(
            f"{g[m]} {m}" for m in ("failed", "held", "retry", "quarantined") if g[m]
        )
        say(f"{paint(g['code'], 'red')}  {g['count']} ({counts})  {clean(g['message'])}")
        if g["next_retry"]:
            say(f"  next try: {g['next_retry']}")
        if g["remedy"]:
            say(f"  remedy: {clean(g['remedy'])}")
        say("  " + ", ".join(f"{a['id']} {clean(a['name'])}" for a in g["assets"]))
    return DONE


def runs(client: Client, words: argparse.Namespace) -> int:
    found = client.get(f"/workflow/runs?limit={words.limit}")["runs"]
    if words.json:
        document({"runs": found})
        return DONE
    rows = [
        (r["id"], r["state"], r["started"], r["finished"] or "-", r["what"], _counts(r))
        for r in found
    ]
    say("\n".join(columns(rows, ("run", "state", "started", "finished", "what", "counts"))))
    return DONE


def _counts(run: Mapping[str, Any]) -> str:
    counts = run["counts"]
    done = [f"{stage} {n}" for stage, n in counts.get("done", {}).items()]
    return ", ".join([*done, *(f"{n} {k}" for k, n in counts.items() if k != "done" and n)])
