//! Secrets in files: never shown.

use super::*;

#[test]
fn a_literal_token_is_in_no_output() {
    for block in [
        "registry-credentials:\n  server: s\n  token: hunter2secret\n  username: u\n",
        "registry-credentials:\n  token: >\n    hunter2secret\n  server: s\n",
        "registry-credentials: {token: hunter2secret, server: s}\n",
        "registry-credentials:\n  token: 'hunter2secret\n",
        "registry-credentials:\n  server: s\n  token: a\n  \"token\": hunter2secret\n",
    ] {
        let outcome = run("compose", &[("spec.yml", &format!("{SPEC}{block}"))]);
        assert_eq!(outcome.deployment, None);
        assert!(!format!("{outcome:?}").contains("hunter2"), "{block}");
    }
    let outcome = run("compose", &[("spec.yml", &format!("{SPEC}config: {{token-name: shown}}\n"))]);
    assert!(outcome.texts["spec.yml"].contains("shown"));
}

#[test]
fn credentials_are_in_no_output() {
    let env = "A=1\n# From credentials file: c.env\nKEY=hunter2secret\n";
    for dialect in ["laconic-so", "compose"] {
        let spec = format!("{SPEC}config: {{A: 1, B: '$generate:hex:32$', C: 'x$generate:odd:8$y'}}\n");
        let outcome = run(dialect, &[("config.env", env), ("spec.yml", &spec)]);
        assert_eq!(outcome.findings, []);
        assert!(!format!("{outcome:?}").contains("hunter2"));
        let deployment = outcome.deployment.unwrap();
        let names: Vec<_> =
            deployment.config.iter().map(|variable| (variable.name.as_str(), variable.is_secret)).collect();
        assert_eq!(names, [("A", false), ("KEY", true)]);
        assert_eq!(deployment.generated, [("B".into(), "hex".into(), 32), ("C".into(), "hex".into(), 8)]);
    }
}
