"""The documents of the phone lane, key for key: batches, how Syncthing stands, its set-up, and what Google has."""

from typing import Literal

from typing_extensions import (  # pydantic makes the OpenAPI schemas from these
    TypedDict,
)

from mediad.service.answers import Doc, ErrorDoc, FindingDoc


class BatchFileDoc(TypedDict):
    """One line of the manifest."""

    asset: int
    name: str
    key: str
    path: str
    size: int
    blake3: str
    state: str  # batched, placing, on-its-way, verified, released, left-out, waiting, stuck, held, failed
    rung: str | None
    why: str
    code: str
    remedy: str


class BatchDoc(TypedDict):
    id: int
    name: str
    made_at: str
    state: str  # that of the file which needs a person most, or else is furthest behind
    reason: str
    counts: dict[str, int]
    bytes: int
    files: list[BatchFileDoc]


class BatchesDoc(TypedDict):
    state: Literal["up", "down", "off"]
    detail: str
    batches: list[BatchDoc]
    cursor: str | None  # give it back as `before` for the next page; null: that was the last


class CheckedDoc(TypedDict):
    """A batch's manifest against the disk."""

    id: int
    name: str
    ok: bool
    checked: int
    bytes: int
    gone: list[str]  # keys that have left the shared folder, as they should
    differing: list[Doc]
    missing: list[Doc]
    unreadable: list[Doc]


class MissingDoc(TypedDict):
    asset: int
    name: str
    key: str
    truth: str
    why: str


class RefreshedDoc(TypedDict):
    batch: BatchDoc
    retried: int
    roused: int
    scanned: int
    missing: list[MissingDoc]  # what the phone is not known to have, and why
    error: ErrorDoc | None  # why Syncthing could not be asked


class FolderDoc(TypedDict):
    id: str
    label: str
    path: str
    type: str
    state: str
    error: str


class DeviceDoc(TypedDict):
    id: str
    name: str
    is_connected: bool
    since: str | None


class HeardDoc(TypedDict):
    id: int
    type: str
    at: str


class DiagnosticsDoc(TypedDict):
    state: Literal["up", "down", "off"]
    detail: str
    ok: bool
    url: str
    syncthing: str | None  # version
    my_id: str | None
    folder: FolderDoc | None
    phone: DeviceDoc | None
    heard: HeardDoc | None
    pending: dict[str, int]  # assets by where they stand on the way to the phone
    findings: list[FindingDoc]


class ChangeDoc(TypedDict):
    subject: str
    id: str
    key: str
    now: object
    value: object
    why: str


class ProbeDoc(TypedDict):
    answer: Literal["honoured", "deletes", "no answer", "not asked"]
    said: str


class SetUpDoc(TypedDict):
    changes: list[ChangeDoc]
    seal: str  # give it back as `shown`: only what was shown is changed
    applied: bool
    left: list[ChangeDoc]
    findings: list[FindingDoc]
    ask: str  # what only a person can do, on the phone
    probe: ProbeDoc | None


class ConfirmedDoc(TypedDict):
    confirmed: list[int]
    files: int
    already: int


class RefusedEntryDoc(TypedDict):
    name: str
    why: str


class EvidenceDoc(TypedDict):
    matched: int
    already: int
    unknown: int
    refused: list[RefusedEntryDoc]
    assets: list[int]


class CandidateDoc(TypedDict):
    """A file that was sent under this name, and where its bytes can be read."""

    name: str
    blake3: str
    size: int
    paths: list[str]
    rungs: list[str]  # what is known of it already
