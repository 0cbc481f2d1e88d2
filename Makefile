# `make run` and `make test` are all a newcomer needs; both do their own set-up.
SHELL := bash
PY := .venv/bin/python
ROOT ?= photos
JOBS ?= $(shell nproc)

# The tests start mediad some hundred times: compiling it anew each time costs minutes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test setup setup-dev check crash guards fuzz soak bench lock docs deb release test-deb clean

run: setup
	@echo "Drop photos and videos into:  $(ROOT)/incoming   (a copy; sub-folders are fine)"
	@echo "Watch them go with:           .venv/bin/mediactl --root $(ROOT) status --watch"
	@echo "Ask about any one of them:    .venv/bin/mediactl --root $(ROOT) explain NAME      (Ctrl-C here stops)"
	@exec .venv/bin/mediad --root $(ROOT)

setup:
	@scripts/setup.sh run

setup-dev:
	@scripts/setup.sh dev

check: setup-dev
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PY) scripts/generate_docs.py --check
	.venv/bin/codespell

test: check
	$(PY) -m pytest -n $(JOBS) -m "not crash and not deb"

# Every crash point, every fault, every power cut: hours. EVERY=N tries only every Nth of them.
EVERY ?= 1
crash: setup-dev
	$(PY) -m crash --jobs $(JOBS) --every $(EVERY)
	$(PY) -m pytest -n $(JOBS) -m crash
	$(PY) -m crash.mutants
	./scripts/setup.sh power
	$(PY) -m crash.uml
	$(PY) -m crash.uml --nas
	$(PY) -m scripts.mutants --jobs $(JOBS) --quiet

# Every guard of what removes and places media, taken away in turn: a test has to notice.
guards: setup-dev
	$(PY) -m scripts.mutants --jobs $(JOBS) --quiet

# Every reader of foreign bytes against mutants, for MINUTES; what is found is told with the seed that makes it again.
MINUTES ?= 10
SEED ?= 1
fuzz: setup-dev
	$(PY) -m tests.fuzz --minutes $(MINUTES) --seed $(SEED)

# A long day of one daemon under kills and faults, its memory and open files watched.
SOAK_MINUTES ?= 30
soak: setup-dev
	$(PY) -m crash.soak --minutes $(SOAK_MINUTES)

bench: setup-dev
	$(PY) -m bench

docs: setup-dev
	$(PY) scripts/generate_docs.py

# For the Debian that this machine runs; WHEELS=DIR builds without a network.
deb:
	@scripts/build_deb.sh

# Everything that is published, into dist/; two releases of one tree are the same to the last bit.
release: setup-dev
	rm -rf dist
	@scripts/build_deb.sh
	$(PY) -m scripts.release

# The package as people meet it: installed, upgraded, killed, purged, under a real systemd. As root; eight minutes.
test-deb: setup-dev
	@scripts/try_package.sh

# The locks carry hashes; `uv` is only needed to make them anew.
lock:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra icloud pyproject.toml scripts/build.in -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra dev pyproject.toml scripts/build.in -o requirements-dev.lock

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis bench/work
