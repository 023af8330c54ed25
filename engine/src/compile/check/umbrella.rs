//! A volume's path on the host against the umbrella mount.

use super::Context;
use crate::code::Code;
use crate::finding::Finding;
use crate::source::{is_under, join_path, normalize_path};
use crate::spec::Located;

/// What the checks of one volume share.
struct Volume<'a> {
    name: &'a Located<String>,
    path: &'a Located<String>,
    root: &'a Located<String>,
    /// A path that never needs a new cluster.
    better: String,
}

impl Volume<'_> {
    fn finding(&self, code: Code, message: String) -> Finding {
        Finding::new(code, message)
            .at(&self.path.place)
            .label(&self.root.place, format!("the umbrella is `{}`", self.root.value))
    }
}

pub(super) fn check(context: &mut Context<'_>, name: &Located<String>, path: &Located<String>) {
    let Some(root) = &context.deployment.spec.kind_mount_root else { return };
    let better = join_path(&root.value, &format!("{}/{}", context.source.name, name.value));
    let volume = Volume { name, path, root, better };
    if path.value.starts_with('/') {
        absolute(context, &volume);
    } else {
        relative(context, &volume);
    }
}

fn relative(context: &mut Context<'_>, volume: &Volume<'_>) {
    let directory = &context.source.directory;
    if !directory.starts_with('/') {
        return;
    }
    let root = &volume.root.value;
    let name = &volume.name.value;
    let resolved = join_path(directory, &volume.path.value);
    // The directory is known without links; the root may be one.
    let real_root = context.reader.real_path(root).unwrap_or_else(|_| root.clone());
    if is_under(directory, root) || is_under(directory, &real_root) {
        let real = join_path(root, name);
        let finding = Finding::new(
            Code::DirectoryUnderUmbrella,
            format!(
                "the deployment directory lies under `kind-mount-root`: laconic-so keeps volume `{name}` in `{real}`, \
                 which every deployment with such a volume shares"
            ),
        )
        .at(&volume.path.place)
        .label(&volume.root.place, "the umbrella")
        .help(format!("write a path of its own: `{name}: {}`", volume.better));
        context.push_new_rule(finding);
    } else if !is_under(&resolved, root) {
        let message =
            format!("volume `{name}` is in `{resolved}`, outside `kind-mount-root`: it needs a mount of its own");
        let help = format!("write `{name}: {}`, which never needs a new cluster", volume.better);
        context.push(volume.finding(Code::OutsideUmbrella, message).help(help));
    }
}

fn absolute(context: &mut Context<'_>, volume: &Volume<'_>) {
    let (name, path, root) = (&volume.name.value, &volume.path.value, &volume.root.value);
    let (looks_under, lies_under) = (path.starts_with(root.as_str()), is_under(path, root));
    if looks_under != lies_under {
        let (seems, is) = if lies_under { ("outside", "under it") } else { ("under", "outside") };
        let message = format!("volume `{name}` only looks as if it were {seems} `kind-mount-root`: it is {is}");
        let normalized = normalize_path(path);
        let better = if lies_under { &normalized } else { &volume.better };
        context.push(volume.finding(Code::LooksUnderUmbrella, message).help(format!("write `{better}`")));
        return;
    }
    let real = context.reader.real_path(path).and_then(|real| Ok((real, context.reader.real_path(root)?)));
    let Some((real, real_root)) = real.ok().filter(|(real, root)| is_under(real, root) != lies_under) else {
        if !lies_under {
            let message = format!("volume `{name}` is outside `kind-mount-root`: it needs a mount of its own");
            let help = format!("a path such as `{}` never needs a new cluster", volume.better);
            context.push(volume.finding(Code::OutsideUmbrella, message).help(help));
        }
        return;
    };
    let finding = if lies_under {
        let message = format!(
            "volume `{name}` only looks as if it were under `kind-mount-root`: a link leads to `{real}`, which the kind \
             node does not see"
        );
        volume.finding(Code::LooksUnderUmbrella, message).help(format!(
            "move the data to `{}` and write that path, or mount `{real}` there with a bind mount instead of a link",
            volume.better
        ))
    } else {
        let rest = real.strip_prefix(&real_root).unwrap_or_default();
        let message = format!(
            "volume `{name}` only looks as if it were outside `kind-mount-root`: links lead to one place, and yet it gets a \
             mount of its own"
        );
        volume
            .finding(Code::LooksUnderUmbrella, message)
            .help(format!("write `{name}: {}{rest}`", root.trim_end_matches('/')))
    };
    context.push(finding);
}
