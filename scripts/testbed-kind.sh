#!/usr/bin/env bash
# What kind clusters of the test bed need where no image can be pulled: kind, kubectl, a node image, a Docker engine of
# its own, a registry, and the images that tests deploy. Built once per machine; docs/src/testing.md says more.
#
#   testbed-kind.sh          makes them available and prints the path of the folder that holds them
#   testbed-kind.sh --where  prints that path when they are there, and fails when they are not
#
# Building needs root on Debian or Ubuntu. LACONIC_TESTBED=off builds nothing.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../testbed/build.sh
. "$(dirname "$0")/../testbed/build.sh"
# shellcheck source-path=SCRIPTDIR source=../testbed/kind/packages.sh
. "$root/testbed/kind/packages.sh"
parts=$root/testbed/kind

complete() { [ -e "$1/complete" ]; }

# What is pinned, and how it is built. Debian's packages are not: they are what the machine's Debian and its stable
# suite have when it is built.
digest() {
  {
    printf '%s %s\n' "$(uname -sm)" "$go_version"
    declare -f compile
    cat "$parts"/{archive,node-image,packages,runc-limited,system,test-images}.sh
    # Not the comments.
    sed -e '/^\/\//d' "$tools"/{kubernetes,etcd,cluster,workload}/go.mod
    cat "$tools"/{kubernetes,etcd,cluster}/go.sum "$tools"/cluster/*/*.go "$tools"/workload/*.go
  } | sha256sum | cut -c1-16
}

# compile MODULE FLAGS PACKAGE...: into $binaries.
compile() {
  local module=$1 flags=$2
  shift 2
  (cd "$tools/$module" && "$go" build -trimpath -tags no_btrfs,no_devmapper,no_zfs,no_aufs -ldflags "-s -w $flags" -o "$binaries/" "$@")
}

compile_all() {
  local name=k8s.io/component-base/version containerd=github.com/containerd/containerd/v2/cmd
  [[ $version =~ ^v([0-9]+)\.([0-9]+)\. ]] || fail "cannot read the version $version"
  timed 'kubelet, kubeadm, kube-scheduler, kube-proxy' compile kubernetes \
    "-X $name.gitVersion=$version -X $name.gitTreeState=clean -X $name.gitMajor=${BASH_REMATCH[1]} -X $name.gitMinor=${BASH_REMATCH[2]}" \
    k8s.io/kubernetes/cmd/{kubelet,kubeadm,kube-scheduler,kube-proxy}
  timed 'kind' compile cluster '' sigs.k8s.io/kind
  timed 'containerd, ctr, crictl' compile cluster '' \
    $containerd/{containerd,containerd-shim-runc-v2,ctr} sigs.k8s.io/cri-tools/cmd/crictl
  timed 'coredns' compile cluster '' ./coredns
  # Alone: of a library it uses, the others use a later version whose path differs in a capital letter.
  timed 'local-path-provisioner' compile cluster '' github.com/rancher/local-path-provisioner
  timed 'workload' compile workload '' .
}

# Ends what still builds in the background and removes what was built.
abandon() {
  local job
  for job in $(jobs -p); do kill -- "$job" 2>/dev/null || true; done
  wait
  rm -rf --one-file-system "$fresh"
}

publish() {
  local place=$1 begun=$SECONDS debootstrap
  rm -rf --one-file-system "$cache"/.new.*
  say "test bed: building what kind clusters need into $place (once per machine, minutes)"
  fresh=$(mktemp -d "$cache/.new.XXXXXX")
  trap 'abandon' EXIT
  work=$fresh/.work binaries=$fresh/.work/binaries
  mkdir -p "$binaries" "$fresh/bin" "$fresh/engine"
  chmod 755 "$fresh"
  find_go
  version=$(cd "$tools/kubernetes" && "$go" list -m -f '{{.Version}}' k8s.io/kubernetes)
  install_tools
  # Waits for the network and the disk, while compiling waits for the processors.
  timed 'debootstrap' \
    "$parts/system.sh" "$work/system" "$cache/system-$(sha256sum <"$parts/system.sh" | cut -c1-16).tar.zst" &
  debootstrap=$!
  timed 'engine' fetch_engine "$fresh/engine" "$fresh/bin"
  timed 'registry' fetch_registry "$fresh/engine"
  compile_all
  cp "$servers"/* "$binaries/"
  cp "$binaries"/{kind,kubectl} "$fresh/bin/"
  wait "$debootstrap" || fail 'debootstrap failed'
  kind_source=$(cd "$tools/cluster" && "$go" list -m -f '{{.Dir}}' sigs.k8s.io/kind)
  timed 'node image' "$parts/node-image.sh" "$binaries" "$kind_source" "$version" "$fresh" "laconic-testbed/node:$version"
  printf 'laconic-testbed/node:%s\n' "$version" >"$fresh/node-image"
  timed 'test images' "$parts/test-images.sh" "$binaries" "$work/system" "$fresh"
  rm -rf --one-file-system "$work"
  touch "$fresh/complete"
  rm -rf "$place"
  mv "$fresh" "$place"
  say "test bed: built in $((SECONDS - begun)) s"
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
folder=$cache/kind-$(digest)
if ! complete "$folder"; then
  # shellcheck disable=SC2016 # it is a command
  [ "$mode" != --where ] || fail 'what kind clusters need is not built' 'test bed: `make testbed-kind` builds it'
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    fail 'building the node image needs root on Debian or Ubuntu'
  fi
  servers=$(env -u KUBEBUILDER_ASSETS "$root/scripts/testbed.sh")
  lock_cache
  complete "$folder" || publish "$folder"
fi
printf '%s\n' "$folder"
