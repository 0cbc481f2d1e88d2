"""Guards what the doctor says of a machine when the machine is slow to answer."""

import time
from pathlib import Path

import pytest

from mediad.config import Settings
from mediad.service import doctor


async def test_a_look_that_gets_no_answer_is_named_and_keeps_no_other_from_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    hung = programs / "ffmpeg"
    hung.write_text("#!/bin/sh\nexec /usr/bin/tail -f /dev/null\n")
    hung.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(doctor, "PATIENCE_S", 0.5)
    began = time.monotonic()
    found = await doctor.findings_in_time(Settings(root=tmp_path), None)
    assert time.monotonic() - began < 30
    [silent] = [f for f in found if f["code"] == "doctor.unanswered"]
    assert "the programs" in silent["message"]
    assert silent["level"] == "warning"
    assert {"folder.incoming", "space.free"} <= {f["code"] for f in found}


def test_without_a_daemon_the_clock_is_looked_at_here(tmp_path: Path) -> None:
    assert "clock.set" in {f["code"] for f in doctor.host_findings(Settings(root=tmp_path), None)}
