//! The files that describe a deployment: spec.yml, stack.yml, deployment.yml, config.env.

pub mod model;

pub use model::{
    DeployTo, DeploymentFile, Dialect, ExternalService, ExternalServiceKind, HttpProxy, KeyValue, Located,
    RegistryCredentials, ResourceAmounts, ResourceBlock, Resources, Route, Scalar, ScalarKind, Security, Spec, Stack,
};
