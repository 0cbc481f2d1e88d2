"""`run --interactive`: each stage shows its plan and waits for a yes; a no leaves its files as they are."""

import argparse
import sys
from collections.abc import Sequence

from mediad.mediactl.client import DONE, NO, Client
from mediad.mediactl.running import carry_out, plan_of, show_plan
from mediad.mediactl.show import complain, document, say


def step(client: Client, words: argparse.Namespace, stages: Sequence[str] | None) -> int:
    """Everything is paused meanwhile. It stays so if a stage was refused: else that stage would start by itself."""
    all_stages = client.get("/stages")["stages"]
    order = [s["name"] for s in all_stages if s["state"] != "off"]
    were_paused = any(s["state"] == "paused" for s in all_stages)
    client.post("/workflow/pause")
    client.post("/rescan")
    done, refused = [], []
    for name in [s for s in order if stages is None or s in stages]:
        plan = [p for p in plan_of(client, [name])["plan"] if p["verdict"] not in {"wait", "leave"}]
        if not plan:
            continue
        if not words.json:
            show_plan(plan)
        if words.dry_run or not _asked(name, len(plan)):
            refused.append(name)
            continue
        done.append(carry_out(client, [name]))
    is_open = not refused and not were_paused
    if is_open:
        client.post("/workflow/resume")
    if words.json:
        document({"runs": done, "refused": refused, "paused": not is_open})
    else:
        say(
            f"done: {', '.join(r['what'] for r in done) or 'nothing'}; left alone: {', '.join(refused) or 'nothing'}"
        )
    if not is_open:
        complain("everything is paused; `mediactl resume` lets mediad go on by itself")
    return NO if any(r["counts"].get("failed") or r["counts"].get("held") for r in done) else DONE


def _asked(stage: str, files: int) -> bool:
    sys.stderr.write(f"{stage}: go on with {files} files? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
