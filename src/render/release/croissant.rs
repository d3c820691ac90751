//! `croissant.json`: Croissant 1.1 with the RAI vocabulary 1.0, in JSON-LD.
//!
//! Holds always: ids of nodes consist of safe names and numbers, never of data; the document is ASCII.
//!
//! Source: the Croissant format specification 1.1 (appendix 1 for the context) and the RAI specification 1.0. The data
//! files are a file set of the release's own folder, which mlcroissant reads relative to `croissant.json`; each is a
//! file object too, with its SHA-256, because a file set has none.

use serde_json::{Map, Value, json};

use super::citation::bibtex;
use super::licence::licence;
use super::text::{distinct, iso_date, json_document, web_url};
use super::{DATA_FILES, FileFacts, Release, SourceFacts, class_names, safe_name, words};
use crate::domain::{ColumnFacts, ColumnKind};

/// Terms of Croissant that have the same name in the context.
const TERMS: &str = "annotation arrayShape citeAs column containedIn equivalentProperty excludes extract field \
                     fileObject fileProperty fileSet format includes isArray isLiveDataset jsonPath key md5 \
                     parentField path readLines recordSet references regex repeated replace samplingRate sdVersion \
                     separator source subField transform unArchive value";

/// The document. Never fails; a value that the release lacks is left out.
pub fn croissant(release: &Release) -> Vec<u8> {
    let mut document = Map::new();
    for part in [identity(release), responsible(release), provenance(release)] {
        document.extend(part.as_object().cloned().unwrap_or_default());
    }
    document.extend(optional(release));
    document.insert("distribution".into(), distribution(release));
    document.insert("recordSet".into(), record_sets(release));
    json_document(&Value::Object(document))
}

/// The facts about `release` that the document must have and has not, one text each.
///
/// Words may differ: another version of the program may word them in another way.
pub fn croissant_lacks(document: &[u8], release: &Release) -> Vec<String> {
    let found: Value = match serde_json::from_slice(document) {
        Ok(found) => found,
        Err(error) => return vec![format!("it is no JSON: {error}")],
    };
    let wanted = json!({
        "name": release.called(), "alternateName": release.name, "version": release.version,
        "distribution": distribution(release), "recordSet": record_sets(release),
    });
    let mut lacks = Vec::new();
    differences("", &wanted, &found, &mut lacks);
    lacks
}

/// Where `found` lacks what `wanted` has; descriptions do not count.
fn differences(place: &str, wanted: &Value, found: &Value, lacks: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (key, value) in wanted.iter().filter(|(key, _)| *key != "description") {
                differences(&format!("{place}/{key}"), value, found.get(key).unwrap_or(&Value::Null), lacks);
            }
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            for (at, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                differences(&format!("{place}/{at}"), wanted, found, lacks);
            }
        }
        _ if wanted == found => {}
        _ => lacks.push(format!("its {place} is not that of the data files, release.json and recipe.toml")),
    }
}

fn identity(release: &Release) -> Value {
    json!({
        "@context": context(),
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": release.called(),
        "alternateName": release.name,
        "description": words::about(release),
        "version": release.version,
        "keywords": words::keywords(release),
        "citeAs": bibtex(release),
        "isLiveDataset": false,
    })
}

/// The specification's context, and the terms that mlcroissant 1.1 would not find otherwise.
fn context() -> Value {
    let mut context = json!({
        "@language": "en",
        "@vocab": "https://schema.org/",
        "sc": "https://schema.org/",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "dct": "http://purl.org/dc/terms/",
        "prov": "http://www.w3.org/ns/prov#",
        "conformsTo": "dct:conformsTo",
        "data": { "@id": "cr:data", "@type": "@json" },
        "dataType": { "@id": "cr:dataType", "@type": "@vocab" },
        "description": { "@container": "@language" },
        "examples": { "@id": "cr:examples", "@type": "@json" },
        "name": { "@container": "@language" },
    });
    for term in TERMS.split_whitespace() {
        context[term] = json!(format!("cr:{term}"));
    }
    context
}

/// The values that only some releases have: date, page, authors, licence, other works.
fn optional(release: &Release) -> Map<String, Value> {
    let mut part = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            part.insert(key.to_owned(), value);
        }
    };
    put("datePublished", iso_date(release.date.as_deref()).map(|date| json!(date)));
    put("url", web_url(release.homepage.as_deref()).map(|url| json!(url)));
    let creators: Vec<Value> =
        distinct(&release.authors).iter().map(|name| json!({ "@type": "sc:Person", "name": name })).collect();
    put("creator", (!creators.is_empty()).then(|| json!(creators)));
    let known = licence(&release.license).and_then(|licence| licence.url());
    put("sdLicense", known.as_ref().map(|url| json!(url)));
    put("license", Some(json!(known.as_ref().unwrap_or(&release.license))));
    let works = distinct(&release.citation_of);
    put("citation", (!works.is_empty()).then(|| json!(works)));
    part
}

fn responsible(release: &Release) -> Value {
    let limits = words::limits(release);
    let biases: Vec<&String> = limits.iter().take(1).map(|(_, text)| text).collect();
    let limitations: Vec<&String> = limits.iter().skip(1).map(|(_, text)| text).collect();
    let surrogates: Vec<String> = release.surrogates.iter().map(words::surrogate).collect();
    let excluded = release.excluded.iter().map(|(reason, images)| format!("{images} left out: {reason}."));
    let preprocessing: Vec<String> = std::iter::once(words::mining(release)).chain(excluded).collect();
    let (protocol, analysis) = annotation(release);
    json!({
        "rai:dataCollection": words::source(release),
        "rai:dataCollectionType": collection_type(release),
        "rai:dataPreprocessingProtocol": preprocessing,
        "rai:dataAnnotationProtocol": protocol,
        "rai:dataAnnotationAnalysis": analysis,
        "rai:annotatorDemographics": ["Not recorded: people appear under opaque names."],
        "rai:machineAnnotationTools": surrogates,
        "rai:dataBiases": biases,
        "rai:dataLimitations": limitations,
        "rai:dataUseCases": words::USES,
        "rai:personalSensitiveInformation": [words::personal(release)],
        "rai:dataReleaseMaintenancePlan": "Releases do not change. A corrected release has a new semantic version, and \
            its CHANGES.md lists the images that were added, removed and relabelled.",
    })
}

/// One of the values that the RAI specification recommends.
fn collection_type(release: &Release) -> &'static str {
    match release.source {
        SourceFacts::Photographs { .. } | SourceFacts::Benchmark { .. } => "Secondary Data analysis",
        SourceFacts::Diffusion { .. } => "Software Collection",
        SourceFacts::Fake => "Others",
    }
}

/// The source of the labels, and how much they can be trusted.
fn annotation(release: &Release) -> (String, Vec<String>) {
    match &release.verified {
        Some(people) => (words::annotation(people), people.questions.iter().map(words::agreement).collect()),
        None => {
            let protocol =
                format!("{} Labels come from the recipe or from the folder of photographs.", words::status(release));
            (protocol, vec!["None: no person has looked at the images.".into()])
        }
    }
}

fn provenance(release: &Release) -> Value {
    let made_by = format!("{}, recipe sha256:{}, mining {}", release.tool, release.recipe_sha256, release.mining);
    json!({ "prov:wasGeneratedBy": { "@type": "prov:Activity", "prov:label": made_by } })
}

fn distribution(release: &Release) -> Value {
    let set = json!({
        "@type": "cr:FileSet", "@id": "data-files", "name": "data-files", "encodingFormat": "application/x-parquet",
        "description": "The data files of the split test, in this folder.", "includes": DATA_FILES,
    });
    let files = release.files.iter().enumerate().map(|(at, file)| file_object(at, file));
    std::iter::once(set).chain(files).collect()
}

fn file_object(at: usize, file: &FileFacts) -> Value {
    json!({
        "@type": "cr:FileObject", "@id": format!("data-file-{at:05}"), "name": file.path, "contentUrl": file.path,
        "contentSize": format!("{} B", file.bytes), "sha256": file.sha256, "encodingFormat": "application/x-parquet",
        "description": format!("{} images.", file.rows),
    })
}

fn record_sets(release: &Release) -> Value {
    let fields: Vec<Value> = release.columns.iter().map(|column| field(release, column)).collect();
    let images = json!({
        "@type": "cr:RecordSet", "@id": "images", "name": "images",
        "description": format!("One record for each of the {} images. All are of the split test.", release.images),
        "field": fields,
    });
    // A record set must have data.
    if release.categories.is_empty() { json!([images]) } else { json!([categories(release), images]) }
}

/// The categories as an enumeration to which labels refer.
fn categories(release: &Release) -> Value {
    let field = |name: &str, types: &str, what: &str| {
        json!({
            "@type": "cr:Field", "@id": format!("categories/{name}"), "name": name, "dataType": types,
            "description": what,
        })
    };
    let names = class_names(&release.categories);
    let rows: Vec<Value> = (release.categories.iter().zip(&names).enumerate())
        .map(|(at, (category, name))| {
            let mut row = json!({
                "categories/index": at, "categories/name": name, "categories/id": category.id,
                "categories/imagenet_ids": category.imagenet_ids, "categories/images": category.images,
            });
            for (list, ids) in &category.list_ids {
                row[format!("categories/{}", list_field(list))] = json!(ids);
            }
            row
        })
        .collect();
    let ids = |name: &str, what: &str| {
        let mut ids = field(name, "cr:Int32", what);
        ids["isArray"] = json!(true);
        ids["arrayShape"] = json!("-1");
        ids
    };
    let mut fields = vec![
        field("index", "cr:Int64", "The label."),
        field("name", "sc:Text", "The name of the class."),
        field("id", "sc:Text", "The category's id."),
        ids("imagenet_ids", "The ImageNet-1k classes that count as right."),
    ];
    for (list, _) in release.categories.iter().take(1).flat_map(|category| &category.list_ids) {
        fields.push(ids(&list_field(list), &format!("The classes of the list {list} that count as right.")));
    }
    fields.push(field("images", "cr:Int64", "Images of the category in the release."));
    json!({
        "@type": "cr:RecordSet", "@id": "categories", "name": "categories", "dataType": "sc:Enumeration",
        "description": "What the labels mean.", "key": { "@id": "categories/index" },
        "field": fields,
        "data": rows,
    })
}

/// The name of the field with the accepted classes of a list.
fn list_field(list: &str) -> String {
    format!("{}_ids", safe_name(list))
}

fn field(release: &Release, column: &ColumnFacts) -> Value {
    let (types, is_list) = data_type(column.kind);
    let mut field = json!({
        "@type": "cr:Field", "@id": format!("images/{}", safe_name(&column.name)), "name": column.name,
        "description": column.description, "dataType": types,
        "source": { "fileSet": { "@id": "data-files" }, "extract": { "column": column.name } },
    });
    if is_list {
        field["isArray"] = json!(true);
        field["arrayShape"] = json!("-1");
    }
    if column.kind == ColumnKind::Image {
        field["source"]["transform"] = json!({ "jsonPath": "bytes" });
    }
    if column.kind == ColumnKind::ClassLabel && !release.categories.is_empty() {
        field["references"] = json!({ "field": { "@id": "categories/index" } });
    }
    field
}

/// Croissant's types for a column, and whether it holds lists of them.
fn data_type(kind: ColumnKind) -> (&'static [&'static str], bool) {
    match kind {
        ColumnKind::Image => (&["sc:ImageObject"], false),
        ColumnKind::ClassLabel => (&["cr:Int64", "cr:Label"], false),
        ColumnKind::Text => (&["sc:Text"], false),
        ColumnKind::Bool => (&["sc:Boolean"], false),
        ColumnKind::Int32 => (&["cr:Int32"], false),
        ColumnKind::Int64 => (&["cr:Int64"], false),
        ColumnKind::UInt32 => (&["cr:UInt32"], false),
        ColumnKind::UInt64 => (&["cr:UInt64"], false),
        ColumnKind::Float32 => (&["cr:Float32"], false),
        ColumnKind::Float64 => (&["cr:Float64"], false),
        ColumnKind::TextList => (&["sc:Text"], true),
        ColumnKind::Int32List => (&["cr:Int32"], true),
        ColumnKind::Float32List => (&["cr:Float32"], true),
    }
}
