"""Guards every reader of foreign bytes: whatever it is fed, it reads or refuses, soon, and raises nothing else."""

import random
from pathlib import Path

import pytest

from tests.fuzz.__main__ import Tally, rounds_of
from tests.fuzz.mutants import gone_wrong, torn
from tests.fuzz.targets import READ, TARGETS, Target

SEED = 20_261_121
by_name = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


@by_name
def test_what_is_whole_is_read(target: Target, tmp_path: Path) -> None:
    """Else its mutants would only ever try the front door."""
    for seed in target.seeds:
        assert target.deed(seed, tmp_path) == READ, seed


@by_name
def test_mutants_are_read_or_refused(target: Target, tmp_path: Path) -> None:
    """A taste; `make fuzz` goes on for as long as it is told."""
    tally = Tally()
    rounds_of(target, SEED, 60, tmp_path, tally)
    assert tally.finds == []
    assert tally.tried == 60
    assert tally.read, "none of them got past the front door"


def test_what_a_reader_raises_is_found_with_the_seed_that_makes_it_again(tmp_path: Path) -> None:
    def stumble(content: bytes, _: Path) -> str:
        return {8: READ}[len(content)]

    target = Target("stumbler", [b"12345678"], lambda c: torn([b"12345678"], c), stumble)
    first, again = Tally(), Tally()
    rounds_of(target, 3, 50, tmp_path, first)
    rounds_of(target, 3, 50, tmp_path, again)
    assert first.finds == again.finds != []
    assert "seed 3, mutant" in first.finds[0]
    assert "KeyError" in first.finds[0]


def test_every_document_keeps_its_seed_whole() -> None:
    seed = {"a": [1, {"b": "c"}]}
    chance = random.Random(1)  # noqa: S311 - no secret
    made = [gone_wrong([seed], chance) for _ in range(200)]
    assert seed == {"a": [1, {"b": "c"}]}
    assert sum(one == seed for one in made) < 20
