//! ONNX Runtime's messages without the places in its own source, such as `/…/model.cc:256 onnxruntime::Model(…)`.
//!
//! Holds always: every other word stays, because only the message names the cause.

/// Endings of the names of source files.
const SOURCES: [&str; 7] = [".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp", ".inl"];

/// `text` without source files, lines and C++ functions.
pub fn plain(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = split_at_place(rest) {
        kept += before;
        rest = without_function(after);
    }
    kept += rest;
    kept.trim_end_matches([' ', ';', '\n']).to_owned()
}

/// What stands before the first `path.cc:123 ` and after it.
fn split_at_place(text: &str) -> Option<(&str, &str)> {
    for (colon, _) in text.match_indices(':') {
        let after = text[colon + 1..].trim_start_matches(|c: char| c.is_ascii_digit());
        let has_line = after.len() < text.len() - colon - 1;
        let path = text[..colon].rsplit(|c: char| c.is_whitespace() || "\"'()[]".contains(c)).next().unwrap_or("");
        // `failed:/onnxruntime_src/a.cc:1`; a drive (`D:\a.cc:1`) belongs to the path.
        let word = path.rsplit_once(":/").map_or(path, |(_, path)| path);
        if has_line && SOURCES.iter().any(|ending| word.ends_with(ending)) {
            let start = colon - word.len() - usize::from(word.len() < path.len());
            return Some((&text[..start], after.trim_start()));
        }
    }
    None
}

/// `text` without the name or signature of a C++ function at its beginning.
fn without_function(text: &str) -> &str {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || " _:<>*&~,=".contains(c);
    let name = text.find(|c: char| !is_of_name(c)).unwrap_or(text.len());
    let is_signature = text[name..].starts_with('(') && text[..name].contains("::");
    if !is_signature {
        // One word, such as `ValidateExternalDataPath`; a message goes on after it.
        let word = text.find(' ').unwrap_or(0);
        let is_name = text[..word].chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c));
        return if word > 0 && is_name { text[word..].trim_start() } else { text };
    }
    let Some(mut rest) = after_bracket(&text[name..], '(', ')') else { return text };
    // `operator()(…)` has two pairs.
    while rest.starts_with('(') {
        let Some(behind) = after_bracket(rest, '(', ')') else { return rest };
        rest = behind;
    }
    rest = rest.trim_start();
    rest = rest.strip_prefix("const ").unwrap_or(rest).trim_start();
    let with = rest.starts_with("[with ").then(|| after_bracket(rest, '[', ']')).flatten();
    with.unwrap_or(rest).trim_start()
}

/// What follows the bracket that closes the first one of `text`.
fn after_bracket(text: &str, open: char, close: char) -> Option<&str> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth -= 1;
            if depth == 0 {
                return Some(&text[at + c.len_utf8()..]);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn the_message_stays_and_the_source_goes() {
        let cases = [
            (
                "Load model from /a/net.onnx failed:/onnxruntime_src/onnxruntime/core/graph/model.cc:256 \
                 onnxruntime::Model::Model(onnx::ModelProto&&, const onnxruntime::PathString&, const \
                 onnxruntime::ModelOptions&) Unsupported model IR version: 99, max supported IR version: 13\n",
                "Load model from /a/net.onnx failed:Unsupported model IR version: 99, max supported IR version: 13",
            ),
            (
                "validation failed for initializer: w. Error: tensorprotoutils.cc:619 ValidateExternalDataPath \
                 External data path does not exist: \"/a/net.onnx.data\"",
                "validation failed for initializer: w. Error: External data path does not exist: \"/a/net.onnx.data\"",
            ),
            (
                "Name:'x' Status Message: /src/framework/bfc_arena.cc:376 void* \
                 onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) Failed to allocate \
                 memory for requested buffer of size 42",
                "Name:'x' Status Message: Failed to allocate memory for requested buffer of size 42",
            ),
            (
                "D:\\a\\_work\\1\\s\\core\\cuda_call.cc:129 std::conditional_t<THRW, void, onnxruntime::Status> \
                 onnxruntime::CudaCall(ERRTYPE, const char*, int) [with ERRTYPE = cudaError; bool THRW = true] CUDA \
                 failure 35: too old",
                "CUDA failure 35: too old",
            ),
            (
                "/a/b.h:10 onnxruntime::F::operator()(int) const [with T = x[2]] a (b) c; at /a/c.cc:3 \
                 onnxruntime::G() d",
                "a (b) c; at d",
            ),
            ("no place at 12:30 in net.onnx: 3 (three)", "no place at 12:30 in net.onnx: 3 (three)"),
            ("cut off a.cc:7 onnxruntime::F(int, ", "cut off onnxruntime::F(int,"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(plain(text), expected);
        }
    }
}
