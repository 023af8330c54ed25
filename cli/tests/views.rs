//! The views over hand-made plans, held against golden texts. `UPDATE_GOLDEN=1` rewrites them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use laconic::view::finding::Texts;
use laconic::view::plan_json::plan_json;
use laconic::view::plan_text::{PlanView, plan_text, summary_line};
use laconic::view::style::Palette;
use laconic::view::{doctor_text, drift_text, events_json, outcome};
use laconic_engine::address::{Address, ObjectKey, ResourceType, Scope};
use laconic_engine::apply::{Event, Operation, Outcome, Readiness};
use laconic_engine::code::Code;
use laconic_engine::finding::{Consent, Finding};
use laconic_engine::place::Place;
use laconic_engine::plan::{
    Action, BlastRadius, Bytes, CertificateRestore, Change, Consulted, DifferenceOrigin, Drift, DriftField, DriftKind,
    FieldDifference, Mode, PLAN_FORMAT_VERSION, Plan, Reason, StateReference, TenantImpact, VolumeForecast,
    VolumeReason, VolumeVerdict, Whereabouts,
};
use laconic_engine::resource::{CertificateBackup, Target};
use laconic_engine::secret::{SecretExpression, SecretSource};
use laconic_engine::state::VolumeStorage;
use regex::Regex;
use serde_json::{Value, json};

fn golden(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{name} differs; UPDATE_GOLDEN=1 rewrites it. It is now:\n{text}");
}

fn empty() -> Plan {
    Plan {
        format_version: PLAN_FORMAT_VERSION.to_owned(),
        id: "7f3c9a12b4d5e6f7".to_owned(),
        change_id: "0123456789abcdef".to_owned(),
        mode: Mode::Apply,
        deployments: vec!["shop".to_owned()],
        states: vec![StateReference {
            scope: Scope::deployment("shop"),
            lineage: "l".to_owned(),
            serial: 4,
            journaled: 0,
        }],
        consulted: BTreeMap::from([(Target::Kind("main".to_owned()), Consulted::Live)]),
        identities: BTreeMap::new(),
        inputs_digest: String::new(),
        changes: Vec::new(),
        unchanged: 3,
        drift: Vec::new(),
        forecast: Vec::new(),
        recreates: Vec::new(),
        certificate_restores: Vec::new(),
        blast_radius: Vec::new(),
        findings: Vec::new(),
        consents_given: [].into(),
        register: Vec::new(),
        completed_jobs: Vec::new(),
        ignored: [("shop".to_owned(), vec!["spec.replicas".to_owned()])].into(),
        suppressed: [("shop".to_owned(), [("LAC503".to_owned(), "built daily".to_owned())].into())].into(),
        simulated: false,
        base: None,
        stopped: Vec::new(),
        change_set: Vec::new(),
    }
}

fn place(line: u32) -> Place {
    Place::new(&Arc::from("spec.yml"), line, 3, 4)
}

fn change(address: Address, action: Action, reason: Reason) -> Change {
    let name = address.short_name().to_owned();
    let form = json!({"metadata": {"name": name, "namespace": "laconic-shop", "labels": {"app": "a"}}});
    Change {
        key: ObjectKey::new(address.resource_type, "laconic-shop", &name),
        target: Target::Kind("main".to_owned()),
        action,
        reason,
        before: (!matches!(action, Action::Create)).then(|| form.clone()),
        after: (!matches!(action, Action::Delete | Action::Forget)).then_some(form),
        differences: Vec::new(),
        needs: Vec::new(),
        needed: Vec::new(),
        replaced_key: None,
        expected_uid: None,
        assumed: false,
        force_conflicts: false,
        place: Some(place(1)),
        address,
    }
}

fn address(resource_type: ResourceType, name: &str) -> Address {
    Address::new(resource_type, Scope::deployment("shop"), name)
}

fn difference(path: &str, before: Value, after: Value) -> FieldDifference {
    let some = |value: Value| (!value.is_null()).then_some(value);
    FieldDifference {
        path: path.to_owned(),
        before: some(before),
        after: some(after),
        origin: DifferenceOrigin::Intent,
        forces_replacement: false,
        place: Some(place(14)),
    }
}

/// Every action once, with every sort of field.
fn everything() -> Plan {
    let token = SecretExpression::Value(SecretSource::Environment("TOKEN".into())).placeholder();
    let mut plan = empty();
    let mut update = change(address(ResourceType::Deployment, "web"), Action::Update, Reason::SpecChangedAndDrifted);
    update.differences = vec![
        difference("spec.replicas", json!(1), json!(2)),
        difference("spec.template.spec.containers[web].env[A].value", Value::Null, json!("x")),
        difference("spec.template.spec.containers[web].env[B].value", json!("y"), Value::Null),
    ];
    let mut text = change(address(ResourceType::ConfigMap, "settings"), Action::Update, Reason::SpecChanged);
    text.differences = vec![difference("data[a.conf]", json!("one\ntwo\n"), json!("one\nthree\n"))];
    let mut secret = change(address(ResourceType::Secret, "registry"), Action::Update, Reason::SpecChanged);
    secret.differences = vec![difference("data.token", token.clone(), token)];
    let mut replace = change(
        address(ResourceType::PersistentVolume, "data"),
        Action::Replace,
        Reason::Immutable { paths: vec!["spec.hostPath.path".into()] },
    );
    let mut guilty = difference("spec.hostPath.path", json!("/mnt/a"), json!("/mnt/b"));
    guilty.forces_replacement = true;
    replace.differences = vec![guilty];
    plan.changes = vec![
        replace,
        text,
        secret,
        change(address(ResourceType::Service, "new"), Action::Create, Reason::New),
        change(address(ResourceType::Service, "old"), Action::Delete, Reason::NotDesired),
        update,
        change(address(ResourceType::Job, "gone"), Action::Forget, Reason::AlreadyGone),
        change(address(ResourceType::Ingress, "found"), Action::Import, Reason::Imported),
    ];
    plan.drift = vec![Drift {
        address: address(ResourceType::Deployment, "web"),
        kind: DriftKind::Changed,
        fields: vec![
            DriftField {
                path: "spec.replicas".into(),
                recorded: Some(json!(1)),
                observed: Some(json!(5)),
                manager: "kubectl-edit".into(),
                time: "2026-11-20T10:00:00Z".into(),
                added: false,
                probably: false,
            },
            DriftField {
                path: "spec.paused".into(),
                recorded: Some(json!(true)),
                observed: None,
                manager: "kubectl-edit".into(),
                time: "2026-11-20T10:00:00Z".into(),
                added: false,
                probably: true,
            },
            DriftField {
                path: "metadata.labels.team".into(),
                recorded: None,
                observed: Some(json!("shop")),
                manager: "kubectl-label".into(),
                time: "2026-11-20T11:00:00Z".into(),
                added: true,
                probably: false,
            },
        ],
    }];
    plan.findings = vec![
        Finding::new(Code::MovingTag, "image `web:latest` may change without a change here").at(&place(9)),
        Finding::new(Code::NotConsulted, "nobody looked at the registry"),
    ];
    plan.forecast = vec![
        volume(
            "data",
            VolumeStorage::Host("/srv/kind/a".into()),
            VolumeVerdict::LeftBehind,
            VolumeReason::PathChanged("/srv/kind/b".into()),
        ),
        volume("logs", VolumeStorage::Host("/srv/kind/logs".into()), VolumeVerdict::Kept, VolumeReason::Untouched),
    ];
    plan
}

fn volume(name: &str, storage: VolumeStorage, verdict: VolumeVerdict, because: VolumeReason) -> VolumeForecast {
    let whereabouts = match &storage {
        VolumeStorage::Host(path) => Whereabouts::Host(path.clone()),
        VolumeStorage::Overlay => Whereabouts::Node(String::new()),
        VolumeStorage::Provisioned => Whereabouts::Provisioned,
    };
    let bytes = Bytes { whereabouts, ..Bytes::default() };
    let (deployment, volume, events) = ("shop".into(), name.into(), BTreeMap::new());
    VolumeForecast { deployment, volume, storage, bytes, size: None, verdict, because, events }
}

/// A recreate with a neighbour and data to lose.
fn recreate() -> Plan {
    let cluster = Address::kind_cluster("main");
    let mut plan = empty();
    let mut guilty = difference("extraMounts[/mnt/ledger].hostPath", Value::Null, json!("/data/ledger"));
    guilty.forces_replacement = true;
    let mut replace = change(cluster.clone(), Action::Replace, Reason::Immutable { paths: vec![guilty.path.clone()] });
    replace.differences = vec![guilty];
    let follow = |name: &str| {
        change(
            address(ResourceType::Deployment, name),
            Action::Replace,
            Reason::ClusterReplaced { cause: cluster.clone() },
        )
    };
    plan.changes = vec![replace, follow("api"), follow("web")];
    plan.findings = vec![
        Finding::new(Code::MountMissing, "the running cluster `main` has no mount /data/ledger -> /mnt/ledger")
            .at(&place(14))
            .help("move it under the umbrella:")
            .help("  ledger: /srv/kind/ledger")
            .lifted_by(Consent::Recreate("main".into())),
        Finding::new(Code::DataLoss, "the data of volume `cache` would be lost")
            .about("shop/cache")
            .lifted_by(Consent::DataLoss("shop/cache".into())),
        Finding::new(Code::NamespaceOwned, "namespace `x` belongs to /srv/other").label(&place(3), "asked for here"),
    ];
    plan.forecast = vec![
        volume("cache", VolumeStorage::Overlay, VolumeVerdict::Lost, VolumeReason::OverlayDiesWithCluster),
        volume("data", VolumeStorage::Host("/srv/kind/a".into()), VolumeVerdict::Kept, VolumeReason::OnHost),
    ];
    let tenant = |name: &str, recorded: bool| TenantImpact {
        name: name.into(),
        recorded,
        namespace: format!("laconic-{name}"),
        hosts: vec![format!("{name}.example.com")],
        pods: 2,
    };
    let saved = CertificateBackup::Saved { at: Some("2026-11-20T10:00:00Z".into()) };
    plan.certificate_restores = vec![CertificateRestore {
        cluster: "main".into(),
        target: Target::Kind("main".into()),
        file: "/srv/kind/caddy-cert-backup/caddy-secrets.yaml".into(),
        backup: Some(saved),
    }];
    plan.blast_radius = vec![BlastRadius {
        cluster: "main".into(),
        recreated: true,
        tenants: vec![tenant("shop", true), tenant("stranger", false)],
        downtime_at_least: 120,
        downtime_at_most: 240,
    }];
    plan.consents_given = [Consent::DataLoss("shop/cache".into())].into();
    plan
}

fn text(plan: &Plan) -> String {
    plan_text(plan, &PlanView::new(Palette::plain()))
}

#[test]
fn no_changes() {
    golden("no-changes.txt", &text(&empty()));
}

#[test]
fn every_action() {
    golden("every-action.txt", &text(&everything()));
    let all = PlanView { all: true, forecast: true, next: Some("Next.".into()), ..PlanView::new(Palette::plain()) };
    golden("every-action-in-full.txt", &plan_text(&everything(), &all));
    let summary = PlanView { summary: true, ..PlanView::new(Palette::plain()) };
    golden("every-action-summary.txt", &plan_text(&everything(), &summary));
}

#[test]
fn dangers() {
    golden("recreate.txt", &text(&recreate()));
}

#[test]
fn headers() {
    let mut offline = empty();
    offline.consulted = BTreeMap::from([(Target::Kind("main".into()), Consulted::Offline)]);
    assert!(text(&offline).starts_with("laconic plan  deployment shop, cluster main  (offline: state serial 4)\n"));
    offline.states[0].lineage.clear();
    assert!(text(&offline).contains("(offline: no state yet)"));
    let mut unknown = empty();
    let why = Consulted::Unknown("no answer".into());
    unknown.consulted = BTreeMap::from([(Target::Kind("main".into()), why)]);
    assert!(text(&unknown).contains("live: unknown, main: no answer"), "{}", text(&unknown));
}

#[test]
fn json() {
    let mut value = plan_json(&everything(), &Texts::new());
    value["laconic_version"] = json!("0");
    let mut text = serde_json::to_string_pretty(&value).unwrap();
    text.push('\n');
    assert!(!text.contains("$secret"));
    golden("every-action.json", &text);
}

#[test]
fn drift() {
    golden("drift.txt", &drift_text::report(&everything().drift, Palette::plain()));
}

#[test]
fn outcomes_and_events() {
    let mut outcome = Outcome { added: 3, ..Outcome::default() };
    assert_eq!(
        outcome::report(&outcome, outcome::Ending::APPLY, Palette::plain()),
        "Apply complete! Resources: 3 added, 0 changed, 0 destroyed.\n"
    );
    let web = address(ResourceType::Deployment, "web");
    outcome.done = vec![(address(ResourceType::Secret, "s"), Operation::Create)];
    outcome.failed = vec![(web.clone(), "image not found\u{1b}[2J".into())];
    outcome.skipped = vec![(address(ResourceType::Ingress, "i"), web.clone())];
    outcome.not_started = vec![address(ResourceType::Job, "j")];
    golden("incomplete.txt", &outcome::report(&outcome, outcome::Ending::APPLY, Palette::plain()));
    let events = [
        Event::Started { address: web.clone(), operation: Operation::Create },
        Event::Waiting {
            address: web.clone(),
            readiness: Readiness::Progressing("0 of 1 ready".into()),
            waited: Duration::from_secs(10),
        },
        Event::Done { address: web, operation: Operation::Create, took: Duration::from_secs(12) },
        Event::Ended { outcome },
    ];
    let lines: String =
        events.iter().map(|event| events_json::event("2026-11-20T10:00:00Z", event, outcome::Ending::APPLY)).collect();
    golden("events.json", &lines);
}

/// Atlantis, `server/events/models/models.go`.
#[test]
fn atlantis_reads_the_summary() {
    let changes = Regex::new(
        r"Plan: (?:(\d+) to import, )?(\d+) to add, (\d+) to change, (\d+) to destroy(?:, (\d+) to forget)?\.",
    )
    .unwrap();
    let none = Regex::new(r"No changes. (Infrastructure is up-to-date|Your infrastructure matches the configuration).")
        .unwrap();
    let found = text(&everything());
    let groups = changes.captures(&found).unwrap();
    let numbers: Vec<&str> = (1..=5).map(|index| groups.get(index).unwrap().as_str()).collect();
    assert_eq!(numbers, ["1", "2", "3", "2", "1"]);
    assert!(changes.is_match(&summary_line(&recreate())));
    assert!(none.is_match(&text(&empty())));
    assert!(!none.is_match(&found) && !changes.is_match(&text(&empty())));
}

/// tfcmt, `pkg/terraform/parser.go`.
#[test]
fn tfcmt_reads_the_comment_lines() {
    let found = text(&everything());
    for (expression, expected) in [
        (r"(?m)^ *# (.*) will be created$", "service.shop.new"),
        (r"(?m)^ *# (.*) will be updated in-place$", "config_map.shop.settings"),
        (r"(?m)^ *# (.*) will be destroyed$", "service.shop.old"),
        (r"(?m)^ *# (.*?)(?: is tainted, so)? must be replaced$", "persistent_volume.shop.data"),
        (r"(?m)^ *# (.*) will be imported$", "ingress.shop.found"),
    ] {
        let first = Regex::new(expression).unwrap().captures(&found).unwrap()[1].to_owned();
        assert_eq!(first, expected, "{expression}");
    }
    assert!(Regex::new(r"(?m)^Plan: \d+ to |^No changes\.").unwrap().is_match(&text(&empty())));
    assert!(Regex::new(r"(?m)^Note: Objects have changed outside of ").unwrap().is_match(&found));
}

#[test]
fn the_findings_page_lists_every_code() {
    let page = laconic::commands::findings_page();
    for code in Code::ALL {
        assert!(page.contains(&format!("| {code} | {} | {} |", code.severity(), code.title())), "{code}");
    }
}

/// Pages and schemas that are made of tables in the code are in the book as the code has them.
#[test]
fn what_the_book_has_from_the_code_is_as_the_code_has_it() {
    use laconic::args::SchemaFile;
    let schema = |file| format!("{:#}\n", laconic::commands::schema_of(file));
    let book = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src");
    for (name, text) in [
        ("findings.md", laconic::commands::findings_page()),
        ("spec-reference.md", laconic::commands::spec_page()),
        ("schema/spec.schema.json", schema(SchemaFile::Spec)),
        ("schema/laconic.schema.json", schema(SchemaFile::Laconic)),
    ] {
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(book.join(name), &text).unwrap();
        }
        let kept = std::fs::read_to_string(book.join(name)).unwrap_or_default();
        assert!(kept == text, "docs/src/{name} is older than the code; UPDATE_GOLDEN=1 writes it");
    }
}

#[test]
fn a_doctors_report() {
    use laconic::doctor::{Check, Report};
    let mut report = Report { deployments: vec!["shop".to_owned(), "blog".to_owned()], groups: Vec::new() };
    let damaged = Check::problem(
        "state",
        "the state of deployment shop is damaged\u{1b}[31m",
        "the copy 3 is good; to go back to it:",
    )
    .or("    cp a b");
    report.add("Container engine", vec![Check::ok("engine", "Docker 29.1.3 answers")]);
    report.add("Nothing", Vec::new());
    report.add("Kernel limits", vec![Check::warning("limit", "fs.inotify.max_user_watches is 1", "`sudo sysctl …`")]);
    report.add("State", vec![damaged, Check::not_checked("mount", "the engine\nis elsewhere", "look there")]);
    golden("doctor.txt", &doctor_text::report(&report, Palette::plain()));
    golden("doctor.json", &format!("{:#}\n", doctor_text::json(&report)));
    assert!(doctor_text::report(&report, Palette::new(true)).contains('\u{1b}'));
}
