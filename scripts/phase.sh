#!/usr/bin/env bash
# Runs one phase of a longer run and says how long it took: phase.sh NAME COMMAND [ARGUMENT...]
set -u
name=$1
shift
printf '==> %s\n' "$name"
SECONDS=0
"$@"
status=$?
if [ "$status" -eq 0 ]; then
  printf '<== %s %d s\n' "$name" "$SECONDS"
else
  printf '<== %s %d s FAILED (exit %d)\n' "$name" "$SECONDS" "$status"
fi
exit "$status"
