#!/usr/bin/env bash
# Holds the demo's output against the transcript in README.md; with --update, writes it there.
# The transcript is the fenced block after the line `<!-- demo transcript -->`.
set -euo pipefail
cd "$(dirname "$0")/.."
readme=README.md
marker='<!-- demo transcript -->'

begun=$SECONDS
if ! output=$(scripts/demo.sh --brief); then
  printf '%s\n' "$output"
  printf 'the demo failed\n' >&2
  exit 1
fi
if [[ $output == *'```'* ]]; then
  printf 'the demo prints a code fence, which the README cannot hold\n' >&2
  exit 1
fi

before= transcript= after= part=before
while IFS= read -r line; do
  case $part in
    before)
      before+=$line$'\n'
      if [ "$line" = "$marker" ]; then part=fence; fi
      ;;
    fence)
      before+=$line$'\n'
      if [[ $line == '```'* ]]; then part=transcript; fi
      ;;
    transcript)
      if [ "$line" = '```' ]; then
        part=after
        after+=$line$'\n'
      else
        transcript+=$line$'\n'
      fi
      ;;
    after) after+=$line$'\n' ;;
  esac
done <"$readme"
if [ "$part" != after ]; then
  printf '%s: no fenced block after %s\n' "$readme" "$marker" >&2
  exit 1
fi

if [ "${1:-}" = --update ]; then
  printf '%s%s\n%s' "$before" "$output" "$after" >"$readme.new"
  mv "$readme.new" "$readme"
  printf '%s holds the demo as it is now\n' "$readme"
elif [ "$transcript" = "$output"$'\n' ]; then
  printf 'the demo prints what %s shows (%d s)\n' "$readme" "$((SECONDS - begun))"
else
  printf 'the demo prints something else than %s shows; `make transcript` puts it there\n' "$readme" >&2
  if command -v diff >/dev/null 2>&1; then
    diff -u --label "$readme" <(printf '%s' "$transcript") --label demo <(printf '%s\n' "$output") >&2 || true
  else
    printf '%s\n' "$output" >&2
  fi
  exit 1
fi
