//! What becomes of a pod.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;

/// The annotation of a pod that names its behaviour.
pub const BEHAVIOUR_ANNOTATION: &str = "testbed.laconic/behaviour";

/// What becomes of a pod. Each has a name in `kebab-case`, for annotations and images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// It runs and is ready. The usual, if its containers are to be restarted always.
    Ready,
    /// It runs, and its readiness probe fails.
    NotReady,
    /// Its containers end well. The usual for all other pods, those of Jobs. If they are to be restarted always, they
    /// are, over and over: as [`Behaviour::CrashLoopBackOff`].
    Succeed,
    /// Its containers fail. If they are to be restarted, they are: as [`Behaviour::CrashLoopBackOff`].
    Fail,
    /// Its images cannot be pulled.
    ImagePullBackOff,
    /// Its containers fail over and over.
    CrashLoopBackOff,
    /// Its containers wait for another reason, as `CreateContainerConfigError`. Has no name.
    Waiting {
        /// The reason, in one word.
        reason: String,
        /// What the kubelet says about it.
        message: String,
    },
    /// No node has room for it.
    Unschedulable,
    /// It runs and is ready, and when deleted it does not end.
    NeverEnds,
    /// Nobody looks at it: it stays as it was created.
    Unseen,
}

impl Behaviour {
    /// The behaviour of a name, as `image-pull-back-off`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ready" => Self::Ready,
            "not-ready" => Self::NotReady,
            "succeed" => Self::Succeed,
            "fail" => Self::Fail,
            "image-pull-back-off" => Self::ImagePullBackOff,
            "crash-loop-back-off" => Self::CrashLoopBackOff,
            "unschedulable" => Self::Unschedulable,
            "never-ends" => Self::NeverEnds,
            "unseen" => Self::Unseen,
            _ => return None,
        })
    }

    /// What a pod asks for itself: by the annotation, else by an image whose name is that of a behaviour
    /// (`example.com/any/crash-loop-back-off:1`), else the usual.
    pub(crate) fn asked_for(pod: &Pod) -> Self {
        let annotated = pod.metadata.annotations.as_ref().and_then(|all| all.get(BEHAVIOUR_ANNOTATION));
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let images = containers.filter_map(|container| container.image.as_deref()).map(image_name);
        let names = annotated.map(String::as_str).into_iter().chain(images);
        names.filter_map(Self::named).next().unwrap_or_else(|| match restart_policy(pod) {
            "Always" => Self::Ready,
            _ => Self::Succeed,
        })
    }

    /// The behaviour with the pod's restart policy considered.
    pub(crate) fn restarted(self, pod: &Pod) -> Self {
        match (&self, restart_policy(pod)) {
            (Self::Succeed | Self::Fail, "Always") | (Self::Fail, "OnFailure") => Self::CrashLoopBackOff,
            _ => self,
        }
    }
}

fn restart_policy(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always")
}

/// The last part of an image's name, without tag and digest.
fn image_name(image: &str) -> &str {
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split(['@', ':']).next().unwrap_or(last)
}

/// Which pods are meant. What is not named does not matter.
#[derive(Clone, Debug, Default)]
pub struct PodFilter {
    namespace: Option<String>,
    begin: Option<String>,
    labels: BTreeMap<String, String>,
}

impl PodFilter {
    /// All pods.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those in one namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Those whose names begin so: a Deployment's pods begin with its name.
    #[must_use]
    pub fn name(mut self, begin: impl Into<String>) -> Self {
        self.begin = Some(begin.into());
        self
    }

    /// Those with a label.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    pub(crate) fn matches(&self, pod: &Pod) -> bool {
        let metadata = &pod.metadata;
        let name = metadata.name.as_deref().unwrap_or_default();
        let label = |key: &String| metadata.labels.as_ref().and_then(|labels| labels.get(key));
        self.namespace.as_ref().is_none_or(|namespace| metadata.namespace.as_ref() == Some(namespace))
            && self.begin.as_ref().is_none_or(|begin| name.starts_with(begin))
            && self.labels.iter().all(|(key, value)| label(key) == Some(value))
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::{Value, json};

    use super::{Behaviour, PodFilter};

    fn pod(value: Value) -> Pod {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_pod_names_its_behaviour_by_annotation_or_image() {
        let containers = |image: &str| json!({ "containers": [{ "name": "a", "image": image }] });
        let by_image = |image: &str| Behaviour::asked_for(&pod(json!({ "spec": containers(image) })));
        assert_eq!(by_image("example.com:5000/shop/crash-loop-back-off:1"), Behaviour::CrashLoopBackOff);
        assert_eq!(by_image("image-pull-back-off@sha256:00"), Behaviour::ImagePullBackOff);
        assert_eq!(by_image("fail/nginx:1"), Behaviour::Ready);
        let annotations = json!({ super::BEHAVIOUR_ANNOTATION: "unschedulable" });
        let annotated = json!({ "metadata": { "annotations": annotations }, "spec": containers("x/not-ready") });
        assert_eq!(Behaviour::asked_for(&pod(annotated)), Behaviour::Unschedulable);
    }

    #[test]
    fn only_what_is_not_restarted_ends() {
        let with = |policy: &str| pod(json!({ "spec": { "restartPolicy": policy, "containers": [] } }));
        assert_eq!(Behaviour::asked_for(&with("Never")), Behaviour::Succeed);
        assert_eq!(Behaviour::Fail.restarted(&with("Never")), Behaviour::Fail);
        assert_eq!(Behaviour::Fail.restarted(&with("OnFailure")), Behaviour::CrashLoopBackOff);
        assert_eq!(Behaviour::Succeed.restarted(&with("OnFailure")), Behaviour::Succeed);
        assert_eq!(Behaviour::Succeed.restarted(&with("Always")), Behaviour::CrashLoopBackOff);
    }

    #[test]
    fn a_filter_wants_everything_it_names() {
        let web = pod(
            json!({ "metadata": { "namespace": "shop", "name": "web-1", "labels": { "app": "web", "tier": "1" } } }),
        );
        assert!(PodFilter::new().matches(&web));
        let filter = PodFilter::new().namespace("shop").name("web").label("app", "web");
        assert!(filter.matches(&web));
        assert!(!filter.clone().label("tier", "2").matches(&web));
        assert!(!filter.clone().name("db").matches(&web));
        assert!(!filter.namespace("other").matches(&web));
    }
}
