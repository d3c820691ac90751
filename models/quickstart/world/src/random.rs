//! Numbers that look random and are a function of a seed and a place alone.
//!
//! Source: SplitMix64 (Steele et al. 2014), Perlin's value noise, Worley's cells.

/// Mixes 64 bits thoroughly.
pub fn mixed(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A stream of numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(mixed(seed.wrapping_add(0x9E37_79B9_7F4A_7C15)))
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed(self.0)
    }

    /// From 0 to below 1.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 24) as f32
    }

    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    pub fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }

    pub fn sign(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

fn hash2(x: i32, y: i32) -> u32 {
    let mut h = (x as u32).wrapping_mul(0x85EB_CA6B) ^ (y as u32).wrapping_mul(0xC2B2_AE35);
    h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
    h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
    h ^ (h >> 15)
}

/// 0 to 1 for each cell of a grid.
pub fn cell(x: i32, y: i32) -> f32 {
    hash2(x, y) as f32 / u32::MAX as f32
}

/// Smooth noise in the plane, 0 to 1, features of size 1.
pub fn noise(x: f32, y: f32) -> f32 {
    let (i, j) = (x.floor(), y.floor());
    let (fx, fy) = (x - i, y - j);
    let (sx, sy) = (fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy));
    let (i, j) = (i as i32, j as i32);
    let low = cell(i, j) + (cell(i + 1, j) - cell(i, j)) * sx;
    let high = cell(i, j + 1) + (cell(i + 1, j + 1) - cell(i, j + 1)) * sx;
    low + (high - low) * sy
}

/// Two octaves of [`noise`].
pub fn rough(x: f32, y: f32) -> f32 {
    0.65 * noise(x, y) + 0.35 * noise(2.1 * x + 17.0, 2.1 * y + 5.0)
}

/// The two nearest of one random point in each cell: their distances, and 0 to 1 for the nearest.
pub fn cells(x: f32, y: f32) -> (f32, f32, f32) {
    let (i, j) = (x.floor() as i32, y.floor() as i32);
    let (mut first, mut second, mut name) = (9.0_f32, 9.0_f32, 0.0);
    for dj in -1..=1 {
        for di in -1..=1 {
            let (a, b) = (i + di, j + dj);
            let (px, py) = (a as f32 + 0.15 + 0.7 * cell(a, b), b as f32 + 0.15 + 0.7 * cell(b + 91, a - 37));
            let d = (px - x).hypot(py - y);
            if d < first {
                (second, first, name) = (first, d, cell(a + 7, b + 13));
            } else if d < second {
                second = d;
            }
        }
    }
    (first, second, name)
}
