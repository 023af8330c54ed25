#!/usr/bin/env bash
# Builds the node image of kind without a registry: node-image.sh BINARIES KIND-SOURCE VERSION FOLDER IMAGE
#
# BINARIES holds what was compiled (docs/src/testing.md lists it), KIND-SOURCE is the tree of kind's module, VERSION that
# of Kubernetes, FOLDER what testbed-kind.sh makes, with an engine in it. The image is written to FOLDER/node.tar.zst.
#
# A Debian system with systemd as kind's own Dockerfile makes it, then the real `kind build node-image`, which finds all
# images it needs in the archives it is given.
set -euo pipefail

binaries=$1 kind_source=$2 version=$3 folder=$4 image=$5
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck disable=SC2034 # archive.sh reads it
architecture=$(dpkg --print-architecture)
# shellcheck source-path=SCRIPTDIR source=archive.sh
. "$here/archive.sh"
work=$(mktemp -d "$folder/.node.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
system=$binaries/../system

say() { printf '  %s\n' "$*" >&2; }

# What kind's images/base/Dockerfile does after installing packages.
fill_system() {
  local base=$kind_source/images/base/files units=$system/lib/systemd/system
  cp -r --no-preserve=mode,ownership "$base"/{etc,kind,usr} "$system/"
  chmod 755 "$system"/usr/local/bin/* "$system"/kind/bin/*
  rm -f "$units"/sysinit.target.wants/systemd-tmpfiles-setup.service "$units"/multi-user.target.wants/* \
    "$system"/etc/systemd/system/*.wants/* "$units"/local-fs.target.wants/* "$units"/basic.target.wants/* \
    "$units"/sockets.target.wants/*{udev,initctl}*
  printf 'ReadKMsg=no\n' >>"$system/etc/systemd/journald.conf"
  ln -sfn /usr/lib/systemd/systemd "$system/sbin/init"
  # It warns that /proc is missing.
  SYSTEMD_OFFLINE=1 chroot "$system" systemctl --quiet enable kubelet.service containerd.service \
    undo-mount-hacks.service 2>"$work/systemctl.log" || { cat "$work/systemctl.log" >&2; exit 1; }
  ln -sfn /dev/null "$system/etc/systemd/system/systemd-binfmt.service"
  mkdir -p "$system"/etc/kubernetes/manifests "$system"/opt/cni/bin
  install "$binaries"/{containerd,containerd-shim-runc-v2,ctr,crictl} "$system/usr/local/bin/"
  cp "$system"/usr/lib/cni/{host-local,loopback,ptp,portmap} "$system/opt/cni/bin/"
  "$binaries/ctr" oci spec | chroot "$system" jq '.hooks.createContainer = [{"path": "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' \
    >"$system/etc/containerd/cri-base.json"
  # Kubernetes refuses control groups of version 1 unless it is told not to.
  sed -i 's/^KUBELET_EXTRA_ARGS=/&--fail-cgroupv1=false /' "$system/etc/default/kubelet"
  # Without CAP_SYS_RESOURCE nothing can be made less likely to be killed for want of memory.
  sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' "$system/etc/containerd/config.toml"
  rm -rf "$system"/usr/lib/cni "${system:?}"/dev/* "${system:?}"/run/* "${system:?}"/tmp/*
}

# constant NAME: the value of a constant of kind's node image builder.
constant() {
  sed -n "s/^const $1 = \"\(.*\)\"\$/\1/p" "$kind_source"/pkg/build/nodeimage/*.go
}

# single ARCHIVE NAME ENTRYPOINT BINARY PATH: an image of one program.
single() {
  local root=$work/root
  rm -rf "$root"
  install -D "$binaries/$4" "$root/$5"
  mkdir -p "$root/tmp"
  add_image "$1" "$2" "$3" "$root"
}

make_server() {
  local server=$work/kubernetes/server/bin name tool required root=$work/tools begun=$SECONDS
  mkdir -p "$server"
  printf '%s\n' "$version" >"$work/kubernetes/version"
  cp "$binaries"/{kubeadm,kubelet,kubectl} "$server/"
  for name in kube-apiserver kube-controller-manager kube-scheduler; do
    single "$work/archive" "registry.k8s.io/$name:$version" null "$name" "usr/local/bin/$name"
    write_archive "$work/archive" "$server/$name.tar"
  done

  # kube-proxy runs iptables, whose libxt_statistic needs the mathematical library; without it Services go nowhere.
  stage "$system" "$root" /usr/sbin/xtables-nft-multi "$(cd "$system" && echo /usr/lib/*-linux-gnu/libm.so.6)"
  cp -r "$system"/usr/lib/*-linux-gnu/xtables "$(echo "$root"/usr/lib/*-linux-gnu)/"
  for tool in ip{,6}tables{,-save,-restore}; do ln -s xtables-nft-multi "$root/usr/sbin/$tool"; done
  install -D "$binaries/kube-proxy" "$root/usr/local/bin/kube-proxy"
  add_image "$work/archive" "registry.k8s.io/kube-proxy:$version" null "$root"
  # The others come in the same archive.
  rm -rf "$root"
  stage "$system" "$root" /usr/bin/{sh,mkdir,rm}
  add_image "$work/archive" "$(constant storageHelperImage)" null "$root"
  single "$work/archive" "$(constant storageProvisionerImage)" null local-path-provisioner usr/local/bin/local-path-provisioner
  single "$work/archive" "$(constant kindnetdImage)" '["/network","network"]' workload network
  required=$(sed -n 's/^ *sandbox_image = "\(.*\)"$/\1/p' "$system/etc/containerd/config.toml")
  single "$work/archive" "$required" '["/pause","pause"]' workload pause
  while read -r required; do
    case $required in
      */etcd:*) single "$work/archive" "$required" null etcd usr/local/bin/etcd ;;
      */coredns:*) single "$work/archive" "$required" '["/coredns"]' coredns coredns ;;
    esac
  done < <("$binaries/kubeadm" config images list --kubernetes-version "$version")
  write_archive "$work/archive" "$server/kube-proxy.tar"
  say "images $((SECONDS - begun)) s"
  tar -C "$work" -c kubernetes | gzip -1 >"$work/server.tar.gz"
  rm -rf "$work/kubernetes" "$work/root" "$root"
}

build_node() {
  local begun=$SECONDS
  # Nothing can be pulled, and kind would try for a while.
  mkdir "$work/bin"
  # shellcheck disable=SC2016 # the other shell expands them
  printf '#!/bin/sh\n[ "$1" != pull ] || exit 0\nexec %s "$@"\n' "$(command -v docker)" >"$work/bin/docker"
  chmod +x "$work/bin/docker"
  export LACONIC_TESTBED_DOCKER=$folder
  # shellcheck disable=SC2016 # the other shell expands them
  TMPDIR=$work "$here/../../scripts/docker-engine.sh" run bash -euc '
    set -o pipefail
    tar -C "$3" --numeric-owner -c . | docker import - laconic-testbed/node-system:1 >/dev/null
    printf "FROM laconic-testbed/node-system:1\nENV container=docker\nSTOPSIGNAL SIGRTMIN+3\n" |
      DOCKER_BUILDKIT=0 docker build --quiet --tag laconic-testbed/node-base:1 - >/dev/null
    echo "  base $SECONDS s"
    PATH=$1/bin:$PATH kind build node-image --type file --base-image laconic-testbed/node-base:1 --image "$2" \
      "$1/server.tar.gz" >"$1/kind.log" 2>&1 || { cat "$1/kind.log"; exit 1; }
    echo "  node $SECONDS s"
    docker save "$2" | zstd -q -3 -T0 -o "$1/node.tar.zst"
  ' build "$work" "$image" "$system" >&2
  mv "$work/node.tar.zst" "$folder/node.tar.zst"
  say "kind build node-image $((SECONDS - begun)) s"
}

fill_system
make_server
build_node
