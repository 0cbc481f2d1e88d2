"""How mediactl speaks: one JSON document for programs, plain columns for people, colour only on a terminal."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

_COLOURS: Final = {"red": 31, "green": 32, "yellow": 33, "bold": 1, "dim": 2}
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP: Final = 1024
_SCORES: Final = {  # the ones that people agree with most first
    "ssimulacra2": "SSIMULACRA 2 {:g}",
    "vmaf": "VMAF {:g}",
    "xpsnr_db": "XPSNR {:g} dB",
    "ssim_db": "SSIM {:g} dB",
    "ssim": "SSIM {:g}",
}


def say(text: str = "") -> None:
    sys.stdout.write(f"{text}\n")


def complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def document(doc: object) -> None:
    say(json.dumps(doc, ensure_ascii=False))


def is_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str) -> str:
    if not is_terminal() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def measured(figures: Mapping[str, Any]) -> str:
    """Of a rendition: how small it is beside its original, and the score that it was judged by."""
    told = [f"{figures['ratio']:.0%} of the original"] if "ratio" in figures else []
    for name, words in _SCORES.items():
        if name in figures:
            least = figures.get(f"{name}_least")
            told.append(words.format(figures[name]) + (f" (at least {least:g})" if least else ""))
            break
    return ", ".join(told)


def clean(text: object) -> str:
    """Names come from anywhere: nothing in them may move the cursor or turn the line round."""
    said = str(text)
    if said.isprintable():
        return said
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in said)


def size(n: float) -> str:
    for unit in _UNITS[:-1]:
        if abs(n) < _STEP:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= _STEP
    return f"{n:.1f} {_UNITS[-1]}"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.0f} s"
    minutes, _ = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def columns(rows: Iterable[Sequence[object]], heads: Sequence[str] = ()) -> list[str]:
    """Left-aligned text, right-aligned numbers."""
    table = [[clean(c) for c in row] for row in rows]
    numbers = [bool(table) and all(_is_number(r[i]) for r in table) for i in range(len(heads))]
    lines = [list(heads), *table] if heads else table
    widths = [max(len(r[i]) for r in lines) for i in range(len(lines[0]))] if lines else []
    shown = []
    for row in lines:
        cells = [
            c.rjust(w) if i < len(numbers) and numbers[i] else c.ljust(w)
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        shown.append("  ".join(cells).rstrip())
    if heads:
        shown[0] = paint(shown[0], "bold")
    return shown


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit() or text in {"", "-"}


def status_lines(doc: Mapping[str, Any]) -> list[str]:
    """The whole picture on a screen; stages that are off and never did anything are left out."""
    assets, volume = doc["assets"], doc["bytes"]
    state = paint(doc["state"], "green" if doc["state"] == "running" else "yellow")
    run = f"  run {doc['run']}" if doc.get("run") else ""
    kinds = ("completed", "active", "failed", "held", "duplicates", "quarantined")
    lines = [
        f"mediad {doc['version']}  {state} since {doc['since']}  workflow {doc['workflow']['preset']}{run}",
        f"{assets['total']} assets: " + ", ".join(f"{assets[k]} {k}" for k in kinds),
        ", ".join(f"{size(volume[k])} {k}" for k in ("originals", "renditions", "saved")),
        "",
    ]
    rows = [
        _stage_row(s) for s in doc["workflow"]["stages"] if s["state"] != "off" or _has_lanes(s)
    ]
    lines += columns(rows, ("stage", "state", *_COUNTS, "per min", "left"))
    lines += [
        f"  {s['name']}: {clean(s['why'])}"
        for s in doc["workflow"]["stages"]
        if s["state"] == "on" and s.get("why")
    ]
    lines += ["", *_links(doc["links"]), *_scrub(doc.get("scrub"))]
    for p in doc["problems"]:
        lines += [
            paint(f"! {p['code']}", "red") + f": {clean(p['message'])} (since {p['since']})",
            f"  remedy: {clean(p['remedy'])}",
        ]
    return lines


def _scrub(doc: Mapping[str, Any] | None) -> list[str]:
    """How far the reading again of all copies is; an older daemon tells nothing of it."""
    if doc is None:
        return []
    if doc["state"] == "off":
        return ["scrub: off"]
    by = f", all of them by {doc['whole_by']}" if doc["due_copies"] and doc["whole_by"] else ""
    found = ", ".join(f"{n} {fate}" for fate, n in doc["damage"].items() if n and fate != "over")
    far = f"{doc['share']:.0%} of {doc['copies']} copies read within {doc['cycle_days']:g} days"
    return [f"scrub: {far}{by}; {found or 'nothing wrong'} ({clean(doc['why']) or 'reading'})"]


_COUNTS: Final = ("waiting", "ready", "running", "failed", "held", "done", "skipped")


def _stage_row(stage: Mapping[str, Any]) -> tuple[object, ...]:
    left = duration(stage["eta_seconds"]) if stage["eta_seconds"] != 0 else "-"
    counts = (stage[c] for c in _COUNTS)
    return (stage["name"], stage["state"], *counts, stage["files_per_minute"], left)


def _has_lanes(stage: Mapping[str, Any]) -> bool:
    return any(stage[c] for c in _COUNTS if c != "skipped")


def _links(links: Mapping[str, Mapping[str, str]]) -> list[str]:
    colours = {"up": "green", "down": "red", "off": "dim"}
    return [
        f"{name}: {paint(link['state'], colours[link['state']])}"
        + (f" ({clean(link['detail'])})" if link.get("detail") else "")
        for name, link in links.items()
    ]


def eta(stages: Sequence[Mapping[str, Any]]) -> str:
    known = [s["eta_seconds"] for s in stages if s["eta_seconds"]]
    return duration(max(known)) if known else "-"
