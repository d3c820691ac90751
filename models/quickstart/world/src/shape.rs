//! The twelve categories as solids: what is drawn at random of each, and its distance function.
//!
//! Holds always: a shape lies within 1.3 of the origin; parts are numbered from 0, the main one first.

use std::f32::consts::{PI, TAU};

use crate::random::Random;
use crate::solid::{arc, block, drum, polygon, ring, rod, turned};
use crate::vector::{Rotation, Vec3, v};

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    Mug,
    Umbrella,
    Chair,
    Vase,
    DeskLamp,
    Hammer,
    Bench,
    Bucket,
    Teapot,
    WineBottle,
    Plate,
    Wheel,
}

impl Category {
    /// With the ids and nouns of `categories/imagenet-d.toml`, in the order of the labels.
    pub const ALL: [(Self, &'static str, &'static str); 12] = [
        (Self::Mug, "mug", "mug"),
        (Self::Umbrella, "umbrella", "umbrella"),
        (Self::Chair, "chair", "chair"),
        (Self::Vase, "vase", "vase"),
        (Self::DeskLamp, "desk_lamp", "desk lamp"),
        (Self::Hammer, "hammer", "hammer"),
        (Self::Bench, "bench", "bench"),
        (Self::Bucket, "bucket", "bucket"),
        (Self::Teapot, "teapot", "teapot"),
        (Self::WineBottle, "wine_bottle", "wine bottle"),
        (Self::Plate, "plate", "dinner plate"),
        (Self::Wheel, "wheel", "wheel"),
    ];
}

/// One object: its form and how it is turned.
pub struct Shape {
    form: Form,
    pub rotation: Rotation,
}

enum Form {
    /// An outline turned about the y axis, and a ring as a handle.
    Mug {
        outline: Vec<(f32, f32)>,
        handle: (Vec3, f32, f32),
    },
    Umbrella {
        outline: Vec<(f32, f32)>,
        length: f32,
        hook: f32,
    },
    Chair {
        seat: Vec3,
        legs: f32,
        back: f32,
        slats: usize,
    },
    /// An outline turned about the y axis, of which the part between two heights is another one.
    Turned {
        outline: Vec<(f32, f32)>,
        label: (f32, f32),
    },
    DeskLamp {
        elbow: Vec3,
        head: Vec3,
        aim: Rotation,
        shade: Vec<(f32, f32)>,
        base: f32,
    },
    Hammer {
        grip: f32,
        head: f32,
        claw: f32,
    },
    Bench {
        half_length: f32,
        legs: f32,
        back: f32,
        planks: usize,
    },
    Bucket {
        outline: Vec<(f32, f32)>,
        top: (f32, f32),
        swing: f32,
    },
    Teapot {
        outline: Vec<(f32, f32)>,
        spout: Vec3,
        girth: f32,
        handle: f32,
    },
    Plate {
        outline: Vec<(f32, f32)>,
        rim: f32,
    },
    Wheel {
        spokes: f32,
        tyre: f32,
        hub: f32,
        spoke: f32,
    },
}

impl Shape {
    pub fn new(category: Category, r: &mut Random) -> Self {
        let form = form(category, r);
        let (yaw, pitch, roll) = pose(category, r);
        Self { form, rotation: Rotation::new(yaw, pitch, roll) }
    }

    /// Distance in the object's own frame (before it is turned), and the part that is nearest.
    pub fn distance(&self, p: Vec3) -> (f32, usize) {
        self.form.distance(p)
    }
}

/// Turned, nodded, leaned, in radians.
fn pose(category: Category, r: &mut Random) -> (f32, f32, f32) {
    let any = |r: &mut Random| r.between(-PI, PI);
    let some = |r: &mut Random, by: f32| r.between(-by, by);
    match category {
        // The handle shows at the left or at the right, a little in front or behind.
        Category::Mug | Category::Teapot => (some(r, 0.9) + if r.chance(0.5) { PI } else { 0.0 }, 0.0, 0.0),
        Category::Umbrella => (any(r), some(r, 0.25), some(r, 0.6)),
        Category::Chair => (some(r, 1.1) + 0.35 * r.sign(), 0.0, 0.0),
        Category::Bench => (some(r, 0.7), 0.0, 0.0),
        Category::DeskLamp => (some(r, 0.7) + if r.chance(0.5) { PI } else { 0.0 }, 0.0, 0.0),
        Category::Hammer => (some(r, 0.6) + if r.chance(0.5) { PI } else { 0.0 }, some(r, 0.2), some(r, 1.0)),
        Category::Bucket => (some(r, 0.7), 0.0, some(r, 0.12)),
        Category::Plate => (0.0, r.between(0.75, 1.45), some(r, 0.3)),
        Category::Wheel => (some(r, 0.95), some(r, 0.1), some(r, 0.1)),
        Category::Vase | Category::WineBottle => (any(r), 0.0, some(r, 0.06)),
    }
}

fn form(category: Category, r: &mut Random) -> Form {
    match category {
        Category::Mug => mug(r),
        Category::Umbrella => umbrella(r),
        Category::Chair => Form::Chair {
            seat: v(r.between(0.38, 0.5), r.between(0.04, 0.07), r.between(0.36, 0.46)),
            legs: r.between(0.65, 0.85),
            back: r.between(0.75, 1.0),
            slats: r.below(4),
        },
        Category::Vase => Form::Turned { outline: vase(r), label: (9.0, 9.0) },
        Category::DeskLamp => desk_lamp(r),
        Category::Hammer => {
            Form::Hammer { grip: r.between(0.07, 0.1), head: r.between(0.12, 0.17), claw: r.between(0.3, 0.42) }
        }
        Category::Bench => Form::Bench {
            half_length: r.between(0.85, 1.05),
            legs: r.between(0.4, 0.55),
            back: if r.chance(0.7) { r.between(0.4, 0.55) } else { 0.0 },
            planks: 2 + r.below(2),
        },
        Category::Bucket => bucket(r),
        Category::Teapot => teapot(r),
        Category::WineBottle => wine_bottle(r),
        Category::Plate => plate(r),
        Category::Wheel => Form::Wheel {
            spokes: (5 + r.below(8)) as f32,
            tyre: r.between(0.09, 0.17),
            hub: r.between(0.12, 0.22),
            spoke: r.between(0.035, 0.06),
        },
    }
}

fn mug(r: &mut Random) -> Form {
    let (low, high, tall) = (r.between(0.38, 0.5), r.between(0.44, 0.52), r.between(0.85, 1.2));
    let wall = 0.07;
    let outline = vec![(0.0, 0.0), (low, 0.0), (high, tall), (high - wall, tall), (low - wall, 0.1), (0.0, 0.1)];
    let size = r.between(0.22, 0.32).min(0.42 * tall);
    let at = v((low + high) / 2.0 + 0.04, tall * r.between(0.48, 0.58), 0.0);
    Form::Mug { outline, handle: (at, size, r.between(0.055, 0.08)) }
}

fn umbrella(r: &mut Random) -> Form {
    let (wide, tall) = (r.between(0.85, 1.05), r.between(0.4, 0.6));
    let arch = |k: f32, at: f32| (k * wide * (at * PI / 2.0).sin(), k * tall * (at * PI / 2.0).cos() + 0.35);
    let mut outline: Vec<_> = (0..=5).map(|i| arch(1.0, i as f32 / 5.0)).collect();
    outline.extend((0..=5).rev().map(|i| arch(0.93, i as f32 / 5.0)));
    Form::Umbrella { outline, length: r.between(0.7, 0.95), hook: r.between(0.1, 0.16) }
}

fn vase(r: &mut Random) -> Vec<(f32, f32)> {
    let foot = r.between(0.2, 0.34);
    let belly = r.between(0.4, 0.62);
    let neck = r.between(0.1, 0.2);
    let lip = neck + r.between(0.06, 0.2);
    let (low, high, tall) = (r.between(0.35, 0.65), r.between(1.05, 1.3), 1.55);
    let knots = [(foot, 0.0), (belly, low), (neck, high), (lip, tall)];
    let mut outline = vec![(0.0, 0.0)];
    for pair in knots.windows(2) {
        for i in 0..3 {
            let t = i as f32 / 3.0;
            let s = (1.0 - (t * PI).cos()) / 2.0;
            outline.push((pair[0].0 + (pair[1].0 - pair[0].0) * s, pair[0].1 + (pair[1].1 - pair[0].1) * t));
        }
    }
    outline.extend([(lip, tall), (lip - 0.05, tall), ((neck - 0.05).max(0.03), high), (0.0, high)]);
    outline
}

fn desk_lamp(r: &mut Random) -> Form {
    let elbow = v(-r.between(0.15, 0.45), r.between(0.6, 0.8), 0.0);
    let head = v(r.between(0.25, 0.5), elbow.y + r.between(0.25, 0.45), 0.0);
    let (narrow, wide, deep) = (r.between(0.08, 0.13), r.between(0.3, 0.42), r.between(0.34, 0.46));
    let shade = vec![(0.0, 0.1), (narrow, 0.1), (wide, -deep), (wide - 0.06, -deep), (narrow, -0.02), (0.0, -0.02)];
    let aim = Rotation::new(0.0, r.between(-0.3, 0.1), r.between(0.1, 0.7));
    Form::DeskLamp { elbow, head, aim, shade, base: r.between(0.32, 0.44) }
}

fn bucket(r: &mut Random) -> Form {
    let (low, high, tall) = (r.between(0.36, 0.46), r.between(0.54, 0.64), r.between(0.8, 1.0));
    let outline = vec![
        (0.0, 0.0),
        (low, 0.0),
        (high, tall - 0.07),
        (high + 0.05, tall - 0.07),
        (high + 0.05, tall),
        (high - 0.05, tall),
        (low - 0.06, 0.08),
        (0.0, 0.08),
    ];
    Form::Bucket { outline, top: (high + 0.02, tall - 0.06), swing: r.between(-0.7, 0.7) }
}

fn teapot(r: &mut Random) -> Form {
    let (wide, tall) = (r.between(0.5, 0.6), r.between(0.62, 0.9));
    let mut outline = vec![(0.0, 0.0), (0.6 * wide, 0.0)];
    for i in 1..7 {
        let angle = PI * (i as f32 / 7.0 - 0.5);
        outline.push((wide * angle.cos().powf(0.75), tall * (0.5 + 0.5 * angle.sin())));
    }
    outline.extend([(0.2, tall + 0.02), (0.2, tall + 0.06), (0.0, tall + 0.08)]);
    let spout = v(wide + r.between(0.28, 0.42), tall * r.between(0.85, 1.05), 0.0);
    Form::Teapot { outline, spout, girth: wide, handle: r.between(0.22, 0.3) }
}

fn wine_bottle(r: &mut Random) -> Form {
    let (girth, neck) = (r.between(0.22, 0.29), r.between(0.07, 0.095));
    let (shoulder, tall) = (r.between(0.85, 1.15), 1.8);
    let outline = vec![
        (0.0, 0.0),
        (girth, 0.0),
        (girth, shoulder),
        (girth * 0.85, shoulder + 0.1),
        (neck * 1.25, shoulder + 0.25),
        (neck, shoulder + 0.38),
        (neck, tall - 0.1),
        (neck * 1.35, tall - 0.1),
        (neck * 1.35, tall),
        (0.0, tall),
    ];
    let low = r.between(0.2, 0.35);
    Form::Turned { outline, label: (low, (low + r.between(0.35, 0.5)).min(shoulder - 0.05)) }
}

fn plate(r: &mut Random) -> Form {
    let (well, rim) = (r.between(0.5, 0.68), r.between(0.06, 0.12));
    let outline = vec![(0.0, 0.0), (well, 0.0), (1.0, rim), (1.0, rim + 0.04), (well + 0.02, 0.06), (0.0, 0.06)];
    Form::Plate { outline, rim: well + 0.03 }
}

impl Form {
    fn distance(&self, p: Vec3) -> (f32, usize) {
        match self {
            Self::Mug { outline, handle: (at, size, thick) } => {
                let (inside, y) = (p.x.hypot(p.z), p.y);
                let body = polygon(inside, y, outline);
                // The ring ends at the wall.
                let handle = ring(p, *at, (*size, *thick), 0.85).max(outline[1].0 - 0.03 - inside);
                nearest([(body, 0), (handle, 1)])
            }
            Self::Umbrella { outline, length, hook } => umbrella_distance(p, outline, *length, *hook),
            Self::Chair { seat, legs, back, slats } => chair_distance(p, *seat, (*legs, *back), *slats),
            Self::Turned { outline, label: (low, high) } => {
                (turned(p, outline), usize::from(p.y > *low && p.y < *high))
            }
            Self::DeskLamp { elbow, head, aim, shade, base } => {
                let foot = drum(p, v(0.0, 0.05, 0.0), *base, 0.05);
                let lower = rod(p, v(0.0, 0.1, 0.0), *elbow, (0.045, 0.045));
                let upper = rod(p, *elbow, *head, (0.045, 0.045));
                let q = aim.undo(p - *head);
                let bulb = (q - v(0.0, -0.26, 0.0)).length() - 0.13;
                nearest([(foot, 0), (lower.min(upper), 1), (turned(q, shade), 0), (bulb, 2)])
            }
            Self::Hammer { grip, head, claw } => {
                let handle = rod(p, v(0.0, -0.95, 0.0), v(0.0, 0.6, 0.0), (*grip, 0.8 * grip));
                let poll = rod(p, v(0.0, 0.6, 0.0), v(0.26, 0.6, 0.0), (0.75 * head, 0.75 * head));
                let face = block(p, v(0.33, 0.6, 0.0), v(0.07, 1.15 * head, 1.15 * head), 0.03);
                let wedge = rod(p, v(-0.05, 0.6, 0.0), v(-claw, 0.47, 0.0), (0.9 * head, 0.035));
                nearest([(handle, 0), (poll.min(face).min(wedge), 1)])
            }
            Self::Bench { half_length, legs, back, planks } => bench_distance(p, *half_length, (*legs, *back), *planks),
            Self::Bucket { outline, top: (radius, height), swing } => {
                let (sine, cosine) = swing.sin_cos();
                let (y, z) = (p.y - height, p.z);
                let q = v(p.x, y * cosine + z * sine, z * cosine - y * sine);
                nearest([(turned(p, outline), 0), (arc(q, v(0.0, 0.0, 0.0), *radius, 0.035), 1)])
            }
            Self::Teapot { outline, spout, girth, handle } => {
                let middle = outline[4].1;
                let knob = (p - v(0.0, outline[outline.len() - 1].1 + 0.05, 0.0)).length() - 0.075;
                let elbow = v(girth + 0.12, middle * 0.95, 0.0);
                let lower = rod(p, v(girth - 0.15, middle * 0.75, 0.0), elbow, (0.13, 0.09));
                let upper = rod(p, elbow, *spout, (0.09, 0.055));
                let grip = ring(p, v(-girth + 0.02, middle * 1.1, 0.0), (*handle, 0.055), 0.9);
                let grip = grip.max(0.75 * girth - p.x.hypot(p.z));
                nearest([(turned(p, outline), 0), (lower.min(upper), 0), (grip, 1), (knob, 1)])
            }
            Self::Plate { outline, rim } => (turned(p, outline), usize::from(p.x.hypot(p.z) > *rim)),
            Self::Wheel { spokes, tyre, hub, spoke } => {
                let tyre_distance = ring(p, v(0.0, 0.0, 0.0), (1.0 - tyre, *tyre), 1.0);
                let sector = TAU / spokes;
                let angle = p.y.atan2(p.x);
                let angle = angle - sector * (angle / sector).round();
                let around = p.x.hypot(p.y);
                let q = v(around * angle.cos(), around * angle.sin(), p.z);
                let spoke_distance = rod(q, v(0.0, 0.0, 0.0), v(1.0 - tyre, 0.0, 0.0), (*spoke, *spoke));
                let centre = drum(v(p.x, p.z, p.y), v(0.0, 0.0, 0.0), *hub, 0.12);
                nearest([(tyre_distance, 0), (spoke_distance, 1), (centre, 1)])
            }
        }
    }
}

fn nearest<const N: usize>(parts: [(f32, usize); N]) -> (f32, usize) {
    parts.into_iter().fold((f32::MAX, 0), |best, part| if part.0 < best.0 { part } else { best })
}

fn umbrella_distance(p: Vec3, outline: &[(f32, f32)], length: f32, hook: f32) -> (f32, usize) {
    let (around, angle) = (p.x.hypot(p.z), p.z.atan2(p.x));
    // The cloth hangs down between eight ribs.
    let sag = 0.11 * around * (4.0 * angle).sin().abs();
    let canopy = 0.8 * polygon(around, p.y - sag, outline);
    let gore = usize::from(((angle + PI) * 8.0 / TAU) as usize % 2 == 1);
    let pole = rod(p, v(0.0, outline[0].1 + 0.1, 0.0), v(0.0, 0.3 - length, 0.0), (0.035, 0.035));
    let q = v(p.x - hook, 0.3 - length - p.y, p.z);
    nearest([(canopy, gore), (pole, 2), (arc(q, v(0.0, 0.0, 0.0), hook, 0.045), 2)])
}

fn chair_distance(p: Vec3, seat: Vec3, (legs, back): (f32, f32), slats: usize) -> (f32, usize) {
    let q = v(p.x.abs(), p.y, p.z.abs());
    let leg = block(q, v(seat.x - 0.06, legs / 2.0, seat.z - 0.06), v(0.05, legs / 2.0, 0.05), 0.01);
    let top = block(p, v(0.0, legs, 0.0), seat, 0.03);
    let behind = -seat.z + 0.05;
    let post = block(q, v(seat.x - 0.06, legs + back / 2.0, -behind), v(0.05, back / 2.0, 0.05), 0.01);
    let post = if p.z < 0.0 { post } else { f32::MAX };
    let rest = match slats {
        0 => block(p, v(0.0, legs + 0.68 * back, behind), v(seat.x - 0.06, 0.32 * back, 0.04), 0.02),
        1 => {
            let y = (p.y - legs - 0.3 * back) / (0.3 * back);
            let nearest = y.round().clamp(0.0, 2.0);
            block(
                v(p.x, p.y - legs - 0.3 * back - nearest * 0.3 * back, p.z),
                v(0.0, 0.0, behind),
                v(seat.x - 0.06, 0.06, 0.035),
                0.01,
            )
        }
        n => {
            let bars = (n + 1) as f32;
            let gap = 2.0 * (seat.x - 0.06) / bars;
            let x = p.x - gap * (p.x / gap).round().clamp(-(bars / 2.0).floor(), (bars / 2.0).floor());
            let bar = block(v(x, p.y, p.z), v(0.0, legs + back / 2.0, behind), v(0.03, back / 2.0, 0.03), 0.01);
            bar.min(block(p, v(0.0, legs + back, behind), v(seat.x - 0.02, 0.06, 0.04), 0.02))
        }
    };
    nearest([(leg, 0), (top, 1), (post, 0), (rest, 1)])
}

fn bench_distance(p: Vec3, half: f32, (legs, back): (f32, f32), planks: usize) -> (f32, usize) {
    let q = v(p.x.abs(), p.y, p.z.abs());
    let leg = block(q, v(half - 0.2, legs / 2.0, 0.22), v(0.055, legs / 2.0, 0.055), 0.01);
    let (n, gap) = (planks as f32, 0.56 / planks as f32);
    let first = -(n - 1.0) / 2.0;
    let z = p.z - gap * ((p.z / gap - first).round().clamp(0.0, n - 1.0) + first);
    let seat = block(v(p.x, p.y, z), v(0.0, legs, 0.0), v(half, 0.045, gap / 2.0 - 0.025), 0.01);
    if back == 0.0 {
        return nearest([(leg, 1), (seat, 0)]);
    }
    let post = block(v(p.x.abs(), p.y, p.z), v(half - 0.2, legs + back / 2.0, -0.27), v(0.045, back / 2.0, 0.04), 0.01);
    let step = 0.5 * back;
    let y = p.y - legs - step * ((p.y - legs) / step).round().clamp(1.0, 2.0);
    let rail = block(v(p.x, y, p.z), v(0.0, 0.0, -0.22), v(half, 0.33 * step, 0.035), 0.01);
    nearest([(leg, 1), (seat, 0), (post, 1), (rail, 0)])
}
