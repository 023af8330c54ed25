//! Limits of the kernel that a kind node runs into.

use super::Check;

/// What kind's own list of known problems asks for.
const WANTED: [(&str, u64); 2] = [("fs.inotify.max_user_instances", 512), ("fs.inotify.max_user_watches", 524_288)];

/// The values of the limits that matter; `None` for one that cannot be read.
#[must_use]
pub fn look() -> Vec<(&'static str, Option<u64>)> {
    let read = |name: &str| {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        std::fs::read_to_string(path).ok()?.trim().parse().ok()
    };
    WANTED.iter().map(|(name, _)| (*name, read(name))).collect()
}

/// What is made of them.
#[must_use]
pub fn judge(found: &[(&'static str, Option<u64>)]) -> Vec<Check> {
    let value = |name: &str| found.iter().find(|(known, _)| *known == name).and_then(|(_, value)| *value);
    WANTED
        .iter()
        .map(|&(name, wanted)| match value(name) {
            Some(value) if value >= wanted => Check::ok("limit", format!("{name} is {value}")),
            Some(value) => Check::warning(
                "limit",
                format!("{name} is {value}; with less than {wanted} pods may fail with \"too many open files\""),
                format!("`sudo sysctl {name}={wanted}`"),
            )
            .or(format!("to keep it: `echo '{name} = {wanted}' | sudo tee -a /etc/sysctl.d/90-kind.conf`")),
            None => Check::not_checked("limit", format!("{name} cannot be read here"), format!("`sysctl {name}`")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn low_limits_are_told_of_with_the_command() {
        let checks =
            judge(&[("fs.inotify.max_user_instances", Some(128)), ("fs.inotify.max_user_watches", Some(524_288))]);
        assert_eq!(checks.iter().map(|check| check.verdict).collect::<Vec<_>>(), [Verdict::Warning, Verdict::Ok]);
        assert_eq!(checks[0].help[0], "`sudo sysctl fs.inotify.max_user_instances=512`");
        let checks = judge(&[]);
        assert!(checks.iter().all(|check| check.verdict == Verdict::NotChecked) && checks.len() == 2);
    }
}
