#!/usr/bin/env bash
# Runs a command with Docker, kind and registries beside it, and cleans up after it, however it ends:
#
#   with-docker.sh COMMAND...      for example `with-docker.sh bash`
#
# What is needed is built first (testbed-kind.sh). The Docker engine is an own one with its own network, ports and
# processes (docker-engine.sh), which needs root. LACONIC_TESTBED_ENGINE=host uses the Docker that runs already instead.
#
# The command finds:
#   PATH                              with kind, kubectl and docker
#   DOCKER_HOST                       the engine, when it is an own one
#   LACONIC_TESTBED_ENGINE_PID        the file with its process then: the command may stop it and start it again
#   KIND_NODE_IMAGE                   the name of a loaded node image that pulls from the registries below. If it was set
#                                     already, it is made from that image, or from that archive if it names a file
#   LACONIC_TESTBED_DOCKER            the folder with everything
#   LACONIC_TESTBED_SHARED            a directory that is a shared mount, for the host paths of clusters. Removed at the end
#   LACONIC_TESTBED_REGISTRY          HOST:PORT of a registry without a password, for nodes and for `docker push`. Nodes
#                                     ask it for images of every name: `docker.io/library/x` is its `library/x`
#   LACONIC_TESTBED_PRIVATE_REGISTRY  HOST:PORT of one that wants a password, and
#   LACONIC_TESTBED_PRIVATE_USER, LACONIC_TESTBED_PRIVATE_PASSWORD  that
#   LACONIC_TESTBED_IMAGES            names of the images that both registries hold and Docker has loaded
#   KUBECONFIG                        a file of its own, which kind writes to
# kind's clusters map the host's ports 80 and 443, if their configuration says so: one cluster at a time.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
say() { printf '%s\n' "$@" >&2; }
fail() {
  say "with docker: $1" "${@:2}"
  exit 1
}
[ $# -gt 0 ] || fail 'a command is needed' "$(sed -n '4s/^# *//p' "$0")"

if [ "$1" = --inside ]; then
  shift
  # shellcheck source-path=SCRIPTDIR source=../testbed/kind/session.sh
  . "$here/../testbed/kind/session.sh"
  # shellcheck source-path=SCRIPTDIR source=../testbed/kind/command.sh
  . "$here/../testbed/kind/command.sh"
  session "$@"
fi

if [ "${LACONIC_TESTBED:-}" = off ]; then fail 'the test bed is off (LACONIC_TESTBED=off)'; fi
LACONIC_TESTBED_DOCKER=${LACONIC_TESTBED_DOCKER:-$("$here/testbed-kind.sh")}
export LACONIC_TESTBED_DOCKER
case ${LACONIC_TESTBED_ENGINE:-own} in
  own) exec "$here/docker-engine.sh" run "$here/with-docker.sh" --inside "$@" ;;
  host)
    docker version >/dev/null 2>&1 || fail 'LACONIC_TESTBED_ENGINE=host, but no Docker answers' "$(docker version 2>&1 | tail -n 1)"
    exec "$here/with-docker.sh" --inside "$@"
    ;;
  *) fail "LACONIC_TESTBED_ENGINE is 'own' or 'host', not '$LACONIC_TESTBED_ENGINE'" ;;
esac
