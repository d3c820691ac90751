//! Finds a class by what a file calls it: its index, its id or its name.
//!
//! Holds always: a name that two classes have finds neither, because it would be given to the wrong one.

use std::collections::HashMap;

use crate::domain::ClassSpace;

/// What a column's name may have before the class's.
const PREFIXES: [&str; 6] = ["logit_", "logits_", "prob_", "probs_", "score_", "class_"];

/// The classes of a space by their names.
pub struct ClassNames {
    classes: usize,
    offset: usize,
    by_name: HashMap<String, Option<u32>>,
}

/// What a file's word for a class means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A class of the space.
    Class(u32),
    /// One of the extra classes in front.
    Extra,
}

impl ClassNames {
    /// Those of `space`, where a file has `offset` extra classes in front.
    pub fn of(space: &ClassSpace, offset: u32) -> Self {
        let mut by_name: HashMap<String, Option<u32>> = HashMap::with_capacity(2 * space.len());
        for (class, id) in space.ids.iter().enumerate() {
            by_name.insert(id.clone(), Some(class as u32));
        }
        for (class, name) in space.classes.iter().enumerate() {
            let known = by_name.entry(name.clone()).or_insert(Some(class as u32));
            if *known != Some(class as u32) {
                *known = None;
            }
        }
        Self { classes: space.len(), offset: offset as usize, by_name }
    }

    /// How many classes the space has.
    pub fn len(&self) -> usize {
        self.classes
    }

    /// How many numbers a row of all classes has.
    pub fn width(&self) -> usize {
        self.classes + self.offset
    }

    /// The class that a cell names.
    pub fn cell(&self, text: &str) -> Option<Named> {
        let text = text.trim();
        match self.by_name.get(text) {
            Some(class) => class.map(Named::Class),
            None => self.index(text.strip_suffix(".0").unwrap_or(text).parse().ok()?),
        }
    }

    /// An error if a number could be the name of one class and the index of another.
    pub fn unmistakable(&self) -> Result<(), String> {
        for (name, class) in &self.by_name {
            let index = name.parse().ok().and_then(|index| self.index(index));
            if let (Some(class), Some(other)) = (class, index)
                && other != Named::Class(*class)
            {
                return Err(format!(
                    "it names classes, but `{name}` is the name of class {class} and the index of another one in this \
                     class space: give the classes other names in their list, or write scores of all classes as lists"
                ));
            }
        }
        Ok(())
    }

    /// The class with this index in the file.
    pub fn index(&self, index: usize) -> Option<Named> {
        if index < self.offset {
            return Some(Named::Extra);
        }
        (index - self.offset < self.classes).then(|| Named::Class((index - self.offset) as u32))
    }

    /// The class that the name of a column means.
    pub fn column(&self, name: &str) -> Option<Named> {
        let found = self.cell(name);
        let short = || PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix));
        found.or_else(|| self.cell(short()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_class_is_found_by_index_id_and_name() {
        let texts = |all: [&str; 4]| all.map(str::to_owned).to_vec();
        let space = ClassSpace {
            name: "x".into(),
            sha256: None,
            classes: texts(["mug", "crane", "crane", "3"]),
            ids: texts(["n1", "n2", "n3", "n4"]),
            accepts: BTreeMap::new(),
        };
        let names = ClassNames::of(&space, 1);
        let classes = ["mug", " n3 ", "crane", "3", "1", "0", "5", "2.0", "-1", "x"].map(|text| names.cell(text));
        let class = |class| Some(Named::Class(class));
        assert_eq!(
            classes,
            [class(0), class(2), None, class(3), class(0), Some(Named::Extra), None, class(1), None, None]
        );
        assert_eq!((names.column("logit_4"), names.column("prob_mug"), names.width()), (class(3), class(0), 5));
    }
}
