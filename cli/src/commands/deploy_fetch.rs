//! `laconic deploy fetch`: the pinned stacks of laconic.yml, fetched beside it. The one command that reads other repositories
//! over the network.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use laconic_engine::spec::{PinnedStack, StackReference};
use serde_json::json;

use crate::error::{Exit, Problem, Result, file};
use crate::inputs::locate;
use crate::inputs::pin::{CLONES, fetched_place, is_path, shown};
use crate::session::Session;
use crate::view::style::clean;
use crate::wire::{Git, GitError, is_object_name, runtime};

/// What became of one pin.
#[derive(Debug)]
enum Became {
    /// It is a path of this host, which is read where it is.
    Local,
    /// It was there.
    Here { commit: String },
    /// It was fetched.
    Fetched { commit: String, before: Option<String> },
    /// It could not be had.
    Failed(GitError),
}

/// Runs it.
pub fn run(session: &Session, update: bool) -> Result<Exit> {
    let inputs = locate(&session.common)?;
    let Some(open) = &inputs.repository else { return Err(Problem::NoRepository) };
    let pins = open.repository.deployments.iter().filter_map(|deployment| match &deployment.stack {
        Some(StackReference::Pinned(pin)) => Some(pin),
        _ => None,
    });
    let mut seen = BTreeSet::new();
    let mut told = Vec::new();
    let mut exit = Exit::Done;
    for pin in pins.filter(|pin| seen.insert((&pin.repo.value, &pin.rev.value))) {
        let became = fetch(session, &open.root, pin, update)?;
        if matches!(became, Became::Failed(_)) {
            exit = Exit::Failed;
        }
        if session.output.json {
            told.push(told_json(pin, &became));
        } else {
            tell(session, pin, &became)?;
        }
    }
    if session.output.json {
        session.output.print_json(&json!({"format_version": "1.0", "stacks": told}))?;
    } else if seen.is_empty() {
        session.output.print("No stack is pinned.\n")?;
    }
    Ok(exit)
}

fn fetch(session: &Session, root: &Path, pin: &PinnedStack, update: bool) -> Result<Became> {
    let (repo, rev) = (pin.repo.value.as_str(), pin.rev.value.as_str());
    if is_path(repo) {
        return Ok(Became::Local);
    }
    let place = root.join(fetched_place(pin));
    let runtime = runtime()?;
    let git = Git::default();
    let before = if place.is_dir() {
        runtime.block_on(git.fetched(&place)).ok().flatten().filter(|commit| {
            // What is named by its whole name is that commit or nothing.
            !is_object_name(rev) || commit.eq_ignore_ascii_case(rev)
        })
    } else {
        None
    };
    if let Some(commit) = before.clone().filter(|_| !update || is_object_name(rev)) {
        return Ok(Became::Here { commit });
    }
    let parent = place.parent().unwrap_or(root);
    fs::create_dir_all(parent).map_err(file(parent, "created"))?;
    ignore(root)?;
    session.output.remark(&format!("Fetching {} from {} …\n", clean(&shown(pin)), clean(repo)));
    let temporary = tempfile::Builder::new().prefix(".fetch.").tempdir_in(parent).map_err(file(parent, "written"))?;
    let commit = match runtime.block_on(git.fetch(repo, rev, temporary.path())) {
        Ok(commit) => commit,
        Err(error) => return Ok(Became::Failed(error)),
    };
    if before.as_ref() != Some(&commit) {
        install(temporary, &place)?;
    }
    Ok(Became::Fetched { commit, before })
}

/// Puts what was fetched in its place, at once; what was there goes away afterwards.
fn install(fetched: tempfile::TempDir, place: &Path) -> Result<()> {
    if place.exists() {
        let exchange = rustix::fs::RenameFlags::EXCHANGE;
        let here = rustix::fs::CWD;
        rustix::fs::renameat_with(here, fetched.path(), here, place, exchange)
            .map_err(|error| file(place, "replaced")(error.into()))?;
        // Now it holds what was there before.
        drop(fetched);
        return Ok(());
    }
    fs::rename(fetched.path(), place).map_err(file(place, "written"))?;
    // It is no longer where its guard would remove it.
    let _ = fetched.keep();
    Ok(())
}

/// Keeps what is fetched out of the operator's repository.
fn ignore(root: &Path) -> Result<()> {
    let path = root.join(CLONES).join("fetched/.gitignore");
    if path.exists() {
        return Ok(());
    }
    fs::write(&path, "*\n").map_err(file(&path, "written"))
}

fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

fn tell(session: &Session, pin: &PinnedStack, became: &Became) -> Result<()> {
    let name = clean(&shown(pin));
    let text = match became {
        Became::Local => format!("{name} is read where it is, in {}.\n", clean(&pin.repo.value)),
        Became::Here { commit } => format!("{name} is here ({}).\n", short(commit)),
        Became::Fetched { commit, before: Some(before) } if before == commit => {
            format!("{name} is here ({}), and is the same there.\n", short(commit))
        }
        Became::Fetched { commit, before: Some(before) } => {
            format!(
                "{name} is another commit now ({}); it was another one before ({}).\n",
                short(commit),
                short(before)
            )
        }
        Became::Fetched { commit, before: None } => format!("Fetched {name} ({}).\n", short(commit)),
        Became::Failed(error) => {
            let help = "check `repo` and `rev` in laconic.yml, and that git can read the repository from here";
            session.output.remark(&format!("error: {name} could not be fetched: {}\n  help: {help}\n", reason(error)));
            return Ok(());
        }
    };
    session.output.print(&text)
}

/// What git said, without the command that nobody typed.
fn reason(error: &GitError) -> String {
    match error {
        GitError::Refused { detail, .. } if !detail.is_empty() => clean(detail),
        GitError::Refused { .. } => "it has no such revision".to_owned(),
        error => clean(&error.to_string()),
    }
}

fn told_json(pin: &PinnedStack, became: &Became) -> serde_json::Value {
    let (status, commit, before, error) = match became {
        Became::Local => ("local", None, None, None),
        Became::Here { commit } => ("here", Some(commit), None, None),
        Became::Fetched { commit, before } => ("fetched", Some(commit), before.as_ref(), None),
        Became::Failed(error) => ("failed", None, None, Some(reason(error))),
    };
    json!({
        "repo": pin.repo.value,
        "rev": pin.rev.value,
        "status": status,
        "commit": commit,
        "before": before,
        "error": error,
    })
}
