//! Generated values that are live on a cluster and that nobody keeps yet: an import takes them first.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::plan::PlanInput;
use laconic_engine::secret::{SecretExpression, SecretSource, SecretValue, SecretValues, placeholder_expression};
use serde_json::Value;

/// The live values of the secrets made by us that nobody keeps here: pods use them, so that no other may be made.
#[must_use]
pub fn live_secrets(input: &PlanInput) -> SecretValues {
    let mut found = SecretValues::new();
    for deployment in &input.deployments {
        let Some(Ok(objects)) = input.world.get(&deployment.target).map(|observed| &observed.objects) else { continue };
        for resource in &deployment.resources {
            if !resource.attributes.has_secrets() {
                continue;
            }
            let attributes = resource.attributes.value();
            let Some(Value::Object(desired)) = attributes.get("data") else { continue };
            let keys = std::iter::once(resource.key()).chain(secret_of_laconic_so(&resource.key(), &attributes));
            let live = keys.filter_map(|key| objects.get(&key)).find_map(|live| live.attributes.get("data"));
            let Some(live) = live else { continue };
            for (key, value) in desired {
                let Some(SecretExpression::Base64(source @ SecretSource::Generated { .. })) =
                    placeholder_expression(value)
                else {
                    continue;
                };
                let bytes = live.get(key).and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
                let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).filter(|text| !text.is_empty());
                if let Some(text) = text
                    && !input.secrets.contains_key(&source)
                {
                    found.insert(source, SecretValue::new(text));
                }
            }
        }
    }
    found
}

/// Where laconic-so put the values it generated: a Secret named after the stack, to which no pod refers. Somebody may have
/// looked one up there, and they are nowhere else.
fn secret_of_laconic_so(key: &ObjectKey, desired: &Value) -> Option<ObjectKey> {
    let stack = desired.pointer("/metadata/labels/app.kubernetes.io~1stack")?.as_str()?;
    let name = format!("{}-generated-secrets", stack.replace('_', "-"));
    key.name.ends_with("-generated-secrets").then(|| ObjectKey::new(ResourceType::Secret, &key.namespace, &name))
}
