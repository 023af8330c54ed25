#!/usr/bin/env bash
# The demo: a walk through laconic on a simulated host, in a directory of its own that is removed at the end.
# Uses the built binary (LACONIC_BIN, else target/ci/laconic) and files of this repository, nothing else.
#
# Prints the same bytes at every run, so that the transcript in README.md can be checked: ids are given where laconic
# would make random ones, and what differs from run to run (the temporary directory, plan ids, times) is replaced.
# With --brief the middle of a long output is left out, as in README.md.
set -euo pipefail

brief=no
if [ "${1:-}" = --brief ]; then brief=yes; fi
head=36
tail=10

root=$(cd "$(dirname "$0")/.." && pwd)
laconic=${LACONIC_BIN:-${CARGO_TARGET_DIR:-$root/target}/ci/laconic}
if [ ! -x "$laconic" ]; then
  printf 'no %s: run `make build` first\n' "$laconic" >&2
  exit 1
fi

work=$(mktemp -d)
work=$(cd "$work" && pwd -P)
trap 'rm -rf "$work"' EXIT
cp -R "$root/tests/fixtures/stacks" "$root/tests/fixtures/operator" "$work/"
cd "$work"

# Nothing of this machine reaches the demo: no settings, no terminal, no colour.
for name in ${!LACONIC_@}; do unset "$name"; done
export LACONIC_SIMULATE=$work/host
export SHOP_REGISTRY_TOKEN=not-a-real-token
export NO_COLOR=1 COLUMNS=120 LC_ALL=C HOME=$work/home
unset XDG_STATE_HOME XDG_CONFIG_HOME XDG_CACHE_HOME CLICOLOR_FORCE
mkdir "$HOME"

# replace PATTERN TEXT: in $line, every match of PATTERN becomes its first group, TEXT and its last group.
replace() {
  local rest=$line done_part=
  while [[ $rest =~ $1 ]]; do
    done_part+=${rest%%"${BASH_REMATCH[0]}"*}${BASH_REMATCH[1]}$2${BASH_REMATCH[${#BASH_REMATCH[@]} - 1]}
    rest=${rest#*"${BASH_REMATCH[0]}"}
  done
  line=$done_part$rest
}

# Prints one line without what differs from run to run.
steady() {
  local line=${1//"$work"/\/demo}
  replace '()[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z()' '(time)'
  replace '([Pp]lan id:? |[Cc]hange id:? |expect-plan=|expect-change=)[0-9a-f]{8,64}()' '(id)'
  replace '(after |took |in |\[)([0-9]+m ?)?[0-9]+(\.[0-9]+)? ?m?s([^[:alnum:]]|$)' '0s'
  printf '%s\n' "$line"
}

say() {
  printf '\n'
  printf '# %s\n' "$@"
}

# run EXIT-CODE ARGUMENT...: runs laconic, shows what it says, and insists on the exit code.
run() {
  local expected=$1 shown='$ laconic' output status=0 word line
  shift
  for word in "$@"; do
    case $word in
      *[!A-Za-z0-9_./=:@,-]*) shown+=" '$word'" ;;
      *) shown+=" $word" ;;
    esac
  done
  steady "$shown"
  output=$("$laconic" "$@" 2>&1 </dev/null) || status=$?
  if [ -n "$output" ]; then
    local -a lines=()
    while IFS= read -r line; do lines+=("$line"); done <<<"$output"
    local index count=${#lines[@]}
    for ((index = 0; index < count; index++)); do
      if [ "$brief" = yes ] && [ "$count" -gt $((head + tail + 1)) ] && [ "$index" -eq "$head" ]; then
        printf '  [%d lines left out here; make demo shows them]\n' "$((count - head - tail))"
        index=$((count - tail))
      fi
      steady "${lines[index]}"
    done
  fi
  if [[ $output == *"$SHOP_REGISTRY_TOKEN"* ]]; then
    printf 'demo: a secret was printed\n' >&2
    exit 1
  fi
  if [ "$status" -ne 0 ]; then printf '(exit %d)\n' "$status"; fi
  if [ "$status" -ne "$expected" ]; then
    printf 'demo: expected exit %d, got %d\n' "$expected" "$status" >&2
    exit 1
  fi
}

printf '%s\n' '# Everything below runs against a simulated host kept in a directory: no Docker, no cluster.'
printf '%s\n' '$ export LACONIC_SIMULATE=/demo/host SHOP_REGISTRY_TOKEN=…'

say '1. A template for the spec, once. The operator edits it and commits it: operator/shop.yml is the result.'
run 0 --stack stacks/stacks/shop deploy init --output draft.yml

say '2. A deployment directory. (The ids are given so that this transcript is always the same.)'
run 0 --stack stacks/stacks/shop deploy create --spec-file operator/shop.yml --deployment-dir shop \
  --cluster-id laconic-demo0001 --deployment-id laconic-demoshop

say '3. What would happen.'
run 0 plan --dir shop

say '4. Do it. A second plan finds nothing to do.'
run 0 apply --dir shop --auto-approve
run 0 plan --dir shop

say '5. A second deployment wants to join the cluster, with a volume outside the umbrella mount.' \
  'kind fixes mounts when a cluster is made: the plan says so now, not the data loss later.'
run 0 --stack stacks/stacks/ledger deploy create --spec-file operator/ledger.yml --deployment-dir ledger \
  --deployment-id laconic-demoledg
run 3 plan --dir ledger --out ledger.plan

say '6. Suppose the recreate is what we want, with shop going down for it. Apply exactly that plan, with its consent.'
run 3 apply ledger.plan
run 0 apply ledger.plan --allow-recreate=laconic-demo0001
run 0 plan --dir shop --dir ledger

say '7. Somebody scales the shop by hand. The drift job notices, apply puts it back.'
run 0 simulate edit --manager kubectl-edit deployment/laconic-shop/laconic-demoshop-deployment spec.replicas 3
run 2 drift --dir shop
run 0 apply --dir shop --auto-approve
run 0 drift --dir shop

say '8. The end. The ledger goes without ceremony: its data stays on the host.' \
  'The shop was the last one and has a generated key, so the plan asks for two consents.'
run 0 destroy --dir ledger --auto-approve
run 3 plan --destroy --dir shop --out shop.plan
run 0 apply shop.plan --allow-data-loss=shop/secrets --allow-cluster-delete=laconic-demo0001
run 0 simulate show
