//! The tests that docs/src/promises.md names are there.

use std::path::Path;

/// The `file` or `file::phrase` in backticks of the last column of each row.
fn named(table: &str) -> impl Iterator<Item = (&str, Vec<&str>)> {
    table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise")).map(|line| {
        let last = line.trim_end_matches(['|', ' ']).rsplit(" | ").next().unwrap();
        (line, last.split('`').skip(1).step_by(2).collect())
    })
}

#[test]
fn every_promise_names_a_test_that_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let table = std::fs::read_to_string(root.join("docs/src/promises.md")).unwrap();
    let mut count = 0;
    for (line, tests) in named(&table) {
        assert!(!tests.is_empty(), "no test is named: {line}");
        for test in tests {
            let (file, phrase) = test.split_once("::").unwrap_or((test, ""));
            let text = std::fs::read_to_string(root.join(file));
            let text = text.unwrap_or_else(|error| panic!("{file}: {error}, named in {line}"));
            assert!(text.contains(phrase), "{file} has no `{phrase}`, named in {line}");
        }
        count += 1;
    }
    assert!(count > 20, "the table was not read");
}
