// The 7-point Laplacian of the fluid cells of a grid, and the inner product x·(A·x) in the same pass.
//
// Threads: blocks of 256: 16 leaves of the cells, 16 lanes each, in the order of cells; neighbours come from the caches.
// Shapes:  x, y, diagonal [nz, ny, nx] (nx fastest); the diagonal is 0 in cells that are not fluid, which read and write 0.
//   Leaf sums of x·y go to partial[leaf].
// Bound:   memory, 3·sizeof(T) bytes a cell: x and the diagonal are read once, y is written.
// Twin:    `kernel::stencil::twin`, bit for bit, and `State::dot` of vectors for the product.

template <class T>
__device__ __forceinline__ T beside(const T* x, const T* diagonal, bool there, u64 at) {
    // What a cell that is not fluid holds may be NaN: it is compared, not multiplied.
    return there && diagonal[at] != (T)0 ? x[at] : (T)0;
}

template <class T>
__device__ __forceinline__ void poisson(const T* x, const T* diagonal, T* y, u32 nx, u32 ny, u32 nz, u32 leaves, double* partial) {
    const u64 plane = (u64)nx * ny, len = plane * nz;
    const u64 leaf = (u64)blockIdx.x * (blockDim.x / LANES) + threadIdx.x / LANES;
    const u32 n = leaf_len(leaf, len);
    double sum = 0.0;
    for (u32 e = lane(); e < n; e += LANES) {
        const u64 c = leaf * LEAF + e;
        const u32 k = (u32)(c / plane), in_plane = (u32)(c % plane);
        const u32 j = in_plane / nx, i = in_plane % nx;
        const T d = diagonal[c], own = x[c];
        T product = (T)0;
        if (d != (T)0) {
            const T low = beside(x, diagonal, i > 0, c - 1), high = beside(x, diagonal, i + 1 < nx, c + 1);
            const T south = beside(x, diagonal, j > 0, c - nx), north = beside(x, diagonal, j + 1 < ny, c + nx);
            const T below = beside(x, diagonal, k > 0, c - plane), above = beside(x, diagonal, k + 1 < nz, c + plane);
            product = d * own - ((low + high) + ((south + north) + (below + above)));
            sum = add_product(sum, (double)own, product);
        }
        y[c] = product;
    }
    sum = pairwise(sum);
    if (lane() == 0 && leaf < leaves) partial[leaf] = sum;
}

#define ENTRIES(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) stencil_poisson_##SUFFIX(                                         \
        const T* x, const T* diagonal, T* y, u32 nx, u32 ny, u32 nz, u32 leaves, double* partial) {                     \
        poisson<T>(x, diagonal, y, nx, ny, nz, leaves, partial);                                                        \
    }
BOTH(ENTRIES)
