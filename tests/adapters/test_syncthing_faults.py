"""Guards the tables of Syncthing's faults: nothing that aiohttp can raise is without a meaning, and each helps."""

import inspect
import re

import aiohttp
import pytest
from aiohttp import client_exceptions

from mediad.adapters.syncthing import faults
from mediad.adapters.syncthing.faults import (
    OURS,
    PHONES,
    RAISED,
    SAID,
    Meaning,
    fault,
    raised,
    said,
)

MEANINGS = [one for one in vars(faults).values() if isinstance(one, Meaning)]


def test_everything_that_aiohttp_can_raise_has_a_meaning() -> None:
    theirs = {
        one
        for _, one in inspect.getmembers(client_exceptions, inspect.isclass)
        if issubclass(one, Exception) and one.__module__ == client_exceptions.__name__
    }
    assert theirs <= set(RAISED)


def test_an_error_that_came_later_means_what_its_nearest_kin_means() -> None:
    class Newer(aiohttp.ServerDisconnectedError):
        pass

    assert raised(Newer(), OURS).code == "syncthing.unreachable"


@pytest.mark.parametrize("meaning", MEANINGS, ids=lambda meaning: meaning.code)
@pytest.mark.parametrize("whose", [OURS, PHONES])
def test_every_fault_says_what_it_means_and_what_to_do(
    meaning: Meaning, whose: faults.Whose
) -> None:
    error = fault(meaning, whose)
    assert re.fullmatch(r"syncthing\.[a-z_]+", error.code)
    assert error.site == "syncthing"
    assert "nothing is lost" in error.what
    assert len(error.remedy) > 20
    assert "{" not in error.what + error.remedy
    if "syncthing.phone_" in error.remedy:
        assert whose is PHONES


def test_every_meaning_can_be_met() -> None:
    used = {id(one) for one in RAISED.values()} | {id(row[2]) for row in SAID}
    raised_elsewhere = {"ANOTHER_NODE", "TOO_LARGE", "DEVICES_SEVERAL"}
    unused = {
        name
        for name, one in vars(faults).items()
        if isinstance(one, Meaning) and id(one) not in used
    }
    assert unused == raised_elsewhere


def test_words_count_only_with_their_status() -> None:
    assert said(200, "no such folder") is None
    assert said(500, "anything") is None
