#!/usr/bin/env bash
# Builds dist/mediad_VERSION_amd64.deb for the Debian that this machine runs. `make deb` calls it; safe to repeat.
#
# First the wheels of requirements.lock are fetched the way this machine fetches Python packages (PIP_INDEX_URL,
# PIP_FIND_LINKS, PIP_CERT, pip.conf; nothing of that gets into the package), then the package is built from them without
# a network, in a copy of the tree. WHEELS=DIR: they are there already, and nothing is fetched at all.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD
mkdir -p "${OUT:-dist}"
out=$(cd "${OUT:-dist}" && pwd)

missing=()
for package in debhelper dh-python python3-pip dpkg-dev; do
  [ "$(dpkg-query -Wf '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  echo "deb: installing Debian packages: ${missing[*]}"
  "${as_root[@]}" apt-get -o DPkg::Lock::Timeout=300 update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/mediad
mkdir "$tree"
cp -r --preserve=mode mediad packaging etc scripts requirements.lock README.md ARCHITECTURE.md CHANGELOG.md LICENSE docs "$tree/"
cp -r packaging/debian "$tree/debian"
find "$tree" -name __pycache__ -prune -exec rm -rf {} +

# One package a Debian release: the wheels fit one Python. The suffix lets the next release's build replace this one.
release=$(sed -n 's/^VERSION_ID="\?\([0-9]*\).*/\1/p' /etc/os-release)
version=$(dpkg-parsechangelog -l "$tree/debian/changelog" -S Version)~deb${release}u1
export SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -l "$tree/debian/changelog" -S Timestamp)
sed -i "1s/([^)]*)/($version)/" "$tree/debian/changelog"

wheels=${WHEELS:-}
if [ -z "$wheels" ]; then
  wheels=$here/build/wheels
  mkdir -p "$wheels"
  sed '/^setuptools==/,/[^\\]$/d' requirements.lock >"$work/run.lock"
  echo "deb: fetching the locked wheels"
  # --find-links for what is there from the last time; what pip grumbles about indexes is shown only if it fails
  /usr/bin/python3 -m pip --disable-pip-version-check download --quiet --find-links "$wheels" --dest "$wheels" \
    --only-binary :all: --no-deps --require-hashes -r "$work/run.lock" >"$work/pip.log" 2>&1 ||
    { cat "$work/pip.log" >&2; exit 1; }
fi

echo "deb: building mediad $version"
# A clean environment: no PATH to another Python, no locale, no umask of the one who builds.
(cd "$tree" && umask 022 && env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="$work" LANG=C.UTF-8 \
  SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" WHEELS="$wheels" \
  dpkg-buildpackage --build=binary --no-sign) >"$work/build.log" 2>&1 ||
  { tail -60 "$work/build.log" >&2; exit 1; }
mkdir -p "$out"
cp "$work"/mediad_*.deb "$out/"
(cd "$out" && ls -l "mediad_${version}_$(dpkg --print-architecture).deb")
