//! Models as people have them: weights in files of their own, scores that depend on the neighbours, declarations that
//! fit by shape and are wrong by meaning, sizes that ask for too much memory.
//!
//! Needs an ONNX Runtime library; says so loudly and checks nothing where there is none.

mod common;

use std::fs;
use std::path::Path;

use common::tiny::{BY_PATH, CLASSES, F32, INPUTS, LOGITS, Tiny, check, good, linear, surrogate, weights};
use common::tiny_onnx::{Model, Type};
use common::{names, sha256};

/// Numbers as the bytes of a file of weights.
fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// The tiny model with its weights in the files `locations`: rows one after another.
fn split(locations: &[&str]) -> Vec<u8> {
    let rows = INPUTS as u64 / locations.len() as u64;
    let mut model = Model::default().input("image", &[-1, 3, 8, 8]);
    let parts: Vec<String> = (0..locations.len()).map(|part| format!("part{part}")).collect();
    for (part, location) in parts.iter().zip(locations) {
        model = model.external(part, &[rows, CLASSES], location);
    }
    let model = model
        .node_with(&format!("Concat {} -> weights", parts.join(" ")), &[("axis", &[0])])
        .node("Flatten image -> flat")
        .node("MatMul flat weights -> logits");
    model.output("logits", Type::F32, &[-1, 1000]).finish()
}

fn write_parts(tiny: &Tiny, folder: &str, locations: &[&str], numbers: &[f32]) {
    let each = numbers.len() / locations.len();
    for (location, part) in locations.iter().zip(numbers.chunks(each)) {
        tiny.hardset.write(&format!("{folder}/{location}"), bytes(part));
    }
}

#[test]
fn files_of_weights_belong_to_the_model() {
    let toml = surrogate(BY_PATH, LOGITS, F32);
    let Some(plain) = Tiny::new(&good(-1), &toml) else { return };
    plain.build().ok();
    let other: Vec<f32> = weights(CLASSES).iter().map(|x| -x).collect();
    for locations in [&["tiny.onnx.data"][..], &["parts/a.bin"], &["b.data", "a.data"]] {
        let graph = split(locations);
        let Some(tiny) = Tiny::new(&graph, &toml) else { return };
        write_parts(&tiny, "surrogates", locations, &weights(CLASSES));
        tiny.build().ok();
        assert_eq!(tiny.tops(), plain.tops(), "{locations:?}");
        tiny.run("verify run").ok();
        assert_eq!(tiny.build().ok().json()["mining"]["scored"][0]["fresh"], 0);

        write_parts(&tiny, "surrogates", locations, &other);
        tiny.run("verify run").expect(3).out(&["predictions are of other weights"]);
        assert_eq!(tiny.build().ok().json()["mining"]["scored"][0]["fresh"], 113, "{locations:?}");
        assert_ne!(tiny.tops(), plain.tops());
        tiny.run("verify run").ok();

        let gone = tiny.hardset.path(&format!("surrogates/{}", locations[0]));
        fs::remove_file(gone).unwrap();
        tiny.build().refused(4, &["surrogate `tiny`", locations[0], "put it beside the graph"]);
    }
}

#[test]
fn the_hash_in_a_recipe_is_that_of_all_files() {
    let graph = split(&["w.data"]);
    let by_hash = |hash: &str| surrogate(&format!("{{ path = \"tiny.onnx\", sha256 = \"{hash}\" }}"), LOGITS, F32);
    let Some(tiny) = Tiny::new(&graph, &by_hash(&sha256(&graph))) else { return };
    let numbers = bytes(&weights(CLASSES));
    tiny.hardset.write("surrogates/w.data", &numbers);
    // (sha256sum < tiny.onnx; sha256sum w.data) | sha256sum
    let whole = sha256(format!("{}  -\n{}  w.data\n", sha256(&graph), sha256(&numbers)).as_bytes());
    tiny.build().refused(2, &["is the hash of", "alone", &whole]);
    tiny.hardset.write("surrogates/tiny.toml", by_hash(&whole));
    tiny.build().ok();
    tiny.run("status run").ok();
    assert!(fs::read_to_string(tiny.hardset.path("run/spec.toml")).unwrap().contains("w.data"));
    tiny.hardset.write("surrogates/w.data", bytes(&[0.5; INPUTS * 1000]));
    tiny.build().refused(2, &["tiny.onnx is not `tiny`", &whole]);
}

#[cfg(unix)]
#[test]
fn a_model_in_the_hubs_cache_is_a_link_whose_neighbours_are_links_too() {
    use std::os::unix::fs::symlink;
    let locations = ["net.onnx.data"];
    let toml = surrogate(r#"{ path = "../hub/snapshots/0123/onnx/net.onnx" }"#, LOGITS, F32);
    let Some(plain) = Tiny::new(&good(-1), &surrogate(BY_PATH, LOGITS, F32)) else { return };
    plain.build().ok();
    let Some(tiny) = Tiny::new(b"unused", &toml) else { return };
    tiny.hardset.write("hub/blobs/aaaa", split(&locations));
    tiny.hardset.write("hub/blobs/bbbb", bytes(&weights(CLASSES)));
    let snapshot = tiny.hardset.path("hub/snapshots/0123/onnx");
    fs::create_dir_all(&snapshot).unwrap();
    symlink("../../../blobs/aaaa", snapshot.join("net.onnx")).unwrap();
    symlink("../../../blobs/bbbb", snapshot.join("net.onnx.data")).unwrap();
    tiny.build().ok();
    assert_eq!(tiny.tops(), plain.tops());
    // A link from elsewhere to a graph whose weights lie beside it.
    tiny.hardset.write("plain/net.onnx", split(&locations));
    write_parts(&tiny, "plain", &locations, &weights(CLASSES));
    symlink("../plain/net.onnx", tiny.hardset.path("surrogates/link.onnx")).unwrap();
    tiny.hardset.write("surrogates/tiny.toml", surrogate(r#"{ path = "link.onnx" }"#, LOGITS, F32));
    assert_eq!(tiny.build().ok().json()["mining"]["scored"][0]["fresh"], 0);
}

#[test]
fn weights_outside_the_models_folder_and_endless_ones_are_refused() {
    let toml = surrogate(BY_PATH, LOGITS, F32);
    for name in ["../secret", "/etc/passwd", "a/../../b"] {
        check(&split(&[name]), &toml, &["surrogate `tiny`", name, "not a path below"]);
    }
    let Some(tiny) = Tiny::new(&good(-1), &surrogate(r#"{ path = "/dev/zero" }"#, LOGITS, F32)) else { return };
    tiny.build().refused(4, &["/dev/zero", "not a regular file"]);
}

/// Models whose scores for an image depend on the images beside it, by name.
fn dependent(batch: i64) -> [(&'static str, Vec<u8>); 3] {
    let end = |model: Model| model.output("y", Type::F32, &[batch, 1000]).finish();
    let mean = linear(batch, CLASSES)
        .node_with("ReduceMean logits -> mean", &[("axes", &[0]), ("keepdims", &[1])])
        .node("Sub logits mean -> y");
    let softmax = linear(batch, CLASSES).node_with("Softmax logits -> y", &[("axis", &[0])]);
    let quantised = Model::default()
        .input("image", &[batch, 3, 8, 8])
        .constant("weights", &[INPUTS as u64, CLASSES], &weights(CLASSES))
        .node("Flatten image -> flat")
        .node("DynamicQuantizeLinear flat -> q scale zero")
        .node("DequantizeLinear q scale zero -> rounded")
        .node("MatMul rounded weights -> y");
    [("batch mean", end(mean)), ("softmax over the batch", end(softmax)), ("dynamic quantisation", end(quantised))]
}

#[test]
fn a_prediction_does_not_depend_on_the_images_beside_it() {
    let note = "its scores of an image depend on the images beside it";
    let toml = surrogate(BY_PATH, LOGITS, F32);
    let fixed = surrogate(BY_PATH, LOGITS, &format!("{F32}\nbatch = 3"));
    let models = dependent(-1).map(|(name, model)| (name, model, &toml));
    let models = models.into_iter().chain(dependent(3).map(|(name, model)| (name, model, &fixed)));
    for (name, model, toml) in models {
        let Some(tiny) = Tiny::new(&model, toml) else { return };
        tiny.build().ok().err(&["surrogate `tiny`", note]);
        let record = unit_record(&tiny.hardset.path("run/predictions/tiny/000"));
        assert!(record.contains("\"one_by_one\": \"yes\""), "{name}: {record}");
        same_whatever_is_beside(&tiny, name);
    }
    let Some(honest) = Tiny::new(&good(-1), &toml) else { return };
    assert!(!honest.build().ok().stderr.contains(note));
    same_whatever_is_beside(&honest, "an honest model");
}

/// Other batches may round sums otherwise, and are another mining; other shards put other images side by side.
fn same_whatever_is_beside(tiny: &Tiny, name: &str) {
    let expected = tiny.predictions("run");
    assert_eq!(expected.len(), 113);
    for (shard_items, threads) in [(57, 1), (58, 2), (112, 3)] {
        let line = format!(
            "build pipeline.toml --run-dir other{shard_items} --set shard_items={shard_items} --threads {threads}"
        );
        tiny.run(&line).ok();
        assert_eq!(tiny.predictions(&format!("other{shard_items}")), expected, "{name}: {shard_items}");
    }
}

/// The text of the first record in a folder.
fn unit_record(folder: &Path) -> String {
    let name = names(folder).into_iter().find(|name| name.ends_with(".json")).expect("a record");
    fs::read_to_string(folder.join(name)).expect("it is text")
}

/// Builds with this model and looks for the parts of a warning wherever people look.
fn warned(model: &[u8], toml: &str, parts: &[&str]) {
    let Some(tiny) = Tiny::new(model, toml) else { return };
    let built = tiny.build().ok().err(&["warning: surrogate `tiny`"]).err(parts);
    let json = built.json()["mining"]["warnings"].to_string();
    let status = tiny.run("status run").ok().stdout;
    let status_json = tiny.run("status run --format json").ok().json()["surrogates"][0]["warnings"].to_string();
    let page = fs::read_to_string(tiny.hardset.path("run/report/index.html")).expect("it is text");
    let page = page.replace("&quot;", "\"").replace("&#34;", "\"");
    let head = page.split("<main").next().unwrap_or_default();
    for part in parts {
        let escaped = part.replace('"', "\\\"");
        assert!(json.contains(&escaped) && status_json.contains(&escaped), "{part}: {json} {status_json}");
        assert!(status.contains(part) && head.contains(part), "{part}: {status}");
    }
    // Mining again needs no model and says it again.
    tiny.run("mine run").ok().err(parts);
}

#[test]
fn declarations_that_are_wrong_by_meaning_are_said_wherever_people_look() {
    let toml = surrogate(BY_PATH, LOGITS, F32);
    let with = |node: &str| linear(-1, CLASSES).node(node).output("y", Type::F32, &[-1, 1000]).finish();
    let probabilities = "output.kind = \"probabilities\"";
    warned(&with("Softmax logits -> y"), &toml, &["look like probabilities", probabilities]);
    warned(&with("Sigmoid logits -> y"), &toml, &[probabilities]);
    warned(&with("Identity logits -> y"), &toml, &["hardly more than by chance"]);
    let mut bias = vec![0.0; 1000];
    bias[7] = 1000.0;
    let one = linear(-1, CLASSES).constant("bias", &[CLASSES], &bias).node("Add logits bias -> y");
    let one = one.output("y", Type::F32, &[-1, 1000]).finish();
    warned(&one, &toml, &["it gives class 7 to 113 of 113 images"]);
}

#[test]
fn sizes_that_a_model_asks_for_are_bounded() {
    let toml = surrogate(BY_PATH, LOGITS, F32);
    for batch in [1025, 10_000_000, 1 << 40] {
        check(&good(batch), &toml, &["surrogate `tiny`", &batch.to_string(), "at most 1024"]);
    }
    let large = Model::default().input("image", &[1000, 3, 8000, 8000]).node("Identity image -> y");
    let large = large.output("y", Type::F32, &[1000, 3, 8000, 8000]).finish();
    let wide = toml.replace("squash = 8", "squash = 8000").replace("crop_px = 8", "crop_px = 8000");
    check(&large, &wide, &["surrogate `tiny`", "GiB", "at most 4"]);
    let Some(tiny) = Tiny::new(&good(1024), &surrogate(BY_PATH, LOGITS, F32)) else { return };
    tiny.build().ok();
}

#[test]
fn messages_say_what_to_write_and_nothing_of_the_librarys_source() {
    let toml = surrogate(BY_PATH, LOGITS, F32);
    let wide = linear(-1, 1001).output("logits", Type::F32, &[-1, 1001]).finish();
    check(&wide, &toml, &["it gives 1001 numbers", "output.classes = 1001 and output.offset = 1"]);
    let ten = linear(-1, 10).output("logits", Type::F32, &[-1, 10]).finish();
    check(&ten, &toml, &["it gives 10 numbers", "the list of its classes (output.space)"]);
    let mut new = good(-1);
    assert_eq!(new[..2], [8, 6], "the version of the format comes first");
    new[1] = 99;
    let unknown = linear(-1, CLASSES).node("Dream logits -> y").output("y", Type::F32, &[-1, 1000]).finish();
    for (model, part) in [(new, "99"), (unknown, "Dream")] {
        let Some(tiny) = Tiny::new(&model, &toml) else { return };
        let said = tiny.build().refused(2, &["surrogate `tiny`", part]).stderr;
        assert!(!said.contains(".cc:") && !said.contains("onnxruntime::"), "{said}");
    }
}
