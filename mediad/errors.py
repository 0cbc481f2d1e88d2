"""
What can go wrong, sorted by who can put it right.

MediadError
├── Retryable       time will         the world is briefly in the way: try again later
├── NeedsOperator   a person will     it stays wrong until someone acts: hold, with one question
├── Refused         nobody should     we were asked for something unsafe and said no
└── Bug             a developer will  an invariant broke: stop, do not limp

An adapter turns every library's exception into one of these at its own edge. `code` is stable: it is the log field,
the metric label, the word in `problems` and `error`, and the heading in docs/errors.md. A message says what happened
and what it means for the person's files; `remedy` says what to do about it.
"""

from typing import ClassVar


class MediadError(Exception):
    """`site` names the outside part (``archive``, ``spool`` …) when everything that needs it should pause."""

    default_code: ClassVar[str] = "error"

    def __init__(self, what: str, *, code: str = "", remedy: str = "", site: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.code = code or self.default_code
        self.remedy = remedy
        self.site = site

    def __str__(self) -> str:
        return f"{self.code}: {self.what}"


class Retryable(MediadError):
    default_code = "retry"

    def __init__(
        self,
        what: str,
        *,
        code: str = "",
        remedy: str = "",
        site: str = "",
        after_s: float | None = None,
    ) -> None:
        super().__init__(what, code=code, remedy=remedy, site=site)
        self.after_s = after_s  # what the other side asked for (Retry-After), if it did


class NeedsOperator(MediadError):
    default_code = "operator"


class Refused(MediadError):
    default_code = "refused"


class Bug(MediadError):
    default_code = "bug"
