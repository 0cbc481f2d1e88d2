"""Which files hold the guards, and which tests have to notice when one is gone."""

from typing import Final, NamedTuple


class Target(NamedTuple):
    name: str
    files: tuple[str, ...]
    tests: tuple[str, ...]
    about: tuple[str, ...] = ()  # only the functions that mention one of these; (): all of them


_DURABLE: Final = "mediad/adapters/durable"

TARGETS: Final = (
    Target(
        "deletion",
        ("mediad/policy/deletion.py",),
        (
            "tests/policy/test_deletion.py", "tests/policy/test_cloud_guard.py",
            "tests/stages/test_clean.py", "tests/stages/test_release.py",
        ),
    ),
    Target(
        "cloud guard",
        ("mediad/policy/cloud_guard.py",),
        ("tests/policy/test_cloud_guard.py",),
    ),
    Target(
        "breaker",
        ("mediad/policy/breaker.py",),
        ("tests/policy/test_breaker.py",),
    ),
    Target(
        "durable",
        tuple(
            f"{_DURABLE}/{name}.py"
            for name in ("files", "lot", "parts", "arrival", "room", "prune", "trial", "orphans")
        ),
        (
            "tests/adapters/test_durable.py", "tests/adapters/test_durable_arrival.py",
            "tests/adapters/test_durable_careful.py", "tests/adapters/test_durable_synced.py",
            "tests/adapters/test_durable_room.py", "tests/adapters/test_durable_there.py",
            "tests/adapters/test_durable_poor.py", "tests/adapters/test_durable_received.py",
            "tests/adapters/test_durable_trial.py",
            "tests/adapters/test_prune.py", "tests/adapters/test_orphans.py", "tests/conformance/test_files.py",
        ),
    ),
    Target(
        "warrants",
        ("mediad/stages/clean.py", "mediad/stages/release.py", "mediad/stages/delete.py"),
        (
            "tests/stages/test_clean.py", "tests/stages/test_release.py", "tests/stages/test_delete.py",
            "tests/stages/test_cloud_trials.py", "tests/stages/test_cloud_twins.py",
            "tests/stages/test_before_it_goes.py", "tests/stages/test_returned.py",
        ),
        ("warrant", "lacks", ".digest", "required", "remove("),
    ),
)  # fmt: skip
