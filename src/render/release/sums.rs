//! `SHA256SUMS`, as `sha256sum --check` reads it.
//!
//! Source: GNU coreutils, "md5sum invocation": a line whose file name has a backslash, a line feed or a carriage return
//! begins with a backslash, and these are written `\\`, `\n` and `\r`.

/// Lines `hash  path` for `files`, each (path, hexadecimal SHA-256), in the order of the paths' bytes.
pub fn sha256sums(files: &[(String, String)]) -> String {
    let mut files: Vec<_> = files.iter().collect();
    files.sort();
    files.iter().map(|(path, sha256)| line(path, sha256)).collect()
}

fn line(path: &str, sha256: &str) -> String {
    match path.contains(['\\', '\n', '\r']) {
        false => format!("{sha256}  {path}\n"),
        true => {
            let path = path.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
            format!("\\{sha256}  {path}\n")
        }
    }
}
