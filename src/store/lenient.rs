//! Reads TOML of a newer minor version: fields that this program does not know are passed over.
//!
//! The types of a recipe refuse unknown keys, because people make typing errors; the same types read what programs have
//! stored. Holds always: everything else is checked as usual: a missing field or a wrong type is an error.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use toml::de::Error;
use toml::{Table, Value};

/// The value in `table`, without the fields that `T` does not have.
pub(super) fn from_table<T: DeserializeOwned>(table: Table) -> Result<T, Error> {
    T::deserialize(Lenient(Value::Table(table)))
}

struct Lenient(Value);

impl IntoDeserializer<'_, Error> for Lenient {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn visit_table<'de, V: Visitor<'de>>(table: Table, visitor: V) -> Result<V::Value, Error> {
    visitor.visit_map(MapDeserializer::new(table.into_iter().map(|(key, value)| (key, Lenient(value)))))
}

impl<'de> Deserializer<'de> for Lenient {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Table(table) => visit_table(table, visitor),
            Value::Array(values) => visitor.visit_seq(SeqDeserializer::new(values.into_iter().map(Lenient))),
            plain => plain.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::Table(mut table) => {
                table.retain(|key, _| fields.contains(&key));
                visit_table(table, visitor)
            }
            other => Err(Error::custom(format!("a table is needed, not {other}"))),
        }
    }

    // TOML has no null: a value that is there is some value.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: String,
        inner: Vec<Inner>,
        kind: Option<Kind>,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Inner {
        share: f64,
    }

    impl Default for Inner {
        fn default() -> Self {
            Self { share: 0.5 }
        }
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(tag = "kind", rename_all = "lowercase")]
    enum Kind {
        Small { size: u32 },
    }

    fn read(text: &str) -> Result<Outer, Error> {
        from_table(toml::from_str(text).unwrap())
    }

    #[test]
    fn unknown_fields_are_passed_over_at_every_depth() {
        let text = "name = 'a'\nnew = 1\ninner = [{ share = 0.25, new = 2 }, {}]\n\
                    kind = { kind = 'small', size = 3, new = 1 }";
        let inner = vec![Inner { share: 0.25 }, Inner::default()];
        assert_eq!(read(text).unwrap(), Outer { name: "a".to_owned(), inner, kind: Some(Kind::Small { size: 3 }) });
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_an_error() {
        for (text, problem) in [
            ("inner = []", "missing field `name`"),
            ("name = 1\ninner = []", "invalid type"),
            ("name = 'a'\ninner = [1]", "a table is needed"),
            ("name = 'a'\ninner = []\nkind = { kind = 'other' }", "unknown variant"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
