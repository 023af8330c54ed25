use std::sync::Arc;

use super::*;
use crate::code::{Code, Severity};
use crate::finding::Finding;
use crate::place::Place;
use crate::spec::{Dialect, ScalarKind};

fn read(text: &str, dialect: Dialect) -> (ComposeFile, Vec<Finding>) {
    read_compose(&Arc::from("c.yml"), text, dialect)
}

fn codes(findings: &[Finding]) -> Vec<u16> {
    findings.iter().map(|finding| finding.code.number()).collect()
}

fn service(body: &str) -> (Service, Vec<Finding>) {
    let (mut file, findings) = read(&format!("services:\n  a:\n    image: b:1\n{body}"), Dialect::Compose);
    (file.services.remove(0), findings)
}

#[test]
fn variables_are_replaced_as_compose_does() {
    let lookup = |name: &str| match name {
        "V" => Some("val".to_owned()),
        "E" => Some(String::new()),
        _ => None,
    };
    let table = [
        ("plain", "plain", ""),
        ("$V", "val", ""),
        ("${V}", "val", ""),
        ("a${V}b$V.c", "avalbval.c", ""),
        ("$$V", "$V", ""),
        ("$${V}", "${V}", ""),
        ("${V:-d}", "val", ""),
        ("${E:-d}", "d", ""),
        ("${E-d}", "", ""),
        ("${N-d}", "d", ""),
        ("${N:-${V}x}", "valx", ""),
        ("${N:-${M:-${V}}}", "val", ""),
        ("${N:-a:b}", "a:b", ""),
        ("${V:+yes}", "yes", ""),
        ("${E:+yes}", "", ""),
        ("${E+yes}", "yes", ""),
        ("${N+yes}", "", ""),
        ("${V:?m}", "val", ""),
        ("${E?m}", "", ""),
        ("${E:?m}", "", "113e"),
        ("${N?m}", "", "113e"),
        ("${N}", "", "113"),
        ("$N-x", "-x", "113"),
        ("${N:-}", "", ""),
        ("${N", "${N", "101"),
        ("a$", "a$", "101"),
        ("${}", "${}", "101"),
        ("${1}", "${1}", "101"),
        ("${V/x}", "${V/x}", "101"),
        ("${ü}", "${ü}", "101"),
        ("é$V", "éval", ""),
    ];
    for (text, expected, expected_findings) in table {
        let (value, findings) = interpolate(text, &lookup);
        let said: Vec<String> = findings
            .iter()
            .map(|finding| {
                let is_hard = finding.code == Code::UnsetVariable && finding.severity == Severity::Error;
                format!("{}{}", finding.code.number(), if is_hard { "e" } else { "" })
            })
            .collect();
        assert_eq!((value.as_str(), said.join(" ").as_str()), (expected, expected_findings), "{text}");
    }
    let nested = format!("{}x{}", "${A:-".repeat(5000), "}".repeat(5000));
    assert!(!interpolate(&nested, &lookup).1.is_empty());
}

#[test]
fn laconic_so_replaces_whole_values_only() {
    let lookup = |name: &str| match name {
        "V" => Some("val".to_owned()),
        _ => None,
    };
    let table = [
        ("${V}", "val", 0),
        ("${N}", "", 1),
        ("${N:-d}", "d", 0),
        ("${N-d}", "d", 0),
        ("${N:?m}", "", 1),
        ("${V:?m}", "val", 0),
        ("a${V}b", "a${V}b", 0),
        ("$V", "$V", 0),
        ("${V", "${V", 0),
        ("$$", "$$", 0),
    ];
    for (text, expected, count) in table {
        let (value, findings) = interpolate_whole(text, &lookup);
        assert_eq!((value.as_str(), findings.len()), (expected, count), "{text}");
        assert!(findings.iter().all(|finding| finding.severity == Severity::Warning));
    }
}

#[test]
fn ports_in_all_forms() {
    let place = Place::new(&Arc::from("c.yml"), 1, 1, 1);
    let shape = |text: &str| {
        parse_port(text, &place).map(|(ports, address)| {
            (ports.iter().map(|port| (port.host, port.container, port.protocol.clone())).collect::<Vec<_>>(), address)
        })
    };
    let tcp = "TCP".to_owned();
    assert_eq!(shape("80"), Ok((vec![(None, 80, tcp.clone())], false)));
    assert_eq!(shape("53/udp"), Ok((vec![(None, 53, "UDP".to_owned())], false)));
    assert_eq!(shape("8080:80"), Ok((vec![(Some(8080), 80, tcp.clone())], false)));
    assert_eq!(shape("127.0.0.1:8080:80"), Ok((vec![(Some(8080), 80, tcp.clone())], true)));
    assert_eq!(shape("[::1]:8080:80"), Ok((vec![(Some(8080), 80, tcp.clone())], true)));
    assert_eq!(shape("127.0.0.1::80"), Ok((vec![(None, 80, tcp.clone())], true)));
    assert_eq!(shape("90-91:80-81"), Ok((vec![(Some(90), 80, tcp.clone()), (Some(91), 81, tcp.clone())], false)));
    assert_eq!(shape("9000-9010:80"), Ok((vec![(Some(9000), 80, tcp)], false)));
    for wrong in
        ["", "0", "65536", "a", "80/icmp", "1:2:3:4", "3-1", "1-2:1-3", "1-5000", "-1", "+80", ":", "80 ", "1-2-3"]
    {
        assert!(shape(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn long_ports_and_unquoted_numbers() {
    let (service, findings) =
        service("    ports:\n      - 80\n      - {target: 53, published: 30053, protocol: udp}\n      - ${P:-70}:70\n");
    assert_eq!(findings, []);
    let ports: Vec<_> = service.ports.iter().map(|port| (port.host, port.container)).collect();
    assert_eq!(ports, [(None, 80), (Some(30053), 53), (Some(70), 70)]);
}

#[test]
fn volumes_in_all_forms() {
    let (service, findings) = service(
        "    volumes:\n      - data:/d\n      - ./c:/c:ro,z\n      - ${DIR:-./x}/f:/f\n      - /anon\n      - ~/h:/h:rw\n\
         \x20     - {type: bind, source: conf, target: /b, read_only: true}\n      - {type: tmpfs, target: /t}\n      - {type: volume, source: v, target: /v}\n",
    );
    assert_eq!(findings, []);
    let sources: Vec<_> = service.volumes.iter().map(|mount| mount.source.clone()).collect();
    assert_eq!(
        sources,
        [
            VolumeSource::Named("data".into()),
            VolumeSource::HostPath("./c".into()),
            VolumeSource::HostPath("./x/f".into()),
            VolumeSource::Anonymous,
            VolumeSource::HostPath("~/h".into()),
            VolumeSource::HostPath("conf".into()),
            VolumeSource::Named("v".into()),
        ]
    );
    assert_eq!(service.volumes[1].options, ["ro", "z"]);
    assert_eq!(service.volumes[5].options, ["ro"]);
    assert_eq!(service.memory_mounts.iter().map(|mount| mount.target.as_str()).collect::<Vec<_>>(), ["/t"]);
    let (_, findings) = self::service(
        "    volumes:\n      - a:b\n      - a:/b:ro:x\n      - {type: bind, target: /x}\n      - {source: x}\n",
    );
    assert_eq!(codes(&findings), [101; 4]);
}

#[test]
fn environment_in_both_forms() {
    let (map, findings) = service("    environment: {A: 1, B: true, C: , D: no, E: 0755}\n");
    assert_eq!(findings, []);
    let texts: Vec<_> =
        map.environment.iter().map(|(name, value)| (name.value.as_str(), value.value.text.as_str())).collect();
    assert_eq!(texts, [("A", "1"), ("B", "true"), ("C", ""), ("D", "no"), ("E", "0755")]);
    let (list, findings) = service("    environment:\n      - A=b=c\n      - D\n      - A=again\n      - =x\n");
    assert_eq!(codes(&findings), [101]);
    assert_eq!(list.environment.len(), 2);
    assert_eq!(list.environment[0].1.value.text, "again");
    assert_eq!(list.environment[1].1.value.kind, ScalarKind::Null);
}

#[test]
fn features_without_effect_are_named_with_their_line() {
    let text = "version: '3'\nname: x\nx-common: {}\nnetworks: {a: }\nservices:\n  a:\n    image: b:1\n    stop_signal: SIGINT\n    x-y: 1\n    \
                imgae: c\n    deploy: {replicas: 2, resources: {limits: {cpus: '1', pids: 5}}}\n    network_mode: bridge\n    labels: {a: b}\n    \
                working_dir: /x\nvolumes:\n";
    let (file, findings) = read(text, Dialect::Compose);
    assert_eq!(codes(&findings), [111, 111, 102, 111, 111]);
    let lines: Vec<_> = findings.iter().map(|finding| finding.place.as_ref().unwrap().line).collect();
    assert_eq!(lines, [4, 8, 10, 11, 12]);
    assert!(file.volumes.is_empty());
    assert_eq!(file.services[0].working_dir.as_ref().unwrap().value, "/x");
    let (file, findings) =
        read("services:\n  a:\n    image: b:1\n    working_dir: /x\n    env_file: e\n", Dialect::LaconicSo);
    assert_eq!(codes(&findings), [111, 111]);
    assert_eq!(file.services[0].working_dir, None);
}

#[test]
fn the_rest_of_a_service() {
    let (service, findings) = service(
        "    command: [a, 1, true]\n    entrypoint: sh -c\n    user: 1000\n    network_mode: host\n    labels: ['laconic.init-container=Yes']\n    \
         deploy: {resources: {reservations: {memory: 1G}}}\n",
    );
    assert_eq!(findings, []);
    let Some(Command::Words(words)) = service.command else { panic!() };
    assert_eq!(words.iter().map(|word| word.value.as_str()).collect::<Vec<_>>(), ["a", "1", "true"]);
    assert!(matches!(service.entrypoint, Some(Command::Text(_))));
    assert_eq!(service.user.unwrap().value, "1000");
    assert!(service.host_network.is_some() && service.is_init);
    assert!(service.resources.reservations.unwrap().memory.is_some());
    assert_eq!(codes(&read("services:\n  a: {}\n  b: [x]\n", Dialect::Compose).1), [101, 101]);
    assert_eq!(codes(&read("", Dialect::Compose).1), [101]);
}
