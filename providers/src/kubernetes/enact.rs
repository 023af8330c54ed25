//! Steps against an API server: server-side apply that makes only what is not there and changes only what is expected.

use laconic_engine::apply::{EnactError, Enacted, Operation, Step};
use laconic_engine::resource::Live;
use serde_json::Value;

use super::MANAGER;
use super::adopt::adopt;
use super::delete::delete;
use super::list::live;
use super::path;
use super::request::{Refusal, RequestError};
use super::server::{PatchForm, Server};
use super::strategy;

/// A `resourceVersion` that no stored object has. Applied with it, an object is made if there is none, and one that is
/// there is a conflict: the only way to have server-side apply create without ever changing.
const NEVER_STORED: &str = "1";

/// Whether a request is only tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trial {
    /// It is meant.
    No,
    /// The server is asked what would come of it.
    Yes,
}

/// Does one step.
pub(crate) async fn enact(server: &Server, step: &Step) -> Result<Enacted, EnactError> {
    let live = match step.operation {
        Operation::Create => Some(create(server, step, Trial::No).await?),
        Operation::Update => Some(update(server, step, Trial::No).await?),
        Operation::Adopt => Some(adopt(server, step, wanted(step)?).await?),
        Operation::Delete => {
            delete(server, step).await?;
            None
        }
    };
    Ok(Enacted { live, identity: None })
}

/// What the server says to a create or update, without doing it.
pub(crate) async fn dry_run(server: &Server, step: &Step) -> Result<Enacted, EnactError> {
    let live = match step.operation {
        Operation::Create => Some(create(server, step, Trial::Yes).await?),
        Operation::Update => Some(update(server, step, Trial::Yes).await?),
        Operation::Adopt | Operation::Delete => None,
    };
    Ok(Enacted { live, identity: None })
}

/// An error of a step's request.
pub(crate) fn failure(step: &Step, error: RequestError) -> EnactError {
    match &error {
        // A namespace on its way out is one that can be made again once it is gone.
        RequestError::Status(refusal)
            if refusal.code == 403 && refusal.causes.iter().any(|c| c == "NamespaceTerminating") =>
        {
            EnactError::Transient(error.to_string())
        }
        RequestError::Status(refusal) if is_of_another(refusal, step.operation) => EnactError::Stale(error.to_string()),
        _ => error.into(),
    }
}

/// Whether a change was refused because the object is not there, or is another one with that name.
fn is_of_another(refusal: &Refusal, operation: Operation) -> bool {
    let is_gone = refusal.code == 404 && matches!(operation, Operation::Update | Operation::Adopt);
    // What is applied with the uid of another object would change the uid of the one that is there.
    let is_other = refusal.code == 422 && refusal.fields.iter().any(|field| field == "metadata.uid");
    is_gone || is_other
}

pub(crate) fn wanted(step: &Step) -> Result<&Value, EnactError> {
    step.object.as_ref().ok_or_else(|| EnactError::Refused(format!("no object was given for {}", step.key)))
}

async fn create(server: &Server, step: &Step, trial: Trial) -> Result<Live, EnactError> {
    let mut object = wanted(step)?.clone();
    object["metadata"]["resourceVersion"] = NEVER_STORED.into();
    match apply(server, step, &object, trial).await {
        Ok(object) => Ok(live(step.key.resource_type, object).1),
        Err(error) if error.code() == Some(409) => Err(in_the_way(server, step, error).await),
        Err(error) => Err(failure(step, error)),
    }
}

/// What a create that met a conflict found.
async fn in_the_way(server: &Server, step: &Step, conflict: RequestError) -> EnactError {
    match server.get(&path::object(&step.key)).await {
        Ok(object) => {
            let found = live(step.key.resource_type, object).1;
            let managers = found.owners.into_iter().map(|owner| owner.manager).collect();
            EnactError::Exists { uid: found.uid, managers }
        }
        // Gone since: there is nothing in the way of another try.
        Err(error) if error.is_not_found() => EnactError::Transient(conflict.to_string()),
        Err(error) => failure(step, error),
    }
}

async fn update(server: &Server, step: &Step, trial: Trial) -> Result<Live, EnactError> {
    let mut object = wanted(step)?.clone();
    // Applied with a uid, an object is changed only if it is that one, and never made.
    object["metadata"]["uid"] = match &step.expected_uid {
        Some(uid) => uid.as_str().into(),
        None => {
            let there = server.get(&path::object(&step.key)).await.map_err(|error| failure(step, error))?;
            there["metadata"]["uid"].clone()
        }
    };
    let answer = match (apply(server, step, &object, trial).await, trial) {
        (Err(error), Trial::No) if strategy::is_in_the_way(&error) => {
            strategy::write(server, step, &object["metadata"]["uid"]).await?;
            apply(server, step, &object, trial).await
        }
        (Err(error), Trial::Yes) if strategy::is_in_the_way(&error) => {
            apply(server, step, &strategy::without(&object), trial).await.map(|mut answer| {
                answer["spec"]["strategy"] = object["spec"]["strategy"].clone();
                answer
            })
        }
        (answer, _) => answer,
    };
    Ok(live(step.key.resource_type, answer.map_err(|error| failure(step, error))?).1)
}

async fn apply(server: &Server, step: &Step, object: &Value, trial: Trial) -> Result<Value, RequestError> {
    let force = step.force_conflicts && step.operation == Operation::Update;
    let mut path = format!("{}?fieldManager={MANAGER}&fieldValidation=Strict&force={force}", path::object(&step.key));
    if trial == Trial::Yes {
        path.push_str("&dryRun=All");
    }
    server.patch(&path, PatchForm::Apply, object).await
}
