//! Points, directions and colours: three numbers of f32.

use std::ops::{Add, Mul, Neg, Sub};

/// Three numbers: x to the right, y up, z towards the camera; or red, green, blue in 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Vec3 {
    pub x: f32,
    pub y: f32,
    pub z: f32,
}

/// Shorthand that keeps tables of points and colours readable.
pub const fn v(x: f32, y: f32, z: f32) -> Vec3 {
    Vec3 { x, y, z }
}

impl Vec3 {
    pub fn dot(self, o: Self) -> f32 {
        self.x * o.x + self.y * o.y + self.z * o.z
    }

    pub fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    pub fn unit(self) -> Self {
        self * (1.0 / self.length().max(1e-9))
    }

    /// Component by component, as light is filtered by a colour.
    pub fn times(self, o: Self) -> Self {
        v(self.x * o.x, self.y * o.y, self.z * o.z)
    }

    /// From `self` (at 0) to `o` (at 1).
    pub fn mix(self, o: Self, t: f32) -> Self {
        self + (o - self) * t
    }

    pub fn largest(self) -> f32 {
        self.x.max(self.y).max(self.z)
    }

    /// `self` mirrored on a surface of normal `n`.
    pub fn mirrored(self, n: Self) -> Self {
        self - n * (2.0 * self.dot(n))
    }
}

impl Add for Vec3 {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        v(self.x + o.x, self.y + o.y, self.z + o.z)
    }
}

impl Sub for Vec3 {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        v(self.x - o.x, self.y - o.y, self.z - o.z)
    }
}

impl Mul<f32> for Vec3 {
    type Output = Self;
    fn mul(self, k: f32) -> Self {
        v(self.x * k, self.y * k, self.z * k)
    }
}

impl Neg for Vec3 {
    type Output = Self;
    fn neg(self) -> Self {
        self * -1.0
    }
}

/// A rotation, as its three rows.
#[derive(Debug, Clone, Copy)]
pub struct Rotation(pub [Vec3; 3]);

impl Rotation {
    /// About y, then x, then z, in radians: turned, nodded, leaned.
    pub fn new(yaw: f32, pitch: f32, roll: f32) -> Self {
        let (sy, cy) = yaw.sin_cos();
        let (sp, cp) = pitch.sin_cos();
        let (sr, cr) = roll.sin_cos();
        let turned = [v(cy, 0.0, sy), v(0.0, 1.0, 0.0), v(-sy, 0.0, cy)];
        let nod = |r: [Vec3; 3]| [r[0], r[1] * cp - r[2] * sp, r[1] * sp + r[2] * cp];
        let lean = |r: [Vec3; 3]| [r[0] * cr - r[1] * sr, r[0] * sr + r[1] * cr, r[2]];
        Self(lean(nod(turned)))
    }

    pub fn undo(&self, p: Vec3) -> Vec3 {
        self.0[0] * p.x + self.0[1] * p.y + self.0[2] * p.z
    }
}
