//! What a recreate takes out of the simulated host and puts back.

use futures::future::{BoxFuture, FutureExt as _, ready};
use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::EnactError;
use laconic_engine::apply::rescue::{Rescue, Sink, Source};
use laconic_engine::export::{SELECTED_NODE, exported};
use laconic_engine::resource::Target;
use laconic_engine::source::is_under;
use laconic_engine::vault::SecretBytes;
use serde_json::{Value, json};

use super::fault::Call;
use super::host::{Calls, SimulatedHost};
use super::machine::{FileEntry, FileSystem, Machine, StoredObject};
use super::transaction::{Mutation, Transaction};
use super::violation::ViolationKind;
use super::{directories, node, reference, server, volume};

/// The field manager of what is put back.
const RESTORER: &str = "laconic-restore";
/// How many bytes come in one piece: few, so that there are several.
const PIECE: usize = 16;

fn count(calls: &mut Calls) {
    calls.rescue += 1;
}

/// The part of a host's directory that matters here: only kind clusters are made anew.
fn replicas(workload: &StoredObject) -> u32 {
    workload.attributes["spec"]["replicas"].as_u64().unwrap_or(1).try_into().unwrap_or(u32::MAX)
}

impl SimulatedHost {
    fn look_for_rescue<T>(&self, look: impl FnOnce(&Machine) -> Result<T, EnactError>) -> Result<T, EnactError> {
        self.serve_change(Call::Rescue, count, |tx| look(tx.machine()), |_| Ok(()))
    }

    fn change_for_rescue<T>(
        &self,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, EnactError>,
    ) -> Result<T, EnactError> {
        self.serve_change(Call::Rescue, count, change, |_| Ok(()))
    }
}

impl Rescue for SimulatedHost {
    fn secrets<'a>(
        &'a self,
        target: &'a Target,
        namespaces: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<(ObjectKey, Value)>, EnactError>> {
        let found = self.look_for_rescue(|machine| {
            node::answers(machine, target)?;
            let of = |namespace: &String| machine.objects_in(target, ResourceType::Secret, namespace);
            let all = namespaces.iter().flat_map(of);
            Ok(all.map(|object| (object.key.clone(), object.attributes.clone())).collect())
        });
        ready(found).boxed()
    }

    fn export<'a>(
        &'a self,
        target: &'a Target,
        namespaces: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<(ObjectKey, Value)>, EnactError>> {
        let found = self.look_for_rescue(|machine| {
            node::answers(machine, target)?;
            let Some(objects) = machine.objects(target) else { return Ok(Vec::new()) };
            let is_in = |object: &StoredObject| {
                let place = match object.key.resource_type {
                    ResourceType::Namespace => &*object.key.name,
                    ResourceType::PersistentVolume => object.text("/spec/claimRef/namespace"),
                    _ => &*object.key.namespace,
                };
                namespaces.iter().any(|namespace| namespace == place)
            };
            let wanted = objects.values().filter(|object| is_in(object));
            Ok(wanted.filter_map(|one| Some((one.key.clone(), exported(&one.key, &one.attributes)?))).collect())
        });
        ready(found).boxed()
    }

    fn read_file<'a>(
        &'a self,
        target: &'a Target,
        path: &'a str,
    ) -> BoxFuture<'a, Result<Option<SecretBytes>, EnactError>> {
        let found = self.look_for_rescue(|machine| {
            let place = directories::resolve(machine, target.name(), path).filter(|_| target.kind_cluster().is_some());
            let Some(place) = place else { return Ok(None) };
            Ok(match machine.file(&place.entry.0, &place.entry.1) {
                Some(FileEntry::Data(text)) => Some(SecretBytes::new(text.clone().into_bytes())),
                _ => None,
            })
        });
        ready(found).boxed()
    }

    fn restore<'a>(
        &'a self,
        target: &'a Target,
        key: &'a ObjectKey,
        object: &'a Value,
    ) -> BoxFuture<'a, Result<(), EnactError>> {
        let made = self.change_for_rescue(|tx| {
            node::answers(tx.machine(), target)?;
            match server::create(tx, target, key, object, RESTORER) {
                Ok(_) | Err(EnactError::Exists { .. }) => Ok(()),
                Err(error) => Err(error),
            }
        });
        ready(made).boxed()
    }

    fn scale<'a>(
        &'a self,
        target: &'a Target,
        workload: &'a ObjectKey,
        replicas: u32,
    ) -> BoxFuture<'a, Result<(), EnactError>> {
        let scaled = self.change_for_rescue(|tx| {
            node::answers(tx.machine(), target)?;
            if let Some(object) = tx.machine().object(target, workload) {
                let mut object = StoredObject::clone(&object);
                object.attributes["spec"]["replicas"] = Value::from(replicas);
                tx.put(target, object);
            }
            Ok(())
        });
        ready(scaled).boxed()
    }

    fn running<'a>(&'a self, target: &'a Target, workload: &'a ObjectKey) -> BoxFuture<'a, Result<u32, EnactError>> {
        let found = self.look_for_rescue(|machine| {
            node::answers(machine, target)?;
            Ok(machine.object(target, workload).map_or(0, |object| replicas(&object)))
        });
        ready(found).boxed()
    }

    fn relocate<'a>(&'a self, target: &'a Target, from: &'a str, to: &'a str) -> BoxFuture<'a, Result<(), EnactError>> {
        let moved = self.change_for_rescue(|tx| {
            let machine = tx.machine();
            let is_there = |path: &str| machine.files.contains_key(path);
            let below: Vec<(String, FileEntry)> = machine
                .files
                .iter()
                .filter(|(path, _)| is_under(path, from))
                .map(|(path, entry)| (path.clone(), entry.clone()))
                .collect();
            if below.is_empty() && is_there(to) {
                return Ok(());
            }
            if let Some(why) = obstacle_to_move(machine, Some(from), to) {
                return Err(EnactError::Refused(format!("{from} is not moved to {to}: {why}")));
            }
            if is_in_use(machine, from) {
                let key = ObjectKey::new(ResourceType::KindMount, "", from);
                tx.violate(target, &key, ViolationKind::MovedWhileMounted);
            }
            tx.make_host_directory(to.rsplit_once('/').map_or("/", |(parent, _)| parent));
            for (path, entry) in below {
                let rest = path.get(from.len()..).unwrap_or_default();
                tx.apply(Mutation::PutFile(FileSystem::Host, format!("{to}{rest}"), entry));
                tx.apply(Mutation::RemoveFile(FileSystem::Host, path));
            }
            Ok(())
        });
        ready(moved).boxed()
    }

    fn obstacle<'a>(
        &'a self,
        _target: &'a Target,
        from: Option<&'a str>,
        to: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, EnactError>> {
        ready(self.look_for_rescue(|machine| Ok(obstacle_to_move(machine, from, to)))).boxed()
    }

    fn read_volume<'a>(
        &'a self,
        target: &'a Target,
        claim: &'a ObjectKey,
        sink: Sink<'a>,
    ) -> BoxFuture<'a, Result<(), EnactError>> {
        let read = self.change_for_rescue(|tx| {
            node::answers(tx.machine(), target)?;
            note_writer(tx, target, claim);
            let Some((file_system, path)) = volume::storage_of_claim(tx.machine(), target, claim) else {
                return Ok(None);
            };
            Ok(match tx.machine().file(&file_system, &path) {
                Some(FileEntry::Data(text)) => Some(text.clone()),
                _ => None,
            })
        });
        let passed = read.and_then(|text| {
            let text = text.unwrap_or_default();
            text.as_bytes().chunks(PIECE).try_for_each(&mut *sink).map_err(EnactError::Refused)
        });
        ready(passed).boxed()
    }

    fn write_volume<'a>(
        &'a self,
        target: &'a Target,
        claim: &'a ObjectKey,
        source: Source<'a>,
    ) -> BoxFuture<'a, Result<(), EnactError>> {
        let mut gather = || {
            let mut bytes = Vec::new();
            while let Some(piece) = source()? {
                bytes.extend_from_slice(&piece);
            }
            String::from_utf8(bytes).map_err(|_| "the simulated host keeps text only".to_owned())
        };
        let written = gather().map_err(EnactError::Refused).and_then(|text| {
            self.change_for_rescue(|tx| {
                node::answers(tx.machine(), target)?;
                provide(tx, target, claim)?;
                note_writer(tx, target, claim);
                let Some((file_system, path)) = volume::storage_of_claim(tx.machine(), target, claim) else {
                    return Err(EnactError::Refused(format!("{claim} has no volume")));
                };
                if text.is_empty() {
                    tx.apply(Mutation::RemoveFile(file_system, path));
                    return Ok(());
                }
                if file_system == FileSystem::Host {
                    tx.make_host_directory(&path);
                }
                tx.apply(Mutation::PutFile(file_system, path, FileEntry::Data(text)));
                Ok(())
            })
        });
        ready(written).boxed()
    }
}

/// What would keep a directory of the host from being moved.
fn obstacle_to_move(machine: &Machine, from: Option<&str>, to: &str) -> Option<String> {
    let is_taken = |(path, entry): (&String, &FileEntry)| {
        let holds = !matches!(entry, FileEntry::Directory);
        is_under(path, to) && (holds || path != to)
    };
    if machine.files.iter().any(is_taken) {
        return Some("something is in it already".to_owned());
    }
    match from {
        Some(from) if matches!(machine.files.get(from), Some(FileEntry::Link(_))) => {
            Some("it is a link: write the path that it leads to, or move the data by hand".to_owned())
        }
        Some(from) if !machine.files.keys().any(|path| is_under(path, from)) => {
            Some("there is no such directory here".to_owned())
        }
        Some(from) if is_under(to, from) => Some("its new place is in it".to_owned()),
        _ => None,
    }
}

/// Whether the node of a cluster that is there still shows the directory.
fn is_in_use(machine: &Machine, path: &str) -> bool {
    machine.clusters.values().any(|cluster| {
        let mut mounts = cluster.attributes["extraMounts"].as_array().into_iter().flatten();
        mounts.any(|mount| mount["hostPath"].as_str().is_some_and(|host| is_under(path, host) || is_under(host, path)))
    })
}

/// Has a claim that waits for its first pod get its volume now: it is given the node.
fn provide(tx: &mut Transaction<'_>, target: &Target, claim: &ObjectKey) -> Result<(), EnactError> {
    let Some(object) = tx.machine().object(target, claim) else {
        return Err(EnactError::Stale(format!("{claim} is not there")));
    };
    if object.text("/status/phase") == "Bound" {
        return Ok(());
    }
    let mut object = StoredObject::clone(&object);
    if object.attributes["metadata"]["annotations"].is_null() {
        object.attributes["metadata"]["annotations"] = json!({});
    }
    object.attributes["metadata"]["annotations"][SELECTED_NODE] = json!(format!("{}-control-plane", target.name()));
    tx.put(target, object);
    volume::settle_new(tx, target, claim);
    Ok(())
}

/// Remembers that bytes were taken or put while pods may write them.
fn note_writer(tx: &mut Transaction<'_>, target: &Target, claim: &ObjectKey) {
    let workloads = tx.machine().objects_in(target, ResourceType::Deployment, &claim.namespace);
    let writer = workloads.into_iter().find(|workload| {
        let uses = reference::references(&workload.key, &workload.attributes);
        replicas(workload) > 0 && uses.iter().any(|reference| reference.to == *claim)
    });
    if let Some(writer) = writer {
        tx.violate(target, claim, ViolationKind::TakenWhileWritten { by: writer.key.clone() });
    }
}
