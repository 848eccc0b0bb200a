//! Where the elements of a convolution are.

/// One axis: position o meets tap t at element o·stride + t·dilation − low of the input, which is zero
/// outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Axis {
    pub(crate) input: usize,
    pub(crate) kernel: usize,
    pub(crate) output: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    pub(crate) low: usize,
}

impl Axis {
    /// The element of the input that position `o` meets at tap `t`, if there is one.
    pub(crate) fn element(&self, o: usize, t: usize) -> Option<usize> {
        let i = (o * self.stride + t * self.dilation).checked_sub(self.low)?;
        (i < self.input).then_some(i)
    }

    pub(crate) fn taps(&self) -> usize {
        self.kernel
    }

    /// Number of pairs of positions and taps that meet an element.
    pub(crate) fn pairs(&self) -> usize {
        let taps = |o: usize| (0..self.kernel).filter(move |t| self.element(o, *t).is_some());
        (0..self.output).map(|o| taps(o).count()).sum()
    }

    pub(crate) fn numbers(&self) -> [u64; 6] {
        let Self {
            input,
            kernel,
            output,
            stride,
            dilation,
            low,
        } = *self;
        [input, kernel, output, stride, dilation, low].map(|n| n as u64)
    }

    /// How far the windows reach.
    fn extent(&self) -> usize {
        (self.output.max(1) - 1) * self.stride + (self.kernel - 1) * self.dilation + 1
    }
}

/// Positions of a result along an axis that use the same taps.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Class {
    count: usize,
    /// Distance between neighbours in the padded source.
    step: usize,
    /// First position in the result, and the distance between neighbours there.
    start: usize,
    stride: usize,
    /// Taps, and how far from a position they meet the padded source.
    taps: Vec<(usize, usize)>,
}

/// One axis of padded planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Padded {
    /// Elements of the source.
    source: usize,
    /// Where its first element lies; some may be cut off.
    low: isize,
    length: usize,
}

/// Padded copies of channels, one after the other.
///
/// Columns are sorted by their residue modulo the stride of the windows, so that neighbouring positions
/// read neighbouring elements for any stride.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Planes {
    axes: Vec<Padded>,
    residues: usize,
    /// Columns of a residue.
    columns: usize,
    /// Elements of a padded channel.
    pub(super) size: usize,
}

impl Planes {
    fn new(axes: Vec<Padded>, residues: usize) -> Self {
        let (last, outer) = (axes[axes.len() - 1].length, &axes[..axes.len() - 1]);
        let columns = last.div_ceil(residues);
        let lines: usize = outer.iter().map(|a| a.length).product();
        Self {
            size: lines * columns * residues,
            axes,
            residues,
            columns,
        }
    }

    fn line(&self) -> usize {
        self.columns * self.residues
    }

    fn column(&self, i: usize) -> usize {
        i % self.residues * self.columns + i / self.residues
    }

    /// Copies a channel into its place; what lies around it stays.
    pub(super) fn fill<T: Copy>(&self, x: &[T], out: &mut [T]) {
        let (outer, last) = self.axes.split_at(self.axes.len() - 1);
        let last = last[0];
        let skipped = (-last.low).max(0) as usize;
        let first = last.low.max(0) as usize;
        let width = (last.source.saturating_sub(skipped)).min(last.length.saturating_sub(first));
        if width == 0 {
            return;
        }
        'lines: for (i, x) in x.chunks_exact(last.source).enumerate() {
            let (mut rest, mut line, mut below) = (i, 0, 1);
            for axis in outer.iter().rev() {
                let at = (rest % axis.source) as isize + axis.low;
                rest /= axis.source;
                if at < 0 || at as usize >= axis.length {
                    continue 'lines;
                }
                line += at as usize * below;
                below *= axis.length;
            }
            let out = &mut out[line * self.line()..][..self.line()];
            let x = &x[skipped..skipped + width];
            if self.residues == 1 {
                out[first..first + width].copy_from_slice(x);
                continue;
            }
            for residue in 0..self.residues {
                // The first column of this residue.
                let start = (residue + self.residues - first % self.residues) % self.residues;
                let out = &mut out[self.column(first + start)..];
                for (o, x) in out
                    .iter_mut()
                    .zip(x.iter().skip(start).step_by(self.residues))
                {
                    *o = *x;
                }
            }
        }
    }
}

/// Positions of a result that use the same taps, over all axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    /// Where each position begins in a padded plane.
    pub(super) positions: Vec<u32>,
    /// Where each position is in the result; in order if this is empty.
    pub(super) targets: Vec<u32>,
    /// Positions that follow each other in the source and, `spacing` apart, in the result.
    pub(super) line: usize,
    pub(super) spacing: usize,
    /// Taps of the kernel, and where they meet the plane.
    pub(super) taps: Vec<(u32, u32)>,
}

impl Job {
    /// Where the terms of the sums are, channel by channel and tap by tap.
    pub(super) fn steps(&self, channels: usize, size: usize) -> Vec<u32> {
        let channel = |c: usize| self.taps.iter().map(move |(_, at)| (c * size) as u32 + at);
        (0..channels).flat_map(channel).collect()
    }
}

/// Windows on a padded input: the planes, and the one job that covers all positions of the output.
pub(super) fn windows(axes: &[Axis]) -> (Planes, Vec<Job>) {
    let padded = axes.iter().map(|a| Padded {
        source: a.input,
        low: a.low as isize,
        length: a.extent(),
    });
    let last = axes[axes.len() - 1];
    let planes = Planes::new(padded.collect(), last.stride);
    let classes: Vec<Vec<Class>> = axes
        .iter()
        .map(|a| {
            vec![Class {
                count: a.output,
                step: a.stride,
                start: 0,
                stride: 1,
                taps: (0..a.kernel).map(|t| (t, t * a.dilation)).collect(),
            }]
        })
        .collect();
    let lengths: Vec<usize> = axes.iter().map(|a| a.output).collect();
    let jobs = jobs(axes, &classes, &planes, &lengths);
    (planes, jobs)
}

/// The transpose: element q of the input gets position (q + low − t·dilation)/stride of the output for
/// each tap t where that is whole. The elements of one residue modulo the stride use the same taps: a
/// convolution of stride 1 for each residue.
pub(super) fn transposed(axes: &[Axis]) -> (Planes, Vec<Job>) {
    let mut padded = Vec::new();
    let mut classes = Vec::new();
    for a in axes {
        let (stride, low) = (a.stride as isize, a.low as isize);
        let of = |class: usize| {
            let at = move |t: usize| class as isize + low - (t * a.dilation) as isize;
            let taps = (0..a.kernel).filter(move |t| at(*t).rem_euclid(stride) == 0);
            taps.map(move |t| (t, at(t).div_euclid(stride)))
        };
        let used = 0..a.stride.min(a.input);
        let first = used
            .clone()
            .flat_map(of)
            .map(|(_, at)| at)
            .min()
            .unwrap_or(0);
        let list: Vec<Class> = used
            .map(|class| Class {
                count: (a.input - class).div_ceil(a.stride),
                step: 1,
                start: class,
                stride: a.stride,
                taps: of(class)
                    .map(|(t, at)| (t, (at - first) as usize))
                    .collect(),
            })
            .collect();
        let reach = list
            .iter()
            .flat_map(|class| class.taps.iter().map(|(_, at)| class.count + at));
        padded.push(Padded {
            source: a.output,
            low: -first,
            length: reach.max().unwrap_or(1),
        });
        classes.push(list);
    }
    let planes = Planes::new(padded, 1);
    let lengths: Vec<usize> = axes.iter().map(|a| a.input).collect();
    let jobs = jobs(axes, &classes, &planes, &lengths);
    (planes, jobs)
}

/// A job for each choice of a class along each axis.
fn jobs(axes: &[Axis], classes: &[Vec<Class>], planes: &Planes, lengths: &[usize]) -> Vec<Job> {
    let last = axes.len() - 1;
    let mut list = Vec::new();
    let count: usize = classes.iter().map(Vec::len).product();
    for choice in 0..count {
        let mut rest = choice;
        let chosen: Vec<&Class> = classes
            .iter()
            .map(|c| {
                let class = &c[rest % c.len()];
                rest /= c.len();
                class
            })
            .collect();
        let mut positions = vec![0];
        let mut targets = vec![0];
        let mut taps = vec![(0, 0)];
        for (i, class) in chosen.iter().enumerate() {
            let place = |at: usize| if i == last { planes.column(at) } else { at };
            let width = if i == last {
                planes.line()
            } else {
                planes.axes[i].length
            };
            let grow = |list: &[usize], factor: usize, next: &[usize]| -> Vec<usize> {
                let each = |v: &usize| {
                    let v = v * factor;
                    next.iter().map(move |n| v + n)
                };
                list.iter().flat_map(each).collect()
            };
            let indices = 0..class.count;
            let from: Vec<usize> = indices.clone().map(|j| place(j * class.step)).collect();
            let to: Vec<usize> = indices.map(|j| class.start + j * class.stride).collect();
            positions = grow(&positions, width, &from);
            targets = grow(&targets, lengths[i], &to);
            taps = taps
                .iter()
                .flat_map(|(t, at)| {
                    let next = class.taps.iter();
                    next.map(move |(n, by)| (t * axes[i].kernel + n, at * width + place(*by)))
                })
                .collect();
        }
        let in_order = targets.iter().enumerate().all(|(i, t)| i == *t);
        let narrow = |v: Vec<usize>| v.into_iter().map(|v| v as u32).collect();
        list.push(Job {
            positions: narrow(positions),
            targets: if in_order {
                Vec::new()
            } else {
                narrow(targets)
            },
            line: chosen[last].count,
            spacing: chosen[last].stride,
            taps: taps
                .into_iter()
                .map(|(t, at)| (t as u32, at as u32))
                .collect(),
        });
    }
    list
}
