"""Guards that every state of the sign-in says what it means and what to do, and that a code is asked for in time."""

import pytest

from mediad.policy.sign_in import DAY_MS, days_left, link_of, warning, words_of
from mediad.ports import SignIn, SignInState

NOW = 1_800_000_000_000


@pytest.mark.parametrize("state", SignInState)
def test_every_state_has_its_sentence_and_all_but_ready_a_remedy(state: SignInState) -> None:
    code, message, remedy = words_of(SignIn(state))
    assert code.startswith("icloud.")
    assert message
    assert bool(remedy) == (state is not SignInState.READY)


def test_no_two_states_share_a_code() -> None:
    assert len({words_of(SignIn(state)).code for state in SignInState}) == len(SignInState)


def test_what_apple_said_goes_before_our_own_words() -> None:
    said = words_of(SignIn(SignInState.LOCKED, message="locked at noon", remedy="call them"))
    assert said[1:] == ("locked at noon", "call them")


@pytest.mark.parametrize("state", SignInState)
def test_only_a_session_that_holds_is_a_link_that_is_up(state: SignInState) -> None:
    link, detail = link_of(SignIn(state))
    assert (link == "up") == (state is SignInState.READY) == (detail == "")


@pytest.mark.parametrize(
    ("days", "told"),
    [(30.0, None), (14.01, None), (14.0, 14), (7.5, 14), (7.0, 7), (3.1, 7), (3.0, 3), (1.5, 3), (1.0, 1),
     (0.1, 1), (0.0, 0), (-2.0, 0)],
)  # fmt: skip
def test_the_end_of_trust_is_told_14_7_3_and_1_days_ahead(days: float, told: int | None) -> None:
    sign_in = SignIn(SignInState.READY, trust_expires_at=NOW + round(days * DAY_MS))
    assert warning(sign_in, NOW) == told


def test_without_a_session_or_a_date_nobody_can_tell() -> None:
    assert days_left(SignIn(SignInState.READY), NOW) is None
    assert days_left(SignIn(SignInState.SIGNED_OUT, trust_expires_at=NOW), NOW) is None
    assert warning(SignIn(SignInState.READY), NOW) is None
