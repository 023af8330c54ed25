#!/usr/bin/env bash
# Runs a command, and once more when it fails: twice.sh COMMAND [ARGUMENT...]. For tests on real clusters, which wait
# within limits for what is slow where much else runs.
set -u
"$@" && exit
printf 'SECOND ATTEMPT: something failed above\n'
exec "$@"
