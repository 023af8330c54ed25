//! How users find the server and show who they are.

use serde_json::{Value, json};

use crate::certificate::Identity;

/// What a user shows to the server.
pub(crate) enum Credential {
    Certificate(Identity),
    Token(String),
}

/// A kubeconfig with one cluster, one user and one context, all named `testbed`. JSON is YAML too.
pub(crate) fn kubeconfig(port: u16, authority: &str, credential: &Credential) -> Value {
    let user = match credential {
        Credential::Certificate(identity) => json!({
            "client-certificate-data": base64(identity.certificate.as_bytes()),
            "client-key-data": base64(identity.key.as_bytes()),
        }),
        Credential::Token(token) => json!({ "token": token }),
    };
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "testbed", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority-data": base64(authority.as_bytes()),
        }}],
        "users": [{ "name": "testbed", "user": user }],
        "contexts": [{ "name": "testbed", "context": { "cluster": "testbed", "user": "testbed" } }],
        "current-context": "testbed",
    })
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
