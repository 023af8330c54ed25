#!/usr/bin/env bash
# Makes the images that tests deploy, and a registry's store that holds them: test-images.sh BINARIES SYSTEM FOLDER
#
#   FOLDER/workload.tar  what Docker loads: laconic-testbed/workload:1, and :2, which says so in its page
#   FOLDER/registry      the store, with those and what laconic itself deploys
#   FOLDER/images        the names of all
set -euo pipefail

binaries=$1 system=$2 folder=$3
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck disable=SC2034 # archive.sh reads it
architecture=$(dpkg --print-architecture)
# shellcheck source-path=SCRIPTDIR source=archive.sh
. "$here/archive.sh"
work=$(mktemp -d "$folder/.images.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT

# image ARCHIVE NAME COMMAND [VARIABLE]: one of our own program.
image() {
  install -D "$binaries/workload" "$work/root/$3"
  mkdir -p "$work/root/tmp"
  add_image "$work/$1" "$2" "[\"/$3\",\"$3\"]" "$work/root" "${4:-}"
  rm -r "$work/root"
}

image workload laconic-testbed/workload:1 workload WORKLOAD_IMAGE=1
image workload laconic-testbed/workload:2 workload WORKLOAD_IMAGE=2
write_archive "$work/workload" "$folder/workload.tar"
# The names that laconic gives by default.
image system ghcr.io/laconicnetwork/caddy-ingress:latest ingress
stage "$system" "$work/kubectl" /usr/bin/{sh,mv,mkdir,rm,cat,ls}
install -D "$binaries/kubectl" "$work/kubectl/usr/local/bin/kubectl"
add_image "$work/system" alpine/kubectl:1.35.3 '["kubectl"]' "$work/kubectl"
write_archive "$work/system" "$work/system.tar"

export LACONIC_TESTBED_DOCKER=$folder
# shellcheck disable=SC2016 # the other shell expands them
"$here/../../scripts/docker-engine.sh" run bash -euc '
  printf "%s\n" "version: 0.1" "log: {level: error}" "storage:" "  filesystem: {rootdirectory: $1/registry}" \
    "http: {addr: 127.0.0.1:5000}" >"$2/registry.yml"
  "$1/engine/docker-registry" serve "$2/registry.yml" >"$2/registry.log" 2>&1 &
  until (: </dev/tcp/127.0.0.1/5000) 2>/dev/null; do kill -0 $!; sleep 0.05; done
  for archive in "$1/workload.tar" "$2/system.tar"; do docker load --quiet --input "$archive"; done |
    sed -n "s/^Loaded image: //p" | tee "$1/images" | while read -r name; do
      # What nodes ask a mirror for has no host.
      case ${name%%/*} in *.*) path=${name#*/} ;; *) path=$name ;; esac
      docker tag "$name" "127.0.0.1:5000/$path"
      docker push --quiet "127.0.0.1:5000/$path" >/dev/null
    done
  kill $!
' store "$folder" "$work" >&2
