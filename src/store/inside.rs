//! Whether one place lies inside another, also where a part of the way does not exist yet or goes through links.

use std::path::{Component, Path, PathBuf};

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
