//! Writing down what is about to be done and what came of it, scope by scope.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, ResourceType, Scope};
use crate::apply::drive::{change_of, scopes};
use crate::apply::enact::StepDone;
use crate::apply::event::Outcome;
use crate::apply::options::{Apply, ApplyError};
use crate::apply::ports::StateError;
use crate::apply::schedule::{ScheduledStep, StepKind};
use crate::plan::change::{Action, Change, Reason};
use crate::plan::document::RegisterChange;
use crate::plan::planner::is_completed_job;
use crate::plan::{Mode, Plan, StateReference};
use crate::resource::{ClusterIdentity, Target};
use crate::state::{JournalRecord, State, Tenant, union};

/// Keeps the journals of one apply.
pub(crate) struct Recorder<'a> {
    apply: &'a Apply<'a>,
    scopes: BTreeSet<Scope>,
    targets: BTreeMap<Scope, Target>,
    /// The registers of the clusters, by scope, as they are while the apply goes on.
    registers: BTreeMap<Scope, BTreeMap<String, Tenant>>,
    /// Who the recorded targets are.
    identities: BTreeMap<Target, ClusterIdentity>,
}

type Records = BTreeMap<Scope, Vec<JournalRecord>>;

impl<'a> Recorder<'a> {
    /// Sees that the states are still those the plan was made from.
    pub(crate) fn open(apply: &'a Apply<'a>) -> Result<Self, ApplyError> {
        let plan = apply.plan;
        let mut registers = BTreeMap::new();
        let mut identities = BTreeMap::new();
        for reference in &plan.states {
            let state = apply.store.load(&reference.scope)?;
            let target = state.target.clone().or_else(|| cluster_target(&reference.scope));
            if let (Some(target), Some(identity)) = (target, state.identity.clone()) {
                identities.insert(target, identity);
            }
            if reference.scope.is_cluster() {
                registers.insert(reference.scope.clone(), state.tenants.clone());
            }
            if let Some(moved_on) = moved_on(plan, reference, &state) {
                return Err(ApplyError::Stale(moved_on));
            }
        }
        let targets = plan.changes.iter().map(|change| (change.address.scope.clone(), change.target.clone())).collect();
        Ok(Self { apply, scopes: scopes(plan), targets, registers, identities })
    }

    /// Who the recorded targets are.
    pub(crate) const fn identities(&self) -> &BTreeMap<Target, ClusterIdentity> {
        &self.identities
    }

    fn append(&self, records: &Records) -> Result<(), StateError> {
        self.apply.store.append_all(records)
    }

    /// The operation begins: tenants join the register before anything of theirs exists.
    pub(crate) fn begin(&mut self) -> Result<(), StateError> {
        let plan = self.apply.plan;
        let operation = match plan.mode {
            Mode::Apply => "apply",
            Mode::Destroy => "destroy",
            Mode::Stop => "stop",
            Mode::Import => "import",
        };
        let mut records = Records::new();
        for scope in &self.scopes {
            let begin = JournalRecord::Begin {
                plan: plan.id.clone(),
                operation: operation.to_owned(),
                time: self.apply.clock.now(),
                target: self.targets.get(scope).cloned().or_else(|| cluster_target(scope)),
            };
            records.entry(scope.clone()).or_default().push(begin);
        }
        for (target, identity) in &plan.identities {
            // A kind cluster's identity is its own scope's, a remote one's the deployment's.
            let scope = crate::resource::cluster_scope(target).unwrap_or_else(|| Scope::deployment(target.name()));
            let makes_cluster = target.kind_cluster().is_some_and(|name| {
                plan.change(&Address::kind_cluster(name)).is_some_and(|change| change.action != Action::Import)
            });
            if !makes_cluster && let Some(list) = records.get_mut(&scope) {
                list.push(JournalRecord::Identified { identity: identity.clone() });
            }
        }
        // A cluster that is made anew gets the new wishes with its deletion. Until then it stays as it is, and others are not
        // asked to give it up for a wish that nobody goes on with.
        let waits = |change: &RegisterChange| {
            let cluster = plan.change(&Address::kind_cluster(&change.cluster));
            cluster.is_some_and(|cluster| cluster.action == Action::Replace)
        };
        for change in plan.register.iter().filter(|change| !waits(change)) {
            self.join(change, &mut records);
        }
        for address in &plan.completed_jobs {
            let record = JournalRecord::Completed { address: address.clone() };
            records.entry(address.scope.clone()).or_default().push(record);
        }
        self.append(&records)
    }

    /// A tenant joins the register, or changes what is said of it there.
    fn join(&mut self, change: &RegisterChange, records: &mut Records) {
        // What runs counts as running until the last of it is stopped.
        let Some(tenant) = change.tenant.as_ref().filter(|_| self.apply.plan.mode != Mode::Stop) else { return };
        let scope = Scope::cluster(&change.cluster);
        let register = self.registers.entry(scope.clone()).or_default();
        // What must still come back is only whole when everything is done.
        let restoring = register.get(&change.deployment).is_some_and(|old| old.restoring);
        let tenant = Tenant { restoring, ..tenant.clone() };
        register.insert(change.deployment.clone(), tenant.clone());
        let record = JournalRecord::TenantSet { name: change.deployment.clone(), tenant };
        records.entry(scope).or_default().push(record);
    }

    /// Steps are about to start: durable when this returns.
    pub(crate) fn intend(&mut self, steps: impl Iterator<Item = ScheduledStep>) -> Result<(), StateError> {
        let mut records = Records::new();
        for step in steps {
            // The vault is its own journal.
            if matches!(step.kind, StepKind::Forget | StepKind::Import | StepKind::Phase(_)) {
                continue;
            }
            let change = change_of(self.apply.plan, step);
            let is_cluster = change.address.resource_type == ResourceType::KindCluster;
            if step.kind == StepKind::Delete && is_cluster && change.action == Action::Replace {
                let plan = self.apply.plan;
                for joining in plan.register.iter().filter(|one| Address::kind_cluster(&one.cluster) == change.address)
                {
                    self.join(joining, &mut records);
                }
            }
            if step.kind == StepKind::Create {
                self.lose(change, &mut records, |reason| matches!(reason, Reason::ClusterLost { .. }));
            }
            // A replace whose old object is gone is a create from then on: that is what its second step announces.
            // And bringing the creation of a cluster to its end may mean making it anew: it stays a create until then.
            let finishes_cluster = is_cluster && change.reason == Reason::Interrupted;
            let action = match (change.action, step.kind) {
                (Action::Replace, StepKind::Create) => Action::Create,
                (Action::Update, StepKind::Update) if finishes_cluster => Action::Create,
                (action, _) => action,
            };
            records.entry(change.address.scope.clone()).or_default().push(JournalRecord::Intent {
                address: change.address.clone(),
                action,
                key: change.key.clone(),
                needs: union(&change.needs, &change.needed),
                desired: self.fingerprinted(change),
            });
        }
        self.append(&records)
    }

    fn fingerprinted(&self, change: &Change) -> Option<serde_json::Value> {
        let mut desired = change.after.clone()?;
        let fingerprinter = self.apply.fingerprinters.get(change.address.scope.name());
        crate::secret::add_fingerprints(&mut desired, self.apply.secrets, fingerprinter);
        Some(desired)
    }

    /// Everything on a cluster that is gone is recorded as lost before a new cluster of the name exists: its old uids
    /// mean nothing on the new one.
    fn lose(&self, cluster: &Change, records: &mut Records, because: impl Fn(&Reason) -> bool) {
        let lost = |change: &&Change| {
            because(&change.reason) && crate::plan::planner::cause(&change.reason) == Some(&cluster.address)
        };
        let tenants: BTreeSet<&str> =
            self.apply.plan.changes.iter().filter(lost).map(|change| change.address.scope.name()).collect();
        let register = self.registers.get(&cluster.address.scope);
        for (name, tenant) in register.into_iter().flatten().filter(|(name, _)| tenants.contains(name.as_str())) {
            // One whose volumes are moved comes back with other wishes.
            let moved = self
                .apply
                .plan
                .recreates
                .iter()
                .find_map(|recreate| recreate.tenants.get(name).filter(|_| recreate.address() == cluster.address));
            let tenant = Tenant { restoring: true, ..moved.unwrap_or(tenant).clone() };
            let record = JournalRecord::TenantSet { name: name.clone(), tenant };
            records.entry(cluster.address.scope.clone()).or_default().push(record);
        }
        for change in self.apply.plan.changes.iter().filter(lost) {
            let record = JournalRecord::Lost { address: change.address.clone() };
            records.entry(change.address.scope.clone()).or_default().push(record);
        }
    }

    /// Steps ended well: durable when this returns.
    pub(crate) fn done(&self, steps: &[(ScheduledStep, &Change, &StepDone)]) -> Result<(), StateError> {
        let mut records = Records::new();
        for (step, change, result) in steps {
            let record = match (step.kind, &result.desired) {
                (StepKind::Create | StepKind::Update | StepKind::Import, Some(desired)) => JournalRecord::Done {
                    address: change.address.clone(),
                    uid: result.uid.clone(),
                    needs: change.needs.clone(),
                    desired: desired.clone(),
                    observed: result.observed.clone(),
                },
                (StepKind::Delete, _) if change.action == Action::Replace => {
                    self.lose(change, &mut records, |reason| matches!(reason, Reason::ClusterReplaced { .. }));
                    JournalRecord::Lost { address: change.address.clone() }
                }
                _ if change.reason == Reason::CompletedJobStopped => {
                    JournalRecord::Lost { address: change.address.clone() }
                }
                _ => JournalRecord::Gone { address: change.address.clone() },
            };
            let list = records.entry(change.address.scope.clone()).or_default();
            // Before the record that settles the cluster: a crash between the two must not leave a settled cluster with
            // the identity of the one before it.
            if let Some(identity) = &result.identity {
                list.push(JournalRecord::Identified { identity: identity.clone() });
            }
            list.push(record);
            // What an import takes may have run long ago.
            let live = change.before.as_ref().filter(|_| step.kind == StepKind::Import);
            if change.key.resource_type == ResourceType::Job && live.is_some_and(is_completed_job) {
                list.push(JournalRecord::Completed { address: change.address.clone() });
            }
        }
        self.append(&records)
    }

    /// A Job is known to have completed.
    pub(crate) fn completed(&self, address: &Address) -> Result<(), StateError> {
        self.apply.store.append(&address.scope, &[JournalRecord::Completed { address: address.clone() }])
    }

    /// The operation ends: tenants that are wholly gone leave the register, journals are folded, and the state of what no
    /// longer exists is archived.
    pub(crate) fn end(&self, outcome: &Outcome) -> Result<(), StateError> {
        let plan = self.apply.plan;
        let mut records = Records::new();
        if outcome.is_complete() {
            for change in &plan.register {
                let name = change.deployment.clone();
                let record = match &change.tenant {
                    None => JournalRecord::TenantRemoved { name },
                    Some(tenant) if plan.mode == Mode::Stop => {
                        JournalRecord::TenantSet { name, tenant: tenant.clone() }
                    }
                    Some(_) => continue,
                };
                records.entry(Scope::cluster(&change.cluster)).or_default().push(record);
            }
            for scope in self.scopes.iter().filter(|scope| scope.is_cluster()) {
                let tenants = self.apply.store.load(scope)?.tenants.into_iter();
                let covered = |name: &str| plan.states.iter().any(|one| one.scope == Scope::deployment(name));
                for (name, tenant) in tenants.filter(|(name, tenant)| tenant.restoring && covered(name)) {
                    let tenant = Tenant { restoring: false, ..tenant };
                    records.entry(scope.clone()).or_default().push(JournalRecord::TenantSet { name, tenant });
                }
            }
        }
        for scope in &self.scopes {
            let record = JournalRecord::End { time: self.apply.clock.now() };
            records.entry(scope.clone()).or_default().push(record);
        }
        self.append(&records)?;
        self.apply.store.fold_all(&self.scopes)?;
        if plan.mode == Mode::Destroy {
            // A stopped tenant whose cluster goes away has no resources and is not destroyed.
            let is_stopped =
                |scope: &Scope| !scope.is_cluster() && !plan.deployments.iter().any(|name| name == scope.name());
            for scope in self.scopes.iter().filter(|scope| !is_stopped(scope)) {
                if is_empty(&self.apply.store.load(scope)?) {
                    self.apply.store.archive(scope)?;
                }
            }
        }
        Ok(())
    }
}

/// In what way a state is no longer the one a plan was made from, if it makes the plan stale.
///
/// A cluster's register moves on all the time, while deployments apply side by side on it; that matters only to a plan
/// that changes the cluster.
#[must_use]
pub fn moved_on(plan: &Plan, reference: &StateReference, state: &State) -> Option<String> {
    let scope = &reference.scope;
    if state.lineage != reference.lineage {
        return Some(if reference.lineage.is_empty() {
            format!("{scope} had no state when it was made and has one now")
        } else {
            format!("the state of {scope} is another one than when it was made")
        });
    }
    let changes = plan.changes.iter().any(|change| change.address.scope == *scope);
    let recreates = plan.recreates.iter().any(|recreate| recreate.address().scope == *scope);
    let counts = !scope.is_cluster() || changes || recreates;
    if counts && state.serial != reference.serial {
        let (then, now) = (reference.serial, state.serial);
        return Some(format!("the state of {scope} was at serial {then} when it was made and is at {now} now"));
    }
    (counts && state.journaled != reference.journaled)
        .then(|| format!("an operation on {scope} was begun since it was made and did not end"))
}

fn cluster_target(scope: &Scope) -> Option<Target> {
    scope.is_cluster().then(|| Target::Kind(scope.name().to_owned()))
}

fn is_empty(state: &State) -> bool {
    state.resources.is_empty() && state.tenants.is_empty()
}
