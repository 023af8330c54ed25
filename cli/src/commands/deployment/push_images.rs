//! `laconic deployment push-images`: have what was built here be found where the cluster pulls from.

use laconic_engine::compile::{check_shared, pushed_images};

use crate::error::{Exit, Problem, Result};
use crate::inputs::locate;
use crate::session::Session;
use crate::view::style::clean;
use crate::wire::attended;

/// Runs it.
pub fn run(session: &Session) -> Result<Exit> {
    let inputs = locate(&session.common)?;
    let mut images = Vec::new();
    for input in inputs.iter() {
        let outcome = check_shared(&input.source, &input.shared, &input.reader(false));
        let Some(checked) = outcome.deployment else { return Err(Problem::InvalidInput { errors: 1 }) };
        if checked.spec.image_registry.is_none() {
            return Err(Problem::NoRegistry { deployment: input.source.name.clone() });
        }
        images.extend(pushed_images(&checked));
    }
    if images.is_empty() {
        session.output.print("No image of it is tagged `:local`, so that there is nothing to push.\n")?;
    }
    for (here, there) in &images {
        session.output.print(&format!("{} -> {}\n", clean(here), clean(there)))?;
        if session.common.dry_run {
            continue;
        }
        if session.wire.is_simulated() {
            return Err(Problem::NothingRuns);
        }
        engine(&["tag", here, there])?;
        engine(&["push", there])?;
    }
    Ok(Exit::Done)
}

/// Runs the container engine; what it says goes to whoever reads.
fn engine(arguments: &[&str]) -> Result<()> {
    let words: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    match attended(&words) {
        Ok(0) => Ok(()),
        Ok(status) => Err(Problem::System { detail: format!("`{}` ended with status {status}", arguments.join(" ")) }),
        Err(error) => Err(Problem::System { detail: error.to_string() }),
    }
}
