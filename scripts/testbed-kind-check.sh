#!/usr/bin/env bash
# Checks the test bed itself, on one kind cluster: mounts, ports, volumes, Services, ingress, private images; and that
# nothing of it is left on the machine afterwards. Takes a minute or two once everything is built.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
begun=$EPOCHREALTIME
say() { printf '%s\n' "$@" >&2; }
done_with() {
  awk -v a="$begun" -v b="$EPOCHREALTIME" -v what="$1" 'BEGIN { printf "  %-32s %5.1f s\n", what, b - a }' >&2
  begun=$EPOCHREALTIME
}
fail() {
  say "test bed check: $1" "${@:2}"
  exit 1
}

# wanted SECONDS TEXT COMMAND...: the command prints the text at last.
wanted() {
  local tries=$(($1 * 5)) text=$2 said=
  shift 2
  while ((tries-- > 0)); do
    said=$("$@" 2>&1) && [[ $said == *"$text"* ]] && return
    sleep 0.2
  done
  fail "no '$text' from $*, but:" "$said"
}

# What an engine could leave where all can see it.
state() {
  local path
  awk '{ print $2 }' /proc/mounts | sort
  for path in /sys/class/net/*; do basename "$path"; done
  iptables-save 2>/dev/null | sed -e '/^#/d' -e 's/\[.*//'
}

if [ "${1:-}" != --inside ]; then
  before=$(state)
  directory=$(mktemp -d)
  trap 'rm -rf "$directory"' EXIT
  "$here/with-docker.sh" "$0" --inside "$directory/engine"
  after=$(state)
  [ "$before" = "$after" ] || fail 'something is left behind:' "$(diff <(printf '%s\n' "$before") <(printf '%s\n' "$after") || true)"
  engine=$(cat "$directory/engine")
  left=$(
    ls -d "$engine" "/sys/fs/cgroup/$(basename "$engine")" /sys/fs/cgroup/*/"$(basename "$engine")" 2>/dev/null || true
    grep -lsF "$engine" /proc/[0-9]*/cmdline || true
  )
  [ -z "$left" ] || fail 'something is left behind:' "$left"
  say 'nothing is left behind: the test bed is well'
  exit
fi
dirname "$LACONIC_TESTBED_SHARED" >"$2"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/kind.yaml" <<END
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
  - role: control-plane
    kubeadmConfigPatches:
      - |
        kind: InitConfiguration
        nodeRegistration:
          kubeletExtraArgs:
            node-labels: "ingress-ready=true"
    extraMounts: [{hostPath: "$LACONIC_TESTBED_SHARED", containerPath: /mnt, propagation: HostToContainer}]
    extraPortMappings: [{containerPort: 80, hostPort: 80}, {containerPort: 443, hostPort: 443}]
END
kind create cluster --quiet --name check --image "$KIND_NODE_IMAGE" --config "$work/kind.yaml" --wait 180s
done_with 'cluster created'
kubectl wait --timeout 60s --for=condition=Ready node --all >/dev/null
kubectl create secret docker-registry registry --docker-server "$LACONIC_TESTBED_PRIVATE_REGISTRY" \
  --docker-username "$LACONIC_TESTBED_PRIVATE_USER" --docker-password "$LACONIC_TESTBED_PRIVATE_PASSWORD" >/dev/null
sed "s/@PRIVATE@/$LACONIC_TESTBED_PRIVATE_REGISTRY/" "$here/../testbed/kind/check.yaml" | kubectl apply -f - >/dev/null
kubectl wait --timeout 120s --for=condition=Available deployment/page >/dev/null
done_with 'page available'
kubectl wait --timeout 120s --for=condition=Available --namespace caddy-system deployment/caddy-ingress-controller >/dev/null
done_with 'ingress controller available'
wanted 10 'the right pod' curl -sS --max-time 2 --resolve page.example.com:80:127.0.0.1 http://page.example.com/some
wanted 10 'the right pod' curl -sSk --max-time 2 --resolve page.example.com:443:127.0.0.1 https://page.example.com/
wanted 10 caddy.ingress kubectl get secrets --namespace caddy-system --selector manager=caddy --output name
done_with 'page over HTTP and HTTPS'
wanted 10 'the right pod' docker exec check-control-plane curl -sS --max-time 2 \
  "http://$(kubectl get service page --output 'jsonpath={.spec.clusterIP}')/"
wanted 10 Bound kubectl get persistentvolumeclaim data
wanted 10 'the right pod' curl -sS --max-time 2 --resolve page.example.com:80:127.0.0.1 http://page.example.com/files/data/starts
done_with 'Service and claim'
mkdir "$LACONIC_TESTBED_SHARED/later"
mount -t tmpfs tmpfs "$LACONIC_TESTBED_SHARED/later"
printf 'mounted later\n' >"$LACONIC_TESTBED_SHARED/later/file"
wanted 10 'mounted later' docker exec check-control-plane cat /mnt/later/file
wanted 10 'mounted later' curl -sS --max-time 2 --resolve page.example.com:80:127.0.0.1 http://page.example.com/files/host/later/file
umount "$LACONIC_TESTBED_SHARED/later"
done_with 'mounts propagate'
kubectl wait --timeout 60s --for=condition=Ready pod/private-with >/dev/null
wanted 30 'no basic auth credentials' kubectl get events --field-selector involvedObject.name=private-without
kubectl wait --timeout 60s --for=condition=Complete job/job >/dev/null
done_with 'private images, job'
docker tag laconic-testbed/workload:2 "$LACONIC_TESTBED_REGISTRY/pushed/page:1"
docker push --quiet "$LACONIC_TESTBED_REGISTRY/pushed/page:1" >/dev/null
kubectl run pushed --image quay.io/pushed/page:1 --image-pull-policy Always >/dev/null
kubectl wait --timeout 60s --for=condition=Ready pod/pushed >/dev/null
kubectl delete --grace-period 30 pod/pushed >/dev/null
done_with 'push, pull, stop'
kind load docker-image --quiet --name check laconic-testbed/workload:2
done_with 'kind load'
kind delete cluster --quiet --name check
done_with 'cluster deleted'
