//! Commands and entrypoints: how a string becomes words.

/// Splits a string as a POSIX shell would, without expanding anything. An unclosed quote ends with the text.
pub(super) fn shell_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '#' if word.is_none() => {
                // A comment reaches to the end of the line.
                for skipped in characters.by_ref() {
                    if skipped == '\n' {
                        break;
                    }
                }
            }
            '\\' => match characters.next() {
                // A backslash before a line's end joins the lines.
                Some('\n') | None => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
            },
            '\'' => {
                let word = word.get_or_insert_default();
                word.extend(characters.by_ref().take_while(|&quoted| quoted != '\''));
            }
            '"' => {
                let word = word.get_or_insert_default();
                double_quoted(&mut characters, word);
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

/// Within double quotes a backslash escapes only what would otherwise mean something there.
fn double_quoted(characters: &mut std::str::Chars<'_>, word: &mut String) {
    while let Some(character) = characters.next() {
        match character {
            '"' => return,
            '\\' => match characters.next() {
                Some('\n') => {}
                Some(escaped @ ('"' | '\\' | '$' | '`')) => word.push(escaped),
                Some(other) => {
                    word.push('\\');
                    word.push(other);
                }
                None => word.push('\\'),
            },
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::shell_words;

    #[test]
    fn words_are_split_as_a_shell_would() {
        assert_eq!(shell_words(r#"echo "hello world" 'a b'"#), ["echo", "hello world", "a b"]);
        assert_eq!(shell_words(r#"a\ b "c\"d" 'e\f' g"h"'i'"#), ["a b", "c\"d", "e\\f", "ghi"]);
        assert_eq!(shell_words("a '' \"\" b"), ["a", "", "", "b"]);
        assert_eq!(shell_words("a # comment\nb#c"), ["a", "b#c"]);
        assert_eq!(shell_words("a \\\n b"), ["a", "b"]);
        assert_eq!(shell_words(r#""a\nb""#), ["a\\nb"]);
        assert!(shell_words("  ").is_empty());
    }
}
