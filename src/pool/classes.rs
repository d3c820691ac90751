//! The class spaces of a run's scorers, and how classes of unlike spaces are compared.
//!
//! Where all voters share a space, a class is its index there. Where they do not, a class is a number that they have in
//! common: the place of the category that accepts it (of several the first), and beyond those one number for each class
//! of each space that no category accepts. So two scorers agree if they mean one category, or give one class of one
//! space.

use std::collections::BTreeMap;

use crate::config::space_of;
use crate::domain::{CategorySet, ClassSpace, RunSpec};

/// See the module.
pub struct Classes {
    spaces: BTreeMap<String, ClassSpace>,
    common: Option<Common>,
}

/// Numbers that the voters of one mining have in common.
struct Common {
    categories: usize,
    /// By space: the number of each class.
    numbers: BTreeMap<String, Vec<i32>>,
    /// The names of all numbers.
    names: Vec<String>,
}

impl Classes {
    /// Those of a run; `Err` with the name of a space that its spec lacks.
    pub fn of(spec: &RunSpec) -> Result<Self, String> {
        let mut spaces = BTreeMap::new();
        for scorer in &spec.mine.surrogates {
            if !spaces.contains_key(&scorer.space) {
                let space = space_of(spec, &scorer.space).ok_or_else(|| scorer.space.clone())?;
                spaces.insert(scorer.space.clone(), space);
            }
        }
        let common = match spec.shared_space() {
            Some(_) => None,
            None => Some(Common::of(spec, &spaces)),
        };
        Ok(Self { spaces, common })
    }

    /// A space by its name; `None` for one that no scorer of the run has.
    pub fn space(&self, name: &str) -> Option<&ClassSpace> {
        self.spaces.get(name)
    }

    /// Turns classes of the space `space` into the numbers by which voters are compared. -1 stays: it is no class.
    pub fn comparable(&self, space: &str, classes: &mut [i32]) {
        let Some(numbers) = self.common.as_ref().and_then(|common| common.numbers.get(space)) else { return };
        for class in classes {
            *class = usize::try_from(*class).ok().and_then(|at| numbers.get(at)).copied().unwrap_or(-1);
        }
    }

    /// The name of a class on which voters agree.
    pub fn agreed_name(&self, spec: &RunSpec, number: i32) -> String {
        let name = match &self.common {
            Some(common) => usize::try_from(number).ok().and_then(|at| common.names.get(at)).map(String::as_str),
            None => spec.shared_space().and_then(|name| self.space(name)).map(|space| space.class_name(number)),
        };
        name.unwrap_or("none").to_owned()
    }

    /// The number as tables have it: voters of unlike spaces share categories only.
    pub fn in_table(&self, number: i32) -> Option<i32> {
        match &self.common {
            Some(common) => usize::try_from(number).is_ok_and(|at| at < common.categories).then_some(number),
            None => Some(number),
        }
    }
}

impl Common {
    fn of(spec: &RunSpec, spaces: &BTreeMap<String, ClassSpace>) -> Self {
        let set: &CategorySet = &spec.categories;
        let mut names: Vec<String> = set.entries.iter().map(|category| category.name.clone()).collect();
        let mut numbers = BTreeMap::new();
        for (name, space) in spaces {
            let mut of_space = Vec::with_capacity(space.len());
            for (class, places) in space.places(set).into_iter().enumerate() {
                of_space.push(match places.first() {
                    Some(&place) => place as i32,
                    None => {
                        names.push(space.classes[class].clone());
                        names.len() as i32 - 1
                    }
                });
            }
            numbers.insert(name.clone(), of_space);
        }
        Self { categories: set.entries.len(), numbers, names }
    }
}
