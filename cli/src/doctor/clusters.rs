//! The kind clusters of this host's container engine, and which deployments say that they live on them.

use std::collections::BTreeMap;

use laconic_engine::resource::ClusterIdentity;

use super::Check;
use crate::wire::ContainerState;

/// A container that kind made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// The cluster it belongs to.
    pub cluster: String,
    /// Whether it is a control plane.
    pub is_control_plane: bool,
    /// Its image.
    pub image: String,
    /// Whether it runs.
    pub state: ContainerState,
    /// Whether kind came to its end with it; `None` where nobody could look.
    pub is_finished: Option<bool>,
}

/// What is recorded here of a cluster, or wanted of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The deployments in its register.
    pub tenants: Vec<String>,
    /// Who it was when it was last acted on; `None` when it never was.
    pub identity: Option<ClusterIdentity>,
    /// The deployments that were asked about and go there.
    pub wanted_by: Vec<String>,
}

impl Known {
    /// The deployments, recorded or wanted, as a phrase.
    fn deployments(&self) -> String {
        let mut names: Vec<&str> = self.tenants.iter().chain(&self.wanted_by).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            "no state here names it".to_owned()
        } else {
            format!("deployments: {}", names.join(", "))
        }
    }
}

/// Whether the first control plane of a cluster runs.
#[must_use]
pub fn runs(nodes: &[Node], cluster: &str) -> bool {
    control_plane(nodes, cluster).is_some_and(|node| node.state == ContainerState::Running)
}

/// Whether there may be an API server that answers.
#[must_use]
pub fn works(nodes: &[Node], cluster: &str) -> bool {
    let is_up = |node: &Node| node.state == ContainerState::Running && node.is_finished != Some(false);
    control_plane(nodes, cluster).is_some_and(is_up)
}

fn control_plane<'a>(nodes: &'a [Node], cluster: &str) -> Option<&'a Node> {
    let mut planes = nodes.iter().filter(|node| node.cluster == cluster && node.is_control_plane);
    // Of several the first one is the one that kind and we speak to.
    let first = format!("{cluster}-control-plane");
    let any = planes.clone().next();
    planes.find(|node| node.name == first).or(any)
}

/// What is made of them. `daemon` is the id of the engine that answered.
#[must_use]
pub fn judge(nodes: &[Node], known: &BTreeMap<String, Known>, daemon: &str) -> Vec<Check> {
    let mut clusters: BTreeMap<&str, Option<&Known>> = nodes.iter().map(|node| (node.cluster.as_str(), None)).collect();
    clusters.extend(known.iter().map(|(name, known)| (name.as_str(), Some(known))));
    if clusters.is_empty() {
        return vec![Check::ok("cluster", "there is no kind cluster here")];
    }
    let nobody = Known::default();
    let mut checks: Vec<Check> = Vec::new();
    for (name, known) in &clusters {
        let known = known.unwrap_or(&nobody);
        match control_plane(nodes, name) {
            Some(node) => checks.extend(present(name, node, known)),
            None => checks.push(absent(nodes, name, known, daemon)),
        }
    }
    checks.extend(several(nodes, clusters.keys().copied()));
    checks
}

fn present(cluster: &str, node: &Node, known: &Known) -> Vec<Check> {
    let is_ours = !known.tenants.is_empty() || known.identity.is_some() || !known.wanted_by.is_empty();
    let judged = |found: String, help: String| {
        if is_ours { Check::problem("cluster", found, help) } else { Check::warning("cluster", found, help) }
    };
    let (container, deployments) = (&node.name, known.deployments());
    let first = match (&node.state, node.is_finished) {
        (ContainerState::Stopped(word), _) => judged(
            format!("cluster {cluster} is stopped: its node `{container}` does not run ({word}; {deployments})"),
            format!("`docker start {container}`; a plan takes it for unknown, never for deleted"),
        ),
        (ContainerState::Paused, _) => judged(
            format!("cluster {cluster} is held: its node `{container}` is paused ({deployments})"),
            format!("`docker unpause {container}`"),
        ),
        (ContainerState::Running, Some(false)) => judged(
            format!("cluster {cluster} is not finished: `{container}` runs, and kind did not come to its end, or is still at it"),
            "if no kind is at it any more (`pgrep -a kind`), `laconic apply` goes on with a cluster that it began"
                .to_owned(),
        )
        .or(format!("else `kind delete cluster --name {cluster}` takes it away")),
        (ContainerState::Running, _) => {
            Check::ok("cluster", format!("cluster {cluster} runs (image {}; {deployments})", short_image(&node.image)))
        }
    };
    let recorded = known.identity.as_ref().map(|identity| identity.node.as_str()).filter(|id| !id.is_empty());
    let other = recorded.filter(|id| *id != node.id).map(|id| {
        Check::warning(
            "cluster",
            format!(
                "cluster {cluster} is not the one that is recorded (node {}, recorded {}): it was made anew",
                short_id(&node.id),
                short_id(id)
            ),
            "`laconic plan` shows what is to be made again on it",
        )
    });
    std::iter::once(first).chain(other).collect()
}

fn absent(nodes: &[Node], cluster: &str, known: &Known, daemon: &str) -> Check {
    let left: Vec<&str> = nodes.iter().filter(|node| node.cluster == cluster).map(|node| node.name.as_str()).collect();
    if !left.is_empty() {
        return Check::warning(
            "cluster",
            format!("of cluster {cluster} only {} are left, without a control plane", left.join(", ")),
            format!("`kind delete cluster --name {cluster}` takes them away"),
        );
    }
    let deployments = known.deployments();
    match &known.identity {
        None => Check::ok("cluster", format!("cluster {cluster} is not there yet; apply makes it ({deployments})")),
        Some(identity) if !identity.daemon.is_empty() && identity.daemon != daemon => Check::warning(
            "cluster",
            format!(
                "cluster {cluster} is recorded on another container engine (id {}), and this one does not have it",
                identity.daemon
            ),
            "point laconic at that engine: DOCKER_HOST, or `docker context use NAME`",
        ),
        Some(_) => Check::problem(
            "cluster",
            format!("cluster {cluster} is recorded and is not there any more ({deployments})"),
            "`laconic plan` shows what would be made again, and which data is lost",
        ),
    }
}

fn several<'a>(nodes: &[Node], names: impl Iterator<Item = &'a str>) -> Option<Check> {
    let running: Vec<&str> = names.filter(|name| runs(nodes, name)).collect();
    (running.len() > 1).then(|| {
        Check::warning(
            "clusters",
            format!("{} kind clusters run here ({}); only one of them can have ports 80 and 443", running.len(), running.join(", ")),
            "name the cluster of a new deployment: `deploy create --cluster-id NAME`, or `kind-cluster-name:` in its spec",
        )
    })
}

fn short_id(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

fn short_image(image: &str) -> &str {
    image.split('@').next().unwrap_or(image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    fn node(cluster: &str, state: ContainerState, is_finished: Option<bool>) -> Node {
        Node {
            name: format!("{cluster}-control-plane"),
            id: format!("{cluster}-0123456789abcdef"),
            cluster: cluster.to_owned(),
            is_control_plane: true,
            image: "kindest/node:v1.36.1@sha256:34".to_owned(),
            state,
            is_finished,
        }
    }

    fn known(node: Option<&str>) -> Known {
        let identity = node.map(|node| ClusterIdentity {
            daemon: "d1".to_owned(),
            node: node.to_owned(),
            ..ClusterIdentity::default()
        });
        Known { tenants: vec!["shop".to_owned()], identity, wanted_by: vec!["blog".to_owned(), "shop".to_owned()] }
    }

    fn one(nodes: &[Node], known: Option<Known>, daemon: &str) -> Check {
        let known = known.map(|known| ("main".to_owned(), known)).into_iter().collect();
        let mut checks = judge(nodes, &known, daemon);
        assert_eq!(checks.len(), 1, "{checks:?}");
        checks.remove(0)
    }

    #[test]
    fn a_running_cluster_names_its_deployments() {
        let nodes = [node("main", ContainerState::Running, Some(true))];
        let check = one(&nodes, Some(known(Some("main-0123456789abcdef"))), "d1");
        let expected = "cluster main runs (image kindest/node:v1.36.1; deployments: blog, shop)";
        assert_eq!(check, Check::ok("cluster", expected));
        assert!(one(&nodes, None, "d1").found.ends_with("no state here names it)"));
    }

    #[test]
    fn one_that_does_not_work_is_a_problem_only_for_who_lives_there() {
        let states = [
            (ContainerState::Stopped("exited".to_owned()), None, "docker start main-control-plane"),
            (ContainerState::Paused, None, "docker unpause main-control-plane"),
            (ContainerState::Running, Some(false), "laconic apply"),
        ];
        for (state, is_finished, help) in states {
            let nodes = [node("main", state, is_finished)];
            let ours = one(&nodes, Some(known(None)), "d1");
            assert_eq!(ours.verdict, Verdict::Problem, "{ours:?}");
            assert!(ours.help[0].contains(help), "{ours:?}");
            assert_eq!(one(&nodes, None, "d1").verdict, Verdict::Warning);
        }
    }

    #[test]
    fn an_absence_depends_on_who_says_so() {
        assert_eq!(one(&[], Some(known(None)), "d1").verdict, Verdict::Ok);
        let gone = one(&[], Some(known(Some("n"))), "d1");
        assert!(gone.verdict == Verdict::Problem && gone.found.contains("not there any more"), "{gone:?}");
        let elsewhere = one(&[], Some(known(Some("n"))), "d2");
        assert_eq!(elsewhere.verdict, Verdict::Warning);
        assert!(elsewhere.found.contains("another container engine (id d1)"), "{elsewhere:?}");
        assert_eq!(judge(&[], &BTreeMap::new(), "d1")[0].verdict, Verdict::Ok);
        let worker = Node { is_control_plane: false, ..node("main", ContainerState::Running, None) };
        assert!(one(&[worker], None, "d1").help[0].contains("kind delete cluster --name main"));
    }

    #[test]
    fn another_node_and_a_second_cluster_are_told_of() {
        let nodes = [node("main", ContainerState::Running, Some(true)), node("other", ContainerState::Running, None)];
        let known = [("main".to_owned(), known(Some("older")))].into();
        let verdicts: Vec<(&str, Verdict)> =
            judge(&nodes, &known, "d1").iter().map(|check| (check.name, check.verdict)).collect();
        let expected = [
            ("cluster", Verdict::Ok),
            ("cluster", Verdict::Warning),
            ("cluster", Verdict::Ok),
            ("clusters", Verdict::Warning),
        ];
        assert_eq!(verdicts, expected);
    }
}
