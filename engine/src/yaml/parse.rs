//! Events to nodes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, options};

use super::merge;
use super::node::{Node, NodeKind, Style};
use crate::code::Code;
use crate::finding::Finding;
use crate::place::Place;

/// How deep collections may be nested.
pub const MAX_DEPTH: usize = 64;

/// How many nodes a file may have once its aliases are expanded: a few kilobytes of nested aliases can otherwise
/// stand for gigabytes.
pub const MAX_NODES: usize = 50_000;

/// The text of a file's bytes.
///
/// # Errors
/// A finding when they are not UTF-8 text.
pub fn decode_text<'b>(file: &Arc<str>, bytes: &'b [u8]) -> Result<&'b str, Box<Finding>> {
    let refuse = |message: &str, place: Place, help: &str| {
        Err(Box::new(Finding::new(Code::InvalidYaml, message).at(&place).help(help)))
    };
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        let help = "save the file as UTF-8";
        return refuse("the file is UTF-16, not UTF-8", Place::new(file, 1, 1, 1), help);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok());
            let place = place_at_end(file, before.unwrap_or_default());
            let help = "save the file as UTF-8; binary files do not belong here";
            refuse("the file is not UTF-8 text", place, help)
        }
    }
}

/// The place just after some text.
fn place_at_end(file: &Arc<str>, before: &str) -> Place {
    let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Place::new(file, small(line), small(column), 1)
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Reads one YAML document.
///
/// The node is `None` when the file is empty or the text is no YAML; what can be said about the part before a
/// mistake is said all the same.
#[must_use]
pub fn parse<'t>(file: &Arc<str>, text: &'t str) -> (Option<Node<'t>>, Vec<Finding>) {
    // A byte order mark is legal at the very start and says nothing.
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    if let Some(at) =
        text.find(|character: char| character.is_control() && !matches!(character, '\n' | '\r' | '\t' | '\u{85}'))
    {
        let finding = Finding::new(Code::InvalidYaml, "the file contains a control character, so it is no YAML text")
            .at(&place_at_end(file, text.get(..at).unwrap_or_default()))
            .help("remove the character, or write it escaped in double quotes, such as `\"\\x1b\"`");
        return (None, vec![finding]);
    }
    let mut builder =
        Builder { file, text, open: Vec::new(), root: None, anchors: HashMap::new(), nodes: 0, findings: Vec::new() };
    let is_whole = builder.run();
    let Builder { root, mut findings, .. } = builder;
    findings.sort_by(|a, b| a.place.cmp(&b.place));
    // A file that says `~`, or names nothing (`&anchor`), is as empty as one without a word.
    (root.filter(|root| is_whole && !root.is_null()), findings)
}

/// A collection whose end has not come yet.
struct Open<'t> {
    items: Items<'t>,
    anchor: usize,
    place: Place,
}

enum Items<'t> {
    Sequence(Vec<Node<'t>>),
    Mapping { entries: Vec<(Node<'t>, Node<'t>)>, key: Option<Node<'t>> },
}

/// Stops reading: what follows cannot be understood.
struct Stop;

struct Builder<'f, 't> {
    file: &'f Arc<str>,
    text: &'t str,
    open: Vec<Open<'t>>,
    root: Option<Node<'t>>,
    /// Finished anchored nodes with their node count and depth; `None` while one is still open.
    anchors: HashMap<usize, Option<(Node<'t>, usize, usize)>>,
    nodes: usize,
    findings: Vec<Finding>,
}

impl<'t> Builder<'_, 't> {
    /// Whether the whole document was understood.
    fn run(&mut self) -> bool {
        let parser_options = options! { emit_unresolved_aliases: true, emit_comments: false };
        let mut parser = Parser::new_from_str_with_options(self.text, parser_options);
        let mut documents = 0_usize;
        while let Some(next) = parser.next_event() {
            let (event, span) = match next {
                Ok(next) => next,
                Err(error) => {
                    let finding = self.syntax_error(&error);
                    self.findings.push(finding);
                    return false;
                }
            };
            if matches!(event, Event::DocumentStart(..)) {
                documents += 1;
                if documents > 1 {
                    let place = self.place(&span);
                    self.findings.push(
                        Finding::new(Code::InvalidYaml, "the file has more than one YAML document")
                            .at(&place)
                            .help("keep one document per file: remove the `---` and what does not belong here"),
                    );
                    return true;
                }
                continue;
            }
            if self.event(event, &span).is_err() {
                return false;
            }
        }
        true
    }

    fn event(&mut self, event: Event<'t>, span: &Span) -> Result<(), Stop> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let place = self.place(span);
                let is_text_tag = tag.as_ref().is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                if let Some(tag) = tag.as_deref().filter(|tag| tag.core_suffix().is_none() && tag.original() != "!") {
                    self.custom_tag(&tag.original(), &place);
                }
                let style = if style == ScalarStyle::Plain && !is_text_tag { Style::Plain } else { Style::Quoted };
                // Where nothing is written the parser says `~`.
                let text = if style == Style::Plain && span.is_empty() { Cow::Borrowed("") } else { text };
                self.finish(Node { kind: NodeKind::Scalar { text, style }, place }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let place = self.place(span);
                if let Some(tag) = tag.as_deref().filter(|tag| tag.core_suffix().is_none()) {
                    self.custom_tag(&tag.original(), &place);
                }
                self.start(Items::Sequence(Vec::new()), anchor, place)
            }
            Event::MappingStart(_, anchor, tag) => {
                let place = self.place(span);
                if let Some(tag) = tag.as_deref().filter(|tag| tag.core_suffix().is_none()) {
                    self.custom_tag(&tag.original(), &place);
                }
                self.start(Items::Mapping { entries: Vec::new(), key: None }, anchor, place)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => self.alias(id, span),
            Event::UnresolvedAlias(name) => {
                let place = self.place(span);
                self.findings.push(
                    Finding::new(Code::InvalidYaml, format!("alias `*{name}` has no anchor before it"))
                        .at(&place)
                        .help(format!("define `&{name}` above, or quote the value if the `*` is meant literally")),
                );
                self.finish(null(place), 0)
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, items: Items<'t>, anchor: usize, place: Place) -> Result<(), Stop> {
        if self.open.len() >= MAX_DEPTH {
            return Err(self.stop_too_deep(&place));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, None);
        }
        self.open.push(Open { items, anchor, place });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Stop> {
        let Some(Open { items, anchor, place }) = self.open.pop() else { return Ok(()) };
        let kind = match items {
            Items::Sequence(items) => NodeKind::Sequence(items),
            Items::Mapping { entries, .. } => NodeKind::Mapping(merge::tidy(entries, &mut self.findings)),
        };
        self.finish(Node { kind, place }, anchor)
    }

    fn alias(&mut self, id: usize, span: &Span) -> Result<(), Stop> {
        let place = self.place(span);
        match self.anchors.get(&id) {
            Some(Some((node, count, depth))) => {
                let (count, depth) = (*count, *depth);
                if self.nodes.saturating_add(count) > MAX_NODES {
                    return Err(self.stop_too_many(&place));
                }
                if self.open.len() + depth > MAX_DEPTH {
                    return Err(self.stop_too_deep(&place));
                }
                let node = node.clone();
                // `finish` counts the node itself.
                self.nodes += count - 1;
                self.finish(node, 0)
            }
            _ => {
                self.findings.push(
                    Finding::new(Code::InvalidYaml, "an alias inside the node that it stands for")
                        .at(&place)
                        .help("write out what is meant: a node cannot contain itself"),
                );
                self.finish(null(place), 0)
            }
        }
    }

    /// Puts a finished node where it belongs.
    fn finish(&mut self, node: Node<'t>, anchor: usize) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.stop_too_many(&node.place));
        }
        if anchor != 0 {
            let (count, depth) = (node.count(), node.depth());
            self.anchors.insert(anchor, Some((node.clone(), count, depth)));
        }
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.root = Some(node),
            Some(Items::Sequence(items)) => items.push(node),
            Some(Items::Mapping { entries, key }) => match key.take() {
                Some(key) if key.text().is_some() => entries.push((key, node)),
                Some(key) => self.findings.push(
                    Finding::new(Code::InvalidYaml, "a key is a list or a mapping")
                        .at(&key.place)
                        .help("keys are plain words; quote the key if it contains brackets or braces"),
                ),
                None => *key = Some(node),
            },
        }
        Ok(())
    }

    fn custom_tag(&mut self, tag: &str, place: &Place) {
        self.findings.push(
            Finding::new(Code::InvalidYaml, format!("tag `{tag}` has no meaning here"))
                .at(place)
                .help("remove the tag, or quote the value if the `!` is meant literally"),
        );
    }

    fn stop_too_deep(&mut self, place: &Place) -> Stop {
        self.findings.push(
            Finding::new(Code::InvalidYaml, format!("collections are nested more than {MAX_DEPTH} deep"))
                .at(place)
                .help("flatten the structure; no file that is read here needs more than ten levels"),
        );
        Stop
    }

    fn stop_too_many(&mut self, place: &Place) -> Stop {
        self.findings.push(
            Finding::new(
                Code::InvalidYaml,
                format!("the file has more than {MAX_NODES} values once its aliases are expanded"),
            )
            .at(place)
            .help(
                "write out what is needed instead of aliases of aliases, or move bulk data to a file under `config/`",
            ),
        );
        Stop
    }

    fn place(&self, span: &Span) -> Place {
        let (start, end) = (span.start, span.end);
        let length = if end.line() == start.line() {
            end.index().saturating_sub(start.index())
        } else {
            // A scalar over several lines is marked on its first one.
            let rest = start.byte_offset().and_then(|at| self.text.get(at..)).unwrap_or_default();
            rest.split(['\n', '\r']).next().unwrap_or_default().trim_end().chars().count()
        };
        Place::new(self.file, small(start.line()), small(start.col() + 1), small(length))
    }

    fn syntax_error(&self, error: &ScanError) -> Finding {
        let marker = error.marker();
        let mut place = Place::new(self.file, small(marker.line().max(1)), small(marker.col() + 1), 1);
        let (message, help) = explain(error.kind());
        if message.starts_with("a tab ") {
            // The parser marks the value before it; people look for the tab itself.
            let at = marker.byte_offset().unwrap_or_default();
            let tab = self.text.get(at..).and_then(|rest| rest.find('\t'));
            if let Some(before) = tab.and_then(|tab| self.text.get(..at + tab)) {
                place = place_at_end(self.file, before);
            }
        }
        let finding =
            Finding::new(Code::InvalidYaml, format!("the file is no valid YAML: {message}")).at(&place).help(help);
        match self.open.last() {
            Some(open) if open.place.line < place.line => finding.label(&open.place, "inside what starts here"),
            _ => finding,
        }
    }
}

fn null<'t>(place: Place) -> Node<'t> {
    Node { kind: NodeKind::Scalar { text: Cow::Borrowed(""), style: Style::Plain }, place }
}

/// What the parser's complaint means for the one who wrote the file, and what to do.
fn explain(kind: &ErrorKind) -> (String, &'static str) {
    let (message, help) = match kind {
        ErrorKind::TabInIndentation
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabNotAllowed
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => ("a tab where only spaces may indent", "indent with spaces"),
        ErrorKind::UnclosedQuotedScalar => ("a quoted text is not closed", "add the closing quote"),
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => {
            ("a `[` or `{` is not closed", "add the closing `]` or `}`, or quote the value")
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey | ErrorKind::ExpectedBlockMappingKey => {
            ("a `key: value` line was expected", "check the colon after the key and that siblings are indented alike")
        }
        ErrorKind::MappingValueNotAllowed | ErrorKind::MappingKeyNotAllowed | ErrorKind::InvalidColonPlacement => {
            ("a `:` stands where no key may be", "quote values that contain `: `, and check the indentation")
        }
        ErrorKind::ExpectedBlockSequenceEntry | ErrorKind::BlockSequenceEntryNotAllowed => {
            ("the list and what follows it do not line up", "indent all `-` of a list alike")
        }
        ErrorKind::UnknownQuotedScalarEscape => {
            ("an unknown escape in double quotes", "double the backslash, or use single quotes")
        }
        ErrorKind::RecursionLimitExceeded => ("collections are nested too deep", "flatten the structure"),
        other => {
            return (other.to_string(), "compare the line with its neighbours: indentation, colons, quotes");
        }
    };
    (message.to_owned(), help)
}
