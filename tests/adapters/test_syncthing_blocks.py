"""Guards the hash over blocks: the very one that Syncthing computes, of every version and for every size."""

from pathlib import Path

import pytest

from mediad.adapters.syncthing.blocks import block_size, makes

KIB = 1 << 10
# Told by Syncthing 1.29.5 for these bytes; the ones of 2.x are the same formula without Adler-32.
TOLD_BY_129 = {
    b"": "07/pjo8c6JFhSFRWmiD19FCNarQCW4crezqCgu91sSo=",
    b"x" * 300_000: "ZXq2C6352BXFj8157kX+9JherTDYSeUroUAhkDDBmN4=",
    b"new from pixel": "Ic1pP0mC6gQCQaEgiJgHNn0iOFHIYhiM7pgZ6IT5RbE=",
}
PLAIN = {  # SHA-256 of the SHA-256 of each block
    b"": "Xfbg4nYTWdMKgnUFjimfzAOBU0VF9Vz0PkGYP11MlFY=",
    b"light": "QEEDvAC3yMmwPkjFaxYHKQlpVPKDYVSt2Kij8hCjV9I=",
    b"x" * (128 * KIB): "9lxSj+pOT8XRab4ix3ag8eOU1HC0dix4QM4wLnuzslI=",
}


@pytest.mark.parametrize("content", TOLD_BY_129, ids=len)
def test_the_hash_is_the_one_that_syncthing_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert makes(path, len(content), TOLD_BY_129[content])
    path.write_bytes(content + b"!")
    assert not makes(path, len(content) + 1, TOLD_BY_129[content])


def test_a_blocks_size_grows_with_the_file() -> None:
    assert block_size(0) == 128 * KIB
    assert block_size(2000 * 128 * KIB - 1) == 128 * KIB
    assert block_size(2000 * 128 * KIB) == 256 * KIB
    assert block_size(1 << 50) == 16 << 20


@pytest.mark.parametrize("content", PLAIN, ids=len)
def test_2_leaves_out_the_weak_hash(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert makes(path, len(content), PLAIN[content])


@pytest.mark.parametrize("told", ["", "no base64!", "AAAA"])
def test_a_hash_that_is_none_is_not_matched(tmp_path: Path, told: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"light")
    assert not makes(path, 5, told)


def test_the_right_bytes_of_another_size_do_not_match(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"light")
    assert not makes(path, 6, PLAIN[b"light"])
