//! The files that describe a deployment: spec.yml, stack.yml, deployment.yml, config.env.

mod compute_identity;
pub mod edit;
pub mod model;
mod network;
mod read_config_env;
mod read_deployment;
mod read_external;
mod read_hook;
mod read_repository;
mod read_spec;
mod read_stack;
pub mod repository;
#[cfg(test)]
mod repository_tests;
mod required_version;
pub(crate) mod resources;
pub mod schema;
#[cfg(test)]
mod tests;

pub use compute_identity::{compute_identity, is_older_directory};
pub use model::{
    DeployTo, DeploymentFile, Dialect, ExternalService, ExternalServiceKind, Hook, HookPhase, HttpProxy, KeyValue,
    Located, RegistryCredentials, ResourceAmounts, ResourceBlock, Resources, Route, Scalar, ScalarKind, Security,
    ServicePorts, Spec, Stack,
};
pub use read_config_env::{ConfigEnv, read_config_env};
pub use read_deployment::read_deployment_file;
pub use read_repository::{password, read_repository};
pub use read_spec::read_spec;
pub use read_stack::{REPOSITORIES, read_stack};
pub use repository::{PinnedStack, Policy, Repository, RepositoryCluster, RepositoryDeployment, StackReference};
