#!/usr/bin/env bash
# Checks the dependencies: licences, bans and sources always, advisories when their database can be had.
set -euo pipefail
cd "$(dirname "$0")/.."
deny=$(scripts/tool.sh cargo-deny 0.20.2)

"$deny" check --hide-inclusion-graph bans licenses sources

if "$deny" fetch db; then
  "$deny" check --disable-fetch advisories
else
  printf '\n%s\n%s\n\n' \
    'WARNING: the advisory database could not be fetched.' \
    'WARNING: advisories were NOT checked in this run; bans, licences and sources were.' >&2
fi
