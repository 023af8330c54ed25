use laconic_engine::apply::Rescue as _;
use laconic_engine::vault::SecretBytes;

use super::super::ViolationKind;
use super::*;

fn claim() -> (ObjectKey, Value) {
    let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    (
        key(ResourceType::PersistentVolumeClaim, "pg"),
        object(ResourceType::PersistentVolumeClaim, "pg", json!({"spec": spec})),
    )
}

fn read(host: &SimulatedHost, claim: &ObjectKey) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    let mut sink = |bytes: &[u8]| {
        pieces.push(bytes.to_vec());
        Ok(())
    };
    block_on(host.read_volume(&main_target(), claim, &mut sink)).unwrap();
    pieces
}

fn write(host: &SimulatedHost, claim: &ObjectKey, pieces: &[Vec<u8>]) -> Result<(), EnactError> {
    let mut next = pieces.iter();
    let mut source = || Ok(next.next().map(|piece| SecretBytes::new(piece.clone())));
    block_on(host.write_volume(&main_target(), claim, &mut source))
}

fn user(replicas: u32) -> Value {
    let mut user = deployment("pg:1", json!([{"name": "d", "persistentVolumeClaim": {"claimName": "pg"}}]));
    user["spec"]["replicas"] = json!(replicas);
    user
}

#[test]
fn bytes_come_back_to_a_claim_that_still_waits_for_its_first_pod() {
    let host = host();
    let ((claim_key, claim), web) = (claim(), key(ResourceType::Deployment, "web"));
    create(&host, &claim_key, claim.clone()).unwrap();
    create(&host, &web, user(1)).unwrap();
    become_ready(&host, &web);
    let before = host.claim_data(&main_target(), &claim_key).unwrap();
    block_on(host.scale(&main_target(), &web, 0)).unwrap();
    assert_eq!(block_on(host.running(&main_target(), &web)), Ok(0));
    let pieces = read(&host, &claim_key);
    assert!(pieces.len() > 1, "in pieces");
    assert_eq!(pieces.concat(), before.as_bytes());
    host.replace_cluster("main").unwrap();
    create(&host, &key(ResourceType::Namespace, "shop"), object(ResourceType::Namespace, "shop", json!({}))).unwrap();
    create(&host, &claim_key, claim).unwrap();
    write(&host, &claim_key, &pieces).unwrap();
    assert_eq!(host.claim_data(&main_target(), &claim_key), Some(before.clone()));
    // Pods find it, and leave it as it is.
    create(&host, &web, user(1)).unwrap();
    become_ready(&host, &web);
    assert_eq!(host.claim_data(&main_target(), &claim_key), Some(before));
    assert_eq!(host.violations(), []);
    write(&host, &key(ResourceType::PersistentVolumeClaim, "other"), &pieces).unwrap_err();
}

#[test]
fn bytes_that_are_moved_while_pods_write_are_told() {
    let host = host();
    let ((claim_key, claim), web) = (claim(), key(ResourceType::Deployment, "web"));
    create(&host, &claim_key, claim).unwrap();
    create(&host, &web, user(1)).unwrap();
    become_ready(&host, &web);
    read(&host, &claim_key);
    assert_eq!(host.violations()[0].kind, ViolationKind::TakenWhileWritten { by: web });
}

#[test]
fn what_is_there_is_not_made_again() {
    let host = host();
    let secret = |value: &str| object(ResourceType::Secret, "s", json!({"data": {"value": value}}));
    let secret_key = key(ResourceType::Secret, "s");
    block_on(host.restore(&main_target(), &secret_key, &secret("MQ=="))).unwrap();
    block_on(host.restore(&main_target(), &secret_key, &secret("Mg=="))).unwrap();
    let namespaces = ["shop".to_owned(), "no-such-namespace".to_owned()];
    let found = block_on(host.secrets(&main_target(), &namespaces)).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1["data"]["value"], "MQ==");
    let exported = block_on(host.export(&main_target(), &namespaces)).unwrap();
    let keys: Vec<String> = exported.iter().map(|(key, _)| key.to_string()).collect();
    assert_eq!(keys, ["Namespace||shop"]);
    assert!(exported[0].1["metadata"]["uid"].is_null());
}
