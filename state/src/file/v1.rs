//! Format version 1 of the index: compact rows with addresses, names and bodies referred to by number.
//!
//! Ten thousand resources make a line of some three megabytes, which every plan reads; that is why resources are arrays
//! rather than objects, and why types, scopes, namespaces and needs are numbers into tables.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use laconic_engine::address::{Address, ObjectKey, ResourceType, Scope};
use laconic_engine::plan::Action;
use laconic_engine::resource::{ClusterIdentity, Target};
use laconic_engine::state::{Body, Recorded, State, Status, Tenant};
use laconic_engine::value::Digest;
use serde::{Deserialize, Serialize};

use super::FileError;

/// Text that is borrowed from the line where it has no escapes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

/// An address: type, scope, name (empty for a cluster itself).
#[derive(Debug, Serialize, Deserialize)]
pub struct AddressRow<'a>(usize, usize, #[serde(borrow)] Text<'a>);

/// One resource: its address; type, namespace and name of its object; uid; needs (numbers of resources, then of
/// `elsewhere`); the action that is pending; whether a Job completed; the numbers of its desired and observed bodies.
#[derive(Debug, Serialize, Deserialize)]
pub struct ResourceRow<'a>(
    #[serde(borrow)] AddressRow<'a>,
    usize,
    usize,
    #[serde(borrow)] Text<'a>,
    #[serde(borrow)] Text<'a>,
    Vec<usize>,
    Option<Action>,
    bool,
    usize,
    usize,
);

/// How a body is stored that is not stored as its own canonical form: see [`crate::contents`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredForm {
    /// The digest of the stored line.
    pub digest: Digest,
    /// The contents it refers to.
    pub contents: Vec<Digest>,
}

/// The bodies of a file, sorted by digest and stored in that order.
#[derive(Debug, Default)]
pub struct BodyTable {
    /// Their digests.
    pub digests: Vec<Digest>,
    /// The lengths of their lines, without the line end.
    pub lengths: Vec<u64>,
    /// Those that are stored in another form.
    pub stored: BTreeMap<usize, StoredForm>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Index<'a> {
    scope: Scope,
    lineage: String,
    serial: u64,
    simulated: bool,
    target: Option<Target>,
    identity: Option<ClusterIdentity>,
    interrupted: Option<String>,
    tenants: BTreeMap<String, Tenant>,
    #[serde(borrow)]
    types: Vec<Text<'a>>,
    scopes: Vec<Scope>,
    #[serde(borrow)]
    namespaces: Vec<Text<'a>>,
    #[serde(borrow)]
    resources: Vec<ResourceRow<'a>>,
    #[serde(borrow)]
    elsewhere: Vec<AddressRow<'a>>,
    #[serde(borrow)]
    digests: Vec<Text<'a>>,
    lengths: Vec<u64>,
    stored: BTreeMap<usize, StoredForm>,
}

/// Numbers things in the order they are first met.
struct Numbering<T> {
    numbers: BTreeMap<T, usize>,
    order: Vec<T>,
}

impl<T: Ord + Clone> Numbering<T> {
    const fn new() -> Self {
        Self { numbers: BTreeMap::new(), order: Vec::new() }
    }

    fn number(&mut self, thing: T) -> usize {
        if let Some(number) = self.numbers.get(&thing) {
            return *number;
        }
        let number = self.order.len();
        self.order.push(thing.clone());
        self.numbers.insert(thing, number);
        number
    }
}

/// The index of a state as JSON. Every body of the state is in `bodies`.
///
/// # Errors
/// Damage when `bodies` lacks one.
pub fn encode(state: &State, bodies: &BodyTable) -> Result<Vec<u8>, FileError> {
    let mut types = Numbering::new();
    let mut scopes = Numbering::new();
    let mut namespaces = Numbering::new();
    let mut elsewhere = Numbering::new();
    let places: BTreeMap<&Address, usize> =
        state.resources.keys().enumerate().map(|(number, address)| (address, number)).collect();
    let body = |body: &Body| {
        bodies.digests.binary_search(&body.digest).map_err(|_| FileError::damaged("a recorded form has no bytes"))
    };
    let mut resources = Vec::with_capacity(state.resources.len());
    for (address, recorded) in &state.resources {
        let needs = recorded
            .needs
            .iter()
            .map(|need| match places.get(need) {
                Some(number) => *number,
                None => state.resources.len() + elsewhere.number(need),
            })
            .collect();
        resources.push(ResourceRow(
            address_row(address, &mut types, &mut scopes),
            types.number(recorded.key.resource_type.word()),
            namespaces.number(recorded.key.namespace.as_ref()),
            recorded.key.name.as_ref().into(),
            recorded.uid.as_str().into(),
            needs,
            match recorded.status {
                Status::Settled => None,
                Status::Pending(action) => Some(action),
            },
            recorded.completed,
            body(&recorded.desired)?,
            body(&recorded.observed)?,
        ));
    }
    let elsewhere = elsewhere.order.iter().map(|address| address_row(address, &mut types, &mut scopes)).collect();
    let digests: Vec<String> = bodies.digests.iter().map(Digest::to_string).collect();
    let index = Index {
        scope: state.scope.clone(),
        lineage: state.lineage.clone(),
        serial: state.serial,
        simulated: state.simulated,
        target: state.target.clone(),
        identity: state.identity.clone(),
        interrupted: state.interrupted.clone(),
        tenants: state.tenants.clone(),
        types: types.order.into_iter().map(Text::from).collect(),
        scopes: scopes.order.into_iter().cloned().collect(),
        namespaces: namespaces.order.into_iter().map(Text::from).collect(),
        resources,
        elsewhere,
        digests: digests.iter().map(|digest| digest.as_str().into()).collect(),
        lengths: bodies.lengths.clone(),
        stored: bodies.stored.clone(),
    };
    serde_json::to_vec(&index).map_err(|error| FileError::System(error.into()))
}

fn address_row<'a>(
    address: &'a Address,
    types: &mut Numbering<&'static str>,
    scopes: &mut Numbering<&'a Scope>,
) -> AddressRow<'a> {
    AddressRow(
        types.number(address.resource_type.word()),
        scopes.number(&address.scope),
        address.name.as_deref().unwrap_or_default().into(),
    )
}

/// The state and the bodies of an index. Every number in it is checked.
///
/// # Errors
/// Damage: what is no index of this version.
pub fn decode(bytes: &[u8]) -> Result<(State, BodyTable), FileError> {
    let index: Index<'_> = serde_json::from_slice(bytes)
        .map_err(|error| FileError::damaged(format!("its index cannot be read: {error}")))?;
    let out_of_range = || FileError::damaged("its index refers to something that is not in it");
    let types: Vec<ResourceType> = index
        .types
        .iter()
        .map(|word| word.0.parse().map_err(|error| FileError::damaged(format!("its index is wrong: {error}"))))
        .collect::<Result<_, _>>()?;
    let namespaces: Vec<Arc<str>> = index.namespaces.iter().map(|text| text.0.as_ref().into()).collect();
    let digests: Vec<Digest> = index
        .digests
        .iter()
        .map(|text| Digest::parse(&text.0).ok_or_else(|| FileError::damaged("its index holds a malformed digest")))
        .collect::<Result<_, _>>()?;
    if digests.len() != index.lengths.len() || !digests.is_sorted() {
        return Err(FileError::damaged("its table of bodies is inconsistent"));
    }
    let address = |row: &AddressRow<'_>| {
        Some(Address {
            resource_type: *types.get(row.0)?,
            scope: index.scopes.get(row.1)?.clone(),
            name: (!row.2.0.is_empty()).then(|| row.2.0.as_ref().into()),
        })
    };
    let addresses: Vec<Address> = index
        .resources
        .iter()
        .map(|row| &row.0)
        .chain(&index.elsewhere)
        .map(|row| address(row).ok_or_else(out_of_range))
        .collect::<Result<_, _>>()?;
    let body = |number: usize| digests.get(number).map(|digest| Body { digest: *digest, value: None });
    let recorded = |row: ResourceRow<'_>| {
        Some(Recorded {
            key: ObjectKey {
                resource_type: *types.get(row.1)?,
                namespace: Arc::clone(namespaces.get(row.2)?),
                name: row.3.0.as_ref().into(),
            },
            uid: row.4.0.into_owned(),
            needs: row.5.into_iter().map(|need| addresses.get(need).cloned()).collect::<Option<_>>()?,
            status: row.6.map_or(Status::Settled, Status::Pending),
            completed: row.7,
            desired: body(row.8)?,
            observed: body(row.9)?,
        })
    };
    let resources: BTreeMap<Address, Recorded> = addresses
        .iter()
        .zip(index.resources)
        .map(|(address, row)| Some((address.clone(), recorded(row)?)))
        .collect::<Option<_>>()
        .ok_or_else(out_of_range)?;
    let state = State {
        scope: index.scope,
        lineage: index.lineage,
        serial: index.serial,
        simulated: index.simulated,
        target: index.target,
        identity: index.identity,
        resources,
        tenants: index.tenants,
        interrupted: index.interrupted,
        journaled: 0,
    };
    Ok((state, BodyTable { digests, lengths: index.lengths, stored: index.stored }))
}
