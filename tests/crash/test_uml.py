"""Guards the real power cuts: what was synced outlives one, what was not is gone, and the daemon is unharmed by any."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from crash import uml
from crash.rig import warm
from crash.uml_init import ENDED, READY
from crash.worlds import WORLDS

pytestmark = [
    pytest.mark.crash,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        shutil.which(uml.KERNEL) is None or os.geteuid() != 0,
        reason="only root can mount the disk of linux.uml (Debian's user-mode-linux)",
    ),
]
WRITES = """
import os, signal, subprocess, sys
root = os.environ["CRASH_ROOT"]
subprocess.run(["/bin/mount", "-t", "ext4", "/dev/ubdb", root], check=True)
for name in ("synced", "not synced"):
    fd = os.open(f"{root}/{name}", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"a photo" * 1000)
    if name == "synced":
        os.fsync(fd)
        os.fsync(os.open(root, os.O_RDONLY))
print("%s", flush=True)
signal.pause()
"""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "root"
    folder.mkdir()
    yield folder
    assert not os.path.ismount(folder)


def test_what_was_not_synced_is_gone_with_the_power(root: Path) -> None:
    """Else nothing would be said by a cut that harms nobody."""
    image = root.with_suffix(".img")
    uml.make(image)
    heard = uml.boot(image, root, "-c", WRITES % READY, cut_after_s=0.2)
    assert heard.is_ready, heard
    with uml.mounted(image, root):
        assert (root / "synced").read_bytes() == b"a photo" * 1000
        there = root / "not synced"
        assert not there.exists() or there.read_bytes() != b"a photo" * 1000


def test_a_power_cut_in_the_midst_of_its_work_loses_nothing(tmp_path: Path) -> None:
    warm()
    tally = uml.cuts(WORLDS["vault"], tmp_path, 5, seed=1)
    assert tally.tried == 5
    assert not tally.bad


@pytest.mark.skipif(shutil.which("rpc.nfsd") is None, reason="there is no NFS server here")
def test_an_nfs_server_that_dies_in_the_midst_of_the_work_costs_nothing(tmp_path: Path) -> None:
    heard = uml.nas(tmp_path)
    said = str(heard)
    assert f"{ENDED} 0" in said, said
    assert said.count("told as ['archive.") == 3, said
