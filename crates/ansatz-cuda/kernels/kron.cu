// Products along one axis of an array: y[l, i, r] = Σ_k A[i, k]·x[l, k, r], of which Kronecker products are made.
//
// Threads: blocks of 256 make tiles of 64 rows i by 64 columns (l, r), 4×4 results a thread; 16 values of k at a time are kept
//   in shared memory. Tiles of rows along y, of columns along x.
// Shapes:  x [left, n, right], y [left, m, right], A [m, n] with strides `row` and `column`, so that A may be a transpose.
// Bound:   arithmetic from factors of about 32 on, 2·m operations an element of x; below, memory.
// Twin:    `kernel::kron::twin`, bit for bit: terms are added by fused multiply-add in the order of k.

constexpr u32 TILE = 64, DEEP = 16;

template <class T>
__device__ __forceinline__ void mode(const T* a, u64 row, u64 column, const T* x, T* y, u32 m, u32 n, u32 right, u32 columns) {
    // One more than a multiple of the banks: threads that write down a column of the tile do not meet.
    __shared__ T as[DEEP][TILE + 1], xs[DEEP][TILE + 1];
    const u32 t = threadIdx.x;
    const u32 i0 = blockIdx.y * TILE, c0 = blockIdx.x * TILE;
    // Neighbouring threads load neighbouring addresses: columns where rows of x are long, else k.
    const bool along_columns = right >= 16;
    u32 xk[4], xc[4];
    u64 base[4];
#pragma unroll
    for (int q = 0; q < 4; ++q) {
        const u32 e = t + 256 * q;
        xk[q] = along_columns ? e / TILE : e % DEEP;
        xc[q] = along_columns ? e % TILE : e / DEEP;
        const u32 c = c0 + xc[q];
        base[q] = (u64)(c / right) * n * right + c % right;
    }
    T sum[4][4] = {};
    const u32 tx = t % 16, ty = t / 16;
    for (u32 k0 = 0; k0 < n; k0 += DEEP) {
#pragma unroll
        for (int q = 0; q < 4; ++q) {
            const u32 e = t + 256 * q;
            const u32 ak = column == 1 ? e % DEEP : e / TILE, ai = column == 1 ? e / DEEP : e % TILE;
            as[ak][ai] = i0 + ai < m && k0 + ak < n ? a[(i0 + ai) * row + (k0 + ak) * column] : (T)0;
            xs[xk[q]][xc[q]] = c0 + xc[q] < columns && k0 + xk[q] < n ? x[base[q] + (u64)(k0 + xk[q]) * right] : (T)0;
        }
        __syncthreads();
        // What is beyond n is not added: 0·∞ would be NaN.
        const u32 deep = n - k0 < DEEP ? n - k0 : DEEP;
#pragma unroll 4
        for (u32 k = 0; k < deep; ++k) {
            T av[4], xv[4];
#pragma unroll
            for (int r = 0; r < 4; ++r) {
                av[r] = as[k][ty + 16 * r];
                xv[r] = xs[k][tx + 16 * r];
            }
#pragma unroll
            for (int r = 0; r < 4; ++r) {
#pragma unroll
                for (int s = 0; s < 4; ++s) sum[r][s] = fma(av[r], xv[s], sum[r][s]);
            }
        }
        __syncthreads();
    }
#pragma unroll
    for (int s = 0; s < 4; ++s) {
        const u32 c = c0 + tx + 16 * s;
        if (c >= columns) continue;
        const u64 to = (u64)(c / right) * m * right + c % right;
#pragma unroll
        for (int r = 0; r < 4; ++r) {
            const u32 i = i0 + ty + 16 * r;
            if (i < m) y[to + (u64)i * right] = sum[r][s];
        }
    }
}

#define ENTRIES(T, SUFFIX)                                                                                                \
    extern "C" __global__ void __launch_bounds__(256)                                                                     \
        kron_mode_##SUFFIX(const T* a, u64 row, u64 column, const T* x, T* y, u32 m, u32 n, u32 right, u32 columns) {     \
        mode<T>(a, row, column, x, y, m, n, right, columns);                                                              \
    }
BOTH(ENTRIES)
