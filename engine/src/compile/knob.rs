//! Cluster-level knobs: settings that several deployments may wish of one cluster, of which it can have only one value.
//!
//! No wish keeps what is recorded. Wishes that agree are followed. Of wishes that differ none is followed, unless exactly
//! one deployment has changed its own since its last apply: then it is that one's turn, and the rest is told.

use crate::code::Code;
use crate::finding::Finding;
use crate::state::ClusterWishes;

use super::cluster::Claimant;

/// One knob.
pub(super) struct Knob {
    /// The code of a disagreement.
    pub code: Code,
    /// The field of [`ClusterWishes`], by which places are known.
    pub field: &'static str,
    /// The key of spec.yml.
    pub key: &'static str,
    /// A deployment's wish.
    pub wish: fn(&ClusterWishes) -> Option<&str>,
}

/// The knobs of a kind cluster.
pub(super) const CADDY_IMAGE: Knob = Knob {
    code: Code::KnobConflict,
    field: "caddy_image",
    key: "caddy-ingress-image",
    wish: |wishes| wishes.caddy_image.as_deref(),
};
pub(super) const ACME_EMAIL: Knob = Knob {
    code: Code::KnobDisagreement,
    field: "acme_email",
    key: "network.acme-email",
    wish: |wishes| wishes.acme_email.as_deref(),
};
pub(super) const NODE_IMAGE: Knob = Knob {
    code: Code::KnobDisagreement,
    field: "node_image",
    key: "kind-node-image",
    wish: |wishes| wishes.node_image.as_deref(),
};

/// What a knob comes to: its value, and whose wish gave it.
pub(super) struct Settled<'a> {
    /// The value; `None` for the default.
    pub value: Option<String>,
    /// The claimant whose line says so, when it is one of this plan's.
    pub by: Option<&'a Claimant<'a>>,
}

impl Knob {
    fn wish_of<'a>(&self, claimant: &Claimant<'a>) -> Option<&'a str> {
        (self.wish)(&claimant.tenant.wishes).filter(|wish| !wish.is_empty())
    }

    /// Decides the knob.
    pub(super) fn settle<'a>(
        &self,
        cluster: &str,
        claimants: &'a [Claimant<'a>],
        recorded: Option<&str>,
        findings: &mut Vec<Finding>,
    ) -> Settled<'a> {
        let wishing: Vec<(&'a Claimant<'a>, &'a str)> =
            claimants.iter().filter_map(|claimant| Some((claimant, self.wish_of(claimant)?))).collect();
        let Some((first, value)) = wishing.first() else {
            return Settled { value: recorded.map(str::to_owned), by: None };
        };
        if wishing.iter().all(|(_, other)| other == value) {
            let by = wishing.iter().map(|(claimant, _)| *claimant).find(|claimant| claimant.is_planned);
            return Settled { value: Some((*value).to_owned()), by: by.or(Some(first)) };
        }
        let has_changed = |claimant: &Claimant<'_>| {
            let before = claimant.previous.and_then(|tenant| (self.wish)(&tenant.wishes)).filter(|it| !it.is_empty());
            claimant.is_planned && before != self.wish_of(claimant)
        };
        let mut changed = claimants.iter().filter(|claimant| has_changed(claimant));
        let mover = match (changed.next(), changed.next()) {
            (Some(only), None) => wishing.iter().find(|(claimant, _)| claimant.name == only.name),
            _ => None,
        };
        let value = mover.map_or(recorded, |(_, wish)| Some(*wish));
        findings.push(self.disagreement(cluster, &wishing, value, mover.map(|(claimant, _)| claimant.name)));
        Settled { value: value.map(str::to_owned), by: mover.map(|(claimant, _)| *claimant) }
    }

    fn disagreement<'a>(
        &self,
        cluster: &str,
        wishing: &[(&'a Claimant<'a>, &'a str)],
        value: Option<&str>,
        mover: Option<&str>,
    ) -> Finding {
        let groups = by_wish(wishing);
        let wishes: Vec<String> = groups.iter().map(Group::text).collect();
        let value = value.unwrap_or("the default");
        let outcome = match mover {
            Some(mover) => format!("{value} is used, because only {mover} changed its wish"),
            None => format!("{value} stays until they agree or one of them changes its wish"),
        };
        let message = format!("`{}` differs on cluster {cluster}: {}; {outcome}", self.key, wishes.join(", "));
        let mut finding = Finding::new(self.code, message)
            .about(cluster)
            .help(format!("set `{}` in one deployment only, or under `clusters:` in laconic.yml", self.key));
        for group in groups {
            let Some(place) = group.first.place(self.field) else { continue };
            if finding.place.is_none() {
                finding.place = Some(place.clone());
            } else {
                finding = finding.label(place, group.text());
            }
        }
        finding
    }
}

/// The deployments of one wish: one line of each is enough to see the contradiction.
struct Group<'a> {
    wish: &'a str,
    /// One of this plan's, whose line can be shown, when there is one.
    first: &'a Claimant<'a>,
    others: usize,
}

impl Group<'_> {
    fn text(&self) -> String {
        match self.others {
            0 => format!("{} wants {}", self.first.name, self.wish),
            others => format!("{} and {others} more want {}", self.first.name, self.wish),
        }
    }
}

fn by_wish<'a>(wishing: &[(&'a Claimant<'a>, &'a str)]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (claimant, wish) in wishing {
        let Some(group) = groups.iter_mut().find(|group| group.wish == *wish) else {
            groups.push(Group { wish, first: claimant, others: 0 });
            continue;
        };
        group.others += 1;
        if !group.first.is_planned && claimant.is_planned {
            group.first = claimant;
        }
    }
    groups
}
