#!/usr/bin/env bash
# All the set-up a fresh Debian 12 machine needs: Debian's packages, a virtual environment, the locked dependencies.
# Safe to repeat; quick when there is nothing to do. Called by make: `run` leaves the test tools out, `boxes` is what the
# package is tried with, `power` a machine that can lose its own.
set -euo pipefail
cd "$(dirname "$0")/.."
want="${1:-dev}"

missing=()
need() { # need COMMAND PACKAGE
  command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}
need python3 python3
need ffmpeg ffmpeg
need exiftool libimage-exiftool-perl
if [ "$want" = dev ]; then
  need rsync rsync
  need strace strace
  need shellcheck shellcheck
  need sqlite3 sqlite3
  need syncthing syncthing
  need groff groff-base
fi
if [ "$want" = boxes ]; then # to try the package in; without root there are none, and the tests say so
  [ "$(id -u)" -eq 0 ] || exit 0
  need systemd-nspawn systemd-container
  need mmdebstrap mmdebstrap
  need lintian lintian
  need piuparts piuparts
fi
if [ "$want" = power ]; then # a machine whose power can be cut; without root there is none
  [ "$(id -u)" -eq 0 ] || exit 0
  need linux.uml user-mode-linux
  need rpc.nfsd nfs-kernel-server # with the client
fi
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)

if [ "${#missing[@]}" -gt 0 ]; then
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "setup: please install as root: apt-get install ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  echo "setup: installing Debian packages: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

case "$want" in boxes | power) exit 0 ;; esac
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "setup: Python 3.11 or newer is needed" >&2; exit 1; }
[ -x .venv/bin/python ] || python3 -m venv .venv

lock=requirements.lock
[ "$want" = dev ] && lock=requirements-dev.lock
stamp=".venv/.installed-$want"
sum="$(cat "$lock" pyproject.toml | sha256sum)"
if [ "$(cat "$stamp" 2>/dev/null)" != "$sum" ]; then
  echo "setup: installing the locked Python packages ($lock)"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
  echo "$sum" >"$stamp"
fi
