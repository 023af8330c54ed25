#!/usr/bin/env bash
# runc without CAP_SYS_RESOURCE, for machines whose root does not have it: takes it out of what `docker run --privileged`
# and `docker exec --privileged` ask for, which runc would fail on.
set -euo pipefail

previous=
for argument in "$@"; do
  file=
  case $previous in
    --bundle | -b) file=$argument/config.json ;;
    --process | -p) file=$argument ;;
  esac
  if [ -n "$file" ] && [ -f "$file" ]; then
    sed -i -e 's/"CAP_SYS_RESOURCE",//g' -e 's/,"CAP_SYS_RESOURCE"//g' "$file"
  fi
  previous=$argument
done
exec runc "$@"
