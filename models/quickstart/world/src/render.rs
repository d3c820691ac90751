//! A scene -> a picture of 64 x 64 px, by sphere tracing.
//!
//! Four rays for each pixel, one shadow ray for each of them; the background is a formula.

use crate::scene::Scene;
use crate::surface::Skin;
use crate::vector::{Rotation, Vec3, v};

/// Side of a picture, in pixels.
pub const SIDE_PX: usize = 64;

/// From the camera to the middle of the picture, in half widths of the picture there.
const FAR: f32 = 4.0;

/// Cells along each side of the grid on which an object is measured.
const GRID: i32 = 20;

/// An object in the world: its frame, and the sphere that holds it.
struct Placed<'a> {
    scene: &'a Scene,
    rotation: Rotation,
    scale: f32,
    at: Vec3,
    middle: Vec3,
    radius: f32,
}

/// `[64, 64, 3]` u8, RGB, by rows.
pub fn picture(scene: &Scene) -> Vec<u8> {
    let object = Placed::new(scene);
    let (sine, cosine) = scene.elevation.sin_cos();
    let right = v(1.0, 0.0, 0.0);
    let (back, up) = (v(0.0, sine, cosine), v(0.0, cosine, -sine));
    let target = object.middle - right * scene.offset.0 - up * scene.offset.1;
    let eye = target + back * FAR;
    let mut pixels = Vec::with_capacity(SIDE_PX * SIDE_PX * 3);
    for row in 0..SIDE_PX {
        for column in 0..SIDE_PX {
            let mut sum = Vec3::default();
            // A rotated grid: edges that run along the axes are smooth too.
            for (dx, dy) in [(0.375, 0.125), (0.875, 0.375), (0.125, 0.625), (0.625, 0.875)] {
                let half = SIDE_PX as f32 / 2.0;
                let (x, y) = ((column as f32 + dx) / half - 1.0, 1.0 - (row as f32 + dy) / half);
                let towards = (right * x + up * y - back * FAR).unit();
                sum = sum + object.light_along(eye, towards);
            }
            let colour = sum * (0.25 * scene.brightness);
            pixels.extend([colour.x, colour.y, colour.z].map(|c| (c * 255.0 + 0.5).clamp(0.0, 255.0) as u8));
        }
    }
    pixels
}

impl<'a> Placed<'a> {
    /// Measures the object as it is turned, scales it to its size and puts it on the ground.
    fn new(scene: &'a Scene) -> Self {
        let rotation = scene.shape.rotation;
        let step = 2.8 / GRID as f32;
        let (mut low, mut high) = (v(9.0, 9.0, 9.0), v(-9.0, -9.0, -9.0));
        for i in 0..=GRID {
            for j in 0..=GRID {
                for k in 0..=GRID {
                    let p = v(i as f32 * step - 1.4, j as f32 * step - 1.1, k as f32 * step - 1.4);
                    let (d, _) = scene.shape.distance(rotation.undo(p));
                    if d < 0.5 * step {
                        let reach = v(1.0, 1.0, 1.0) * (-d).min(0.0);
                        low = v(low.x.min(p.x - reach.x), low.y.min(p.y - reach.y), low.z.min(p.z));
                        high = v(high.x.max(p.x + reach.x), high.y.max(p.y + reach.y), high.z.max(p.z));
                    }
                }
            }
        }
        let size = high - low;
        let scale = scene.size / size.x.max(size.y).max(0.2);
        let middle = (low + high) * (0.5 * scale);
        let at = v(-middle.x, -low.y * scale, -middle.z);
        Self { scene, rotation, scale, at, middle: middle + at, radius: 0.5 * scale * (size.length() + 0.15) }
    }

    fn distance(&self, p: Vec3) -> (f32, usize) {
        let (d, part) = self.scene.shape.distance(self.rotation.undo((p - self.at) * (1.0 / self.scale)));
        (d * self.scale, part)
    }

    /// Where a ray enters and leaves the sphere that holds the object.
    fn span(&self, from: Vec3, towards: Vec3) -> Option<(f32, f32)> {
        let to = self.middle - from;
        let along = to.dot(towards);
        let half = self.radius * self.radius - (to.dot(to) - along * along);
        (half > 0.0 && along + half.sqrt() > 0.0).then(|| ((along - half.sqrt()).max(0.0), along + half.sqrt()))
    }

    /// The distance at which a ray meets the object, and the part.
    fn hit(&self, from: Vec3, towards: Vec3) -> Option<(f32, usize)> {
        let (mut t, end) = self.span(from, towards)?;
        for _ in 0..64 {
            let (d, part) = self.distance(from + towards * t);
            if d < 0.002 {
                return Some((t, part));
            }
            t += d.max(0.004) * 0.95;
            if t > end {
                return None;
            }
        }
        None
    }

    /// 0 in full shadow, 1 in full light.
    fn lit(&self, from: Vec3) -> f32 {
        let light = self.scene.light;
        let Some((start, end)) = self.span(from, light) else { return 1.0 };
        let (mut t, mut least) = (start.max(0.03), 1.0_f32);
        for _ in 0..20 {
            let (d, _) = self.distance(from + light * t);
            least = least.min(10.0 * d / t);
            if least < 0.02 || t > end {
                break;
            }
            t += d.clamp(0.03, 0.4);
        }
        least.clamp(0.0, 1.0)
    }

    fn normal(&self, p: Vec3) -> Vec3 {
        const E: f32 = 0.004;
        let corners = [v(1.0, -1.0, -1.0), v(-1.0, -1.0, 1.0), v(-1.0, 1.0, -1.0), v(1.0, 1.0, 1.0)];
        corners.into_iter().fold(Vec3::default(), |n, c| n + c * self.distance(p + c * E).0).unit()
    }

    fn light_along(&self, from: Vec3, towards: Vec3) -> Vec3 {
        match self.hit(from, towards) {
            Some((t, part)) => self.surface(from + towards * t, towards, part),
            None => self.background(from, towards),
        }
    }

    fn background(&self, from: Vec3, towards: Vec3) -> Vec3 {
        let seen = self.scene.place.seen(from, towards);
        let Some(at) = seen.ground else { return seen.colour };
        let light = self.lit(at);
        // Little light reaches the ground where the object nearly touches it.
        let close = (at - self.middle).length() < self.radius + 0.22;
        let near = if close { (self.distance(at).0 / 0.22).clamp(0.0, 1.0) } else { 1.0 };
        seen.colour * (0.5 + 0.5 * light) * (0.6 + 0.4 * near)
    }

    fn surface(&self, p: Vec3, towards: Vec3, part: usize) -> Vec3 {
        let n = self.normal(p);
        let n = if n.dot(towards) > 0.0 { -n } else { n };
        let finish = &self.scene.finishes[part.min(2)];
        let q = self.rotation.undo(p - self.at);
        let skin = finish.skin(q, self.rotation.undo(n));
        let light = if n.dot(self.scene.light) > 0.0 { self.lit(p + n * 0.02) } else { 0.0 };
        let colour = self.shaded(&skin, n, towards, light);
        let mirrored = towards.mirrored(n);
        let colour = match skin.mirror > 0.0 {
            true => colour.mix(self.reflection(p, mirrored).times(skin.colour) * 1.15, skin.mirror),
            false => colour,
        };
        match skin.clear > 0.0 {
            true => {
                let facing = -n.dot(towards);
                let bent = (towards - n * (0.35 * (1.0 - facing))).unit();
                let behind = self.scene.place.seen(p, bent).colour.times(skin.colour);
                // Rims are dark outside and bright where they mirror the sky.
                let rim = (1.0 - facing).powi(3);
                colour.mix(behind * (1.0 - 0.35 * rim), skin.clear) + v(1.0, 1.0, 1.0) * (0.35 * rim * rim)
            }
            false => colour,
        }
    }

    fn shaded(&self, skin: &Skin, n: Vec3, towards: Vec3, light: f32) -> Vec3 {
        let facing = n.dot(self.scene.light).max(0.0) * light;
        let matt = 0.40 + 0.1 * n.y + 0.5 * facing;
        let half = (self.scene.light - towards).unit();
        let shine = n.dot(half).max(0.0).powi(28) * skin.gloss * light * 0.6;
        skin.colour * (matt + (1.0 - matt) * skin.glow) + v(1.0, 1.0, 1.0) * shine
    }

    /// What a mirror shows: the place, brightened above and darkened below so that metal has contrast.
    fn reflection(&self, p: Vec3, towards: Vec3) -> Vec3 {
        let around = self.scene.place.seen(v(p.x, p.y.max(0.05), p.z), towards).colour;
        let band = if towards.y > 0.25 {
            1.15
        } else if towards.y > -0.1 {
            0.75
        } else {
            0.45
        };
        let grey = v(band, band, band);
        grey.mix(around, 0.35)
    }
}
