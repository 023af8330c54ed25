#!/usr/bin/env bash
# Everything that must hold, phase by phase; stops at the first phase that fails. `make test` runs it.
# Needs rustup or cargo, a C compiler, bash and coreutils.
set -euo pipefail
cd "$(dirname "$0")/.."
begun=$SECONDS
phase() { scripts/phase.sh "$@"; }

phase 'format' cargo fmt --all --check
phase 'clippy' cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
phase 'dependencies' scripts/deny.sh
phase 'tests' cargo test --workspace --all-targets --profile ci --locked --quiet
phase 'doc tests' cargo test --workspace --doc --profile ci --locked --quiet
phase 'rustdoc' env RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked --quiet
phase 'book' scripts/book.sh
phase 'demo binary' cargo build --profile ci -p laconic --locked --quiet
phase 'demo against README' scripts/check-demo.sh
printf 'everything passed in %d s\n' "$((SECONDS - begun))"
