//! A draft of a surrogate's TOML as text: comments say where values come from, `# ? …` what is still to be decided.

use crate::domain::{ChannelOrder, Crop, Draft, Geometry, Interpolation, Resize};

/// Columns of a comment.
const WIDTH: usize = 110;

/// The file.
pub fn text(draft: &Draft) -> String {
    let mut out = String::new();
    draft.about.iter().for_each(|line| comment(&mut out, "# ", line));
    for table in &draft.tables {
        if !table.name.is_empty() {
            out += &format!("\n[{}]\n", table.name);
        }
        for line in &table.lines {
            line.notes.iter().for_each(|note| comment(&mut out, "# ", note));
            line.questions.iter().for_each(|question| comment(&mut out, "# ? ", question));
            out += &format!("{} = {}\n", line.key, line.value);
        }
    }
    out
}

/// `text` in lines of at most [`WIDTH`] columns; what comes from files cannot end the comment.
fn comment(out: &mut String, start: &str, text: &str) {
    let mut line = start.to_owned();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if line.len() > start.len() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            *out += line.trim_end();
            out.push('\n');
            line = format!("#{}", " ".repeat(start.len() - 1));
        }
        if line.trim_start_matches(['#', '?', ' ']).is_empty() { line += word } else { line = format!("{line} {word}") }
    }
    *out += line.trim_end();
    out.push('\n');
}

/// A string of TOML.
pub fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A number of TOML that is read back as the same number.
pub fn number(number: f64) -> String {
    toml::Value::Float(number).to_string()
}

/// Three numbers, one for each channel.
pub fn numbers(all: &[f64; 3]) -> String {
    format!("[{}]", all.map(number).join(", "))
}

/// The value of `preprocess`.
pub fn preprocess(geometry: &Geometry) -> String {
    let resize = match geometry.resize {
        Resize::Shorter(px) => format!("{{ shorter = {px} }}"),
        Resize::Squash(px) => format!("{{ squash = {px} }}"),
        Resize::None => "\"none\"".to_owned(),
    };
    let antialias = if geometry.antialias { "" } else { ", antialias = false" };
    // Where nothing is spare, nothing is rounded.
    let has_spare = geometry.resize != Resize::Squash(geometry.crop_px);
    let crop = if geometry.crop == Crop::Floor && has_spare { ", crop = \"floor\"" } else { "" };
    let (filter, crop_px) = (filter(geometry.interpolation), geometry.crop_px);
    format!("{{ resize = {resize}, interpolation = \"{filter}\"{antialias}, crop_px = {crop_px}{crop} }}")
}

/// The name of a filter in recipes.
pub fn filter(interpolation: Interpolation) -> &'static str {
    match interpolation {
        Interpolation::Bilinear => "bilinear",
        Interpolation::Bicubic => "bicubic",
        Interpolation::Lanczos => "lanczos",
        Interpolation::Nearest => "nearest",
    }
}

/// The name of an order of channels in recipes.
pub fn channels(order: ChannelOrder) -> &'static str {
    match order {
        ChannelOrder::Rgb => "rgb",
        ChannelOrder::Bgr => "bgr",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DraftLine, DraftTable};

    #[test]
    fn what_files_say_stays_inside_comments_and_strings() {
        let line =
            DraftLine::new("key", quoted("a\"\nb = 1")).noting("said\nsection = 2").asking(["x\r\ny = 3".to_owned()]);
        let tables = vec![DraftTable { name: "input", lines: vec![line] }];
        let text = text(&Draft { about: vec!["word ".repeat(40)], tables });
        let read: toml::Table = text.parse().unwrap();
        assert_eq!(read.len(), 1, "{text}");
        assert_eq!(read["input"]["key"].as_str(), Some("a\"\nb = 1"));
        assert!(text.contains("# said section = 2\n# ? x y = 3\n"), "{text}");
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
    }

    #[test]
    fn numbers_are_read_back_as_the_same() {
        for value in [1.0 / 255.0, 0.485, 123.68, 1.0, 1e-9] {
            assert_eq!(number(value).parse::<toml::Value>().ok().and_then(|x| x.as_float()), Some(value));
        }
    }
}
