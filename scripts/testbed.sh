#!/usr/bin/env bash
# The servers of the test bed: etcd, kube-apiserver, kube-controller-manager and kubectl, of the versions that
# testbed/tools pins. Built once per machine from the Go modules; docs/src/testing.md says more.
#
#   testbed.sh          makes them available and prints the path of the folder that holds them
#   testbed.sh --where  prints that path when they are there, and fails when they are not
#
# KUBEBUILDER_ASSETS is used instead when it is set. LACONIC_TESTBED=off builds nothing.
set -euo pipefail

# Go 1.27 switches encoding/json to its second version, with which kube-openapi does not work.
go_line=1.26
go_version=1.26.8
servers=(kube-apiserver kube-controller-manager kubectl etcd)

root=$(cd "$(dirname "$0")/.." && pwd)
tools=$root/testbed/tools
if [ -n "${XDG_CACHE_HOME:-${HOME:-}}" ]; then
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/laconic-testbed
else
  cache=$root/target/testbed
fi

say() { printf '%s\n' "$@" >&2; }
fail() {
  say "test bed: $1" "${@:2}" 'test bed: tests that need it are left out, loudly, with LACONIC_TESTBED=off'
  exit 1
}

complete() {
  local server
  for server in "${servers[@]}"; do [ -x "$1/$server" ] || return 1; done
}

# Runs a command with its output on standard error, and says how long it took.
timed() {
  local name=$1 begun=$SECONDS
  shift
  say "  $name ..."
  "$@" >&2
  say "  $name $((SECONDS - begun)) s"
}

# Puts into `go` a command that is Go of the wanted line, and into the environment what makes it so.
find_go() {
  if ! command -v go >/dev/null 2>&1; then
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
      say 'test bed: there is no Go here; installing the package golang-go'
      timed 'package lists' apt-get -qq update
      timed 'golang-go' apt-get -qq install --no-install-recommends golang-go ca-certificates
    else
      fail "there is no Go here" \
        "test bed: install any Go from 1.21 on (Debian and Ubuntu: apt-get install golang-go); it fetches $go_version itself"
    fi
  fi
  go=go
  export GOWORK=off GOFLAGS='-mod=readonly -buildvcs=false' CGO_ENABLED=0
  if [[ $(cd / && GOTOOLCHAIN=local go version 2>/dev/null) == *" go$go_line"[.\ ]* ]]; then
    export GOTOOLCHAIN=local
  elif [[ $(cd / && GOTOOLCHAIN=go$go_version go version) == *" go$go_version "* ]]; then
    export GOTOOLCHAIN=go$go_version
  else
    fetch_go
  fi
}

# A Go before 1.21 cannot switch to another one, but it can fetch it: toolchains are modules too.
fetch_go() {
  local module place=$cache/go$go_version downloaded
  module=golang.org/toolchain@v0.0.1-go$go_version.$(go env GOOS)-$(go env GOARCH)
  if [ ! -x "$place/bin/go" ]; then
    local fresh
    fresh=$(mktemp -d "$cache/.new.XXXXXX")
    timed "Go $go_version" env GOFLAGS= go mod download "$module" ||
      fail "$(go version) cannot fetch Go $go_version" "test bed: install Go $go_line"
    downloaded=$(go env GOMODCACHE)/$module
    cp -R "$downloaded" "$fresh/go"
    # Modules carry no permissions.
    chmod -R u+w "$fresh/go"
    chmod +x "$fresh"/go/bin/* "$fresh"/go/pkg/tool/*/*
    mv "$fresh/go" "$place"
    rmdir "$fresh"
  fi
  go=$place/bin/go
  export GOTOOLCHAIN=local GOROOT=$place
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
  rm -rf "$cache"/.new.*
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
  [ "$mode" != --where ] || fail "the servers are not built" 'test bed: `make testbed` builds them'
  mkdir -p "$cache"
  exec 9>"$cache/.lock"
  if command -v flock >/dev/null 2>&1; then
    flock --nonblock 9 || {
      say 'test bed: another run is building it; waiting'
      flock 9
    }
  fi
  complete "$assets" || publish "$assets" "${servers[@]}"
fi
if [ -n "${KUBEBUILDER_ASSETS:-}" ] && [ "$assets" != "$KUBEBUILDER_ASSETS" ]; then link_others; fi
printf '%s\n' "$assets"
