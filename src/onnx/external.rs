//! The files of weights that an ONNX graph names: `net.onnx.data` beside `net.onnx`.
//!
//! Exporters write them for models above 2 GB, and torch for every model since 2.9. Reads the graph's own bytes,
//! without a library, because a model's hash is needed where no model runs. Does not read the weights: whatever is not
//! on the way to a name is passed over, so that time and memory depend on the structure of the graph alone.
//!
//! Holds always: a name leads to a file in the graph's folder or below it, because a model comes from somebody else.
//!
//! Field numbers: `onnx.proto` of ONNX 1.19; wire format: protobuf.dev, "Encoding".

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Component, Path};

use crate::input;

/// Why the names cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// The file is not an ONNX graph.
    #[error("it is not an ONNX model: {0}")]
    NotOnnx(&'static str),
    /// A name leads out of the folder.
    #[error("its weights name the file {0:?}, which is not a path below the model's own folder")]
    Outside(String),
}

/// Bytes 4 to 7 of ONNX Runtime's own format, a flatbuffer, which has its weights inside.
const ORT_FORMAT: &[u8] = b"ORTM";
/// Messages inside messages that are followed; subgraphs of real models are a few deep.
const DEEPEST: u32 = 64;
/// The longest key or value of an entry about external data, in bytes.
const LONGEST_WORD: u64 = 4096;

/// Paths relative to the folder of the graph at `path`, sorted, each once; none for a model of one file.
///
/// An error if the file is not a graph, or names a file outside its folder.
pub fn external_files(path: &Path) -> Result<Vec<String>, ExternalError> {
    let file = input::open(path)?;
    let end = file.metadata()?.len();
    let mut names = BTreeSet::new();
    let mut reader = BufReader::new(file);
    if reader.fill_buf()?.get(4..8) == Some(ORT_FORMAT) {
        return Ok(Vec::new());
    }
    let mut graph = Wire { reader, at: 0 };
    graph.message(Message::Model, end, DEEPEST, &mut names)?;
    if let Some(name) = names.iter().find(|name| !is_inside(name)) {
        return Err(ExternalError::Outside(name.clone()));
    }
    Ok(names.into_iter().collect())
}

fn is_inside(name: &str) -> bool {
    let plain = |part: Component| matches!(part, Component::Normal(_) | Component::CurDir);
    !name.is_empty() && !name.contains(['\\', '\0']) && Path::new(name).components().all(plain)
}

/// Messages on the way from a model to the name of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Function,
    Training,
    SparseTensor,
    Tensor,
    Entry,
}

impl Message {
    /// The message in field `number`, if it may lead to a name.
    fn field(self, number: u64) -> Option<Self> {
        match (self, number) {
            (Self::Model, 7) => Some(Self::Graph),
            (Self::Model, 20) => Some(Self::Training),
            (Self::Model, 25) => Some(Self::Function),
            (Self::Training, 1 | 2) => Some(Self::Graph),
            (Self::Graph, 1) => Some(Self::Node),
            (Self::Graph, 5) => Some(Self::Tensor),
            (Self::Graph, 15) => Some(Self::SparseTensor),
            (Self::Function, 7) => Some(Self::Node),
            (Self::Function, 11) => Some(Self::Attribute),
            (Self::Node, 5) => Some(Self::Attribute),
            (Self::Attribute, 5 | 10) => Some(Self::Tensor),
            (Self::Attribute, 6 | 11) => Some(Self::Graph),
            (Self::Attribute, 22 | 23) => Some(Self::SparseTensor),
            (Self::SparseTensor, 1 | 2) => Some(Self::Tensor),
            (Self::Tensor, 13) => Some(Self::Entry),
            _ => None,
        }
    }
}

/// Reads protobuf's wire format.
struct Wire<R> {
    reader: BufReader<R>,
    at: u64,
}

impl<R: Read + Seek> Wire<R> {
    /// Reads one message that ends at `end`.
    fn message(
        &mut self,
        kind: Message,
        end: u64,
        depth: u32,
        names: &mut BTreeSet<String>,
    ) -> Result<(), ExternalError> {
        if depth == 0 {
            return Err(ExternalError::NotOnnx("its parts are nested too deep"));
        }
        if kind == Message::Entry {
            return self.entry(end, names);
        }
        while self.at < end {
            let tag = self.number()?;
            match (tag & 7, kind.field(tag >> 3)) {
                (2, Some(inner)) => {
                    let inner_end = self.length(end)?;
                    self.message(inner, inner_end, depth - 1, names)?;
                }
                (wire, _) => self.pass(wire, end)?,
            }
        }
        self.ends(end)
    }

    /// One pair of key and value about a tensor's data; `location` has the name.
    fn entry(&mut self, end: u64, names: &mut BTreeSet<String>) -> Result<(), ExternalError> {
        let (mut key, mut value) = (String::new(), String::new());
        while self.at < end {
            let tag = self.number()?;
            match (tag & 7, tag >> 3) {
                (2, 1) => key = self.word(end)?,
                (2, 2) => value = self.word(end)?,
                (wire, _) => self.pass(wire, end)?,
            }
        }
        if key == "location" {
            names.insert(value);
        }
        self.ends(end)
    }

    fn ends(&self, end: u64) -> Result<(), ExternalError> {
        if self.at == end { Ok(()) } else { Err(ExternalError::NotOnnx("a part is longer than the one around it")) }
    }

    fn word(&mut self, end: u64) -> Result<String, ExternalError> {
        let bytes = self.length(end)? - self.at;
        if bytes > LONGEST_WORD {
            return Err(ExternalError::NotOnnx("the name of a file of weights is too long"));
        }
        let mut word = vec![0; bytes as usize];
        self.reader.read_exact(&mut word).map_err(cut_off)?;
        self.at += bytes;
        String::from_utf8(word).map_err(|_| ExternalError::NotOnnx("the name of a file of weights is not UTF-8"))
    }

    /// Where the field that begins here ends; it lies in a message that ends at `end`.
    fn length(&mut self, end: u64) -> Result<u64, ExternalError> {
        let bytes = self.number()?;
        let inner = self.at.checked_add(bytes).filter(|inner| *inner <= end);
        inner.ok_or(ExternalError::NotOnnx("it is cut off, or no ONNX model at all"))
    }

    /// Passes over a field of wire type `wire`.
    fn pass(&mut self, wire: u64, end: u64) -> Result<(), ExternalError> {
        let to = match wire {
            0 => return self.number().map(|_| ()),
            1 => self.at + 8,
            2 => self.length(end)?,
            5 => self.at + 4,
            _ => return Err(ExternalError::NotOnnx("it has a field of an unknown type")),
        };
        if to > end {
            return Err(ExternalError::NotOnnx("it is cut off, or no ONNX model at all"));
        }
        let step = (to - self.at) as i64;
        self.reader.seek_relative(step)?;
        self.at = to;
        Ok(())
    }

    /// A number of at most ten bytes of seven bits each, the lowest first.
    fn number(&mut self) -> Result<u64, ExternalError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.reader.read_exact(&mut byte).map_err(cut_off)?;
            self.at += 1;
            number |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(number);
            }
        }
        Err(ExternalError::NotOnnx("it has a number of more than ten bytes"))
    }
}

fn cut_off(error: std::io::Error) -> ExternalError {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => ExternalError::NotOnnx("it is cut off, or no ONNX model at all"),
        _ => ExternalError::Read(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field of bytes.
    fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
        [varint(number << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
    }

    fn varint(mut number: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    }

    fn tensor(location: &str) -> Vec<u8> {
        let entry =
            |key: &str, value: &str| field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat());
        let shape = [varint(1 << 3), varint(300)].concat();
        [shape, field(9, b"raw \x80 bytes"), entry("location", location), entry("offset", "4096")].concat()
    }

    #[track_caller]
    fn check(model: &[u8], expected: Result<&[&str], &str>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), model).unwrap();
        match (external_files(file.path()), expected) {
            (Ok(names), Ok(expected)) => assert_eq!(names, expected),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (found, _) => panic!("{found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn names_are_found_wherever_a_tensor_may_stand() {
        let inits = [field(5, &tensor("b.data")), field(5, &tensor("b.data")), field(5, &tensor("sub/a.bin"))].concat();
        check(&field(7, &inits), Ok(&["b.data", "sub/a.bin"]));
        // In a constant, a subgraph, a sparse tensor, a function and a training graph.
        let constant = field(5, &field(5, &tensor("constant")));
        let branch = field(5, &field(6, &field(5, &tensor("branch"))));
        let sparse = field(15, &field(2, &tensor("sparse")));
        let graph = [field(1, &constant), field(1, &branch), sparse].concat();
        let function = field(25, &field(7, &field(5, &field(10, &tensor("function")))));
        let training = field(20, &field(2, &field(5, &tensor("training"))));
        let model = [varint(1 << 3), varint(8), field(7, &graph), function, training].concat();
        check(&model, Ok(&["branch", "constant", "function", "sparse", "training"]));
        check(&field(7, &field(2, b"a graph without weights")), Ok(&[]));
    }

    #[test]
    fn a_name_that_leads_out_of_the_folder_is_refused() {
        for name in ["../secret", "/etc/passwd", "a/../../b", "", "..\\b"] {
            check(&field(7, &field(5, &tensor(name))), Err("not a path below"));
        }
        check(&field(7, &field(5, &tensor("./a/b.data"))), Ok(&["./a/b.data"]));
    }

    #[test]
    fn what_is_no_graph_is_refused_and_takes_no_memory() {
        let whole = field(7, &field(5, &tensor("a")));
        for cut in 1..whole.len() {
            check(&whole[..cut], Err("cut off"));
        }
        let huge = [varint(7 << 3 | 2), varint(u64::MAX)].concat();
        check(&huge, Err("cut off"));
        check(&[0xff; 12], Err("more than ten bytes"));
        check(b"<!doctype html>", Err("no"));
        let mut deep = tensor("deep");
        for _ in 0..DEEPEST {
            deep = field(5, &field(6, &field(1, &deep)));
        }
        check(&field(7, &field(1, &deep)), Err("too deep"));
    }
}
