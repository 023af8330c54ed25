//! The variables that every container gets.

use crate::code::{Code, Severity};
use crate::compile::ConfigVariable;
use crate::compose::secret_mark;
use crate::finding::Finding;
use crate::spec::{Scalar, ScalarKind, Spec, read_config_env};

/// Variables, and values to be generated: name, encoding, bytes.
pub(super) type Config = (Vec<ConfigVariable>, Vec<(String, String, u32)>);

/// What a variable stands for. Secret and generated ones are set, but their values are not known here.
pub(super) fn lookup<'c>(
    variables: &'c [ConfigVariable],
    generated: &'c [(String, String, u32)],
) -> impl Fn(&str) -> Option<String> + use<'c> {
    move |name| {
        let variable = variables.iter().find(|variable| variable.name == name).map(|variable| variable.value.clone());
        variable.or_else(|| generated.iter().any(|(generated, _, _)| generated == name).then(String::new))
    }
}

/// As [`lookup`], with a mark instead of blank for secret and generated values, so that the reader of a value knows.
pub(super) fn lookup_marked<'c>(
    variables: &'c [ConfigVariable],
    generated: &'c [(String, String, u32)],
) -> impl Fn(&str) -> Option<String> + use<'c> {
    move |name| match variables.iter().find(|variable| variable.name == name) {
        Some(variable) if variable.is_secret => Some(secret_mark(name)),
        Some(variable) => Some(variable.value.clone()),
        None => generated.iter().any(|(generated, _, _)| generated == name).then(|| secret_mark(name)),
    }
}

/// The `$generate:encoding:bytes$` values of `config:`.
pub(super) fn generated(spec: &Spec, findings: &mut Vec<Finding>) -> Vec<(String, String, u32)> {
    let mut generated = Vec::new();
    for (name, value) in &spec.config {
        let Some((encoding, digits)) = token(&value.value.text) else { continue };
        match digits.parse::<u32>() {
            Ok(bytes) if (1..=4096).contains(&bytes) => {
                // laconic-so takes every unknown word for hex.
                let encoding = if encoding == "base64" { "base64" } else { "hex" };
                generated.push((name.value.clone(), encoding.to_owned(), bytes));
            }
            _ => findings.push(
                Finding::new(Code::InvalidYaml, "a generated value must have from 1 to 4096 bytes")
                    .at(&value.place)
                    .help("write `$generate:hex:32$`"),
            ),
        }
    }
    generated
}

/// The first `$generate:WORD:DIGITS$` in a text.
fn token(text: &str) -> Option<(&str, &str)> {
    const START: &str = "$generate:";
    let mut rest = text;
    while let Some(at) = rest.find(START) {
        rest = rest.get(at + START.len()..)?;
        let (body, _) = rest.split_once('$')?;
        if let Some((word, digits)) = body.split_once(':')
            && !word.is_empty()
            && word.chars().all(|character| character.is_alphanumeric() || character == '_')
            && !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            return Some((word, digits));
        }
    }
    None
}

/// `config:` as the compose dialect takes it: exactly. Secrets come from the credentials part of config.env.
pub(super) fn exactly(spec: &Spec, from_file: Vec<ConfigVariable>) -> Vec<ConfigVariable> {
    let variables = spec
        .config
        .iter()
        .map(|(name, value)| ConfigVariable {
            name: name.value.clone(),
            value: value.value.text.clone(),
            is_secret: false,
            place: Some(name.place.clone()),
        })
        .collect();
    with_secrets(variables, from_file)
}

/// The variables with the secret ones of config.env put in.
pub(super) fn with_secrets(mut variables: Vec<ConfigVariable>, from_file: Vec<ConfigVariable>) -> Vec<ConfigVariable> {
    for secret in from_file.into_iter().filter(|variable| variable.is_secret) {
        match variables.iter_mut().find(|variable| variable.name == secret.name) {
            Some(variable) => *variable = secret,
            None => variables.push(secret),
        }
    }
    variables
}

/// `config:` as it arrives when laconic-so writes it to config.env and reads it back.
pub(super) fn as_laconic_so(spec: &Spec, findings: &mut Vec<Finding>) -> Vec<ConfigVariable> {
    let mut text = String::new();
    let mut entry_of_line = Vec::new();
    for (index, (name, value)) in spec.config.iter().enumerate() {
        if token(&value.value.text).is_some() {
            continue;
        }
        let line = format!("{}={}\n", name.value, python_text(&value.value));
        entry_of_line.extend(std::iter::repeat_n(index, line.matches('\n').count()));
        text.push_str(&line);
    }
    let (read, written_findings) = read_config_env(&spec.file, &text);
    let entry = |line: u32| {
        let index = usize::try_from(line.saturating_sub(1)).ok()?;
        spec.config.get(*entry_of_line.get(index)?)
    };
    findings.extend(written_findings.into_iter().map(|mut finding| {
        let line = finding.place.as_ref().map_or(0, |place| place.line);
        finding.place = entry(line).map(|(_, value)| value.place.clone());
        finding
    }));
    let mut variables = read.variables;
    for variable in &mut variables {
        let line = variable.place.as_ref().map_or(0, |place| place.line);
        variable.place = entry(line).map(|(name, _)| name.place.clone());
    }
    variables
}

/// How laconic-so prints a value of `config:`.
fn python_text(value: &Scalar) -> String {
    match value.kind {
        ScalarKind::Boolean if value.text.eq_ignore_ascii_case("true") => "True".to_owned(),
        ScalarKind::Boolean => "False".to_owned(),
        ScalarKind::Null => "None".to_owned(),
        ScalarKind::Integer | ScalarKind::Float | ScalarKind::Text => value.text.clone(),
    }
}

/// config.env is missing although the spec has variables.
pub(super) fn missing_file(spec: &Spec) -> Finding {
    let place = spec.config.first().map(|(name, _)| &name.place);
    let place = place.or_else(|| spec.credentials_files.first().map(|path| &path.place));
    Finding::new(Code::InvalidYaml, "`config.env` does not exist: containers get no variables from the spec")
        .at_maybe(place)
        .as_severity(Severity::Warning)
        .help("`laconic deploy create --update` writes it")
}
