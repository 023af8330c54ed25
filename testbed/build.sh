# shellcheck shell=bash
# What the scripts that build the test bed share. It puts into `root` and `tools` where things are in the repository and
# into `cache` where what is built goes.
# shellcheck disable=SC2034 # they use what is set here

# Go 1.27 switches encoding/json to its second version, with which kube-openapi does not work.
go_line=1.26
go_version=1.26.8

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
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

# Takes the lock that keeps two runs from building at the same time, as file descriptor 9.
lock_cache() {
  mkdir -p "$cache"
  exec 9>"$cache/.lock"
  if command -v flock >/dev/null 2>&1; then
    flock --nonblock 9 || {
      say 'test bed: another run is building it; waiting'
      flock 9
    }
  fi
}
