//! The composition root: which world, which store, which runtime. The only module that knows them by name.

mod host;
mod machine;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use laconic_engine::apply::StateStore as _;
use laconic_engine::resource::Target;
use laconic_engine::state::State;
pub use laconic_providers::SimulatedHost;
pub use laconic_providers::git::{EntryKind, Git, GitError, is_object_name};
pub use laconic_providers::pod::{LogRequest, Pod, PodContainer, PodsOf};
pub use laconic_state::disk::Disk;
pub use laconic_state::{LocalStore, LocalVault, LockReport, MemoryStore, MemoryVault};

use crate::args::Common;
use crate::error::{Problem, Result};

pub use host::{ContainerPlace, Host, Reach, attended};
pub use machine::{ContainerEngine, ContainerState, DockerError, Machine, MachineSeen, Port, ProcessError};

/// What a command works on.
#[derive(Clone, Debug)]
pub struct Wire {
    simulate: Option<PathBuf>,
    state_directory: PathBuf,
    reach: Reach,
    disk: Disk,
}

impl Wire {
    /// The world and the state the command line names.
    #[must_use]
    pub fn new(common: &Common, disk: Disk) -> Self {
        let state_directory = common.state_dir.clone().unwrap_or_else(default_state_directory);
        let reach = Reach {
            kubeconfig: common.kubeconfig.clone(),
            context: common.context.clone(),
            in_cluster: common.in_cluster,
            request_limit: common.request_timeout,
            look_limit: None,
        };
        Self { simulate: common.simulate.clone(), state_directory, reach, disk }
    }

    /// Whether everything happens on a simulated host.
    #[must_use]
    pub const fn is_simulated(&self) -> bool {
        self.simulate.is_some()
    }

    /// The store, knowing these deployment directories.
    #[must_use]
    pub fn store(&self, directories: &BTreeMap<String, PathBuf>) -> LocalStore {
        let store = match &self.simulate {
            Some(host) => LocalStore::simulated(host, directories.clone()),
            None => LocalStore::new(laconic_state::LocalStoreOptions {
                state_directory: self.state_directory.clone(),
                simulated: false,
                deployment_directories: directories.clone(),
            }),
        };
        store.on(self.disk.clone())
    }

    /// Where what survives a recreate is kept.
    #[must_use]
    pub fn vault(&self) -> LocalVault {
        LocalVault::new(&self.state_directory()).on(self.disk.clone())
    }

    /// This host and the API servers that these targets live on.
    #[must_use]
    pub fn live(&self, targets: &BTreeSet<Target>, directories: &BTreeMap<String, PathBuf>) -> Host {
        host::live(&self.reach, targets, directories, self.state_directory.join("clusters"))
    }

    /// The same as [`Self::live`], which gives up early on a container engine that hangs.
    #[must_use]
    pub fn live_for_a_look(&self, targets: &BTreeSet<Target>, directories: &BTreeMap<String, PathBuf>) -> Host {
        let reach = Reach { look_limit: Some(machine::LIMIT), ..self.reach.clone() };
        host::live(&reach, targets, directories, self.state_directory.join("clusters"))
    }

    /// This host's programs.
    #[must_use]
    pub fn machine(&self) -> Machine {
        Machine::new(host::engine_word(), self.state_directory.join("clusters"))
    }

    /// Where the states of clusters are kept.
    #[must_use]
    pub fn state_directory(&self) -> PathBuf {
        self.simulate.as_ref().map_or_else(|| self.state_directory.clone(), |host| host.join("state"))
    }

    /// The clusters of which there is a directory of state.
    ///
    /// # Errors
    /// A directory that cannot be listed, and why.
    pub fn recorded_clusters(&self) -> Result<Vec<String>, (PathBuf, std::io::Error)> {
        let path = self.state_directory().join("clusters");
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err((path, error)),
        };
        let directories = entries.filter_map(std::result::Result::ok).filter(|entry| entry.path().is_dir());
        let mut names: Vec<String> = directories.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        Ok(names)
    }

    /// The simulated host, when there is one.
    ///
    /// # Errors
    /// A directory that cannot be used, or holds something else.
    pub fn simulated_host(&self) -> Result<Option<SimulatedHost>> {
        let Some(directory) = &self.simulate else { return Ok(None) };
        let open = |directory: &Path| {
            SimulatedHost::open(directory).map_err(|error| Problem::Simulation { detail: error.to_string() })
        };
        open(directory).map(Some)
    }
}

/// `/var/lib/laconic` when that is ours or we are root, else the user's own state directory.
fn default_state_directory() -> PathBuf {
    let system = Path::new("/var/lib/laconic");
    // The owner of our own entry in /proc is the user we act as.
    let user = std::fs::metadata("/proc/self").map(|metadata| metadata.uid()).ok();
    let owner = std::fs::metadata(system).map(|metadata| metadata.uid()).ok();
    if user == Some(0) || (owner.is_some() && owner == user) {
        return system.to_owned();
    }
    let own = std::env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".local/state");
    own.unwrap_or_else(home).join("laconic")
}

/// A copy of states in memory, for a rehearsal.
///
/// # Errors
/// State that cannot be read.
pub fn rehearsal_store(store: &LocalStore, states: impl IntoIterator<Item = State>) -> Result<MemoryStore> {
    let copy = MemoryStore::simulated();
    for mut state in states {
        let digests = state
            .resources
            .values()
            .flat_map(|recorded| [&recorded.desired, &recorded.observed])
            .filter(|body| body.value.is_none())
            .map(|body| body.digest)
            .collect();
        store.load_bodies(&mut state, &digests)?;
        copy.put(state);
    }
    Ok(copy)
}

/// The runtime that everything waits on: one thread beside ours, which listens for Ctrl-C and tends to connections. There
/// is one for the whole run, because connections that were made on it live on it.
///
/// # Errors
/// Threads that cannot be had.
pub fn runtime() -> Result<&'static tokio::runtime::Runtime> {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let made = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Problem::System { detail: format!("no threads to wait on: {error}") })?;
    Ok(RUNTIME.get_or_init(|| made))
}
