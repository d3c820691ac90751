//! Text files that vouch for themselves: the first line after the opening has the SHA-256 of everything below it.
//!
//! Does not know what is in them. Holds always: a file of which any byte below that line was changed is not opened,
//! because a changed seed or category id would give another result without a word. The hash is of the bytes, not of the
//! parsed values, so that a file with fields of a newer version can be checked too.

use crate::domain::Sha256;

/// What stands before the hash, and after it.
struct Line {
    before: &'static str,
    after: &'static str,
}

const TOML: Line = Line { before: "sha256 = \"", after: "\"\n" };
const JSON: Line = Line { before: "{\n  \"sha256\": \"", after: "\",\n" };

/// What is wrong with a file whose hash does not fit.
const CHANGED: &str =
    "it was changed after hardset wrote it: its content is not that of the SHA-256 in its first lines";

/// A TOML document with its hash in the first line.
pub(super) fn seal_toml(document: &str) -> String {
    seal(&TOML, document)
}

/// A JSON object, printed over several lines, with its hash as the first field; and that hash.
pub(super) fn seal_json(object: &str) -> (String, Sha256) {
    let fields = object.strip_prefix("{\n").unwrap_or(object);
    (seal(&JSON, fields), Sha256::of(fields.as_bytes()))
}

fn seal(line: &Line, rest: &str) -> String {
    format!("{}{}{}{rest}", line.before, Sha256::of(rest.as_bytes()), line.after)
}

/// The document below the hash; or what is wrong.
pub(super) fn open_toml(bytes: &[u8]) -> Result<&str, String> {
    open(&TOML, bytes).map(|(_, rest)| rest)
}

/// The hash of an object and the whole text; or what is wrong.
pub(super) fn open_json(bytes: &[u8]) -> Result<(Sha256, &str), String> {
    let (sha256, _) = open(&JSON, bytes)?;
    // `open` has checked that it is text.
    Ok((sha256, std::str::from_utf8(bytes).map_err(|e| e.to_string())?))
}

fn open<'a>(line: &Line, bytes: &'a [u8]) -> Result<(Sha256, &'a str), String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    let unsealed = || "its first lines do not have its SHA-256".to_owned();
    let (sha256, rest) =
        text.strip_prefix(line.before).and_then(|text| text.split_once(line.after)).ok_or_else(unsealed)?;
    let sha256 = Sha256::try_from(sha256.to_owned()).map_err(|_| unsealed())?;
    if Sha256::of(rest.as_bytes()) == sha256 { Ok((sha256, rest)) } else { Err(CHANGED.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_text_opens_and_a_changed_one_does_not() {
        let toml = seal_toml("seed = 1\n");
        assert_eq!(open_toml(toml.as_bytes()), Ok("seed = 1\n"));
        let (json, hash) = seal_json("{\n  \"seed\": 1\n}\n");
        assert_eq!(open_json(json.as_bytes()), Ok((hash, json.as_str())));
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&value["seed"], &value["sha256"]), (&1.into(), &hash.to_string().into()));
        for at in 0..json.len() {
            let mut changed = json.clone().into_bytes();
            changed[at] ^= 1;
            assert!(open_json(&changed).is_err(), "byte {at}");
            assert!(open_json(&json.as_bytes()[..at]).is_err(), "cut at {at}");
        }
        for at in 0..toml.len() {
            let mut changed = toml.clone().into_bytes();
            changed[at] ^= 1;
            assert!(open_toml(&changed).is_err(), "byte {at}");
            assert!(open_toml(&toml.as_bytes()[..at]).is_err(), "cut at {at}");
        }
    }
}
