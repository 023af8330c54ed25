//! What services say of the whole pod: its name, DNS, groups, sysctls, node, time to stop.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::naming::is_dns_label;
use crate::code::Code;
use crate::compose::{ComposeFile, RestartPolicy, Service};
use crate::finding::Finding;
use crate::place::Place;
use crate::spec::Located;

/// Sysctls that a kubelet lets every pod have: of the pod alone, and without harm to others.
const SAFE_SYSCTLS: &[&str] = &[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_syncookies",
];

/// How many name servers a pod may have.
const MAX_NAME_SERVERS: usize = 3;

/// Settings of a pod.
#[derive(Debug, Default)]
pub(super) struct PodSettings {
    /// Members of the pod's `spec`.
    pub members: Map<String, Value>,
    /// Their places, below `spec.template.spec`.
    pub places: Vec<(String, Place)>,
    /// What there is to say.
    pub findings: Vec<Finding>,
}

/// Settings that the services of a file ask for; of the compose dialect.
pub(super) fn pod_settings(file: &ComposeFile) -> PodSettings {
    let mut settings = PodSettings::default();
    hostname(file, &mut settings);
    dns(file, &mut settings);
    security(file, &mut settings);
    node(file, &mut settings);
    let longest =
        file.services.iter().filter_map(|service| service.stop_grace_period.as_ref()).max_by_key(|it| it.value);
    if let Some(longest) = longest {
        settings.set("terminationGracePeriodSeconds", longest.value.into(), &longest.place);
    }
    for (member, wants) in [
        ("hostPID", (|service| service.host_processes.as_ref()) as fn(&Service) -> Option<&Place>),
        ("hostIPC", |service| service.host_ipc.as_ref()),
    ] {
        if let Some(place) = file.services.iter().find_map(wants) {
            settings.set(member, true.into(), place);
        }
    }
    settings
}

impl PodSettings {
    fn set(&mut self, member: &str, value: Value, place: &Place) {
        self.members.insert(member.to_owned(), value);
        self.places.push((member.to_owned(), place.clone()));
    }
}

/// The one value on which all services agree that have any; a finding for each that has another.
fn agreed<'f, T: PartialEq>(
    file: &'f ComposeFile,
    key: &str,
    of: impl Fn(&'f Service) -> Option<&'f Located<T>>,
    findings: &mut Vec<Finding>,
) -> Option<&'f Located<T>> {
    let mut values = file.services.iter().filter_map(of);
    let first = values.next()?;
    let mut is_agreed = true;
    for other in values.filter(|other| other.value != first.value) {
        is_agreed = false;
        findings.push(
            Finding::new(
                Code::ComposeFeatureIgnored,
                format!("`{key}` has no effect: the services of one pod share it, and they disagree"),
            )
            .at(&other.place)
            .label(&first.place, "the other value")
            .help("write the same value, or put the services into compose files of their own"),
        );
    }
    is_agreed.then_some(first)
}

fn hostname(file: &ComposeFile, settings: &mut PodSettings) {
    let mut findings = Vec::new();
    if let Some(name) = agreed(file, "hostname", |service| service.hostname.as_ref(), &mut findings) {
        if is_dns_label(&name.value) {
            settings.set("hostname", name.value.as_str().into(), &name.place);
        } else {
            findings.push(
                Finding::new(
                    Code::ComposeFeatureIgnored,
                    format!("`hostname: {}` has no effect: the name of a pod is a DNS label", name.value),
                )
                .at(&name.place)
                .help("use lower-case letters, digits and hyphens, beginning with a letter; no dots"),
            );
        }
    }
    settings.findings.extend(findings);
}

fn dns(file: &ComposeFile, settings: &mut PodSettings) {
    let mut servers: Vec<String> = Vec::new();
    let mut searches: Vec<&str> = Vec::new();
    let mut options: Vec<(&str, Option<&str>)> = Vec::new();
    let mut first: Option<&Place> = None;
    for dns in file.services.iter().map(|service| &service.dns) {
        for server in &dns.servers {
            let address = server.value.to_string();
            if servers.contains(&address) {
                continue;
            }
            if servers.len() == MAX_NAME_SERVERS {
                let message =
                    format!("`dns: {address}` has no effect: a pod has {MAX_NAME_SERVERS} name servers at most");
                let finding = Finding::new(Code::ComposeFeatureIgnored, message).at(&server.place);
                settings.findings.push(finding.help("name fewer; the services of one pod share them"));
                continue;
            }
            first = first.or(Some(&server.place));
            servers.push(address);
        }
        for search in &dns.searches {
            if !searches.contains(&search.value.as_str()) {
                first = first.or(Some(&search.place));
                searches.push(&search.value);
            }
        }
        for option in &dns.options {
            let pair = (option.value.0.as_str(), option.value.1.as_deref());
            if !options.contains(&pair) {
                first = first.or(Some(&option.place));
                options.push(pair);
            }
        }
    }
    let Some(place) = first else { return };
    let mut config = Map::new();
    if !servers.is_empty() {
        config.insert("nameservers".to_owned(), servers.into());
    }
    if !searches.is_empty() {
        config.insert("searches".to_owned(), searches.into());
    }
    if !options.is_empty() {
        let options = options.into_iter().map(|(name, value)| match value {
            Some(value) => json!({"name": name, "value": value}),
            None => json!({"name": name}),
        });
        config.insert("options".to_owned(), options.collect());
    }
    settings.set("dnsConfig", config.into(), place);
}

fn security(file: &ComposeFile, settings: &mut PodSettings) {
    let mut context = Map::new();
    let mut groups: Vec<i64> = Vec::new();
    let mut first: Option<&Place> = None;
    for group in file.services.iter().flat_map(|service| &service.security.groups) {
        if !groups.contains(&group.value) {
            first = first.or(Some(&group.place));
            groups.push(group.value);
        }
    }
    if !groups.is_empty() {
        context.insert("supplementalGroups".to_owned(), groups.into());
    }
    let on_host = file.services.iter().any(|service| service.host_network.is_some());
    let shares_ipc = file.services.iter().any(|service| service.host_ipc.is_some());
    let mut sysctls: BTreeMap<&str, &Located<String>> = BTreeMap::new();
    for (name, value) in file.services.iter().flat_map(|service| &service.sysctls) {
        let why = if !SAFE_SYSCTLS.contains(&name.value.as_str()) {
            Some("nodes let no pod have it unless their kubelets are told to".to_owned())
        } else if on_host && name.value.starts_with("net.") {
            Some("the pod is on the node's network".to_owned())
        } else if shares_ipc && name.value.starts_with("kernel.shm") {
            Some("the pod shares the node's memory segments".to_owned())
        } else {
            let other = sysctls.get(name.value.as_str()).filter(|other| other.value != value.value);
            other.map(|other| format!("the services of one pod share it, and another one has {}", other.value))
        };
        match why {
            Some(why) => settings.findings.push(
                Finding::new(Code::ComposeFeatureIgnored, format!("`sysctls: {}` has no effect: {why}", name.value))
                    .at(&name.place)
                    .help("set it on the nodes, or do without it"),
            ),
            None => {
                first = first.or(Some(&name.place));
                sysctls.insert(&name.value, value);
            }
        }
    }
    if !sysctls.is_empty() {
        let sysctls = sysctls.into_iter().map(|(name, value)| json!({"name": name, "value": value.value}));
        context.insert("sysctls".to_owned(), sysctls.collect());
    }
    if let Some(place) = first {
        settings.set("securityContext", context.into(), place);
    }
}

fn node(file: &ComposeFile, settings: &mut PodSettings) {
    let mut findings = Vec::new();
    if let Some(platform) = agreed(file, "platform", |service| service.platform.as_ref(), &mut findings) {
        let (system, architecture) = &platform.value;
        let mut selector = Map::new();
        selector.insert("kubernetes.io/os".to_owned(), system.as_str().into());
        if let Some(architecture) = architecture {
            selector.insert("kubernetes.io/arch".to_owned(), architecture.as_str().into());
        }
        settings.set("nodeSelector", selector.into(), &platform.place);
    }
    settings.findings.extend(findings);
}

/// How many pods a file asks for, when its services agree.
pub(super) fn replicas(file: &ComposeFile) -> (Option<&Located<u32>>, Vec<Finding>) {
    let mut findings = Vec::new();
    (agreed(file, "scale", |service| service.replicas.as_ref(), &mut findings), findings)
}

/// What a Job does when its pod fails: `restartPolicy`, `backoffLimit` and the place that says so.
pub(super) fn job_restarts(file: &ComposeFile) -> (&'static str, u32, Option<&Place>, Vec<Finding>) {
    /// How often Kubernetes itself tries.
    const DEFAULT_TRIES: u32 = 6;
    let mut findings = Vec::new();
    let policy = agreed(file, "restart", |service| service.restart.as_ref(), &mut findings);
    let (word, tries) = match policy.map(|policy| policy.value) {
        Some(RestartPolicy::OnFailure(tries)) => ("OnFailure", tries.unwrap_or(DEFAULT_TRIES)),
        Some(RestartPolicy::Never) | None => ("Never", 0),
        Some(RestartPolicy::Always) => {
            let message = "`restart` has no effect: a job ends, and is not started again when it has ended well";
            let finding = Finding::new(Code::ComposeFeatureIgnored, message);
            findings.push(
                finding
                    .at_maybe(policy.map(|policy| &policy.place))
                    .help("write `restart: on-failure:3` to have it tried again, or list the file under `pods:`"),
            );
            ("Never", 0)
        }
    };
    (word, tries, policy.map(|policy| &policy.place), findings)
}

/// Policies that a Deployment cannot have. What ends before the others start is started again only when it fails.
pub(super) fn deployment_restarts(order: &[(&Service, super::start_order::Stage)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (service, stage) in order {
        let Some(policy) = &service.restart else { continue };
        let is_kept = match stage {
            super::start_order::Stage::Init => policy.value != RestartPolicy::Always,
            _ => policy.value == RestartPolicy::Always,
        };
        if !is_kept {
            findings.push(
                Finding::new(
                    Code::ComposeFeatureIgnored,
                    format!("`restart` of `{}` has no effect: containers of a pod run for ever", service.name.value),
                )
                .at(&policy.place)
                .help("remove it; for work that ends, list the compose file under `jobs:` of stack.yml")
                .help("or let others depend on it with `condition: service_completed_successfully`"),
            );
        }
    }
    findings
}
