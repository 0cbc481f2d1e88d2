"""The whole picture: every stage with its counts, the links, the problems. Costs the same at a million assets."""

from collections.abc import Collection, Mapping
from typing import Literal

from mediad.config import Settings
from mediad.engine import Engine, is_work
from mediad.journal import Condition, Counts, Mark
from mediad.policy.problems import LinkState, Problems, link_states
from mediad.policy.sign_in import link_of
from mediad.ports import SignIn
from mediad.service.answers import AssetsDoc, LinkDoc, ProblemDoc, StageDoc
from mediad.service.words import iso
from mediad.state import STAGE_ORDER, TRANSITIONS, Lane, stage_of

LANES: Mapping[str, Lane] = {t.stage: t.at.lane for t in TRANSITIONS}
_WAITING = (Mark.WAITING, Mark.RETRY, Mark.GATED)
NOT_BUILT = "not part of this version of mediad"


def is_paused(stage: str, paused: Collection[str]) -> bool:
    return stage in paused or "*" in paused


def why_off(stage: str, settings: Settings, engine: Engine) -> str:
    """A sentence when the stage is switched off, or is not there at all; empty when it works."""
    return settings.off().get(stage, "" if stage in engine.stages() else NOT_BUILT)


def stage_docs(
    counts: Counts, paused: Collection[str], settings: Settings, engine: Engine
) -> list[StageDoc]:
    return [
        _stage(name, counts, paused, why_off(name, settings, engine), engine)
        for name in STAGE_ORDER
    ]


def _stage(
    name: str, counts: Counts, paused: Collection[str], off: str, engine: Engine
) -> StageDoc:
    marks: dict[Mark, int] = {}
    for (at, mark), n in counts.standing.items():
        if stage_of(at) == name:
            marks[mark] = marks.get(mark, 0) + n
    running = engine.running(name)
    ready = max(0, marks.get(Mark.READY, 0) - running)
    rate = engine.rate(name)
    state: Literal["on", "off", "paused"] = "on"
    if off:
        state = "off"
    elif is_paused(name, paused):
        state = "paused"
    return {
        "name": name,
        "lane": LANES[name].value,
        "state": state,
        "waiting": sum(marks.get(m, 0) for m in _WAITING),
        "ready": ready,
        "running": running,
        "failed": marks.get(Mark.FAILED, 0),
        "held": marks.get(Mark.HELD, 0),
        "done": counts.done.get(name, 0),
        "skipped": counts.skipped.get(name, 0),
        "files_per_minute": round(rate, 1),
        "eta_seconds": eta_s(ready + running, rate),
        "why": off or engine.closed(name),
    }


def eta_s(left: int, per_minute: float) -> float | None:
    if not left:
        return 0.0
    return round(60 * left / per_minute, 1) if per_minute else None


def assets_doc(counts: Counts) -> AssetsDoc:
    of = counts.conditions
    return {
        "total": counts.assets,
        "active": of.get(Condition.ACTIVE, 0),
        "completed": of.get(Condition.COMPLETED, 0),
        "failed": of.get(Condition.FAILED, 0),
        "held": of.get(Condition.HELD, 0),
        "duplicates": of.get(Condition.DUPLICATE, 0),
        "quarantined": of.get(Condition.QUARANTINED, 0),
    }


def link_docs(
    settings: Settings, problems: Problems, engine: Engine, sign_in: SignIn | None = None
) -> dict[str, LinkDoc]:
    """`sign_in`: how iCloud's stands, where somebody wants to know of that link."""
    off = settings.off()
    built = engine.stages()
    links = {
        "syncthing": _off("batch", off.get("batch", ""), built),
        "pixel": _off("batch", off.get("batch", ""), built),
        "icloud": ""
        if settings.icloud.enabled and "download" in built
        else "[icloud] enabled = false",
        "archive": _off("archive", off.get("archive", ""), built),
        "mirror": "no [mirror] dsn" if not settings.mirror.dsn.get_secret_value() else "",
    }
    if not links["icloud"] and "download" not in built:
        links["icloud"] = NOT_BUILT
    states: dict[str, tuple[LinkState, str]] = {**link_states(links, problems)}
    if sign_in is not None and states["icloud"][0] != "off":
        states["icloud"] = _cloud_link(states["icloud"], sign_in, settings)
    if states["syncthing"][0] == "down" and states["pixel"][0] == "up":
        states["pixel"] = ("down", "Syncthing on this machine is the only one who could tell")
    return {name: {"state": state, "detail": detail} for name, (state, detail) in states.items()}


def _cloud_link(
    state: tuple[LinkState, str], sign_in: SignIn, settings: Settings
) -> tuple[LinkState, str]:
    """The sign-in first: what else is wrong follows from it. A server that stands in for Apple's is always told."""
    link, detail = state if link_of(sign_in)[0] == "up" else link_of(sign_in)
    told = f"not Apple's: {settings.icloud.gateway}" if settings.icloud.gateway else ""
    return link, "; ".join(part for part in (detail, told) if part)


def _off(stage: str, why: str, built: Collection[str]) -> str:
    return why.removeprefix("off by configuration: ") or ("" if stage in built else NOT_BUILT)


def problem_docs(problems: Problems) -> list[ProblemDoc]:
    return [
        {
            "code": p.code,
            "message": p.message,
            "since": iso(p.since),
            "remedy": p.remedy,
            "subject": p.subject,
        }
        for p in problems.now()
    ]


def work_left(counts: Counts, stages: Collection[str], *, retries_count: bool = True) -> int:
    """How many lanes have something to do now. A wait for a later hour or for another lane is not work."""
    return sum(
        n
        for (state, mark), n in counts.standing.items()
        if stage_of(state) in stages and is_work(state, mark, retries_count=retries_count)
    )
