//! Saved plans: what `plan --out` writes and `apply FILE` does. Holds no secret value; fingerprints and names only.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use laconic_engine::plan::{PLAN_FORMAT_VERSION, Plan};
use laconic_engine::value::Digest;
use serde_json::{Value, json};

use crate::error::{Problem, Result, file};

/// The member by which a plan file is known.
const MARK: &str = "laconic_plan_file";
/// The version of the file around the plan.
const FILE_VERSION: u64 = 1;
/// No plan is larger.
const MOST_BYTES: u64 = 1024 * 1024 * 1024;

/// A saved plan.
#[derive(Debug)]
pub struct PlanFile {
    /// When it was saved, RFC 3339.
    pub saved: String,
    /// The deployment directories it was made for.
    pub directories: BTreeMap<String, PathBuf>,
    /// The plan.
    pub plan: Plan,
}

/// Saves a plan; the file is only for its owner and replaced as a whole.
///
/// # Errors
/// A place that cannot be written.
pub fn write(path: &Path, plan: &Plan, directories: &BTreeMap<String, PathBuf>) -> Result<()> {
    let wrong =
        |error: serde_json::Error| Problem::File { path: path.to_owned(), verb: "written", detail: error.to_string() };
    let plan = serde_json::to_value(plan).map_err(wrong)?;
    let digest = Digest::of(&plan).to_string();
    let document = json!({
        MARK: FILE_VERSION,
        "saved": laconic_state::timestamp::now(),
        "directories": directories,
        "sha256": digest,
        "plan": plan,
    });
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(file(path, "written"))?;
    temporary
        .as_file()
        .set_permissions(std::fs::Permissions::from_mode(0o600))
        .and_then(|()| temporary.write_all(document.to_string().as_bytes()))
        .and_then(|()| temporary.as_file().sync_all())
        .map_err(file(path, "written"))?;
    temporary.persist(path).map_err(|error| error.error).map_err(file(path, "written"))?;
    Ok(())
}

/// Reads a saved plan.
///
/// # Errors
/// Something else than a whole plan file of a version this program knows.
pub fn read(path: &Path) -> Result<PlanFile> {
    let not_a_plan = |detail: String| Problem::NotAPlanFile { path: path.to_owned(), detail };
    let metadata = std::fs::metadata(path).map_err(file(path, "read"))?;
    if metadata.is_dir() {
        return Err(not_a_plan("it is a directory".to_owned()));
    }
    if !metadata.is_file() {
        return Err(not_a_plan("it is no regular file".to_owned()));
    }
    if metadata.len() > MOST_BYTES {
        return Err(not_a_plan(format!("it is {} bytes", metadata.len())));
    }
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path).map_err(file(path, "read"))?;
    opened.take(MOST_BYTES).read_to_end(&mut bytes).map_err(file(path, "read"))?;
    let mut document: Value =
        serde_json::from_slice(&bytes).map_err(|_| not_a_plan("it holds something else".to_owned()))?;
    match document.get(MARK).and_then(Value::as_u64) {
        Some(FILE_VERSION) => {}
        Some(newer) => return Err(not_a_plan(format!("it has version {newer}, this program reads {FILE_VERSION}"))),
        None => return Err(not_a_plan("it holds something else".to_owned())),
    }
    let plan = document.get_mut("plan").map(Value::take).unwrap_or_default();
    if document["sha256"].as_str() != Some(&Digest::of(&plan).to_string()) {
        return Err(not_a_plan("it was changed or cut off after it was saved".to_owned()));
    }
    if plan["format_version"].as_str() != Some(PLAN_FORMAT_VERSION) {
        let found = plan["format_version"].as_str().unwrap_or("unknown");
        return Err(not_a_plan(format!("its plan has version {found}, this program reads {PLAN_FORMAT_VERSION}")));
    }
    let plan = serde_json::from_value(plan).map_err(|error| not_a_plan(error.to_string()))?;
    let directories =
        serde_json::from_value(document["directories"].take()).map_err(|error| not_a_plan(error.to_string()))?;
    let saved = document["saved"].as_str().unwrap_or_default().to_owned();
    Ok(PlanFile { saved, directories, plan })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plan_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.plan");
        for content in
            ["", "\0\u{1}binary", "[]", "{\"laconic_plan_file\": 9}", "{\"laconic_plan_file\":1,\"plan\":{}}"]
        {
            std::fs::write(&path, content).unwrap();
            let Err(Problem::NotAPlanFile { .. }) = read(&path) else { panic!("{content}") };
        }
        let Err(Problem::NotAPlanFile { .. }) = read(directory.path()) else { panic!() };
        let Err(Problem::File { .. }) = read(&directory.path().join("missing")) else { panic!() };
    }
}
