//! Secrets: registry credentials, generated values, extra CA certificates. Their data are placeholders, never values.

use serde_json::{Map, Value, json};

use crate::address::ResourceType;
use crate::place::Place;
use crate::resource::Resource;
use crate::secret::{SecretExpression, SecretSource};
use crate::source::join_path;

use super::input::CheckedDeployment;
use super::naming::Naming;

/// The Secret of `$generate…$` values, by which every container may get them.
pub(super) const GENERATED: &str = "generated-secrets";
/// The Secret of extra CA certificates.
pub(super) const CA_CERTIFICATES: &str = "ca-certificates";

/// The name of the Secret with the registry credentials, when the spec has such.
pub(super) fn registry_secret_name(checked: &CheckedDeployment, naming: &Naming<'_>) -> Option<String> {
    let credentials = checked.spec.registry_credentials.as_ref()?;
    Some(naming.object_name(if credentials.is_image_pull_secret { "image-pull-secret" } else { "registry" }))
}

pub(super) fn secret(
    naming: &Naming<'_>,
    short: &str,
    name: &str,
    secret_type: &str,
    data: Map<String, Value>,
    place: Option<&Place>,
) -> Resource {
    let attributes = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": naming.metadata(name, None),
        "type": secret_type,
        "data": data,
    });
    naming.resource(ResourceType::Secret, short, attributes, place)
}

/// A file on the host. A relative path is meant from the deployment directory, as far as that is known: nobody else's
/// directory may be taken for it later.
pub(super) fn file_source(checked: &CheckedDeployment, path: &str) -> SecretSource {
    let is_relative = !path.starts_with(['/', '~']);
    SecretSource::File(if is_relative && checked.directory.starts_with('/') {
        join_path(&checked.directory, path)
    } else {
        path.to_owned()
    })
}

/// The Secret that `registry-credentials` makes; `None` when server, user or token source is not given.
pub(super) fn registry(checked: &CheckedDeployment, naming: &Naming<'_>) -> Option<Resource> {
    let credentials = checked.spec.registry_credentials.as_ref()?;
    let name = registry_secret_name(checked, naming)?;
    let token = match (&credentials.token_file, &credentials.token_env) {
        (Some(file), _) => file_source(checked, &file.value),
        (None, Some(variable)) => SecretSource::Environment(variable.value.clone()),
        (None, None) => return None,
    };
    let expression = SecretExpression::DockerConfig {
        server: credentials.server.as_ref()?.value.clone(),
        username: credentials.username.as_ref()?.value.clone(),
        token,
    };
    let data = Map::from_iter([(".dockerconfigjson".to_owned(), expression.placeholder())]);
    Some(secret(naming, "registry", &name, "kubernetes.io/dockerconfigjson", data, Some(&credentials.place)))
}

/// The Secret of generated values; `None` when the spec asks for none.
pub(super) fn generated(checked: &CheckedDeployment, naming: &Naming<'_>) -> Option<Resource> {
    if checked.generated.is_empty() {
        return None;
    }
    let expression = |name: &str, encoding: &str, bytes: u32| {
        SecretExpression::Base64(SecretSource::Generated {
            deployment: checked.name.clone(),
            name: name.to_owned(),
            encoding: encoding.to_owned(),
            bytes,
        })
    };
    let data = checked
        .generated
        .iter()
        .map(|(name, encoding, bytes)| (name.clone(), expression(name, encoding, *bytes).placeholder()))
        .collect();
    let first = checked.generated.first().map(|(name, _, _)| name);
    let place = checked.spec.config.iter().find(|(name, _)| Some(&name.value) == first).map(|(name, _)| &name.place);
    Some(secret(naming, GENERATED, &naming.object_name(GENERATED), "Opaque", data, place))
}

/// The key of the certificate at that place in the spec's list.
pub(super) fn certificate_key(index: usize) -> String {
    format!("laconic-extra-ca-{index}.pem")
}

/// The Secret of extra CA certificates; `None` when the spec names none.
pub(super) fn certificates(checked: &CheckedDeployment, naming: &Naming<'_>) -> Option<Resource> {
    let first = checked.spec.ca_certificates.first()?;
    let files = checked.spec.ca_certificates.iter().enumerate();
    let data = files
        .map(|(index, file)| {
            let expression = SecretExpression::Base64(file_source(checked, &file.value));
            (certificate_key(index), expression.placeholder())
        })
        .collect();
    let name = naming.object_name(CA_CERTIFICATES);
    Some(secret(naming, CA_CERTIFICATES, &name, "Opaque", data, Some(&first.place)))
}
