//! Caddy's certificates outlive their cluster: saved under the umbrella, brought back before Caddy starts, and told about
//! (LAC604) where nothing has them.

use std::process::Command;

use futures::executor::block_on;
use laconic_engine::address::{Address, ObjectKey, ResourceType, Scope};
use laconic_engine::apply::{Event, Operation, Rescue as _};
use laconic_engine::code::Code;
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::compile::caddy::{CaddySettings, caddy_system};
use laconic_engine::plan::{Action, Plan};
use laconic_engine::resource::{CertificateBackup, Target};
use laconic_engine::source::MemorySources;
use laconic_providers::simulated::{Call, Failure, Fault};
use laconic_tests::settled::violations;
use laconic_tests::universe::{Request, Run, Universe, compiled};
use serde_json::{Value, json};

const CLUSTER: &str = "laconic-main";
const FILE: &str = "/srv/kind/caddy-cert-backup/caddy-secrets.yaml";
const NAMES: [&str; 3] = ["acme.users.default.key", "shop.example.com.crt", "shop.example.com.key"];
/// `hunter2-certificate` and what it is renewed to, as a Secret holds them.
const VALUE: &str = "aHVudGVyMi1jZXJ0aWZpY2F0ZQ==";
const RENEWED: &str = "aHVudGVyMi1yZW5ld2Vk";

fn target() -> Target {
    Target::Kind(CLUSTER.to_owned())
}

/// A deployment that is served, with an umbrella or without, and with a mount beside it or without.
fn deployment(umbrella: bool, extra: bool) -> [CompiledDeployment; 1] {
    let mut files = MemorySources::default();
    let identity = format!("cluster-id: {CLUSTER}\ndeployment-id: laconic-shop\ndialect: compose\nstack-source: s\n");
    files.insert("deployment.yml", identity.as_bytes());
    files.insert("stack.yml", b"version: \"1.0\"\nname: s\npods:\n  - web\n");
    let umbrella = if umbrella { "kind-mount-root: /srv/kind\n" } else { "" };
    let spec = format!(
        "stack: stacks/s\ndeploy-to: k8s-kind\n{umbrella}namespace: shop\n\
         network:\n  http-proxy:\n    - host-name: shop.example.com\n      routes:\n        - path: /\n          proxy-to: web:8080\n\
         volumes:\n  data: {}\n",
        if extra { "/data/shop" } else { "/srv/kind/shop" }
    );
    files.insert("spec.yml", spec.as_bytes());
    files.insert(
        "compose/docker-compose-web.yml",
        b"services:\n  web:\n    image: example/web:1.0\n    ports: ['8080']\n    volumes:\n      - data:/data\nvolumes:\n  data:\n",
    );
    [compiled("shop", &files).0]
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new(ResourceType::Secret, "caddy-system", &format!("caddy.ingress--{name}"))
}

fn write(universe: &Universe, name: &str, value: &str) {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": &*key(name).name, "namespace": "caddy-system", "labels": {"manager": "caddy"},
                     "annotations": {"certmagic.io/storage-key": name}},
        "data": {"value": value}});
    universe.host.create_object(&target(), &secret, "caddy").unwrap();
}

/// A cluster on which Caddy has a certificate.
fn serving(umbrella: bool) -> Universe {
    let universe = Universe::default();
    let run = universe.apply_with_consents(&deployment(umbrella, false), &Request::default());
    assert!(run.is_complete(), "{}", run.problems());
    assert!(!told(&run).contains("Certificates"), "there was nothing to bring back");
    NAMES.iter().for_each(|name| write(&universe, name, VALUE));
    universe
}

/// Caddy's Secrets as they are: name, labels and annotations, values.
fn live(universe: &Universe) -> Vec<Value> {
    let found = block_on(universe.host.secrets(&target(), &["caddy-system".to_owned()])).unwrap();
    let form = |secret: &Value| {
        let metadata = &secret["metadata"];
        json!([metadata["name"], metadata["labels"], metadata["annotations"], secret["type"], secret["data"]])
    };
    found.iter().map(|(_, secret)| form(secret)).collect()
}

fn told(run: &Run) -> String {
    format!("{:?}", run.events)
}

#[track_caller]
fn apply(universe: &Universe) -> Run {
    let run = universe.apply_with_consents(&deployment(true, false), &Request::default());
    assert!(run.is_complete(), "{}", run.problems());
    assert_eq!(violations(universe), vec![]);
    assert!(!told(&run).contains("aHVudGVyMi"), "a secret is in the events");
    let again = universe.plan(&deployment(true, false), &Request::default());
    assert!(!again.has_work(), "{:#?}", again.changes);
    run
}

fn controller() -> Address {
    Address::new(ResourceType::Deployment, Scope::cluster(CLUSTER), "caddy-ingress-controller")
}

/// Where in the events Caddy's Deployment was begun and done, and its certificates came back.
fn moments(run: &Run) -> [Option<usize>; 3] {
    let position = |is_it: &dyn Fn(&Event) -> bool| run.events.iter().position(is_it);
    let is_ours = |address: &Address| *address == controller();
    [
        position(
            &|event| matches!(event, Event::Started { address, operation: Operation::Create } if is_ours(address)),
        ),
        position(&|event| matches!(event, Event::CertificatesRestored { .. })),
        position(&|event| matches!(event, Event::Done { address, .. } if is_ours(address))),
    ]
}

/// LAC604 of a plan.
fn warning(plan: &Plan) -> Option<String> {
    let found = plan.findings.iter().find(|finding| finding.code == Code::CertificateBackup)?;
    Some(format!("{}\n{}", found.message, found.help.join("\n")))
}

#[test]
fn a_cluster_that_is_rebuilt_has_its_certificates_before_caddy_starts() {
    let universe = serving(true);
    let before = live(&universe);
    assert_eq!(before.len(), 3);
    assert_eq!(universe.host.save_certificates(CLUSTER).unwrap(), 3);
    universe.host.delete_cluster(CLUSTER).unwrap();
    let plan = universe.plan(&deployment(true, false), &Request::default());
    assert_eq!(plan.certificate_restores.len(), 1);
    assert_eq!(plan.certificate_restores[0].file, FILE);
    assert!(matches!(plan.certificate_restores[0].backup, Some(CertificateBackup::Saved { at: Some(_) })));
    assert_eq!(warning(&plan), None);
    let run = apply(&universe);
    assert_eq!(live(&universe), before);
    let [begun, back, done] = moments(&run);
    assert!(begun.is_some() && begun < back && back < done, "{begun:?} {back:?} {done:?}");
    let restored = Event::CertificatesRestored { address: controller(), file: FILE.to_owned(), secrets: 3 };
    assert!(run.events.contains(&restored));
}

#[test]
fn a_cluster_that_was_left_by_everybody_gets_them_back_too() {
    let universe = serving(true);
    let before = live(&universe);
    universe.host.save_certificates(CLUSTER).unwrap();
    let request = Request { destroy: true, ..Request::default() };
    let run = universe.apply_with_consents(&deployment(true, false), &request);
    assert!(run.is_complete(), "{}", run.problems());
    assert!(run.plan.certificate_restores.is_empty());
    assert_eq!(warning(&run.plan), None);
    apply(&universe);
    assert_eq!(live(&universe), before);
}

#[test]
fn a_plan_that_nobody_looked_for_brings_them_back_all_the_same() {
    let universe = serving(true);
    universe.host.save_certificates(CLUSTER).unwrap();
    universe.host.delete_cluster(CLUSTER).unwrap();
    let fresh = Universe { host: universe.host.fork(), ..Universe::default() };
    let offline = Request { offline: true, untried: true, ..Request::default() };
    let plan = fresh.plan(&deployment(true, false), &offline);
    assert_eq!(plan.certificate_restores[0].backup, None);
    let run = fresh.carry_out(plan, &deployment(true, false));
    assert!(run.is_complete(), "{}", run.problems());
    assert_eq!(live(&fresh).len(), 3);
}

#[test]
fn what_is_there_stays_as_it_is() {
    let universe = serving(true);
    universe.host.save_certificates(CLUSTER).unwrap();
    universe.host.edit_object(&target(), &key(NAMES[1]), "caddy", "data.value", Some(json!(RENEWED))).unwrap();
    universe.host.delete_object(&target(), &key(NAMES[2])).unwrap();
    let caddy = ObjectKey::new(ResourceType::Deployment, "caddy-system", "caddy-ingress-controller");
    universe.host.delete_object(&target(), &caddy).unwrap();
    apply(&universe);
    let values: Vec<Value> = live(&universe).iter().map(|secret| secret[4]["value"].clone()).collect();
    assert_eq!(values, [VALUE, RENEWED, VALUE], "renewed since, and missing");
}

#[test]
fn a_backup_that_is_of_no_use_is_told_and_stops_nothing() {
    let empty = json!({"kind": "List", "items": []}).to_string();
    for (text, why) in [("{\"kind\": \"List\", \"it", "no list of Secrets"), (&*empty, "holds no certificates")] {
        let universe = serving(true);
        universe.host.delete_cluster(CLUSTER).unwrap();
        universe.host.write_host_data(FILE, text).unwrap();
        let run = apply(&universe);
        let is_told = |event: &Event| {
            matches!(event, Event::CertificatesNotRestored { address, file, error }
            if *address == controller() && file == FILE && error.contains(why))
        };
        assert!(run.events.iter().any(is_told), "{text}: {}", told(&run));
        assert_eq!(live(&universe).len(), 0);
        assert_eq!(universe.host.volume_data(FILE).as_deref(), Some(text), "it is left for somebody to look at");
    }
}

#[test]
fn a_certificate_that_the_cluster_refuses_stops_nothing() {
    let universe = serving(true);
    universe.host.save_certificates(CLUSTER).unwrap();
    universe.host.delete_cluster(CLUSTER).unwrap();
    let text = universe.host.volume_data(FILE).unwrap().replace("acme.users.default.key", "Acme_KEY");
    universe.host.write_host_data(FILE, &text).unwrap();
    let run = apply(&universe);
    let said = told(&run);
    assert!(
        said.contains("CertificatesNotRestored") && said.contains("1 of its 3 Secrets did not come back"),
        "{said}"
    );
    assert_eq!(live(&universe).len(), 2, "{said}");
}

/// Reading it fails once for a passing reason, or for good.
#[test]
fn a_host_that_does_not_answer_for_a_moment_is_asked_again() {
    for (kind, expected) in [(Failure::Transient, 3), (Failure::Refused, 0)] {
        let universe = serving(true);
        universe.host.save_certificates(CLUSTER).unwrap();
        universe.host.delete_cluster(CLUSTER).unwrap();
        universe.host.set_fault_on(Fault::FailsOnce { call: 1, kind }, &[Call::Rescue]).unwrap();
        apply(&universe);
        assert_eq!(live(&universe).len(), expected, "{kind:?}");
    }
}

/// Whoever is killed between two certificates, and applies again, has all of them.
#[test]
fn an_apply_that_is_killed_brings_them_back_the_next_time() {
    for calls in 1..=4 {
        let universe = serving(true);
        let before = live(&universe);
        universe.host.save_certificates(CLUSTER).unwrap();
        universe.host.delete_cluster(CLUSTER).unwrap();
        let request = universe.request_with_consents(&deployment(true, false), &Request::default());
        let fault = Fault::DiesAfter { calls, reply_lost: calls % 2 == 0 };
        universe.host.set_fault_on(fault, &[Call::Rescue]).unwrap();
        let run = universe.apply(&deployment(true, false), &request);
        assert!(!run.is_complete());
        universe.host.revive().unwrap();
        let run = universe.apply(&deployment(true, false), &request);
        assert!(run.is_complete(), "{}", run.problems());
        assert_eq!(live(&universe), before, "killed after {calls}");
    }
}

#[test]
fn a_recreate_takes_them_from_its_vault() {
    let universe = serving(true);
    universe.host.save_certificates(CLUSTER).unwrap();
    // Deleted on purpose since: the vault knows, the backup does not.
    universe.host.delete_object(&target(), &key(NAMES[0])).unwrap();
    let before = live(&universe);
    let run = universe.apply_with_consents(&deployment(true, true), &Request::default());
    assert!(run.is_complete(), "{}", run.problems());
    assert!(run.plan.change(&Address::kind_cluster(CLUSTER)).is_some_and(|one| one.action == Action::Replace));
    assert!(run.plan.certificate_restores.is_empty());
    assert!(!told(&run).contains("Certificates"), "{}", told(&run));
    assert_eq!(live(&universe), before);
}

#[test]
fn certificates_in_no_backup_are_told_before_their_cluster_goes() {
    let universe = serving(true);
    let recreate = |universe: &Universe| universe.plan(&deployment(true, true), &Request::default());
    let destroy = Request { destroy: true, ..Request::default() };
    let text = warning(&recreate(&universe)).unwrap();
    assert!(text.contains(&format!("is made anew, and its certificate is in no backup: there is no {FILE}")), "{text}");
    assert!(text.contains("through the vault") && text.contains("--from=cronjob/caddy-cert-backup"), "{text}");
    let text = warning(&universe.plan(&deployment(true, false), &destroy)).unwrap();
    assert!(text.contains("is deleted") && text.contains("asks the certificate authority again"), "{text}");
    // A plan that leaves the cluster alone says nothing.
    assert_eq!(warning(&universe.plan(&deployment(true, false), &Request::default())), None);

    universe.host.save_certificates(CLUSTER).unwrap();
    assert_eq!(warning(&recreate(&universe)), None);
    assert_eq!(warning(&universe.plan(&deployment(true, false), &destroy)), None);

    // What Caddy remembers beside its certificates is always newer than the backup.
    write(&universe, "last-clean.json", "e30=");
    assert_eq!(warning(&recreate(&universe)), None);
    universe.host.edit_object(&target(), &key(NAMES[1]), "caddy", "data.value", Some(json!(RENEWED))).unwrap();
    let text = warning(&recreate(&universe)).unwrap();
    assert!(text.contains("caddy-secrets.yaml, is from 2026-01-01T00:"), "{text}");
    universe.host.save_certificates(CLUSTER).unwrap();
    assert_eq!(warning(&recreate(&universe)), None);
}

#[test]
fn without_an_umbrella_nothing_is_saved_and_that_is_told() {
    let universe = serving(false);
    let destroy = Request { destroy: true, ..Request::default() };
    let text = warning(&universe.plan(&deployment(false, false), &destroy)).unwrap();
    assert!(text.contains("is in no backup: it has no umbrella mount") && text.contains("`kind-mount-root`"), "{text}");
    let empty = Universe::default();
    assert!(empty.apply_with_consents(&deployment(false, false), &Request::default()).is_complete());
    assert_eq!(warning(&empty.plan(&deployment(false, false), &destroy)), None, "it has no certificates");
}

#[test]
fn a_cluster_that_went_with_its_certificates_is_told() {
    let universe = serving(true);
    universe.host.delete_cluster(CLUSTER).unwrap();
    let plan = universe.plan(&deployment(true, false), &Request::default());
    let text = warning(&plan).unwrap();
    assert!(text.contains("went with it, and there is no backup of them: no /srv/kind"), "{text}");
    assert!(plan.certificate_restores.is_empty());
    // A first cluster had none.
    let first = Universe::default().plan(&deployment(true, false), &Request::default());
    assert_eq!(warning(&first), None);
}

#[test]
fn a_backup_is_never_overwritten_without_certificates() {
    let universe = serving(true);
    universe.host.save_certificates(CLUSTER).unwrap();
    let saved = universe.host.volume_data(FILE);
    universe.host.delete_object(&target(), &key(NAMES[1])).unwrap();
    assert_eq!(universe.host.save_certificates(CLUSTER).unwrap(), 0);
    assert_eq!(universe.host.volume_data(FILE), saved);
}

/// The script of the CronJob itself, with a kubectl that prints what it is told to.
#[test]
fn the_script_of_the_backup_keeps_a_good_copy() {
    let settings = CaddySettings { image: "i", acme_email: "", has_umbrella: true };
    let system = caddy_system(CLUSTER, settings);
    let cron_job = system.iter().find(|one| one.address.resource_type == ResourceType::CronJob).unwrap();
    let attributes = cron_job.attributes.value().into_owned();
    let container = &attributes["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    let script = container["command"][2].as_str().unwrap();

    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    std::fs::create_dir_all(path("backup")).unwrap();
    let script = script.replace("/backup/", &format!("{}/", path("backup").display()));
    std::fs::write(path("kubectl"), "#!/bin/sh\ncat \"$ANSWER\"\nexit \"$STATUS\"\n").unwrap();
    let chmod = Command::new("chmod").arg("+x").arg(path("kubectl")).status().unwrap();
    assert!(chmod.success());
    let search = format!("{}:{}", place.path().display(), std::env::var("PATH").unwrap());
    let run = |answer: &str, status: &str| {
        std::fs::write(path("answer"), answer).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).env("PATH", &search).env("ANSWER", path("answer")).env("STATUS", status);
        shell.output().unwrap().status.success()
    };
    let file = path("backup/caddy-secrets.yaml");
    let read = || std::fs::read_to_string(&file).ok();
    let list = |name: &str| {
        format!(
            "{{\"items\": [\n{{\"kind\": \"Secret\", \"metadata\": {{\"name\": \"{name}\"}}, \"data\": {{\"value\": \"XG4lcw==\\n%s\"}}}}]}}"
        )
    };
    let (good, account) = (list("a.crt"), list("a.key"));
    assert!(run("{\"items\": []}", "0") && read().is_none(), "nothing is saved of nothing");
    assert!(run(&good, "0"));
    assert_eq!(read(), Some(format!("{good}\n")), "byte by byte");
    for (answer, status, ends_well) in
        [("{\"items\": []}", "0", true), (&*account, "0", true), ("", "0", true), (&*good, "1", false)]
    {
        assert_eq!(run(answer, status), ends_well, "{answer:?}");
        assert_eq!(read(), Some(format!("{good}\n")), "{answer:?}");
    }
    let renewed = list("b.crt");
    assert!(run(&renewed, "0"));
    assert_eq!(read(), Some(format!("{renewed}\n")));
}
