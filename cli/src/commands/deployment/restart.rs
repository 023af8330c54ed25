//! `laconic deployment restart`: git pull, sync, apply. It rolls what changed, and never touches the cluster.

use std::collections::BTreeSet;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};

use laconic_engine::address::ResourceType;
use laconic_engine::plan::{Action, Mode};
use laconic_engine::spec::{DeploymentFile, read_spec};

use crate::args::{ApplyArgs, Carrying, Common, RestartArgs};
use crate::commands::apply;
use crate::compiling::compile_or_complain;
use crate::error::{Exit, Problem, Result};
use crate::everyday::{Everyday, Part};
use crate::inputs::{Input, locate, read_identity};
use crate::maintenance;
use crate::planning::{Wanted, make};
use crate::session::Session;
use crate::sources::DiskSources;
use crate::view::style::clean;
use crate::wire::{self, Git};

/// Runs it.
pub fn run(session: &Session, arguments: &RestartArgs) -> Result<Exit> {
    if !arguments.image.is_empty() {
        return Err(Problem::ImageOnRestart);
    }
    let directories = session.common.dirs.clone();
    if directories.is_empty() {
        return in_repository(session, arguments);
    }
    let mut exit = Exit::Done;
    for directory in directories {
        exit = exit.or(one(session, arguments, &directory)?);
    }
    Ok(exit)
}

/// The deployments of the operator's repository around us, or the deployment whose directory this is.
fn in_repository(session: &Session, arguments: &RestartArgs) -> Result<Exit> {
    let inputs = locate(&session.common)?;
    let Some(repository) = &inputs.repository else {
        let Some(directory) = inputs.first().and_then(|input| input.directory.clone()) else {
            return Err(Problem::NoIdentity { command: "deployment restart" });
        };
        return one(session, arguments, &directory);
    };
    pull(session, std::slice::from_ref(&repository.root))?;
    check_names(session, arguments, &locate(&session.common)?);
    apply_all(session, arguments)
}

/// One deployment, from the sources that its directory names.
fn one(session: &Session, arguments: &RestartArgs, directory: &Path) -> Result<Exit> {
    let Some(identity) = read_identity(directory)? else {
        return Err(Problem::NotADeployment { directory: directory.to_owned(), lacks: "deployment.yml" });
    };
    let named = arguments.stack_path.as_ref().or(session.common.stack.as_ref());
    let stack = match (named, &identity.stack_source) {
        (Some(path), _) => path.clone(),
        (None, Some(source)) => PathBuf::from(source),
        (None, None) => return Err(gone(directory, "stack", None)),
    };
    if !stack.join("stack.yml").is_file() {
        return Err(gone(directory, "stack", Some(&stack)));
    }
    let roots = [Some(stack.clone()), identity.spec_source.as_ref().map(PathBuf::from)];
    pull(session, &roots.into_iter().flatten().collect::<Vec<_>>())?;
    let spec_file = spec_file(session, &identity, &stack, directory)?;
    let common = Common {
        spec_file: Some(spec_file),
        stack: Some(stack),
        dirs: vec![directory.to_owned()],
        ..session.common.clone()
    };
    let session = Session { common, output: session.output.clone(), wire: session.wire.clone() };
    check_names(&session, arguments, &locate(&session.common)?);
    apply_all(&session, arguments)
}

fn apply_all(session: &Session, arguments: &RestartArgs) -> Result<Exit> {
    let applied = applied(arguments);
    let everyday = Everyday { rollout: arguments.rollout, keeps_cluster: true, ..Everyday::default() };
    if session.common.dry_run || !needs_page(session, arguments, &everyday)? {
        return apply::run_with(session, &applied, everyday);
    }
    // While pods roll, the maintenance page is served; it goes up before, and comes down when they are ready. A restart
    // that ends in between leaves it up, and the next one takes it down.
    let page = |part| Everyday { part, maintenance: true, ..everyday.clone() };
    let shown = Everyday { rollout: false, ..page(Some(Part::Ingress)) };
    session.output.remark("The maintenance page goes up.\n");
    let up = apply::run_with(session, &applied, shown)?;
    let rolled = apply::run_with(session, &applied, page(None))?;
    session.output.remark("The maintenance page comes down.\n");
    let back = Everyday { part: Some(Part::Ingress), keeps_cluster: true, ..Everyday::default() };
    Ok(up.or(rolled).or(apply::run_with(session, &applied, back)?))
}

/// Whether pods would roll that a maintenance page of the spec can stand in for, in a plan that would be carried out.
fn needs_page(session: &Session, arguments: &RestartArgs, everyday: &Everyday) -> Result<bool> {
    let inputs = locate(&session.common)?;
    if inputs.iter().all(|input| maintenance::named(input).is_none()) {
        return Ok(false);
    }
    let compiled = compile_or_complain(session, &inputs, false)?;
    let has_page =
        inputs.iter().filter_map(|input| Some((input, maintenance::named(input)?.0))).any(|(input, page)| {
            let own = compiled.deployments.iter().filter(|deployment| deployment.name == input.source.name);
            own.into_iter().any(|deployment| maintenance::can_stand_in(deployment, &page))
        });
    if !has_page {
        return Ok(false);
    }
    let wanted = Wanted {
        mode: Mode::Apply,
        offline: false,
        sizes: false,
        consents: BTreeSet::new(),
        planning: &arguments.planning,
        everyday: everyday.clone(),
        command: "apply",
    };
    let plan = make(session, &wanted)?.plan;
    let rolls = plan.changes.iter().any(|change| {
        change.address.resource_type == ResourceType::Deployment
            && !change.address.scope.is_cluster()
            && matches!(change.action, Action::Update | Action::Replace)
    });
    Ok(rolls && !plan.is_refused())
}

fn applied(arguments: &RestartArgs) -> ApplyArgs {
    ApplyArgs {
        plan_file: None,
        rehearse: false,
        planning: arguments.planning.clone(),
        carrying: Carrying { auto_approve: true, ..arguments.carrying.clone() },
        showing: arguments.showing.clone(),
    }
}

fn gone(directory: &Path, what: &'static str, source: Option<&Path>) -> Problem {
    let source = source.map(|path| path.display().to_string());
    Problem::SourceGone { directory: directory.to_owned(), what, source }
}

/// The spec: as named, from the root of the stack's repository; else the one the directory was made from; else where
/// laconic-so looks for it; else the directory's own copy.
fn spec_file(session: &Session, identity: &DeploymentFile, stack: &Path, directory: &Path) -> Result<PathBuf> {
    let root = root_of(stack);
    if let Some(named) = &session.common.spec_file {
        let beside = root.as_ref().map(|root| root.join(named)).filter(|path| path.is_file());
        return Ok(beside.unwrap_or_else(|| named.clone()));
    }
    if let Some(source) = &identity.spec_source {
        let path = PathBuf::from(source);
        return if path.is_file() { Ok(path) } else { Err(gone(directory, "spec", Some(&path))) };
    }
    let usual = root.map(|root| root.join("deployment/spec.yml")).filter(|path| path.is_file());
    Ok(usual.unwrap_or_else(|| directory.join("spec.yml")))
}

fn root_of(path: &Path) -> Option<PathBuf> {
    let folder = if path.is_dir() { path } else { path.parent()? };
    wire::runtime().ok()?.block_on(Git::default().root(folder)).ok()
}

/// Pulls each repository that these files lie in, once. What is in no repository is taken as it is.
fn pull(session: &Session, paths: &[PathBuf]) -> Result<()> {
    let mut roots = BTreeSet::new();
    for path in paths {
        match root_of(path) {
            Some(root) => {
                roots.insert(root);
            }
            None => session.output.remark(&format!(
                "{} is in no git repository and is taken as it is.\n",
                clean(&path.display().to_string())
            )),
        }
    }
    let runtime = wire::runtime()?;
    for root in roots {
        if session.common.dry_run {
            session.output.remark(&format!("Not pulled: {}.\n", clean(&root.display().to_string())));
            continue;
        }
        runtime
            .block_on(Git::default().pull(&root))
            .map_err(|error| Problem::Pull { directory: root.clone(), error })?;
        session.output.remark(&format!("Pulled {}.\n", clean(&root.display().to_string())));
    }
    Ok(())
}

/// Says which host names are new and lead nowhere, or elsewhere than is expected: certificates would not be had for them.
/// Only said: names are often made known a moment later.
fn check_names(session: &Session, arguments: &RestartArgs, inputs: &[Input]) {
    if arguments.force || session.wire.is_simulated() {
        return;
    }
    for input in inputs {
        let Some(directory) = &input.directory else { continue };
        let hosts = |reader: &dyn laconic_engine::source::SourceReader, path: &str| -> BTreeSet<String> {
            let Ok(bytes) = reader.read(path) else { return BTreeSet::new() };
            let (spec, _) = read_spec(&path.into(), &String::from_utf8_lossy(&bytes));
            spec.http_proxy.into_iter().map(|proxy| proxy.host_name.value).collect()
        };
        let before = hosts(&DiskSources::new(directory), "spec.yml");
        let now = hosts(&input.reader(false), &input.source.spec_file);
        for host in now.difference(&before) {
            if let Some(trouble) = trouble_with(host, arguments.expected_ip) {
                session.output.remark(&format!("warning: {trouble}\n"));
            }
        }
    }
}

fn trouble_with(host: &str, expected: Option<IpAddr>) -> Option<String> {
    let shown = clean(host);
    // A wildcard is a name of the certificate only.
    if host.starts_with("*.") {
        return None;
    }
    match (host, 443).to_socket_addrs() {
        Err(_) => {
            Some(format!("the new host name {shown} is not known to DNS yet: it gets no certificate until it is"))
        }
        Ok(found) => {
            let found: Vec<IpAddr> = found.map(|address| address.ip()).collect();
            let expected = expected.filter(|expected| !found.contains(expected))?;
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            Some(format!("the new host name {shown} leads to {}, not to {expected}", found.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_elsewhere_is_told() {
        let here = "127.0.0.1".parse().unwrap();
        assert_eq!(trouble_with("127.0.0.1", Some(here)), None);
        let elsewhere = "192.0.2.1".parse().unwrap();
        assert!(trouble_with("127.0.0.1", Some(elsewhere)).unwrap().contains("not to 192.0.2.1"));
        assert_eq!(trouble_with("*.example.com", Some(elsewhere)), None);
    }
}
