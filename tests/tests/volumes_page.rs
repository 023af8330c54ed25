//! The page on volumes shows what the program prints.

use std::path::Path;

/// Every block of the page that shows a command is in the output of the scenario that runs it. `UPDATE_GOLDEN=1` writes the
/// forecast into the page.
#[test]
fn the_page_on_volumes_shows_what_a_scenario_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let printed = std::fs::read_to_string(root.join("scenarios/forecast.out")).unwrap();
    let path = root.join("../docs/src/volumes.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("```console\n").expect("the page has a block");
    let (block, after) = rest.split_once("```\n").expect("the block ends");
    let command = "$ laconic plan --dir shop --forecast\n";
    let output = printed.split(command).nth(1).expect("the scenario runs it");
    let start = output.find("Forecast, whatever may happen:").expect("it prints the table");
    let table = output[start..].split("\n\n").next().unwrap_or_default();
    let expected = format!("{command}…\n{table}\n");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, format!("{before}```console\n{expected}```\n{after}")).unwrap();
        return;
    }
    assert_eq!(block, expected, "UPDATE_GOLDEN=1 writes it");
    assert!(!after.contains("```console"), "a block that nobody runs");
}
