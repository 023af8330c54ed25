//! The words of compose files that are known and have no effect.

/// Top-level keys.
pub(super) const TOP_LEVEL: &[&str] =
    &["services", "volumes", "version", "name", "networks", "configs", "secrets", "include", "models"];

/// Keys of `deploy:`.
pub(super) const DEPLOY: &[&str] = &[
    "resources",
    "mode",
    "replicas",
    "placement",
    "restart_policy",
    "update_config",
    "rollback_config",
    "endpoint_mode",
    "labels",
];

macro_rules! service_keys {
    (read: [$($read:literal),* $(,)?], ignored: [$($ignored:literal),* $(,)?]) => {
        /// Every key of a service.
        pub(super) const ALL: &[&str] = &[$($read,)* $($ignored,)*];
        /// The ones that have no effect.
        pub(super) const IGNORED: &[&str] = &[$($ignored,)*];
    };
}

service_keys! {
    read: [
        "image", "environment", "env_file", "ports", "volumes", "command", "entrypoint", "user", "working_dir",
        "network_mode", "deploy", "labels",
    ],
    ignored: [
        "annotations", "attach", "blkio_config", "build", "cap_add", "cap_drop", "cgroup", "cgroup_parent", "configs",
        "container_name", "cpu_count", "cpu_percent", "cpu_period", "cpu_quota", "cpu_rt_period", "cpu_rt_runtime",
        "cpu_shares", "cpus", "cpuset", "credential_spec", "depends_on", "develop", "device_cgroup_rules", "devices",
        "dns", "dns_opt", "dns_search", "domainname", "expose", "extends", "external_links", "extra_hosts", "gpus",
        "group_add", "healthcheck", "hostname", "init", "ipc", "isolation", "label_file", "links", "logging",
        "mac_address", "mem_limit", "mem_reservation", "mem_swappiness", "memswap_limit", "models", "networks",
        "oom_kill_disable", "oom_score_adj", "pid", "pids_limit", "platform", "post_start", "pre_stop", "privileged",
        "profiles", "provider", "pull_policy", "read_only", "restart", "runtime", "scale", "secrets", "security_opt",
        "shm_size", "stdin_open", "stop_grace_period", "stop_signal", "storage_opt", "sysctls", "tmpfs", "tty",
        "ulimits", "use_api_socket", "userns_mode", "uts", "volumes_from",
    ]
}

/// What to write instead, for the features people miss most.
pub(super) fn advice(name: &str) -> Option<&'static str> {
    Some(match name {
        "restart" => "remove it: Kubernetes restarts containers of a Deployment always, of a Job never",
        "depends_on" => "let the container wait or retry, or make the other one an init container",
        "healthcheck" => "route to the container with `http-proxy`: it then gets a readiness probe",
        "build" => "build the image beforehand and name it with `image:`",
        "privileged" | "cap_add" => "use `security:` of the spec",
        "mem_limit" | "cpus" | "mem_reservation" => "use `deploy.resources`, or `resources:` of the spec",
        "deploy.replicas" | "scale" => "use `replicas:` of the spec",
        "pull_policy" => "use `image-pull-policy:` of the spec",
        "secrets" => "use `secrets:` or `config:` of the spec",
        "configs" => "use `configmaps:` of the spec",
        "tmpfs" => "mount a named volume instead",
        "network_mode" => "only `host` has a meaning; containers of one pod share their network anyway",
        "volumes.external" | "volumes.name" => "give the volume its path in `volumes:` of the spec",
        _ => return None,
    })
}
