"""
One copy of the tree and the process that tries mutants in it: a fork for each, of a parent that has everything loaded.

What depends on the mutated module is unloaded in the fork, so that it is loaded anew, and nothing else is. Orders come
as JSON lines; the answers go out as JSON lines.
"""

import ast
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import coverage
import hypothesis
import pytest

QUIET: Final = (
    "-q", "-x", "-m", "not crash", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line", "--timeout=60",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",  # they are loaded before
)  # fmt: skip
CPU_S: Final = 60
WALL_S: Final = 240.0
MEASURED_S: Final = 600  # of the unharmed tree, every line counted
_SURVIVED, _KILLED = 0, 1

Answer = dict[str, Any]


class Watching:
    """pytest's plugin: runs the chosen tests in their order, notes what each took, and which one failed."""

    def __init__(
        self, chosen: Sequence[str] = (), measure: coverage.Coverage | None = None
    ) -> None:
        self._order = {name: n for n, name in enumerate(chosen)}
        self._measure = measure
        self.took: dict[str, float] = {}
        self.failed = ""
        self.passed = 0

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._order:
            items[:] = [i for i in items if i.nodeid in self._order]
            items.sort(key=lambda item: self._order[item.nodeid])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self._measure is not None:
            self._measure.switch_context(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.took[report.nodeid] = self.took.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self.failed = self.failed or report.nodeid
        elif report.when == "call" and report.passed:
            self.passed += 1


def main() -> int:
    sys.path.insert(0, str(Path.cwd()))
    hypothesis.settings.register_profile(
        "mutants", deadline=None, derandomize=True, database=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )  # fmt: skip
    hypothesis.settings.load_profile("mutants")
    orders: Mapping[str, Callable[[Any], Answer]] = {
        "measure": measure,
        "warm": warm,
        "try": attempt,
    }
    for line in sys.stdin:
        order = json.loads(line)
        answer = orders[order["do"]](order)
        print(json.dumps(answer), flush=True)
    return 0


def measure(order: Mapping[str, Any]) -> Answer:
    """The unharmed tree: which tests reach which line, how long each takes, and what they load."""
    return _forked(lambda: _measured(order["tests"], order["files"]), MEASURED_S, 2.0 * MEASURED_S)


def warm(order: Mapping[str, Any]) -> Answer:
    for name in order["modules"]:
        importlib.import_module(name)
    return {}


def attempt(order: Mapping[str, Any]) -> Answer:
    file = Path(order["file"])
    sound = file.read_bytes()
    file.write_text(order["source"], encoding="utf-8")
    try:
        return _forked(lambda: _tried(order["file"], order["tests"]))
    finally:
        file.write_bytes(sound)


def _measured(tests: Sequence[str], files: Sequence[str]) -> Answer:
    measured = coverage.Coverage(
        data_file=None, include=[str(Path(f).resolve()) for f in files], config_file=False
    )
    measured.start()
    watching = Watching(measure=measured)
    code = pytest.main([*QUIET, *_files_of(tests)], plugins=[watching])
    measured.stop()
    found = measured.get_data()
    lines: dict[str, dict[int, list[str]]] = {}
    for file in files:
        by_line = found.contexts_by_lineno(str(Path(file).resolve()))
        lines[file] = {n: [t for t in by if t] for n, by in by_line.items()}
    modules = [m for m in sys.modules if m.partition(".")[0] == "mediad" or _is_foreign(m)]
    return {
        "code": int(code), "failed": watching.failed, "took": watching.took, "lines": lines,
        "modules": modules,
    }  # fmt: skip


def _is_foreign(name: str) -> bool:
    top = name.partition(".")[0]
    found = getattr(sys.modules[name], "__file__", None) or ""
    return "site-packages" in found and top not in {"coverage", "_pytest", "pytest"}


def _tried(file: str, tests: Sequence[str]) -> Answer:
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    for name in _above(module):
        sys.modules.pop(name, None)
        above, _, last = name.rpartition(".")
        if above in sys.modules:
            sys.modules[above].__dict__.pop(last, None)
    try:
        importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - whatever it is, that mutant says nothing of the tests
        return {"error": f"does not import: {error!r}"}
    watching = Watching(tests)
    code = pytest.main([*QUIET, *_files_of(tests)], plugins=[watching])
    if code == _SURVIVED:
        return {"survived": watching.passed}
    if code == _KILLED and watching.failed:
        return {"killed": watching.failed}
    return {"error": f"pytest ended with {int(code)}"}


def _files_of(tests: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(t.partition("::")[0] for t in tests))


def _above(module: str) -> list[str]:
    """The module, and every loaded one of ours that its import can be seen from."""
    importers: dict[str, set[str]] = defaultdict(set)
    for name in [m for m in sys.modules if m.partition(".")[0] in {"mediad", "tests"}]:
        for used in _imports(name):
            importers[used].add(name)
    found, todo = {module}, [module]
    while todo:
        for name in importers[todo.pop()] - found:
            found.add(name)
            todo.append(name)
    return sorted(found)


def _imports(name: str) -> set[str]:
    file = getattr(sys.modules[name], "__file__", None)
    if file is None:
        return set()
    used: set[str] = set()
    for node in ast.walk(ast.parse(Path(file).read_bytes())):
        if isinstance(node, ast.Import):
            used.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            used.add(node.module)
            used.update(f"{node.module}.{alias.name}" for alias in node.names)
    return used


def _forked(work: Callable[[], Answer], cpu_s: int = CPU_S, wall_s: float = WALL_S) -> Answer:
    """Its answer comes through a pipe; what it prints goes nowhere; it may take so long and no longer."""
    hears, tells = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            os.close(hears)
            nowhere = os.open("tests.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))
            try:
                said = json.dumps(work())
            except BaseException as error:  # noqa: BLE001 - told to who asked
                said = json.dumps({"error": repr(error)})
            with os.fdopen(tells, "w") as answer:
                answer.write(said)
        finally:
            os._exit(0)
    os.close(tells)
    heard = _heard(hears, time.monotonic() + wall_s)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    _, status, used = os.wait4(pid, 0)
    if heard:
        answer_: Answer = json.loads(heard)
        return answer_
    if (
        used.ru_utime + used.ru_stime < cpu_s - 1
    ):  # a machine with much else to do says nothing of a mutant
        return {"error": f"no end within {wall_s:.0f} s ({os.waitstatus_to_exitcode(status)})"}
    return {"killed": f"no end within {cpu_s} s of work"}


def _heard(fd: int, until: float) -> bytes:
    said = b""
    with os.fdopen(fd, "rb", buffering=0) as pipe:
        while (left := until - time.monotonic()) > 0 and select.select([pipe], [], [], left)[0]:
            piece = pipe.read(1 << 16)
            if not piece:
                return said
            said += piece
    return b""


if __name__ == "__main__":
    sys.exit(main())
