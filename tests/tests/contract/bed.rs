//! What a behaviour is tried on: a provider, an empty namespace, and others who use the same cluster.

use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use laconic_engine::address::{Address, ObjectKey, ResourceType, Scope};
use laconic_engine::apply::{EnactError, Enacted, Operation, Provider, Step, TargetRequest};
use laconic_engine::resource::{Live, ObservedTarget, Target};
use serde_json::Value;

/// How long a controller may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it is looked whether it has acted.
const POLL: Duration = Duration::from_millis(20);

/// Others who use the cluster: people with kubectl, controllers.
pub trait Others {
    /// Makes an object under another field manager.
    fn create<'a>(&'a self, object: &'a Value, manager: &'a str) -> BoxFuture<'a, Live>;

    /// Changes one field under another field manager, as `kubectl edit` does; `None` takes it away.
    fn edit<'a>(
        &'a self,
        key: &'a ObjectKey,
        manager: &'a str,
        path: &'a str,
        value: Option<Value>,
    ) -> BoxFuture<'a, ()>;

    /// Asks for an object to be deleted, and does not wait for it.
    fn delete<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, ()>;

    /// The whole object as it is stored, without who manages what; `None` when there is none.
    fn read<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Option<Value>>;
}

/// A provider, an empty namespace, and others.
pub struct Bed {
    /// What is tried.
    pub provider: Box<dyn Provider>,
    /// Those who act besides.
    pub others: Box<dyn Others>,
    /// The cluster.
    pub target: Target,
    /// A namespace that nobody else uses. Names of cluster-wide objects begin with it.
    pub namespace: String,
}

/// Where an object lives, by what it says of itself.
pub fn key_of(object: &Value) -> ObjectKey {
    let resource_type = ResourceType::from_kind(object["kind"].as_str().unwrap()).unwrap();
    let text = |member: &str| object["metadata"][member].as_str().unwrap_or_default();
    ObjectKey::new(resource_type, text("namespace"), text("name"))
}

impl Bed {
    /// A step without a force or an expected uid.
    pub fn step(&self, operation: Operation, object: &Value) -> Step {
        let key = key_of(object);
        Step {
            target: self.target.clone(),
            address: Address::new(key.resource_type, Scope::deployment("contract"), &key.name),
            key,
            operation,
            object: (operation != Operation::Delete).then(|| object.clone()),
            expected_uid: None,
            force_conflicts: false,
        }
    }

    pub async fn enact(&self, step: &Step) -> Result<Enacted, EnactError> {
        self.provider.enact(step).await
    }

    pub async fn create(&self, object: &Value) -> Result<Enacted, EnactError> {
        self.enact(&self.step(Operation::Create, object)).await
    }

    /// Creates what can be created.
    #[track_caller]
    pub fn created<'a>(&'a self, object: &'a Value) -> impl Future<Output = Live> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let made = self.create(object).await;
            made.unwrap_or_else(|error| panic!("{place}: {}: {error}", key_of(object))).live.unwrap()
        }
    }

    /// An update of the object with that uid.
    pub fn update_step(&self, object: &Value, uid: &str) -> Step {
        Step { expected_uid: Some(uid.to_owned()), ..self.step(Operation::Update, object) }
    }

    pub async fn update(&self, object: &Value, uid: &str) -> Result<Enacted, EnactError> {
        self.enact(&self.update_step(object, uid)).await
    }

    /// Updates what can be updated.
    #[track_caller]
    pub fn updated<'a>(&'a self, object: &'a Value, uid: &'a str) -> impl Future<Output = Live> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let changed = self.update(object, uid).await;
            changed.unwrap_or_else(|error| panic!("{place}: {}: {error}", key_of(object))).live.unwrap()
        }
    }

    pub fn delete_step(&self, key: &ObjectKey, uid: Option<&str>) -> Step {
        Step {
            target: self.target.clone(),
            address: Address::new(key.resource_type, Scope::deployment("contract"), &key.name),
            key: key.clone(),
            operation: Operation::Delete,
            object: None,
            expected_uid: uid.map(str::to_owned),
            force_conflicts: false,
        }
    }

    pub async fn delete(&self, key: &ObjectKey, uid: Option<&str>) -> Result<Enacted, EnactError> {
        self.enact(&self.delete_step(key, uid)).await
    }

    /// What a look at the cluster shows.
    pub async fn observe(&self, wanted: TargetRequest) -> ObservedTarget {
        let request = [(self.target.clone(), wanted)].into();
        self.provider.observe(&request).await.remove(&self.target).unwrap()
    }

    /// One object as a look shows it.
    pub async fn seen(&self, key: &ObjectKey) -> Option<Live> {
        let wanted = TargetRequest { keys: [key.clone()].into(), ..TargetRequest::default() };
        self.observe(wanted).await.objects.unwrap().remove(key)
    }

    /// One object as it is stored, which is there.
    pub async fn read(&self, key: &ObjectKey) -> Value {
        self.others.read(key).await.unwrap_or_else(|| panic!("{key} is not there"))
    }

    /// Waits until an object is as a controller should make it.
    pub async fn eventually(&self, key: &ObjectKey, what: &str, is_so: impl Fn(Option<&Value>) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let object = self.others.read(key).await;
            if is_so(object.as_ref()) {
                return;
            }
            assert!(Instant::now() < deadline, "{key} is not {what}: {object:#?}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// A name for a cluster-wide object.
    pub fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.namespace)
    }
}

/// The uid and managers of what was in the way.
#[track_caller]
pub fn exists(outcome: Result<Enacted, EnactError>) -> (String, Vec<String>) {
    match outcome {
        Err(EnactError::Exists { uid, managers }) => (uid, managers),
        other => panic!("not in the way: {other:?}"),
    }
}

/// What was said when the object was another than expected.
#[track_caller]
pub fn stale(outcome: Result<Enacted, EnactError>) -> String {
    match outcome {
        Err(EnactError::Stale(text)) => text,
        other => panic!("not stale: {other:?}"),
    }
}

/// What was said when it will never be done.
#[track_caller]
pub fn refused(outcome: Result<Enacted, EnactError>) -> String {
    match outcome {
        Err(EnactError::Refused(text)) => text,
        other => panic!("not refused: {other:?}"),
    }
}

/// What was said when it is worth another try.
#[track_caller]
pub fn transient(outcome: Result<Enacted, EnactError>) -> String {
    match outcome {
        Err(EnactError::Transient(text)) => text,
        other => panic!("not transient: {other:?}"),
    }
}
