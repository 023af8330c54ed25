//! The real API server: what it says to objects without storing them.

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::{EnactError, Operation, Provider, Step};
use laconic_engine::diff::{flatten, project, same};
use laconic_engine::resource::Target;
use laconic_engine::secret::{SecretValue, materialize, sources};
use laconic_providers::KubernetesProvider;
use laconic_providers::kubernetes::Connection;
use laconic_testbed::ApiServer;
use serde_json::json;

use crate::stack::Stack;

/// Has a server try every object of the stacks.
pub fn accepts(stacks: &[Stack]) {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::shared_with_controller_manager();
    let namespace = server.namespace("corpus");
    let target = Target::Kubernetes("corpus".to_owned());
    let connection = Connection::File { path: server.kubeconfig("admin"), context: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (tried, refused) = runtime.block_on(async {
        let provider = KubernetesProvider::new([(target.clone(), connection)].into());
        let (mut tried, mut refused) = (0, Vec::new());
        for stack in stacks {
            let compilation = stack.compile();
            let errors = stack.errors(&compilation);
            let Some(compiled) = compilation.deployment else { panic!("{}: {errors}", stack.name) };
            for resource in compiled.resources.iter().filter(|it| it.address.resource_type.is_kubernetes()) {
                let resource_type = resource.address.resource_type;
                let attributes = resource.attributes.value();
                let values = sources(&attributes).into_iter().map(|source| (source, SecretValue::new("dummy".into())));
                let mut object = materialize(&attributes, &values.collect()).unwrap();
                if resource_type.is_namespaced() {
                    // One that is there: dry runs make none.
                    object["metadata"]["namespace"] = namespace.as_str().into();
                }
                let text = |member: &str| object["metadata"][member].as_str().unwrap_or_default();
                let key = ObjectKey::new(resource_type, text("namespace"), text("name"));
                let step = Step {
                    target: target.clone(),
                    address: resource.address.clone(),
                    key,
                    operation: Operation::Create,
                    object: Some(object),
                    expected_uid: None,
                    force_conflicts: false,
                };
                tried += 1;
                match provider.dry_run(&step).await {
                    // What it would store means what was sent, so that the next plan has nothing to do.
                    Ok(answer) => {
                        let (Some(wanted), Some(live)) = (&step.object, answer.live) else { continue };
                        let stored = project(&live.attributes, wanted);
                        for (path, value) in flatten(wanted) {
                            // A zero value is stored as none.
                            let is_zero =
                                stored[&path].is_null() && [json!(false), json!(""), json!(0)].contains(&value);
                            if !is_zero && !same(&path, &stored[&path], &value) {
                                refused.push(format!(
                                    "{}: {}: {path}: {value} was sent, {} would be stored",
                                    stack.name, resource.address, stored[&path]
                                ));
                            }
                        }
                    }
                    // Another stack's namespace may be there.
                    Err(EnactError::Exists { .. }) if resource_type == ResourceType::Namespace => {}
                    Err(error) => refused.push(format!("{}: {}: {error}", stack.name, resource.address)),
                }
            }
        }
        (tried, refused)
    });
    assert!(tried >= stacks.len(), "only {tried} objects of {} stacks were tried", stacks.len());
    assert!(refused.is_empty(), "{} complaints about {tried} objects:\n{}", refused.len(), refused.join("\n"));
}
