//! A container as the engine describes it.

use std::collections::BTreeMap;

use serde_json::Value;

/// Whether a container runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// It runs.
    Running,
    /// It is held.
    Paused,
    /// It does not run; the engine's word for it: `exited`, `created`, `dead`, …
    Stopped(String),
}

/// Something mounted into a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mount {
    /// Where in the container.
    pub destination: String,
    /// From where on the host.
    pub source: String,
    /// Whether it is a path of the host, and not a volume of the engine's.
    pub is_bind: bool,
    /// `rprivate`, `rslave`, `rshared`, …
    pub propagation: String,
    /// Whether it can be written to.
    pub is_writable: bool,
}

/// A port of the host that leads into a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublishedPort {
    /// The port in the container.
    pub container: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// The address on the host; empty for all.
    pub address: String,
    /// The port of the host.
    pub host: u16,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its image, as it was asked for.
    pub image: String,
    /// Whether it runs.
    pub state: ContainerState,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What is mounted into it, sorted: the engine's order means nothing.
    pub mounts: Vec<Mount>,
    /// Its published ports, sorted.
    pub ports: Vec<PublishedPort>,
}

impl Container {
    /// Reads the answer to `inspect`; `None` when it is not one.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let answer: Value = serde_json::from_str(text).ok()?;
        let one = answer.as_array()?.first()?;
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let state = match one["State"]["Status"].as_str()? {
            "running" => ContainerState::Running,
            "paused" => ContainerState::Paused,
            other => ContainerState::Stopped(other.to_owned()),
        };
        let labels = one["Config"]["Labels"].as_object();
        let mut mounts: Vec<Mount> = one["Mounts"]
            .as_array()?
            .iter()
            .map(|mount| Mount {
                destination: word(&mount["Destination"]),
                source: word(&mount["Source"]),
                is_bind: mount["Type"] == "bind",
                propagation: word(&mount["Propagation"]),
                is_writable: mount["RW"].as_bool().unwrap_or(true),
            })
            .collect();
        mounts.sort_unstable();
        Some(Self {
            id: one["Id"].as_str().filter(|id| !id.is_empty())?.to_owned(),
            name: word(&one["Name"]).trim_start_matches('/').to_owned(),
            image: word(&one["Config"]["Image"]),
            state,
            labels: labels.into_iter().flatten().map(|(name, value)| (name.clone(), word(value))).collect(),
            mounts,
            ports: ports(one),
        })
    }
}

/// What was asked to be published; a port that was left to the engine is known only while the container runs.
fn ports(one: &Value) -> Vec<PublishedPort> {
    let asked = one["HostConfig"]["PortBindings"].as_object();
    let given = one["NetworkSettings"]["Ports"].as_object();
    let mut ports: Vec<PublishedPort> = Vec::new();
    for (name, bindings) in asked.into_iter().flatten() {
        let is_left_open =
            |binding: &Value| binding["HostPort"].as_str().is_none_or(|port| port.is_empty() || port == "0");
        let asked = bindings.as_array().filter(|bindings| !bindings.iter().any(is_left_open));
        let bindings = asked.or_else(|| given?.get(name)?.as_array());
        ports.extend(bindings.into_iter().flatten().filter_map(|binding| port(name, binding)));
    }
    ports.sort_unstable();
    ports
}

fn port(name: &str, binding: &Value) -> Option<PublishedPort> {
    let (container, protocol) = name.split_once('/').unwrap_or((name, "tcp"));
    Some(PublishedPort {
        container: container.parse().ok()?,
        protocol: protocol.to_owned(),
        address: binding["HostIp"].as_str().unwrap_or_default().to_owned(),
        host: binding["HostPort"].as_str()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_is_read_whatever_the_order_of_its_mounts() {
        let mount = |destination: &str| json!({"Type": "bind", "Source": "/x", "Destination": destination, "Mode": "", "RW": true, "Propagation": "rslave"});
        let of = |mounts: Value| {
            let answer = json!([{"Id": "c1", "Name": "/main-control-plane", "Config": {"Image": "kindest/node:v1.36.2"},
                "State": {"Status": "exited"}, "Mounts": mounts,
                "HostConfig": {"PortBindings": {
                    "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}],
                    "53/udp": [{"HostIp": "", "HostPort": "0"}]}},
                "NetworkSettings": {"Ports": {"53/udp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}]}}}]);
            Container::read(&answer.to_string()).unwrap()
        };
        let one = of(json!([mount("/mnt"), mount("/etc/a")]));
        assert_eq!(one, of(json!([mount("/etc/a"), mount("/mnt")])));
        assert_eq!(one.state, ContainerState::Stopped("exited".to_owned()));
        let ports: Vec<(u16, &str, u16)> =
            one.ports.iter().map(|port| (port.container, port.protocol.as_str(), port.host)).collect();
        assert_eq!(ports, [(53, "udp", 32768), (80, "tcp", 8080), (80, "tcp", 8080)]);
    }

    #[test]
    fn what_is_no_container_is_none() {
        for text in ["", "[]", "{}", "[{\"Id\": \"\"}]"] {
            assert_eq!(Container::read(text), None, "{text}");
        }
    }
}
