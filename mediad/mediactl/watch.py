"""`status --watch` and `logs`: what moves. A picture that stays in its place on a terminal, plain lines elsewhere."""

import argparse
import time
from collections.abc import Mapping
from typing import Any, Final

from mediad.mediactl.client import DONE, Client
from mediad.mediactl.show import clean, document, eta, is_terminal, paint, say, status_lines

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
    from rich.live import Live  # noqa: PLC0415 - slow to import, and only for a person who watches
    from rich.text import Text  # noqa: PLC0415 - as above

    with Live(auto_refresh=False, screen=False) as live:
        while True:
            lines = "\n".join(status_lines(client.get("/status")))
            text = Text.from_ansi(lines, no_wrap=True, overflow="crop")
            live.update(text, refresh=True)
            time.sleep(EVERY_S)


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
    rest = " ".join(f"{k}={clean(v)}" for k, v in line.items() if k not in _OWN)
    head = f"{line.get('ts', '')} {level:<8} {clean(line.get('event', ''))}"
    return f"{paint(head, _COLOURS[level]) if level in _COLOURS else head} {rest}".rstrip()
