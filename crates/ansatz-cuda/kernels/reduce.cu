// Reductions in a fixed order (tree.cuh).
//
// Threads: first pass, blocks of 256: 16 leaves of a state, 16 lanes each; blocks along y (groups of 4 partners for `dots`)
//   write leaf sums to partial[which·leaves + leaf]. Second pass, `reduce_tree`, one block of 512 for each sum.
// Shapes:  states of `rows` rows of `len` elements (one row but for `dots` and `distance`); leaves = rows·⌈len/4096⌉, those of
//   a row next to each other; scratch of 2·2^(depth−1) numbers for each sum, depth = ⌈log₂⌈len/4096⌉⌉.
// Bound:   memory, sizeof(T) bytes an element and state; `dots` reads x once for 4 partners.
// Twin:    `State::dot`, `State::dots`, `State::error_norm`, `RowState::row_dots`, `row_errors` of vectors, bit for bit.

// Where leaf number `leaf` of all rows begins, and how many elements it has.
__device__ __forceinline__ u64 row_leaf(u64 leaf, u64 len, u32 leaves, u32& n) {
    const u32 each = (u32)((len + LEAF - 1) / LEAF);
    const u32 row = leaf < leaves ? (u32)leaf / each : 0;
    const u64 within = leaf - (u64)row * each;
    n = leaf < leaves ? leaf_len(within, len) : 0;
    return n == 0 ? 0 : row * len + within * LEAF;
}

template <class T>
__device__ __forceinline__ void dots(const T* x, const Table<T>& t, u32 count, u64 len, u32 leaves, double* partial) {
    const u64 leaf = (u64)blockIdx.x * (blockDim.x / LANES) + threadIdx.x / LANES;
    u32 n;
    const u64 from = row_leaf(leaf, len, leaves, n);
    const u32 first = blockIdx.y * 4;
    const T* other[4];
    double sum[4] = {0.0, 0.0, 0.0, 0.0};
    // A group that is not full reads its first partner again; the sums go nowhere.
#pragma unroll
    for (u32 r = 0; r < 4; ++r) other[r] = t.x[first + r < count ? first + r : first] + from;
    if (count - first >= 4 || count - first == 3) {
        lane_products<T, 4, 4>(x + from, other, n, sum);
    } else if (count - first == 2) {
        const T* two[2] = {other[0], other[1]};
        double s[2] = {0.0, 0.0};
        lane_products<T, 2, 8>(x + from, two, n, s);
        sum[0] = s[0];
        sum[1] = s[1];
    } else {
        const T* one[1] = {other[0]};
        double s[1] = {0.0};
        lane_products<T, 1, 16>(x + from, one, n, s);
        sum[0] = s[0];
    }
#pragma unroll
    for (u32 r = 0; r < 4; ++r) {
        const double total = pairwise(sum[r]);
        if (lane() == 0 && leaf < leaves && first + r < count) partial[(u64)(first + r) * leaves + leaf] = total;
    }
}

template <class T>
__device__ __forceinline__ void sums(const T* x, u64 len, u32 leaves, double* partial) {
    const u64 leaf = (u64)blockIdx.x * (blockDim.x / LANES) + threadIdx.x / LANES;
    const u32 n = leaf_len(leaf, len);
    const T* at = x + (n == 0 ? 0 : leaf * LEAF);
    double sum = 0.0;
#pragma unroll 8
    for (u32 i = lane(); i < n; i += LANES) sum += (double)at[i];
    sum = pairwise(sum);
    if (lane() == 0 && leaf < leaves) partial[leaf] = sum;
}

// Squares of x/(atol + rtol·max(|a|, |b|)).
template <class T>
__device__ __forceinline__ void error(const T* x, const T* a, const T* b, double atol, double rtol, u64 len, u32 leaves,
                                      double* partial) {
    const u64 leaf = (u64)blockIdx.x * (blockDim.x / LANES) + threadIdx.x / LANES;
    const u32 n = leaf_len(leaf, len);
    const u64 from = n == 0 ? 0 : leaf * LEAF;
    double sum = 0.0;
#pragma unroll 4
    for (u32 i = lane(); i < n; i += LANES) {
        const double p = magnitude((double)a[from + i]), q = magnitude((double)b[from + i]);
        const double e = (double)x[from + i] / (atol + rtol * (p > q ? p : q));
        sum += e * e;
    }
    sum = pairwise(sum);
    if (lane() == 0 && leaf < leaves) partial[leaf] = sum;
}

// Squares of (x − a)/max(atol, rtol·max(|a|, |b|)), row by row; equal elements have none.
template <class T>
__device__ __forceinline__ void distance(const T* x, const T* a, const T* b, double atol, double rtol, u64 len, u32 leaves,
                                         double* partial) {
    const u64 leaf = (u64)blockIdx.x * (blockDim.x / LANES) + threadIdx.x / LANES;
    u32 n;
    const u64 from = row_leaf(leaf, len, leaves, n);
    double sum = 0.0;
#pragma unroll 4
    for (u32 i = lane(); i < n; i += LANES) {
        const double at = (double)a[from + i];
        const double p = magnitude(at), q = magnitude((double)b[from + i]);
        const double relative = rtol * (p > q ? p : q);
        const double gap = (double)x[from + i] - at;
        const double e = gap == 0.0 ? 0.0 : gap / (atol > relative ? atol : relative);
        sum += e * e;
    }
    sum = pairwise(sum);
    if (lane() == 0 && leaf < leaves) partial[leaf] = sum;
}

// The part of the tree above the leaves. Level by level: node i of a level holds as many leaves as halving says.
extern "C" __global__ void __launch_bounds__(512) reduce_tree(const double* partial, double* out, double* scratch, u32 leaves,
                                                              u32 depth) {
    partial += (u64)blockIdx.x * leaves;
    const u32 widest = depth == 0 ? 1 : 1u << (depth - 1);
    double* now = scratch + (u64)blockIdx.x * 2 * widest;
    double* next = now + widest;
    for (u32 i = threadIdx.x; i < widest; i += blockDim.x) {
        u32 size = leaves, from = 0;
        for (int bit = (int)depth - 2; bit >= 0; --bit) {
            const u32 half = (size + 1) / 2;
            const bool right = i >> bit & 1;
            from += right ? half : 0;
            size = right ? size - half : half;
        }
        double sum = size == 0 ? 0.0 : partial[from];
        if (size == 2) sum += partial[from + 1];
        now[i] = sum;
    }
    for (u32 width = widest / 2; width > 0; width /= 2) {
        __syncthreads();
        for (u32 i = threadIdx.x; i < width; i += blockDim.x) next[i] = now[2 * i] + now[2 * i + 1];
        double* const swap = now;
        now = next;
        next = swap;
    }
    __syncthreads();
    if (threadIdx.x == 0) out[blockIdx.x] = now[0];
}

// Sets *broken to 1 if an element is not finite.
template <class T>
__device__ __forceinline__ void finite(const T* x, u64 vectors, u64 len, u32* broken) {
    typedef Pack<T> P;
    const u64 i = global_thread();
    bool ok = true;
    if (i < vectors) {
        const P p = ((const P*)x)[i];
#pragma unroll
        for (int j = 0; j < P::SIZE; ++j) ok = ok && is_finite(p.v[j]);
    }
    const u64 j = vectors * P::SIZE + i;
    if (j < len) ok = ok && is_finite(x[j]);
    if (!ok) atomicOr(broken, 1u);
}

// The largest |x| as bits in *out, which begins as 0: the order of bits is that of magnitudes, with NaN above all.
template <class T>
__device__ __forceinline__ void largest(const T* x, u64 len, u64* out) {
    u64 most = 0;
    for (u64 i = global_thread(); i < len; i += (u64)gridDim.x * blockDim.x) {
        const u64 bits = (u64)__double_as_longlong((double)x[i]) & 0x7fffffffffffffffull;
        most = bits > most ? bits : most;
    }
#pragma unroll
    for (int width = 16; width > 0; width /= 2) {
        const u64 other = __shfl_down_sync(0xffffffffu, most, width, 32);
        most = other > most ? other : most;
    }
    if (threadIdx.x % 32 == 0) atomicMax(out, most);
}

#define ENTRIES(T, SUFFIX)                                                                                                  \
    extern "C" __global__ void __launch_bounds__(256) reduce_dots_##SUFFIX(                                                 \
        const T* x, const __grid_constant__ Table<T> t, u32 count, u64 len, u32 leaves, double* partial) {                  \
        dots<T>(x, t, count, len, leaves, partial);                                                                         \
    }                                                                                                                       \
    extern "C" __global__ void __launch_bounds__(256)                                                                       \
        reduce_sum_##SUFFIX(const T* x, u64 len, u32 leaves, double* partial) {                                             \
        sums<T>(x, len, leaves, partial);                                                                                   \
    }                                                                                                                       \
    extern "C" __global__ void __launch_bounds__(256) reduce_error_##SUFFIX(                                                \
        const T* x, const T* a, const T* b, double atol, double rtol, u64 len, u32 leaves, double* partial) {               \
        error<T>(x, a, b, atol, rtol, len, leaves, partial);                                                                \
    }                                                                                                                       \
    extern "C" __global__ void __launch_bounds__(256) reduce_distance_##SUFFIX(                                             \
        const T* x, const T* a, const T* b, double atol, double rtol, u64 len, u32 leaves, double* partial) {               \
        distance<T>(x, a, b, atol, rtol, len, leaves, partial);                                                             \
    }                                                                                                                       \
    extern "C" __global__ void __launch_bounds__(256) reduce_finite_##SUFFIX(const T* x, u64 vectors, u64 len, u32* broken) { \
        finite<T>(x, vectors, len, broken);                                                                                 \
    }                                                                                                                       \
    extern "C" __global__ void __launch_bounds__(256) reduce_largest_##SUFFIX(const T* x, u64 len, u64* out) {              \
        largest<T>(x, len, out);                                                                                            \
    }
BOTH(ENTRIES)
