//! Colours, and keeping foreign text from bringing its own.

use anstyle::{AnsiColor, Style};
use laconic_engine::plan::Action;

/// The colours of one stream, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    colored: bool,
}

impl Palette {
    /// A palette with colours, or without.
    #[must_use]
    pub const fn new(colored: bool) -> Self {
        Self { colored }
    }

    /// A palette without colours.
    #[must_use]
    pub const fn plain() -> Self {
        Self::new(false)
    }

    /// Whether there are colours.
    #[must_use]
    pub const fn is_colored(self) -> bool {
        self.colored
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.colored { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Danger, errors, destruction.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    /// Warnings, updates.
    #[must_use]
    pub fn warn(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default(), text)
    }

    /// Creation, success.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    /// Headings and hints.
    #[must_use]
    pub fn accent(self, text: &str) -> String {
        self.paint(AnsiColor::Cyan.on_default(), text)
    }

    /// What may be overlooked.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// What must not be overlooked.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// An action's symbol, right-aligned in three columns, in the action's colour.
    #[must_use]
    pub fn symbol(self, action: Action) -> String {
        let symbol = format!("{:>3}", action.symbol());
        match action {
            Action::Create => self.good(&symbol),
            Action::Update => self.warn(&symbol),
            Action::Delete | Action::Replace => self.bad(&symbol),
            Action::Import => self.accent(&symbol),
            Action::NoOp | Action::Forget => symbol,
        }
    }
}

/// Foreign text without characters that move the cursor, change colours or reverse the reading direction. Line feeds
/// and tabs stay.
#[must_use]
pub fn clean(text: &str) -> String {
    if !text.chars().any(is_unsafe) {
        return text.to_owned();
    }
    text.chars().map(|character| if is_unsafe(character) { char::REPLACEMENT_CHARACTER } else { character }).collect()
}

fn is_unsafe(character: char) -> bool {
    (character.is_control() && character != '\n' && character != '\t')
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `1 deployment`, `2 deployments`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_foreign_text_are_taken_out() {
        assert_eq!(clean("a\u{1b}[31mb\nc\u{202e}"), "a\u{fffd}[31mb\nc\u{fffd}");
    }

    #[test]
    fn symbols_are_right_aligned() {
        assert_eq!(Palette::plain().symbol(Action::Replace), "-/+");
        assert_eq!(Palette::plain().symbol(Action::Create), "  +");
    }
}
