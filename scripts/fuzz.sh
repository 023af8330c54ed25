#!/usr/bin/env bash
# Fuzzes what reads files that somebody else wrote: fuzz.sh [SECONDS [TARGET...]]; 10 seconds and all targets unless
# said. No input may panic, take 10 s, or need 256 MB. What is in tests/fuzz/corpus is tried first; new inputs go to
# target/fuzz/corpus, and one that fails to target/fuzz/artifacts, which `fuzz.sh 0 TARGET` then tries again.
#
#   fuzz.sh --keep TARGET...   adds to tests/fuzz/corpus what was found since, as few files as give the same coverage
set -euo pipefail
cd "$(dirname "$0")/.."
fuzz=$(scripts/tool.sh cargo-fuzz 0.13.2)
work=${CARGO_TARGET_DIR:-$PWD/target}/fuzz

mapfile -t all < <(sed -n 's/^name = "\(.*\)"$/\1/p' tests/fuzz/Cargo.toml | sed 1d)
keep=
seconds=10
if [ "${1:-}" = --keep ]; then
  keep=1
  shift
elif [ $# -gt 0 ]; then
  seconds=$1
  shift
fi
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=("${all[@]}")

# The stable toolchain has the coverage counters, but no sanitizer; there is no unsafe code for one to look at.
cargo_fuzz() { (cd tests && "$fuzz" "$@" --fuzz-dir fuzz --sanitizer none --target-dir "$work"); }

cargo_fuzz build >&2
for target in "${targets[@]}"; do
  committed=$PWD/tests/fuzz/corpus/$target
  found=$work/corpus/$target
  artifacts=$work/artifacts/$target/
  mkdir -p "$found" "$artifacts" "$committed"
  binary=("$work"/*/release/"$target")
  limits=(-timeout=10 -rss_limit_mb=256 -malloc_limit_mb=256 -max_len=16384 "-artifact_prefix=$artifacts")
  if [ -n "$keep" ]; then
    fewest=$(mktemp -d)
    "${binary[0]}" -merge=1 "${limits[@]}" "$fewest" "$committed" "$found" 2>/dev/null
    rm -rf "$committed"
    mv "$fewest" "$committed"
    chmod 755 "$committed"
    printf '%s: %d inputs\n' "$target" "$(find "$committed" -type f | wc -l)"
    continue
  fi
  mapfile -t failed < <(find "$artifacts" -type f)
  if [ ${#failed[@]} -gt 0 ]; then "${binary[0]}" "${limits[@]}" "${failed[@]}"; fi
  log=$work/$target.log
  # To libFuzzer no time means for ever.
  length=("-max_total_time=$seconds")
  if [ "$seconds" = 0 ]; then length=(-runs=0); fi
  if ! "${binary[0]}" "${limits[@]}" "${length[@]}" -print_final_stats=1 "$found" "$committed" >"$log" 2>&1; then
    tail -n 60 "$log" >&2
    printf 'fuzz: %s failed; the input is in %s\n' "$target" "$artifacts" >&2
    exit 1
  fi
  awk -v target="$target" '
    /^stat::number_of_executed_units/ { units = $2 }
    /^stat::peak_rss_mb/ { memory = $2 }
    / cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") coverage = $(i + 1) }
    END { printf "%s: %d inputs tried, %d edges seen, at most %d MB\n", target, units, coverage, memory }' "$log"
done
