// Sums of all numbers before each, in place. A sum that does not fit into 32 bits stays at the largest number: adding so is
// associative, whatever order threads come in.
//
// Threads: `part`, blocks of 256, 16 numbers a thread: sums within each 4096 numbers, and the sum of all of them to sums[block].
//   `add` adds to each 4096 numbers what stands before them. Sums of blocks are scanned in the same way, level by level.
// Shapes:  x [len], sums [⌈len/4096⌉].
// Bound:   memory, 16 bytes a number.
// Twin:    `kernel::scan::twin`, bit for bit.

constexpr u32 EACH = 16, PART = 256 * EACH;

__device__ __forceinline__ u32 saturating(u32 a, u32 b) { return a + b < a ? 0xffffffffu : a + b; }

// A word of padding for every 16, so that threads beside one another reach different banks.
__device__ __forceinline__ u32 padded(u32 i) { return i + i / EACH; }

extern "C" __global__ void __launch_bounds__(256) scan_part(u32* x, u64 len, u32* sums) {
    __shared__ u32 own[PART + PART / EACH];
    __shared__ u32 in_warp[8];
    const u64 from = (u64)blockIdx.x * PART;
    const u32 t = threadIdx.x, lane = t % 32, warp = t / 32;
#pragma unroll
    for (u32 r = 0; r < EACH; ++r) {
        const u32 i = r * 256 + t;
        own[padded(i)] = from + i < len ? x[from + i] : 0;
    }
    __syncthreads();
    u32 sum = 0;
#pragma unroll
    for (u32 r = 0; r < EACH; ++r) {
        const u32 at = padded(t * EACH + r), value = own[at];
        own[at] = sum;
        sum = saturating(sum, value);
    }
    u32 upto = sum;
#pragma unroll
    for (u32 step = 1; step < 32; step *= 2) {
        const u32 left = __shfl_up_sync(0xffffffffu, upto, step, 32);
        if (lane >= step) upto = saturating(upto, left);
    }
    if (lane == 31) in_warp[warp] = upto;
    // What stands before this thread in its warp.
    const u32 beside = __shfl_up_sync(0xffffffffu, upto, 1, 32);
    __syncthreads();
    u32 before = lane == 0 ? 0 : beside, whole = 0;
    for (u32 w = 0; w < 8; ++w) {
        if (w < warp) before = saturating(before, in_warp[w]);
        whole = saturating(whole, in_warp[w]);
    }
#pragma unroll
    for (u32 r = 0; r < EACH; ++r) {
        const u32 at = padded(t * EACH + r);
        own[at] = saturating(own[at], before);
    }
    __syncthreads();
#pragma unroll
    for (u32 r = 0; r < EACH; ++r) {
        const u32 i = r * 256 + t;
        if (from + i < len) x[from + i] = own[padded(i)];
    }
    if (t == 0) sums[blockIdx.x] = whole;
}

extern "C" __global__ void __launch_bounds__(256) scan_add(u32* x, u64 len, const u32* before) {
    const u64 from = (u64)blockIdx.x * PART;
    const u32 more = before[blockIdx.x];
#pragma unroll
    for (u32 r = 0; r < EACH; ++r) {
        const u64 i = from + r * 256 + threadIdx.x;
        if (i < len) x[i] = saturating(x[i], more);
    }
}
