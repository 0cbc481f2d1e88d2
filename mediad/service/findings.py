"""One line of what the doctor says."""

from typing import Final, Literal

from mediad.service.answers import FindingDoc

PATIENCE_S: Final = 10  # for a program of the host that is asked something


def finding(
    code: str, message: str, *, level: Literal["ok", "warning", "fault"] = "ok", remedy: str = ""
) -> FindingDoc:
    return {"code": code, "level": level, "message": message, "remedy": remedy}
