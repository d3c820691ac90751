//! Distances to simple solids, negative inside; all shapes are made of these.
//!
//! Source: Quilez, "Distance functions"; Hart, "Sphere tracing", 1996.

use crate::vector::{Vec3, v};

/// Distance to the segment `a`-`b` thickened to radius `ra` at `a` and `rb` at `b` (nearly exact for small tapers).
pub fn rod(p: Vec3, a: Vec3, b: Vec3, (ra, rb): (f32, f32)) -> f32 {
    let (pa, ba) = (p - a, b - a);
    let t = (pa.dot(ba) / ba.dot(ba)).clamp(0.0, 1.0);
    (pa - ba * t).length() - (ra + (rb - ra) * t)
}

/// A box with half sides `h`, its edges rounded by `round`.
pub fn block(p: Vec3, centre: Vec3, h: Vec3, round: f32) -> f32 {
    let p = p - centre;
    let q = v(p.x.abs() - h.x + round, p.y.abs() - h.y + round, p.z.abs() - h.z + round);
    let outside = v(q.x.max(0.0), q.y.max(0.0), q.z.max(0.0)).length();
    outside + q.largest().min(0.0) - round
}

/// An upright cylinder about the y axis through `centre`.
pub fn drum(p: Vec3, centre: Vec3, radius: f32, half_height: f32) -> f32 {
    let p = p - centre;
    let (dx, dy) = (p.x.hypot(p.z) - radius, p.y.abs() - half_height);
    dx.max(dy).min(0.0) + dx.max(0.0).hypot(dy.max(0.0))
}

/// A ring in the x-y plane, squeezed along x by `squeeze`.
pub fn ring(p: Vec3, centre: Vec3, (radius, thickness): (f32, f32), squeeze: f32) -> f32 {
    let p = p - centre;
    let d = (p.x / squeeze).hypot(p.y) - radius;
    d.hypot(p.z) * squeeze.min(1.0) - thickness
}

/// The part of a ring in the x-y plane that lies above its centre.
pub fn arc(p: Vec3, centre: Vec3, radius: f32, thickness: f32) -> f32 {
    let p = p - centre;
    if p.y > 0.0 {
        return (p.x.hypot(p.y) - radius).hypot(p.z) - thickness;
    }
    v(p.x.abs() - radius, p.y, p.z).length() - thickness
}

/// A closed outline (r, y), turned about the y axis.
pub fn turned(p: Vec3, outline: &[(f32, f32)]) -> f32 {
    polygon(p.x.hypot(p.z), p.y, outline)
}

/// Signed distance to a closed polygon.
pub fn polygon(x: f32, y: f32, corners: &[(f32, f32)]) -> f32 {
    let Some(&first) = corners.first() else { return f32::MAX };
    let mut squared = (x - first.0).powi(2) + (y - first.1).powi(2);
    let mut inside = false;
    let mut before = corners[corners.len() - 1];
    for &here in corners {
        let (ex, ey) = (before.0 - here.0, before.1 - here.1);
        let (wx, wy) = (x - here.0, y - here.1);
        let t = ((wx * ex + wy * ey) / (ex * ex + ey * ey).max(1e-12)).clamp(0.0, 1.0);
        let (bx, by) = (wx - ex * t, wy - ey * t);
        squared = squared.min(bx * bx + by * by);
        let (above, below, left) = (y >= here.1, y < before.1, ex * wy > ey * wx);
        if (above && below && left) || (!above && !below && !left) {
            inside = !inside;
        }
        before = here;
    }
    if inside { -squared.sqrt() } else { squared.sqrt() }
}
