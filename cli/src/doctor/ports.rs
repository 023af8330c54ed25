//! Ports of this host that a cluster wants, and who has them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Check;

/// Somebody who waits at a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// At which address.
    pub address: IpAddr,
    /// At which port.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: &'static str,
}

/// The tables of the kernel, with the state in which a socket of each waits for others.
const TABLES: [(&str, &str, &str); 4] = [
    ("/proc/net/tcp", "tcp", "0A"),
    ("/proc/net/tcp6", "tcp", "0A"),
    ("/proc/net/udp", "udp", "07"),
    ("/proc/net/udp6", "udp", "07"),
];

/// Everybody who waits at a port of this host; `None` when not even the first table can be read.
#[must_use]
pub fn look() -> Option<Vec<Listener>> {
    let mut listeners = Vec::new();
    for (number, (path, protocol, state)) in TABLES.iter().enumerate() {
        match std::fs::read_to_string(path) {
            Ok(text) => listeners.extend(parse(&text, protocol, state)),
            Err(_) if number == 0 => return None,
            // Without IPv6 there is no table of it.
            Err(_) => {}
        }
    }
    Some(listeners)
}

/// Reads a table; lines that are no sockets in that state are left out.
#[must_use]
pub fn parse(text: &str, protocol: &'static str, state: &str) -> Vec<Listener> {
    let listener = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (address, port) = words.get(1)?.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        (*words.get(3)? == state).then_some(())?;
        Some(Listener { address: parse_address(address)?, port, protocol })
    };
    text.lines().filter_map(listener).collect()
}

/// Addresses are printed in words of 32 bits, each in this machine's own order.
fn parse_address(text: &str) -> Option<IpAddr> {
    if !text.is_ascii() || !matches!(text.len(), 8 | 32) {
        return None;
    }
    let mut bytes = [0_u8; 16];
    for (index, chunk) in bytes.chunks_exact_mut(4).take(text.len() / 8).enumerate() {
        let word = u32::from_str_radix(text.get(index * 8..index * 8 + 8)?, 16).ok()?;
        chunk.copy_from_slice(&word.to_ne_bytes());
    }
    let [a, b, c, d, ..] = bytes;
    Some(if text.len() == 8 { Ipv4Addr::new(a, b, c, d).into() } else { Ipv6Addr::from(bytes).into() })
}

/// Whether somebody who waits there keeps kind from having the port at all IPv4 addresses, which is what it asks for.
fn is_in_the_way(listener: &Listener) -> bool {
    match listener.address {
        IpAddr::V4(_) => true,
        IpAddr::V6(address) => address.is_unspecified() || address.to_ipv4_mapped().is_some(),
    }
}

/// A port of this host that a cluster wants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// The cluster.
    pub cluster: String,
    /// The port.
    pub port: u16,
    /// `tcp`, `udp`.
    pub protocol: String,
}

/// What was seen.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Who waits at ports of this host; `None` where nobody knows.
    pub listeners: Option<&'a [Listener]>,
    /// The container that publishes the port, when one does.
    pub holder: Option<&'a str>,
    /// Whether the engine runs without root.
    pub is_rootless: bool,
    /// The first port that may be had without root; `None` where nobody knows.
    pub first_unprivileged: Option<u16>,
}

/// What is made of it. Only for a cluster that does not run: one that does has its ports.
#[must_use]
pub fn judge(wanted: &Wanted, seen: Seen<'_>) -> Vec<Check> {
    let Wanted { cluster, port, protocol } = wanted;
    let what = format!("cluster {cluster} wants port {port}/{protocol} of this host");
    let waits = |listener: &Listener| {
        listener.port == *port && listener.protocol == protocol.as_str() && is_in_the_way(listener)
    };
    let taken = seen.listeners.map(|listeners| listeners.iter().find(|listener| waits(listener)));
    let first = match (seen.holder, taken) {
        (Some(holder), _) => Check::problem(
            "port",
            format!("{what}, and the container `{holder}` has it"),
            format!("`docker stop {holder}`, or give one of them another port"),
        ),
        (None, Some(Some(listener))) => Check::problem(
            "port",
            format!("{what}, and somebody has it (at {})", listener.address),
            format!("`sudo ss -l{}np 'sport = :{port}'` says who", if protocol == "udp" { "u" } else { "t" }),
        )
        .or("stop it, or give one of them another port"),
        (None, Some(None)) => Check::ok("port", format!("{what}, and it is free")),
        (None, None) => Check::not_checked(
            "port",
            format!("{what}; who has it cannot be read (/proc/net/tcp)"),
            format!("`sudo ss -ltnp 'sport = :{port}'` says who"),
        ),
    };
    let first_unprivileged = seen.first_unprivileged.unwrap_or(1024);
    let privileged = (seen.is_rootless && *port < first_unprivileged).then(|| {
        Check::problem(
            "port",
            format!("{what}, and the engine runs without root: it may not have ports below {first_unprivileged}"),
            format!("`sudo sysctl net.ipv4.ip_unprivileged_port_start={port}`"),
        )
        .or("or give it another port")
    });
    std::iter::once(first).chain(privileged).collect()
}

/// The first port that may be had without root.
#[must_use]
pub fn first_unprivileged() -> Option<u16> {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 37 1 0 100 0 0 10 0
   1: 0100007F:01BB 0100007F:A000 01 00000000:00000000 00:00000000 00000000     0        0 38 1 0 100 0 0 10 0
   2: garbage
";
    const TCP6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr
   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0
   1: 00000000000000000000000000000000:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0
   2: 0000000000000000FFFF00000100007F:1F92 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0
";

    #[cfg(target_endian = "little")]
    fn listeners() -> Vec<Listener> {
        let mut all = parse(TCP, "tcp", "0A");
        all.extend(parse(TCP6, "tcp", "0A"));
        all
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn the_tables_of_the_kernel_are_read() {
        let found: Vec<String> =
            listeners().iter().map(|listener| format!("{} {}", listener.address, listener.port)).collect();
        assert_eq!(found, ["127.0.0.1 80", "::1 8080", ":: 8081", "::ffff:127.0.0.1 8082"]);
    }

    fn judged(port: u16, holder: Option<&str>, is_rootless: bool) -> Vec<Check> {
        let listeners = listeners();
        let wanted = Wanted { cluster: "main".to_owned(), port, protocol: "tcp".to_owned() };
        let seen = Seen { listeners: Some(&listeners), holder, is_rootless, first_unprivileged: Some(1024) };
        judge(&wanted, seen)
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn whoever_waits_at_an_ipv4_address_is_in_the_way() {
        let verdict = |port| judged(port, None, false)[0].verdict;
        assert_eq!(verdict(80), Verdict::Problem);
        assert_eq!(verdict(8080), Verdict::Ok, "::1 alone is not in the way");
        assert_eq!(verdict(8081), Verdict::Problem);
        assert_eq!(verdict(8082), Verdict::Problem);
        assert_eq!(verdict(443), Verdict::Ok, "a connection is nobody who waits");
    }

    #[test]
    fn a_container_is_named() {
        let checks = judged(9999, Some("registry"), false);
        assert_eq!(checks[0].verdict, Verdict::Problem);
        assert!(checks[0].found.contains("`registry`") && checks[0].help[0].contains("docker stop registry"));
    }

    #[test]
    fn low_ports_are_not_for_engines_without_root() {
        let problems = |port, is_rootless| {
            judged(port, None, is_rootless).iter().filter(|check| check.verdict == Verdict::Problem).count()
        };
        assert_eq!((problems(443, true), problems(443, false), problems(1024, true)), (1, 0, 0));
    }

    #[test]
    fn where_nothing_is_known_nothing_is_concluded() {
        let wanted = Wanted { cluster: "main".to_owned(), port: 80, protocol: "tcp".to_owned() };
        let seen = Seen { listeners: None, holder: None, is_rootless: false, first_unprivileged: None };
        assert_eq!(judge(&wanted, seen)[0].verdict, Verdict::NotChecked);
    }
}
