//! The catalogue of findings: every code, its severity and what it finds. One table; the reference docs come from it.

mod reference;

use std::fmt;

pub use reference::Need;
use serde::{Deserialize, Serialize};

/// How bad a finding is, and what it does to plan and apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Likely a mistake; nothing is stopped.
    Warning,
    /// The plan is printed in full; apply does nothing until the named flag is given.
    Consent,
    /// The plan is printed in full; apply does nothing.
    Refusal,
    /// There is no plan.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Consent => "consent",
            Self::Refusal => "refusal",
            Self::Error => "error",
        })
    }
}

macro_rules! codes {
    ($($number:literal $variant:ident $severity:ident $title:literal;)*) => {
        /// The stable code of a finding. Numbers never change their meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $title] $variant,)* }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number after `LAC`.
            #[must_use]
            pub const fn number(self) -> u16 { match self { $(Self::$variant => $number,)* } }

            /// The severity the catalogue gives it. A finding may carry a milder one where the catalogue says so.
            #[must_use]
            pub const fn severity(self) -> Severity { match self { $(Self::$variant => Severity::$severity,)* } }

            /// What it finds, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str { match self { $(Self::$variant => $title,)* } }
        }
    };
}

codes! {
    101 InvalidYaml Error "the file cannot be read as what it should be";
    102 UnknownKey Warning "unknown key";
    103 WritableBind Error "host-path bind is writable";
    104 BindTooLarge Error "host-path source has subdirectories or is over 700 KiB";
    105 BindMissing Error "host-path source is missing";
    106 BindNameCollision Error "host-path sources share a ConfigMap name, or the name is too long";
    107 RelativePathOnKubernetes Error "relative volume path on `deploy-to: k8s`";
    108 UnknownRoute Error "`http-proxy` route to a container or port that does not exist";
    109 InvalidName Error "a name that no Kubernetes object may have";
    110 InvalidNodePort Error "nodePort outside 30000-32767, or claimed twice";
    111 ComposeFeatureIgnored Warning "a compose feature that has no effect on Kubernetes";
    112 UndeclaredVolume Error "compose volume that the spec does not declare";
    113 UnsetVariable Warning "unset variable without a default";
    114 DeprecatedKey Warning "deprecated key";
    115 StackHook Warning "the stack ships a Python hook, which is not run";
    116 AmbiguousSize Warning "size whose unit means something else in the other dialect";
    117 NotKubernetes Error "`deploy-to` is `compose` or absent";
    118 RequiredVersion Error "`required-version` is not met";
    119 ComputedIdentity Refusal "deployment directory without deployment.yml: its ids are computed";
    120 NameDiffers Warning "laconic.yml calls a deployment otherwise than its directory";
    201 NoUmbrellaMount Warning "first cluster without an umbrella mount";
    202 MountMissing Consent "an extraMount that the running cluster does not have";
    203 ClusterRecreate Consent "a change that needs the cluster to be recreated";
    204 MountRootDisagreement Error "deployments that share a cluster disagree on `kind-mount-root`";
    205 MountConflict Error "two deployments claim one container path, host path or host port";
    206 OutsideUmbrella Warning "host path outside the umbrella";
    207 LooksUnderUmbrella Warning "path that only looks as if it were under the umbrella";
    208 RecreateWithTenants Consent "recreate of a cluster on which other deployments live";
    209 ForeignCluster Refusal "the cluster of that name is not the one recorded";
    210 MountsUnknown Note "live mounts could not be inspected";
    211 ClusterDiffers Warning "ports or patches of the running cluster differ from what is declared";
    212 DirectoryUnderUmbrella Error "deployment directory under the umbrella with a relative volume path";
    213 UnrecordedObjects Consent "objects that no state records, on a cluster to be recreated or deleted";
    214 ClusterDelete Consent "the cluster would be deleted";
    215 TenantUnreadable Refusal "a tenant of the cluster to be recreated cannot be read";
    216 RecreateUnfinished Refusal "an earlier recreate has not ended, and this plan would not bring back what its vault holds";
    217 MigrationBlocked Refusal "a migration below an umbrella cannot be done safely";
    301 EphemeralVolume Warning "empty-path volume: dies with the cluster";
    302 DataLoss Consent "data of a volume would be lost";
    303 DataLeftBehind Consent "changed host path: the data stays behind at the old place";
    304 ClaimShrinks Refusal "a claim would shrink";
    305 VolumeReleased Note "PV Released with a stale claim: will be rebound";
    306 VolumeInUse Refusal "a volume that another deployment uses would be deleted";
    307 SharedReadWriteOnce Warning "ReadWriteOnce volume with more than one replica";
    308 VolumeRenamed Consent "a volume disappears and a like one appears";
    309 NodeLocalVolume Warning "hostPath volume on a Kubernetes with several nodes";
    310 OverlayBytes Warning "bytes on the node's overlay under a missing mount";
    311 MountSourceReplaced Warning "the mount's host directory was deleted and made again";
    401 NamespaceOwned Refusal "namespace is owned by another deployment directory";
    402 ObjectExists Refusal "object exists and is not ours";
    403 FieldsTaken Warning "fields of ours are owned by another manager";
    404 ObjectCollision Error "two deployments compile to one object or host name";
    405 ObjectRemade Refusal "recorded object was deleted and made again by somebody else";
    406 ClusterAmbiguous Error "several kind clusters run and the deployment names none";
    407 DryRunRefused Refusal "the API server would refuse this object";
    408 AdmissionDeviates Note "the API server makes fields otherwise than asked for";
    409 LeftBehind Warning "deployment that a revision no longer has, and that stays where it is";
    501 ServiceInterruption Warning "update that takes a service down";
    502 Unschedulable Warning "requests larger than the node can give";
    503 MovingTag Warning "image with a moving tag";
    504 ImageNotLoaded Warning "image built locally but not loaded on the cluster";
    505 JobAlreadyRan Note "Job already ran";
    506 PodRenamed Warning "adding a second pod file renames the first Deployment";
    507 JobRunsAgain Consent "a completed Job would run again";
    601 KnobConflict Warning "`caddy-ingress-image` differs between deployments of one cluster";
    602 IngressInterruption Warning "Caddy image change: 10-30 s without ingress for everyone on the cluster";
    603 KnobDisagreement Warning "a cluster-level knob disagrees between tenants";
    604 CertificateBackup Warning "certificate backup missing or old";
    701 SecretNotSet Warning "secret source is not set here";
    702 SecretLost Consent "a generated secret would be rotated or lost";
    703 LiteralSecret Error "literal secret where a reference belongs";
    704 SecretMissing Warning "referenced Secret does not exist";
    801 StateDamaged Error "state is damaged, foreign or newer than this program";
    802 StateLocked Error "state is locked";
    803 PlanStale Error "plan file is stale";
    804 Interrupted Note "an earlier operation was interrupted";
    805 NotConsulted Note "what was not consulted or could not be judged here";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LAC{}", self.number())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.to_string() == text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no finding code")))
    }
}
