#!/usr/bin/env bash
# Runs all tests, which must be built. Those on kind clusters mostly wait, so they run beside the others: the journeys on
# a Docker of their own, the contract and the providers on a second one. Each line of output names its group; the
# times of the groups are printed. LACONIC_TESTBED=off or servers: there are no kind clusters, and everything is one group.
set -euo pipefail
cd "$(dirname "$0")/.."

tests=(cargo test --workspace --profile ci --locked --offline --quiet --no-fail-fast)
if [ -n "${LACONIC_TESTBED:-}" ]; then
  exec "${tests[@]}" --all-targets
fi

# Every test file or folder there is, so that a new one is never left out.
journeys=(--test kind)
contract=(--test contract --test kind_cluster)
rest=(--lib --bins --examples --benches)
while IFS= read -r name; do
  case $name in
    kind | kind_cluster | contract) ;;
    *) rest+=(--test "$name") ;;
  esac
done < <(for file in */tests/*.rs */tests/*/main.rs; do
  file=${file%/main.rs}
  basename "${file%.rs}"
done | sort -u)

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
names=()
running=()
# Starts a group beside the others.
group() {
  local name=$1
  shift
  scripts/phase.sh "$name" "$@" 2>&1 | tee "$logs/$name" | sed -u "s/^/[$name] /" &
  names+=("$name")
  running+=($!)
}
# What a group has to say of its failures: those that cargo lists, else its last lines. The causes come last and short.
failures() {
  local said listed
  said=$(cat "$1")
  listed=$(awk '/^failures:$/ { listing = 1 } listing; /^test result:/ { listing = 0 }' <<<"$said")
  tail -n 80 <<<"${listed:-$said}"
  grep -A 2 'panicked at' <<<"$said" | cut -c 1-160 | tail -n 12 || true
}
if [ "${LACONIC_TESTBED_ENGINE:-own}" = own ]; then
  group 'journeys' scripts/twice.sh scripts/with-docker.sh "${tests[@]}" "${journeys[@]}"
  group 'contract' scripts/twice.sh scripts/with-docker.sh "${tests[@]}" "${contract[@]}"
else
  # One Docker, one port 80: one cluster at a time.
  group 'on clusters' scripts/twice.sh scripts/with-docker.sh "${tests[@]}" "${journeys[@]}" "${contract[@]}" -- --test-threads=1
fi
group 'others' "${tests[@]}" "${rest[@]}"
# A short run: the inputs that are kept, and some seconds of new ones.
group 'fuzz' scripts/fuzz.sh 10
failed=()
for index in "${!running[@]}"; do wait "${running[index]}" || failed+=("${names[index]}"); done
# Once more, together and last: the groups' lines are mixed, and of a long output people see the end.
for name in "${failed[@]}"; do
  printf '\n[%s] FAILED:\n' "$name"
  failures "$logs/$name"
done
# Nobody shall overlook what failed at first.
for name in "${names[@]}"; do
  if grep -q '^SECOND ATTEMPT' "$logs/$name"; then
    printf 'WARNING: [%s] needed a second attempt; what failed in the first:\n' "$name"
    failures <(sed '/^SECOND ATTEMPT/,$d' "$logs/$name")
  fi
done
[ ${#failed[@]} -eq 0 ]
