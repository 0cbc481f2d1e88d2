"""Guards that a person is told of each thing once, since when, and only as long as it is so."""

from mediad.policy.problems import Problem, Problems, link_states


def problem(code: str = "space.full", subject: str = "archive", since: int = 5) -> Problem:
    return Problem(code, f"{code} of {subject}", since, "make room", subject)


def test_a_problem_told_twice_is_new_once_and_keeps_its_first_time() -> None:
    problems = Problems()
    assert problems.report(problem(since=5))
    assert not problems.report(problem(since=9))
    assert [p.since for p in problems.now()] == [5]


def test_the_last_words_about_it_count() -> None:
    problems = Problems()
    problems.report(Problem("config.invalid", "line 3", 1, "mend line 3", "config"))
    problems.report(Problem("config.invalid", "line 7", 2, "mend line 7", "config"))
    assert problems.now() == (Problem("config.invalid", "line 7", 1, "mend line 7", "config"),)


def test_each_code_and_each_subject_is_a_problem_of_its_own() -> None:
    problems = Problems()
    assert problems.report(problem("space.full", "archive"))
    assert problems.report(problem("space.full", "library"))
    assert problems.report(problem("archive.read_only", "archive"))
    assert len(problems.now()) == 3


def test_what_is_over_for_a_subject_is_over_for_no_other() -> None:
    problems = Problems()
    for code, subject in (("a.x", "archive"), ("b.x", "archive"), ("a.x", "library")):
        problems.report(problem(code, subject))
    assert problems.clear("archive")
    assert [(p.code, p.subject) for p in problems.now()] == [("a.x", "library")]
    assert not problems.clear("archive"), "there was nothing left to clear"


def test_a_prefix_narrows_what_is_over() -> None:
    problems = Problems()
    problems.report(problem("space.full"))
    problems.report(problem("archive.read_only"))
    assert problems.clear("archive", prefix="space.")
    assert [p.code for p in problems.now()] == ["archive.read_only"]


def test_what_comes_back_is_new_again() -> None:
    problems = Problems()
    problems.report(problem(since=5))
    problems.clear("archive")
    assert problems.report(problem(since=9))
    assert problems.now()[0].since == 9


def test_the_oldest_comes_first() -> None:
    problems = Problems()
    for code, since in (("c", 30), ("a", 10), ("b", 20)):
        problems.report(problem(code, since=since))
    assert [p.code for p in problems.now()] == ["a", "b", "c"]


def test_about_names_a_problem_of_exactly_this_subject() -> None:
    problems = Problems()
    problems.report(problem(subject="archive"))
    assert problems.about("archive") == problem(subject="archive")
    assert problems.about("arch") is None


def test_a_link_is_off_before_it_is_down_and_down_before_it_is_up() -> None:
    problems = Problems()
    for subject in ("archive", "mirror"):
        problems.report(problem(subject=subject))
    sites = {"archive": "", "mirror": "no [mirror] url", "library": ""}
    assert link_states(sites, problems) == {
        "archive": ("down", "space.full of archive"),
        "mirror": ("off", "no [mirror] url"),
        "library": ("up", ""),
    }
