//! The network of `ansatz_bench::unet`, written once for packages that give its layers.

use partner::Failure;

/// Frequencies of the times, half of them for the cosine: the width of the first level.
pub(crate) const WIDTH: usize = 32;

/// Groups of the normalisations.
pub(crate) const GROUPS: usize = 8;

/// Levels from the finest on.
const LEVELS: usize = 2;

/// Blocks of a level on the way down; one more on the way up.
const BLOCKS: usize = 1;

/// Whether the blocks of a level are followed by attention.
fn looks(level: usize) -> bool {
    level == 1
}

/// Layers on images `[batch, channels, height, width]` and rows `[batch, width]`; names are those of parameters, without
/// `.weight` and `.bias`.
pub(crate) trait Layers {
    type Images: Clone;
    type Rows: Clone;

    /// cos and sin of the times at frequencies from 1 down to 1e-4.
    fn waves(&self) -> Result<Self::Rows, Failure>;
    fn dense(&self, name: &str, x: &Self::Rows) -> Result<Self::Rows, Failure>;
    fn silu_rows(&self, x: &Self::Rows) -> Result<Self::Rows, Failure>;

    fn conv(&self, name: &str, x: &Self::Images, stride: usize) -> Result<Self::Images, Failure>;
    fn norm(&self, name: &str, x: &Self::Images) -> Result<Self::Images, Failure>;
    fn silu(&self, x: &Self::Images) -> Result<Self::Images, Failure>;
    /// x + y.
    fn add(&self, x: &Self::Images, y: &Self::Images) -> Result<Self::Images, Failure>;
    /// A number for each channel.
    fn shift(&self, x: &Self::Images, rows: &Self::Rows) -> Result<Self::Images, Failure>;
    /// Channels of both.
    fn concatenate(&self, x: &Self::Images, y: &Self::Images) -> Result<Self::Images, Failure>;
    /// Each pixel twice in both directions.
    fn double(&self, x: &Self::Images) -> Result<Self::Images, Failure>;
    /// Attention among pixels, one head.
    fn attend(&self, name: &str, x: &Self::Images) -> Result<Self::Images, Failure>;
    /// Whether the channels of a block change.
    fn has(&self, name: &str) -> bool;
}

/// The noise in images, at the times of [`Layers::waves`].
pub(crate) fn predict<L: Layers>(net: &L, images: &L::Images) -> Result<L::Images, Failure> {
    let time = net.silu_rows(&net.dense("time.0", &net.waves()?)?)?;
    let time = net.silu_rows(&net.dense("time.1", &time)?)?;
    let mut x = net.conv("first", images, 1)?;
    let mut kept = vec![x.clone()];
    for level in 0..LEVELS {
        for b in 0..BLOCKS {
            x = place(net, &format!("down.{level}.{b}"), &x, &time, looks(level))?;
            kept.push(x.clone());
        }
        if level + 1 < LEVELS {
            x = net.conv(&format!("down.{level}.resample"), &x, 2)?;
            kept.push(x.clone());
        }
    }
    x = block(net, "middle.0", &x, &time)?;
    x = attention(net, "middle.attention", &x)?;
    x = block(net, "middle.1", &x, &time)?;
    for level in (0..LEVELS).rev() {
        for b in 0..=BLOCKS {
            let beside = kept.pop().ok_or("a level has lost an image")?;
            x = net.concatenate(&x, &beside)?;
            x = place(net, &format!("up.{level}.{b}"), &x, &time, looks(level))?;
        }
        if level > 0 {
            x = net.conv(&format!("up.{level}.resample"), &net.double(&x)?, 1)?;
        }
    }
    net.conv("last", &net.silu(&net.norm("last.norm", &x)?)?, 1)
}

fn place<L: Layers>(
    net: &L,
    name: &str,
    x: &L::Images,
    time: &L::Rows,
    looks: bool,
) -> Result<L::Images, Failure> {
    let y = block(net, name, x, time)?;
    if looks {
        attention(net, &format!("{name}.attention"), &y)
    } else {
        Ok(y)
    }
}

fn block<L: Layers>(
    net: &L,
    name: &str,
    x: &L::Images,
    time: &L::Rows,
) -> Result<L::Images, Failure> {
    let at = |layer: &str| format!("{name}.{layer}");
    let y = net.conv(&at("conv1"), &net.silu(&net.norm(&at("norm1"), x)?)?, 1)?;
    let y = net.shift(&y, &net.dense(&at("time"), time)?)?;
    let y = net.conv(&at("conv2"), &net.silu(&net.norm(&at("norm2"), &y)?)?, 1)?;
    if net.has(&at("skip.weight")) {
        net.add(&y, &net.conv(&at("skip"), x, 1)?)
    } else {
        net.add(&y, x)
    }
}

fn attention<L: Layers>(net: &L, name: &str, x: &L::Images) -> Result<L::Images, Failure> {
    let y = net.attend(name, &net.norm(&format!("{name}.norm"), x)?)?;
    net.add(x, &y)
}
