//! What the reference says of each code beside its title: what its finding needs to be known, and the way out.

use super::Code;

/// What has to be consulted before a finding can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The given files.
    Files,
    /// This host's file system.
    Host,
    /// The recorded state.
    State,
    /// The live world.
    Live,
}

macro_rules! reference {
    ($($variant:ident [$($need:ident)+] $help:literal;)*) => {
        impl Code {
            /// What its finding may be made from; any one of them can be enough.
            #[must_use]
            pub const fn needs(self) -> &'static [Need] {
                match self { $(Self::$variant => &[$(Need::$need,)+],)* }
            }

            /// The way out in one sentence, for whoever reads of it away from its line.
            #[must_use]
            pub const fn help(self) -> &'static str { match self { $(Self::$variant => $help,)* } }
        }
    };
}

reference! {
    InvalidYaml [Files] "Correct the line: the message says what belongs there.";
    UnknownKey [Files] "Write the key that is suggested, or remove it: nothing reads it.";
    WritableBind [Files] "Use a named volume with a path in `volumes:` for data, or write `:ro` for files that are only read.";
    BindTooLarge [Files Host] "Mount each folder on its own, and put large data on a named volume or into the image.";
    BindMissing [Files Host] "Add the file or folder, or remove the mount.";
    BindNameCollision [Files] "Rename one of the files, or shorten the path: letters and digits make the name.";
    RelativePathOnKubernetes [Files] "Write the absolute path on the nodes, or nothing for a volume of the default class.";
    UnknownRoute [Files] "Route to a container of a pod and to a port that it lists.";
    InvalidName [Files] "Use at most 63 lower-case letters, digits and `-`.";
    InvalidNodePort [Files] "Use a port from 30000 to 32767 that nobody else has, or route a host name with `http-proxy`.";
    ComposeFeatureIgnored [Files] "Remove it, or say the same in the spec where that is possible.";
    UndeclaredVolume [Files] "Add the volume to `volumes:` or `configmaps:` of the spec.";
    UnsetVariable [Files] "Set the variable in `config:` or give it a default: the process environment is never read.";
    DeprecatedKey [Files] "Write the newer key.";
    StackHook [Files] "Declare what the hook does: values in `config:`, files in `configmaps:`, one-off work as a job.";
    AmbiguousSize [Files] "Write a unit that means the same in both dialects: `GiB` for powers of two, `GB` for powers of ten.";
    NotKubernetes [Files] "Write `deploy-to: k8s-kind` or `deploy-to: k8s`.";
    RequiredVersion [Files] "Install a version of laconic that the spec allows, or change `required-version`.";
    ComputedIdentity [Files Host State Live] "Write deployment.yml with the ids that the running objects have.";
    NameDiffers [Files] "Give the directory the name that laconic.yml has, or say under `moved:` that it was renamed.";
    NoUmbrellaMount [Files] "Set `kind-mount-root` before the cluster is made, and put volumes under it.";
    MountMissing [State Live] "Move the path under the umbrella mount; or consent to making the cluster anew.";
    ClusterRecreate [State Live] "Take the change back; or consent to making the cluster anew.";
    MountRootDisagreement [Files] "Give all deployments of a cluster one `kind-mount-root`.";
    MountConflict [Files] "Give each deployment paths and ports of its own.";
    OutsideUmbrella [Files] "Put the volume under `kind-mount-root`: it then never needs a new cluster.";
    LooksUnderUmbrella [Files Host] "Write the path as it really is, under `kind-mount-root`.";
    RecreateWithTenants [State Live] "Ask the owners of the other deployments; the consent is that of the recreate.";
    ForeignCluster [Live] "Take the cluster with `import`; or `state rm` the old one when it is gone for good.";
    MountsUnknown [Live] "Let Docker be reached, so that the node can be looked at.";
    ClusterDiffers [State Live] "Bring the declaration and the cluster together when it is made anew the next time.";
    DirectoryUnderUmbrella [Files Host] "Write an absolute path of its own for the volume.";
    UnrecordedObjects [Live] "Look at what is listed and save it; or consent to its loss with the recreate.";
    ClusterDelete [State Live] "Keep the cluster with `--skip-cluster-management`, or consent to its deletion.";
    TenantUnreadable [State Host] "Restore the deployment's directory, or let it be read.";
    RecreateUnfinished [State] "Bring the recreate to its end with `laconic apply` first.";
    MigrationBlocked [Host Live] "Clear what is in the way: an empty place below the umbrella, on the same file system; edits applied first.";
    EphemeralVolume [Files] "Give the volume a path on the host.";
    DataLoss [State Live] "Keep the volume, or consent to losing its data by its name.";
    DataLeftBehind [State Live] "Move the data to the new path first; or consent to beginning with an empty one.";
    ClaimShrinks [State Live] "Keep the size, or replace the claim with the volume's consent.";
    VolumeReleased [Live] "Nothing to do: it is made anew, because Kubernetes never binds it again by itself; the files of the host stay.";
    VolumeInUse [State Live] "Take the volume from the other deployment first.";
    SharedReadWriteOnce [Files] "Use one replica, or keep the data in a service made for several writers.";
    VolumeRenamed [Files State] "Say so with `moved:`, which keeps the data; or consent to the loss.";
    NodeLocalVolume [Files Live] "Keep its pods on one node, or use a volume of the cluster's default class.";
    OverlayBytes [Live] "Save the bytes from the node before the mount hides them.";
    MountSourceReplaced [Live] "Restart the node, so that it sees the directory that is there now.";
    NamespaceOwned [State Live] "Use another `namespace:`.";
    ObjectExists [Live] "Take the object with `import`, or remove it.";
    FieldsTaken [Live] "Say under `ignore:` that the fields are left to others, or apply to take them back.";
    ObjectCollision [Files] "Give one of the two another name, namespace or host.";
    ObjectRemade [Live] "Take the new object with `import`.";
    ClusterAmbiguous [State Live] "Name the cluster with `kind-cluster-name`.";
    DryRunRefused [Live] "Change what the server's answer names.";
    AdmissionDeviates [Live] "Nothing to do: it is recorded as what the server makes of it.";
    LeftBehind [Files] "Destroy it in its directory on the host, or keep it in laconic.yml.";
    ServiceInterruption [State] "Apply at a time when the interruption hurts least.";
    Unschedulable [Live] "Ask for less, or give the node more.";
    MovingTag [Files] "Name a version, or a digest.";
    ImageNotLoaded [Live] "Load the image on the cluster, or push it to a registry.";
    JobAlreadyRan [State] "Run it again with `--replace`, when that is wanted.";
    PodRenamed [State] "Expect the first Deployment to be replaced.";
    JobRunsAgain [State] "Leave out `--rerun-jobs` or `--replace`, or consent.";
    KnobConflict [Files State] "Set the key in one deployment only.";
    IngressInterruption [State Live] "Apply at a time when the interruption hurts least.";
    KnobDisagreement [Files State] "Set the key in one deployment only.";
    CertificateBackup [Live] "Let the backup run before the cluster is made anew.";
    SecretNotSet [Files Host] "Set the variable, or put the file there, where the plan is applied.";
    SecretLost [State Live] "Restore the deployment's secrets from a backup, or consent to new ones.";
    LiteralSecret [Files] "Write `token-env` or `token-file` instead, and revoke the secret that was committed.";
    SecretMissing [Live] "Make the Secret, or take its name out of `secrets:`.";
    StateDamaged [State] "Use the copy that is said to be good.";
    StateLocked [State] "Wait for the holder, or `state unlock` when it is dead.";
    PlanStale [State] "Plan again.";
    Interrupted [State Live] "Apply again: it goes on from what it finds.";
    NotConsulted [State] "Plan where what was not consulted can be.";
}
