#!/usr/bin/env bash
# Everything that must hold, phase by phase; stops at the first phase that fails. `make test` runs it.
# Needs rustup or cargo, a C compiler, Go, bash and coreutils; for kind clusters root on Debian or Ubuntu, or with
# LACONIC_TESTBED_ENGINE=host a Docker that runs. LACONIC_TESTBED=off leaves out the tests that need the servers which
# Go builds, and says so; LACONIC_TESTBED=servers leaves out only those that need Docker. With CI=true nothing can be
# left out.
set -euo pipefail
cd "$(dirname "$0")/.."
begun=$SECONDS
phase() { scripts/phase.sh "$@"; }

if [ "${CI:-}" = true ] && [ -n "${LACONIC_TESTBED:-}" ]; then
  printf 'LACONIC_TESTBED=%s leaves tests out, which CI=true does not allow\n' "$LACONIC_TESTBED" >&2
  exit 1
fi
# Each test that is left out adds a line.
LACONIC_TESTBED_SKIPPED=$(mktemp)
export LACONIC_TESTBED_SKIPPED
trap 'rm -f "$LACONIC_TESTBED_SKIPPED"' EXIT

phase 'format' cargo fmt --all --check
# One profile for everything: build scripts and macros are compiled once.
phase 'clippy' cargo clippy --workspace --all-targets --profile ci --locked --quiet -- -D warnings
phase 'dependencies' scripts/deny.sh
phase 'test bed' scripts/testbed.sh
if [ "${LACONIC_TESTBED:-}" != off ]; then
  LACONIC_TESTBED_ASSETS=$(scripts/testbed.sh --where)
  export LACONIC_TESTBED_ASSETS
fi
if [ -z "${LACONIC_TESTBED:-}" ]; then
  phase 'test bed for kind' scripts/testbed-kind.sh
fi
# Built first: beside the test bed's own Docker there is no network to fetch anything from.
phase 'build of tests' cargo test --workspace --all-targets --profile ci --locked --quiet --no-run
phase 'tests' scripts/tests.sh
phase 'doc tests' cargo test --workspace --doc --profile ci --locked --quiet
phase 'rustdoc' env RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --profile ci --locked --quiet
phase 'book' scripts/book.sh
# With the program that was built for the tests.
phase 'demo against README' scripts/check-demo.sh
if [ -s "$LACONIC_TESTBED_SKIPPED" ]; then
  printf 'WARNING: LACONIC_TESTBED=%s, and these tests were left out:\n' "${LACONIC_TESTBED:-}" >&2
  cat "$LACONIC_TESTBED_SKIPPED" >&2
  printf 'WARNING: %d tests were left out\n' "$(wc -l <"$LACONIC_TESTBED_SKIPPED")" >&2
fi
printf 'everything passed in %d s\n' "$((SECONDS - begun))"
