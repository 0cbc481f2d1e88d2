"""Side by side: every round runs each contender once, in turn: a change of the machine's mood hits all alike."""

import json
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

WORK = Path(__file__).parent / "work"
BIN = Path(sys.executable).parent


@dataclass
class Row:
    """One measured thing. `ratio` compares with the row named `beside`; above 1 is better than the peer."""

    what: str
    value: float  # median over the rounds
    unit: str
    low: float
    high: float
    rounds: int
    beside: str = ""
    ratio: float | None = None
    goal: str = ""


@dataclass
class Table:
    title: str
    command: str
    rows: list[Row] = field(default_factory=list)
    note: str = ""


def compare(
    contenders: Mapping[str, Callable[[int], float]],
    unit: str,
    *,
    rounds: int = 5,
    ours: str,
    goals: Mapping[str, str] | None = None,
) -> list[Row]:
    """
    Run every contender once a round; each returns its figure (higher is better).

    The ratio of `ours` to each peer is the median of the ratios of the single rounds.
    """
    seen: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds):
        for name, run in contenders.items():
            seen[name].append(run(turn))
            print(f"  {name}: {seen[name][-1]:.2f} {unit}", flush=True)
    rows = []
    for name, figures in seen.items():
        ratio = None
        if name != ours:
            ratio = statistics.median(a / b for a, b in zip(seen[ours], figures, strict=True))
        rows.append(
            Row(
                name, statistics.median(figures), unit, min(figures), max(figures), rounds,
                beside="" if name == ours else ours, ratio=ratio, goal=(goals or {}).get(name, ""),
            )
        )  # fmt: skip
    return rows


def single(what: str, unit: str, figures: Sequence[float], *, goal: str = "") -> Row:
    """A figure without a peer (memory, say), over several rounds."""
    return Row(
        what, statistics.median(figures), unit, min(figures), max(figures), len(figures), goal=goal
    )


def fresh(name: str) -> Path:
    """A new folder for one run; old ones go at the end of all (deleting slows the next creations down)."""
    path = WORK / f"{name}-{time.monotonic_ns()}"
    path.mkdir(parents=True)
    return path


def timed(run: Callable[[], object]) -> float:
    os.sync()
    began = time.monotonic()
    run()
    return time.monotonic() - began


def sh(*argv: str | Path, **env: str) -> None:
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **env})


def machine() -> dict[str, str]:
    def first_line(*argv: str) -> str:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return (done.stdout or done.stderr).partition("\n")[0]

    return {
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release().partition('-')[0]} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "ffmpeg": first_line("ffmpeg", "-version"),
        "rsync": first_line("rsync", "--version"),
        "load before": " ".join(f"{x:.1f}" for x in os.getloadavg()),
    }


def write(tables: Sequence[Table], folder: Path) -> None:
    """bench/RESULTS.md for people, bench/results.json for programs."""
    about = machine()
    tables = [*tables, *_kept(folder / "results.json", {t.title for t in tables})]
    document = {"machine": about, "tables": [asdict(t) for t in tables]}
    (folder / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    lines = [
        "# Results",
        "",
        "Made by `make bench`. Rows of one table ran in turn in the same rounds; read the ratios, not the absolute",
        "figures: the machine is shared. A ratio is ours to that peer, the median of the single rounds' ratios.",
        "",
        *(f"* {k}: {v}" for k, v in about.items()),
        "",
    ]
    for table in tables:
        lines += [f"## {table.title}", "", f"`{table.command}`", ""]
        lines += [
            "| what | median | spread | unit | ours ÷ this | goal |",
            "|---|---|---|---|---|---|",
        ]
        for r in table.rows:
            ratio = f"{r.ratio:.2f}" if r.ratio is not None else ""
            lines.append(
                f"| {r.what} | {r.value:.4g} | {r.low:.4g} to {r.high:.4g} | {r.unit} | {ratio} | {r.goal} |"
            )
        lines += ["", *([table.note, ""] if table.note else [])]
    (folder / "RESULTS.md").write_text("\n".join(lines))


def _kept(file: Path, anew: set[str]) -> list[Table]:
    if not file.exists():
        return []
    old = json.loads(file.read_text())["tables"]
    return [
        Table(**{**t, "rows": [Row(**r) for r in t["rows"]]}) for t in old if t["title"] not in anew
    ]


def clear() -> None:
    shutil.rmtree(WORK, ignore_errors=True)
