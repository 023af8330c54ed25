use std::time::Instant;

use super::*;

/// Run with `--ignored --nocapture` on the `ci` profile; see the limits in the assertions.
#[test]
#[ignore = "measures time"]
fn a_thousand_creates_and_ten_thousand_objects() {
    let directory = tempfile::tempdir().unwrap();
    let host = SimulatedHost::open(directory.path()).unwrap();
    host.create_cluster(&cluster()).unwrap();
    create(&host, &key(ResourceType::Namespace, "shop"), object(ResourceType::Namespace, "shop", json!({}))).unwrap();
    let text = "x".repeat(200);
    let start = Instant::now();
    for number in 0..1_000 {
        let name = format!("map-{number}");
        create(&host, &key(ResourceType::ConfigMap, &name), config_map(&name, &text)).unwrap();
    }
    let creates = start.elapsed();
    for number in 1_000..10_000 {
        let name = format!("map-{number}");
        create(&host, &key(ResourceType::ConfigMap, &name), config_map(&name, &text)).unwrap();
    }
    let start = Instant::now();
    let seen = observe(&host, &main_target(), &[ResourceType::ConfigMap]).objects.unwrap();
    let list = start.elapsed();
    assert!(seen.len() >= 10_000);
    drop(host);
    let start = Instant::now();
    let host = SimulatedHost::open(directory.path()).unwrap();
    let open = start.elapsed();
    println!("1,000 creates {creates:?}; 10,000 objects: observe {list:?}, open {open:?}");
    drop(host);
    assert!(creates.as_millis() < 1_000 && list.as_millis() < 150);
}
