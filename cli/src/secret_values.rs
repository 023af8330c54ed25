//! The secret values that can be had here: from the environment, from files, from the store of values made by us.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use laconic_engine::secret::{Fingerprinter, SecretSource, SecretValue, SecretValues};
use laconic_engine::source::{SourceReader as _, join_path};
use laconic_state::parallel::{WAITING, in_parallel};
use laconic_state::secret_store::{GeneratedSecrets, load_key, load_or_create_key};

use crate::error::{Problem, Result};
use crate::sources::DiskSources;

/// Where the secrets of a deployment are.
#[derive(Clone, Debug)]
pub struct SecretPlace {
    /// The deployment directory, with config.env.
    pub directory: PathBuf,
    /// The directory of its state, with the key and the values made by us.
    pub store: PathBuf,
}

/// Whether values and keys that are not there are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// They are left out: planning writes nothing.
    LeaveOut,
    /// They are made and kept.
    Make,
    /// Values are made and kept by nobody: for a rehearsal.
    ThrowAway,
}

/// The fingerprinters of deployments whose key is here.
///
/// # Errors
/// A key that is damaged or cannot be kept.
pub fn fingerprinters(
    places: &BTreeMap<String, SecretPlace>,
    missing: Missing,
) -> Result<BTreeMap<String, Fingerprinter>> {
    let places: Vec<_> = places.iter().collect();
    let keys = in_parallel(&places, WAITING, |(name, place)| {
        let key = match missing {
            Missing::LeaveOut | Missing::ThrowAway => load_key(&place.store),
            Missing::Make => load_or_create_key(&place.store).map(Some),
        };
        key.map_err(|error| Problem::Secrets {
            what: format!("the key of deployment {name}"),
            detail: error.to_string(),
        })
    });
    let mut found = BTreeMap::new();
    for ((name, _), key) in places.into_iter().zip(keys) {
        found.extend(key?.map(|key| (name.clone(), Fingerprinter::new(key))));
    }
    Ok(found)
}

/// The values of those sources that have one here.
///
/// # Errors
/// A store of values made by us that is damaged or cannot be written.
pub fn values(
    sources: &BTreeSet<SecretSource>,
    places: &BTreeMap<String, SecretPlace>,
    missing: Missing,
) -> Result<SecretValues> {
    let mut by_deployment: BTreeMap<&str, Vec<&SecretSource>> = BTreeMap::new();
    for source in sources {
        by_deployment.entry(source.deployment().unwrap_or_default()).or_default().push(source);
    }
    let groups: Vec<Vec<&SecretSource>> = by_deployment.into_values().collect();
    let mut found = SecretValues::new();
    for values in in_parallel(&groups, WAITING, |sources| values_of(sources, places, missing)) {
        found.extend(values?);
    }
    Ok(found)
}

/// The values of the sources of one deployment, or of those that belong to none.
fn values_of(
    sources: &[&SecretSource],
    places: &BTreeMap<String, SecretPlace>,
    missing: Missing,
) -> Result<SecretValues> {
    let mut found = SecretValues::new();
    let mut stores: BTreeMap<&str, GeneratedSecrets> = BTreeMap::new();
    for &source in sources {
        let value = match source {
            SecretSource::Environment(name) => {
                std::env::var(name).ok().filter(|value| !value.is_empty()).map(SecretValue::new)
            }
            SecretSource::File(path) => from_file(path, places),
            SecretSource::Generated { deployment, name, encoding, bytes } => {
                let Some(place) = places.get(deployment) else { continue };
                let wrong = |error: laconic_state::secret_store::SecretStoreError| Problem::Secrets {
                    what: format!("the generated secrets of deployment {deployment}"),
                    detail: error.to_string(),
                };
                let store = match stores.entry(deployment.as_str()) {
                    std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                    std::collections::btree_map::Entry::Vacant(entry) => {
                        entry.insert(GeneratedSecrets::load(&place.store).map_err(wrong)?)
                    }
                };
                match missing {
                    Missing::LeaveOut => store.get(name),
                    Missing::ThrowAway => Some(match store.get(name) {
                        Some(value) => value,
                        None => throw_away()?,
                    }),
                    Missing::Make => Some(store.get_or_generate(name, encoding, *bytes).map_err(wrong)?),
                }
            }
            SecretSource::ConfigEnv { deployment, name } => {
                places.get(deployment).and_then(|place| from_config_env(&place.directory, name))
            }
        };
        if let Some(value) = value {
            found.insert(source.clone(), value);
        }
    }
    Ok(found)
}

/// A value that stands for one that will be made.
fn throw_away() -> Result<SecretValue> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| Problem::System { detail: format!("no random numbers: {error}") })?;
    Ok(SecretValue::new(laconic_engine::value::hexadecimal(&bytes)))
}

/// Keeps live values of secrets made by us as their own: nothing that runs gets another one.
///
/// # Errors
/// A store of values made by us that is damaged or cannot be written.
pub fn adopt(live: &SecretValues, places: &BTreeMap<String, SecretPlace>) -> Result<()> {
    for (source, value) in live {
        let SecretSource::Generated { deployment, name, .. } = source else { continue };
        let Some(place) = places.get(deployment) else { continue };
        let kept = GeneratedSecrets::load(&place.store).and_then(|mut store| store.adopt(name, value));
        kept.map_err(|error| Problem::Secrets {
            what: format!("the generated secrets of deployment {deployment}"),
            detail: error.to_string(),
        })?;
    }
    Ok(())
}

/// A token file: relative ones are meant from the deployment directory, the text without blanks around it.
fn from_file(path: &str, places: &BTreeMap<String, SecretPlace>) -> Option<SecretValue> {
    let root = places.values().next().map(|place| place.directory.display().to_string()).unwrap_or_default();
    let reader = DiskSources::new(Path::new(&root));
    let path = if path.starts_with("~/") { path.to_owned() } else { join_path(&root, path) };
    let bytes = reader.read(&path).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?.trim();
    (!text.is_empty()).then(|| SecretValue::new(text.to_owned()))
}

/// The last value config.env gives a name, by dotenv's rules.
fn from_config_env(directory: &Path, name: &str) -> Option<SecretValue> {
    let bytes = DiskSources::new(directory).read("config.env").ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    let mut found = None;
    for line in text.lines() {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((key, value)) = line.split_once('=') else { continue };
        if key.trim() == name {
            found = Some(unquote(value.trim()));
        }
    }
    found.filter(|value| !value.is_empty()).map(SecretValue::new)
}

fn unquote(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote)
            && let Some(end) = inner.rfind(quote)
        {
            return inner[..end].to_owned();
        }
    }
    match value.find(" #") {
        Some(end) => value[..end].trim_end().to_owned(),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(directory: &Path) -> BTreeMap<String, SecretPlace> {
        let place = SecretPlace { directory: directory.to_owned(), store: directory.join(".laconic") };
        [("shop".to_owned(), place)].into()
    }

    #[test]
    fn config_env_follows_dotenv() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("config.env"), "A=1\nexport A='two words'\nB=x # y\nC=\n").unwrap();
        let get = |name: &str| from_config_env(directory.path(), name).map(|value| value.expose().to_owned());
        assert_eq!(get("A").as_deref(), Some("two words"));
        assert_eq!(get("B").as_deref(), Some("x"));
        assert_eq!(get("C"), None);
    }

    #[test]
    fn planning_makes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let source = SecretSource::Generated {
            deployment: "shop".into(),
            name: "KEY".into(),
            encoding: "hex".into(),
            bytes: 16,
        };
        let sources = [source.clone()].into();
        let places = places(directory.path());
        assert!(values(&sources, &places, Missing::LeaveOut).unwrap().is_empty());
        assert!(fingerprinters(&places, Missing::LeaveOut).unwrap().is_empty());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        let made = values(&sources, &places, Missing::Make).unwrap();
        assert_eq!(made[&source].expose().len(), 32);
        assert_eq!(values(&sources, &places, Missing::LeaveOut).unwrap(), made);
    }
}
