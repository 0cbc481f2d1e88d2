"""Guards, with the whole daemon: rot in the archive is found, named, healed and kept; a manifest checks without us."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.pictures import jpeg
from tests.acceptance.whole import Whole

ALWAYS = {
    "MEDIAD_COMPRESS__ENABLED": "false",
    "MEDIAD_SCRUB__BEGIN_HOUR": "0",
    "MEDIAD_SCRUB__END_HOUR": "0",
    "MEDIAD_SCRUB__CYCLE_DAYS": "1 s",
}


def flip(path: Path) -> bytes:
    """One bit, as a disk does it: the times stay."""
    seen = path.stat()
    rotten = bytearray(path.read_bytes())
    rotten[len(rotten) // 2] ^= 1
    path.write_bytes(rotten)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    return bytes(rotten)


@pytest.mark.loss("DL13")
def test_a_flipped_bit_is_found_within_the_cycle_healed_beside_it_and_told(tmp_path: Path) -> None:
    """P12, M34: through the real daemon; nothing is overwritten, and the history still holds together."""
    whole = Whole(tmp_path, **ALWAYS)
    with whole.running():
        content = jpeg(whole.incoming / "IMG_1.JPG", 1).read_bytes()
        whole.until(lambda: any(whole.archive.rglob("IMG_1*")))
        whole.ctl("wait", "--timeout", "60")
        [bad] = whole.archive.rglob("IMG_1*")
        rotten = flip(bad)
        whole.until(lambda: len(list(whole.archive.rglob("IMG_1*"))) == 2)
        [healed] = [p for p in whole.archive.rglob("IMG_1*") if p != bad]
        whole.until(lambda: whole.ask("status")["scrub"]["damage"]["healed"] == 1)
        status = whole.ask("status")
        told = [p for p in status["problems"] if p["code"] == "scrub.healed"]
        assert bad.read_bytes() == rotten
        assert healed.read_bytes() == content
        assert bad.name in told[0]["message"]
        assert healed.name in told[0]["message"]
        assert "scrub" in whole.ctl("status").stdout
        assert whole.ctl("audit", "verify").returncode == 0
        copies = [c for c in whole.explain("IMG_1.JPG")["copies"] if c["site"] == "archive"]
        assert [c["path"] for c in copies] == [str(healed)]


def test_verify_names_what_is_wrong_and_a_manifest_is_checked_without_mediad(
    tmp_path: Path,
) -> None:
    """P15: `sha256sum -c` and nothing else."""
    whole = Whole(tmp_path, **{**ALWAYS, "MEDIAD_SCRUB__ENABLED": "false"})
    with whole.running():
        for n in range(3):
            jpeg(whole.incoming / f"IMG {n}.JPG", n)
        whole.until(lambda: len([p for p in whole.archive.rglob("IMG*") if p.is_file()]) == 3)
        whole.ctl("wait", "--timeout", "60")
        assert whole.ask("verify")["ok"]
        manifest = tmp_path / "archive.sha256"
        whole.ctl("export", str(manifest))
        check = ["sha256sum", "--strict", "-c", str(manifest)]
        done = subprocess.run(check, cwd=whole.archive, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.count(": OK")) == (0, 3), done
        assert (
            whole.ctl("export", str(manifest), check=False).returncode == 1
        )  # never over another file
        plain = whole.ctl("export", "--format", "b3").stdout
        assert plain.count("\n") == 3
        [bad] = whole.archive.rglob("IMG 1.JPG")
        flip(bad)
        assert (
            subprocess.run(check, cwd=whole.archive, capture_output=True, check=False).returncode
            == 1
        )
        found = whole.ctl("verify", "--site", "archive", check=False)
        assert found.returncode == 1
        assert "IMG 1.JPG" in found.stderr
        whole.until(lambda: len(list(whole.archive.rglob("IMG 1*"))) == 2)
