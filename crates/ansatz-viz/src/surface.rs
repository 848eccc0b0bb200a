//! Triangle meshes as shaded pictures.

use crate::{Picture, VizError};

/// How a mesh is seen: from far away, by parallel rays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurfaceOptions {
    /// Width and height of the picture in pixels.
    pub size: usize,
    /// From where: from the middle of the mesh towards the eye.
    pub eye: [f64; 3],
    /// What is up in the picture.
    pub up: [f64; 3],
    /// Half the width of what is seen; the middle is that of the bounding box.
    pub reach: f64,
    /// Colour of the outside of the surface in full light.
    pub colour: [u8; 3],
    /// Colour of its inside.
    pub inside: [u8; 3],
    /// How much darker the edges of triangles are, from 0 (not at all) to 1 (black).
    pub edges: f64,
}

impl Default for SurfaceOptions {
    fn default() -> Self {
        Self {
            size: 320,
            eye: [0.3, 0.4, 1.0],
            up: [0.0, 1.0, 0.0],
            reach: 1.0,
            colour: [238, 226, 204],
            inside: [196, 92, 70],
            edges: 0.0,
        }
    }
}

type Vector = [f64; 3];

fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: Vector, b: Vector) -> Vector {
    let at = |i: usize, j: usize| a[i] * b[j] - a[j] * b[i];
    [at(1, 2), at(2, 0), at(0, 1)]
}

fn unit(a: Vector) -> Vector {
    let length = dot(a, a).sqrt();
    a.map(|x| x / length)
}

/// Draws a mesh on white: hidden parts are hidden, each triangle has one shade.
///
/// # Errors
/// [`VizError::Length`] when a triangle names a point that is not there. Triangles with points that are not finite, or
/// seen along their plane, are left out.
///
/// ```
/// use ansatz_viz::{SurfaceOptions, surface};
/// let points = [[-0.5, -0.5, 0.0], [0.5, -0.5, 0.0], [0.0, 0.5, 0.0]];
/// let picture = surface(&points, &[[0, 1, 2]], &SurfaceOptions::default())?;
/// assert_eq!(picture.width, 320);
/// # Ok::<(), ansatz_viz::VizError>(())
/// ```
pub fn surface(
    points: &[Vector],
    triangles: &[[u32; 3]],
    options: &SurfaceOptions,
) -> Result<Picture, VizError> {
    if let Some(beyond) = triangles
        .iter()
        .flatten()
        .find(|i| **i as usize >= points.len())
    {
        return Err(VizError::Length {
            what: "points",
            expected: *beyond as usize + 1,
            got: points.len(),
        });
    }
    let size = options.size;
    let mut picture = Picture::filled(size, size, [255; 3]);
    let back = unit(options.eye);
    let right = unit(cross(options.up, back));
    let up = cross(back, right);
    // A lamp over the left shoulder.
    let lamp = unit([0, 1, 2].map(|a| back[a] - 0.5 * right[a] + 0.6 * up[a]));
    let bound = |a: usize, f: fn(f64, f64) -> f64, start: f64| {
        points
            .iter()
            .map(|p| p[a])
            .filter(|x| x.is_finite())
            .fold(start, f)
    };
    let middle = [0, 1, 2].map(|a| {
        let low = bound(a, f64::min, f64::INFINITY);
        f64::midpoint(low, bound(a, f64::max, f64::NEG_INFINITY))
    });
    let half = size as f64 / 2.0;
    let scale = half / options.reach;
    let seen: Vec<Vector> = points
        .iter()
        .map(|p| {
            let p = [0, 1, 2].map(|a| p[a] - middle[a]);
            [
                half + scale * dot(p, right),
                half - scale * dot(p, up),
                scale * dot(p, back),
            ]
        })
        .collect();
    let mut depth = vec![f64::NEG_INFINITY; size * size];
    for triangle in triangles {
        let c = triangle.map(|i| seen[i as usize]);
        let world = triangle.map(|i| points[i as usize]);
        let sides = [1, 2].map(|k| [0, 1, 2].map(|a| world[k][a] - world[0][a]));
        let normal = unit(cross(sides[0], sides[1]));
        let area =
            (c[1][0] - c[0][0]) * (c[2][1] - c[0][1]) - (c[2][0] - c[0][0]) * (c[1][1] - c[0][1]);
        if !(area.abs() > 0.0 && normal[0].is_finite() && area.is_finite()) {
            continue;
        }
        let front = dot(normal, back) > 0.0;
        let light = dot(normal, lamp) * if front { 1.0 } else { -1.0 };
        let shade = 0.35 + 0.65 * light.max(0.0);
        let colour = if front {
            options.colour
        } else {
            options.inside
        };
        let range = |a: usize| {
            let low = c[0][a]
                .min(c[1][a])
                .min(c[2][a])
                .ceil()
                .clamp(0.0, size as f64);
            let high = c[0][a]
                .max(c[1][a])
                .max(c[2][a])
                .floor()
                .clamp(-1.0, size as f64 - 1.0);
            low as usize..(high + 1.0) as usize
        };
        // Distance of a corner from the opposite side, in pixels.
        let height = [0, 1, 2].map(|k| {
            let (p, q) = (c[(k + 1) % 3], c[(k + 2) % 3]);
            area.abs() / (q[0] - p[0]).hypot(q[1] - p[1])
        });
        for y in range(1) {
            for x in range(0) {
                let weight = [0, 1, 2].map(|k| {
                    let (p, q) = (c[(k + 1) % 3], c[(k + 2) % 3]);
                    let (x, y) = (x as f64, y as f64);
                    ((q[0] - p[0]) * (y - p[1]) - (x - p[0]) * (q[1] - p[1])) / area
                });
                let z = weight[0] * c[0][2] + weight[1] * c[1][2] + weight[2] * c[2][2];
                let at = y * size + x;
                if weight.iter().any(|w| *w < 0.0) || z <= depth[at] {
                    continue;
                }
                depth[at] = z;
                let near = [0, 1, 2].map(|k| weight[k] * height[k]);
                let line = (1.0 - near[0].min(near[1]).min(near[2])).clamp(0.0, 1.0);
                let tone = shade * (1.0 - options.edges * line);
                for k in 0..3 {
                    picture.rgb[3 * at + k] = (f64::from(colour[k]) * tone).round() as u8;
                }
            }
        }
    }
    Ok(picture)
}

/// Pictures of one height beside each other.
///
/// # Errors
/// [`VizError::Length`] when heights differ.
pub fn beside(pictures: &[Picture]) -> Result<Picture, VizError> {
    let height = pictures.first().map_or(0, |p| p.height);
    if let Some(other) = pictures.iter().find(|p| p.height != height) {
        return Err(VizError::Length {
            what: "height",
            expected: height,
            got: other.height,
        });
    }
    let width = pictures.iter().map(|p| p.width).sum();
    let mut rgb = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        for p in pictures {
            rgb.extend_from_slice(&p.rgb[3 * y * p.width..3 * (y + 1) * p.width]);
        }
    }
    Ok(Picture { width, height, rgb })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A square before another one of opposite winding: the nearer one hides it, and shows its outside.
    #[test]
    fn what_is_nearer_hides_what_is_behind() {
        let at = |s: f64, z: f64| [[-s, -s, z], [s, -s, z], [s, s, z], [-s, s, z]];
        let points = [at(0.25, 0.5), at(0.75, -0.5)].concat();
        let triangles = [[0, 1, 2], [0, 2, 3], [4, 6, 5], [4, 7, 6]];
        let options = SurfaceOptions {
            size: 64,
            eye: [0.0, 0.0, 1.0],
            colour: [0, 0, 255],
            inside: [255, 0, 0],
            ..SurfaceOptions::default()
        };
        let picture = surface(&points, &triangles, &options).expect("sound");
        let pixel = |x: usize, y: usize| &picture.rgb[3 * (64 * y + x)..][..3];
        assert!(pixel(32, 32)[2] > 100 && pixel(32, 32)[0] == 0);
        assert!(pixel(15, 32)[0] > 100 && pixel(15, 32)[2] == 0);
        assert_eq!(pixel(2, 2), [255; 3]);
        assert!(surface(&points, &[[0, 1, 8]], &options).is_err());
        let both = beside(&[picture.clone(), picture.clone()]).expect("one height");
        assert_eq!(
            (both.width, both.height, both.rgb.len()),
            (128, 64, 3 * 128 * 64)
        );
        assert!(beside(&[picture, Picture::filled(3, 3, [0; 3])]).is_err());
    }
}
