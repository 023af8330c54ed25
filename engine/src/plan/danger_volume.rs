//! The dangers to the bytes of volumes.

use crate::address::{Address, ResourceType};
use crate::code::{Code, Severity};
use crate::finding::{Consent, Finding};
use crate::plan::Mode;
use crate::plan::change::Action;
use crate::plan::difference::shrinks;
use crate::plan::document::{VolumeForecast, VolumeReason, VolumeVerdict};
use crate::plan::fate::Whereabouts;
use crate::plan::forecast::claim_address;
use crate::plan::planner::{Judgement, registers};
use crate::resource::Target;
use crate::state::VolumeStorage;

/// LAC302, 303, 304, 305, 308.
pub fn volumes(judgement: &Judgement<'_>, forecast: &[VolumeForecast], findings: &mut Vec<Finding>) {
    for volume in forecast {
        let name = format!("{}/{}", volume.deployment, volume.volume);
        let consent = Consent::DataLoss(name.clone());
        let claim = claim_address(&volume.deployment, &volume.volume);
        let place = judgement
            .resources
            .get(&claim)
            .and_then(|judged| judged.item.desired)
            .and_then(|desired| desired.place.as_ref());
        match (volume.verdict, &volume.because) {
            // A cluster that is already gone took its data with it: there is nothing left to consent to.
            (VolumeVerdict::Lost, VolumeReason::WentWithCluster) => {
                if judgement.input.mode == Mode::Destroy || is_untouched(judgement, volume) {
                    continue;
                }
                let message = format!("the data of `{name}` went with the cluster: it lay in its node");
                findings.push(
                    Finding::new(Code::DataLoss, message)
                        .about(&name)
                        .at_maybe(place)
                        .as_severity(Severity::Warning)
                        .help(HOST_PATH),
                );
            }
            (VolumeVerdict::Lost, VolumeReason::OverlayDiesWithCluster) => {
                let message = format!("the data of `{name}` lies in the cluster's node and is lost with the cluster");
                let finding = Finding::new(Code::DataLoss, message).about(&name).at_maybe(place).help(HOST_PATH);
                findings.push(finding.lifted_by(consent));
            }
            (VolumeVerdict::Lost, VolumeReason::UnlinkedDiesWithNode) => {
                let message = format!(
                    "the data of `{name}` is in a directory that was deleted on the host: the node alone still holds it, and \
                     it is lost with the cluster"
                );
                let finding = Finding::new(Code::DataLoss, message).about(&name).at_maybe(place);
                findings
                    .push(finding.help(copy_out(judgement, target_of(judgement, volume), volume)).lifted_by(consent));
            }
            (VolumeVerdict::Unknown, because) => {
                let why = match because {
                    VolumeReason::ReclaimUnknown => {
                        "the reclaim policy of what its claim is bound to could not be read"
                    }
                    VolumeReason::DriverUnknown => "a driver on the cluster keeps it, nobody here knows where",
                    _ => "where its bytes are could not be seen",
                };
                let message = format!("whether the data of `{name}` is lost is not known: {why}");
                let finding = Finding::new(Code::DataLoss, message).about(&name).at_maybe(place);
                findings.push(
                    finding.help("plan it where Docker and the API server can be asked, to know").lifted_by(consent),
                );
            }
            (VolumeVerdict::LeftBehind, VolumeReason::StaysInNode) => {
                let message = format!(
                    "the data of `{name}` stays behind in the cluster's node, where nothing refers to it, and dies with the \
                     cluster"
                );
                let finding = Finding::new(Code::DataLeftBehind, message).about(&name).at_maybe(place);
                findings
                    .push(finding.help(copy_out(judgement, target_of(judgement, volume), volume)).lifted_by(consent));
            }
            (VolumeVerdict::LeftBehind, VolumeReason::NewVolume) => {
                let message =
                    format!("the data of `{name}` stays behind in its old volume: the new claim gets an empty one");
                let finding = Finding::new(Code::DataLeftBehind, message).about(&name).at_maybe(place);
                findings
                    .push(finding.help("copy it to the new volume before the old one is deleted").lifted_by(consent));
            }
            (VolumeVerdict::Lost, _) => {
                let finding = match renamed(forecast, volume) {
                    Some(like) => Finding::new(
                        Code::VolumeRenamed,
                        format!(
                            "the volume `{name}` disappears and `{}/{}` appears: its data does not move along",
                            like.deployment, like.volume
                        ),
                    )
                    .help(format!(
                        "if it was renamed, say so in the spec, and it keeps its data: `moved: [{{from: {}, to: {}}}]`",
                        volume.volume, like.volume
                    )),
                    None => Finding::new(Code::DataLoss, format!("the data of `{name}` is lost: its claim is deleted")),
                };
                findings.push(finding.about(&name).at_maybe(place).lifted_by(consent));
            }
            // Its directory stays, but who looks for the data under the new name finds another directory.
            (VolumeVerdict::Kept, VolumeReason::OnHost) if is_unwanted(judgement, &claim) => {
                let Some(like) = renamed(forecast, volume).filter(|like| like.storage != volume.storage) else {
                    continue;
                };
                let VolumeStorage::Host(old) = &volume.storage else { continue };
                let message = format!(
                    "the volume `{name}` disappears and `{}/{}` appears: its data stays in {old}",
                    like.deployment, like.volume
                );
                findings.push(
                    Finding::new(Code::VolumeRenamed, message)
                        .about(&name)
                        .help(format!("if it was renamed, give the new one the same path: `{}: {old}`", like.volume))
                        // Nothing is lost, so nothing has to be consented to; a consent here would be asked for anew by
                        // an apply that was interrupted after the other volume's claim was gone.
                        .as_severity(Severity::Warning),
                );
            }
            (VolumeVerdict::LeftBehind, VolumeReason::PathChanged(new)) => {
                let VolumeStorage::Host(old) = &volume.storage else {
                    let message = format!(
                        "the data of `{name}` stays behind in the cluster's node: the volume starts empty in {new}"
                    );
                    let finding = Finding::new(Code::DataLeftBehind, message).about(&name).at_maybe(place);
                    let help = copy_out(judgement, target_of(judgement, volume), volume);
                    findings.push(finding.help(help).lifted_by(consent));
                    continue;
                };
                findings.push(
                    Finding::new(
                        Code::DataLeftBehind,
                        format!("the data of `{name}` stays behind in {old}: the volume starts empty in {new}"),
                    )
                    .about(&name)
                    .at_maybe(place)
                    .help(format!("to move it: stop the deployment, `cp -a {old}/. {new}/`, then apply"))
                    .lifted_by(consent),
                );
            }
            _ => {}
        }
    }
    shrinking_claims(judgement, findings);
    released_volumes(judgement, findings);
}

/// What keeps data from dying with its cluster.
const HOST_PATH: &str = "give the volume a path under `kind-mount-root` to keep its data on the host from now on";

/// Whether the plan does nothing with a volume, so that there is nothing to tell of it.
fn is_untouched(judgement: &Judgement<'_>, volume: &VolumeForecast) -> bool {
    target_of(judgement, volume).is_none_or(|target| !judgement.fates.contains_key(target))
}

/// The cluster that a volume's deployment lives on.
fn target_of<'a>(judgement: &Judgement<'a>, volume: &VolumeForecast) -> Option<&'a Target> {
    let planned = judgement.input.deployments.iter().find(|one| one.name == volume.deployment);
    let registered = || {
        let mut registers = registers(judgement.input).into_iter();
        registers.find(|(_, register)| register.tenants.contains_key(&volume.deployment)).map(|(target, _)| target)
    };
    planned.map(|one| &one.target).or_else(registered)
}

/// How data is taken out of a node.
fn copy_out(judgement: &Judgement<'_>, target: Option<&Target>, volume: &VolumeForecast) -> String {
    let path = match &volume.bytes.whereabouts {
        Whereabouts::Node(path) if !path.is_empty() => path.clone(),
        _ => node_path(judgement, target, volume).unwrap_or_else(|| "PATH".to_owned()),
    };
    let cluster = target.map_or("CLUSTER", Target::name);
    format!("save it first: docker cp {cluster}-control-plane:{path} {}-{}", volume.deployment, volume.volume)
}

/// The path of a volume in its node, as its PersistentVolume has it.
fn node_path(judgement: &Judgement<'_>, target: Option<&Target>, volume: &VolumeForecast) -> Option<String> {
    let objects = judgement.input.world.get(target?)?.objects.as_ref().ok()?;
    let claim = claim_address(&volume.deployment, &volume.volume);
    let address = Address { resource_type: ResourceType::PersistentVolume, ..claim };
    let key = judgement.resources.get(&address)?.item.recorded.map(|recorded| recorded.key.clone())?;
    Some(objects.get(&key)?.attributes.pointer("/spec/hostPath/path")?.as_str()?.to_owned())
}

/// Whether the spec no longer has the volume of that claim.
fn is_unwanted(judgement: &Judgement<'_>, claim: &Address) -> bool {
    judgement.resources.get(claim).is_some_and(|judged| judged.item.desired.is_none())
}

/// A volume of the same deployment and storage that appears while this one disappears.
fn renamed<'a>(forecast: &'a [VolumeForecast], gone: &VolumeForecast) -> Option<&'a VolumeForecast> {
    forecast.iter().find(|other| {
        other.deployment == gone.deployment
            && other.verdict == VolumeVerdict::New
            && other.because == VolumeReason::Created
            && std::mem::discriminant(&other.storage) == std::mem::discriminant(&gone.storage)
    })
}

fn shrinking_claims(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    for (address, judged) in &judgement.resources {
        let Some(difference) = judged.comparison.differences.iter().find(|one| shrinks(address.resource_type, one))
        else {
            continue;
        };
        if judgement.input.replace.contains(address) || judged.verdict.action != Action::Replace {
            continue;
        }
        let text = |value: &Option<serde_json::Value>| {
            value.as_ref().and_then(|value| value.as_str()).unwrap_or_default().to_owned()
        };
        findings.push(
            Finding::new(
                Code::ClaimShrinks,
                format!(
                    "the claim of `{}/{}` would shrink from {} to {}",
                    address.scope.name(),
                    address.short_name(),
                    text(&difference.before),
                    text(&difference.after)
                ),
            )
            .about(address.to_string())
            .at_maybe(difference.place.as_ref())
            .help("Kubernetes cannot shrink a claim; keep the size")
            .help(format!("or make the claim anew: --replace='{address}'")),
        );
    }
}

fn released_volumes(judgement: &Judgement<'_>, findings: &mut Vec<Finding>) {
    for (address, judged) in &judgement.resources {
        if address.resource_type == ResourceType::PersistentVolume
            && judged.item.desired.is_some()
            && judged.item.live.is_some_and(|live| live.attributes["status"]["phase"] == "Released")
        {
            findings.push(
                Finding::new(
                    Code::VolumeReleased,
                    format!(
                        "`{address}` is Released, its claim is gone: it is made anew for the new claim, its files stay"
                    ),
                )
                .about(address.to_string()),
            );
        }
    }
}
