//! Which sheet a person gets next: the one that fewest people have, of those that want more people.

use std::collections::{HashMap, HashSet};

use crate::store::GivenOut;

/// A sheet that was given out and not finished after so long counts as free again; whoever has it may still finish it.
const LEASE_MS: i64 = 24 * 60 * 60 * 1000;

/// What everybody has.
pub(super) struct Desk {
    wanted: Vec<u32>,
    /// For each sheet the images that are judged.
    judged: Vec<HashSet<u64>>,
    /// For each sheet its people: when they got it, whether they have finished it.
    given: Vec<HashMap<String, (i64, bool)>>,
    /// The unfinished sheet of each person.
    open: HashMap<String, usize>,
}

/// What a person is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// The sheet that the person has.
    Has(usize),
    /// A new one.
    New(usize),
    /// There is none.
    None,
}

impl Desk {
    /// As the database has it.
    pub fn new(
        batches: &HashMap<String, usize>,
        (wanted, judged): (&[u32], &[Vec<u64>]),
        given: Vec<GivenOut>,
    ) -> Self {
        let mut desk = Self {
            wanted: wanted.to_vec(),
            judged: judged.iter().map(|sheet| sheet.iter().copied().collect()).collect(),
            given: vec![HashMap::new(); wanted.len()],
            open: HashMap::new(),
        };
        for row in given {
            if let Some(&sheet) = batches.get(&row.batch) {
                desk.given[sheet].insert(row.person.clone(), (row.given_ms, row.finished));
                if !row.finished {
                    desk.open.insert(row.person, sheet);
                }
            }
        }
        desk
    }

    /// The sheet for a person, noted as given.
    pub fn next(&mut self, person: &str, now_ms: i64) -> Work {
        if let Some(&sheet) = self.open.get(person) {
            return Work::Has(sheet);
        }
        let seen: HashSet<u64> = (0..self.given.len())
            .filter(|&sheet| self.has(person, sheet))
            .flat_map(|sheet| &self.judged[sheet])
            .copied()
            .collect();
        // A second vote of a person on an image would not count.
        let known = |sheet: usize| self.judged[sheet].intersection(&seen).count();
        let wants = |&sheet: &usize| {
            !self.has(person, sheet)
                && (known(sheet) == 0 || known(sheet) < self.judged[sheet].len())
                && self.taken(sheet, now_ms) < self.wanted[sheet] as usize
        };
        let first = |&sheet: &usize| (self.taken(sheet, now_ms), known(sheet));
        let Some(sheet) = (0..self.given.len()).filter(wants).min_by_key(first) else {
            return Work::None;
        };
        self.given[sheet].insert(person.to_owned(), (now_ms, false));
        self.open.insert(person.to_owned(), sheet);
        Work::New(sheet)
    }

    fn taken(&self, sheet: usize, now_ms: i64) -> usize {
        self.given[sheet].values().filter(|(given, finished)| *finished || now_ms - given < LEASE_MS).count()
    }

    /// Takes a sheet back that could not be noted down.
    pub fn forget(&mut self, person: &str, sheet: usize) {
        self.given[sheet].remove(person);
        self.open.remove(person);
    }

    /// Whether the person has, or had, the sheet.
    pub fn has(&self, person: &str, sheet: usize) -> bool {
        self.given[sheet].contains_key(person)
    }

    /// The person's sheet is finished.
    pub fn finish(&mut self, person: &str, sheet: usize) {
        if let Some((_, finished)) = self.given[sheet].get_mut(person) {
            *finished = true;
        }
        if self.open.get(person) == Some(&sheet) {
            self.open.remove(person);
        }
    }

    /// People who have finished a sheet, and who are at work on it.
    pub fn progress(&self, sheet: usize) -> (HashSet<&str>, HashSet<&str>) {
        let of = |wanted: bool| {
            let people = self.given[sheet].iter().filter(move |(_, (_, finished))| *finished == wanted);
            people.map(|(person, _)| person.as_str()).collect()
        };
        (of(true), of(false))
    }

    /// Sheets that a person has finished.
    pub fn finished(&self, person: &str) -> usize {
        self.given.iter().filter(|people| people.get(person).is_some_and(|(_, finished)| *finished)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk(wanted: &[u32]) -> Desk {
        let batches = (0..wanted.len()).map(|at| (at.to_string(), at)).collect();
        let judged: Vec<Vec<u64>> = (0..wanted.len() as u64).map(|sheet| vec![sheet]).collect();
        Desk::new(&batches, (wanted, &judged), Vec::new())
    }

    #[test]
    fn sheets_go_round_evenly_and_nobody_gets_one_twice() {
        let mut desk = desk(&[2, 2]);
        assert_eq!(["a", "b", "c"].map(|person| desk.next(person, 0)), [Work::New(0), Work::New(1), Work::New(0)]);
        assert_eq!(desk.next("a", 1), Work::Has(0));
        desk.finish("a", 0);
        assert_eq!(desk.next("a", 2), Work::New(1));
        desk.finish("a", 1);
        assert_eq!((desk.next("a", 3), desk.next("d", 3), desk.finished("a")), (Work::None, Work::None, 2));
    }

    #[test]
    fn nobody_gets_images_again_on_a_sheet_of_a_later_round() {
        let batches = [("first".to_owned(), 0), ("again".to_owned(), 1)].into();
        let mut desk = Desk::new(&batches, (&[1, 1], &[vec![1, 2, 3, 4], vec![1, 2, 3]]), Vec::new());
        assert_eq!(desk.next("a", 0), Work::New(0));
        desk.finish("a", 0);
        assert_eq!((desk.next("a", 1), desk.next("b", 1)), (Work::None, Work::New(1)));
    }

    #[test]
    fn a_sheet_that_somebody_left_is_given_to_another_a_day_later() {
        let mut desk = desk(&[1]);
        assert_eq!(desk.next("a", 0), Work::New(0));
        assert_eq!(desk.next("b", 1000), Work::None);
        assert_eq!(desk.next("b", LEASE_MS + 1), Work::New(0));
        assert_eq!(desk.next("a", LEASE_MS + 2), Work::Has(0));
    }
}
