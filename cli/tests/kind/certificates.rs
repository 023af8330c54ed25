//! The backup of Caddy's certificates on a real cluster: the CronJob's own image and script.

use std::fs;
use std::path::PathBuf;

use crate::host::{Host, content};

/// The backup of a cluster, which runs when it is told to and not by its schedule.
pub struct Backup<'a> {
    host: &'a Host,
    cluster: String,
    file: PathBuf,
}

impl<'a> Backup<'a> {
    /// The backup of a cluster, of which nothing is saved yet.
    pub fn begin(host: &'a Host, cluster: &str) -> Self {
        let file = host.path("srv/caddy-cert-backup/caddy-secrets.yaml");
        let backup = Self { host, cluster: cluster.to_owned(), file };
        // A field that nobody here sets: it is no drift.
        backup.kubectl(&["patch", "cronjob", "caddy-cert-backup", "--patch", "{\"spec\": {\"suspend\": true}}"]);
        backup.kubectl(&["delete", "jobs", "--all", "--wait"]);
        if backup.file.exists() {
            fs::remove_file(&backup.file).unwrap();
        }
        backup
    }

    /// Has the certificates saved.
    #[track_caller]
    pub fn save(&self) {
        self.run("saved-by-the-test");
        let saved = content(&self.file);
        assert!(saved.contains("\"kind\": \"Secret\"") && saved.contains(".crt\""), "{} bytes", saved.len());
    }

    /// Without Caddy's Secrets the copy stays as it is, and so it does where there is no certificate among them.
    #[track_caller]
    pub fn is_not_emptied(&self) {
        let before = content(&self.file);
        self.kubectl(&["delete", "deployment", "caddy-ingress-controller", "--wait", "--cascade=foreground"]);
        self.kubectl(&["delete", "secrets", "--selector=manager=caddy"]);
        self.run("without-any");
        assert!(content(&self.file) == before, "it was overwritten");
        self.kubectl(&[
            "create",
            "secret",
            "generic",
            "caddy.ingress--acme.users.default.key",
            "--from-literal=value=x",
        ]);
        self.kubectl(&["label", "secret", "caddy.ingress--acme.users.default.key", "manager=caddy"]);
        self.run("with-an-account");
        assert!(content(&self.file) == before, "it was overwritten");
    }

    fn run(&self, job: &str) {
        self.kubectl(&["create", "job", "--from=cronjob/caddy-cert-backup", job]);
        self.kubectl(&["wait", "--for=condition=complete", &format!("job/{job}"), "--timeout=120s"]);
    }

    fn kubectl(&self, words: &[&str]) -> String {
        self.host.kubectl(&self.cluster, &[&["--namespace=caddy-system"], words].concat())
    }
}
