//! Renamed volumes.

use super::*;

#[test]
fn what_is_wrong_with_moved_is_said_and_the_rest_keeps_its_first_name() {
    let volumes = "volumes: {a: , c: /srv/kind/c}\n";
    let body = "    volumes: ['a:/a', 'c:/c']\nvolumes: {a: , c: }\n";
    let table: [(&str, &[&str]); 6] = [
        ("[{from: b, to: a}]", &[]),
        ("[{from: a, to: a}]", &["101 error"]),
        ("[{from: a, to: c}]", &["101 error"]),
        ("[{from: b, to: a}, {from: d, to: a}]", &["101 error"]),
        ("[{from: b, to: a}, {from: b, to: c}]", &["101 error"]),
        ("[{from: b, to: z}]", &["102 warning"]),
    ];
    for (moved, expected) in table {
        let spec = format!("kind-mount-root: /srv/kind\n{volumes}moved: {moved}\n");
        let lines = said("compose", &spec, &web(body));
        // The volume without a path has its warning in every row.
        let lines: Vec<_> = lines.iter().filter(|line| !line.starts_with("301")).collect();
        assert_eq!(lines, expected.iter().collect::<Vec<_>>(), "{moved}");
    }
    let spec = format!(
        "{SPEC}{volumes}resources: {{volumes: {{a: {{reservations: {{storage: 5G}}}}}}}}\n\
         moved: [{{from: first, to: second}}, {{from: second, to: a}}]\n"
    );
    let files = [("spec.yml", spec.as_str()), ("compose/docker-compose-web.yml", &web(body))];
    let compiled = crate::compile::compile(&source(), &directory("compose", &files)).deployment.unwrap();
    let claims: Vec<String> = compiled
        .resources
        .iter()
        .filter(|one| one.address.resource_type == crate::address::ResourceType::PersistentVolumeClaim)
        .map(|one| format!("{} {}", one.address, one.attributes.value()["spec"]["resources"]["requests"]["storage"]))
        .collect();
    assert_eq!(
        claims,
        ["persistent_volume_claim.shop.c \"2Gi\"", "persistent_volume_claim.shop.first \"5G\""],
        "the size goes with the name"
    );
}
