"""Guards what is remembered of files: it has an end, and another file of the same name is another."""

from pathlib import Path

from mediad.adapters.remembered import Remembered, signature


def test_what_was_kept_longest_ago_is_forgotten_first() -> None:
    known: Remembered[str, int] = Remembered(2)
    for key, value in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        known.keep(key, value)
    assert dict(known) == {"a": 3, "c": 4}


def test_a_file_that_took_the_place_of_another_is_not_the_same(tmp_path: Path) -> None:
    path, other = tmp_path / "1.jpg", tmp_path / "2.jpg"
    assert signature(path) is None
    path.write_bytes(b"one")
    was = signature(path)
    assert signature(path) == was is not None
    other.write_bytes(b"two")
    other.replace(path)
    assert signature(path) != was
