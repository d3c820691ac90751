//! What a surface looks like: 10 of the 47 textures and 9 of the 32 materials, as functions of a place on the object.

use crate::random::{Random, cell, cells, noise, rough};
use crate::vector::{Vec3, v};

/// Textures: id and adjective, as in `nuisances/texture.toml`.
pub const TEXTURES: [(&str, &str); 10] = [
    ("striped", "striped"),
    ("banded", "banded"),
    ("polka-dotted", "polka-dotted"),
    ("chequered", "checkered"),
    ("zigzagged", "zigzagged"),
    ("grid", "grid-patterned"),
    ("marbled", "marbled"),
    ("cracked", "cracked"),
    ("honeycombed", "honeycombed"),
    ("sprinkled", "sprinkled"),
];

/// Materials: id and noun, as in `nuisances/material.toml`.
pub const MATERIALS: [(&str, &str); 9] = [
    ("wood", "wood"),
    ("metal", "metal"),
    ("glass", "glass"),
    ("brick", "bricks"),
    ("ceramic", "ceramic"),
    ("plastic-opaque", "opaque plastic"),
    ("foliage", "foliage"),
    ("granite", "granite"),
    ("fire", "fire"),
];

/// What covers a part of an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cover {
    /// Index in [`TEXTURES`], on a matt ground.
    Texture(usize),
    /// Index in [`MATERIALS`].
    Material(usize),
    /// Gives light of its own, of its first colour.
    Lit,
}

/// A cover with its colours and its accidental numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finish {
    pub cover: Cover,
    pub colours: [Vec3; 3],
    /// Features per unit of the picture's half width.
    frequency: f32,
    angle: f32,
    shift: (f32, f32),
}

/// How light meets a place on a surface.
pub struct Skin {
    pub colour: Vec3,
    /// 0 to 1: share of the colour that does not depend on light.
    pub glow: f32,
    /// Strength of the highlight.
    pub gloss: f32,
    /// 0 to 1: how much of the surroundings is mirrored.
    pub mirror: f32,
    /// 0 to 1: how much of what is behind shows through.
    pub clear: f32,
}

/// A vivid colour of this hue (0 to 1), dark at value 0.
pub fn hue(at: f32, strength: f32, value: f32) -> Vec3 {
    let wave = |shift: f32| (((at + shift).rem_euclid(1.0) * 6.0 - 3.0).abs() - 1.0).clamp(0.0, 1.0);
    let full = v(wave(0.0), wave(2.0 / 3.0), wave(1.0 / 3.0));
    v(1.0, 1.0, 1.0).mix(full, strength) * value
}

impl Finish {
    pub fn new(cover: Cover, r: &mut Random) -> Self {
        let frequency = match cover {
            Cover::Texture(0 | 2 | 3 | 5 | 8) => r.between(3.0, 4.2),
            Cover::Texture(_) => r.between(2.6, 3.8),
            Cover::Material(_) | Cover::Lit => r.between(2.6, 3.6),
        };
        let angle = if cover == Cover::Texture(0) { r.between(-0.9, 0.9) } else { r.between(-0.15, 0.15) };
        let shift = (r.between(0.0, 50.0), r.between(0.0, 50.0));
        Self { cover, colours: colours(cover, r), frequency, angle, shift }
    }

    /// With these colours instead of its own.
    pub fn painted(self, colours: [Vec3; 3]) -> Self {
        Self { colours, ..self }
    }

    /// `q`: place on the object in units of the picture's half width; `n`: the surface's direction there.
    pub fn skin(&self, q: Vec3, n: Vec3) -> Skin {
        let (x, y) = flat(q, n);
        let (sine, cosine) = self.angle.sin_cos();
        let (x, y) = (x * cosine - y * sine, x * sine + y * cosine);
        let (x, y) = (x * self.frequency + self.shift.0, y * self.frequency + self.shift.1);
        let matt = |colour| Skin { colour, glow: 0.0, gloss: 0.08, mirror: 0.0, clear: 0.0 };
        match self.cover {
            Cover::Texture(kind) => matt(texture(kind, x, y, &self.colours)),
            Cover::Material(kind) => material(kind, x, y, &self.colours),
            Cover::Lit => Skin { glow: 1.0, ..matt(self.colours[0]) },
        }
    }
}

/// Projection along the axis that the surface faces most.
fn flat(q: Vec3, n: Vec3) -> (f32, f32) {
    let a = v(n.x.abs(), n.y.abs(), n.z.abs());
    match () {
        () if a.y > a.x && a.y > a.z => (q.x, q.z),
        () if a.x > a.z => (q.z, q.y),
        () => (q.x, q.y),
    }
}

fn colours(cover: Cover, r: &mut Random) -> [Vec3; 3] {
    let at = r.unit();
    let strong = hue(at, r.between(0.75, 1.0), r.between(0.45, 0.8));
    let pale = hue(r.unit(), r.between(0.0, 0.25), r.between(0.9, 1.0));
    let other = hue(at + r.between(0.25, 0.75), 0.8, r.between(0.6, 0.9));
    let grey = |k: f32| v(k, k, k);
    match cover {
        Cover::Texture(6) => [grey(r.between(0.25, 0.4)), v(0.92, 0.9, 0.88), other],
        Cover::Texture(7) => [v(0.13, 0.09, 0.06), hue(r.between(0.05, 0.13), 0.4, r.between(0.65, 0.85)), other],
        Cover::Texture(8) => [v(0.55, 0.3, 0.03), hue(r.between(0.1, 0.14), 0.75, 0.98), other],
        Cover::Texture(9) => [strong, hue(r.between(0.85, 1.05), r.between(0.0, 0.35), 0.98), other],
        Cover::Texture(_) => [strong, pale, other],
        Cover::Material(0) => {
            let wood = hue(r.between(0.06, 0.1), r.between(0.5, 0.7), r.between(0.5, 0.75));
            [wood, wood * 0.6, wood]
        }
        Cover::Material(1) => [grey(r.between(0.62, 0.78)), grey(0.3), grey(0.5)],
        Cover::Material(2) => [hue(r.between(0.4, 0.6), 0.15, 0.95), pale, other],
        Cover::Material(3) => [hue(r.between(0.0, 0.04), 0.7, r.between(0.55, 0.7)), v(0.8, 0.77, 0.72), other],
        Cover::Material(4) => [hue(r.between(0.08, 0.16), r.between(0.0, 0.12), r.between(0.92, 1.0)), pale, other],
        Cover::Material(5) => [hue(at, r.between(0.8, 1.0), r.between(0.75, 0.95)), pale, other],
        Cover::Material(6) => [hue(r.between(0.24, 0.34), 0.8, r.between(0.45, 0.65)), v(0.05, 0.13, 0.03), other],
        Cover::Material(7) => [grey(r.between(0.5, 0.65)), grey(0.15), v(0.85, 0.82, 0.82)],
        Cover::Material(_) | Cover::Lit => [v(1.0, 0.85, 0.3), v(0.95, 0.35, 0.02), v(0.45, 0.05, 0.0)],
    }
}

fn texture(kind: usize, x: f32, y: f32, c: &[Vec3; 3]) -> Vec3 {
    let part = |t: f32| t - t.floor();
    let of = |first: bool| if first { c[0] } else { c[1] };
    match kind {
        0 => of(part(x) < 0.5),
        1 => c[(y * 0.75).floor().rem_euclid(3.0) as usize],
        2 => {
            let odd = (y.floor().rem_euclid(2.0)) * 0.5;
            of((part(x + odd) - 0.5).hypot(part(y) - 0.5) < 0.31)
        }
        3 => of((x.floor() + y.floor()).rem_euclid(2.0) < 1.0),
        4 => of(part(y + 0.9 * (part(x * 0.7) - 0.5).abs()) < 0.5),
        5 => of(part(x) < 0.24 || part(y) < 0.24),
        6 => {
            let bent = 2.2 * rough(x * 0.8, y * 0.8);
            let vein = ((x * 0.7 + y * 0.5 + bent) * 2.4).sin().abs();
            c[0].mix(c[1], (vein * 2.2).min(1.0))
        }
        7 => {
            let (first, second, name) = cells(x * 0.75, y * 0.75);
            if second - first < 0.1 { c[0] } else { c[1] * (0.85 + 0.15 * name) }
        }
        8 => of(hexagon(x * 0.9, y * 0.9) < 0.13),
        _ => {
            let (first, _, name) = cells(x * 1.3, y * 1.3);
            if first < 0.3 { hue(name * 7.0, 0.95, 0.85) } else { c[1] }
        }
    }
}

/// Distance to the edge of a honeycomb's cell.
fn hexagon(x: f32, y: f32) -> f32 {
    let (w, h) = (1.0, 3.0_f32.sqrt());
    let fold = |x: f32, y: f32| (x - w * (x / w).round(), y - h * (y / h).round());
    let (a, b) = (fold(x, y), fold(x - w / 2.0, y - h / 2.0));
    let (px, py) = if a.0.hypot(a.1) < b.0.hypot(b.1) { a } else { b };
    0.5 - (0.5 * px.abs() + 0.866 * py.abs()).max(px.abs())
}

fn material(kind: usize, x: f32, y: f32, c: &[Vec3; 3]) -> Skin {
    let plain = Skin { colour: c[0], glow: 0.0, gloss: 0.1, mirror: 0.0, clear: 0.0 };
    match kind {
        0 => {
            let ring = (6.0 * (x * 0.55 + 1.5 * noise(x * 0.6, y * 0.18))).sin() * 0.5 + 0.5;
            Skin { colour: c[1].mix(c[0], 0.35 + 0.65 * ring), ..plain }
        }
        1 => Skin { mirror: 0.75, gloss: 0.9, ..plain },
        2 => Skin { clear: 0.8, gloss: 1.2, mirror: 0.1, ..plain },
        3 => {
            let row = (y * 1.3).floor();
            let along = x * 0.75 + 0.5 * row.rem_euclid(2.0);
            let mortar = (along - along.floor()) < 0.13 || (y * 1.3 - row) < 0.2;
            let shade = 0.8 + 0.35 * cell(along.floor() as i32, row as i32);
            Skin { colour: if mortar { c[1] } else { c[0] * shade }, gloss: 0.0, ..plain }
        }
        4 => Skin { gloss: 0.9, mirror: 0.06, ..plain },
        5 => Skin { gloss: 0.45, ..plain },
        6 => {
            let (first, second, name) = cells(x * 1.4, y * 1.4);
            let leaf = c[0].mix(hue(0.2, 0.7, 0.75), name * 0.5);
            Skin { colour: leaf.mix(c[1], ((0.28 - (second - first)) * 4.0).clamp(0.0, 1.0)), gloss: 0.0, ..plain }
        }
        7 => {
            let grain = cell((x * 6.0).floor() as i32, (y * 6.0).floor() as i32);
            let colour = if grain < 0.28 {
                c[1]
            } else if grain > 0.75 {
                c[2]
            } else {
                c[0]
            };
            Skin { colour, gloss: 0.3, ..plain }
        }
        _ => {
            let heat = rough(x * 1.1, y * 0.55 - 1.5 * noise(x * 0.5, y * 0.5)) * 1.5 - 0.25;
            let colour = match heat < 0.5 {
                true => c[2].mix(c[1], (heat * 2.0).clamp(0.0, 1.0)),
                false => c[1].mix(c[0], (heat * 2.0 - 1.0).clamp(0.0, 1.0)),
            };
            Skin { colour, glow: 0.9, gloss: 0.0, ..plain }
        }
    }
}
