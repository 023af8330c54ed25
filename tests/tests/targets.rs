//! A plan of a part: what is named with what it needs, what must follow it, and nothing else.

use std::collections::BTreeSet;

use laconic_engine::address::Address;
use laconic_engine::code::Code;
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::plan::{Action, Plan};
use laconic_engine::source::MemorySources;
use laconic_tests::universe::{Request, Universe, compiled};

fn shop(tag: &str, size: &str, color: &str) -> CompiledDeployment {
    shop_in("/srv/kind/shop", tag, size, color)
}

fn shop_in(path: &str, tag: &str, size: &str, color: &str) -> CompiledDeployment {
    let mut files = MemorySources::default();
    let ids = b"cluster-id: laconic-main\ndeployment-id: laconic-shop\nstack-source: s\ndialect: compose\n";
    files.insert("deployment.yml", ids);
    files.insert("stack.yml", b"name: s\npods:\n  - web\n  - page\n");
    let spec = format!(
        "stack: stacks/s\ndeploy-to: k8s-kind\nkind-mount-root: /srv/kind\nnamespace: shop\n\
         configmaps:\n  files: ./configmaps/files\nvolumes:\n  data: {path}\n\
         resources:\n  volumes:\n    reservations: {{storage: {size}}}\n"
    );
    files.insert("spec.yml", spec.as_bytes());
    files.insert("configmaps/files/a.txt", format!("{color}\n").as_bytes());
    let web = "services:\n  web:\n    image: example/web:TAG\n    volumes: [data:/data, files:/etc/files]\nvolumes:\n  data:\n  files:\n";
    files.insert("compose/docker-compose-web.yml", web.replace("TAG", tag).as_bytes());
    let page = "services:\n  page:\n    image: example/page:TAG\n";
    files.insert("compose/docker-compose-page.yml", page.replace("TAG", tag).as_bytes());
    compiled("shop", &files).0
}

/// The volume in a directory that the cluster does not mount.
fn outside() -> CompiledDeployment {
    shop_in("/elsewhere/shop", "2", "1G", "red")
}

fn aimed(one: &CompiledDeployment, name: &str) -> Request {
    let addresses = one.resources.iter().map(|resource| &resource.address);
    let targets: BTreeSet<Address> = addresses.filter(|address| address.to_string() == name).cloned().collect();
    assert_eq!(targets.len(), 1, "{name}");
    Request { targets: Some(targets), ..Request::default() }
}

fn actions(plan: &Plan) -> Vec<(String, Action)> {
    plan.changes.iter().map(|change| (change.address.to_string(), change.action)).collect()
}

#[test]
fn one_of_two_is_changed_and_the_other_waits() {
    let universe = Universe::default();
    assert!(universe.apply(&[shop("1", "1G", "red")], &Request::default()).is_complete());
    let changed = [shop("2", "1G", "red")];
    let run = universe.apply(&changed, &aimed(&changed[0], "deployment.shop.page"));
    assert!(run.is_complete(), "{}", run.problems());
    assert_eq!(actions(&run.plan), [("deployment.shop.page".to_owned(), Action::Update)]);
    let told = run.plan.findings.iter().find(|finding| finding.code == Code::NotConsulted).unwrap();
    assert!(told.message.contains("1 other resource differs"), "{told:?}");
    let rest = universe.plan(&changed, &Request::default());
    assert_eq!(actions(&rest), [("deployment.shop.web".to_owned(), Action::Update)]);
}

#[test]
fn what_is_needed_is_made_with_it() {
    let universe = Universe::default();
    let wanted = [shop("1", "1G", "red")];
    let run = universe.apply(&wanted, &aimed(&wanted[0], "deployment.shop.page"));
    assert!(run.is_complete(), "{}", run.problems());
    let made: Vec<String> = run.plan.changes.iter().map(|change| change.address.to_string()).collect();
    assert!(made.contains(&"namespace.shop.shop".to_owned()), "{made:?}");
    assert!(made.contains(&"kind_cluster.laconic-main".to_owned()), "{made:?}");
    assert!(!made.iter().any(|address| address.contains("web") || address.contains("data")), "{made:?}");
    let rest = universe.apply(&wanted, &Request::default());
    assert!(rest.is_complete(), "{}", rest.problems());
    assert!(!universe.plan(&wanted, &Request::default()).has_work());
}

#[test]
fn what_cannot_outlive_it_follows_it() {
    let universe = Universe::default();
    assert!(universe.apply(&[shop("1", "1G", "red")], &Request::default()).is_complete());
    // A claim of a volume made by hand grows by being made anew, and its pods with it.
    let grown = [shop("1", "2G", "blue")];
    let request = aimed(&grown[0], "persistent_volume_claim.shop.data");
    let plan = universe.plan(&grown, &request);
    let found = actions(&plan);
    assert!(found.contains(&("persistent_volume_claim.shop.data".to_owned(), Action::Replace)), "{found:?}");
    assert!(found.iter().any(|(address, _)| address == "deployment.shop.web"), "{found:?}");
    assert!(!found.iter().any(|(address, _)| address.starts_with("config_map")), "{found:?}");
    let run = universe.apply_with_consents(&grown, &request);
    assert!(run.is_complete(), "{}", run.problems());
    let rest = universe.apply_with_consents(&grown, &Request::default());
    assert!(rest.is_complete(), "{}", rest.problems());
    assert!(!universe.plan(&grown, &Request::default()).has_work());
}

#[test]
fn a_cluster_that_is_not_named_is_not_made_anew() {
    let universe = Universe::default();
    let first = shop("1", "1G", "red");
    assert!(universe.apply(std::slice::from_ref(&first), &Request::default()).is_complete());
    let mut wishing = shop("2", "1G", "red");
    wishing.tenant.wishes.mounts.insert("/elsewhere".to_owned(), "/srv/elsewhere".to_owned());
    let all = universe.plan(std::slice::from_ref(&wishing), &Request::default());
    assert!(all.is_refused(), "the cluster has no such mount");
    let part = universe.plan(std::slice::from_ref(&wishing), &aimed(&wishing, "deployment.shop.page"));
    assert!(!part.is_refused(), "{:#?}", part.findings);
    // Without the recreate everything is as it was, and the page is only changed.
    assert!(part.changes.iter().all(|change| !change.address.scope.is_cluster()), "{:#?}", actions(&part));
    assert!(part.register.is_empty(), "what is not done is not wished");
}

/// The bytes of a volume whose mount is missing would lie in the node: what needs that mount is asked about, named or not.
#[test]
fn a_mount_that_the_part_needs_is_asked_about() {
    let universe = Universe::default();
    assert!(universe.apply(&[shop("1", "1G", "red")], &Request::default()).is_complete());
    let wishing = outside();
    let part = universe.plan(std::slice::from_ref(&wishing), &aimed(&wishing, "deployment.shop.web"));
    assert!(part.findings.iter().any(|finding| finding.code == Code::MountMissing), "{:#?}", part.findings);
    assert!(part.is_refused());
    let page = universe.plan(std::slice::from_ref(&wishing), &aimed(&wishing, "deployment.shop.page"));
    assert!(!page.is_refused(), "{:#?}", page.findings);
}
