#!/usr/bin/env bash
# Checks the dependencies: licences, bans and sources always, advisories when their database can be had.
set -euo pipefail
cd "$(dirname "$0")/.."
deny=$(scripts/tool.sh cargo-deny 0.20.2)

"$deny" check --hide-inclusion-graph bans licenses sources
# The fuzz targets are a package of their own; libFuzzer, which only they use, has a licence of its own.
fuzz_rules=$(mktemp)
trap 'rm -f "$fuzz_rules"' EXIT
sed 's/^allow = \[$/&\n    "NCSA",/' deny.toml >"$fuzz_rules"
"$deny" --manifest-path tests/fuzz/Cargo.toml --config "$fuzz_rules" check --hide-inclusion-graph bans licenses sources

if "$deny" fetch db; then
  "$deny" check --disable-fetch advisories
else
  printf '\n%s\n%s\n\n' \
    'WARNING: the advisory database could not be fetched.' \
    'WARNING: advisories were NOT checked in this run; bans, licences and sources were.' >&2
fi
