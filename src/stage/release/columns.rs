//! The columns of a release: one entry for each, with name, type, meaning and how its cell comes from the evidence.
//!
//! Holds always: names and types are a format that people load, so they change only with the version of a release's
//! format.

use super::evidence::Evidence;
use crate::domain::{
    Answer, Cell, ColumnFacts, ColumnKind, LabelSpace, Prediction, Provenance, Question, RunSpec, SpacePrediction,
    SurrogateSpec,
};

type Get = Box<dyn Fn(&Evidence) -> Cell + Send + Sync>;

/// A column.
pub struct Column {
    /// What documents say about it.
    pub facts: ColumnFacts,
    get: Get,
}

impl Column {
    fn new(
        name: &str,
        kind: ColumnKind,
        meaning: &str,
        get: impl Fn(&Evidence) -> Cell + Send + Sync + 'static,
    ) -> Self {
        let facts = ColumnFacts { name: name.to_owned(), kind, description: meaning.to_owned() };
        Self { facts, get: Box::new(get) }
    }

    /// Its cell in the row of an item.
    pub fn cell(&self, evidence: &Evidence) -> Cell {
        (self.get)(evidence)
    }
}

/// All columns; those about people are there if `verified`.
pub fn columns(spec: &RunSpec, verified: bool) -> Vec<Column> {
    let mut columns = vec![
        Column::new("image", ColumnKind::Image, "The image, as it was made or found.", |e| {
            Cell::Image(e.bytes.clone(), e.item.path.clone())
        }),
        Column::new("label", ColumnKind::ClassLabel, "Place of the category in the list of categories, from 0.", |e| {
            Cell::Int64(e.item.label as i64)
        }),
    ];
    columns.extend(identity());
    columns.extend(making());
    columns.extend(mining(spec));
    let masked = spec.mine.select.label_space == LabelSpace::Masked;
    for (at, voter) in spec.voters().into_iter().enumerate() {
        columns.extend(surrogate(at, voter, masked));
    }
    if verified {
        columns.push(Column::new("verdict", ColumnKind::Text, "What people decided.", |e| {
            Cell::text(e.verdict.map(|item| item.verdict.name()))
        }));
        let questions = spec.annotate.questions.iter().enumerate();
        columns.extend(questions.flat_map(|(at, asked)| question(at, asked)));
    }
    columns
}

/// All columns, as documents and files describe them.
pub fn release_columns(spec: &RunSpec, verified: bool) -> Vec<ColumnFacts> {
    columns(spec, verified).into_iter().map(|column| column.facts).collect()
}

fn identity() -> Vec<Column> {
    vec![
        Column::new("item_id", ColumnKind::UInt32, "Number of the item in its run; its file is named after it.", |e| {
            Cell::UInt32(e.item.image.item_id.0)
        }),
        Column::new("category", ColumnKind::Text, "Id of the category.", |e| Cell::Text(e.category.id.clone())),
        Column::new("imagenet_ids", ColumnKind::Int32List, "ImageNet-1k classes that count as right.", |e| {
            Cell::Int32List(e.category.imagenet_ids.iter().map(|&id| id as i32).collect())
        }),
        Column::new(
            "sha256",
            ColumnKind::Text,
            "SHA-256 of the image's file: the same in every release that has it.",
            |e| Cell::Text(e.item.image.sha256.to_string()),
        ),
        Column::new("width_px", ColumnKind::UInt32, "Width of the image.", |e| Cell::UInt32(e.item.image.width_px)),
        Column::new("height_px", ColumnKind::UInt32, "Height of the image.", |e| Cell::UInt32(e.item.image.height_px)),
        Column::new("source", ColumnKind::Text, "File below the folder of photographs; none for made images.", |e| {
            Cell::text(e.plan.source.as_deref())
        }),
    ]
}

fn making() -> Vec<Column> {
    let made = |name: &str, kind, meaning: &str, get: fn(&Provenance) -> Cell| {
        Column::new(name, kind, meaning, move |e| e.item.image.made.as_ref().map_or(Cell::Null, get))
    };
    vec![
        Column::new("nuisance_kind", ColumnKind::Text, "Kind of nuisance, where there is one.", |e| {
            Cell::text(e.plan.nuisance_kind.as_deref())
        }),
        Column::new("nuisance", ColumnKind::Text, "Its value.", |e| Cell::text(e.plan.nuisance.as_deref())),
        Column::new("template", ColumnKind::Text, "Template of the prompt.", |e| {
            Cell::text(e.plan.template.as_deref())
        }),
        Column::new("prompt", ColumnKind::Text, "What the model was asked for.", |e| {
            Cell::text(e.plan.prompt.as_deref())
        }),
        Column::new("negative_prompt", ColumnKind::Text, "What it was asked to avoid.", |e| {
            Cell::text(e.plan.negative_prompt.as_deref())
        }),
        Column::new("seed", ColumnKind::UInt64, "Seed of everything random about the item.", |e| {
            Cell::UInt64(e.plan.seed)
        }),
        made("model_sha256", ColumnKind::Text, "Hash of the names and hashes of the model's files.", |made| {
            Cell::Text(made.model_sha256.to_string())
        }),
        made("engine", ColumnKind::Text, "What ran the model: ort (ONNX Runtime) or candle.", |made| {
            Cell::Text(made.engine.clone())
        }),
        made("sampler", ColumnKind::Text, "The sampler.", |made| Cell::Text(made.sampler.clone())),
        made("steps", ColumnKind::UInt32, "Its steps.", |made| Cell::UInt32(made.steps)),
        made("guidance", ColumnKind::Float64, "Scale of the classifier-free guidance.", |made| {
            Cell::Float64(made.guidance)
        }),
        made("warning", ColumnKind::Text, "What people should know, such as a prompt that was cut.", |made| {
            Cell::text(made.warning.as_deref())
        }),
    ]
}

fn mining(spec: &RunSpec) -> Vec<Column> {
    let agreed = match spec.shared_space() {
        Some(space) => format!("The class of {space} that most failing surrogates gave."),
        None => "The label of the category that most failing surrogates gave, by the classes that it accepts in the \
                 class space of each; null if they gave classes of no category."
            .to_owned(),
    };
    vec![
        Column::new("n_surrogates", ColumnKind::UInt32, "Surrogates that voted.", |e| {
            Cell::UInt32(e.predictions.len() as u32)
        }),
        Column::new("n_failed", ColumnKind::UInt32, "Surrogates that fail.", |e| Cell::UInt32(e.item.hard.n_failed)),
        Column::new("failed_by", ColumnKind::TextList, "Their names.", |e| {
            Cell::TextList(e.item.hard.failed_by.to_vec())
        }),
        Column::new("agreed_wrong", ColumnKind::Int32, &agreed, |e| {
            e.item.hard.agreed_wrong.map_or(Cell::Null, |(class, _)| Cell::Int32(class))
        }),
        Column::new("n_agreed_wrong", ColumnKind::UInt32, "How many gave it.", |e| {
            Cell::UInt32(e.item.hard.agreed_wrong.map_or(0, |(_, count)| count))
        }),
        Column::new(
            "near_tie",
            ColumnKind::Bool,
            "Another machine's rounding may turn some surrogate's verdict.",
            |e| Cell::Bool(e.item.hard.near_tie),
        ),
    ]
}

fn surrogate(at: usize, voter: &SurrogateSpec, masked: bool) -> Vec<Column> {
    let (name, space) = (&voter.name, &voter.space);
    let column = |what: &str, kind, meaning: &str, get: fn(&Prediction) -> Cell| {
        let meaning = format!("{name}: {meaning}");
        Column::new(&format!("{name}_{what}"), kind, &meaning, move |e| {
            e.predictions.get(at).map_or(Cell::Null, |p| get(p))
        })
    };
    let of_space = |what: &str, kind, meaning: &str, get: fn(&SpacePrediction) -> Cell| {
        let meaning = format!("{name}: {meaning}");
        Column::new(&format!("{name}_{what}"), kind, &meaning, move |e| {
            let space = e.predictions.get(at).map(|p| if masked { &p.masked } else { &p.any });
            space.map_or(Cell::Null, get)
        })
    };
    vec![
        of_space(
            "top1_id",
            ColumnKind::Int32,
            &format!("top class in the label space of the mining, an index of the class space {space}."),
            |p| Cell::Int32(p.top1_id),
        ),
        of_space("correct", ColumnKind::Bool, "whether it is one of the category's.", |p| Cell::Bool(p.correct)),
        of_space("true_prob", ColumnKind::Float32, "sum of the probabilities of the category's classes.", |p| {
            Cell::Float32(p.true_prob)
        }),
        of_space("margin", ColumnKind::Float32, "best accepted minus best other probability.", |p| {
            Cell::Float32(p.margin)
        }),
        column("top5_ids", ColumnKind::Int32List, &format!("the likeliest classes of {space}, at most five."), |p| {
            Cell::Int32List(p.top5_ids.to_vec())
        }),
        column("top5_probs", ColumnKind::Float32List, "their probabilities.", |p| {
            Cell::Float32List(p.top5_probs.to_vec())
        }),
        column("true_rank", ColumnKind::UInt32, &format!("rank of the best accepted class of {space}, from 1."), |p| {
            Cell::UInt32(p.true_rank)
        }),
        column("max_logit", ColumnKind::Float32, "largest logit, where the model gives logits.", |p| {
            p.max_logit.map_or(Cell::Null, Cell::Float32)
        }),
        column("energy", ColumnKind::Float32, "minus the logarithm of the sum of exponentials of the logits.", |p| {
            p.energy.map_or(Cell::Null, Cell::Float32)
        }),
    ]
}

fn question(at: usize, question: &Question) -> Vec<Column> {
    let (id, text) = (&question.id, question.about("the category"));
    let count = |place: usize, answer: &Answer| {
        let meaning = format!("Valid votes \"{}\" on: {}", answer.name(), text);
        Column::new(&format!("{id}_{}", answer.name()), ColumnKind::UInt32, &meaning, move |e| {
            e.verdict.and_then(|item| item.tallies.get(at)).map_or(Cell::Null, |tally| Cell::UInt32(tally.votes[place]))
        })
    };
    let mut columns: Vec<Column> = Answer::ALL.iter().enumerate().map(|(place, answer)| count(place, answer)).collect();
    columns.extend([
        Column::new(
            &format!("{id}_score"),
            ColumnKind::Float64,
            "What is held against the bound of acceptance.",
            move |e| {
                let score = e.verdict.and_then(|item| item.tallies.get(at)).and_then(|tally| tally.score);
                score.map_or(Cell::Null, Cell::Float64)
            },
        ),
        Column::new(
            &format!("{id}_people"),
            ColumnKind::Int32List,
            "Who voted: numbers of people in this release.",
            move |e| {
                Cell::Int32List(
                    e.votes.iter().filter(|vote| vote.question == at).map(|vote| vote.person as i32).collect(),
                )
            },
        ),
        Column::new(
            &format!("{id}_answers"),
            ColumnKind::TextList,
            "What they answered, in the same order.",
            move |e| {
                let votes = e.votes.iter().filter(|vote| vote.question == at);
                Cell::TextList(votes.map(|vote| vote.answer.name().to_owned()).collect())
            },
        ),
    ]);
    columns
}
