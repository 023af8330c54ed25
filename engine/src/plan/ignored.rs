//! Fields that are left to others by `ignore:` rules.

use serde_json::Value;

use crate::address::Address;
use crate::diff::{flatten, replace_at, without_nulls};
use crate::plan::difference::is_ignored;
use crate::resource::Live;
use crate::secret::is_placeholder;

/// The form that changes an object in place: what is left to others stays as it is there, whatever the spec says.
#[must_use]
pub fn leave_to_others(desired: &Value, live: &Live, rules: &[String], address: &Address) -> Value {
    if rules.is_empty() {
        return desired.clone();
    }
    let there = flatten(&live.attributes);
    let mut form = desired.clone();
    let mut dropped = false;
    for (path, wanted) in flatten(desired) {
        if !is_ignored(rules, address, &path) || is_placeholder(&wanted) {
            continue;
        }
        match there.get(&path).filter(|value| !is_placeholder(value)) {
            Some(value) => replace_at(&mut form, &path, value),
            None => {
                dropped = true;
                replace_at(&mut form, &path, &Value::Null)
            }
        };
    }
    if dropped { without_nulls(&form) } else { form }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{ResourceType, Scope};
    use serde_json::json;

    #[test]
    fn what_is_left_to_others_is_sent_as_it_is_there() {
        let address = Address::new(ResourceType::Deployment, Scope::deployment("shop"), "web");
        let desired = json!({"spec": {"replicas": 1, "paused": true, "revisionHistoryLimit": 3}});
        let attributes = json!({"spec": {"replicas": 5, "revisionHistoryLimit": 9}});
        let live = Live { uid: "u".into(), attributes, owners: Vec::new(), terminating: false };
        let rules = ["deployment:spec.replicas".to_owned(), "spec.paused".to_owned()];
        let form = leave_to_others(&desired, &live, &rules, &address);
        assert_eq!(form, json!({"spec": {"replicas": 5, "revisionHistoryLimit": 3}}));
        assert_eq!(leave_to_others(&desired, &live, &[], &address), desired);
    }
}
