//! Which sheet a person gets next: among the sheets that need more people, the one that the fewest people have.

use std::collections::{HashMap, HashSet};

use crate::store::HandedOut;

/// A sheet that is not finished after this time counts as free again; the person who has it may still finish it.
const LEASE_MS: i64 = 24 * 60 * 60 * 1000;

/// Who has which sheet.
pub(super) struct Desk {
    /// People wanted for each sheet.
    wanted: Vec<u32>,
    /// For each sheet the images that are judged.
    judged: Vec<HashSet<u64>>,
    /// For each sheet the people who have it or had it.
    holders: Vec<HashMap<String, Holding>>,
    /// The unfinished sheet of each person.
    open: HashMap<String, usize>,
    /// For each sheet those that a person who has it should not get.
    apart: HashMap<usize, HashSet<usize>>,
}

/// One person's copy of a sheet.
#[derive(Debug, Clone, Copy)]
struct Holding {
    given_ms: i64,
    finished: bool,
}

/// The sheet for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextSheet {
    /// The sheet that the person has already.
    Has(usize),
    /// A new sheet.
    New(usize),
    /// No sheet is left.
    None,
}

impl Desk {
    /// A desk on which `given` sheets are out, as the database has it.
    ///
    /// `batches`: places of the sheets by name; `wanted`, `judged`: by place.
    pub fn new(batches: &HashMap<String, usize>, wanted: &[u32], judged: &[Vec<u64>], given: Vec<HandedOut>) -> Self {
        let mut desk = Self {
            wanted: wanted.to_vec(),
            judged: judged.iter().map(|sheet| sheet.iter().copied().collect()).collect(),
            holders: vec![HashMap::new(); wanted.len()],
            open: HashMap::new(),
            apart: HashMap::new(),
        };
        for row in given {
            let Some(&sheet) = batches.get(&row.batch) else { continue };
            let holding = Holding { given_ms: row.given_ms, finished: row.finished };
            desk.holders[sheet].insert(row.person.clone(), holding);
            if !row.finished {
                desk.open.insert(row.person, sheet);
            }
        }
        desk
    }

    /// The same desk; a person who has one sheet of a pair gets the other one last.
    pub fn apart(mut self, pairs: &[(usize, usize)]) -> Self {
        for &(a, b) in pairs {
            self.apart.entry(a).or_default().insert(b);
            self.apart.entry(b).or_default().insert(a);
        }
        self
    }

    /// The sheets that people have or will get next, `count` of the latter.
    pub fn upcoming(&self, count: usize, now_ms: i64) -> Vec<usize> {
        let mut next: Vec<(usize, usize)> = (0..self.holders.len())
            .map(|sheet| (self.holders_in_time(sheet, now_ms), sheet))
            .filter(|&(holders, sheet)| holders < self.wanted[sheet] as usize)
            .collect();
        next.sort_unstable();
        let open = self.open.values().copied();
        open.chain(next.into_iter().map(|(_, sheet)| sheet).take(count)).collect()
    }

    /// The sheet for a person; a new one is marked as given.
    pub fn next(&mut self, person: &str, now_ms: i64) -> NextSheet {
        if let Some(&sheet) = self.open.get(person) {
            return NextSheet::Has(sheet);
        }
        let seen = self.images_of(person);
        // Free sheets by whether the person has seen an image of them under another category, then by how many people
        // have them, then by how many of their images the person has judged.
        let mut best: Option<(bool, usize, usize, usize)> = None;
        for sheet in 0..self.holders.len() {
            let holders = self.holders_in_time(sheet, now_ms);
            if self.has(person, sheet) || holders >= self.wanted[sheet] as usize {
                continue;
            }
            // A person's second vote on an image would not count, so a sheet without any new image is of no use.
            let known = self.judged[sheet].intersection(&seen).count();
            if known > 0 && known == self.judged[sheet].len() {
                continue;
            }
            let apart =
                self.apart.get(&sheet).is_some_and(|others| others.iter().any(|&other| self.has(person, other)));
            let candidate = (apart, holders, known, sheet);
            best = Some(best.map_or(candidate, |best| best.min(candidate)));
        }
        let Some((_, _, _, sheet)) = best else { return NextSheet::None };
        self.holders[sheet].insert(person.to_owned(), Holding { given_ms: now_ms, finished: false });
        self.open.insert(person.to_owned(), sheet);
        NextSheet::New(sheet)
    }

    /// The images on all sheets that a person has or had.
    fn images_of(&self, person: &str) -> HashSet<u64> {
        let sheets = (0..self.holders.len()).filter(|&sheet| self.has(person, sheet));
        sheets.flat_map(|sheet| &self.judged[sheet]).copied().collect()
    }

    /// People who have finished a sheet, or who got it less than [`LEASE_MS`] ago.
    fn holders_in_time(&self, sheet: usize, now_ms: i64) -> usize {
        let is_in_time = |holding: &&Holding| holding.finished || now_ms - holding.given_ms < LEASE_MS;
        self.holders[sheet].values().filter(is_in_time).count()
    }

    /// Takes back a sheet that could not be saved as given out.
    pub fn forget(&mut self, person: &str, sheet: usize) {
        self.holders[sheet].remove(person);
        self.open.remove(person);
    }

    /// Whether the person has, or had, the sheet.
    pub fn has(&self, person: &str, sheet: usize) -> bool {
        self.holders[sheet].contains_key(person)
    }

    /// Marks the person's sheet as finished.
    pub fn finish(&mut self, person: &str, sheet: usize) {
        if let Some(holding) = self.holders[sheet].get_mut(person) {
            holding.finished = true;
        }
        if self.open.get(person) == Some(&sheet) {
            self.open.remove(person);
        }
    }

    /// Whether the person has finished the sheet.
    pub fn is_finished(&self, person: &str, sheet: usize) -> bool {
        self.holders[sheet].get(person).is_some_and(|holding| holding.finished)
    }

    /// How many people have finished a sheet, and how many are at work on it.
    pub fn progress(&self, sheet: usize) -> (u64, u64) {
        let finished = self.holders[sheet].values().filter(|holding| holding.finished).count();
        (finished as u64, (self.holders[sheet].len() - finished) as u64)
    }

    /// How many sheets a person has finished.
    pub fn finished(&self, person: &str) -> usize {
        self.holders.iter().filter(|people| people.get(person).is_some_and(|holding| holding.finished)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk(wanted: &[u32]) -> Desk {
        let batches = (0..wanted.len()).map(|at| (at.to_string(), at)).collect();
        let judged: Vec<Vec<u64>> = (0..wanted.len() as u64).map(|sheet| vec![sheet]).collect();
        Desk::new(&batches, wanted, &judged, Vec::new())
    }

    #[test]
    fn sheets_go_round_evenly_and_nobody_gets_one_twice() {
        let mut desk = desk(&[2, 2]);
        assert_eq!(
            ["a", "b", "c"].map(|person| desk.next(person, 0)),
            [NextSheet::New(0), NextSheet::New(1), NextSheet::New(0)]
        );
        assert_eq!(desk.next("a", 1), NextSheet::Has(0));
        desk.finish("a", 0);
        assert_eq!(desk.next("a", 2), NextSheet::New(1));
        desk.finish("a", 1);
        assert_eq!((desk.next("a", 3), desk.next("d", 3), desk.finished("a")), (NextSheet::None, NextSheet::None, 2));
    }

    #[test]
    fn nobody_gets_images_again_on_a_sheet_of_a_later_round() {
        let batches = [("first".to_owned(), 0), ("again".to_owned(), 1)].into();
        let mut desk = Desk::new(&batches, &[1, 1], &[vec![1, 2, 3, 4], vec![1, 2, 3]], Vec::new());
        assert_eq!(desk.next("a", 0), NextSheet::New(0));
        desk.finish("a", 0);
        assert_eq!((desk.next("a", 1), desk.next("b", 1)), (NextSheet::None, NextSheet::New(1)));
    }

    #[test]
    fn a_sheet_with_an_image_under_another_category_comes_last() {
        let mut desk = desk(&[1, 1, 1]).apart(&[(0, 1)]);
        let mut given = Vec::new();
        for at in 0..3 {
            let NextSheet::New(sheet) = desk.next("a", at) else { break };
            desk.finish("a", sheet);
            given.push(sheet);
        }
        assert_eq!(given, [0, 2, 1]);
    }

    #[test]
    fn what_comes_next_is_what_people_have_and_then_what_they_get() {
        let mut desk = desk(&[1, 2, 1, 1]);
        assert_eq!(desk.next("a", 0), NextSheet::New(0));
        assert_eq!(desk.next("b", 0), NextSheet::New(1));
        assert_eq!(desk.upcoming(2, 0).into_iter().collect::<HashSet<_>>(), [0, 1, 2, 3].into());
        desk.finish("a", 0);
        desk.finish("b", 1);
        assert_eq!(desk.upcoming(9, 0), [2, 3, 1]);
    }

    #[test]
    fn a_sheet_that_somebody_left_is_given_to_another_a_day_later() {
        let mut desk = desk(&[1]);
        assert_eq!(desk.next("a", 0), NextSheet::New(0));
        assert_eq!(desk.next("b", 1000), NextSheet::None);
        assert_eq!(desk.next("b", LEASE_MS + 1), NextSheet::New(0));
        assert_eq!(desk.next("a", LEASE_MS + 2), NextSheet::Has(0));
    }
}
