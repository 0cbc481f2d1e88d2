"""Commands that order something: wait, retry, skip, pause, resume, run, backup, reload, nas, audit."""

import argparse
import os
from collections.abc import Mapping
from typing import Any, Final

from mediad.mediactl.asking import meant
from mediad.mediactl.client import DONE, NO, TIME_IS_UP, USAGE, Client, Trouble
from mediad.mediactl.running import carry_out, plan_of, show_plan
from mediad.mediactl.show import clean, document, say

GRACE_S: Final = 30.0
_CODES: Final = {"done": DONE, "failed": NO, "time is up": TIME_IS_UP}


def wait(client: Client, words: argparse.Namespace) -> int:
    if words.what and words.idle:
        raise Trouble("either --idle or one asset", USAGE, remedy="mediactl wait --help")
    body: dict[str, Any] = {"what": meant(words.what)} if words.what else {}
    patience = None
    if words.timeout is not None:
        body["timeout"], patience = words.timeout, words.timeout + GRACE_S
    doc = client.post("/wait", body, timeout=patience)
    tell(words, doc, {"done": "nothing is left to do", "failed": "something failed or is held: mediactl errors",
                      "time is up": "time is up, and there is still something to do"}[doc["answer"]])  # fmt: skip
    return _CODES[doc["answer"]]


def tell(words: argparse.Namespace, doc: object, text: str) -> None:
    if words.json:
        document(doc)
    else:
        say(text)


def retry(client: Client, words: argparse.Namespace) -> int:
    marks = [m for m, wanted in (("failed", words.all_failed), ("held", words.all_held)) if wanted]
    if bool(marks) == bool(words.ids):
        raise Trouble(
            "name assets, or --all-failed, or --all-held", USAGE, remedy="mediactl retry --help"
        )
    if marks:
        n = client.post("/retry", {"marks": marks})["retried"]
    else:
        n = sum(client.post(f"/assets/{i}/retry")["retried"] for i in words.ids)
    tell(words, {"retried": n}, f"{n} lanes are ready again")
    return DONE


def skip(client: Client, words: argparse.Namespace) -> int:
    doc = client.post(f"/assets/{words.id}/skip", {"stage": words.stage, "why": words.why})
    tell(words, doc, f"{clean(doc['name'])} passed {words.stage}: {clean(words.why)}")
    return DONE


def pause(client: Client, words: argparse.Namespace) -> int:
    """Both pause and resume."""
    path = f"/stages/{words.stage}" if words.stage else "/workflow"
    if words.stage and not words.stage.isalpha():
        raise Trouble(
            f"there is no stage {words.stage!r}", USAGE, remedy="mediactl status lists them"
        )
    doc = client.post(f"{path}/{words.command}")
    tell(words, doc, f"paused: {', '.join(doc['paused']) or 'nothing'}")
    return DONE


def run(client: Client, words: argparse.Namespace) -> int:
    stages = _stages(client, words)
    if words.interactive:
        from mediad.mediactl.stepping import step  # noqa: PLC0415 - rarely needed

        return step(client, words, stages)
    if words.dry_run:
        doc = plan_of(client, stages)
        if words.json:
            document(doc)
        else:
            show_plan(doc["plan"])
        return DONE
    doc = carry_out(client, stages)
    counts = doc["counts"]
    tell(words, doc, f"run {doc['id']} is done: {_told(counts)}")
    return NO if counts.get("failed") or counts.get("held") else DONE


def _stages(client: Client, words: argparse.Namespace) -> list[str] | None:
    if not (words.stages or words.begin or words.end):
        return None
    order = [s["name"] for s in client.get("/stages")["stages"]]
    named = [s.strip() for s in words.stages.split(",") if s.strip()] if words.stages else order
    for name in (*named, words.begin, words.end):
        if name and name not in order:
            raise Trouble(
                f"there is no stage {name!r}", USAGE, remedy=f"one of: {', '.join(order)}"
            )
    first = order.index(words.begin) if words.begin else 0
    last = order.index(words.end) if words.end else len(order) - 1
    chosen = [s for s in order[first : last + 1] if s in named]
    if not chosen:
        raise Trouble(
            "no stage is left between --from and --to",
            USAGE,
            remedy=f"the order: {', '.join(order)}",
        )
    return chosen


def _told(counts: Mapping[str, Any]) -> str:
    done = [f"{stage} {n}" for stage, n in counts.get("done", {}).items()]
    rest = [f"{n} {k}" for k, n in counts.items() if k != "done" and n]
    return ", ".join([*done, *rest]) or "there was nothing to do"


def backup(client: Client, words: argparse.Namespace) -> int:
    body = {"path": os.path.abspath(words.file)} if words.file else {}  # noqa: PTH100 - spelling only
    doc = client.post("/backup", body, timeout=None)
    tell(words, doc, f"the journal is backed up in {doc['path']}")
    return DONE


def reload(client: Client, words: argparse.Namespace) -> int:
    doc = client.post("/reload")
    faults = "\n".join(f"{f['where']}: {f['what']}" for f in doc["faults"])
    tell(words, doc, faults or "the configuration is in force")
    return DONE if doc["ok"] else USAGE


def nas(client: Client, words: argparse.Namespace) -> int:
    path = os.path.abspath(words.path)  # noqa: PTH100 - spelling only
    doc = client.post("/nas/init", {"path": path, "force": words.force})
    tell(words, doc, "\n".join(doc["done"]) or f"{path} was ready already; nothing was changed")
    return DONE
