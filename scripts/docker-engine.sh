#!/usr/bin/env bash
# A Docker engine of the test bed's own, for root on Linux: nothing of the machine's Docker is used or touched.
#
#   docker-engine.sh run [--root DIR] COMMAND...   starts one, runs the command beside it, and ends it
#   docker-engine.sh start [--root DIR]            starts one that stays, and prints DOCKER_HOST
#   docker-engine.sh exec [--root DIR] COMMAND...  runs a command beside one that runs
#   docker-engine.sh status [--root DIR]           prints DOCKER_HOST, or fails when none runs
#   docker-engine.sh stop [--root DIR]             ends it and removes everything of it
#
# The engine and what runs beside it have namespaces of their own for mounts, the network and processes. So nothing can
# be left behind when they end: no process, mount, bridge or firewall rule, however they end; and every engine has its
# own ports 80 and 443. The other side: what runs beside it sees no network but its own, and what runs elsewhere reaches
# Docker's socket but not the ports that containers publish.
#
# What the command finds: DOCKER_HOST; LACONIC_TESTBED_SHARED, a directory that is a shared mount, which
# `propagation: HostToContainer` needs of host paths; and, after `run`, LACONIC_TESTBED_ENGINE_PID, the file with the
# engine's process: nobody else uses it, so that the command may stop it and start it again. LACONIC_TESTBED_DOCKER is the
# folder that testbed-kind.sh makes.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
self=$here/$(basename "$0")
# shellcheck source-path=SCRIPTDIR source=../testbed/kind/command.sh
. "$here/../testbed/kind/command.sh"
base=/var/tmp/laconic-testbed-docker
gateway=172.31.255.1

say() { printf '%s\n' "$@" >&2; }
fail() {
  say "docker engine: $1" "${@:2}"
  exit 1
}

# The processes of a running engine hold its lock.
runs() {
  local code=0
  [ -e "$1/lock" ] || return 1
  flock --nonblock --conflict-exit-code 75 "$1/lock" true 2>/dev/null || code=$?
  [ "$code" -eq 75 ]
}

# The first process of the namespaces, as seen from here.
init_of() {
  local outer
  outer=$(cat "$1/pid" 2>/dev/null) && [ -n "$outer" ] || return 1
  tr -d ' ' <"/proc/$outer/task/$outer/children" 2>/dev/null
}

# Removes what an engine that is no more left on disk and among the control groups.
remove() {
  local group directory
  for group in /sys/fs/cgroup/*/"$(basename "$1")" /sys/fs/cgroup/"$(basename "$1")"; do
    [ -d "$group" ] || continue
    while read -r directory; do
      rmdir "$directory" 2>/dev/null || true
    done < <(find "$group" -depth -type d)
  done
  rm -rf --one-file-system "$1"
}

remove_dead() {
  local other
  for other in "$base".*; do
    if [ ! -d "$other" ] || runs "$other"; then continue; fi
    # One without a lock may be just being made.
    if [ -e "$other/lock" ] || [ -n "$(find "$other" -maxdepth 0 -mmin +1)" ]; then remove "$other"; fi
  done
}

# --- outside of the namespaces

run() {
  local status=0 child
  [ "$(id -u)" -eq 0 ] || fail 'an engine of its own needs root' 'docker engine: or a Docker that runs already'
  for tool in unshare nsenter setpriv flock ip iptables; do
    command -v "$tool" >/dev/null || fail "there is no $tool here" 'docker engine: the packages are util-linux, iproute2 and iptables'
  done
  # shellcheck disable=SC2016 # it is a command
  [ -x "${LACONIC_TESTBED_DOCKER:-}/engine/dockerd" ] ||
    fail 'LACONIC_TESTBED_DOCKER does not name a folder with an engine' 'docker engine: `scripts/testbed-kind.sh` makes one'
  # One after the other: who looks whether another engine is dead holds that one's lock for a moment.
  exec 8>>"$(dirname "$LACONIC_TESTBED_DOCKER")/.starting"
  flock 8
  remove_dead
  mkdir -p "$root/shared"
  exec 9>>"$root/lock"
  flock --timeout 5 9 || fail "one runs already in $root"
  exec 8>&-
  rm -f "$root/ready"
  # A command in the background has SIGINT ignored; `inside` gives it back to the user's command. The parent's death
  # ends unshare, and unshare's death ends everything.
  setpriv --pdeathsig KILL unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private \
    bash "$self" inside --root "$root" "$@" <&0 &
  child=$!
  printf '%s\n' "$child" >"$root/pid"
  trap 'kill -TERM "$(init_of "$root")" 2>/dev/null || true' TERM INT HUP
  while :; do
    wait "$child" && status=0 || status=$?
    kill -0 "$child" 2>/dev/null || break
  done
  exec 9>&-
  remove "$root"
  exit "$status"
}

start() {
  if runs "$root"; then
    say "docker engine: one runs already in $root"
  else
    remove "$root"
    mkdir -p "$root"
    setsid "$self" run --root "$root" sleep infinity >"$root.log" 2>&1 </dev/null &
    local launched=$!
    until [ -e "$root/ready" ]; do
      kill -0 "$launched" 2>/dev/null || fail 'it ended at once:' "$(tail -n 20 "$root.log")"
      sleep 0.1
    done
  fi
  status
}

status() {
  runs "$root" || fail "none runs in $root"
  printf 'DOCKER_HOST=unix://%s/docker.sock\n' "$root"
}

stop() {
  local outer
  if runs "$root"; then
    outer=$(cat "$root/pid")
    kill -TERM "$(init_of "$root")" 2>/dev/null || true
    for _ in $(seq 300); do
      [ -e "/proc/$outer" ] || break
      sleep 0.1
    done
    kill -KILL "$outer" 2>/dev/null || true
    for _ in $(seq 100); do
      runs "$root" || break
      sleep 0.1
    done
  fi
  remove "$root"
  rm -f "$root.log"
}

beside() {
  local init
  runs "$root" || fail "none runs in $root"
  init=$(init_of "$root")
  environment
  # shellcheck disable=SC2016 # the other shell expands it
  exec nsenter --target "$init" --mount --net --pid bash -c 'cd "$0" && exec "$@"' "$PWD" "$@"
}

environment() {
  export DOCKER_HOST=unix://$root/docker.sock LACONIC_TESTBED_SHARED=$root/shared
  export PATH=$LACONIC_TESTBED_DOCKER/bin:$PATH
  unset DOCKER_CONTEXT
}

# --- inside of them

start_engine() {
  local engine=$LACONIC_TESTBED_DOCKER/engine runtime=() begun=$EPOCHREALTIME
  # Sockets, locks and states of other engines are there; ours go where they vanish.
  mount -t tmpfs -o mode=755 tmpfs /run
  mount --bind "$root/shared" "$root/shared"
  mount --make-shared "$root/shared"
  ip link set lo up
  # Images and clusters are written once and thrown away: in memory, where there is plenty.
  mkdir -p "$root/data"
  local available
  available=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
  if [ "$available" -ge 10240 ]; then mount -t tmpfs -o "mode=711,size=$((available / 2))m" tmpfs "$root/data"; fi
  # `docker run --privileged` asks for all capabilities, and runc fails when one of them is not to be had.
  if ! capsh_has_resource; then
    runtime=(--add-runtime "limited=$engine/runc-limited" --default-runtime limited)
  fi
  export LACONIC_TESTBED_ENGINE_PID=/run/dockerd.pid
  PATH=$engine:$PATH dockerd --host "unix://$root/docker.sock" --data-root "$root/data" --pidfile "$LACONIC_TESTBED_ENGINE_PID" \
    --config-file "$engine/daemon.json" --bip "$gateway/24" --default-address-pool base=172.30.0.0/16,size=24 \
    --insecure-registry "$gateway/32" --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$(basename "$root")" \
    --storage-driver overlay2 --oom-score-adjust 0 "${runtime[@]}" >"$root/log" 2>&1 9>&- &
  engine_pid=$!
  until docker version >/dev/null 2>&1; do
    kill -0 "$engine_pid" 2>/dev/null || fail 'dockerd ended:' "$(tail -n 20 "$root/log")"
    sleep 0.1
  done
  awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "docker engine: up in %.1f s\n", b - a }' >&2
}

# Bit 24 of the bounding set.
capsh_has_resource() {
  local set
  set=$(awk '/^CapBnd:/ { print $2 }' /proc/self/status)
  (((16#$set >> 24) & 1))
}

stop_engine() {
  local containers
  containers=$(docker ps --all --quiet 2>/dev/null || true)
  # shellcheck disable=SC2086 # several
  if [ -n "$containers" ]; then docker rm --force --volumes $containers >/dev/null 2>&1 || true; fi
  kill -TERM "$engine_pid" 2>/dev/null || true
  wait "$engine_pid" 2>/dev/null || true
}

inside() {
  local status=0
  environment
  trap 'stopping=1' TERM INT HUP
  start_engine
  touch "$root/ready"
  attend "$@"
  stop_engine
  exit "$status"
}

action=${1:-}
[ $# -gt 0 ] && shift
root=
if [ "${1:-}" = --root ]; then
  root=${2:?--root needs a directory}
  shift 2
fi
case $action in
  run) root=${root:-$(mktemp -d "$base.XXXXXX")} ;;
  *) root=${root:-$base.own} ;;
esac
case $action in
  run | inside) "$action" "$@" ;;
  exec) beside "$@" ;;
  start | stop | status) "$action" ;;
  *) fail "unknown action '$action'" "$(sed -n '4,8s/^# *//p' "$self")" ;;
esac
