# shellcheck shell=bash
# What comes from the machine's own Debian or Ubuntu. Packages with services are not installed but unpacked: nothing
# starts, and no program of the machine is replaced.
# shellcheck disable=SC2154 # `root` and `work` are set by those that use this

# unpack FOLDER PACKAGE...
unpack() {
  local folder=$1 package
  shift
  mkdir -p "$folder/packages"
  apt-cache show "$@" >/dev/null 2>&1 || apt-get -qq update
  (cd "$folder/packages" && apt-get -qq -o APT::Sandbox::User=root download "$@")
  for package in "$folder"/packages/*.deb; do dpkg-deb --extract "$package" "$folder"; done
  rm -r "$folder/packages"
}

# The programs that building and the engine call.
install_tools() {
  local missing=() pair
  for pair in debootstrap:debootstrap zstd:zstd iptables:iptables ip:iproute2 unshare:util-linux setpriv:util-linux \
    flock:util-linux; do
    command -v "${pair%:*}" >/dev/null 2>&1 || missing+=("${pair#*:}")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  timed "packages ${missing[*]}" install_packages "${missing[@]}"
}

install_packages() {
  apt-cache show "$@" >/dev/null 2>&1 || apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends "$@"
}

# fetch_engine FOLDER PROGRAMS: dockerd and what it calls; a docker command too when the machine has none.
fetch_engine() {
  local folder=$1 programs=$2 unpacked=$work/engine program absent=
  for program in docker dockerd containerd containerd-shim-runc-v2 runc docker-proxy docker-init; do
    command -v "$program" >/dev/null || absent=yes
  done
  if [ -z "$absent" ]; then
    for program in dockerd containerd containerd-shim-runc-v2 runc docker-proxy docker-init; do
      ln -s "$(command -v "$program")" "$folder/$program"
    done
  else
    unpack "$unpacked" docker.io containerd runc tini
    cp "$unpacked"/usr/sbin/dockerd "$unpacked"/usr/bin/containerd* "$unpacked"/usr/sbin/runc "$folder/"
    cp "$(find "$unpacked" -name docker-proxy -type f)" "$folder/"
    cp "$unpacked/usr/bin/tini-static" "$folder/docker-init"
    command -v docker >/dev/null || cp "$unpacked/usr/bin/docker" "$programs/"
    if ldd "$folder"/{dockerd,runc} | grep -q 'not found'; then
      install_packages libdevmapper1.02.1 libseccomp2 libsystemd0
    fi
  fi
  # The machine's own configuration file is not read.
  printf '{}\n' >"$folder/daemon.json"
  install "$root/testbed/kind/runc-limited.sh" "$folder/runc-limited"
}

# fetch_registry FOLDER
fetch_registry() {
  unpack "$work/registry" docker-registry
  cp "$work/registry/usr/bin/docker-registry" "$1/"
}
