"""Guards that a daemon of many threads does not grow by what the C library keeps for each of them."""

import subprocess
import sys

import pytest

THREADS = """
import ctypes, sys, threading
from mediad.adapters.syscalls import bound_arenas
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
if sys.argv[1] == "bound":
    assert bound_arenas()
met = threading.Barrier(12)
def work():
    libc.malloc(1000)
    met.wait()
threads = [threading.Thread(target=work) for _ in range(12)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.malloc_stats()
"""


@pytest.mark.parametrize(("how", "is_bound"), [("bound", True), ("left alone", False)])
def test_a_dozen_threads_share_two_pools_of_memory(how: str, *, is_bound: bool) -> None:
    said = subprocess.run(
        [sys.executable, "-c", THREADS, how], check=True, capture_output=True, text=True
    )
    assert (said.stderr.count("Arena ") <= 2) == is_bound, said.stderr


def test_the_daemon_binds_them(tmp_path: str) -> None:
    """Seen in the process itself: what is asked of the C library once cannot be read back."""
    code = (
        "import sys\nfrom mediad.adapters import syscalls\nfrom mediad.daemon import life, main\n"
        "bind = life.bound_arenas\n"
        "life.bound_arenas = lambda: print('bound', bind(), flush=True)\n"
        "sys.exit(main(['--root', sys.argv[1], '--once']))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=False, capture_output=True, text=True
    )
    assert said.stdout.startswith("bound True"), said.stderr
