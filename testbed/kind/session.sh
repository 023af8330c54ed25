# shellcheck shell=bash
# What with-docker.sh does once an engine answers: images, registries, the command, and the end.

# start_registry PORT DIRECTORY [LINE...]: a registry of its own over a copy of the prepared store.
start_registry() {
  local port=$1 directory=$2
  shift 2
  mkdir -p "$directory"
  cp -r "$LACONIC_TESTBED_DOCKER/registry" "$directory/store"
  {
    printf '%s\n' 'version: 0.1' 'log: {level: warn}' 'storage:' "  filesystem: {rootdirectory: $directory/store}" \
      '  delete: {enabled: true}' "http: {addr: '$gateway:$port'}" "$@"
  } >"$directory/config.yml"
  "$LACONIC_TESTBED_DOCKER/engine/docker-registry" serve "$directory/config.yml" >"$directory/log" 2>&1 &
  registries+=($!)
}

start_registries() {
  gateway=$(docker network inspect bridge --format '{{(index .IPAM.Config 0).Gateway}}')
  start_registry 5000 "$session/open"
  # The hash is of the password below: it guards nothing.
  mkdir -p "$session/private"
  # shellcheck disable=SC2016 # not a variable
  printf '%s\n' 'laconic:$2a$06$oKvy3xnBtz10AoqYGe5.V.vJljlQd9O1ezL1uk3RWFZ9P.HsTrxn6' >"$session/private/passwords"
  start_registry 5001 "$session/private" 'auth:' "  htpasswd: {realm: laconic, path: $session/private/passwords}"
  export LACONIC_TESTBED_REGISTRY=$gateway:5000 LACONIC_TESTBED_PRIVATE_REGISTRY=$gateway:5001
  export LACONIC_TESTBED_PRIVATE_USER=laconic LACONIC_TESTBED_PRIVATE_PASSWORD=only-for-tests
}

# derive IMAGE: the node image that knows the registries.
derive() {
  local build=$session/node hosts
  hosts=$build/certs.d
  mkdir -p "$hosts"/{_default,"$LACONIC_TESTBED_REGISTRY","$LACONIC_TESTBED_PRIVATE_REGISTRY"}
  # Without another server nothing leaves this machine, and what is not there is said to be not found.
  printf 'server = "http://%s"\n' "$LACONIC_TESTBED_REGISTRY" >"$hosts/_default/hosts.toml"
  cp "$hosts/_default/hosts.toml" "$hosts/$LACONIC_TESTBED_REGISTRY/"
  printf 'server = "http://%s"\n' "$LACONIC_TESTBED_PRIVATE_REGISTRY" >"$hosts/$LACONIC_TESTBED_PRIVATE_REGISTRY/hosts.toml"
  printf 'FROM %s\nCOPY certs.d /etc/containerd/certs.d\n' "$1" >"$build/Dockerfile"
  DOCKER_BUILDKIT=0 docker build --quiet --tag laconic-testbed/node:session "$build" >/dev/null 2>"$session/build.log" || {
    cat "$session/build.log" >&2
    return 1
  }
  export KIND_NODE_IMAGE=laconic-testbed/node:session
}

load_images() {
  local begun=$EPOCHREALTIME image
  image=${KIND_NODE_IMAGE:-}
  if [ -z "$image" ]; then
    image=$(cat "$LACONIC_TESTBED_DOCKER/node-image")
    docker image inspect "$image" >/dev/null 2>&1 ||
      zstd -dcq "$LACONIC_TESTBED_DOCKER/node.tar.zst" | docker load --quiet >/dev/null
  elif [ -f "$image" ]; then
    image=$(docker load --quiet --input "$image" | sed -n 's/^Loaded image: //p')
  elif ! docker image inspect "$image" >/dev/null 2>&1; then
    timeout 600 docker pull "$image" >&2
  fi
  derive "$image"
  docker load --quiet --input "$LACONIC_TESTBED_DOCKER/workload.tar" >/dev/null
  LACONIC_TESTBED_IMAGES=$(tr '\n' ' ' <"$LACONIC_TESTBED_DOCKER/images")
  export LACONIC_TESTBED_IMAGES
  awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "with docker: images loaded in %.1f s\n", b - a }' >&2
}

end_session() {
  local cluster
  kill "${registries[@]}" 2>/dev/null || true
  # An own engine ends with everything in it; of another one, what was not there before.
  if [ -n "${clusters_before+x}" ]; then
    for cluster in $(kind get clusters 2>/dev/null); do
      grep -qxF "$cluster" <<<"$clusters_before" || kind delete cluster --name "$cluster" >&2 || true
    done
    docker image rm laconic-testbed/node:session >/dev/null 2>&1 || true
  fi
  rm -rf --one-file-system "$session"
}

session() {
  registries=()
  session=$(mktemp -d)
  trap end_session EXIT
  trap 'exit 143' TERM HUP
  trap : INT
  export KUBECONFIG=$session/kubeconfig
  export PATH=$LACONIC_TESTBED_DOCKER/bin:$PATH
  if [ -z "${LACONIC_TESTBED_SHARED:-}" ]; then
    # On an ordinary host everything is a shared mount.
    clusters_before=$(kind get clusters 2>/dev/null || true)
    export LACONIC_TESTBED_SHARED=$session/shared
    mkdir "$LACONIC_TESTBED_SHARED"
  fi
  start_registries
  load_images
  local status=0
  "$@" || status=$?
  exit "$status"
}
