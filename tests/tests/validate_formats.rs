//! The formats of `laconic validate`, `--strict` and suppression. `UPDATE_GOLDEN=1` writes the outputs.

#[path = "cases/golden.rs"]
mod golden;
#[expect(dead_code, reason = "each test file uses its part of the fixtures")]
#[path = "findings/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use golden::difference;
use laconic_engine::code::Code;
use serde_json::Value;
use world::{fixtures, run};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats").join(name)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

fn sarif(fixture: &Path) -> Value {
    json(&run(fixture, &["--format", "sarif"]).stdout)
}

fn results(document: &Value) -> &Vec<Value> {
    document["runs"][0]["results"].as_array().unwrap()
}

#[test]
fn the_formats_say_what_they_said() {
    let mut wrong = Vec::new();
    for name in ["suppressed", "several"] {
        for format in ["text", "json", "sarif", "github"] {
            let ran = run(&folder(name), &["--format", format]);
            assert_eq!((ran.stderr.as_str(), ran.code), ("", 1), "{name} {format}");
            let mut text = ran.stdout;
            if format == "sarif" {
                // The rules are those of the table, whatever is found.
                let mut document = json(&text);
                let rules = document["runs"][0]["tool"]["driver"]["rules"].take();
                assert_eq!(rules.as_array().unwrap().len(), Code::ALL.len());
                text = format!("{document:#}\n");
            }
            wrong.extend(difference(&folder(&format!("{name}.{format}.txt")), &text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (usual, json) = (run(&folder("suppressed"), &["--json"]), run(&folder("suppressed"), &["--format", "json"]));
    assert_eq!(usual.stdout, json.stdout);
}

/// Every fixture of every finding as SARIF is what the standard asks for, and has a result for each finding of the text.
#[test]
fn sarif_is_what_the_standard_asks_for() {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sarif/sarif-2.1.0-subset.schema.json");
    let schema = json(&std::fs::read_to_string(schema).unwrap());
    let validator = jsonschema::validator_for(&schema).unwrap();
    let all = fixtures().into_iter().map(|(_, _, folder)| folder);
    for fixture in all.chain([folder("suppressed"), folder("several")]) {
        let document = sarif(&fixture);
        let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", fixture.display());
        let rules = document["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
        let mut fingerprints = BTreeSet::new();
        for result in results(&document) {
            let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
            assert_eq!(rule["id"], result["ruleId"]);
            assert!(!rule["help"]["text"].as_str().unwrap().is_empty());
            let file = &result["locations"][0]["physicalLocation"]["artifactLocation"];
            assert!(!file["uri"].as_str().unwrap().starts_with('/'), "{}: {file}", fixture.display());
            assert!(fingerprints.insert(result["partialFingerprints"].to_string()), "{}", fixture.display());
        }
        let told = json(&run(&fixture, &["--json"]).stdout);
        let count = |name: &str| told[name].as_array().unwrap().len();
        assert_eq!(results(&document).len(), count("diagnostics") + count("suppressed"), "{}", fixture.display());
    }
}

#[test]
fn what_is_suppressed_is_listed_with_its_reason_and_errors_never_are() {
    let document = sarif(&folder("suppressed"));
    for result in results(&document) {
        let reason = &result["suppressions"][0]["justification"];
        match result["ruleId"].as_str().unwrap() {
            "LAC206" => assert_eq!(reason, "the disk is where it is"),
            "LAC503" => assert_eq!(reason, "our own pipeline moves the tag"),
            "LAC109" => assert_eq!((reason, &result["level"]), (&Value::Null, &"error".into())),
            other => assert_eq!((other, reason), ("LAC111", &Value::Null)),
        }
    }
    assert_eq!(results(&document).len(), 4);
    let text = run(&folder("suppressed"), &[]).stdout;
    assert!(text.contains("\nSuppressed: LAC503 at compose/docker-compose-web.yml:3:12: "), "{text}");
    assert!(text.contains("(our own pipeline moves the tag)\n"));
    assert!(!text.contains("[LAC503]") && text.contains("error[LAC109]"));
}

/// A warning fails `--strict`, a note and a suppressed warning do not.
#[test]
fn strict_fails_on_warnings_that_are_told() {
    let findings = world::root();
    let code = |fixture: &str, more: &[&str]| run(&findings.join(fixture), more).code;
    assert_eq!(code("LAC503/triggers", &[]), 0);
    assert_eq!(code("LAC503/triggers", &["--strict"]), 1);
    assert_eq!(code("LAC503/nearly", &["--strict"]), 0);
    assert_eq!(code("LAC103/triggers", &[]), 1);
    for format in ["text", "json", "sarif", "github"] {
        assert_eq!(code("LAC503/triggers", &["--strict", "--format", format]), 1);
        assert_eq!(code("LAC503/nearly", &["--strict", "--format", format]), 0);
        let ran = run(&folder("quiet"), &["--strict", "--format", format]);
        assert_eq!(ran.code, 0, "{format}: {}", ran.stdout);
    }
}

/// Each command is one line that the runner understands.
#[test]
fn github_commands_are_lines_of_their_own() {
    let shape = |line: &str| {
        let (properties, message) = line.strip_prefix("::")?.split_once("::")?;
        let (level, properties) = properties.split_once(' ')?;
        let all =
            properties.split(',').all(|property| property.split_once('=').is_some_and(|(_, it)| !it.contains(':')));
        (["error", "warning", "notice"].contains(&level) && all && !message.is_empty()).then_some(())
    };
    for (code, kind, folder) in fixtures().into_iter().filter(|(_, kind, _)| kind.starts_with("triggers")) {
        let ran = run(&folder, &["--format", "github"]);
        let commands: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("::")).collect();
        assert!(commands.iter().any(|line| line.contains(&format!("title={code}::"))), "{code}/{kind}: {}", ran.stdout);
        assert!(commands.iter().all(|line| shape(line).is_some()), "{code}/{kind}: {}", ran.stdout);
        // What is no command is the count, and nothing else.
        assert_eq!(ran.stdout.lines().count(), commands.len() + 1, "{code}/{kind}: {}", ran.stdout);
    }
}
