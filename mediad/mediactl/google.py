"""
`google`: what Google Photos is known to have. By a person's word, or by comparing digests with what was sent.

A list that has only SHA-256 or SHA-1, as a phone can make them, is compared by hashing one of our own copies both
ways: the same SHA and the BLAKE3 of what was sent make one file of the two.
"""

import argparse
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from mediad.mediactl.client import DONE, NO, USAGE, Client, Trouble
from mediad.mediactl.show import clean, complain, document, say
from mediad.mediactl.takeout import PIECE, Held, held

AT_ONCE: Final = 200
LONGEST_LINE: Final = 64 << 10
SHOWN: Final = 20  # refusals that are told one by one
SUMS: Final = ("sha256", "sha1")
_RUNGS: Final = {"backed-up": "google-has"}  # words of lists that are others in the journal
_KEPT: Final = ("name", "size", "blake3", "sha256", "sha1", "state", "at")


@dataclass
class Report:
    matched: int = 0
    already: int = 0
    unknown: int = 0
    refused: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what a list says beside its files
    assets: set[int] = field(default_factory=set)

    def add(self, answer: Mapping[str, Any]) -> None:
        self.matched += answer["matched"]
        self.already += answer["already"]
        self.unknown += answer["unknown"]
        self.refused += answer["refused"]
        self.assets.update(answer["assets"])

    def refuse(self, name: object, why: str) -> None:
        self.refused.append({"name": str(name), "why": why})


def google(client: Client, words: argparse.Namespace) -> int:
    return {"confirm": _confirm, "import": _import}[words.action](client, words)


def _confirm(client: Client, words: argparse.Namespace) -> int:
    body = {"assets": words.assets, "who": words.who, "why": words.why}
    doc = client.post("/google/confirm", body)
    if words.json:
        document(doc)
    else:
        kept = f"{_some(doc['files'], 'file')} of {_some(len(doc['confirmed']), 'asset')}"
        already = f"; {doc['already']} were known before" if doc["already"] else ""
        say(f"kept as the word of {clean(words.who)}: {kept}{already}")
    return DONE


def _some(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _import(client: Client, words: argparse.Namespace) -> int:
    report = Report()
    ours = _own_folders(client)
    paths = [
        _checked(Path(p).absolute(), ours) for p in words.paths
    ]  # all, before the first is read
    for path in paths:
        _read(client, path, report)
    if words.json:
        document({**asdict(report), "assets": sorted(report.assets)})
    else:
        _tell(report)
    return DONE if report.matched or report.already else NO


def _own_folders(client: Client) -> list[Path]:
    values = client.get("/config")["values"]
    paths = [v for k, v in values.items() if k.startswith("folders.") and isinstance(v, str)]
    return [Path(p).resolve() for p in paths if p]


def _checked(path: Path, ours: Iterable[Path]) -> Path:
    """A copy of our own proves nothing of Google."""
    if not path.exists():
        raise Trouble(f"there is no {clean(path)}; nothing was recorded", USAGE, remedy="check the path")  # fmt: skip
    real = path.resolve()
    if path.is_dir() and any(real.is_relative_to(o) or o.is_relative_to(real) for o in ours):
        raise Trouble(
            f"{clean(path)} is one of mediad's own folders, or holds one: it would prove itself; nothing was recorded",
            USAGE,
            remedy="name a Takeout export",
        )
    return path


def _read(client: Client, path: Path, report: Report) -> None:
    try:
        export = held(path)
        entries = _lines(path, report) if export is None else _digests(export, report)
        how = "evidence-file" if export is None else "takeout"
        while page := list(islice(entries, AT_ONCE)):
            proved = _proved(client, page, report) if export is None else page
            if proved:
                body = {"how": how, "source": path.name, "entries": proved}
                report.add(client.post("/google/evidence", body))
    except OSError as fault:
        raise Trouble(
            f"{clean(path)} cannot be read: {fault.strerror}", NO, remedy="check the path and its rights"
        ) from None  # fmt: skip


def _digests(export: Iterable[Held], report: Report) -> Iterator[dict[str, Any]]:
    for found in export:
        if found.why:
            report.refuse(found.name, found.why)
        else:
            yield {"name": found.name, "size": found.size, "blake3": found.blake3}


# -- an evidence file -------------------------------------------------------------------------------


def _lines(path: Path, report: Report) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST_LINE):
            number += 1
            said = _said(line)
            if said is None:
                report.refuse(f"{path.name}:{number}", "the line is no JSON object")
            elif isinstance(said.get("name"), str):
                yield {k: said[k] for k in _KEPT if said.get(k) is not None}
            else:
                report.notes.append(" ".join(str(said[k]) for k in ("state", "detail") if k in said))  # fmt: skip


def _said(line: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _proved(client: Client, page: list[dict[str, Any]], report: Report) -> list[dict[str, Any]]:
    """Those with a BLAKE3 of their own, and those whose SHA is that of a file which was sent under their name."""
    names = sorted({e["name"] for e in page if not e.get("blake3")})
    found = client.post("/google/candidates", {"names": names})["candidates"] if names else []
    sent = {c["name"]: c for c in found}
    proved = []
    for entry in page:
        if entry.get("blake3"):
            proved.append(entry)
        elif not any(entry.get(s) for s in SUMS):
            report.refuse(entry["name"], "it has no digest: a name or a size alone proves nothing")
        elif entry["name"] not in sent:
            report.unknown += 1
        elif _rung(entry) in sent[entry["name"]]["rungs"]:
            report.already += 1
        elif why := _differs(entry, sent[entry["name"]]):
            report.refuse(entry["name"], why)
        else:
            proved.append({**entry, "blake3": sent[entry["name"]]["blake3"]})
    return proved


def _rung(entry: Mapping[str, Any]) -> str:
    state = str(entry.get("state"))
    return _RUNGS.get(state, state)


def _differs(entry: Mapping[str, Any], sent: Mapping[str, Any]) -> str:
    """Empty: the list's file and the one that was sent are the same bytes. Else why nobody can say so."""
    for path in sent["paths"]:
        try:
            sums = _sums(Path(path))
        except OSError:
            continue
        if sums["blake3"] != sent["blake3"]:
            continue  # the copy is not what it was; another one may be
        if all(str(entry[s]).lower() == sums[s] for s in SUMS if entry.get(s)):
            return ""
        return "other bytes than were sent under this name"
    return "no copy of ours can be read now to compare it with"


def _sums(path: Path) -> dict[str, str]:
    from blake3 import blake3  # noqa: PLC0415 - only who reads files needs it

    sums: dict[str, Any] = {
        "blake3": blake3(),
        "sha256": hashlib.sha256(),
        "sha1": hashlib.sha1(usedforsecurity=False),
    }
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            for one in sums.values():
                one.update(piece)
    return {name: one.hexdigest() for name, one in sums.items()}


def _tell(report: Report) -> None:
    say(
        f"{report.matched} files proven now, {report.already} known before, {report.unknown} are none of ours"
    )
    for note in report.notes:
        say(f"the list says: {clean(note)}")
    for item in report.refused[:SHOWN]:
        complain(f"proves nothing: {clean(item['name'])}: {clean(item['why'])}")
    if len(report.refused) > SHOWN:
        complain(f"and {len(report.refused) - SHOWN} more; --json names all")
    if report.unknown and not report.matched:
        say("a file that Google has made smaller, or changed, is no longer the one that was sent")
