// Crossings of a grid's edges with a level set, as vertices, and the cells that the level crosses.
//
// Threads: `signs`, a warp for each 4 words of 32 samples; `count`, `points`, `pack`, one for each word. Blocks of 256.
// Shapes:  those of signs.cuh; numbers of crossed cells [nx − 1, ny − 1, width]; a cell is named by its first sample.
// Bound:   memory, sizeof(T) bytes a sample and 3/4 of a byte for words and numbers.
// Twin:    `kernel::crossings::twin`, bit for bit.

// The complement of the first index of a sample that is not finite goes to *bad, which begins as 0.
template <class T>
__device__ __forceinline__ void signs_of(const T* samples, T level, u64 rows, u32 nz, u32* signs, u64* bad) {
    const u32 width = (nz + 31) / 32, lane = threadIdx.x % 32;
    const u64 first = global_thread() / 32 * 4;
    T value[4];
#pragma unroll
    for (u32 u = 0; u < 4; ++u) {
        const u64 row = (first + u) / width;
        const u32 k = (u32)((first + u) % width) * 32 + lane;
        value[u] = row < rows && k < nz ? samples[row * nz + k] : level;
        if (!is_finite(value[u])) atomicMax(bad, ~(row * nz + k));
    }
#pragma unroll
    for (u32 u = 0; u < 4; ++u) {
        const u32 word = __ballot_sync(0xffffffffu, value[u] < level);
        if (lane == 0 && first + u < rows * width) signs[first + u] = word;
    }
}

extern "C" __global__ void __launch_bounds__(256) crossings_count(const u32* signs, u32 nx, u32 ny, u32 nz, u32* crossings, u32* cells) {
    const Grid g = grid_of(nx, ny, nz);
    const u64 at = global_thread(), row = at / g.width;
    const u32 w = (u32)(at % g.width), i = (u32)(row / ny), j = (u32)(row % ny);
    if (i >= nx) return;
#pragma unroll
    for (u32 axis = 0; axis < 3; ++axis) crossings[slot(g, i, j, w, axis)] = __popc(crossed(signs, g, i, j, w, axis));
    if (i + 1 < nx && j + 1 < ny) cells[((u64)i * (ny - 1) + j) * g.width + w] = __popc(active(signs, g, i, j, w));
}

template <class T>
__device__ __forceinline__ void points(const T* samples, double level, const u32* signs, const u32* firsts, Grid g,
                                       const double (&origin)[3], const double (&spacing)[3], T* out) {
    const u64 at = global_thread(), row = at / g.width;
    const u32 w = (u32)(at % g.width), i = (u32)(row / g.ny), j = (u32)(row % g.ny);
    if (i >= g.nx) return;
#pragma unroll
    for (u32 axis = 0; axis < 3; ++axis) {
        u32 bits = crossed(signs, g, i, j, w, axis);
        if (bits == 0) continue;
        const u64 step = axis == 2 ? 1 : axis == 1 ? g.nz : (u64)g.ny * g.nz;
        for (u64 n = firsts[slot(g, i, j, w, axis)]; bits != 0; ++n, bits &= bits - 1) {
            const u32 k = 32 * w + __ffs((int)bits) - 1;
            const double a = (double)samples[row * g.nz + k], b = (double)samples[row * g.nz + k + step];
            double t = (level - a) / (b - a);
            // Differences of huge samples overflow, and their quotient may be NaN.
            t = t > 0.0 ? (t < 1.0 ? t : 1.0) : 0.0;
            const double place[3] = {(double)i + (axis == 0 ? t : 0.0), (double)j + (axis == 1 ? t : 0.0), (double)k + (axis == 2 ? t : 0.0)};
#pragma unroll
            for (u32 d = 0; d < 3; ++d) out[3 * n + d] = (T)(origin[d] + place[d] * spacing[d]);
        }
    }
}

extern "C" __global__ void __launch_bounds__(256) crossings_pack(const u32* signs, u32 nx, u32 ny, u32 nz, const u32* firsts, u32* cells) {
    const Grid g = grid_of(nx, ny, nz);
    const u64 at = global_thread(), row = at / g.width;
    const u32 w = (u32)(at % g.width), i = (u32)(row / (ny - 1)), j = (u32)(row % (ny - 1));
    if (i + 1 >= nx) return;
    u32 n = firsts[at];
    for (u32 bits = active(signs, g, i, j, w); bits != 0; bits &= bits - 1) cells[n++] = (i * ny + j) * nz + 32 * w + __ffs((int)bits) - 1;
}

#define ENTRIES(T, SUFFIX)                                                                                                      \
    extern "C" __global__ void __launch_bounds__(256) crossings_signs_##SUFFIX(const T* samples, double level, u64 rows, u32 nz,      \
                                                                           u32* signs, u64* bad) {                              \
        signs_of<T>(samples, (T)level, rows, nz, signs, bad);                                                                   \
    }                                                                                                                           \
    extern "C" __global__ void __launch_bounds__(256) crossings_points_##SUFFIX(                                                     \
        const T* samples, double level, const u32* signs, const u32* firsts, u32 nx, u32 ny, u32 nz, double ox, double oy,       \
        double oz, double hx, double hy, double hz, T* out) {                                                                   \
        points<T>(samples, level, signs, firsts, grid_of(nx, ny, nz), {ox, oy, oz}, {hx, hy, hz}, out);                         \
    }
BOTH(ENTRIES)
