"""Guards the words: every fault between mediad and Apple says what it means for the photos, and what to do."""

import re

import aiohttp
import pytest

from mediad.adapters.icloud import faults
from mediad.adapters.icloud.faults import BY_CODE, BY_STATE, Meaning, cut_off, fault, said
from mediad.ports import SignInState

MEANINGS = [one for one in vars(faults).values() if isinstance(one, Meaning)]


@pytest.mark.parametrize("meaning", MEANINGS, ids=lambda meaning: meaning.code)
def test_every_fault_says_what_it_means_and_what_to_do(meaning: Meaning) -> None:
    error = fault(meaning)
    assert re.fullmatch(r"icloud\.[a-z_]+", error.code)
    assert error.site == ("icloud" if meaning.is_of_site else "")
    assert "stay" in error.what
    assert error.remedy


def test_every_state_but_ready_has_a_meaning() -> None:
    assert BY_STATE.keys() == set(SignInState) - {SignInState.READY}


def test_advanced_data_protection_is_told_from_other_refusals() -> None:
    reason = "Private DB access disabled for this account"
    assert said("ACCESS_DENIED", reason).code == "icloud.protected"
    assert said("ACCESS_DENIED", "no").code == "icloud.denied"


@pytest.mark.parametrize("code", BY_CODE)
def test_cloudkits_words_are_known_and_its_reasons_are_never_repeated(code: str) -> None:
    assert "canary" not in said(code, "canary").what


def test_an_unheard_of_word_is_an_answer_that_is_not_understood() -> None:
    error = said("CANARY_12345678901", "")
    assert error.code == "icloud.answer"
    assert "CANARY" not in error.what


def test_a_full_disk_is_no_fault_of_the_network() -> None:
    assert cut_off(aiohttp.ServerDisconnectedError())
    assert cut_off(ConnectionResetError(104, "reset"))
    assert cut_off(TimeoutError())
    assert not cut_off(OSError(28, "no space left"))
    assert not cut_off(ValueError())
