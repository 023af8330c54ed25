//! `laconic schema`: the JSON Schemas of the files that people write, and the reference page from the same table.

use laconic_engine::spec::schema::{LACONIC, SPEC, json_schema, reference_page};
use serde_json::Value;

use crate::args::SchemaFile;

/// The JSON Schema of a file.
#[must_use]
pub fn of(file: SchemaFile) -> Value {
    json_schema(match file {
        SchemaFile::Spec => &SPEC,
        SchemaFile::Laconic => &LACONIC,
    })
}

/// The reference page of spec.yml, in Markdown.
#[must_use]
pub fn spec_page() -> String {
    reference_page("Spec reference", "laconic spec-reference", &SPEC)
}
