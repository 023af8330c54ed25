//! The book's tables of compose keys are those that the program goes by.

use std::fmt::Write as _;
use std::path::Path;

use laconic_engine::compose::{DEPLOY_KEYS, Effect, Key, SERVICE_KEYS, TOP_LEVEL_KEYS};

const BEGIN: &str = "<!-- keys: begin -->\n";
const END: &str = "<!-- keys: end -->";

fn table(title: &str, keys: &[Key]) -> String {
    let mut text = format!("### {title}\n\n| key | compose dialect | laconic-so dialect |\n|---|---|---|\n");
    let mut keys = keys.to_vec();
    keys.sort_by_key(|key| (matches!(key.effect, Effect::None), key.name));
    for key in keys {
        let (here, there) = match key.effect {
            Effect::Both => (key.text.to_owned(), "honoured"),
            Effect::Compose => (key.text.to_owned(), "LAC111"),
            Effect::None => (format!("LAC111: {}", key.text), "LAC111"),
            Effect::Silent => (key.text.to_owned(), "nothing"),
        };
        // Writing into a `String` cannot fail.
        let _ = writeln!(text, "| `{}` | {here} | {there} |", key.name);
    }
    text
}

#[test]
fn the_book_lists_every_key_of_compose() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/compose.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let tables =
        [table("Of the file", TOP_LEVEL_KEYS), table("Of a service", SERVICE_KEYS), table("Of `deploy`", DEPLOY_KEYS)];
    let expected = format!("{before}{BEGIN}\n{}\n{END}{after}", tables.join("\n"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &expected).unwrap();
        return;
    }
    assert!(page == expected, "{} is not what the program does; UPDATE_GOLDEN=1 writes it anew", file.display());
}
