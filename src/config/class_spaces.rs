//! Lists of classes, and which of their classes count as right for each category.
//!
//! A list is a TOML (`classes = ["cat", …]`, or `{ id, name }` for each), a text with a name in each line, or a JSON:
//! an array of names, or an object by index, as `id2label` of a model's config.json and Keras's class index are.
//!
//! Holds always: a class that a file names is one class, because a name that two classes have would be given to either;
//! ImageNet's words, which repeat `crane` and `maillot`, are told apart by their WordNet ids.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use super::ConfigError;
use super::lookup::{self, TomlFile, real_path};
use crate::domain::{CATEGORIES, Category, CategorySet, ClassRef, ClassSpace, IMAGENET_1K, RunSpec, Sha256};

const FOLDER: &str = "class-spaces";
/// Categories that are named in a message.
const NAMED: usize = 3;

/// The class space that a TOML names.
#[derive(Debug, Clone, PartialEq)]
pub enum SpaceRef {
    /// The categories of the recipe.
    Categories,
    /// A list.
    List(ClassList),
}

/// A list of classes.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassList {
    /// The stem of the file's name.
    pub name: String,
    /// The file, for messages.
    pub file: String,
    /// Hash of the file.
    pub sha256: Sha256,
    classes: Vec<Class>,
    accepts: BTreeMap<String, Vec<ClassRef>>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Class {
    Name(String),
    Id { id: String, name: String },
}

impl Class {
    fn name(&self) -> &str {
        match self {
            Self::Name(name) | Self::Id { name, .. } => name,
        }
    }

    /// What no other class may have: the id, else the name.
    fn key(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Id { id, .. } => id,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawList {
    classes: Vec<Class>,
    /// Accepted classes of a category, for lists that come to a run after its categories.
    #[serde(default)]
    accepts: BTreeMap<String, Vec<ClassRef>>,
}

/// Reads and checks the space `name`, which the file `file` in folder `from` names.
pub fn load(name: &str, from: &Path, file: &str) -> Result<SpaceRef, ConfigError> {
    if name == CATEGORIES {
        return Ok(SpaceRef::Categories);
    }
    let is_path = [".txt", ".json"].iter().any(|end| name.ends_with(end));
    let found = if is_path { TomlFile::read(&from.join(name))? } else { lookup::find(FOLDER, name, from, file)? };
    let list = parse(&found)?;
    if [CATEGORIES, IMAGENET_1K].contains(&list.name.as_str()) && list.classes != IMAGENET.classes {
        let problem = format!("is called {}, which is the name of another space; rename the file", list.name);
        return Err(ConfigError::value(&list.file, "(file name)", problem));
    }
    Ok(SpaceRef::List(list))
}

/// The space of ImageNet-1k.
pub fn imagenet() -> SpaceRef {
    SpaceRef::List(IMAGENET.clone())
}

static IMAGENET: LazyLock<ClassList> = LazyLock::new(|| {
    let found = lookup::find(FOLDER, IMAGENET_1K, Path::new("/"), "hardset");
    let empty = || ClassList {
        name: IMAGENET_1K.to_owned(),
        file: String::new(),
        sha256: Sha256::of(b""),
        classes: Vec::new(),
        accepts: BTreeMap::new(),
    };
    found.and_then(|found| parse(&found)).unwrap_or_else(|_| empty())
});

/// Readable names of ImageNet-1k's classes, by index.
pub fn class_names() -> Vec<&'static str> {
    IMAGENET.classes.iter().map(Class::name).collect()
}

/// Index of each class of ImageNet-1k by its WordNet id (`n01440764` -> 0).
pub fn wordnet_ids() -> BTreeMap<&'static str, u32> {
    IMAGENET.classes.iter().zip(0..).map(|(class, index)| (class.key(), index)).collect()
}

/// The class space `name` of a run; `None` for a list that its spec does not have.
pub fn space_of(spec: &RunSpec, name: &str) -> Option<ClassSpace> {
    match name {
        IMAGENET_1K => Some(ClassSpace::imagenet(IMAGENET.names(), IMAGENET.ids(), &spec.categories)),
        other => spec.other_space(other),
    }
}

fn parse(found: &TomlFile) -> Result<ClassList, ConfigError> {
    let extension = Path::new(&found.file).extension().unwrap_or_default();
    let raw = match extension.to_str() {
        Some("txt") => RawList { classes: lines(found)?, accepts: BTreeMap::new() },
        Some("json") => RawList { classes: json(found)?, accepts: BTreeMap::new() },
        _ => found.parse()?,
    };
    let RawList { classes, accepts } = raw;
    let sha256 = Sha256::of(found.text.as_bytes());
    let list = ClassList { name: name_of(found), file: found.file.clone(), sha256, classes, accepts };
    list.check()?;
    Ok(list)
}

/// The stem of the file; of a `config.json`, which all models have, the name of its folder.
fn name_of(found: &TomlFile) -> String {
    let folder = real_path(&found.dir);
    match folder.file_name() {
        Some(folder) if found.stem == "config" => folder.to_string_lossy().into_owned(),
        _ => found.stem.clone(),
    }
}

fn lines(found: &TomlFile) -> Result<Vec<Class>, ConfigError> {
    let text = found.text.trim_start_matches('\u{feff}').trim_end();
    let mut classes = Vec::new();
    for (line, name) in text.lines().enumerate() {
        if name.trim().is_empty() {
            let problem = format!("is empty in line {}; each line is one class, in the order of the scores", line + 1);
            return Err(ConfigError::value(&found.file, "(class)", problem));
        }
        classes.push(Class::Name(name.trim().to_owned()));
    }
    Ok(classes)
}

fn json(found: &TomlFile) -> Result<Vec<Class>, ConfigError> {
    let message = |problem: String| ConfigError::Toml { file: found.file.clone(), message: problem };
    let value: Value = serde_json::from_str(&found.text).map_err(|error| message(format!("is not JSON: {error}")))?;
    let wrong = |at: &str| {
        message(format!(
            "class {at} is neither a name nor [id, name]; write an array of names, or an object by index, such as \
             id2label of a config.json"
        ))
    };
    let of_model = value.get("id2label").or_else(|| value.get("label_names")).cloned();
    let value = of_model.unwrap_or(value);
    let in_order: Vec<Value> = match value {
        Value::Array(classes) => classes,
        Value::Object(by_index) => {
            let mut classes = vec![Value::Null; by_index.len()];
            for (index, class) in by_index {
                let place = index.parse::<usize>().ok().and_then(|index| classes.get_mut(index));
                *place.ok_or_else(|| {
                    message(format!("`{index}` is no index; the indices must be 0, 1, … without a gap"))
                })? = class;
            }
            classes
        }
        _ => return Err(wrong("0")),
    };
    let mut classes = Vec::with_capacity(in_order.len());
    for (at, class) in in_order.into_iter().enumerate() {
        classes.push(serde_json::from_value::<JsonClass>(class).map_err(|_| wrong(&at.to_string()))?.into());
    }
    Ok(classes)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum JsonClass {
    Name(String),
    Pair(String, String),
}

impl From<JsonClass> for Class {
    fn from(class: JsonClass) -> Self {
        match class {
            JsonClass::Name(name) => Self::Name(name),
            JsonClass::Pair(id, name) => Self::Id { id, name },
        }
    }
}

impl ClassList {
    /// Its readable names.
    pub fn names(&self) -> Vec<String> {
        self.classes.iter().map(|class| class.name().to_owned()).collect()
    }

    /// Its ids; none if the file has names alone.
    fn ids(&self) -> Vec<String> {
        let has_ids = self.classes.iter().any(|class| matches!(class, Class::Id { .. }));
        if has_ids { self.classes.iter().map(|class| class.key().to_owned()).collect() } else { Vec::new() }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let refuse = |problem: String| Err(ConfigError::value(&self.file, "classes", problem));
        if self.classes.len() < 2 {
            return refuse(format!("has {} class(es); a space has two or more", self.classes.len()));
        }
        let mut seen = BTreeMap::new();
        for (at, class) in self.classes.iter().enumerate() {
            if class.key().trim().is_empty() || class.name().trim().is_empty() {
                return refuse(format!("has an empty name: class {at}"));
            }
            if let Some(before) = seen.insert(class.key(), at) {
                return refuse(format!(
                    "has `{}` twice, as class {before} and as class {at}; give each class an id of its own, \
                     {{ id = …, name = … }} in a TOML, or another name",
                    class.key()
                ));
            }
        }
        Ok(())
    }

    /// The space of a run with the categories `set`; an error if a category accepts no class of it.
    pub fn space(&self, set: &CategorySet) -> Result<ClassSpace, ConfigError> {
        if self.name == IMAGENET_1K {
            let space = ClassSpace::imagenet(self.names(), self.ids(), set);
            self.all_accept(set, &space, "imagenet_ids = [index, …]")?;
            return Ok(space);
        }
        let mut accepts = BTreeMap::new();
        for category in &set.entries {
            let accepted = match category.classes.get(&self.name).or_else(|| self.accepts.get(&category.id)) {
                Some(named) => self.indices(set, category, named)?,
                None => self.like(category)?.into_iter().collect(),
            };
            accepts.insert(category.id.clone(), accepted);
        }
        let (name, sha256) = (self.name.clone(), Some(self.sha256));
        let space = ClassSpace { name, sha256, classes: self.names(), ids: self.ids(), accepts };
        self.all_accept(set, &space, &format!("classes = {{ {} = [\"name or index\", …] }}", quoted(&self.name)))?;
        Ok(space)
    }

    /// The space without a run: no class of it counts as right.
    pub fn unmapped(&self) -> ClassSpace {
        let (name, sha256, accepts) = (self.name.clone(), Some(self.sha256), BTreeMap::new());
        ClassSpace { name, sha256, classes: self.names(), ids: self.ids(), accepts }
    }

    fn all_accept(&self, set: &CategorySet, space: &ClassSpace, remedy: &str) -> Result<(), ConfigError> {
        let mut without = Vec::new();
        for category in &set.entries {
            if space.accepted(&category.id).is_empty() {
                without.push(format!("`{}`", category.id));
            }
        }
        if without.is_empty() {
            return Ok(());
        }
        let (count, all) = (without.len(), set.entries.len());
        let more = if count > NAMED { ", …" } else { "" };
        let first = without[..count.min(NAMED)].join(", ");
        let problem = format!(
            "accepts no class of the space `{}` in {count} of its {all} categories ({first}{more}), so that no \
             prediction over it could be right; give each of them {remedy}",
            self.name
        );
        Err(ConfigError::value(&format!("the category set {}", set.name), "categories", problem))
    }

    /// The classes that a category names.
    fn indices(&self, set: &CategorySet, category: &Category, named: &[ClassRef]) -> Result<Vec<u32>, ConfigError> {
        let mut indices = Vec::with_capacity(named.len());
        for class in named {
            let index = self.index(class).map_err(|problem| {
                let key = format!("categories.{}.classes.{}", category.id, self.name);
                ConfigError::value(&format!("the category set {}", set.name), &key, problem)
            })?;
            indices.push(index);
        }
        indices.sort_unstable();
        indices.dedup();
        Ok(indices)
    }

    /// The index of the class that a file names.
    pub fn index(&self, class: &ClassRef) -> Result<u32, String> {
        let last = self.classes.len() - 1;
        match class {
            ClassRef::Index(index) if *index as usize <= last => Ok(*index),
            ClassRef::Index(index) => Err(format!("names class {index}, but {} has 0 to {last}", self.name)),
            ClassRef::Name(name) => match self.called(|class| class.key() == name || class.name() == name)[..] {
                [index] => Ok(index),
                [] => Err(format!("names `{name}`, which is no class of {}", self.name)),
                [a, b, ..] => {
                    Err(format!("names `{name}`, which classes {a} and {b} of {} share; write the index", self.name))
                }
            },
        }
    }

    /// The class that has the id or the name of a category that names no class.
    fn like(&self, category: &Category) -> Result<Option<u32>, ConfigError> {
        let wanted = [comparable(&category.id), comparable(&category.name)];
        let is_like =
            |class: &Class| wanted.contains(&comparable(class.key())) || wanted.contains(&comparable(class.name()));
        match self.called(is_like)[..] {
            [] => Ok(None),
            [index] => Ok(Some(index)),
            [a, b, ..] => {
                let problem = format!("is like classes {a} and {b} of {}; name its classes", self.name);
                Err(ConfigError::value(&self.file, &format!("categories.{}", category.id), problem))
            }
        }
    }

    fn called(&self, is: impl Fn(&Class) -> bool) -> Vec<u32> {
        self.classes.iter().zip(0..).filter(|(class, _)| is(class)).map(|(_, index)| index).collect()
    }
}

/// A name as it is compared: without regard to capitals, and to how its words are joined.
fn comparable(name: &str) -> String {
    name.to_lowercase().replace(['_', '-'], " ")
}

/// A key as TOML needs it.
fn quoted(key: &str) -> String {
    let is_bare = key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if is_bare { key.to_owned() } else { format!("\"{key}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(file: &str, text: &str) -> Result<ClassList, ConfigError> {
        let stem = Path::new(file).file_stem().unwrap().to_string_lossy().into_owned();
        parse(&TomlFile { file: file.to_owned(), text: text.to_owned(), dir: ".".into(), stem })
    }

    fn set(categories: Vec<Category>) -> CategorySet {
        CategorySet { name: "set".into(), sha256: Sha256::of(b""), entries: categories }
    }

    #[test]
    fn all_forms_of_a_list_are_read() {
        let forms = [
            ("a.toml", "classes = [\"mug\", \"tea pot\"]"),
            ("a.toml", "classes = [{ id = \"x1\", name = \"mug\" }, { id = \"x2\", name = \"tea pot\" }]"),
            ("a.txt", "\u{feff}mug\r\n tea pot\r\n\r\n"),
            ("a.json", "[\"mug\", \"tea pot\"]"),
            ("a.json", "{\"1\": \"tea pot\", \"0\": \"mug\"}"),
            ("a.json", "{\"model\": 1, \"id2label\": {\"0\": \"mug\", \"1\": \"tea pot\"}}"),
            ("a.json", "{\"0\": [\"n1\", \"mug\"], \"1\": [\"n2\", \"tea pot\"]}"),
        ];
        for (file, text) in forms {
            assert_eq!(list(file, text).unwrap().names(), ["mug", "tea pot"], "{text}");
        }
    }

    #[test]
    fn wrong_lists_are_refused_with_the_class() {
        let check = |file: &str, text: &str, part: &str| {
            let error = list(file, text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        check("a.txt", "mug", "has 1 class(es)");
        check("a.txt", "mug\n\ncup", "is empty in line 2");
        check("a.txt", "mug\ncup\nmug", "has `mug` twice, as class 0 and as class 2");
        check("a.toml", "classes = [{ id = \"a\", name = \"x\" }, { id = \"a\", name = \"y\" }]", "has `a` twice");
        check("a.toml", "classes = [\"a\", \"b\"]\nclass = 1", "unknown field `class`");
        check("a.json", "{\"0\": \"mug\", \"2\": \"cup\"}", "`2` is no index");
        check("a.json", "[\"mug\", 3]", "class 1 is neither a name nor [id, name]");
        check("a.json", "[", "is not JSON");
    }

    #[test]
    fn a_category_accepts_what_it_names_or_the_class_of_its_name() {
        let list = list("p.toml", "classes = [\"Tea_Pot\", \"cup\", \"mug\"]\naccepts = { c = [1] }").unwrap();
        let mut mug = Category::new("mug", &[]);
        mug.classes.insert("p".into(), vec![ClassRef::Name("mug".into()), ClassRef::Index(1)]);
        let space = list.space(&set(vec![mug, Category::new("tea-pot", &[]), Category::new("c", &[])])).unwrap();
        assert_eq!(["mug", "tea-pot", "c"].map(|id| space.accepted(id).to_vec()), [vec![1, 2], vec![0], vec![1]]);
        let refused = |category: Category| list.space(&set(vec![category])).unwrap_err().to_string();
        let error = refused(Category::new("vase", &[3]));
        assert!(error.contains("accepts no class of the space `p` in 1 of its 1 categories (`vase`)"), "{error}");
        let mut vase = Category::new("vase", &[]);
        vase.classes.insert("p".into(), vec![ClassRef::Index(3)]);
        assert!(refused(vase).contains("`categories.vase.classes.p` names class 3, but p has 0 to 2"));
    }

    #[test]
    fn the_classes_of_imagenet_are_those_of_its_category_set() {
        let set = super::super::categories::load(IMAGENET_1K, Path::new("."), "test").unwrap();
        assert_eq!(class_names(), set.entries.iter().map(|category| category.name.as_str()).collect::<Vec<_>>());
        for (category, index) in set.entries.iter().zip(0..) {
            assert_eq!((wordnet_ids()[category.id.as_str()], &category.imagenet_ids[..]), (index, &[index][..]));
        }
        assert_eq!(class_names()[1], "goldfish");
    }
}
