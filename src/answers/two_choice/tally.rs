//! Counts of outcomes, with the bounds that undecided answers leave.
//!
//! Gives no interval: `stats::proportion` has those. Holds always: every answer is in the denominator.

use super::{FairOutcome, OfficialOutcome};

/// Counts over all answers of a model. Chance gives one half of the answers that name one choice alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChoiceTally {
    /// Answers that name the true choice alone.
    pub right: u64,
    /// Answers that name the other choice alone.
    pub wrong: u64,
    /// Answers that name both.
    pub both: u64,
    /// Answers that name neither.
    pub neither: u64,
    /// Of those that name one choice alone, how many name the one that the question names first: position bias is their
    /// share of [`ChoiceTally::decided`].
    pub first: u64,
    /// Answers that ImageNet-D's rule takes as true.
    pub official_true: u64,
    /// Answers that it takes as false.
    pub official_false: u64,
}

impl ChoiceTally {
    /// Adds an answer. `truth_is_first`: the order of its question, if it is known.
    pub fn add(&mut self, fair: FairOutcome, official: Option<OfficialOutcome>, truth_is_first: bool) {
        match fair {
            FairOutcome::True => self.right += 1,
            FairOutcome::False => self.wrong += 1,
            FairOutcome::Both => self.both += 1,
            FairOutcome::None => self.neither += 1,
        }
        let names_first = (fair == FairOutcome::True) == truth_is_first;
        self.first += u64::from(matches!(fair, FairOutcome::True | FairOutcome::False) && names_first);
        self.official_true += u64::from(official == Some(OfficialOutcome::True));
        self.official_false += u64::from(official == Some(OfficialOutcome::False));
    }

    /// All answers.
    pub fn answers(&self) -> u64 {
        self.decided() + self.both + self.neither
    }

    /// Answers that name one choice alone.
    pub fn decided(&self) -> u64 {
        self.right + self.wrong
    }

    /// The share that is right, with the undecided answers all wrong and all right; `None` without an answer.
    pub fn bounds(&self) -> Option<[f64; 2]> {
        let share = |count: u64| count as f64 / self.answers() as f64;
        (self.answers() > 0).then(|| [share(self.right), share(self.answers() - self.wrong)])
    }

    /// ImageNet-D's accuracy, whose denominator leaves out what its rule does not decide; `None` without a decided one.
    pub fn official_accuracy(&self) -> Option<f64> {
        let decided = self.official_true + self.official_false;
        (decided > 0).then(|| self.official_true as f64 / decided as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undecided_answers_are_wrong_within_bounds() {
        let mut tally = ChoiceTally::default();
        tally.add(FairOutcome::True, Some(OfficialOutcome::True), true);
        tally.add(FairOutcome::False, Some(OfficialOutcome::Double), true);
        tally.add(FairOutcome::False, Some(OfficialOutcome::False), false);
        tally.add(FairOutcome::Both, None, true);
        tally.add(FairOutcome::None, Some(OfficialOutcome::Todo), false);
        assert_eq!((tally.answers(), tally.decided(), tally.first), (5, 3, 2));
        assert_eq!((tally.bounds(), tally.official_accuracy()), (Some([0.2, 0.6]), Some(0.5)));
        assert_eq!((ChoiceTally::default().bounds(), ChoiceTally::default().official_accuracy()), (None, None));
    }
}
