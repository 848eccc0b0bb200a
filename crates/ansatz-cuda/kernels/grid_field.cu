// Level sets on a grid: which cells the surface crosses, those cells packed, and a vertex for each.
//
// Threads: one for each cell, blocks of 256: `classify` writes each cell's case and how many of a block are crossed,
//   scan.cu turns those numbers into first places, `compact` writes crossed cells in ascending order.
//   `dual`, one thread for each crossed cell.
// Shapes:  samples [nx, ny, nz] (nz fastest), cells [nx − 1, ny − 1, nz − 1]; bit 4z + 2y + x of a case is set where that
//   corner lies below the level. Vertices are three coordinates in cells.
// Bound:   memory, sizeof(T) + 2 bytes a cell in all, and what crossed cells read again.
// Twin:    `kernel::grid_field::{cases, crossed, dual}`, bit for bit.

template <class T>
__device__ __forceinline__ void classify(const T* samples, T level, u32 nx, u32 ny, u32 nz, u8* cases, u32* counts) {
    __shared__ u32 in_block;
    const u64 plane = (u64)(ny - 1) * (nz - 1), cells = (u64)(nx - 1) * plane;
    const u64 cell = global_thread();
    if (threadIdx.x == 0) in_block = 0;
    __syncthreads();
    if (cell < cells) {
        const u32 i = (u32)(cell / plane), rest = (u32)(cell % plane);
        const u32 j = rest / (nz - 1), k = rest % (nz - 1);
        u32 bits = 0;
#pragma unroll
        for (u32 corner = 0; corner < 8; ++corner) {
            const u64 at = ((u64)(i + (corner & 1)) * ny + j + (corner >> 1 & 1)) * nz + k + (corner >> 2);
            bits |= (samples[at] < level ? 1u : 0u) << corner;
        }
        cases[cell] = (u8)bits;
        // Numbers of crossed cells: sums of integers do not depend on the order.
        if (bits != 0 && bits != 255) atomicAdd(&in_block, 1u);
    }
    __syncthreads();
    if (threadIdx.x == 0) counts[blockIdx.x] = in_block;
}

extern "C" __global__ void __launch_bounds__(256) grid_field_compact(const u8* cases, u64 cells, const u32* firsts, u32 room,
                                                                     u32* crossed) {
    __shared__ u32 in_warp[8];
    const u64 cell = global_thread();
    const u32 bits = cell < cells ? cases[cell] : 0;
    const bool is_crossed = bits != 0 && bits != 255;
    // Crossed cells of the warp up to this one.
    u32 upto = is_crossed ? 1 : 0;
    const u32 lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
    for (u32 step = 1; step < 32; step *= 2) {
        const u32 left = __shfl_up_sync(0xffffffffu, upto, step, 32);
        if (lane >= step) upto += left;
    }
    if (lane == 31) in_warp[warp] = upto;
    __syncthreads();
    if (!is_crossed) return;
    u32 at = firsts[blockIdx.x] + upto - 1;
    for (u32 w = 0; w < warp; ++w) at += in_warp[w];
    if (at < room) crossed[at] = (u32)cell;
}

// The mean of the places where the surface crosses a cell's edges: along x, then y, then z, as the twin adds them.
template <class T>
__device__ __forceinline__ void dual(const T* samples, double level, u32 ny, u32 nz, const u8* cases, const u32* crossed, u32 count,
                                     T* vertices) {
    const u64 v = global_thread();
    if (v >= count) return;
    const u32 cell = crossed[v];
    const u32 plane = (ny - 1) * (nz - 1);
    const u32 i = cell / plane, j = cell % plane / (nz - 1), k = cell % (nz - 1);
    const u32 bits = cases[cell];
    double at[8];
#pragma unroll
    for (u32 corner = 0; corner < 8; ++corner) {
        at[corner] = (double)samples[((u64)(i + (corner & 1)) * ny + j + (corner >> 1 & 1)) * nz + k + (corner >> 2)];
    }
    double sum[3] = {0.0, 0.0, 0.0};
    u32 edges = 0;
#pragma unroll
    for (u32 edge = 0; edge < 12; ++edge) {
        const u32 axis = edge / 4, side = axis == 0 ? 1 : 0, other = axis == 2 ? 1 : 2;
        const u32 low = (edge & 1) << side | (edge >> 1 & 1) << other, high = low | 1u << axis;
        if (((bits >> low ^ bits >> high) & 1) == 0) continue;
        double t = (level - at[low]) / (at[high] - at[low]);
        // Differences of huge samples overflow, and their quotient may be NaN.
        t = t > 0.0 ? (t < 1.0 ? t : 1.0) : 0.0;
        edges += 1;
#pragma unroll
        for (u32 d = 0; d < 3; ++d) sum[d] += d == axis ? t : (double)(low >> d & 1);
    }
    const u32 corner[3] = {i, j, k};
#pragma unroll
    for (u32 d = 0; d < 3; ++d) vertices[3 * v + d] = (T)((double)corner[d] + sum[d] / (double)edges);
}

#define ENTRIES(T, SUFFIX)                                                                                             \
    extern "C" __global__ void __launch_bounds__(256) grid_field_classify_##SUFFIX(                                    \
        const T* samples, double level, u32 nx, u32 ny, u32 nz, u8* cases, u32* counts) {                              \
        classify<T>(samples, (T)level, nx, ny, nz, cases, counts);                                                     \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(256) grid_field_dual_##SUFFIX(                                        \
        const T* samples, double level, u32 ny, u32 nz, const u8* cases, const u32* crossed, u32 count, T* vertices) { \
        dual<T>(samples, level, ny, nz, cases, crossed, count, vertices);                                           \
    }
BOTH(ENTRIES)
