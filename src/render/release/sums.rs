//! `SHA256SUMS`, as `sha256sum --check` reads it.
//!
//! Source: GNU coreutils, "md5sum invocation": a line whose file name has a backslash, a line feed or a carriage return
//! begins with a backslash, and these are written `\\`, `\n` and `\r`.

use std::collections::BTreeMap;

/// Lines `hash  path` for `files`, each (path, hexadecimal SHA-256), in the order of the paths' bytes.
pub fn sha256sums(files: &[(String, String)]) -> String {
    let mut files: Vec<_> = files.iter().collect();
    files.sort();
    files.iter().map(|(path, sha256)| line(path, sha256)).collect()
}

fn line(path: &str, sha256: &str) -> String {
    if !path.contains(['\\', '\n', '\r']) {
        return format!("{sha256}  {path}\n");
    }
    let path = path.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
    format!("\\{sha256}  {path}\n")
}

/// The files that `text` lists, with their hexadecimal SHA-256, and the number of lines that are not valid.
///
/// A path that is absolute or leads out of the folder is not valid.
pub fn read_sums(text: &str) -> (BTreeMap<String, String>, usize) {
    let mut files = BTreeMap::new();
    let mut unread = 0;
    for line in text.lines() {
        match read_line(line) {
            Some((path, sha256)) => drop(files.insert(path, sha256)),
            None => unread += 1,
        }
    }
    (files, unread)
}

fn read_line(line: &str) -> Option<(String, String)> {
    let (escaped, line) = line.strip_prefix('\\').map_or((false, line), |line| (true, line));
    let (sha256, path) = line.split_once("  ")?;
    let path = if escaped { unescaped(path)? } else { path.to_owned() };
    let is_hash = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit());
    let stays_inside = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    (is_hash && stays_inside).then(|| (path, sha256.to_ascii_lowercase()))
}

fn unescaped(path: &str) -> Option<String> {
    let mut chars = path.chars();
    let mut out = String::with_capacity(path.len());
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next()? {
                '\\' => '\\',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            c => c,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read_as_they_are_written() {
        let hash = "ab".repeat(32);
        let files = ["data/a.parquet", "a \\\n\rb", "*c "].map(|path| (path.to_owned(), hash.clone()));
        assert_eq!(read_sums(&sha256sums(&files)), (files.into_iter().collect(), 0));
    }

    #[test]
    fn paths_that_lead_out_and_other_lines_are_counted() {
        let hash = "ab".repeat(32);
        for line in ["", "x", "ab  c", &format!("{hash}  ../c"), &format!("{hash}  /etc/c"), &format!("{hash} c")] {
            assert_eq!(read_sums(&format!("{line}\n")), (BTreeMap::new(), 1), "{line}");
        }
    }
}
