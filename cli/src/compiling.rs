//! Compiling the deployments of a command, several at once, and saying everything that is wrong with them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use laconic_engine::address::Scope;
use laconic_engine::code::{Code, Severity};
use laconic_engine::compile::{
    ClusterCompilation, ClusterInput, Compilation, CompiledDeployment, agree, agree_on_clusters, compile_shared,
    compose_cluster,
};
use laconic_engine::finding::{Finding, Suppressed};
use laconic_engine::resource::Resource;
use laconic_engine::state::State;
use laconic_engine::suppression::Suppressions;
use laconic_engine::value::Digest;

use crate::error::{Problem, Result};
use crate::inputs::{Input, Inputs, without_unnamed_stack};
use crate::session::Session;
use crate::view::finding::{self, Texts};

/// The deployments of a command, compiled.
#[derive(Debug)]
pub struct Compiled {
    /// In the order they were named; one with an error is missing.
    pub deployments: Vec<CompiledDeployment>,
    /// The ones with an error, as far as that allows: for their agreement with the others.
    pub tentative: Vec<CompiledDeployment>,
    /// What there is to say, each finding with the number of its compilation's texts.
    pub findings: Vec<(Finding, usize)>,
    /// What the specs ask not to report, as [`Self::findings`].
    pub suppressed: Vec<(Suppressed, usize)>,
    /// The texts of each compilation; the last ones are all of them together.
    pub texts: Vec<Texts>,
    /// Digest of every input file.
    pub inputs_digest: String,
}

impl Compiled {
    /// The findings of one severity, or all.
    pub fn with_texts(&self) -> impl Iterator<Item = (&Finding, &Texts)> {
        self.findings.iter().filter_map(|(finding, texts)| Some((finding, self.texts.get(*texts)?)))
    }

    /// The deployments with those that have an error: what they have to do with each other is told all the same.
    #[must_use]
    pub fn together(&self) -> Cow<'_, [CompiledDeployment]> {
        if self.tentative.is_empty() {
            return Cow::Borrowed(&self.deployments);
        }
        Cow::Owned(self.deployments.iter().chain(&self.tentative).cloned().collect())
    }

    /// Adds findings about the deployments together. What a deployment asks not to report is not reported of it; of their
    /// cluster what all of them ask.
    pub fn add_together(&mut self, findings: Vec<Finding>) {
        let together = self.texts.len().saturating_sub(1);
        let everywhere = BTreeMap::new();
        let (findings, suppressed) = Suppressions::new(&self.together(), &everywhere).apply(findings);
        self.findings.extend(findings.into_iter().map(|finding| (finding, together)));
        self.suppressed.extend(suppressed.into_iter().map(|one| (one, together)));
    }

    /// All texts together.
    #[must_use]
    pub fn all_texts(&self) -> Texts {
        self.texts.last().cloned().unwrap_or_default()
    }

    /// How many findings forbid a plan.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|(finding, _)| finding.severity == Severity::Error).count()
    }

    /// Every resource of the deployments.
    #[must_use]
    pub fn resources(&self) -> Vec<&Resource> {
        self.deployments.iter().flat_map(|deployment| &deployment.resources).collect()
    }
}

/// Compiles the deployments, on all cores, and checks that they agree.
#[must_use]
pub fn compile_all(inputs: &Inputs, offline: bool) -> Compiled {
    let compilations = compile_each(inputs, offline);
    let mut compiled = Compiled {
        deployments: Vec::with_capacity(inputs.len()),
        tentative: Vec::new(),
        findings: Vec::new(),
        suppressed: Vec::new(),
        texts: Vec::with_capacity(inputs.len() + 1),
        inputs_digest: String::new(),
    };
    let mut all = Texts::new();
    let mut digests = String::new();
    for (number, compilation) in compilations.into_iter().enumerate() {
        let Compilation { mut deployment, mut tentative, findings, suppressed, texts, inputs_digest, .. } = compilation;
        let mut findings = without_unnamed_stack(findings);
        if inputs.repository.is_some() && findings.iter().any(|finding| finding.code == Code::NotKubernetes) {
            findings = skipped(findings);
            (deployment, tentative) = (None, None);
        }
        let several = inputs.len() > 1;
        let name = inputs.get(number).map(|input| input.source.name.as_str()).unwrap_or_default();
        if inputs.neighbours.contains(name) {
            // What is wrong with it by itself is told to whoever asks about it.
            compiled.tentative.extend(deployment.or(tentative));
            all.extend(texts.iter().map(|(file, text)| (file.clone(), text.clone())));
            compiled.texts.push(texts);
            continue;
        }
        compiled.deployments.extend(deployment);
        compiled.tentative.extend(tentative);
        // With several deployments "spec.yml" alone does not say whose.
        let of_it = |mut finding: Finding| {
            if several && finding.subject.is_empty() {
                name.clone_into(&mut finding.subject);
            }
            finding
        };
        compiled.findings.extend(findings.into_iter().map(|finding| (of_it(finding), number)));
        let suppressed = suppressed.into_iter().map(|one| Suppressed { finding: of_it(one.finding), ..one });
        compiled.suppressed.extend(suppressed.map(|one| (one, number)));
        all.extend(texts.iter().map(|(file, text)| (file.clone(), text.clone())));
        compiled.texts.push(texts);
        digests.push_str(&inputs_digest);
    }
    compiled.texts.push(all);
    let findings = agree(&compiled.together());
    compiled.add_together(findings);
    if let Some(open) = &inputs.repository {
        let together = compiled.texts.len() - 1;
        // Its places are in what every deployment says of its cluster.
        for texts in &mut compiled.texts {
            texts.insert(Arc::clone(&open.repository.file), Arc::clone(&open.text));
        }
        let clusters = agree_on_clusters(&open.repository, &compiled.together());
        let mut all: Vec<(Finding, usize)> =
            open.findings.iter().cloned().chain(clusters).map(|finding| (finding, together)).collect();
        all.append(&mut compiled.findings);
        compiled.findings = all;
        open.judge(&mut compiled.findings);
        digests.push_str(&Digest::of_bytes(open.text.as_bytes()).to_string());
    }
    compiled.inputs_digest = Digest::of_bytes(digests.as_bytes()).to_string();
    compiled
}

/// One deployment without what there is to say of it; `None` when it has errors.
#[must_use]
pub fn compile_one(input: &Input) -> Option<CompiledDeployment> {
    compile_shared(&input.source, &input.shared, &input.reader(false)).deployment
}

/// Compiles each; what is read from revisions is fetched for all of them at once, as often as more is asked for.
fn compile_each(inputs: &[Input], offline: bool) -> Vec<Compilation> {
    let one = |input: &Input| compile_shared(&input.source, &input.shared, &input.reader(offline));
    let mut compilations = in_parallel(inputs, one);
    let from_revisions: Vec<usize> = (0..inputs.len())
        .filter(|index| inputs.get(*index).is_some_and(|it| it.revisions().next().is_some()))
        .collect();
    loop {
        // Without threads nothing more is fetched; what is missing is then said to be.
        let mut is_more = false;
        for revision in inputs.iter().flat_map(Input::revisions) {
            is_more |= revision.tree.fetch().unwrap_or(false);
        }
        if !is_more {
            return compilations;
        }
        let again = in_parallel(&from_revisions, |index| inputs.get(*index).map(one));
        for (index, compilation) in from_revisions.iter().zip(again) {
            if let (Some(place), Some(compilation)) = (compilations.get_mut(*index), compilation) {
                *place = compilation;
            }
        }
    }
}

/// What there is to say of a deployment that is none of ours: that it is left out, and nothing else.
fn skipped(findings: Vec<Finding>) -> Vec<Finding> {
    let mut left_out: Vec<Finding> =
        findings.into_iter().filter(|finding| finding.code == Code::NotKubernetes).collect();
    for finding in &mut left_out {
        finding.severity = Severity::Warning;
        finding.message.push_str("; the deployment is skipped");
    }
    left_out
}

/// Does the same with each of many, on all cores; the results are in the order of the items.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    laconic_state::parallel::in_parallel(items, std::thread::available_parallelism().map_or(1, usize::from), work)
}

/// Compiles; with errors, says all of them and gives up.
///
/// # Errors
/// [`Problem::InvalidInput`] after everything was said.
pub fn compile_or_complain(session: &Session, inputs: &Inputs, offline: bool) -> Result<Compiled> {
    let compiled = compile_all(inputs, offline);
    match compiled.errors() {
        0 => Ok(compiled),
        errors => {
            let palette = session.output.error_palette;
            session.output.remark(&finding::all_with_source(compiled.with_texts(), palette));
            if session.output.json {
                session.output.print_json(&diagnostics(&compiled))?;
            }
            Err(Problem::InvalidInput { errors })
        }
    }
}

/// The findings as `terraform validate -json` gives them.
#[must_use]
pub fn diagnostics(compiled: &Compiled) -> serde_json::Value {
    let errors = compiled.errors();
    let warnings = compiled.findings.iter().filter(|(finding, _)| finding.severity == Severity::Warning).count();
    let all: Vec<serde_json::Value> =
        compiled.with_texts().map(|(finding, texts)| finding::json(finding, texts)).collect();
    let none = Texts::new();
    let suppressed = compiled.suppressed.iter().map(|(one, texts)| {
        let mut value = finding::json(&one.finding, compiled.texts.get(*texts).unwrap_or(&none));
        value["laconic"]["suppressed_because"] = one.reason.as_str().into();
        value
    });
    let suppressed: Vec<serde_json::Value> = suppressed.collect();
    serde_json::json!({
        "format_version": "1.0",
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": warnings,
        "diagnostics": all,
        "suppressed": suppressed,
    })
}

/// The clusters the deployments go to, as far as the deployments and these states tell.
#[must_use]
pub fn clusters(
    deployments: &[CompiledDeployment],
    states: &BTreeMap<Scope, State>,
) -> BTreeMap<String, ClusterCompilation> {
    let mut planned: BTreeMap<&str, BTreeMap<_, _>> = BTreeMap::new();
    for deployment in deployments {
        if let Some(cluster) = deployment.target.kind_cluster() {
            let entry = (deployment.tenant.clone(), deployment.wish_places.clone());
            planned.entry(cluster).or_default().insert(deployment.name.clone(), Some(entry));
        }
    }
    planned
        .into_iter()
        .map(|(name, planned)| {
            let recorded = states.get(&Scope::cluster(name)).filter(|state| !state.is_new());
            let none = BTreeMap::new();
            let registered = recorded.map_or(&none, |state| &state.tenants);
            (name.to_owned(), compose_cluster(&ClusterInput { name, registered, planned, recorded }))
        })
        .collect()
}
