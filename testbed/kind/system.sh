#!/usr/bin/env bash
# The Debian system that becomes kind's node: system.sh DIRECTORY KEPT. What kind's images/base/Dockerfile installs,
# without the network file systems and fuse-overlayfs, and with Debian's runc and network plugins. It is kept as the file
# KEPT, and taken from there the next time.
set -euo pipefail

packages=(
  systemd
  conntrack iptables nftables iproute2 ethtool kmod
  libseccomp2 runc containernetworking-plugins
  e2fsprogs
  bash ca-certificates curl jq procps
)
directory=$1 kept=$2
if [ -f "$kept" ]; then
  mkdir "$directory"
  zstd -dcq "$kept" | tar -C "$directory" --numeric-owner -xp
  exit
fi
include=$(IFS=, && printf '%s' "${packages[*]}")
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# It mounts /proc inside: in a mount namespace of its own, nothing is left mounted however it ends.
if ! unshare --mount --propagation private \
  debootstrap --variant=minbase --merged-usr --keyring="$keyring" --include="$include" trixie "$directory" >"$directory.log" 2>&1; then
  tail -n 30 "$directory.log" >&2
  exit 1
fi
rm -rf "$directory"/var/{cache/apt,lib/apt/lists,log}/* "$directory"/usr/share/{doc,man,locale,info}/* "${directory:?}"/dev/*
tar -C "$directory" --numeric-owner -c . | zstd -q -3 -T0 -o "$kept.new"
mv "$kept.new" "$kept"
