//! Cuts what an error quotes from a file: a line of a minified file, or a value, may have megabytes.
//!
//! Holds always: the words around a quotation stay, and so does the place that a caret points at.

/// Longest quotation, in characters.
const LONGEST: usize = 200;
/// Longest part of a word outside a quotation, in characters. Paths may have thousands, but no name in one has more.
const LONGEST_NAME: usize = 255;
/// What a quotation stands between.
const MARKS: [char; 2] = ['`', '"'];
/// Characters of a cut line before the place that a caret points at.
const BEFORE: usize = 80;

/// The message with long quotations cut.
pub fn shortened(message: &str) -> String {
    let mut shown = Vec::new();
    let mut lines = message.lines().peekable();
    while let Some(line) = lines.next() {
        let caret = lines.peek().copied().and_then(caret);
        match (excerpt(line), caret) {
            (Some((gutter, code)), Some(column)) if code.chars().count() > LONGEST => {
                let start = column.saturating_sub(BEFORE);
                shown.push(format!("{gutter}{}", window(code, start)));
                let blank = " ".repeat(column - start + usize::from(start > 0));
                shown.push(format!("{}{blank}^", " ".repeat(gutter.len() - 2) + "| "));
                lines.next();
            }
            (Some((gutter, code)), _) => shown.push(format!("{gutter}{}", window(code, 0))),
            (None, _) => shown.push(without_long_quotes(line)),
        }
    }
    shown.join("\n")
}

/// The number and the text of a line that an error shows: `12 | text`.
fn excerpt(line: &str) -> Option<(&str, &str)> {
    let bar = line.find("| ")?;
    let number = line[..bar].trim();
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| line.split_at(bar + 2))
}

/// The column that a line of blanks and carets points at, from 0.
fn caret(line: &str) -> Option<usize> {
    let (gutter, carets) = line.split_once('|')?;
    let points = carets.trim_start().starts_with('^') && carets.chars().all(|c| c == ' ' || c == '^');
    (gutter.trim().is_empty() && points).then(|| carets.find('^').unwrap_or(1).saturating_sub(1))
}

/// At most [`LONGEST`] characters from `start` on.
fn window(text: &str, start: usize) -> String {
    let kept: String = text.chars().skip(start).take(LONGEST).collect();
    let (before, after) = (start > 0, text.chars().count() > start + LONGEST);
    format!("{}{kept}{}", if before { "…" } else { "" }, if after { "…" } else { "" })
}

/// The line with what stands between two equal marks cut, if it is long.
fn without_long_quotes(line: &str) -> String {
    let mut shown = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(MARKS) {
        let (before, quoted) = rest.split_at(start);
        let mark = quoted.chars().next().unwrap_or_default();
        let Some(end) = quoted[1..].find(mark) else { break };
        shown += &without_long_words(before);
        shown.push(mark);
        shown += &cut(&quoted[1..=end], LONGEST);
        shown.push(mark);
        rest = &quoted[end + 2..];
    }
    shown + &without_long_words(rest)
}

fn without_long_words(text: &str) -> String {
    text.split_inclusive([' ', '/']).map(|name| cut(name, LONGEST_NAME)).collect()
}

/// The text without its middle, if it has more than `longest` characters.
fn cut(text: &str, longest: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= longest {
        return text.to_owned();
    }
    let (head, tail) = (longest - BEFORE, BEFORE);
    let first: String = chars[..head].iter().collect();
    let last: String = chars[chars.len() - tail..].iter().collect();
    format!("{first}…{last}")
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn short_messages_stay_as_they_are() {
        let toml = "a.toml: TOML parse error at line 12, column 3\n   |\n12 | nam = 1\n   | ^^^\nunknown field `nam`";
        for message in ["no", toml, "`x` is \"y\"; write `z`"] {
            assert_eq!(shortened(message), message);
        }
    }

    #[test]
    fn a_long_line_is_cut_around_the_place_of_the_error() {
        let line = format!("x = \"{}\" !{}", "é".repeat(5000), "b".repeat(5000));
        let message = format!("error at line 7\n  |\n7 | {line}\n  | {}^\nunexpected `!`", " ".repeat(5007));
        let shown = shortened(&message);
        assert!(shown.chars().count() < 600, "{shown}");
        let lines: Vec<&str> = shown.lines().collect();
        let at = lines[3].chars().position(|c| c == '^').unwrap();
        assert_eq!(lines[2].chars().nth(at), Some('!'), "{shown}");
        assert_eq!((lines[0], lines[4]), ("error at line 7", "unexpected `!`"));
        assert!(shortened(&format!("1 | {line}")).chars().count() < 300, "without a caret");
    }

    #[test]
    fn a_long_value_is_cut_and_what_follows_it_stays() {
        let shown =
            shortened(&format!("a.toml: `version` is `{}`, which is no version; write 1.0.0", "9".repeat(10_000)));
        assert!(shown.chars().count() < 400 && shown.ends_with("`, which is no version; write 1.0.0"), "{shown}");
        assert!(shown.starts_with("a.toml: `version` is `999"), "{shown}");
        assert!(shortened(&"a".repeat(100_000)).chars().count() < 300);
        let path = ["folder"; 500].join("/");
        assert_eq!(shortened(&path), path);
        let prose = format!("`a` failed: {}and \"b\" too, and an odd ` mark", "word ".repeat(100));
        assert_eq!(shortened(&prose), prose);
    }
}
