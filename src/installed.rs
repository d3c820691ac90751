//! What an installation by pip has beside the program: the Python that it belongs to, and the quick start's files.
//!
//! Does not read any of them. Holds always: what is beside this program comes first, never the current folder, because
//! a program started by its full path (by Slurm, by a notebook) must find the same things. Only where there is no
//! Python beside it, as in a checkout, is it the one of `PATH`.

use std::path::{Path, PathBuf};

/// The Python beside this program (`<environment>/bin/python3`), else `python3` on the `PATH`.
pub fn python() -> PathBuf {
    let beside = |program: PathBuf| python_in(program.parent()?);
    std::env::current_exe().ok().and_then(beside).unwrap_or_else(|| PathBuf::from("python3"))
}

/// `<prefix>/share/hardset`, where a wheel puts `pipelines/`, `nuisances/` and `models/`; nothing in a checkout.
pub fn share() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let share = program.parent()?.parent()?.join("share").join("hardset");
    share.is_dir().then_some(share)
}

/// The Python in a folder of programs.
fn python_in(folder: &Path) -> Option<PathBuf> {
    ["python3", "python", "python.exe"].iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_python_of_an_environment_is_the_one_beside_the_program() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(python_in(folder.path()), None);
        for name in ["python", "python3"] {
            std::fs::write(folder.path().join(name), "").unwrap();
            assert_eq!(python_in(folder.path()), Some(folder.path().join(name)));
        }
    }

    #[test]
    fn a_program_in_a_checkout_takes_the_python_of_the_path_and_shares_nothing() {
        assert_eq!(python(), Path::new("python3"));
        assert_eq!(share(), None);
    }
}
