//! Shaded pictures of triangle meshes, by a depth buffer.

use crate::{Picture, VizError};

/// A surface to draw.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Surface {
    /// Positions.
    pub vertices: Vec<[f64; 3]>,
    /// Three vertices each.
    pub triangles: Vec<[u32; 3]>,
    /// Colour in full light.
    pub colour: [u8; 3],
}

/// What is drawn of the triangles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shading {
    /// Each triangle in its own shade.
    #[default]
    Flat,
    /// Shades between those of the vertices.
    Smooth,
    /// Each triangle in its own shade, with its sides.
    Wire,
}

/// Size and view of a picture of surfaces. All surfaces are seen from the same side, at the same scale.
#[derive(Debug, Clone, PartialEq)]
pub struct SurfaceOptions {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Turn of the eye about the upright axis, in degrees.
    pub azimuth: f64,
    /// Height of the eye over the horizon, in degrees.
    pub elevation: f64,
    /// The upright axis: 0, 1 or 2.
    pub up: usize,
    /// The box to show, from its lowest to its highest corner; that of the surfaces by default.
    pub bounds: Option<[[f64; 3]; 2]>,
    /// What is drawn of the triangles.
    pub shading: Shading,
    /// Colour behind the surfaces.
    pub background: [u8; 3],
}

impl Default for SurfaceOptions {
    fn default() -> Self {
        Self {
            width: 480,
            height: 480,
            azimuth: 30.0,
            elevation: 25.0,
            up: 2,
            bounds: None,
            shading: Shading::Flat,
            background: [255; 3],
        }
    }
}

/// Samples along each side of a pixel.
const FINE: usize = 2;

/// Towards the light, seen from the eye: right, up, out of the picture.
const LIGHT: [f64; 3] = [0.35, 0.5, 0.79];

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

fn unit(a: [f64; 3]) -> [f64; 3] {
    let size = dot(a, a).sqrt();
    if size > 0.0 { a.map(|x| x / size) } else { a }
}

/// Draws surfaces in parallel projection, lit from the upper left of the eye, both sides alike.
///
/// # Errors
/// [`VizError::Empty`] without a triangle between finite points, [`VizError::OutOfRange`] for an upright axis beyond 2,
/// [`VizError::Length`] when a triangle names a vertex that does not exist.
pub fn surfaces(surfaces: &[Surface], options: &SurfaceOptions) -> Result<Picture, VizError> {
    if options.up > 2 {
        let value = options.up as f64;
        return Err(VizError::OutOfRange {
            what: "up",
            value,
            min: 0.0,
            max: 2.0,
        });
    }
    for s in surfaces {
        let most = s
            .triangles
            .iter()
            .flatten()
            .max()
            .map_or(0, |v| *v as usize + 1);
        if most > s.vertices.len() {
            return Err(VizError::Length {
                what: "vertices",
                expected: most,
                got: s.vertices.len(),
            });
        }
    }
    let finite = |s: &Surface, t: &[u32; 3]| {
        t.iter()
            .all(|v| s.vertices[*v as usize].iter().all(|x| x.is_finite()))
    };
    let given = surfaces.iter().map(|s| s.triangles.len()).sum();
    let drawn = surfaces
        .iter()
        .map(|s| s.triangles.iter().filter(|t| finite(s, t)).count());
    let drawn: usize = drawn.sum();
    if drawn == 0 {
        return Err(VizError::Empty {
            what: "picture of surfaces",
            given,
            dropped: given,
        });
    }
    let view = View::new(surfaces, options);
    let mut canvas = Canvas::new(options);
    for s in surfaces {
        let normals = match options.shading {
            Shading::Smooth => Some(normals(s)),
            Shading::Flat | Shading::Wire => None,
        };
        for t in s.triangles.iter().filter(|t| finite(s, t)) {
            let corners = t.map(|v| view.place(s.vertices[v as usize]));
            let own = view.turn(cross(
                minus(s.vertices[t[1] as usize], s.vertices[t[0] as usize]),
                minus(s.vertices[t[2] as usize], s.vertices[t[0] as usize]),
            ));
            let light = |n: [f64; 3]| 0.25 + 0.75 * dot(unit(n), unit(LIGHT)).abs();
            let shades = match &normals {
                Some(normals) => t.map(|v| light(view.turn(normals[v as usize]))),
                None => [light(own); 3],
            };
            canvas.triangle(corners, shades, s.colour, options.shading == Shading::Wire);
        }
    }
    Ok(canvas.picture(options))
}

/// Puts pictures beside one another, tops aligned.
pub fn beside(pictures: &[Picture], gap: usize, background: [u8; 3]) -> Picture {
    let width =
        pictures.iter().map(|p| p.width).sum::<usize>() + gap * pictures.len().saturating_sub(1);
    let height = pictures.iter().map(|p| p.height).max().unwrap_or(0);
    let mut all = Picture::filled(width, height, background);
    let mut left = 0;
    for p in pictures {
        for (y, row) in p.rgb.chunks_exact(3 * p.width.max(1)).enumerate() {
            let at = 3 * (y * width + left);
            all.rgb[at..at + row.len()].copy_from_slice(row);
        }
        left += p.width + gap;
    }
    all
}

/// Directions of the picture in space, and its scale.
struct View {
    right: [f64; 3],
    upward: [f64; 3],
    out: [f64; 3],
    middle: [f64; 3],
    scale: f64,
    centre: [f64; 2],
}

impl View {
    fn new(surfaces: &[Surface], options: &SurfaceOptions) -> Self {
        let (a, e) = (options.azimuth.to_radians(), options.elevation.to_radians());
        let local = [
            [-a.sin(), a.cos(), 0.0],
            [-e.sin() * a.cos(), -e.sin() * a.sin(), e.cos()],
            [e.cos() * a.cos(), e.cos() * a.sin(), e.sin()],
        ];
        // The upright axis takes the place of the third.
        let [right, upward, out] = local.map(|v| {
            let mut w = [0.0; 3];
            for (axis, x) in v.into_iter().enumerate() {
                w[(axis + options.up + 1) % 3] = x;
            }
            w
        });
        // What has to fit, as seen: the corners of the box, or all points.
        let points: Vec<[f64; 3]> = match options.bounds {
            Some(bounds) => (0..8_usize)
                .map(|c| [0, 1, 2].map(|axis| bounds[c >> axis & 1][axis]))
                .collect(),
            None => surfaces
                .iter()
                .flat_map(|s| s.vertices.iter().copied())
                .collect(),
        };
        let range = |d: [f64; 3]| {
            let along = points.iter().map(|p| dot(*p, d)).filter(|x| x.is_finite());
            along.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| {
                (l.min(x), h.max(x))
            })
        };
        let seen = [right, upward, out].map(range);
        let half = |axis: usize| ((seen[axis].1 - seen[axis].0) / 2.0).max(1e-300);
        let centre = seen.map(|(low, high)| f64::midpoint(low, high));
        let middle =
            [0, 1, 2].map(|a| centre[0] * right[a] + centre[1] * upward[a] + centre[2] * out[a]);
        let size = [options.width * FINE, options.height * FINE].map(|n| n as f64);
        let scale = 0.47 * (size[0] / half(0)).min(size[1] / half(1));
        Self {
            right,
            upward,
            out,
            middle,
            scale,
            centre: size.map(|n| n / 2.0),
        }
    }

    fn turn(&self, v: [f64; 3]) -> [f64; 3] {
        [dot(v, self.right), dot(v, self.upward), dot(v, self.out)]
    }

    /// Pixel coordinates from the top left, and depth towards the eye.
    fn place(&self, p: [f64; 3]) -> [f64; 3] {
        let [x, y, z] = self.turn(minus(p, self.middle)).map(|x| x * self.scale);
        [self.centre[0] + x, self.centre[1] - y, z]
    }
}

struct Canvas {
    width: usize,
    height: usize,
    depth: Vec<f64>,
    rgb: Vec<[f64; 3]>,
}

impl Canvas {
    fn new(options: &SurfaceOptions) -> Self {
        let (width, height) = (options.width * FINE, options.height * FINE);
        Self {
            width,
            height,
            depth: vec![f64::NEG_INFINITY; width * height],
            rgb: vec![options.background.map(f64::from); width * height],
        }
    }

    fn triangle(&mut self, p: [[f64; 3]; 3], shades: [f64; 3], colour: [u8; 3], wire: bool) {
        let area = |a: [f64; 3], b: [f64; 3], x: f64, y: f64| {
            (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])
        };
        let total = area(p[0], p[1], p[2][0], p[2][1]);
        if total == 0.0 {
            return;
        }
        let range = |axis: usize, size: usize| {
            let low = p.iter().map(|p| p[axis]).fold(f64::INFINITY, f64::min);
            let high = p.iter().map(|p| p[axis]).fold(f64::NEG_INFINITY, f64::max);
            (low.floor().clamp(0.0, size as f64) as usize)
                ..(high.ceil().clamp(0.0, size as f64) as usize)
        };
        let sides = [0, 1, 2].map(|m| {
            let (a, b) = (p[(m + 1) % 3], p[(m + 2) % 3]);
            (b[0] - a[0]).hypot(b[1] - a[1])
        });
        for y in range(1, self.height) {
            for x in range(0, self.width) {
                let (fx, fy) = (x as f64 + 0.5, y as f64 + 0.5);
                let w = [0, 1, 2].map(|m| area(p[(m + 1) % 3], p[(m + 2) % 3], fx, fy) / total);
                if w.iter().any(|w| *w < 0.0) {
                    continue;
                }
                let z = w[0] * p[0][2] + w[1] * p[1][2] + w[2] * p[2][2];
                let at = y * self.width + x;
                if z <= self.depth[at] {
                    continue;
                }
                self.depth[at] = z;
                let mut shade = dot(w, shades);
                // Distance from the nearest side in pixels.
                let near = (0..3).any(|m| w[m] * total.abs() / sides[m].max(1e-12) < 0.6);
                if wire && near {
                    shade *= 0.35;
                }
                self.rgb[at] = colour.map(|c| f64::from(c) * shade);
            }
        }
    }

    fn picture(&self, options: &SurfaceOptions) -> Picture {
        let mut picture = Picture::filled(options.width, options.height, options.background);
        for (pixel, rgb) in picture.rgb.chunks_exact_mut(3).enumerate() {
            let (x, y) = (
                FINE * (pixel % options.width),
                FINE * (pixel / options.width),
            );
            for (channel, out) in rgb.iter_mut().enumerate() {
                let sum: f64 = (0..FINE * FINE)
                    .map(|m| self.rgb[(y + m / FINE) * self.width + x + m % FINE][channel])
                    .sum();
                *out = (sum / (FINE * FINE) as f64).round().clamp(0.0, 255.0) as u8;
            }
        }
        picture
    }
}

/// Sums of the triangles' normals around each vertex.
fn normals(s: &Surface) -> Vec<[f64; 3]> {
    let mut sums = vec![[0.0; 3]; s.vertices.len()];
    for t in &s.triangles {
        let [a, b, c] = t.map(|v| s.vertices[v as usize]);
        let n = cross(minus(b, a), minus(c, a));
        for v in t {
            for axis in 0..3 {
                sums[*v as usize][axis] += n[axis];
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(z: f64, side: f64, colour: [u8; 3]) -> Surface {
        let vertices = [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]];
        Surface {
            vertices: vertices.map(|[x, y]| [side * x, side * y, z]).to_vec(),
            triangles: vec![[0, 1, 2], [0, 2, 3]],
            colour,
        }
    }

    fn from_above() -> SurfaceOptions {
        SurfaceOptions {
            width: 60,
            height: 60,
            elevation: 90.0,
            ..SurfaceOptions::default()
        }
    }

    #[test]
    fn nearer_surfaces_hide_others() {
        let both = [square(0.0, 1.0, [200, 0, 0]), square(1.0, 0.5, [0, 0, 200])];
        for list in [both.to_vec(), both.iter().rev().cloned().collect()] {
            let picture = surfaces(&list, &from_above()).unwrap();
            let at = |x: usize, y: usize| &picture.rgb[3 * (60 * y + x)..][..3];
            assert!(at(30, 30)[2] > 100 && at(30, 30)[0] == 0);
            let corner = (0..60).find(|x| at(*x, 30) != [255; 3]).unwrap();
            assert!(corner < 10 && at(corner + 2, 30)[0] > 100);
            assert_eq!(at(0, 0), [255; 3]);
        }
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        assert!(matches!(
            surfaces(&[], &from_above()),
            Err(VizError::Empty { .. })
        ));
        let torn = Surface {
            triangles: vec![[0, 1, 9]],
            ..square(0.0, 1.0, [9; 3])
        };
        assert!(matches!(
            surfaces(&[torn], &from_above()),
            Err(VizError::Length { expected: 10, .. })
        ));
        let turned = SurfaceOptions {
            up: 3,
            ..from_above()
        };
        assert!(matches!(
            surfaces(&[square(0.0, 1.0, [9; 3])], &turned),
            Err(VizError::OutOfRange { .. })
        ));
    }

    #[test]
    fn pictures_stand_beside_one_another() {
        let all = beside(
            &[Picture::filled(2, 1, [1; 3]), Picture::filled(1, 2, [2; 3])],
            1,
            [9; 3],
        );
        assert_eq!((all.width, all.height), (4, 2));
        let first: Vec<u8> = all.rgb.iter().step_by(3).copied().collect();
        assert_eq!(first, [1, 1, 9, 2, 9, 9, 9, 2]);
    }
}
