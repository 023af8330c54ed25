use std::fmt::Write as _;
use std::sync::Arc;

use super::*;
use crate::code::Code;
use crate::finding::Finding;
use crate::spec::ScalarKind;

fn read(text: &str) -> (Option<Node<'_>>, Vec<Finding>) {
    parse(&Arc::from("spec.yml"), text)
}

fn clean(text: &str) -> Node<'_> {
    let (node, findings) = read(text);
    assert_eq!(findings, [], "{text}");
    node.unwrap()
}

fn position(node: &Node<'_>) -> (u32, u32, u32) {
    (node.place.line, node.place.column, node.place.length)
}

#[test]
fn plain_scalars_resolve_strictly() {
    use ScalarKind::{Boolean, Float, Integer, Null, Text};
    let table = [
        ("no", Text),
        ("yes", Text),
        ("on", Text),
        ("y", Text),
        ("0755", Text),
        ("1_000", Text),
        ("00", Text),
        ("1:30", Text),
        ("2Gi", Text),
        ("1.2.3", Text),
        ("-", Text),
        (".", Text),
        ("1e", Text),
        ("+", Text),
        ("0x", Text),
        ("0o8", Text),
        ("truE", Text),
        ("01.5", Text),
        ("2024-01-01", Text),
        ("true", Boolean),
        ("False", Boolean),
        ("TRUE", Boolean),
        ("0", Integer),
        ("-12", Integer),
        ("+3", Integer),
        ("0x1F", Integer),
        ("0o17", Integer),
        ("1.5", Float),
        ("-.5", Float),
        ("1e3", Float),
        ("1.", Float),
        (".inf", Float),
        ("-.INF", Float),
        (".nan", Float),
        ("~", Null),
        ("null", Null),
        ("", Null),
        ("NULL", Null),
    ];
    for (text, kind) in table {
        assert_eq!(resolve(text), kind, "{text:?}");
    }
    let node = clean("a: no\nb: \"1\"\nc: 0755\nd: 'null'\ne: |\n  5\nf: !!str 7\n");
    for key in ["a", "b", "c", "d", "e", "f"] {
        assert_eq!(node.get(key).unwrap().scalar_kind(), Some(Text), "{key}");
    }
    assert_eq!(parse_integer("0x1F"), Some(31));
    assert_eq!(parse_float("-1.5e1"), Some(-15.0));
    assert_eq!(parse_float("0755"), None);
}

#[test]
fn nothing_written_is_null_and_empty() {
    let node = clean("a:\nb: ~\nc: ''\n");
    assert!(node.get("a").unwrap().is_null());
    assert_eq!(node.get("a").unwrap().text(), Some(""));
    assert!(node.get("b").unwrap().is_null());
    assert!(!node.get("c").unwrap().is_null());
    assert_eq!(read("").0, None);
    assert_eq!(read("# only a comment\n"), (None, vec![]));
}

#[test]
fn places_count_characters() {
    let node = clean("grüße: \"wörld\" # ☕\nlist:\n  - 日本: x\n");
    assert_eq!(position(node.get("grüße").unwrap()), (1, 8, 7));
    let NodeKind::Sequence(items) = &node.get("list").unwrap().kind else { panic!() };
    assert_eq!(position(items[0].get("日本").unwrap()), (3, 9, 1));
}

#[test]
fn places_survive_crlf_bom_and_folding() {
    let node = clean("\u{FEFF}a: b\r\nlong: one\r\n  two\r\nc: \"d\"\r\n");
    assert_eq!(position(node.get("a").unwrap()), (1, 4, 1));
    assert_eq!(node.get("long").unwrap().text(), Some("one two"));
    assert_eq!(position(node.get("long").unwrap()), (2, 7, 3));
    assert_eq!(position(node.get("c").unwrap()), (4, 4, 3));
}

#[test]
fn all_duplicates_are_reported_with_the_first() {
    let (node, findings) = read("a: 1\nb: 2\na: 3\nc:\n  x: 1\n  x: 2\na: 4\n");
    let lines: Vec<_> = findings.iter().map(|finding| finding.place.as_ref().unwrap().line).collect();
    assert_eq!(lines, [3, 6, 7]);
    assert_eq!(findings[0].labels[0].place.line, 1);
    assert_eq!(findings[1].labels[0].place.line, 5);
    assert!(findings.iter().all(|finding| finding.code == Code::InvalidYaml));
    assert_eq!(node.unwrap().get("a").unwrap().text(), Some("1"));
    assert_eq!(read("a: 1\nA: 2\n").1, []);
}

#[test]
fn duplicates_in_large_mappings_are_found() {
    let mut text = String::new();
    for index in 0..100 {
        writeln!(text, "k{index}: {index}").unwrap();
    }
    assert_eq!(read(&text).1, []);
    text.push_str("k7: again\n");
    let findings = read(&text).1;
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].labels[0].place.line, 8);
}

#[test]
fn merges_are_resolved() {
    let node = clean(
        "d: &d {a: 1, b: 2}\ne: &e {b: 3, c: 4}\none: {<<: *d, b: 9}\nmany:\n  <<: [*d, *e]\n  a: 0\nlit: {'<<': 5}\n",
    );
    let texts = |key: &str| match &node.get(key).unwrap().kind {
        NodeKind::Mapping(entries) => {
            entries.iter().map(|(k, v)| format!("{}={}", k.text().unwrap(), v.text().unwrap())).collect::<Vec<_>>()
        }
        _ => panic!(),
    };
    assert_eq!(texts("one"), ["a=1", "b=9"]);
    assert_eq!(texts("many"), ["b=2", "c=4", "a=0"]);
    assert_eq!(texts("lit"), ["<<=5"]);
    assert_eq!(read("a: {<<: 5}\n").1.len(), 1);
}

#[test]
fn aliases_are_expanded_and_missing_ones_named() {
    let node = clean("a: &x [1, 2]\nb: *x\n");
    assert_eq!(node.get("a"), node.get("b"));
    let (_, findings) = read("a: *nope\nb: *gone\n");
    assert_eq!(findings.len(), 2);
    assert!(findings[0].message.contains("*nope"));
    assert_eq!(read("a: &a [*a]\n").1.len(), 1);
}

#[test]
fn a_bomb_stops_early() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..20 {
        let before = level - 1;
        writeln!(text, "a{level}: &a{level} [*a{before}, *a{before}, *a{before}, *a{before}, *a{before}, *a{before}, *a{before}, *a{before}]").unwrap();
    }
    let (node, findings) = read(&text);
    assert_eq!(node, None);
    assert_eq!(findings.len(), 1);
    assert!(findings[0].message.contains("50000"), "{}", findings[0].message);
    assert!(!findings[0].help.is_empty());
    let mut merges = String::from("a0: &a0 {k: v}\n");
    for level in 1..40 {
        writeln!(merges, "a{level}: &a{level} {{x: *a{}, y: *a{}}}", level - 1, level - 1).unwrap();
    }
    assert_eq!(read(&merges).0, None);
}

#[test]
fn deep_nesting_is_refused() {
    for open in ["[", "{a: "] {
        let text = open.repeat(10_000);
        let (node, findings) = read(&text);
        assert_eq!(node, None);
        assert_eq!(findings.len(), 1, "{findings:?}");
    }
    let fits = format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
    assert_eq!(read(&fits).1, []);
    let too_deep = format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
    assert_eq!(read(&too_deep).1.len(), 1);
    let mut block = String::new();
    for level in 0..500 {
        writeln!(block, "{}a:", " ".repeat(level)).unwrap();
    }
    assert_eq!(read(&block).0, None);
}

#[test]
fn junk_is_an_error_with_a_place_and_a_way_out() {
    let table = [
        ("a: b\n\tc: d\n", 2),
        ("a: 'open\n", 1),
        ("a: [1, 2\nb: 3\n", 1),
        ("a: b: c\n", 1),
        ("a\0b", 1),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: \"\\q\"\n", 1),
        ("a: 1\n b: 2\n", 2),
        ("a: !env x\n", 1),
        ("[a]: 1\n", 1),
        ("k: &", 1),
        ("k: *", 1),
        ("%YAML 9.9\n---\na", 1),
        ("- a\nb: c\n", 2),
        ("}", 1),
        ("@x", 1),
        ("a: \u{1b}[31m", 1),
    ];
    for (text, line) in table {
        let (_, findings) = read(text);
        assert!(!findings.is_empty(), "{text:?}");
        for finding in &findings {
            assert_eq!(finding.code, Code::InvalidYaml, "{text:?}");
            assert!(!finding.help.is_empty(), "{text:?}");
            assert!(finding.place.as_ref().unwrap().line >= line, "{text:?} {finding:?}");
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_an_error() {
    let file: Arc<str> = Arc::from("spec.yml");
    assert_eq!(decode_text(&file, "a: ü".as_bytes()), Ok("a: ü"));
    let finding = decode_text(&file, b"a: b\nx\xff").unwrap_err();
    let place = finding.place.unwrap();
    assert_eq!((place.line, place.column), (2, 2));
    assert!(decode_text(&file, b"\xff\xfea\0").unwrap_err().message.contains("UTF-16"));
    for seed in 0..200_u32 {
        let bytes: Vec<u8> =
            (0..64).map(|index| (seed.wrapping_mul(2_654_435_761).wrapping_add(index * 40_503) >> 13) as u8).collect();
        let text = String::from_utf8_lossy(&bytes);
        let _ = read(&text);
        let printable: String = bytes
            .iter()
            .map(|byte| "[]{}:,-#&*!|>'\"%@` \nab0\t?".as_bytes()[usize::from(*byte) % 25] as char)
            .collect();
        let _ = read(&printable);
    }
}

#[test]
fn mistakes_before_a_syntax_error_are_reported_too() {
    let (node, findings) = read("a: {x: 1, x: 2}\nb: 'open\n");
    assert_eq!(node, None);
    assert_eq!(findings.len(), 2);
}

#[test]
fn the_decoder_says_what_was_expected() {
    let (node, _) = read("s: [1]\nb: maybe\nn: -1\nbig: 70000\nl: {}\nm: []\nt: true\nok: 5\n");
    let node = node.unwrap();
    let get = |key: &str| node.get(key).unwrap();
    let mut decoder = Decoder::default();
    assert_eq!(decoder.string("s", get("s")), None);
    assert_eq!(decoder.truth("b", get("b")), None);
    assert_eq!(decoder.whole_number("n", get("n"), 0, 65535), None);
    assert_eq!(decoder.whole_number("big", get("big"), 0, 65535), None);
    assert!(decoder.items("l", get("l")).is_empty());
    assert!(decoder.entries("m", get("m")).is_empty());
    assert_eq!(decoder.string("t", get("t")), None);
    let messages: Vec<_> = decoder.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "`s` must be text, not a list",
            "`b` must be `true` or `false`, not text",
            "`n` must be from 0 to 65535",
            "`big` must be from 0 to 65535",
            "`l` must be a list, not a mapping",
            "`m` must be a mapping, not a list",
            "`t` must be text, not a boolean",
        ]
    );
    assert_eq!(decoder.string("ok", get("ok")).unwrap().value, "5");
}

#[test]
fn the_nearest_word_is_offered_only_when_near() {
    let known = ["namespace", "volumes", "kube-config", "stack"];
    assert_eq!(nearest("namepsace", &known), Some("namespace"));
    assert_eq!(nearest("kube_config", &known), Some("kube-config"));
    assert_eq!(nearest("volume", &known), Some("volumes"));
    assert_eq!(nearest("privileged", &known), None);
}

#[test]
fn a_file_that_holds_nothing_is_empty() {
    for text in ["", "# only this\n", "~", "null\n", "&a", "&?", "---\n...\n"] {
        let (node, findings) = parse(&"f.yml".into(), text);
        assert!(node.is_none() && findings.is_empty(), "{text:?}: {node:?} {findings:?}");
    }
    let (spec, findings) = crate::spec::read_spec(&"spec.yml".into(), "&?");
    assert!(spec.stack.is_none() && crate::finding::has_errors(&findings), "{findings:?}");
}
