//! The simulated host as a provider.

use std::collections::BTreeMap;

use futures::future::{BoxFuture, FutureExt as _, ready};
use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::{EnactError, Enacted, ObserveRequest, Operation, Provider, Readiness, Step, TargetRequest};
use laconic_engine::resource::{
    ClusterIdentity, Live, NodeFacts, Observed, ObservedTarget, Target, UnknownReason, World,
};
use serde_json::{Value, json};

use super::fault::Call;
use super::host::SimulatedHost;
use super::machine::{Machine, NodeState, Objects, StoredObject, of_type};
use super::server::Change;
use super::transaction::{Mutation, Transaction};
use super::violation::ViolationKind;
use super::{MANAGER, deletion, directories, image, node, policy, readiness, reference, server};

impl Provider for SimulatedHost {
    fn observe<'a>(&'a self, request: &'a ObserveRequest) -> BoxFuture<'a, World> {
        let (mut list, mut get) = (0, 0);
        for wanted in request.values() {
            list += wanted.types.iter().filter(|resource_type| resource_type.is_kubernetes()).count() as u64;
            get += single_keys(wanted).count() as u64;
        }
        let seen = self.serve_look(
            |calls| {
                calls.observe += 1;
                calls.list += list;
                calls.get += get;
            },
            |machine| {
                request.iter().map(|(target, wanted)| (target.clone(), observe(machine, target, wanted))).collect()
            },
        );
        let world = seen.unwrap_or_else(|error| {
            let reason = match error {
                EnactError::Refused(detail) => UnknownReason::Forbidden(detail),
                error => UnknownReason::Unreachable(error.to_string()),
            };
            request
                .keys()
                .map(|target| {
                    let unknown =
                        ObservedTarget { objects: Err(reason.clone()), ..ObservedTarget::unknown(reason.clone()) };
                    (target.clone(), unknown)
                })
                .collect()
        });
        ready(world).boxed()
    }

    fn enact<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<Enacted, EnactError>> {
        let count = |calls: &mut super::host::Calls| match step.operation {
            Operation::Create => calls.create += 1,
            Operation::Update => calls.update += 1,
            Operation::Adopt => calls.adopt += 1,
            Operation::Delete => calls.delete += 1,
        };
        ready(self.serve_change(Call::Enact, count, |tx| enact(tx, step), |tx| interrupted(tx, step))).boxed()
    }

    fn dry_run<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<Enacted, EnactError>> {
        let rehearsed = self.serve_look(
            |calls| calls.dry_run += 1,
            |machine| {
                // What happens to a copy is thrown away, its log of changes too.
                let mut copy = machine.clone();
                enact(&mut Transaction::begin(&mut copy), step)
            },
        );
        ready(rehearsed.and_then(|answer| answer)).boxed()
    }

    fn readiness<'a>(&'a self, target: &'a Target, key: &'a ObjectKey) -> BoxFuture<'a, Result<Readiness, EnactError>> {
        let count = |calls: &mut super::host::Calls| calls.readiness += 1;
        let ask = |tx: &mut Transaction<'_>| {
            node::answers(tx.machine(), target)?;
            Ok(readiness::ask(tx, target, key))
        };
        ready(self.serve_change(Call::Readiness, count, ask, |_| Ok(()))).boxed()
    }
}

/// The keys that no LIST of the same request covers.
fn single_keys(wanted: &TargetRequest) -> impl Iterator<Item = &ObjectKey> {
    let is_single = |key: &&ObjectKey| key.resource_type.is_kubernetes() && !wanted.types.contains(&key.resource_type);
    wanted.keys.iter().filter(is_single)
}

fn observe(machine: &Machine, target: &Target, wanted: &TargetRequest) -> ObservedTarget {
    let Some(stored) = machine.objects(target) else {
        // No cluster, but it is known which Docker daemon says so: an absence is believed only from the recorded one.
        let identity = ClusterIdentity { daemon: machine.daemon(), ..ClusterIdentity::default() };
        return ObservedTarget {
            identity: Some(identity),
            cluster: Observed::Absent,
            objects: Ok(BTreeMap::new()),
            unlisted: BTreeMap::new(),
            node: NodeFacts {
                certificate_backup: wanted
                    .certificate_backup
                    .as_deref()
                    .map(|path| directories::backup_on_host(machine, path)),
                images: wanted.images.then(|| machine.images_of(target.name())),
                ..NodeFacts::default()
            },
        };
    };
    let mut objects = BTreeMap::new();
    for resource_type in &wanted.types {
        objects.extend(of_type(&stored, *resource_type).map(|object| (object.key.clone(), object.live())));
    }
    for key in single_keys(wanted) {
        if let Some(object) = stored.get(key) {
            objects.insert(key.clone(), object.live());
        }
    }
    objects.extend(volumes_behind(&stored, &objects));
    let identity = machine.identity(target);
    let cluster = match target {
        Target::Kind(name) => match machine.clusters.get(name) {
            Some(cluster) => {
                objects.extend(node::facts(cluster));
                Observed::Present(node::live(cluster))
            }
            None => Observed::Absent,
        },
        Target::Kubernetes(name) => Observed::Present(Live {
            uid: identity.as_ref().map(|identity| identity.kube_system.clone()).unwrap_or_default(),
            attributes: json!({"server": format!("https://{name}.invalid:6443")}),
            owners: Vec::new(),
            terminating: false,
        }),
    };
    if let Err(reason) = node::silence(machine, target) {
        let identity = identity.map(|identity| ClusterIdentity { kube_system: String::new(), ..identity });
        let (objects, unlisted, node) = (Err(reason), BTreeMap::new(), NodeFacts::default());
        return ObservedTarget { identity, cluster, objects, unlisted, node };
    }
    let node = directories::facts(machine, target, wanted);
    let mut observed = ObservedTarget { identity, cluster, objects: Ok(objects), unlisted: BTreeMap::new(), node };
    let asked = wanted.types.iter().copied().chain(single_keys(wanted).map(|key| key.resource_type));
    policy::hide(machine, &mut observed, asked);
    observed
}

/// The volumes that the claims that were seen are bound to: they go with them.
fn volumes_behind(stored: &Objects, seen: &BTreeMap<ObjectKey, Live>) -> BTreeMap<ObjectKey, Live> {
    let claims = seen.iter().filter(|(key, _)| key.resource_type == ResourceType::PersistentVolumeClaim);
    let names = claims.filter_map(|(_, claim)| claim.attributes["spec"]["volumeName"].as_str());
    names
        .filter_map(|name| stored.get(&ObjectKey::new(ResourceType::PersistentVolume, "", name)))
        .map(|volume| (volume.key.clone(), volume.live()))
        .collect()
}

/// What is left of a step when the host dies over it: kind takes minutes to make a cluster.
fn interrupted(tx: &mut Transaction<'_>, step: &Step) -> Result<(), EnactError> {
    let makes_cluster = step.key.resource_type == ResourceType::KindCluster && step.operation == Operation::Create;
    let name = step.target.name();
    if makes_cluster && !tx.machine().clusters.contains_key(name) {
        node::create(tx, name, wanted(step)?)?;
        tx.apply(Mutation::SetNodeState(name.to_owned(), NodeState::Unfinished));
    }
    Ok(())
}

fn enact(tx: &mut Transaction<'_>, step: &Step) -> Result<Enacted, EnactError> {
    match step.key.resource_type {
        ResourceType::KindCluster => enact_cluster(tx, step),
        ResourceType::KindMount | ResourceType::KindPort => enact_fact(tx, step),
        ResourceType::KindImage => image::enact(tx, step),
        _ => enact_object(tx, step),
    }
}

fn wanted(step: &Step) -> Result<&Value, EnactError> {
    step.object.as_ref().ok_or_else(|| EnactError::Refused(format!("no object was given for {}", step.key)))
}

fn check_uid(step: &Step, found: &str) -> Result<(), EnactError> {
    match step.expected_uid.as_deref() {
        Some(expected) if expected != found => {
            Err(EnactError::Stale(format!("{}: expected uid {expected}, found {found}", step.key)))
        }
        _ => Ok(()),
    }
}

fn enact_cluster(tx: &mut Transaction<'_>, step: &Step) -> Result<Enacted, EnactError> {
    let name = step.target.name();
    match step.operation {
        Operation::Create => {
            if let Some(cluster) = tx.machine().clusters.get(name) {
                return Err(EnactError::Exists { uid: cluster.node.clone(), managers: Vec::new() });
            }
            node::create(tx, name, wanted(step)?)?;
            let live = tx.machine().clusters.get(name).map(node::live);
            Ok(Enacted { live, identity: tx.machine().identity(&step.target) })
        }
        Operation::Update => {
            // Bringing an interrupted creation to its end: nothing is left to do when it is as wanted. What was never
            // finished is made from the start.
            let wanted = wanted(step)?;
            if let Some(cluster) = tx.machine().clusters.get(name).filter(|one| one.state == NodeState::Unfinished) {
                let found = cluster.node.clone();
                check_uid(step, &found).inspect_err(|_| note_other_uid(tx, step, &found))?;
                node::delete(tx, name);
                node::create(tx, name, wanted)?;
            }
            let identity = tx.machine().identity(&step.target);
            let live = tx.machine().clusters.get(name).map(node::live);
            match live {
                Some(live) if same_shape(wanted, &live.attributes) => Ok(Enacted { live: Some(live), identity }),
                _ => Err(EnactError::Refused(
                    "kind cannot change a running cluster: it has to be deleted and created again".to_owned(),
                )),
            }
        }
        // Clusters have no field managers.
        Operation::Adopt => Ok(Enacted { live: tx.machine().clusters.get(name).map(node::live), identity: None }),
        Operation::Delete => {
            if let Some(cluster) = tx.machine().clusters.get(name) {
                let found = cluster.node.clone();
                check_uid(step, &found).inspect_err(|_| note_other_uid(tx, step, &found))?;
                node::delete(tx, name);
            }
            Ok(Enacted { live: None, identity: None })
        }
    }
}

/// Whether a running cluster has everything a wanted one sets; an image that is not set is whatever kind takes.
fn same_shape(wanted: &Value, running: &Value) -> bool {
    let wanted = laconic_engine::diff::flatten(wanted);
    let running = laconic_engine::diff::flatten(running);
    wanted.iter().all(|(path, value)| running.get(path) == Some(value))
}

fn enact_fact(tx: &mut Transaction<'_>, step: &Step) -> Result<Enacted, EnactError> {
    let name = step.target.name();
    if step.operation == Operation::Delete {
        return match tx.machine().clusters.contains_key(name) {
            false => Ok(Enacted { live: None, identity: None }),
            true => Err(EnactError::Refused(format!(
                "`{}` goes only with the cluster: kind fixes it when it makes the cluster",
                step.key.name
            ))),
        };
    }
    let live = node::verify(tx.machine(), name, &step.key, wanted(step)?)?;
    Ok(Enacted { live: Some(live), identity: None })
}

fn enact_object(tx: &mut Transaction<'_>, step: &Step) -> Result<Enacted, EnactError> {
    let (target, key) = (&step.target, &step.key);
    node::answers(tx.machine(), target)?;
    let live = match step.operation {
        Operation::Create => Some(server::create(tx, target, key, wanted(step)?, MANAGER)?),
        Operation::Update => {
            let change = Change { manager: MANAGER, force: step.force_conflicts };
            Some(server::update(tx, target, key, wanted(step)?, step.expected_uid.as_deref(), &change)?)
        }
        Operation::Adopt => Some(server::adopt(tx, target, key, wanted(step)?, step.expected_uid.as_deref())?),
        Operation::Delete => {
            delete_object(tx, step)?;
            None
        }
    };
    if live.is_some()
        && let Some(object) = tx.machine().object(target, key)
    {
        for to in reference::missing(tx.machine(), target, &object) {
            tx.violate(target, key, ViolationKind::MissingReference { to });
        }
    }
    Ok(Enacted { live, identity: None })
}

fn note_other_uid(tx: &mut Transaction<'_>, step: &Step, found: &str) {
    let expected = step.expected_uid.clone().unwrap_or_default();
    tx.violate(&step.target, &step.key, ViolationKind::DeletedOtherUid { expected, found: found.to_owned() });
}

fn delete_object(tx: &mut Transaction<'_>, step: &Step) -> Result<(), EnactError> {
    let (target, key) = (&step.target, &step.key);
    if tx.machine().identity(target).is_none() {
        return Err(server::no_cluster(target));
    }
    let Some(object) = tx.machine().object(target, key) else { return Ok(()) };
    check_uid(step, &object.uid).inspect_err(|_| note_other_uid(tx, step, &object.uid))?;
    note_careless_delete(tx, target, &object);
    deletion::delete(tx, target, key)?;
    match tx.machine().object(target, key) {
        // It ends when it is gone; real time would pass here until nobody waits any more.
        Some(left) if left.uid == object.uid => {
            Err(EnactError::Refused(format!("it is still on its way out: {}", deletion::obstacle(&left))))
        }
        _ => Ok(()),
    }
}

fn note_careless_delete(tx: &mut Transaction<'_>, target: &Target, object: &StoredObject) {
    if object.is_terminating() {
        return;
    }
    if !node::is_ours(object) {
        tx.violate(target, &object.key, ViolationKind::DeletedUnowned);
    }
    if let Some(by) = reference::user_of(tx.machine(), target, &object.key) {
        tx.violate(target, &object.key, ViolationKind::DeletedInUse { by });
    }
}
