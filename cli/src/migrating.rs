//! What a migration below an umbrella is made of: the edits of the specs of everybody on a cluster, and the ways of their
//! data. Looks only, until [`SpecEdit::write`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use laconic_engine::apply::Rescue;
use laconic_engine::plan::{Migration, Plan, VolumeMove, Whereabouts};
use laconic_engine::resource::Target;
use laconic_engine::source::{is_under, join_path, normalize_path};
use laconic_engine::spec::edit::with_umbrella;
use laconic_engine::spec::read_spec;
use laconic_engine::state::{Tenant, VolumeStorage};

use crate::compiling::compile_one;
use crate::error::{Problem, Result, file};
use crate::inputs::{Input, from_directory, read_identity};
use crate::wire;

/// The spec of a deployment directory.
const SPEC: &str = "spec.yml";

/// An edit of one deployment's spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecEdit {
    /// The deployment.
    pub deployment: String,
    /// The copy of the spec in its directory.
    pub path: PathBuf,
    /// The text as it is.
    pub before: String,
    /// The text as it is to be.
    pub after: Arc<str>,
    /// The file in the operator's repository that the copy was made from, when that is known.
    pub source: Option<String>,
}

impl SpecEdit {
    /// Writes it, at once or not at all.
    ///
    /// # Errors
    /// A copy that somebody edited meanwhile, or that cannot be written.
    pub fn write(&self) -> Result<()> {
        let path = fs::canonicalize(&self.path).map_err(file(&self.path, "read"))?;
        let there = fs::read_to_string(&path).map_err(file(&path, "read"))?;
        if there == *self.after {
            return Ok(());
        }
        if there != self.before {
            let detail = format!("{} was edited since it was made", self.path.display());
            return Err(Problem::StalePlan { detail });
        }
        let parent = path.parent().unwrap_or_else(|| Path::new("/"));
        let failed = || file(&path, "written");
        let mut beside = tempfile::Builder::new().prefix(".spec.yml.").tempfile_in(parent).map_err(failed())?;
        let mode = fs::metadata(&path).map_err(failed())?.permissions();
        beside.write_all(self.after.as_bytes()).map_err(failed())?;
        beside.as_file().set_permissions(mode).map_err(failed())?;
        beside.as_file().sync_all().map_err(failed())?;
        beside.persist(&path).map_err(|error| error.error).map_err(failed())?;
        fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(file(parent, "written"))
    }
}

/// One deployment of the cluster, with its edit.
#[derive(Clone, Debug)]
pub struct Mover {
    /// Its files, with the edit over them.
    pub input: Input,
    /// The edit, where one is needed.
    pub edit: Option<SpecEdit>,
    /// Where its volumes are to be.
    pub volumes: BTreeMap<String, VolumeStorage>,
}

/// The deployments of a register with their volumes below `root`; of those in the node, the ones in `rescued`.
///
/// # Errors
/// A deployment whose files cannot be read, compiled or edited.
pub fn movers(
    tenants: &BTreeMap<String, Tenant>,
    root: &str,
    rescued: &BTreeSet<String>,
) -> Result<BTreeMap<String, Mover>> {
    tenants.iter().map(|(name, tenant)| Ok((name.clone(), mover(name, tenant, root, rescued)?))).collect()
}

fn mover(name: &str, tenant: &Tenant, root: &str, rescued: &BTreeSet<String>) -> Result<Mover> {
    let directory = PathBuf::from(&tenant.directory);
    let mut input = from_directory(&directory)?;
    name.clone_into(&mut input.source.name);
    let path = directory.join(SPEC);
    let before = fs::read_to_string(&path).map_err(file(&path, "read"))?;
    let uncompiled = || Problem::File {
        path: directory.clone(),
        verb: "compiled",
        detail: format!("it has errors; `laconic validate --dir {}` names them", directory.display()),
    };
    let storage = compile_one(&input).ok_or_else(uncompiled)?.tenant.volumes;
    let paths = paths(name, &before, &storage, root, rescued);
    let Some(after) = with_umbrella(&before, root, &paths) else {
        let lines: Vec<String> = paths.iter().map(|(volume, path)| format!("{volume}: {path}")).collect();
        return Err(Problem::SpecNotEditable { path, root: root.to_owned(), volumes: lines });
    };
    let after: Arc<str> = after.into();
    input.edited = Some(Arc::clone(&after));
    let volumes = compile_one(&input).ok_or_else(uncompiled)?.tenant.volumes;
    let source = read_identity(&directory)?.and_then(|identity| identity.spec_source);
    let edit = (*before != *after).then(|| SpecEdit { deployment: name.to_owned(), path, before, after, source });
    Ok(Mover { input, edit, volumes })
}

/// The paths that a spec has to name: what lies below the umbrella stays there, everything else gets a place of its own.
fn paths(
    deployment: &str,
    text: &str,
    storage: &BTreeMap<String, VolumeStorage>,
    root: &str,
    rescued: &BTreeSet<String>,
) -> BTreeMap<String, String> {
    let (spec, _) = read_spec(&SPEC.into(), text);
    let own = |volume: &str| join_path(root, &format!("{deployment}/{volume}"));
    let wanted =
        |(name, written): &(laconic_engine::spec::Located<String>, Option<laconic_engine::spec::Located<String>>)| {
            let volume = &name.value;
            let path = match storage.get(volume)? {
                VolumeStorage::Host(path) if is_under(path, root) => normalize_path(path),
                VolumeStorage::Host(_) => own(volume),
                // laconic-so kept a volume of a job alone in the node, whatever path it had.
                VolumeStorage::Overlay if written.is_some() => own(volume),
                VolumeStorage::Overlay if rescued.contains(&format!("{deployment}/{volume}")) => own(volume),
                VolumeStorage::Overlay | VolumeStorage::Provisioned => return None,
            };
            Some((volume.clone(), path))
        };
    spec.volumes.iter().filter_map(wanted).collect()
}

/// The ways of the data: from where a plan found it to where the edited specs want it, with what stands in the way.
///
/// # Errors
/// A host that cannot be asked.
pub fn ways(
    plan: &Plan,
    movers: &BTreeMap<String, Mover>,
    root: &str,
    target: &Target,
    rescue: &dyn Rescue,
) -> Result<Migration> {
    let mut volumes: Vec<VolumeMove> = Vec::new();
    for forecast in &plan.forecast {
        let Some(VolumeStorage::Host(to)) =
            movers.get(&forecast.deployment).and_then(|mover| mover.volumes.get(&forecast.volume))
        else {
            continue;
        };
        let from = match &forecast.bytes.whereabouts {
            Whereabouts::Host(from) if from == to => continue,
            Whereabouts::Host(from) => Some(from.clone()),
            // Without the rescue its loss is told, and wants a consent.
            Whereabouts::Node(_) | Whereabouts::Unlinked(_) | Whereabouts::Unknown => None,
            Whereabouts::Provisioned | Whereabouts::Nowhere | Whereabouts::Gone => continue,
        };
        let asked = wire::runtime()?.block_on(rescue.obstacle(target, from.as_deref(), to));
        let obstacle = asked.unwrap_or_else(|error| Some(error.to_string()));
        let (deployment, volume) = (forecast.deployment.clone(), forecast.volume.clone());
        volumes.push(VolumeMove { deployment, volume, from, to: to.clone(), obstacle });
    }
    entangled(&mut volumes);
    Ok(Migration { root: root.to_owned(), volumes })
}

/// Directories that lie in one another cannot go to different places and stay what they are.
fn entangled(volumes: &mut [VolumeMove]) {
    let all: Vec<(String, String)> = volumes
        .iter()
        .filter_map(|one| Some((format!("{}/{}", one.deployment, one.volume), one.from.clone()?)))
        .collect();
    for one in volumes.iter_mut().filter(|one| one.obstacle.is_none()) {
        let own = format!("{}/{}", one.deployment, one.volume);
        let Some(from) = &one.from else { continue };
        let other = all.iter().find(|(name, path)| *name != own && (is_under(path, from) || is_under(from, path)));
        one.obstacle = other.map(|(name, path)| format!("it is, contains or lies in {path}, the data of `{name}`"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(volume: &str, from: &str) -> VolumeMove {
        let (from, to) = (Some(from.to_owned()), format!("/srv/kind/shop/{volume}"));
        VolumeMove { deployment: "shop".into(), volume: volume.into(), from, to, obstacle: None }
    }

    #[test]
    fn directories_in_one_another_are_not_taken_apart() {
        let mut volumes = [way("a", "/data"), way("b", "/data/b"), way("c", "/database"), way("d", "/x")];
        entangled(&mut volumes);
        let blocked: Vec<&str> =
            volumes.iter().filter(|one| one.obstacle.is_some()).map(|one| one.volume.as_str()).collect();
        assert_eq!(blocked, ["a", "b"]);
    }

    #[test]
    fn what_lies_below_stays_and_relative_paths_are_written_out() {
        let text =
            "stack: s\ndeploy-to: k8s-kind\nvolumes:\n  a: ./a\n  b: /srv/kind/x/\n  c:\n  d: /d\n  e:\n  f: /f\n";
        let host = |path: &str| VolumeStorage::Host(path.to_owned());
        let storage = [
            ("a", host("/srv/kind/deployments/shop/a")),
            ("b", host("/srv/kind/x")),
            ("c", VolumeStorage::Overlay),
            ("d", host("/d")),
            ("e", VolumeStorage::Overlay),
            ("f", VolumeStorage::Overlay),
        ];
        let storage = storage.map(|(name, storage)| (name.to_owned(), storage)).into();
        let found = paths("shop", text, &storage, "/srv/kind", &["shop/c".to_owned()].into());
        let expected = [
            ("a", "/srv/kind/deployments/shop/a"),
            ("b", "/srv/kind/x"),
            ("c", "/srv/kind/shop/c"),
            ("d", "/srv/kind/shop/d"),
            ("f", "/srv/kind/shop/f"),
        ];
        assert_eq!(found, expected.map(|(name, path)| (name.to_owned(), path.to_owned())).into());
    }

    #[test]
    fn an_edit_is_written_over_what_it_was_made_from_only() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(SPEC);
        let edit = SpecEdit {
            deployment: "shop".into(),
            path: path.clone(),
            before: "a".into(),
            after: "b".into(),
            source: None,
        };
        fs::write(&path, "c").unwrap();
        assert!(matches!(edit.write(), Err(Problem::StalePlan { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "c");
        fs::write(&path, "a").unwrap();
        edit.write().unwrap();
        edit.write().expect("written already");
        assert_eq!(fs::read_to_string(&path).unwrap(), "b");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
