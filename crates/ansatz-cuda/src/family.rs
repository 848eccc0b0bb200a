//! The kernel families: their names, their sources, their entry points.
//!
//! A family is one file of CUDA C++ that is embedded here and compiled when a device first needs it. What several families
//! share stands before them. No header of a toolkit is used.

/// What every family begins with.
const COMMON: &str = concat!(
    "#line 1 \"common.cuh\"\n",
    include_str!("../kernels/common.cuh")
);

/// The reduction tree of families that reduce.
const TREE: &str = concat!(
    "#line 1 \"tree.cuh\"\n",
    include_str!("../kernels/tree.cuh")
);

/// Packed signs of grids, for families that extract level sets.
const SIGNS: &str = concat!(
    "#line 1 \"signs.cuh\"\n",
    include_str!("../kernels/signs.cuh")
);

/// Declares the families: variant, file, what stands before it, entry points, and of those which exist for both element types.
macro_rules! families {
    ($($(#[$doc:meta])* $family:ident = $name:literal, head: $head:expr, typed: [$($typed:literal),*], plain: [$($plain:literal),*];)*) => {
        /// A file of kernels.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Family {
            $($(#[$doc])* $family,)*
        }

        impl Family {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$family),*];

            /// The name of its file and the first part of the names of its kernels.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$family => $name,)* }
            }

            /// Names of its kernels as the compiled module has them: `family_op_f32` or `family_op`.
            #[must_use]
            pub fn entries(self) -> &'static [&'static str] {
                match self {
                    $(Self::$family => &[
                        $(concat!($name, "_", $typed, "_f32"), concat!($name, "_", $typed, "_f64"),)*
                        $(concat!($name, "_", $plain),)*
                    ],)*
                }
            }

            /// The whole source, as the compiler gets it.
            #[must_use]
            pub fn source(self) -> String {
                let (head, own) = match self {
                    $(Self::$family => ($head, concat!(
                        "#line 1 \"", $name, ".cu\"\n",
                        include_str!(concat!("../kernels/", $name, ".cu"))
                    )),)*
                };
                [COMMON, head, own].concat()
            }
        }
    };
}

families! {
    /// Linear combinations of states.
    Lincomb = "lincomb", head: "",
        typed: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "any", "rows", "blend"], plain: [];
    /// Inner products, sums, norms, extremes in a fixed order.
    Reduce = "reduce", head: TREE,
        typed: ["dots", "sum", "error", "distance", "finite", "largest"], plain: ["tree"];
    /// Random bits and normal numbers.
    Philox = "philox", head: "",
        typed: ["normal"], plain: ["bits"];
    /// Products along axes of arrays.
    Kron = "kron", head: "",
        typed: ["mode"], plain: [];
    /// Products with stored gradients.
    Ihvp = "ihvp", head: TREE,
        typed: ["products", "combine"], plain: [];
    /// Laplacians of grids with inner products.
    Stencil = "stencil", head: TREE,
        typed: ["poisson"], plain: [];
    /// Convolutions in three dimensions.
    Conv = "conv", head: "",
        typed: ["taps"], plain: [];
    /// Level sets on grids.
    GridField = "grid_field", head: "",
        typed: ["classify", "dual"], plain: ["compact"];
    /// Sums of all numbers before each.
    Scan = "scan", head: "",
        typed: [], plain: ["part", "add"];
    /// Crossings of grids with level sets.
    Crossings = "crossings", head: SIGNS,
        typed: ["signs", "points"], plain: ["count", "pack"];
    /// Dual meshes of crossed cells.
    Nets = "nets", head: SIGNS,
        typed: ["means"], plain: ["count", "quads"];
    /// Products of half spectra.
    Spectrum = "spectrum", head: "",
        typed: ["multiply"], plain: [];
    /// Triangles of crossed cells.
    Cubes = "cubes", head: SIGNS,
        typed: ["open"], plain: ["cases", "set", "emit", "fill"];
}

/// The name of a kernel for an element type: `entry!(T, "family_op")`.
macro_rules! entry {
    ($T:ty, $name:literal) => {
        <$T as crate::DeviceScalar>::pick(concat!($name, "_f32"), concat!($name, "_f64"))
    };
}
pub(crate) use entry;

#[cfg(test)]
mod tests {
    use super::*;

    /// Every file says how its threads are laid out, its shapes, what bounds it and what its twin is; none is long.
    #[test]
    fn sources_have_their_headers() {
        for family in Family::ALL {
            let source = family.source();
            let own = source
                .split(&format!("#line 1 \"{}.cu\"\n", family.name()))
                .nth(1)
                .expect("the family's own part");
            for word in ["Threads:", "Shapes:", "Bound:", "Twin:"] {
                assert!(own.contains(word), "{}: no {word}", family.name());
            }
            assert!(own.lines().count() <= 200, "{} is too long", family.name());
            assert!(!source.contains("#include"));
        }
    }
}
