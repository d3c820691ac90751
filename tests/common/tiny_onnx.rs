//! Writes ONNX files of a few nodes by hand, so that wrong models need no Python.
//!
//! Source of the field numbers: onnx.proto3 of ONNX 1.8 (IR version 6); only what the tests use.

/// Element types of `TensorProto`.
#[derive(Clone, Copy)]
pub enum Type {
    F32 = 1,
    I64 = 7,
}

/// A message of protocol buffers being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    fn message(self, field: u64, message: &Message) -> Self {
        self.bytes(field, &message.0)
    }

    fn each<T>(self, items: impl IntoIterator<Item = T>, add: impl Fn(Self, T) -> Self) -> Self {
        items.into_iter().fold(self, add)
    }
}

/// A model under construction: nodes in order, with the names of what they read and write.
#[derive(Default)]
pub struct Model(Message);

impl Model {
    /// `dims`: -1 is any.
    pub fn input(self, name: &str, dims: &[i64]) -> Self {
        Self(self.0.message(11, &value(name, Type::F32, dims)))
    }

    /// As [`Model::input`], of another type.
    pub fn input_of(self, name: &str, kind: Type, dims: &[i64]) -> Self {
        Self(self.0.message(11, &value(name, kind, dims)))
    }

    pub fn output(self, name: &str, kind: Type, dims: &[i64]) -> Self {
        Self(self.0.message(12, &value(name, kind, dims)))
    }

    /// A constant tensor of f32.
    pub fn constant(self, name: &str, dims: &[u64], numbers: &[f32]) -> Self {
        let raw: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        let tensor = Message::default().each(dims, |m, &dim| m.number(1, dim)).number(2, Type::F32 as u64);
        Self(self.0.message(5, &tensor.text(8, name).bytes(9, &raw)))
    }

    /// A tensor of f32 whose numbers are the whole file `location`, beside the model.
    pub fn external(self, name: &str, dims: &[u64], location: &str) -> Self {
        const EXTERNAL: u64 = 1;
        let entry = Message::default().text(1, "location").text(2, location);
        let tensor = Message::default().each(dims, |m, &dim| m.number(1, dim)).number(2, Type::F32 as u64);
        Self(self.0.message(5, &tensor.text(8, name).message(13, &entry).number(14, EXTERNAL)))
    }

    /// `text`: `Op a b -> c`; several outputs are possible.
    pub fn node(self, text: &str) -> Self {
        self.node_with(text, &[])
    }

    /// As [`Model::node`], with attributes that are lists of integers, or one integer.
    pub fn node_with(self, text: &str, attributes: &[(&str, &[u64])]) -> Self {
        let (left, outputs) = text.split_once(" -> ").expect("a node has an arrow");
        let mut words = left.split(' ');
        let op = words.next().unwrap_or_default();
        let node = Message::default().each(words, |m, input| m.text(1, input));
        let node = node.each(outputs.split(' '), |m, output| m.text(2, output)).text(4, op);
        let node = node.each(attributes, |m, (name, numbers)| m.message(5, &attribute(name, numbers)));
        Self(self.0.message(1, &node))
    }

    /// The file.
    pub fn finish(self) -> Vec<u8> {
        let opset = Message::default().text(1, "").number(2, 11);
        let graph = self.0.text(2, "tiny");
        Message::default().number(1, 6).text(2, "hardset tests").message(7, &graph).message(8, &opset).0
    }
}

fn attribute(name: &str, numbers: &[u64]) -> Message {
    const INT: u64 = 2;
    const INTS: u64 = 7;
    let message = Message::default().text(1, name);
    match numbers {
        [one] if name != "axes" => message.number(3, *one).number(20, INT),
        many => message.each(many, |m, &number| m.number(8, number)).number(20, INTS),
    }
}

fn value(name: &str, kind: Type, dims: &[i64]) -> Message {
    let dim = |dim: &i64| match u64::try_from(*dim) {
        Ok(size) => Message::default().number(1, size),
        Err(_) => Message::default().text(2, "batch"),
    };
    let shape = Message::default().each(dims, |m, d| m.message(1, &dim(d)));
    let tensor = Message::default().number(1, kind as u64).message(2, &shape);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}
