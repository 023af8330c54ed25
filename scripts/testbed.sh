#!/usr/bin/env bash
# The servers of the test bed: etcd, kube-apiserver, kube-controller-manager and kubectl, of the versions that
# testbed/tools pins. Built once per machine from the Go modules; docs/src/testing.md says more.
#
#   testbed.sh          makes them available and prints the path of the folder that holds them
#   testbed.sh --where  prints that path when they are there, and fails when they are not
#
# KUBEBUILDER_ASSETS is used instead when it is set. LACONIC_TESTBED=off builds nothing.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=../testbed/build.sh
. "$(dirname "$0")/../testbed/build.sh"
servers=(kube-apiserver kube-controller-manager kubectl etcd)

complete() {
  local server
  for server in "${servers[@]}"; do [ -x "$1/$server" ] || return 1; done
}

# build SERVER FOLDER
build() {
  local flags='-s -w' package=k8s.io/kubernetes/cmd/$1 module=kubernetes version
  if [ "$1" = etcd ]; then
    module=etcd package=go.etcd.io/etcd/server/v3
  else
    # Without these the server says that it is v0.0.0, and clients of it compare versions.
    version=$(cd "$tools/kubernetes" && "$go" list -m -f '{{.Version}}' k8s.io/kubernetes)
    [[ $version =~ ^v([0-9]+)\.([0-9]+)\. ]] || fail "cannot read the version $version"
    local name=k8s.io/component-base/version
    flags+=" -X $name.gitVersion=$version -X $name.gitTreeState=clean"
    flags+=" -X $name.gitMajor=${BASH_REMATCH[1]} -X $name.gitMinor=${BASH_REMATCH[2]}"
  fi
  (cd "$tools/$module" && timed "$1" "$go" build -trimpath -ldflags "$flags" -o "$2/$1" "$package")
}

# What is pinned, and how it is built: everything that decides about the bytes that come out.
digest() {
  {
    printf '%s %s %s\n' "$(uname -sm)" "$go_version" "$1"
    declare -f build
    # Not the comments.
    sed -e '/^\/\//d' "$tools"/{kubernetes,etcd}/go.mod
    cat "$tools"/{kubernetes,etcd}/go.sum
  } | sha256sum | cut -c1-16
}

# publish FOLDER SERVER...: builds the servers beside the folder and moves them into place at once, so that an
# interrupted build leaves nothing that looks finished.
publish() {
  local place=$1 server begun=$SECONDS
  shift
  # Of runs that were killed; nobody else builds while the lock is ours.
  rm -rf --one-file-system "$cache"/.new.*
  find_go
  say "test bed: building $* into $place (once per machine, minutes)"
  fresh=$(mktemp -d "$cache/.new.XXXXXX")
  trap 'rm -rf "$fresh"' EXIT
  chmod 755 "$fresh"
  for server in "$@"; do build "$server" "$fresh"; done
  rm -rf "$place"
  mv "$fresh" "$place"
  say "test bed: built in $((SECONDS - begun)) s"
}

# Somebody's own folder. Released ones hold no controller-manager: a folder of links adds ours to them.
others() {
  local server
  for server in etcd kube-apiserver kubectl; do
    [ -x "$KUBEBUILDER_ASSETS/$server" ] || fail "no $server in KUBEBUILDER_ASSETS ($KUBEBUILDER_ASSETS)"
  done
  if complete "$KUBEBUILDER_ASSETS"; then
    assets=$KUBEBUILDER_ASSETS
    return
  fi
  assets=$cache/$(digest "with $(cd "$KUBEBUILDER_ASSETS" && pwd -P)")
  servers=(kube-controller-manager)
}

link_others() {
  local server
  for server in etcd kube-apiserver kubectl; do
    ln -sfn "$(cd "$KUBEBUILDER_ASSETS" && pwd -P)/$server" "$assets/$server"
  done
}

mode=${1:-}
case $mode in
  '' | --where) ;;
  *) fail "unknown option $mode" ;;
esac
if [ "${LACONIC_TESTBED:-}" = off ]; then
  say 'test bed: off (LACONIC_TESTBED=off)'
  exit 0
fi

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  others
else
  assets=$cache/$(digest all)
fi
if ! complete "$assets"; then
  # shellcheck disable=SC2016 # it is a command
  [ "$mode" != --where ] || fail "the servers are not built" 'test bed: `make testbed` builds them'
  lock_cache
  complete "$assets" || publish "$assets" "${servers[@]}"
fi
if [ -n "${KUBEBUILDER_ASSETS:-}" ] && [ "$assets" != "$KUBEBUILDER_ASSETS" ]; then link_others; fi
printf '%s\n' "$assets"
