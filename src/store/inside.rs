//! Where one place lies to another: inside it, also where a part of the way does not exist yet or goes through links;
//! or beside it.

use std::path::{Component, Path, PathBuf};

/// The place beside `folder` for what is made of it: `<folder>-<what>`. The folder must exist if its path does not end
/// in a name, as `.` does not.
pub fn beside(folder: &Path, what: &str) -> PathBuf {
    let named = match folder.file_name() {
        Some(_) => folder.to_owned(),
        None => folder.canonicalize().unwrap_or_else(|_| folder.to_owned()),
    };
    with_end(&named, what)
}

/// The `number`-th place with that name, from 1: `<place>`, `<place>-2`, …
pub fn numbered(place: &Path, number: usize) -> PathBuf {
    if number == 1 { place.to_owned() } else { with_end(place, &number.to_string()) }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!("-{end}"));
    path.with_file_name(name)
}

/// Whether `out`, which need not exist yet, lies inside `folder`.
pub fn is_inside(folder: &Path, out: &Path) -> bool {
    let absolute = |path: &Path| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        // `a/../b`, also where there is no `a`.
        path.components().fold(PathBuf::new(), |mut plain, part| {
            match part {
                Component::ParentDir => drop(plain.pop()),
                part => plain.push(part),
            }
            plain
        })
    };
    let real = |path: &Path| {
        let path = absolute(path);
        let existing = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
        existing
            .map_or_else(|| path.clone(), |(above, real)| real.join(path.strip_prefix(above).unwrap_or(Path::new(""))))
    };
    real(out).starts_with(real(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_of_a_folder_lies_beside_it() {
        let check = |folder: &str, number, expected: &str| {
            assert_eq!(numbered(&beside(Path::new(folder), "release-1a"), number), Path::new(expected));
        };
        check("runs/q", 1, "runs/q-release-1a");
        check("runs/q/", 2, "runs/q-release-1a-2");
        check("/data/q.1", 3, "/data/q.1-release-1a-3");
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        let run = real.join("run");
        std::fs::create_dir_all(run.join("images")).unwrap();
        assert_eq!(beside(&run.join("images/.."), "x"), real.join("run-x"));
    }
}
