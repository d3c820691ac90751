//! Votes that count -> scores, verdicts and agreement.
//!
//! Holds always: answers to sentinels decide nothing about items, because their truth is known; they only help to
//! estimate how reliable a person is.

use std::collections::{BTreeMap, HashMap};

use super::check::CheckedAnswers;
use super::round::Round;
use crate::domain::{
    Aggregate, Agreement, AnnotateSpec, Answer, ItemId, ItemVerdict, PersonRow, Question, Tally, Task, TaskKind,
    Verdict, VoteRow,
};
use crate::stats::{
    Vote, VoteSet, agreement_with_others, alpha_interval, dawid_skene, krippendorff_alpha, majority,
    one_coin_dawid_skene, percent_agreement, wawa,
};

/// Number of resamples for the interval of Krippendorff's alpha.
const RESAMPLES: u32 = 1000;
/// Places in [`Answer::ALL`].
const YES: usize = 2;
const NO: u8 = 0;

/// Verdicts, agreement and people.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decisions {
    /// One row for each item that people were asked about.
    pub items: Vec<ItemVerdict>,
    /// One for each question.
    pub agreement: Vec<Agreement>,
    /// One for each person.
    pub people: Vec<PersonRow>,
}

/// The votes of one question, with indices instead of names.
struct QuestionVotes<'a> {
    set: VoteSet,
    known: BTreeMap<u32, u8>,
    people: Vec<&'a str>,
    /// Valid votes by item and answer.
    counts: Vec<[u32; 3]>,
}

/// Computes the verdicts from the votes that count. `seed`: of the resampling.
pub fn decide(spec: &AnnotateSpec, rounds: &[Round], checked: &CheckedAnswers, seed: u64) -> Decisions {
    let asked = asked(rounds);
    let by_question: Vec<QuestionVotes> =
        spec.questions.iter().map(|question| QuestionVotes::new(question, rounds, &asked, checked)).collect();
    let scores: Vec<Vec<Option<f64>>> =
        by_question.iter().map(|question_votes| question_votes.scores(spec.verdict.aggregate)).collect();
    let mut items = Vec::with_capacity(asked.len());
    for (at, (&item_id, category)) in asked.iter().enumerate() {
        let mut tallies = Vec::with_capacity(by_question.len());
        for (question_votes, scores) in by_question.iter().zip(&scores) {
            let votes = question_votes.counts[at];
            tallies.push(Tally { votes, score: scores[at].filter(|_| votes != [0; 3]) });
        }
        let verdict = verdict(spec, &tallies);
        items.push(ItemVerdict { item_id, category: category.clone(), tallies, verdict });
    }
    let agreement = spec
        .questions
        .iter()
        .zip(&by_question)
        .map(|(question, question_votes)| question_votes.agreement(question, seed));
    Decisions { items, agreement: agreement.collect(), people: people(checked, &by_question) }
}

/// Items that people were asked about, with their categories, by id.
fn asked(rounds: &[Round]) -> BTreeMap<ItemId, String> {
    let tasks = rounds.iter().flat_map(|round| &round.tasks);
    tasks.filter_map(|task| Some((task.judged()?, task.category.clone()))).collect()
}

impl<'a> QuestionVotes<'a> {
    fn new(
        question: &Question,
        rounds: &[Round],
        items: &BTreeMap<ItemId, String>,
        checked: &'a CheckedAnswers,
    ) -> Self {
        let places: HashMap<ItemId, u32> = items.keys().copied().zip(0..).collect();
        let sentinels =
            rounds.iter().flat_map(|round| &round.tasks).filter_map(|task| Some((task, truth(question, task)?)));
        let sentinels: HashMap<&str, (u32, u8)> =
            sentinels.zip(places.len() as u32..).map(|((task, truth), at)| (task.name.as_str(), (at, truth))).collect();
        let mut question_votes = Self {
            set: VoteSet {
                tasks: places.len() + sentinels.len(),
                people: 0,
                labels: Answer::ALL.len(),
                votes: Vec::new(),
            },
            known: sentinels.values().copied().collect(),
            people: Vec::new(),
            counts: vec![[0; 3]; places.len()],
        };
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        for vote in checked.votes.iter().filter(|vote| vote.given.question == question.id) {
            let Some(task) = place(vote, &places, &sentinels) else { continue };
            let Some(answer) = vote.given.answer else { continue };
            let person = *numbers.entry(&vote.given.person).or_insert_with(|| {
                question_votes.people.push(&vote.given.person);
                question_votes.people.len() as u32 - 1
            });
            let label = Answer::ALL.iter().position(|known| *known == answer).unwrap_or_default() as u8;
            if let Some(counts) = question_votes.counts.get_mut(task as usize) {
                counts[usize::from(label)] += 1;
            }
            question_votes.set.votes.push(Vote { task, person, label });
        }
        question_votes.set.people = question_votes.people.len();
        question_votes
    }

    /// Without sentinels: agreement is about the judged images.
    fn judged(&self) -> VoteSet {
        let tasks = self.counts.len();
        let votes = self.set.votes.iter().copied().filter(|vote| (vote.task as usize) < tasks).collect();
        VoteSet { tasks, votes, ..self.set }
    }

    /// For each item the score that is compared with `accept_at`.
    fn scores(&self, aggregate: Aggregate) -> Vec<Option<f64>> {
        let probabilities = match aggregate {
            Aggregate::Majority => majority(&self.judged()),
            Aggregate::Wawa => wawa(&self.judged()).probabilities,
            Aggregate::DawidSkene => dawid_skene(&self.set, &self.known).probabilities,
            Aggregate::OneCoin => one_coin_dawid_skene(&self.set, &self.known).probabilities,
        };
        probabilities.iter().take(self.counts.len()).map(|row| row.get(YES).copied()).collect()
    }

    fn agreement(&self, question: &Question, seed: u64) -> Agreement {
        let judged = self.judged();
        Agreement {
            question: question.id.clone(),
            votes: judged.votes.len() as u64,
            percent: percent_agreement(&judged),
            alpha: krippendorff_alpha(&judged),
            interval: alpha_interval(&judged, seed, RESAMPLES).map(|interval| (interval.low, interval.high)),
        }
    }
}

/// The known answer to a sentinel.
fn truth(question: &Question, task: &Task) -> Option<u8> {
    match task.kind {
        TaskKind::Positive if question.positives => Some(YES as u8),
        TaskKind::Negative if question.negatives => Some(NO),
        _ => None,
    }
}

/// The index of the item or sentinel that a vote is about, if it counts for something.
fn place(vote: &VoteRow, items: &HashMap<ItemId, u32>, sentinels: &HashMap<&str, (u32, u8)>) -> Option<u32> {
    match (&vote.reason, vote.is_sentinel) {
        (None, _) => items.get(&vote.item_id?).copied(),
        (Some(_), true) => sentinels.get(vote.given.task.as_str()).map(|(at, _)| *at),
        (Some(_), false) => None,
    }
}

fn verdict(spec: &AnnotateSpec, tallies: &[Tally]) -> Verdict {
    for tally in tallies {
        if tally.votes.iter().sum::<u32>() < spec.verdict.min_votes {
            return Verdict::Undecided;
        }
    }
    for (tally, question) in tallies.iter().zip(&spec.questions) {
        // Scores are sums of fractions: 1e-9 is above their rounding.
        if tally.score.is_none_or(|score| score < question.accept_at - 1e-9) {
            return Verdict::Reject;
        }
    }
    Verdict::Accept
}

fn people(checked: &CheckedAnswers, by_question: &[QuestionVotes]) -> Vec<PersonRow> {
    let mut people: BTreeMap<&str, PersonRow> = BTreeMap::new();
    for row in &checked.assignments {
        let person = people.entry(&row.person).or_default();
        person.sheets += 1;
        person.set_aside += u64::from(row.reason.is_some());
    }
    let mut shares: HashMap<&str, Vec<f64>> = HashMap::new();
    for question_votes in by_question {
        let judged = question_votes.judged();
        for (name, share) in question_votes.people.iter().zip(agreement_with_others(&judged)) {
            shares.entry(name).or_default().extend(share);
        }
        for vote in &judged.votes {
            people.entry(question_votes.people[vote.person as usize]).or_default().votes += 1;
        }
    }
    let mut rows = Vec::with_capacity(people.len());
    for (name, row) in people {
        let shares = shares.get(name).map(Vec::as_slice).unwrap_or_default();
        let agreement = (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64);
        rows.push(PersonRow { person: name.to_owned(), agreement, ..row });
    }
    rows
}
