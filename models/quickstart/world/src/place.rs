//! Where an object stands: 12 of the 468 backgrounds, as the colour seen along a ray.
//!
//! The ground is the plane y = 0. Indoors a wall stands behind the object; outdoors there is what the eye meets at a
//! great distance.

use crate::random::{Random, cell, noise, rough};
use crate::surface::hue;
use crate::vector::{Vec3, v};

/// Backgrounds: id and phrase, as in `nuisances/background.toml`.
pub const PLACES: [(&str, &str); 12] = [
    ("living-room", "in the living room"),
    ("kitchen", "in the kitchen"),
    ("library-indoor", "inside a library"),
    ("stage-indoor", "on an indoor stage"),
    ("street", "on a street"),
    ("lawn", "on a lawn"),
    ("beach", "on a beach"),
    ("ocean", "in the ocean"),
    ("desert-sand", "in a sandy desert"),
    ("snowfield", "on a snowfield"),
    ("forest-broadleaf", "in a broadleaf forest"),
    ("wheat-field", "in a wheat field"),
];

/// Distance of a wall behind the object.
const WALL: f32 = 1.7;

/// A background and its accidental numbers.
pub struct Place {
    kind: usize,
    /// 0 to 1.
    chance: [f32; 4],
    shift: f32,
}

/// What a ray meets behind the object.
pub struct Seen {
    pub colour: Vec3,
    /// The place on the ground, if it is the ground.
    pub ground: Option<Vec3>,
}

impl Place {
    /// `kind`: index in [`PLACES`].
    pub fn new(kind: usize, r: &mut Random) -> Self {
        Self { kind, chance: [r.unit(), r.unit(), r.unit(), r.unit()], shift: r.between(0.0, 90.0) }
    }

    /// The colour of light that comes along a ray, before shadows.
    pub fn seen(&self, from: Vec3, towards: Vec3) -> Seen {
        let down = if towards.y < -1e-4 { from.y / -towards.y } else { f32::MAX };
        let wall = if self.kind < 4 && towards.z < -1e-4 { (from.z + WALL) / -towards.z } else { f32::MAX };
        if down < wall && down < 60.0 {
            let at = from + towards * down;
            // Far ground fades into what stands at the horizon.
            let far = if self.kind < 4 { 0.0 } else { ((down - 5.0) / 40.0).clamp(0.0, 0.6) };
            let colour = self.ground(at.x, at.z).mix(self.distance(towards.x, 0.01), far);
            return Seen { colour, ground: Some(at) };
        }
        if wall < f32::MAX {
            let at = from + towards * wall;
            return Seen { colour: self.wall(at.x, at.y), ground: None };
        }
        let level = towards.x.hypot(towards.z).max(0.05);
        Seen { colour: self.distance(towards.x / level, towards.y / level), ground: None }
    }

    fn ground(&self, x: f32, z: f32) -> Vec3 {
        let [a, b, ..] = self.chance;
        let s = self.shift;
        let grain = |scale: f32, depth: f32| 1.0 - depth / 2.0 + depth * rough(x * scale + s, z * scale);
        match self.kind {
            0 => {
                let board = (x * 2.6 + s).floor();
                let joint = (x * 2.6 + s) - board < 0.1;
                let tone = 0.8 + 0.3 * cell(board as i32, 3);
                hue(0.07 + 0.02 * a, 0.6, 0.62) * if joint { 0.5 } else { tone }
            }
            1 => hue(0.09, 0.12 * a, 0.45 + 0.3 * b) * grain(7.0, 0.15),
            2 => hue(if a < 0.5 { 0.99 } else { 0.62 }, 0.6, 0.3 + 0.1 * b) * grain(9.0, 0.3),
            3 => {
                let board = (x * 3.5 + s).floor();
                let spot = 1.5 - 0.55 * x.hypot(z * 0.8);
                hue(0.07, 0.65, 0.32) * (0.85 + 0.25 * cell(board as i32, 1)) * spot.max(0.45)
            }
            4 => {
                let lane = (x - 1.1 + 2.2 * a).abs() < 0.09 && (z * 0.8 + s).rem_euclid(1.6) < 0.95;
                if lane { v(0.88, 0.85, 0.7) } else { v(0.36, 0.36, 0.38) * (0.8 + 0.3 * b) * grain(10.0, 0.2) }
            }
            5 => hue(0.27 + 0.05 * a, 0.75, 0.5 + 0.12 * b) * grain(9.0, 0.5),
            6 if z < -1.2 - a => self.water(x, z) * 1.15,
            6 => hue(0.11, 0.3, 0.85) * grain(6.0, 0.2),
            7 => self.water(x, z),
            8 => hue(0.085 + 0.02 * a, 0.6, 0.82) * (0.92 + 0.1 * (z * 5.0 + 2.0 * noise(x * 0.8 + s, z)).sin()),
            9 => v(0.9, 0.93, 0.97) * grain(2.0, 0.1),
            10 => hue(0.1 + 0.13 * a, 0.6, 0.34) * grain(8.0, 0.7),
            _ => hue(0.115, 0.7, 0.72) * grain(11.0, 0.6),
        }
    }

    fn water(&self, x: f32, z: f32) -> Vec3 {
        let [a, b, ..] = self.chance;
        let wave = (z * 6.0 + 2.5 * noise(x * 1.2 + self.shift, z * 2.0) + self.shift).sin();
        hue(0.52 + 0.07 * a, 0.75, 0.45 + 0.2 * b).mix(v(0.85, 0.93, 0.97), (wave - 0.35).max(0.0) * 0.7)
    }

    fn wall(&self, x: f32, y: f32) -> Vec3 {
        let [a, b, c, d] = self.chance;
        match self.kind {
            0 => {
                let (px, py) = (x - 2.4 * (c - 0.5), y - 1.55);
                let (w, h) = (0.42, 0.34);
                match () {
                    () if y < 0.12 => v(0.93, 0.92, 0.88),
                    () if px.abs() < w - 0.07 && py.abs() < h - 0.07 => hue(d, 0.5, 0.75 - 0.3 * py),
                    () if px.abs() < w && py.abs() < h => v(0.3, 0.19, 0.1),
                    () => hue(a, 0.08 + 0.17 * b, 0.86),
                }
            }
            1 => {
                let (i, j) = (x * 3.2 + self.shift, y * 3.2);
                let joint = i - i.floor() < 0.13 || j - j.floor() < 0.13;
                let tile = hue(0.45 + 0.2 * a, 0.05 + 0.2 * b, 0.93);
                let tile = if c < 0.5 { tile * (0.92 + 0.08 * cell(i.floor() as i32, j.floor() as i32)) } else { tile };
                if joint { v(0.6, 0.62, 0.64) } else { tile }
            }
            2 => {
                let (row, up) = ((y / 0.62).floor(), (y / 0.62).rem_euclid(1.0));
                let book = (x * 7.0 + self.shift + 0.3 * noise(x * 7.0, row * 9.0)).floor() as i32;
                let name = cell(book, row as i32);
                match () {
                    () if up < 0.13 => v(0.36, 0.22, 0.11),
                    () if up > 0.72 + 0.25 * cell(book, row as i32 + 50) => v(0.1, 0.06, 0.04),
                    () => hue(name * 5.0, 0.7, 0.3 + 0.4 * cell(row as i32, book)),
                }
            }
            _ => {
                let fold = (x * 7.0 + self.shift + 0.6 * noise(x * 2.0, y)).sin();
                hue(0.975 + 0.03 * a, 0.9, 0.5) * (0.68 + 0.38 * fold)
            }
        }
    }

    /// `a`: to the right, `b`: up, as tangents.
    fn distance(&self, a: f32, b: f32) -> Vec3 {
        let [p, q, ..] = self.chance;
        let s = self.shift;
        let sky = hue(0.57, 0.5 - 1.2 * b.min(0.3), 0.93);
        match self.kind {
            4 => {
                let house = (a * 7.0 + s).floor();
                let roof = 0.09 + 0.22 * cell(house as i32, 5);
                let (i, j) = ((a * 28.0 + 4.0 * s).rem_euclid(1.0), (b * 26.0).rem_euclid(1.0));
                let front = hue(0.02 + 0.1 * cell(house as i32, 8), 0.35, 0.4 + 0.3 * cell(house as i32, 2));
                match () {
                    () if b > roof => hue(0.57, 0.2 * p, 0.88),
                    () if i > 0.45 && j > 0.45 => v(0.2, 0.23, 0.3),
                    () => front,
                }
            }
            5 if b < 0.05 + 0.035 * noise(a * 20.0 + s, 0.0) => hue(0.3, 0.75, 0.24 + 0.14 * noise(a * 60.0, b * 60.0)),
            6 if b < 0.0 => self.water(a * 30.0, -30.0),
            7 => hue(0.56, 0.35 + 0.2 * p - 0.8 * b.min(0.25), 0.92),
            8 => {
                let dune = 0.03 + 0.035 * (a * 9.0 + s).sin() + 0.02 * (a * 21.0 + s).sin();
                if b < dune { hue(0.075, 0.62, 0.68) } else { hue(0.57, 0.28 * p + 0.1, 0.95) }
            }
            9 => {
                let fir = (a * 26.0 + s).rem_euclid(1.0) - 0.5;
                let tall = 0.08 * cell((a * 26.0 + s).floor() as i32, 1) + 0.02;
                if q > 0.35 && b < tall * (1.0 - 2.0 * fir.abs()) { v(0.2, 0.3, 0.3) } else { v(0.8, 0.85, 0.9) }
            }
            10 => {
                let trunk = a * 15.0 + s + 0.25 * noise(b * 8.0, a * 3.0);
                let leaf = rough(a * 34.0 + s, b * 34.0);
                match trunk.rem_euclid(1.0) < 0.17 + 0.18 * cell(trunk.floor() as i32, 4) {
                    true => hue(0.07, 0.5, 0.24),
                    false => hue(0.25 + 0.05 * p, 0.75, 0.16 + 0.5 * leaf),
                }
            }
            11 if b < 0.1 + 0.03 * noise(a * 50.0 + s, 1.0) => {
                hue(0.12, 0.75, 0.55 + 0.35 * noise(a * 75.0 + s, b * 12.0))
            }
            _ => {
                let cloud = (rough(a * 8.0 + s, b * 22.0) - 0.5).max(0.0) * 2.0;
                sky.mix(v(0.97, 0.97, 0.98), cloud.min(0.9))
            }
        }
    }
}
