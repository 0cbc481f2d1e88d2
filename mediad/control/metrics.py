"""Figures for Prometheus, in its text format; read from the same picture as `status`."""

from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypeAlias

from mediad.service.answers import StageDoc, StatusDoc
from mediad.service.care_answers import ScrubDoc

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_Count: TypeAlias = Literal["waiting", "ready", "running", "failed", "held"]
_Figure: TypeAlias = Literal["done", "skipped", "files_per_minute"]
_COUNTS: Final[tuple[_Count, ...]] = ("waiting", "ready", "running", "failed", "held")
_FIGURES: Final[tuple[tuple[str, str, _Figure, str], ...]] = (
    ("mediad_stage_done_total", "counter", "done", "Transitions that a stage earned"),
    ("mediad_stage_skipped_total", "counter", "skipped", "Transitions by configuration or by hand"),
    ("mediad_stage_files_per_minute", "gauge", "files_per_minute", "The rate of the last minute"),
)


def text(status: StatusDoc, trust_left_s: float | None = None) -> str:
    """`trust_left_s`: until Apple wants a code again; None: there is no telling, and no figure."""
    return "\n".join(_lines(status, trust_left_s)) + "\n"


def _lines(status: StatusDoc, trust_left_s: float | None) -> Iterator[str]:
    yield from _head("mediad_build_info", "gauge", "Which mediad this is")
    yield _line("mediad_build_info", 1, version=status["version"])
    yield from _head("mediad_assets", "gauge", "Assets by where they stand")
    for state, n in status["assets"].items():
        if state != "total":
            yield _line("mediad_assets", n, state=state)
    yield from _head(
        "mediad_bytes", "gauge", "Bytes of originals, of renditions, and saved by them"
    )
    for kind, n in status["bytes"].items():
        yield _line("mediad_bytes", n, kind=kind)
    yield from _stages(status["workflow"]["stages"])
    yield from _troubles(status)
    yield from _scrub(status["scrub"])
    if trust_left_s is not None:
        name = "mediad_icloud_trust_expires_seconds"
        yield from _head(
            name, "gauge", "Until Apple wants a code again; below 0: it may at any time"
        )
        yield _line(name, round(trust_left_s))


def _stages(stages: Sequence[StageDoc]) -> Iterator[str]:
    yield from _head("mediad_stage_assets", "gauge", "Assets before a stage")
    for stage in stages:
        for state in _COUNTS:
            yield _line("mediad_stage_assets", stage[state], stage=stage["name"], state=state)
    for name, kind, key, what in _FIGURES:
        yield from _head(name, kind, what)
        yield from (_line(name, stage[key], stage=stage["name"]) for stage in stages)


def _troubles(status: StatusDoc) -> Iterator[str]:
    yield from _head("mediad_link_up", "gauge", "1: the outside part answers; 0: it does not")
    for name, link in status["links"].items():
        if link["state"] != "off":
            yield _line("mediad_link_up", int(link["state"] == "up"), link=name)
    yield from _head("mediad_problems", "gauge", "Open problems by code")
    codes = [p["code"] for p in status["problems"]]
    for code in sorted(set(codes)):
        yield _line("mediad_problems", codes.count(code), code=code)


def _scrub(scrub: ScrubDoc) -> Iterator[str]:
    yield from _head(
        "mediad_scrub_copies", "gauge", "Copies by whether they were read within the cycle"
    )
    yield _line("mediad_scrub_copies", scrub["due_copies"], state="due")
    yield _line("mediad_scrub_copies", scrub["copies"] - scrub["due_copies"], state="read")
    yield from _head("mediad_scrub_bytes", "gauge", "The same in bytes")
    yield _line("mediad_scrub_bytes", scrub["due_bytes"], state="due")
    yield _line("mediad_scrub_bytes", scrub["bytes"] - scrub["due_bytes"], state="read")
    yield from _head(
        "mediad_scrub_damage", "gauge", "Damaged copies ever found, by what became of them"
    )
    for fate, n in scrub["damage"].items():
        yield _line("mediad_scrub_damage", n, fate=fate)


def _head(name: str, kind: str, what: str) -> Iterator[str]:
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} {kind}"


def _line(name: str, value: object, **labels: str) -> str:
    pairs = ",".join(f'{k}="{_escaped(v)}"' for k, v in labels.items())
    return f"{name}{{{pairs}}} {value}" if pairs else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
