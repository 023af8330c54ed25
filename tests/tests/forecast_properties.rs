//! The forecast against what really happens, on random deployments, clusters, accidents and events, judged by the bytes of
//! the simulated host: never "kept" for bytes that went, "lost" only for bytes that went, and never "unknown" where all could
//! be read.

use std::collections::{BTreeMap, BTreeSet};

use laconic_engine::address::{Address, ObjectKey, ResourceType};
use laconic_engine::compile::CompiledDeployment;
use laconic_engine::plan::{Plan, StopOptions, VolumeEvent, VolumeForecast, VolumeVerdict};
use laconic_engine::resource::Target;
use laconic_tests::generate_volumes::{Tenant, directory, tenant};
use laconic_tests::settled::config;
use laconic_tests::universe::{Request, Universe, compiled};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::json;

const CLUSTER: &str = "laconic-main";

/// What somebody does to the host behind our back.
#[derive(Clone, Copy, Debug)]
enum Accident {
    /// The volumes that were made for claims are retained from now on.
    RetainDynamic,
    /// The volumes that were made by hand have the reclaim policy Delete from now on.
    DeleteStatic,
    /// A directory that is mounted into the node is deleted and made again.
    RemakeMount(usize),
    /// A directory in a mount is deleted and made again.
    RemakeDirectory,
    /// The API server does not answer while the forecast is made.
    SilentServer,
}

/// What happens then.
#[derive(Clone, Copy, Debug)]
enum Happens {
    PodRestart,
    Recreate,
    Destroy(usize),
    Removed {
        tenant: usize,
        volume: usize,
    },
    ClaimsDeleted {
        tenant: usize,
    },
    NamespaceDeleted {
        tenant: usize,
    },
    /// `stop`, with or without the flags that delete.
    Stopped {
        tenant: usize,
        volumes: bool,
        namespace: bool,
    },
    /// A volume gets another path, or loses its own.
    Rewritten {
        tenant: usize,
        volume: usize,
        from: usize,
    },
}

#[derive(Clone, Debug)]
struct Case {
    tenants: Vec<Tenant>,
    umbrella: bool,
    remote: bool,
    /// The mounts of a cluster that somebody made by hand: container paths and host paths.
    by_hand: Option<Vec<(&'static str, &'static str)>>,
    accidents: Vec<Accident>,
    happens: Vec<Happens>,
}

fn accident() -> impl Strategy<Value = Accident> {
    prop_oneof![
        3 => Just(Accident::RetainDynamic),
        2 => Just(Accident::DeleteStatic),
        3 => (0..4_usize).prop_map(Accident::RemakeMount),
        1 => Just(Accident::RemakeDirectory),
        1 => Just(Accident::SilentServer),
    ]
}

fn happens() -> impl Strategy<Value = Happens> {
    let index = || 0..3_usize;
    prop_oneof![
        1 => Just(Happens::PodRestart),
        3 => Just(Happens::Recreate),
        3 => index().prop_map(Happens::Destroy),
        3 => (index(), index()).prop_map(|(tenant, volume)| Happens::Removed { tenant, volume }),
        1 => index().prop_map(|tenant| Happens::ClaimsDeleted { tenant }),
        1 => index().prop_map(|tenant| Happens::NamespaceDeleted { tenant }),
        4 => (index(), any::<bool>(), any::<bool>())
            .prop_map(|(tenant, volumes, namespace)| Happens::Stopped { tenant, volumes, namespace }),
        2 => (index(), index(), index()).prop_map(|(tenant, volume, from)| Happens::Rewritten { tenant, volume, from }),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let tenants =
        (tenant("shop"), tenant("blog"), tenant("mail"), 1..=3_usize).prop_map(|(shop, blog, mail, count)| {
            let mut tenants = vec![shop, blog, mail];
            tenants.truncate(count);
            tenants
        });
    // Nested, wrong, and where the provisioner writes.
    let mounts = [
        ("/mnt", "/srv/kind"),
        ("/mnt", "/srv/other"),
        ("/mnt/shop", "/srv/nested"),
        ("/mnt/shop0", "/data/shop/shop0"),
        ("/var/local-path-provisioner", "/srv/provisioned"),
    ];
    let by_hand = proptest::option::weighted(0.3, proptest::sample::subsequence(mounts.to_vec(), 0..=3));
    let seldom = || prop_oneof![5 => Just(false), 1 => Just(true)];
    (
        tenants,
        seldom().prop_map(|without| !without),
        seldom(),
        by_hand,
        proptest::collection::vec(accident(), 0..=2),
        proptest::collection::vec(happens(), 1..=3),
    )
        .prop_map(|(tenants, umbrella, remote, by_hand, accidents, happens)| {
            // Two mounts at one place are none.
            let by_hand = by_hand.map(|mut mounts: Vec<(&str, &str)>| {
                mounts.dedup_by_key(|mount| mount.0);
                mounts
            });
            Case { tenants, umbrella, remote, by_hand, accidents, happens }
        })
}

struct World {
    universe: Universe,
    case: Case,
    /// Those that are not destroyed.
    deployments: BTreeMap<&'static str, CompiledDeployment>,
    step: usize,
    /// Whether the API server does not answer while the table of events is made.
    silent: bool,
}

/// The bytes of a volume before something happens.
type Marks = BTreeMap<(String, String), String>;

impl World {
    fn compile(&self, tenant: &Tenant) -> CompiledDeployment {
        compiled(tenant.name, &directory(tenant, CLUSTER, self.case.umbrella, self.case.remote)).0
    }

    fn target(&self, name: &str) -> Target {
        if self.case.remote { Target::Kubernetes(name.to_owned()) } else { Target::Kind(CLUSTER.to_owned()) }
    }

    fn claim(&self, name: &str, volume: &str) -> ObjectKey {
        let namespace = &self.deployments.get(name).expect("a known tenant").tenant.namespace;
        ObjectKey::new(ResourceType::PersistentVolumeClaim, namespace, &format!("id-{name}-{volume}"))
    }

    /// Has every volume that is bound hold bytes that nobody else holds.
    fn mark(&mut self) -> Marks {
        self.step += 1;
        let mut marks = Marks::new();
        for (name, deployment) in &self.deployments {
            for volume in deployment.tenant.volumes.keys() {
                let text = format!("{name}/{volume} in step {}", self.step);
                let claim = self.claim(name, volume);
                if self.universe.host.write_claim_data(&self.target(name), &claim, &text).unwrap() {
                    marks.insert(((*name).to_owned(), volume.clone()), text);
                }
            }
        }
        marks
    }

    /// Whether bytes are anywhere.
    fn is_anywhere(universe: &Universe, text: &str) -> bool {
        let summary = universe.host.summary();
        let clusters = summary.clusters.values().chain(summary.remotes.values());
        clusters.flat_map(|cluster| cluster.data.values()).chain(summary.host_data.values()).any(|data| data == text)
    }

    /// A verdict against the bytes as they are afterwards.
    fn judge(
        &self,
        universe: &Universe,
        volume: &VolumeForecast,
        verdict: VolumeVerdict,
        (what, readable): (&str, bool),
        marks: &Marks,
        comes_back: bool,
    ) -> Result<(), TestCaseError> {
        let name = (volume.deployment.clone(), volume.volume.clone());
        let Some(text) = marks.get(&name) else {
            // Nothing was there: that it is kept is said of nothing.
            return Ok(());
        };
        let is_there = Self::is_anywhere(universe, text);
        let shown = || format!("{what}: {name:?} is {verdict:?}, there: {is_there}\n{volume:#?}\n{:#?}", self.case);
        match verdict {
            VolumeVerdict::Kept => {
                prop_assert!(is_there, "kept, and gone: {}", shown());
                let claim = self.claim(&name.0, &name.1);
                let leads_to = universe.host.claim_data(&self.target(&name.0), &claim);
                // Kept is kept for its deployment, unless there is nothing that it could live on.
                let summary = universe.host.summary();
                let comes_back = comes_back && (self.case.remote || summary.clusters.contains_key(CLUSTER));
                prop_assert!(!comes_back || leads_to.as_ref() == Some(text), "kept elsewhere: {}", shown());
            }
            VolumeVerdict::LeftBehind => prop_assert!(is_there, "left behind, and gone: {}", shown()),
            VolumeVerdict::Lost => prop_assert!(!is_there, "lost, and there: {}", shown()),
            VolumeVerdict::Unknown => prop_assert!(!readable, "unknown, and readable: {}", shown()),
            VolumeVerdict::New => prop_assert!(false, "new, with bytes in it: {}", shown()),
        }
        Ok(())
    }

    /// The forecast as it is, made where the API server does not answer if that is the accident.
    fn look(&self) -> Plan {
        let everybody: Vec<CompiledDeployment> = self.deployments.values().cloned().collect();
        let is_silent = self.silent && self.universe.host.summary().clusters.contains_key(CLUSTER);
        if is_silent {
            self.universe.host.run_node(CLUSTER, false).unwrap();
        }
        let plan = self.universe.plan(&everybody, &Request { untried: true, ..Request::default() });
        if is_silent {
            self.universe.host.run_node(CLUSTER, true).unwrap();
        }
        plan
    }

    /// Plans, marks, applies, judges. `None` when it is refused.
    fn apply(
        &mut self,
        deployments: &[CompiledDeployment],
        request: &Request,
        event: Option<VolumeEvent>,
    ) -> Result<Option<Plan>, TestCaseError> {
        let marks = self.mark();
        let before = self.look();
        let request = Request { untried: true, ..request.clone() };
        let request = self.universe.request_with_consents(deployments, &request);
        let plan = self.universe.plan(deployments, &request);
        if plan.is_refused() {
            return Ok(None);
        }
        let is_destroy = request.destroy;
        let run = self.universe.carry_out(plan, deployments);
        prop_assert!(run.is_complete(), "{}\n{:#?}", run.problems(), self.case);
        let is_stop = request.stop.is_some();
        let leaves = |volume: &VolumeForecast| {
            let meant = deployments.iter().find(|one| one.name == volume.deployment);
            meant.is_some_and(|one| is_destroy || is_stop || !one.tenant.volumes.contains_key(&volume.volume))
        };
        for volume in &run.plan.forecast {
            self.judge(
                &self.universe,
                volume,
                volume.verdict,
                ("by the plan", true),
                &marks,
                !leaves(volume) && !is_stop,
            )?;
        }
        let Some(event) = event else { return Ok(Some((*run.plan).clone())) };
        // What else happened to the cluster is not this event's.
        let is_recreate = event == VolumeEvent::ClusterRecreate;
        if is_recreate || !run.plan.blast_radius.iter().any(|radius| radius.recreated) {
            for volume in before.forecast.iter().filter(|volume| is_recreate || leaves(volume)) {
                let verdict = volume.events[&event].verdict;
                self.judge(&self.universe, volume, verdict, ("by the event", !self.silent), &marks, is_recreate)?;
            }
        }
        Ok(Some((*run.plan).clone()))
    }

    fn accident(&mut self, accident: Accident) {
        let host = &self.universe.host;
        match accident {
            Accident::RetainDynamic | Accident::DeleteStatic => {
                let dynamic = matches!(accident, Accident::RetainDynamic);
                for target in host.targets() {
                    for name in volumes_on(&self.universe, &target)
                        .into_iter()
                        .filter(|name| name.starts_with("pvc-") == dynamic)
                    {
                        let key = ObjectKey::new(ResourceType::PersistentVolume, "", &name);
                        let policy = if dynamic { "Retain" } else { "Delete" };
                        let path = "spec.persistentVolumeReclaimPolicy";
                        host.edit_object(&target, &key, "kubectl", path, Some(json!(policy))).unwrap();
                    }
                }
            }
            Accident::RemakeMount(index) => {
                let summary = host.summary();
                let mounts: Vec<&String> = summary.clusters.values().flat_map(|one| one.mounts.values()).collect();
                let Some(path) = mounts.get(index % mounts.len().max(1)) else { return };
                host.remove_host_path(path).unwrap();
                host.write_host_data(&format!("{path}/made-again"), "somebody's").unwrap();
            }
            Accident::RemakeDirectory => {
                host.remove_host_path("/srv/kind/shop").unwrap();
                host.write_host_data("/srv/kind/shop/made-again", "somebody's").unwrap();
            }
            // A node that starts again gets its mounts anew, which is an event of its own.
            Accident::SilentServer => self.silent = !self.case.remote && !self.is_remade(),
        }
    }

    /// Something that no plan does: judged on a copy, by the table of events.
    fn aside(
        &mut self,
        event: VolumeEvent,
        tenant: Option<usize>,
        act: impl Fn(&Universe, &Self),
    ) -> Result<(), TestCaseError> {
        let marks = self.mark();
        let plan = self.look();
        let copy = self.universe.fork();
        act(&copy, self);
        let meant = tenant.and_then(|index| self.case.tenants.get(index)).map(|tenant| tenant.name);
        for volume in plan.forecast.iter().filter(|one| meant.is_none_or(|meant| one.deployment == meant)) {
            let verdict = volume.events[&event].verdict;
            let comes_back = event == VolumeEvent::PodRestart;
            self.judge(&copy, volume, verdict, ("by the event", !self.silent), &marks, comes_back)?;
        }
        Ok(())
    }

    fn is_remade(&self) -> bool {
        self.case.accidents.iter().any(|one| matches!(one, Accident::RemakeMount(_) | Accident::RemakeDirectory))
    }

    fn happen(&mut self, happens: Happens) -> Result<(), TestCaseError> {
        let alive = |world: &Self, index: usize| -> Option<Tenant> {
            let tenant = world.case.tenants.get(index)?;
            world.deployments.contains_key(tenant.name).then(|| tenant.clone())
        };
        match happens {
            Happens::PodRestart => self.aside(VolumeEvent::PodRestart, None, |copy, _| copy.host.settle().unwrap()),
            Happens::Recreate if self.case.remote => Ok(()),
            Happens::Recreate => {
                let Some(first) = self.deployments.values().next().cloned() else { return Ok(()) };
                let replace = BTreeSet::from([Address::kind_cluster(CLUSTER)]);
                let request = Request { replace, ..Request::default() };
                self.apply(&[first], &request, Some(VolumeEvent::ClusterRecreate)).map(|_| ())
            }
            Happens::Destroy(index) => {
                let Some(tenant) = alive(self, index) else { return Ok(()) };
                let deployment = self.deployments[tenant.name].clone();
                let request = Request { destroy: true, ..Request::default() };
                if self.apply(&[deployment], &request, Some(VolumeEvent::Destroy))?.is_some() {
                    self.deployments.remove(tenant.name);
                }
                Ok(())
            }
            Happens::Stopped { tenant, volumes, namespace } => {
                let Some(tenant) = alive(self, tenant) else { return Ok(()) };
                let deployment = self.deployments[tenant.name].clone();
                let stop = StopOptions { delete_volumes: volumes, delete_namespace: namespace, delete_cluster: false };
                // Both flags together have no column of their own.
                let event = match (volumes, namespace) {
                    (false, false) => Some(VolumeEvent::Stop),
                    (true, false) => Some(VolumeEvent::StopDeleteVolumes),
                    (false, true) => Some(VolumeEvent::StopDeleteNamespace),
                    (true, true) => None,
                };
                let request = Request { stop: Some(stop), ..Request::default() };
                self.apply(&[deployment], &request, event).map(|_| ())
            }
            Happens::Removed { tenant, volume } => {
                let Some(mut changed) = alive(self, tenant) else { return Ok(()) };
                let Some(removed) = changed.volumes.get_mut(volume) else { return Ok(()) };
                *removed = None;
                self.change(tenant, changed, Some(VolumeEvent::RemovedFromSpec))
            }
            Happens::Rewritten { tenant, volume, from } => {
                let Some(mut changed) = alive(self, tenant) else { return Ok(()) };
                let other = changed.volumes.get(from).copied().flatten();
                let (Some(Some(rewritten)), Some(other)) = (changed.volumes.get_mut(volume), other) else {
                    return Ok(());
                };
                rewritten.written = other.written;
                self.change(tenant, changed, None)
            }
            Happens::ClaimsDeleted { tenant } | Happens::NamespaceDeleted { tenant } => {
                let Some(meant) = alive(self, tenant) else { return Ok(()) };
                let whole = matches!(happens, Happens::NamespaceDeleted { .. });
                // A stop may have taken the namespace, or the whole cluster, before.
                let namespace = format!("Namespace {}", self.deployments[meant.name].tenant.namespace);
                if !cluster_objects(&self.universe, &self.target(meant.name))
                    .iter()
                    .any(|line| is_line(line, &namespace))
                {
                    return Ok(());
                }
                self.aside(VolumeEvent::ClaimDeleted, Some(tenant), |copy, world| {
                    let target = world.target(meant.name);
                    let namespace = world.deployments[meant.name].tenant.namespace.clone();
                    let of = |resource_type, name: &str| ObjectKey::new(resource_type, &namespace, name);
                    if whole {
                        copy.host
                            .delete_object(&target, &ObjectKey::new(ResourceType::Namespace, "", &namespace))
                            .unwrap();
                        return;
                    }
                    for (resource_type, workloads) in [
                        (ResourceType::Deployment, "Deployment "),
                        (ResourceType::Job, "Job "),
                        (ResourceType::PersistentVolumeClaim, "PersistentVolumeClaim "),
                    ] {
                        let summary = copy.host.summary();
                        let cluster = summary.clusters.values().chain(summary.remotes.values());
                        let lines = cluster.flat_map(|one| one.objects.get(&namespace).into_iter().flatten());
                        let names: Vec<String> = lines
                            .filter_map(|line| line.strip_prefix(workloads))
                            .map(|line| line.split(':').next().unwrap_or_default().to_owned())
                            .collect();
                        for name in names {
                            copy.host.delete_object(&target, &of(resource_type, &name)).unwrap();
                        }
                    }
                })
            }
        }
    }

    fn change(&mut self, index: usize, changed: Tenant, event: Option<VolumeEvent>) -> Result<(), TestCaseError> {
        let deployment = self.compile(&changed);
        if self.apply(std::slice::from_ref(&deployment), &Request::default(), event)?.is_some() {
            self.deployments.insert(changed.name, deployment);
            self.case.tenants[index] = changed;
        }
        Ok(())
    }
}

/// The objects of a cluster that are in no namespace, a line each.
fn cluster_objects(universe: &Universe, target: &Target) -> Vec<String> {
    let summary = universe.host.summary();
    let cluster = summary.clusters.get(target.name()).or_else(|| summary.remotes.get(target.name()));
    cluster.and_then(|one| one.objects.get("")).cloned().unwrap_or_default()
}

/// Whether a line speaks of that object.
fn is_line(line: &str, object: &str) -> bool {
    line.split(':').next() == Some(object)
}

fn volumes_on(universe: &Universe, target: &Target) -> Vec<String> {
    let lines = cluster_objects(universe, target);
    lines
        .iter()
        .filter_map(|line| line.strip_prefix("PersistentVolume "))
        .map(|line| line.split(':').next().unwrap_or_default().to_owned())
        .collect()
}

proptest! {
    #![proptest_config(config("forecast", 10_000))]

    #[test]
    fn the_forecast_is_what_happens(case in case()) {
        let universe = Universe::default();
        universe.host.link_host_path("/srv/kind/links", "/srv/elsewhere").unwrap();
        let by_hand = case.by_hand.clone().filter(|_| !case.remote);
        if let Some(mounts) = &by_hand {
            let mounts: Vec<_> = mounts
                .iter()
                .map(|(container, host)| json!({"containerPath": container, "hostPath": host, "propagation": "HostToContainer"}))
                .collect();
            universe.host.create_cluster(&json!({"name": CLUSTER, "extraMounts": mounts})).unwrap();
        }
        let tenants = case.tenants.clone();
        let (accidents, events) = (case.accidents.clone(), case.happens.clone());
        let mut world = World { universe, case, deployments: BTreeMap::new(), step: 0, silent: false };
        for tenant in &tenants {
            let deployment = world.compile(tenant);
            // On somebody's cluster everything is made first, and the cluster taken over after that.
            let request = Request { skip_cluster: by_hand.is_some(), ..Request::default() };
            prop_assert!(world.apply(std::slice::from_ref(&deployment), &request, None)?.is_some() || by_hand.is_some());
            world.deployments.insert(tenant.name, deployment.clone());
            if by_hand.is_some() {
                let taken = world.universe.apply_with_consents(&[deployment], &Request { import: true, ..Request::default() });
                prop_assert!(taken.is_complete(), "{}\n{:#?}", taken.problems(), world.case);
            }
        }
        for accident in accidents {
            world.accident(accident);
        }
        for happens in events {
            world.happen(happens)?;
        }
    }
}
