"""`status --watch` and `logs`: what moves. A picture that stays in its place on a terminal, plain lines elsewhere."""

import argparse
import time
from collections.abc import Mapping
from typing import Any, Final

from mediad.mediactl.client import DONE, Client
from mediad.mediactl.show import (
    clean,
    document,
    duration,
    eta,
    is_terminal,
    paint,
    say,
    status_lines,
)

EVERY_S: Final = 1.0
_COLOURS: Final = {"warning": "yellow", "error": "red", "critical": "red", "debug": "dim"}
_OWN: Final = ("ts", "level", "event")


def watch(client: Client, words: argparse.Namespace) -> int:
    """Until it is interrupted."""
    if is_terminal() and not words.json:
        _picture(client)
    last = None
    while True:
        doc = client.get("/status")
        line = None if words.json else _line(doc)
        if (line or doc) != last:
            last = line or doc
            document(doc) if words.json else say(str(line))
        time.sleep(EVERY_S)


def _picture(client: Client) -> None:
    """A bar for the whole and one for each stage that has work, with rate and time left; below it the usual lines."""
    from rich.console import Group  # noqa: PLC0415 - slow to import, and only for a person who watches
    from rich.live import Live  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    with Live(auto_refresh=False, screen=False) as live:
        while True:
            doc = client.get("/status")
            head, _, rest = "\n".join(status_lines(doc)).partition("\n\n")
            lines = [Text.from_ansi(part, no_wrap=True, overflow="crop") for part in (head, rest)]
            live.update(Group(lines[0], "", _bars(doc), "", lines[1]), refresh=True)
            time.sleep(EVERY_S)


def _bars(doc: Mapping[str, Any]) -> Any:
    from rich.progress_bar import ProgressBar  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table.grid(padding=(0, 2))
    for name, through, left, stage in progress(doc):
        table.add_row(
            name,
            ProgressBar(total=max(through + left, 1), completed=through, width=36),
            f"{through}/{through + left}",
            f"{stage['files_per_minute']:.0f}/min" if stage else "",
            f"{duration(stage['eta_seconds'])} left" if stage and stage["eta_seconds"] else "",
        )
    return table


def progress(doc: Mapping[str, Any]) -> list[tuple[str, int, int, Mapping[str, Any]]]:
    """(name, through, still to come, stage) for the assets as a whole and for each stage that has work now."""
    assets = doc["assets"]
    over = assets["completed"] + assets["duplicates"] + assets["quarantined"]
    rows: list[tuple[str, int, int, Mapping[str, Any]]] = [
        ("all", over, assets["total"] - over, {})
    ]
    for stage in doc["workflow"]["stages"]:
        # What clean waits for is a later hour and no work of now.
        left = stage["ready"] + stage["running"] + stage["failed"] + stage["held"]
        if stage["state"] != "off" and left:
            rows.append((stage["name"], stage["done"] + stage["skipped"], left, stage))
    return rows


def _line(doc: Mapping[str, Any]) -> str:
    stages = doc["workflow"]["stages"]
    busy = [
        f"{s['name']} {s['ready'] + s['running'] + s['waiting']}"
        for s in stages
        if s["ready"] or s["running"]
    ]
    a = doc["assets"]
    return (
        f"{doc['state']}: {a['completed']}/{a['total']} completed, {a['failed']} failed, {a['held']} held"
        f"; {', '.join(busy) or 'idle'}; left {eta(stages)}"
        + "".join(f"; ! {p['code']}" for p in doc["problems"])
    )


def logs(client: Client, words: argparse.Namespace) -> int:
    path = f"/logs?follow={int(words.follow)}&level={words.level}&lines={words.lines}"
    if words.json and not words.follow:
        document({"lines": list(client.stream(path))})
        return DONE
    for line in client.stream(path):
        document(line) if words.json else say(_log_line(line))
    return DONE


def _log_line(line: Mapping[str, Any]) -> str:
    level = str(line.get("level", ""))
    rest = " ".join(f"{k}={clean(v)}" for k, v in line.items() if k not in _OWN and v is not None)
    head = f"{line.get('ts', '')} {level:<8} {clean(line.get('event', ''))}"
    return f"{paint(head, _COLOURS[level]) if level in _COLOURS else head} {rest}".rstrip()
