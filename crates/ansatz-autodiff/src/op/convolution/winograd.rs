//! Convolutions of 3×3 taps by 4×4 tiles.
//!
//! Four neighbouring elements of the result, y, depend on 4×4 elements of the source, x. With w the 3×3 taps,
//!
//! y = Aᵀ[(G·w·Gᵀ) ⊙ (Bᵀ·x·B)]A,
//!
//! so a tile takes 16 products in place of 36, and the sums over channels become 16 matrix products. The form
//! is trilinear: its transpose in w is Gᵀ[(A·y·Aᵀ) ⊙ (Bᵀ·x·B)]G, and its transpose in x is a convolution
//! with turned taps. Numbers of the transforms are 0, ±1 and ±½: rounding is that of a direct sum, but for
//! a small factor. An infinity makes NaN of its whole tile.
//!
//! Elements of a channel are sorted by the parity of row and column, so neighbouring tiles read
//! neighbouring elements: tiles are the vectors' lanes.
//!
//! Reference: A. Lavin, S. Gray, *Fast algorithms for convolutional neural networks*, 2016, section 4.1.

use std::sync::Arc;

use super::kernel::{Panel, panels};
use super::product::Start;
use super::transform::{Form, Map, TILE};
use super::{Correlation, Role};
use crate::compile::Element;
use crate::op::Kernel;

/// Elements of a tile of the result, and taps.
const PIXELS: usize = 4;
const TAPS: usize = 9;

/// Columns whose results are put in place together.
const COLUMNS: usize = 8;

/// Channels and tiles of an image from which the products outweigh the transforms; fewer tiles if weights come transformed.
const CHANNELS: usize = 32;
const TILES: usize = 128;
const READY: usize = 48;

/// A convolution, or one of its transposes, made ready for vectors of a given length.
#[derive(Debug)]
pub(super) struct Tiles {
    role: Role,
    images: usize,
    add: bool,
    /// Whether weights come transformed.
    ready: bool,
    groups: usize,
    /// Source channels of a group, and result channels; for weight gradients output channels.
    channels: usize,
    columns: usize,
    /// Rows and columns of the source and of what numbers positions.
    source: [usize; 2],
    target: [usize; 2],
    /// Zeros before the source.
    low: [usize; 2],
    /// Rows of tiles; columns of tiles, and one that is left out.
    rows: usize,
    pitch: usize,
    /// Tiles that are worked on together.
    panel: usize,
    lanes: usize,
    /// Elements of a parity of a channel.
    size: usize,
    /// Beginnings of rows of the products' left factors, and of their elements.
    starts: Vec<u32>,
    steps: Vec<u32>,
}

impl Tiles {
    /// `None` if the convolution has another form, or is too small.
    pub(super) fn new<T: Element>(
        p: &Correlation,
        images: usize,
        (add, ready): (bool, bool),
    ) -> Option<Self> {
        let [a, b] = p.axes[..] else { return None };
        let axes = [a, b];
        let fits = axes
            .iter()
            .all(|a| (a.kernel, a.stride, a.dilation) == (3, 1, 1) && a.low <= 2);
        if !fits || p.inputs.min(p.outputs) < CHANNELS {
            return None;
        }
        let (inside, outside) = (axes.map(|a| a.input), axes.map(|a| a.output));
        let (source, target, low) = match p.role {
            Role::Output | Role::Weight => (inside, outside, axes.map(|a| a.low)),
            Role::Input => (outside, inside, axes.map(|a| 2 - a.low)),
        };
        let (channels, columns) = match p.role {
            Role::Output | Role::Weight => (p.inputs, p.outputs),
            Role::Input => (p.outputs, p.inputs),
        };
        let (rows, pitch) = (target[0].div_ceil(2), target[1].div_ceil(2) + 1);
        if rows * pitch < if ready { READY } else { TILES } {
            return None;
        }
        let lanes = T::lanes();
        let panel = 2 * lanes;
        let (count, distance, length) = match p.role {
            Role::Weight => (channels, panel, panel),
            _ => (columns, channels, channels),
        };
        Some(Self {
            role: p.role,
            images,
            add,
            ready,
            groups: p.groups,
            channels,
            columns,
            source,
            target,
            low,
            rows,
            pitch,
            panel,
            lanes,
            size: (rows * pitch).next_multiple_of(panel) + pitch + 1,
            starts: (0..count).map(|i| (i * distance) as u32).collect(),
            steps: (0..length as u32).collect(),
        })
    }

    /// Distance of arrays of a length that are used together: others than powers of two, which would
    /// fall on the same lines of the cache.
    fn apart(&self, length: usize) -> usize {
        length.next_multiple_of(self.panel) + self.panel
    }

    /// Columns of all panels of a group.
    fn width(&self) -> usize {
        panels(self.columns, self.lanes).map(|p| p.width).sum()
    }

    /// Elements of a group's weights or of their sums, whole vectors.
    fn weights(&self) -> usize {
        match self.role {
            Role::Weight => self.channels * self.width(),
            _ => (self.channels * self.columns).next_multiple_of(self.lanes),
        }
    }

    /// Groups whose transformed weights are kept; sums are those of one group.
    fn parts(&self) -> usize {
        match self.role {
            Role::Weight => 1,
            _ => self.groups,
        }
    }

    /// Elements of the transformed weights that are expected.
    pub(super) fn packed(&self) -> usize {
        if self.ready { self.kept() } else { 0 }
    }

    fn kept(&self) -> usize {
        self.parts() * TILE * self.apart(self.weights())
    }

    /// Transforms the weights of all groups.
    fn pack_all<T: Element>(&self, w: &[T], taps: &mut [T], out: &mut [T]) {
        let parts = w.chunks_exact(self.channels * self.columns * TAPS);
        let n = TILE * self.apart(self.weights());
        for (w, out) in parts.zip(out.chunks_exact_mut(n)) {
            self.pack(w, taps, out);
        }
    }

    /// Copies a group of an image into its planes; what lies around it stays.
    fn fill<T: Copy>(&self, x: &[T], planes: &mut [T]) {
        let [height, width] = self.source;
        let planes = planes.chunks_exact_mut(PIXELS * self.size);
        for (x, planes) in x.chunks_exact(height * width).zip(planes) {
            for (y, x) in x.chunks_exact(width).enumerate() {
                let row = y + self.low[0];
                if row / 2 > self.rows {
                    break;
                }
                let start = row % 2 * 2 * self.size + row / 2 * self.pitch;
                let (even, odd) = planes[start..].split_at_mut(self.size);
                let (even, odd) = (&mut even[..self.pitch], &mut odd[..self.pitch]);
                let (mut x, mut first) = (x, self.low[1] / 2);
                if self.low[1] % 2 == 1 {
                    (odd[first], x) = (x[0], &x[1..]);
                    first += 1;
                }
                let (pairs, rest) = x.as_chunks::<2>();
                let (even, odd) = (&mut even[first..], &mut odd[first..]);
                for (([a, b], even), odd) in pairs.iter().zip(&mut *even).zip(odd) {
                    (*even, *odd) = (*a, *b);
                }
                if let ([last], Some(even)) = (rest, even.get_mut(pairs.len())) {
                    *even = *last;
                }
            }
        }
    }

    /// Transforms the tiles of a panel: for each element of a tile, channel by channel.
    fn transform<T: Element>(&self, planes: &[T], panel: usize, out: &mut [T]) {
        let from = |k: usize| {
            let (i, j) = (k / 4, k % 4);
            (i % 2 * 2 + j % 2) * self.size + i / 2 * self.pitch + j / 2 + panel * self.panel
        };
        T::tiles(Map {
            form: Form::Source,
            times: self.channels,
            length: self.panel,
            x: planes,
            from: std::array::from_fn(from),
            step: PIXELS * self.size,
            out,
            to: self.apart(self.channels * self.panel),
            next: self.panel,
        });
    }

    /// Transforms the weights of a group: for each element of a tile, columns of channels.
    fn pack<T: Element>(&self, w: &[T], taps: &mut [T], out: &mut [T]) {
        let n = self.weights();
        let apart = self.apart(n);
        let (row, column) = match self.role {
            Role::Input => (self.columns * TAPS, TAPS),
            _ => (TAPS, self.channels * TAPS),
        };
        taps.fill(T::zero());
        for c in 0..self.columns {
            for i in 0..self.channels {
                let w = &w[c * column + i * row..][..TAPS];
                for (t, w) in w.iter().enumerate() {
                    let t = match self.role {
                        Role::Input => TAPS - 1 - t,
                        _ => t,
                    };
                    taps[t * apart + c * self.channels + i] = *w;
                }
            }
        }
        T::tiles(Map {
            form: Form::Weights,
            times: 1,
            length: n,
            x: taps,
            from: std::array::from_fn(|k| k.min(TAPS - 1) * apart),
            step: 0,
            out,
            to: apart,
            next: 0,
        });
    }

    /// Values, or the input's gradient, of one group of an image.
    fn forward<T: Element>(&self, planes: &[T], weights: &[T], work: &mut [T], out: &mut [T]) {
        let tiled = self.apart(self.channels * self.panel);
        let summed = self.apart(self.columns * self.panel);
        let (tiles, work) = work.split_at_mut(TILE * tiled);
        let (sums, work) = work.split_at_mut(TILE * summed);
        let (pixels, line) = work.split_at_mut(COLUMNS * PIXELS * self.panel);
        let line = &mut line[..2 * self.panel];
        let all = Panel::full(self.lanes);
        for panel in 0..(self.rows * self.pitch).div_ceil(self.panel) {
            let tile = panel * self.panel;
            let first = [tile / self.pitch, tile % self.pitch];
            self.transform(planes, panel, tiles);
            let products = tiles
                .chunks_exact(tiled)
                .zip(sums.chunks_exact_mut(summed))
                .zip(weights.chunks_exact(self.apart(self.weights())));
            for ((tiles, sums), weights) in products {
                let (at, sums) = (
                    (&*self.starts, &*self.steps),
                    &mut sums[..self.columns * self.panel],
                );
                all.multiply(weights, at, tiles, sums, Start::Zero);
            }
            let area = self.target[0] * self.target[1];
            for (block, out) in out.chunks_mut(COLUMNS * area).enumerate() {
                let first_column = block * COLUMNS * self.panel;
                T::tiles(Map {
                    form: Form::Result,
                    times: out.len() / area,
                    length: self.panel,
                    x: sums,
                    from: std::array::from_fn(|k| k * summed + first_column),
                    step: self.panel,
                    out: pixels,
                    to: self.panel,
                    next: PIXELS * self.panel,
                });
                let columns = pixels.chunks_exact(PIXELS * self.panel);
                for (pixels, out) in columns.zip(out.chunks_exact_mut(area)) {
                    for (i, pair) in pixels.chunks_exact(2 * self.panel).enumerate() {
                        let (even, odd) = pair.split_at(self.panel);
                        let places = line.as_chunks_mut::<2>().0.iter_mut();
                        for (o, (a, b)) in places.zip(even.iter().zip(odd)) {
                            *o = [*a, *b];
                        }
                        self.place(first, i, line, out);
                    }
                }
            }
        }
    }

    /// Puts rows of `parity` of a panel's tiles, of which the first is given, where they belong.
    fn place<T: Copy>(&self, first: [usize; 2], parity: usize, mut line: &[T], out: &mut [T]) {
        let [height, width] = self.target;
        let [mut row, mut column] = first;
        while !line.is_empty() {
            let here = (2 * (self.pitch - column)).min(line.len());
            let y = 2 * row + parity;
            if y < height && 2 * column < width {
                let count = here.min(width - 2 * column);
                out[y * width + 2 * column..][..count].copy_from_slice(&line[..count]);
            }
            line = &line[here..];
            (row, column) = (row + 1, 0);
        }
    }

    /// Adds the products of tiles with those of the cotangent to the sums of a group.
    fn backward<T: Element>(&self, planes: &[T], y: &[T], work: &mut [T], sums: &mut [T]) {
        let length = self.panel * self.width();
        let tiled = self.apart(self.channels * self.panel);
        let apart = self.apart(length);
        let (tiles, work) = work.split_at_mut(TILE * tiled);
        let (pixels, work) = work.split_at_mut(PIXELS * apart);
        let spread = &mut work[..TILE * apart];
        for panel in 0..(self.rows * self.pitch).div_ceil(self.panel) {
            self.transform(planes, panel, tiles);
            self.pixels(y, panel, pixels);
            T::tiles(Map {
                form: Form::Cotangent,
                times: 1,
                length,
                x: pixels,
                from: std::array::from_fn(|k| k.min(PIXELS - 1) * apart),
                step: 0,
                out: spread,
                to: apart,
                next: 0,
            });
            let products = tiles
                .chunks_exact(tiled)
                .zip(spread.chunks_exact(apart))
                .zip(sums.chunks_exact_mut(self.apart(self.weights())));
            for ((tiles, spread), sums) in products {
                for p in panels(self.columns, self.lanes) {
                    let v = &spread[p.start * self.panel..][..p.width * self.panel];
                    let sums = &mut sums[p.start * self.channels..][..p.width * self.channels];
                    let start = if panel == 0 { Start::Zero } else { Start::Here };
                    p.multiply(tiles, (&self.starts, &self.steps), v, sums, start);
                }
            }
        }
    }

    /// The cotangent's elements of a panel's tiles: for each element of a tile of the result, panels of
    /// rows of channels.
    fn pixels<T: Element>(&self, y: &[T], panel: usize, out: &mut [T]) {
        let [height, width] = self.target;
        let total = out.len() / PIXELS;
        for p in panels(self.columns, self.lanes) {
            for t in 0..self.panel {
                let tile = panel * self.panel + t;
                let (row, column) = (tile / self.pitch, tile % self.pitch);
                for k in 0..PIXELS {
                    let at = k * total + p.start * self.panel + t * p.width;
                    let out = &mut out[at..][..p.width];
                    let (i, j) = (2 * row + k / 2, 2 * column + k % 2);
                    if i >= height || j >= width {
                        out.fill(T::zero());
                        continue;
                    }
                    let y = &y[(p.start * height + i) * width + j..];
                    let elements = y.iter().step_by(height * width);
                    for (o, v) in out[..p.used].iter_mut().zip(elements) {
                        *o = *v;
                    }
                    out[p.used..].fill(T::zero());
                }
            }
        }
    }

    /// Adds the weights' gradient of a group to `out`.
    fn gradient<T: Element>(&self, sums: &[T], taps: &mut [T], out: &mut [T]) {
        let apart = self.apart(self.weights());
        T::tiles(Map {
            form: Form::Gradient,
            times: 1,
            length: self.weights(),
            x: sums,
            from: std::array::from_fn(|k| k * apart),
            step: 0,
            out: taps,
            to: apart,
            next: 0,
        });
        for p in panels(self.columns, self.lanes) {
            for c in 0..p.used {
                let out = &mut out[(p.start + c) * self.channels * TAPS..];
                for (i, out) in out.chunks_exact_mut(TAPS).take(self.channels).enumerate() {
                    let at = p.start * self.channels + i * p.width + c;
                    for (t, o) in out.iter_mut().enumerate() {
                        *o += taps[t * apart + at];
                    }
                }
            }
        }
    }
}

impl<T: Element> Kernel<T> for Tiles {
    fn scratch(&self) -> usize {
        let planes = self.channels * PIXELS * self.size;
        let tiles = TILE * self.apart(self.channels * self.panel);
        let weights = if self.ready {
            0
        } else {
            self.kept() + TAPS * self.apart(self.weights())
        };
        let rest = match self.role {
            Role::Weight => (PIXELS + TILE) * self.apart(self.panel * self.width()),
            _ => TILE * self.apart(self.columns * self.panel) + (COLUMNS * PIXELS + 2) * self.panel,
        };
        planes + tiles + weights + rest
    }

    fn run(&self, rows: usize, inputs: &[&[T]], out: &mut [T], scratch: &mut [T]) {
        let (planes, scratch) = scratch.split_at_mut(self.channels * PIXELS * self.size);
        // What lies around the images stays zero.
        planes.fill(T::zero());
        let n = self.apart(self.weights());
        let own = if self.ready { 0 } else { self.kept() };
        let (packed, scratch) = scratch.split_at_mut(own);
        let (taps, work) = scratch.split_at_mut(if self.ready { 0 } else { TAPS * n });
        let area = |sides: [usize; 2]| sides[0] * sides[1];
        let count = rows * self.images * self.groups;
        let sources = inputs[0].chunks_exact(self.channels * area(self.source));
        let part = self.channels * self.columns * TAPS;
        if self.role == Role::Weight {
            if !self.add {
                out.fill(T::zero());
            }
            let cotangents = inputs[1].chunks_exact(self.columns * area(self.target));
            for (i, (x, y)) in sources.zip(cotangents).enumerate().take(count) {
                self.fill(x, planes);
                // Image by image: bits do not depend on how many there are.
                self.backward(planes, y, work, packed);
                self.gradient(packed, taps, &mut out[i % self.groups * part..][..part]);
            }
        } else {
            let packed = if self.ready {
                inputs[1]
            } else {
                self.pack_all(inputs[1], taps, packed);
                packed
            };
            let results = out.chunks_exact_mut(self.columns * area(self.target));
            for (i, (x, out)) in sources.zip(results).enumerate().take(count) {
                self.fill(x, planes);
                let weights = &packed[i % self.groups * TILE * n..][..TILE * n];
                self.forward(planes, weights, work, out);
            }
        }
    }
}

/// Transforms weights for [`Tiles`] that expect it.
#[derive(Debug)]
pub(super) struct Pack(pub(super) Arc<Tiles>);

impl<T: Element> Kernel<T> for Pack {
    fn scratch(&self) -> usize {
        TAPS * self.0.apart(self.0.weights())
    }

    fn run(&self, _: usize, inputs: &[&[T]], out: &mut [T], scratch: &mut [T]) {
        self.0.pack_all(inputs[0], scratch, out);
    }
}
