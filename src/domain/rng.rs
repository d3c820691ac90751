//! A counter-based random generator: gives any number of any stream without computing the ones before it.
//!
//! Source: Philox4x32-10, Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011; checked against the
//! known answers of Random123. Holds always: a value depends on (key, stream, index) alone, so that batch size, order
//! and threads cannot change it.

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// One keyed stream of random numbers.
#[derive(Debug, Clone, Copy)]
pub struct Philox {
    key: u64,
    stream: u64,
}

impl Philox {
    /// The stream `stream` under `key`, a recipe's seed or an item's.
    pub fn new(key: u64, stream: u64) -> Self {
        Self { key, stream }
    }

    /// The 128 bits at `index`, as four words.
    pub fn words(&self, index: u64) -> [u32; 4] {
        let counter = [index as u32, (index >> 32) as u32, self.stream as u32, (self.stream >> 32) as u32];
        rounds(counter, [self.key as u32, (self.key >> 32) as u32])
    }

    /// The first 64 of the bits at `index`.
    pub fn u64(&self, index: u64) -> u64 {
        let [low, high, ..] = self.words(index);
        u64::from(low) | u64::from(high) << 32
    }

    /// A number in [0, 1) with 24 random bits.
    pub fn unit_f32(&self, index: u64) -> f32 {
        (self.words(index)[0] >> 8) as f32 / (1 << 24) as f32
    }
}

fn rounds(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(MULTIPLIERS[0]) * u64::from(counter[0]);
        let b = u64::from(MULTIPLIERS[1]) * u64::from(counter[2]);
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_random123() {
        assert_eq!(rounds([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(rounds([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
    }

    #[test]
    fn unit_numbers_lie_in_the_unit_interval_and_differ() {
        let stream = Philox::new(7, 1);
        let numbers: Vec<f32> = (0..1000).map(|i| stream.unit_f32(i)).collect();
        assert!(numbers.iter().all(|x| (0.0..1.0).contains(x)));
        let mean = numbers.iter().sum::<f32>() / 1000.0;
        assert!((mean - 0.5).abs() < 0.05, "{mean}");
    }
}
