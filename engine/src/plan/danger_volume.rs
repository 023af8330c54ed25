//! The dangers to the bytes of volumes.

use crate::address::{Address, ResourceType};
use crate::code::{Code, Severity};
use crate::finding::{Consent, Finding};
use crate::plan::change::Action;
use crate::plan::decide::ClusterFate;
use crate::plan::difference::shrinks;
use crate::plan::document::{VolumeForecast, VolumeReason, VolumeVerdict};
use crate::plan::forecast::claim_address;
use crate::plan::planner::Judgement;
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
            (VolumeVerdict::Lost, VolumeReason::OverlayDiesWithCluster) => {
                // A cluster that is already gone took its data with it: there is nothing left to consent to.
                let gone = judgement.fates.values().all(|fate| matches!(fate, ClusterFate::Lost(_)));
                let (severity, message) = if gone {
                    (Severity::Warning, format!("the data of `{name}` went with the cluster: it lay in its node"))
                } else {
                    (
                        Severity::Consent,
                        format!("the data of `{name}` lies in the cluster's node and is lost with the cluster"),
                    )
                };
                let finding =
                    Finding::new(Code::DataLoss, message).about(&name).at_maybe(place).as_severity(severity).help(
                        "give the volume a path under `kind-mount-root` to keep its data on the host from now on",
                    );
                findings.push(if gone { finding } else { finding.lifted_by(consent) });
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
                let VolumeStorage::Host(old) = &volume.storage else { continue };
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

/// Whether the spec no longer has the volume of that claim.
fn is_unwanted(judgement: &Judgement<'_>, claim: &Address) -> bool {
    judgement.resources.get(claim).is_some_and(|judged| judged.item.desired.is_none())
}

/// A volume of the same deployment and storage that appears while this one disappears.
fn renamed<'a>(forecast: &'a [VolumeForecast], gone: &VolumeForecast) -> Option<&'a VolumeForecast> {
    forecast.iter().find(|other| {
        other.deployment == gone.deployment
            && other.verdict == VolumeVerdict::New
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
