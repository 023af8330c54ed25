//! Where the servers' binaries are.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::TestbedError;

/// The folder with the servers' binaries.
#[derive(Clone, Debug)]
pub struct Assets {
    folder: PathBuf,
}

impl Assets {
    /// Finds the folder: the variable `LACONIC_TESTBED_ASSETS`, else what `scripts/testbed.sh --where` says
    /// (`KUBEBUILDER_ASSETS`, else the cache that `make testbed` fills).
    pub fn find() -> Result<Self, TestbedError> {
        if is_off() {
            return Err(TestbedError::Off);
        }
        let folder = match std::env::var_os("LACONIC_TESTBED_ASSETS") {
            Some(folder) if !folder.is_empty() => PathBuf::from(folder),
            _ => ask_script()?,
        };
        let assets = Self { folder };
        for server in ["etcd", "kube-apiserver"] {
            if !assets.folder.join(server).is_file() {
                let folder = assets.folder.display();
                return Err(TestbedError::Assets(format!(
                    "no `{server}` in {folder} (LACONIC_TESTBED_ASSETS); run `make testbed`"
                )));
            }
        }
        Ok(assets)
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// kubectl of the same version as the servers.
    pub fn kubectl(&self) -> PathBuf {
        self.folder.join("kubectl")
    }

    pub(crate) fn etcd(&self) -> PathBuf {
        self.folder.join("etcd")
    }

    pub(crate) fn kube_apiserver(&self) -> PathBuf {
        self.folder.join("kube-apiserver")
    }

    pub(crate) fn kube_controller_manager(&self) -> PathBuf {
        self.folder.join("kube-controller-manager")
    }
}

fn ask_script() -> Result<PathBuf, TestbedError> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/testbed.sh");
    let output = Command::new(&script)
        .arg("--where")
        .output()
        .map_err(TestbedError::io(format!("running {}", script.display())))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(TestbedError::Assets(format!("{}\nrun `make testbed`", said.trim_end())));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end()))
}

fn is_off() -> bool {
    std::env::var_os("LACONIC_TESTBED").is_some_and(|value| value == "off")
}

/// Whether tests that need the test bed are left out (`LACONIC_TESTBED=off`). Asked by each of them first:
/// `if laconic_testbed::off() { return; }`.
///
/// When it is so, the calling test is named on standard error, and counted in the file that
/// `LACONIC_TESTBED_SKIPPED` names. A test bed that is merely missing is not left out: starting it fails, and says
/// how to get it.
pub fn off() -> bool {
    if !is_off() {
        return false;
    }
    leave_out("the test bed is off (LACONIC_TESTBED=off)");
    true
}

/// Names the calling test as left out, and why.
pub(crate) fn leave_out(why: &str) {
    let thread = std::thread::current();
    let line = format!("SKIPPED {}: {why}\n", thread.name().unwrap_or("a test"));
    // Not by `eprint!`, which the test harness swallows for tests that succeed.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(file) = std::env::var_os("LACONIC_TESTBED_SKIPPED") {
        let counted = OpenOptions::new().create(true).append(true).open(file);
        let _ = counted.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}
