"""What is told of the copies' health: by the scrub, by `verify`, by `export`. Keys are only ever added."""

from typing import Any, Literal, TypeAlias

from typing_extensions import TypedDict  # pydantic makes the OpenAPI schemas from these

Doc: TypeAlias = dict[str, Any]


class ScrubDoc(TypedDict):
    state: Literal["off", "reading", "resting"]
    why: str  # why it does not read just now; empty while it does
    cycle_days: float
    copies: int
    bytes: int
    share: float  # of the copies that were read whole within the cycle, 0 to 1
    due_copies: int
    due_bytes: int
    oldest: str | None  # since then every copy has been read whole; null: there are none
    whole_by: str | None  # when all that is due will have been read, as far as can be told
    today: Doc  # minutes, bytes, copies: what is spent of the day's budget
    damage: dict[str, int]  # healing, lost, unreadable, healed, over


class VerifyDoc(TypedDict):
    ok: bool
    total: int  # so many copies there are, of which a sample is a part
    checked: int
    bytes: int
    differing: list[Doc]
    missing: list[Doc]
    unreadable: list[Doc]
    cursor: str | None  # give it back to go on; null: that was all


class ExportDoc(TypedDict):
    folder: str  # which the paths are relative to
    files: int
    manifest: str  # the lines, byte for byte, in base64: a name may be no text
    left_out: list[Doc]  # each with why
    cursor: str | None
