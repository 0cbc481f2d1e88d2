"""
The documents that people and programs get, key for key: what contract §7 promises, and what was added since.

Keys are only ever added. Times are ISO 8601 in UTC; a name that is no UTF-8 shows U+FFFD in the place of its odd bytes.
"""

from typing import Any, Literal, TypeAlias

from typing_extensions import (  # pydantic makes the OpenAPI schemas from these
    TypedDict,
)

from mediad.service.care_answers import ScrubDoc
from mediad.service.cloud_answers import CloudAssetDoc
from mediad.service.near_answers import NearDoc

Doc: TypeAlias = dict[str, Any]


class StageDoc(TypedDict):
    name: str
    lane: str
    state: Literal["on", "off", "paused"]
    waiting: int  # for a time, for another lane, or for the next try
    ready: int
    running: int
    failed: int
    held: int
    done: int
    skipped: int
    files_per_minute: float
    eta_seconds: float | None  # null: nobody can tell
    why: str  # why it is off, or takes nothing just now; else empty


class WorkflowDoc(TypedDict):
    preset: str
    stages: list[StageDoc]


class AssetsDoc(TypedDict):
    total: int
    active: int
    completed: int
    failed: int
    held: int
    duplicates: int
    quarantined: int


class BytesDoc(TypedDict):
    originals: int
    renditions: int
    saved: int


class LinkDoc(TypedDict):
    state: Literal["up", "down", "off"]
    detail: str


class ProblemDoc(TypedDict):
    code: str
    message: str
    since: str
    remedy: str
    subject: str


class StatusDoc(TypedDict):
    version: str
    state: Literal["running", "paused", "stopping"]
    since: str
    dry_run: bool
    workflow: WorkflowDoc
    assets: AssetsDoc
    bytes: BytesDoc
    links: dict[str, LinkDoc]
    problems: list[ProblemDoc]
    scrub: ScrubDoc
    run: int | None  # the run order that is being carried out
    root: str


class CapturedDoc(TypedDict):
    at: str  # local time with its offset, where one is known
    offset: str | None
    source: str


class FileDoc(TypedDict):
    role: str
    name: str
    size: int
    blake3: str | None
    mtime_ns: int
    path: str | None  # where it is now; null: nowhere that we know of


class CopyDoc(TypedDict):
    site: str
    key: str
    blake3: str
    verified_at: str
    method: str
    path: str


class RenditionDoc(TypedDict):
    recipe: str
    site: str
    key: str
    blake3: str
    size: int
    path: str
    figures: Doc


class WitnessDoc(TypedDict):
    rung: str  # of the truth ladder: indexed, phone-has, phone-hash, phone-freed, phone-changed, google-has
    at: str
    how: str
    original: int
    detail: Doc


class PlacementDoc(TypedDict):
    original: int
    film: int | None  # the other half, where the file is one motion photo made of both
    name: str
    batch: int
    key: str
    path: str
    version: str | None  # Syncthing's version of exactly these bytes; null: not indexed yet
    blake3: str
    size: int
    rung: str | None


class PhoneDoc(TypedDict):
    """What is known of an asset on its way over the phone to Google Photos, and never more than that."""

    rung: str | None  # the highest that every file of it has reached
    batch: int | None
    key: str | None  # of the primary
    version: str | None
    files: list[PlacementDoc]
    witnesses: list[WitnessDoc]
    google: str  # "proven …", or "not proven"


class ErrorDoc(TypedDict):
    code: str
    message: str
    remedy: str


class StepDoc(TypedDict):
    stage: str
    state: Literal["ready", "waiting", "running", "failed", "held", "paused"]
    attempts: int
    not_before: str | None
    reason: str
    error: ErrorDoc | None


HistoryDoc = TypedDict(
    "HistoryDoc",
    {
        "seq": int,
        "at": str,
        "asset": int,
        "stage": str,
        "from": str | None,
        "to": str | None,
        "evidence": Doc,
    },
)


class AssetDoc(TypedDict):
    id: int
    name: str
    kind: str
    source: str
    seen_at: str
    captured_at: CapturedDoc | None
    confidence: str  # in that date: sure, likely, guess
    state: str
    duplicate_of: int | None
    absorbed_by: int | None
    files: list[FileDoc]
    copies: list[CopyDoc]
    renditions: list[RenditionDoc]
    position: dict[str, str]
    steps: list[StepDoc]
    history: list[HistoryDoc]
    phone: PhoneDoc
    icloud: CloudAssetDoc | None  # null: it did not come from there
    near: list[NearDoc]  # other assets that look the same; nothing is done about them


class PlannedDoc(TypedDict):
    asset: int
    name: str
    stage: str
    verdict: Literal["act", "done", "merge", "wait", "leave", "ask", "refuse"]
    what: str
    until: str | None
    code: str  # where a wait is something to know: what it is called, and what to do
    remedy: str


class StoryDoc(AssetDoc):
    plan: list[PlannedDoc]
    story: list[str]
    asked: int  # the asset that was asked for: another one when its host answers for it


class LineDoc(TypedDict):
    """One line of `mediactl list`."""

    id: int
    name: str
    kind: str
    source: str
    state: str
    size: int
    seen_at: str
    captured_at: CapturedDoc | None
    position: dict[str, str]
    reason: str
    phone: str | None  # the rung of the truth ladder that all of it has reached


class PageDoc(TypedDict):
    assets: list[LineDoc]
    cursor: str | None  # give it back for the next page; null: that was the last


class RunDoc(TypedDict):
    id: int
    what: str
    state: Literal["running", "finished", "interrupted"]
    started: str
    finished: str | None
    counts: Doc
    config: str


class FindingDoc(TypedDict):
    code: str
    level: Literal["ok", "warning", "fault"]
    message: str
    remedy: str


class DoctorDoc(TypedDict):
    ok: bool
    findings: list[FindingDoc]


class AsOfDoc(StoryDoc):
    """An asset as it was known at a time, from the history alone. Holds and waits of then are not in it."""

    as_of: str


class DatedDoc(TypedDict):
    id: int
    name: str
    captured_at: CapturedDoc | None
    confidence: str  # sure, likely, guess
    library: list[str]  # where the library has it
    position: dict[str, str]


class DatesDoc(TypedDict):
    assets: list[DatedDoc]
    cursor: str | None


class RedatedDoc(DatedDoc):
    becomes: CapturedDoc | None
    goes_to: list[
        str
    ]  # in the library; empty where the library cannot be asked, or beyond the first of many
    changes: bool
    possible: bool
    why: str  # why not


class RedatingDoc(TypedDict):
    run: int | None  # give it to `undo`; null: a preview
    changed: int
    unchanged: int
    refused: int
    assets: list[RedatedDoc]


class UndoneDoc(TypedDict):
    asset: int
    name: str
    row: int  # of the history: what is taken back
    at: str
    what: str
    will: list[str]
    possible: bool
    why: str


class UndoDoc(TypedDict):
    dry_run: bool
    undone: int
    refused: int
    deeds: list[UndoneDoc]


class HeadDoc(TypedDict):
    rows: int
    head: str  # ROW:SEAL, to be kept elsewhere


class AuditDoc(TypedDict):
    ok: bool
    rows: int
    head: str  # of the last row that was followed
    is_end: bool  # false: ask again from `head` on
    broken_at: int | None
    message: str
    backups: list[str]  # whose seals were found again
