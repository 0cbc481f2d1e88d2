#!/usr/bin/env bash
# Builds the package and tries it as people meet it: installed, upgraded, killed, purged, under a real systemd.
# `make test-deb` calls it. Where no container can be made (no root, no mounts, no Debian) it says so, loudly, and tries
# nothing: that is no failure of the package. Everything else that goes wrong is one.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh boxes || echo "test-deb: not everything that boxes need could be installed" >&2
why=$(.venv/bin/python -m tests.deb.box)
if [ -n "$why" ]; then
  line=$(printf '!%.0s' {1..120})
  printf '\n%s\nTHE PACKAGE WAS NOT BUILT AND NOT TRIED: %s\n%s\n\n' "$line" "$why" "$line" >&2
  exit 0
fi
scripts/build_deb.sh
.venv/bin/python -m pytest -m deb tests/deb
