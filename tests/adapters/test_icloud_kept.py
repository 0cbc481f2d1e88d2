"""Guards the trust that Apple has in this machine: a crash costs nothing of it, and nobody else can read it."""

from http.cookiejar import LWPCookieJar
from pathlib import Path

import pytest

from mediad.adapters.icloud.kept import Kept

ACCOUNT = "anna.b@example.com"
STEM = "annabexamplecom"


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    found = Kept(tmp_path / "icloud", ACCOUNT)
    found.prepare()
    return found


def path(kept: Kept, suffix: str) -> Path:
    return kept.folder / f"{STEM}.{suffix}"


def write_good(kept: Kept, token: str = "trust") -> None:  # noqa: S107 - made up
    path(kept, "session").write_text(f'{{"trust_token": "{token}"}}')
    LWPCookieJar(str(path(kept, "cookiejar"))).save()
    kept.keep()


def rights(kept: Kept) -> set[int]:
    return {found.stat().st_mode & 0o777 for found in kept.folder.iterdir()}


@pytest.mark.parametrize("broken", ["session", "cookiejar"])
@pytest.mark.parametrize("with_bytes", [b"", b'{"trust_to', b"\0" * 50, None])
def test_what_a_crash_tore_is_put_back(kept: Kept, broken: str, with_bytes: bytes | None) -> None:
    write_good(kept)
    if with_bytes is None:
        path(kept, broken).unlink()
    else:
        path(kept, broken).write_bytes(with_bytes)
    Kept(kept.folder, ACCOUNT).prepare()
    assert "trust" in path(kept, "session").read_text()
    assert path(kept, "cookiejar").read_text().startswith("#LWP")


@pytest.mark.parametrize("end", [b"", b"\0" * 300])
def test_a_jar_that_was_cut_off_after_its_first_cookies_is_put_back(kept: Kept, end: bytes) -> None:
    """It parses; without the cookie that it lost a person would have to sign in again."""
    write_good(kept)
    jar = path(kept, "cookiejar")
    lines = b"".join(
        b'Set-Cookie3: %s="made-up"; path="/"; domain=".icloud.com"; version=0\n' % name
        for name in (b"TOKEN", b"TRUST")
    )
    jar.write_bytes(jar.read_bytes() + lines)
    kept.keep()
    jar.write_bytes(jar.read_bytes()[:-30] + end)
    Kept(kept.folder, ACCOUNT).prepare()
    there = LWPCookieJar(str(jar))
    there.load(ignore_discard=True)
    assert {cookie.name for cookie in there} == {"TOKEN", "TRUST"}


def test_what_is_whole_is_left_alone_even_if_it_is_newer_than_the_copy(kept: Kept) -> None:
    write_good(kept, "old")
    path(kept, "session").write_text('{"trust_token": "new"}')
    kept.prepare()
    assert "new" in path(kept, "session").read_text()


def test_a_torn_file_is_never_kept_as_good(kept: Kept) -> None:
    write_good(kept)
    path(kept, "session").write_text('{"tru')
    kept.keep()
    kept.prepare()
    assert "trust_token" in path(kept, "session").read_text()


def test_nobody_else_can_read_any_of_it(kept: Kept) -> None:
    path(kept, "session").chmod(0o644)
    write_good(kept)
    kept.hide()
    assert kept.folder.stat().st_mode & 0o777 == 0o700
    kept.prepare()
    assert rights(kept) == {0o600}


def test_a_copy_that_others_could_read_is_theirs_no_more(kept: Kept) -> None:
    """Restored from somewhere with the rights of that place."""
    write_good(kept)
    for suffix in ("session.good", "cookiejar.good"):
        path(kept, suffix).chmod(0o666)
    kept.prepare()
    assert rights(kept) == {0o600}


def test_logging_out_leaves_nothing(kept: Kept) -> None:
    write_good(kept)
    kept.forget()
    assert list(kept.folder.iterdir()) == []


def test_when_a_password_was_last_used_outlives_a_restart(kept: Kept) -> None:
    assert kept.tried_at() == 0
    kept.trying(1_234)
    assert Kept(kept.folder, ACCOUNT).tried_at() == 1_234
    (kept.folder / "password-tried").write_text("never")
    assert kept.tried_at() == 0
