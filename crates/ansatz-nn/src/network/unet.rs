//! The U-Net of denoising diffusion models.
//!
//! Images go down through levels of half the lengths each and come up again, where each block also sees what the block
//! of the same level left on the way down. The time enters each block as an offset of its channels.
//!
//! References: O. Ronneberger, P. Fischer, T. Brox, *U-Net: convolutional networks for biomedical image
//! segmentation*, 2015; J. Ho, A. Jain, P. Abbeel, *Denoising diffusion probabilistic models*, 2020 (appendix B).

use ansatz_autodiff::{Array, Convolution, Interpolation, Resampling};

use crate::layer::{Attention, Conv, Dense, Dropout, GroupNorm, Layer};
use crate::{Init, Pass, Scope};

/// Sizes of a [`UNet`].
#[derive(Debug, Clone, PartialEq)]
pub struct UNetOptions {
    /// Channels of the images, and of the result.
    pub channels: (usize, usize),
    /// Channels of the first level.
    pub width: usize,
    /// For each level, its channels as a multiple of the first level's; levels beyond the first have half the
    /// lengths of the one before.
    pub levels: Vec<usize>,
    /// Blocks of a level on the way down; one more on the way up.
    pub blocks: usize,
    /// Levels whose blocks are followed by attention among the pixels, from 0.
    pub attention: Vec<usize>,
    /// Heads of the attention.
    pub heads: usize,
    /// Groups of the normalisations.
    pub groups: usize,
    /// Rate of dropout in each block.
    pub dropout: f64,
    /// Axes of the images: 1, 2 or 3.
    pub axes: usize,
}

impl Default for UNetOptions {
    /// One channel, widths 32 and 64, two blocks, no attention but in the middle, groups of 8, no dropout, images.
    fn default() -> Self {
        Self {
            channels: (1, 1),
            width: 32,
            levels: vec![1, 2],
            blocks: 2,
            attention: Vec::new(),
            heads: 1,
            groups: 8,
            dropout: 0.0,
            axes: 2,
        }
    }
}

/// A U-Net with a time: images `[batch, channels, lengths…]` and times `[batch, 1]` to images.
#[derive(Debug, Clone, PartialEq)]
pub struct UNet {
    time: (Dense, Dense),
    first: Conv,
    down: Vec<Level>,
    middle: (Block, PixelAttention, Block),
    up: Vec<Level>,
    last: (GroupNorm, Conv),
    width: usize,
}

/// Blocks of one level, and the change of lengths behind them.
#[derive(Debug, Clone, PartialEq)]
struct Level {
    blocks: Vec<(Block, Option<PixelAttention>)>,
    resample: Option<Conv>,
}

impl UNet {
    /// A network.
    ///
    /// # Panics
    /// When the groups do not divide a level's channels, or the heads those of a level with attention.
    #[track_caller]
    pub fn new(scope: &mut Scope<'_>, options: &UNetOptions) -> Self {
        let embedding = 4 * options.width;
        let kernel = vec![3; options.axes];
        let widths: Vec<usize> = options.levels.iter().map(|m| m * options.width).collect();
        let time = (
            Dense::new(&mut scope.scope("time.0"), options.width, embedding),
            Dense::new(&mut scope.scope("time.1"), embedding, embedding),
        );
        let first = Conv::same(
            &mut scope.scope("first"),
            (options.channels.0, options.width),
            &kernel,
        );
        let block =
            |scope: &mut Scope<'_>, channels| Block::new(scope, channels, embedding, options);
        let looks = |scope: &mut Scope<'_>, level: usize, channels| {
            let there = options.attention.contains(&level);
            there.then(|| PixelAttention::new(&mut scope.scope("attention"), channels, options))
        };
        let mut kept = vec![options.width];
        let mut now = options.width;
        let mut down = Vec::new();
        for (l, width) in widths.iter().enumerate() {
            let mut branch = scope.scope(format!("down.{l}"));
            let mut blocks = Vec::new();
            for b in 0..options.blocks {
                let mut place = branch.scope(b);
                blocks.push((
                    block(&mut place, (now, *width)),
                    looks(&mut place, l, *width),
                ));
                now = *width;
                kept.push(now);
            }
            let resample = (l + 1 < widths.len()).then(|| {
                kept.push(now);
                let halving = Convolution {
                    stride: vec![2],
                    padding: vec![(1, 1)],
                    ..Convolution::default()
                };
                Conv::new(&mut branch.scope("resample"), (now, now), &kernel, halving)
            });
            down.push(Level { blocks, resample });
        }
        let mut branch = scope.scope("middle");
        let middle = (
            block(&mut branch.scope(0), (now, now)),
            PixelAttention::new(&mut branch.scope("attention"), now, options),
            block(&mut branch.scope(1), (now, now)),
        );
        let mut up = Vec::new();
        for (l, width) in widths.iter().enumerate().rev() {
            let mut branch = scope.scope(format!("up.{l}"));
            let mut blocks = Vec::new();
            for b in 0..=options.blocks {
                let mut place = branch.scope(b);
                let beside = kept.pop().unwrap_or(0);
                blocks.push((
                    block(&mut place, (now + beside, *width)),
                    looks(&mut place, l, *width),
                ));
                now = *width;
            }
            let resample =
                (l > 0).then(|| Conv::same(&mut branch.scope("resample"), (now, now), &kernel));
            up.push(Level { blocks, resample });
        }
        let norm = GroupNorm::new(&mut scope.scope("last.norm"), options.groups, now);
        let zeros = (Init::Constant(0.0), Some(Init::Constant(0.0)));
        let same = Convolution {
            padding: vec![(1, 1)],
            ..Convolution::default()
        };
        let mut branch = scope.scope("last");
        let last = Conv::with_init(&mut branch, (now, options.channels.1), &kernel, same, zeros);
        Self {
            time,
            first,
            down,
            middle,
            up,
            last: (norm, last),
            width: options.width,
        }
    }

    /// The network on images and their times.
    ///
    /// # Panics
    /// When shapes do not fit.
    #[track_caller]
    pub fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>, times: Array<'g>) -> Array<'g> {
        let waves = sinusoids(times, self.width);
        let time = self
            .time
            .1
            .apply(pass, self.time.0.apply(pass, waves).silu())
            .silu();
        let mut x = self.first.apply(pass, x);
        let mut kept = vec![x];
        for level in &self.down {
            for (block, attention) in &level.blocks {
                x = block.apply(pass, x, time);
                x = attention.iter().fold(x, |x, a| a.apply(pass, x));
                kept.push(x);
            }
            if let Some(resample) = &level.resample {
                x = resample.apply(pass, x);
                kept.push(x);
            }
        }
        let (before, attention, after) = &self.middle;
        x = attention.apply(pass, before.apply(pass, x, time));
        x = after.apply(pass, x, time);
        for level in &self.up {
            for (block, attention) in &level.blocks {
                if let Some(beside) = kept.pop() {
                    x = Array::concatenate(&[x, beside], 1);
                }
                x = block.apply(pass, x, time);
                x = attention.iter().fold(x, |x, a| a.apply(pass, x));
            }
            if let (Some(resample), Some(beside)) = (&level.resample, kept.last()) {
                let nearest = Resampling {
                    interpolation: Interpolation::Nearest,
                    ..Resampling::default()
                };
                x = resample.apply(pass, x.resample(&beside.shape()[2..], &nearest));
            }
        }
        let (norm, conv) = &self.last;
        conv.apply(pass, norm.apply(pass, x).silu())
    }
}

/// cos and sin of times `[batch, 1]` at `width`/2 frequencies from 1 down to 1e-4, geometrically: `[batch, width]`.
fn sinusoids(times: Array<'_>, width: usize) -> Array<'_> {
    let half = (width / 2).max(1);
    let frequency = |i: usize| (-(1e4_f64.ln()) * i as f64 / half as f64).exp();
    let frequencies = (0..half).map(frequency).collect();
    let phases = times.matmul(times.graph().constant(&[1, half], frequencies));
    Array::concatenate(&[phases.cos(), phases.sin()], 1)
}

/// x + f(x): normalisation, SiLU, convolution, twice, with the time between.
#[derive(Debug, Clone, PartialEq)]
struct Block {
    norms: (GroupNorm, GroupNorm),
    convs: (Conv, Conv),
    time: Dense,
    dropout: Dropout,
    /// Where the channels change.
    skip: Option<Conv>,
}

impl Block {
    fn new(
        scope: &mut Scope<'_>,
        (from, to): (usize, usize),
        embedding: usize,
        options: &UNetOptions,
    ) -> Self {
        let kernel = vec![3; options.axes];
        let mut norm = |name, n| GroupNorm::new(&mut scope.scope(name), options.groups, n);
        let norms = (norm("norm1", from), norm("norm2", to));
        let mut conv =
            |name, channels, kernel: &[usize]| Conv::same(&mut scope.scope(name), channels, kernel);
        let convs = (
            conv("conv1", (from, to), &kernel),
            conv("conv2", (to, to), &kernel),
        );
        let skip = (from != to).then(|| conv("skip", (from, to), &vec![1; options.axes]));
        Self {
            norms,
            convs,
            time: Dense::new(&mut scope.scope("time"), embedding, to),
            dropout: Dropout {
                rate: options.dropout,
            },
            skip,
        }
    }

    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>, time: Array<'g>) -> Array<'g> {
        let y = self.convs.0.apply(pass, self.norms.0.apply(pass, x).silu());
        let shift = self.time.apply(pass, time);
        let mut shape = shift.shape().to_vec();
        shape.resize(y.shape().rank(), 1);
        let y = self.norms.1.apply(pass, y + shift.reshape(&shape)).silu();
        let y = self.convs.1.apply(pass, self.dropout.apply(pass, y));
        y + self.skip.iter().fold(x, |x, conv| conv.apply(pass, x))
    }
}

/// x + attention among pixels.
#[derive(Debug, Clone, PartialEq)]
struct PixelAttention {
    norm: GroupNorm,
    attention: Attention,
}

impl PixelAttention {
    fn new(scope: &mut Scope<'_>, channels: usize, options: &UNetOptions) -> Self {
        Self {
            norm: GroupNorm::new(&mut scope.scope("norm"), options.groups, channels),
            attention: Attention::new(scope, (channels, channels), options.heads),
        }
    }

    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let shape = x.shape();
        let pixels: usize = shape[2..].iter().product();
        let tokens = self
            .norm
            .apply(pass, x)
            .reshape(&[shape[0], shape[1], pixels]);
        let y = self.attention.apply(pass, tokens.transpose(&[0, 2, 1]));
        x + y.transpose(&[0, 2, 1]).reshape(&shape)
    }
}
