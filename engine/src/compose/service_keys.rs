//! Every key of compose files, and what becomes of it: what the reader goes by, and the table of the book.

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Honoured in both dialects.
    Both,
    /// Honoured in the compose dialect; LAC111 in the other one.
    Compose,
    /// LAC111 in both.
    None,
    /// Nothing is lost by it, and nothing is said.
    Silent,
}

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What becomes of it.
    pub effect: Effect,
    /// What it becomes, or what to do instead.
    pub text: &'static str,
}

const fn both(name: &'static str, text: &'static str) -> Key {
    Key { name, effect: Effect::Both, text }
}

const fn compose(name: &'static str, text: &'static str) -> Key {
    Key { name, effect: Effect::Compose, text }
}

const fn none(name: &'static str, text: &'static str) -> Key {
    Key { name, effect: Effect::None, text }
}

const fn silent(name: &'static str, text: &'static str) -> Key {
    Key { name, effect: Effect::Silent, text }
}

/// Top-level keys.
pub const TOP_LEVEL_KEYS: &[Key] = &[
    both("services", "containers of one pod, or of one Job"),
    both("volumes", "claims; only the names count, their places are in `volumes:` of the spec"),
    compose("secrets", "a Secret for each, filled when it is sent; its content is in no plan and no state"),
    compose("configs", "a ConfigMap for each"),
    silent("version", "nothing: compose itself ignores it"),
    silent("name", "nothing: the deployment has a name"),
    none("networks", "remove it: all containers of a deployment reach each other"),
    none("include", "list the other file under `pods:` of stack.yml, or copy its services"),
    none("models", "run the model as a service of its own, and name its address in `environment`"),
];

/// Keys of `deploy`.
pub const DEPLOY_KEYS: &[Key] = &[
    both("resources", "requests and limits; `pids`, `devices` and `generic_resources` are LAC111"),
    compose("replicas", "as `scale`"),
    compose("restart_policy", "as `restart`"),
    none("mode", "only `replicated` has a meaning: use `replicas:` of the spec"),
    none("placement", "use `node-affinities:` of the spec"),
    none("update_config", "remove it: pods without volumes are replaced one by one, others at once"),
    none("rollback_config", "remove it: apply the earlier commit instead"),
    none("endpoint_mode", "remove it: names of services stand for the pods themselves"),
    none("labels", "use `labels` of the service itself"),
];

/// Keys of a service.
pub const SERVICE_KEYS: &[Key] = &[
    both("image", "`image`"),
    both("environment", "`env`; list and mapping, any scalar"),
    compose("env_file", "`env`, below `environment`; with `required` and `format: raw`"),
    both(
        "ports",
        "a container port and a NodePort Service each; short and long form, ranges; a host address is LAC111",
    ),
    compose("expose", "container ports without a Service"),
    both("volumes", "mounts; a host path becomes a ConfigMap, an anonymous volume an `emptyDir`; short and long form"),
    both("command", "`args`"),
    both("entrypoint", "`command`"),
    both("user", "`runAsUser` and `runAsGroup`; names other than `root` are LAC111, because only the image knows them"),
    compose("working_dir", "`workingDir`"),
    both(
        "network_mode",
        "`host`: the pod is on the node's network; `service:NAME` of the same file: nothing, as it is so",
    ),
    both("deploy", "see below"),
    both(
        "labels",
        "`laconic.init-container` makes an init container; others, in the compose dialect, labels of the pod, or annotations where their text is no label's",
    ),
    compose("annotations", "annotations of the pod"),
    compose(
        "healthcheck",
        "`readinessProbe`; with `start_period`, or where others wait for it, a `startupProbe` before it",
    ),
    compose("depends_on", "the order in which containers and workloads start; see below"),
    compose("links", "as `depends_on`; an alias is a further name of the service"),
    compose("hostname", "`hostname` of the pod, when its services agree"),
    compose("extra_hosts", "`hostAliases`; `host-gateway` is LAC111"),
    compose("dns", "`dnsConfig.nameservers`"),
    compose("dns_search", "`dnsConfig.searches`"),
    compose("dns_opt", "`dnsConfig.options`"),
    compose("cap_add", "`capabilities.add`, with those of `security:` of the spec"),
    compose("cap_drop", "`capabilities.drop`"),
    compose("privileged", "`privileged`"),
    compose("read_only", "`readOnlyRootFilesystem`"),
    compose("group_add", "`supplementalGroups` of the pod; numbers only"),
    compose("security_opt", "`no-new-privileges`, `seccomp:unconfined`, `apparmor`; others are LAC111"),
    compose("tmpfs", "an `emptyDir` in memory, with its `size`"),
    compose("shm_size", "an `emptyDir` in memory at `/dev/shm`"),
    compose("sysctls", "`sysctls` of the pod, those that every node allows; others are LAC111"),
    compose("stop_grace_period", "`terminationGracePeriodSeconds`, the longest of the pod"),
    compose(
        "restart",
        "of a job: `restartPolicy` and `backoffLimit`; of a pod `always` and `unless-stopped` are what happens anyway, others are LAC111",
    ),
    compose("scale", "`replicas` of the Deployment, when its services agree and the spec says nothing"),
    compose("mem_limit", "`limits.memory`, below `deploy.resources`"),
    compose("mem_reservation", "`requests.memory`, below `deploy.resources`"),
    compose("cpus", "`limits.cpu`, below `deploy.resources`"),
    compose("pull_policy", "`imagePullPolicy`, below the spec's; policies by time are LAC111"),
    compose("platform", "`nodeSelector` for operating system and architecture"),
    compose("pid", "`host`: `hostPID`"),
    compose("ipc", "`host`: `hostIPC`; `shareable` and `service:NAME` of the same file: nothing, as it is so"),
    compose("stdin_open", "`stdin`"),
    compose("tty", "`tty`"),
    compose("profiles", "a service none of whose profiles is in `profiles:` of the spec is left out"),
    compose("extends", "the other service of the same file is merged in as compose does"),
    compose("secrets", "a file in `/run/secrets`, or at `target`"),
    compose("configs", "a file in `/`, or at `target`"),
    compose(
        "networks",
        "`aliases` are further names of the service; all else is LAC111: all containers of a deployment reach each other",
    ),
    silent("attach", "nothing: `laconic deployment logs` shows what is wanted"),
    none("blkio_config", "remove it: Kubernetes does not limit disk traffic"),
    none("build", "build the image beforehand and name it with `image:`"),
    none("cgroup", "remove it: the node decides it"),
    none("cgroup_parent", "remove it: the node decides it"),
    none("container_name", "other containers reach it by the name of the service; use that name"),
    none("cpu_count", "use `deploy.resources.limits.cpus`"),
    none("cpu_percent", "use `deploy.resources.limits.cpus`"),
    none("cpu_period", "use `deploy.resources.limits.cpus`"),
    none("cpu_quota", "use `deploy.resources.limits.cpus`"),
    none("cpu_rt_period", "remove it: the node decides it"),
    none("cpu_rt_runtime", "remove it: the node decides it"),
    none("cpu_shares", "use `deploy.resources.reservations.cpus`"),
    none("cpuset", "use `deploy.resources.limits.cpus`"),
    none("credential_spec", "remove it: it is for Windows"),
    none("develop", "remove it: it is for work on this machine"),
    none("device_cgroup_rules", "use `security.privileged` of the spec"),
    none("devices", "use `security.privileged` of the spec; the node's devices are then seen"),
    none("domainname", "name the service in `hostname`, or use the namespace's domain"),
    none("external_links", "use `external-services:` of the spec"),
    none("gpus", "use `security.runtime-class` of the spec, and a node with the device plugin"),
    none("init", "name an init program in `entrypoint`, such as `[tini, --, program]`"),
    none("isolation", "remove it: it is for Windows"),
    none("label_file", "write the labels under `labels`"),
    none("logging", "remove it: the node keeps what containers print"),
    none("mac_address", "remove it: the cluster's network decides it"),
    none("mem_swappiness", "remove it: nodes do not swap"),
    none("memswap_limit", "remove it: nodes do not swap"),
    none("models", "run the model as a service of its own, and name its address in `environment`"),
    none("oom_kill_disable", "raise `deploy.resources.limits.memory` instead"),
    none("oom_score_adj", "set requests and limits: Kubernetes derives it from them"),
    none("pids_limit", "remove it: the node limits processes of a pod"),
    none("post_start", "do it in `entrypoint`, or as a service that this one depends on"),
    none("pre_stop", "let the program act on SIGTERM; `stop_grace_period` gives it time"),
    none("provider", "use `external-services:` of the spec"),
    none("runtime", "use `security.runtime-class` of the spec"),
    none("stop_signal", "let the program act on SIGTERM: it is what Kubernetes sends unless the image says otherwise"),
    none("storage_opt", "use `deploy.resources.limits.storage`"),
    none("ulimits", "nodes decide them; `security.unlimited-memlock` of the spec lifts that of locked memory"),
    none("use_api_socket", "remove it: there is no Docker in the cluster"),
    none("userns_mode", "remove it: the node decides it"),
    none("uts", "remove it: only `hostname` has a meaning"),
    none("volumes_from", "mount the same named volume in both services"),
];

/// Advice for parts of keys, by the name under which they are said to have no effect.
const PARTS: &[(&str, &str)] = &[
    ("network_mode", "only `host` has a meaning; containers of one pod share their network anyway"),
    ("pid", "only `host` has a meaning"),
    ("ipc", "only `host` has a meaning; containers of one pod share it anyway"),
    ("depends_on.restart", "remove it: what a container needs may come and go, and it must try again"),
    ("healthcheck without test", "write `test:`; a check that is in the image alone is not known to Kubernetes"),
    ("volumes.external", "give the volume its path in `volumes:` of the spec"),
    ("volumes.name", "give the volume its path in `volumes:` of the spec"),
    ("volumes.driver_opts", "give the volume its path in `volumes:` of the spec"),
    ("deploy.resources.pids", "remove it: the node limits processes of a pod"),
    ("deploy.resources.devices", "use `security.runtime-class` of the spec, and a node with the device plugin"),
];

/// The key of that name.
pub(super) fn find(keys: &'static [Key], name: &str) -> Option<&'static Key> {
    keys.iter().find(|key| key.name == name)
}

/// The names of keys, for suggestions.
pub(super) fn names(keys: &'static [Key]) -> Vec<&'static str> {
    keys.iter().map(|key| key.name).collect()
}

/// What to write instead of something that has no effect.
pub(super) fn advice(name: &str) -> Option<&'static str> {
    if let Some((_, advice)) = PARTS.iter().find(|(part, _)| *part == name) {
        return Some(advice);
    }
    let (keys, name) = match name.strip_prefix("deploy.") {
        Some(name) => (DEPLOY_KEYS, name),
        None => (SERVICE_KEYS, name),
    };
    let of_top_level = || find(TOP_LEVEL_KEYS, name);
    find(keys, name).or_else(of_top_level).filter(|key| key.effect == Effect::None).map(|key| key.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_listed_once_and_says_something() {
        for keys in [TOP_LEVEL_KEYS, DEPLOY_KEYS, SERVICE_KEYS] {
            let mut names = names(keys);
            names.sort_unstable();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count);
            assert!(keys.iter().all(|key| !key.text.is_empty() && !key.text.ends_with('.')));
        }
    }

    #[test]
    fn what_has_no_effect_has_a_way_out() {
        assert!(advice("deploy.placement").is_some_and(|text| text.contains("node-affinities")));
        assert!(advice("ulimits").is_some_and(|text| text.contains("unlimited-memlock")));
        assert_eq!(advice("image"), None);
    }
}
