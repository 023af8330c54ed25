#!/usr/bin/env bash
# Runs all tests, which must be built. Those on kind clusters mostly wait, so they run beside the others: the journeys on
# a Docker of their own, the contract and the providers on a second one. Each line of output names its group; the
# times of the groups are printed. LACONIC_TESTBED=off or servers: there are no kind clusters, and everything is one group.
set -euo pipefail
cd "$(dirname "$0")/.."

tests=(cargo test --workspace --profile ci --locked --offline --quiet)
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

group() {
  local name=$1
  shift
  # The phase's own status counts, not that of the naming of its lines.
  scripts/phase.sh "$name" "$@" > >(sed -u "s/^/[$name] /") 2>&1
}
running=()
if [ "${LACONIC_TESTBED_ENGINE:-own}" = own ]; then
  group 'journeys' scripts/with-docker.sh "${tests[@]}" "${journeys[@]}" &
  running+=($!)
  group 'contract' scripts/with-docker.sh "${tests[@]}" "${contract[@]}" &
  running+=($!)
else
  # One Docker, one port 80: one cluster at a time.
  group 'on clusters' scripts/with-docker.sh "${tests[@]}" "${journeys[@]}" "${contract[@]}" -- --test-threads=1 &
  running+=($!)
fi
group 'others' "${tests[@]}" "${rest[@]}" &
running+=($!)
# A short run: the inputs that are kept, and some seconds of new ones.
group 'fuzz' scripts/fuzz.sh 10 &
running+=($!)
status=0
for process in "${running[@]}"; do wait "$process" || status=1; done
exit "$status"
