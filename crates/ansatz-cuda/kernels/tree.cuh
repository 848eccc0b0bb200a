// The reduction tree: leaves of 4096 elements, 16 partial sums in a leaf that take elements in turn and are added halves
// upon halves, and above the leaves a tree that halves at multiples of a leaf. It depends on the length alone, and is the
// one that states in main memory use.

constexpr u32 LEAF = 4096;
constexpr u32 LANES = 16;

// The lane and the leaf of a thread; 16 neighbours share a leaf.
__device__ __forceinline__ u32 lane() { return threadIdx.x % LANES; }

// Elements of leaf number `leaf` in an array of `len`.
__device__ __forceinline__ u32 leaf_len(u64 leaf, u64 len) {
    const u64 from = leaf * LEAF;
    return from >= len ? 0 : (u32)(len - from < LEAF ? len - from : LEAF);
}

// The sum of the 16 lanes, in lane 0. All threads of the warp take part.
__device__ __forceinline__ double pairwise(double sum) {
#pragma unroll
    for (int width = LANES / 2; width > 0; width /= 2) sum += __shfl_down_sync(0xffffffffu, sum, width, LANES);
    return sum;
}

// Inner products of one leaf of x with R others, this thread's lane of each. `x` and `other[r]` point to the leaf.
template <class T, int R, int UNROLL>
__device__ __forceinline__ void lane_products(const T* x, const T* const (&other)[R], u32 count, double (&sum)[R]) {
    u32 i = lane();
    for (; i + (UNROLL - 1) * LANES < count; i += UNROLL * LANES) {
        T a[UNROLL], b[R][UNROLL];
#pragma unroll
        for (int u = 0; u < UNROLL; ++u) {
            a[u] = x[i + u * LANES];
#pragma unroll
            for (int r = 0; r < R; ++r) b[r][u] = other[r][i + u * LANES];
        }
#pragma unroll
        for (int u = 0; u < UNROLL; ++u) {
#pragma unroll
            for (int r = 0; r < R; ++r) sum[r] = add_product(sum[r], (double)a[u], b[r][u]);
        }
    }
    for (; i < count; i += LANES) {
        const T a = x[i];
#pragma unroll
        for (int r = 0; r < R; ++r) sum[r] = add_product(sum[r], (double)a, other[r][i]);
    }
}
