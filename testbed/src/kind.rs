//! What `scripts/with-docker.sh` gives to the tests that make kind clusters.

use std::path::PathBuf;

use crate::assets::leave_out;

/// A Docker with kind clusters to be had.
#[derive(Clone, Debug)]
pub struct Kind {
    /// The name of the node image.
    pub image: String,
    /// A directory on a shared mount, for the host paths of clusters.
    pub shared: PathBuf,
}

/// What there is for kind clusters; `None` where there is nothing, and the calling test is left out.
///
/// # Panics
/// With `CI=true`, which allows no test to be left out.
pub fn kind() -> Option<Kind> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (image, shared) = (variable("KIND_NODE_IMAGE"), variable("LACONIC_TESTBED_SHARED"));
    let (Some(image), Some(shared)) = (image, shared) else {
        let why = "there are no kind clusters here; run it under scripts/with-docker.sh";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
        leave_out(why);
        return None;
    };
    Some(Kind { image, shared: shared.into() })
}
