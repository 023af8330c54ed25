#!/usr/bin/env bash
# Prints the path of a cargo-installed tool of one version, building it first when it is not there:
# tool.sh CRATE VERSION [CARGO-INSTALL-OPTION...]
set -euo pipefail
crate=$1
version=$2
shift 2

if [ -n "${XDG_CACHE_HOME:-${HOME:-}}" ]; then
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/laconic-tools
else
  cache=$(cd "$(dirname "$0")/.." && pwd)/target/tools
fi
place=$cache/$crate/$version
tool=$place/bin/$crate

if [ ! -x "$tool" ]; then
  printf 'building %s %s into %s (once per machine)\n' "$crate" "$version" "$place" >&2
  mkdir -p "$cache/$crate"
  # Built beside and moved into place, so that an interrupted build leaves nothing that looks finished.
  fresh=$(mktemp -d "$cache/$crate/.new.XXXXXX")
  trap 'rm -rf "$fresh"' EXIT
  # Outside the repository: its toolchain file and target directory are not the tool's concern.
  env -u CARGO_TARGET_DIR cargo install --locked --quiet --root "$fresh" "$@" "$crate@$version" >&2
  rm -rf "$place"
  mv "$fresh" "$place"
fi
printf '%s\n' "$tool"
