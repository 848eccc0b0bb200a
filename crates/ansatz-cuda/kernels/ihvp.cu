// Products with an inverse empirical Fisher matrix (M-FAC; Frantar, Kurtic, Alistarh, NeurIPS 2021): G·x, and
// out = a·x + Gᵀ·c, for m gradients as rows of G.
//
// Threads: `products`, blocks of 256: 16 leaves of the columns by 4 rows; groups of rows along x, so that blocks that run
//   together read the same part of x. `combine`, one thread for each 16 bytes of out.
// Shapes:  G [m, pitch] with `len` columns in use, pitch a multiple of 16 bytes; partial[row·leaves + leaf]; c [m].
// Bound:   memory, m·sizeof(T) bytes a column for either; x is read once for 4 rows.
// Twin:    `State::dots` and `State::lincomb` of vectors, bit for bit.
// `products` with replaced < m is the update of a sliding window: x becomes that row in the same pass, and its product is x·x.

template <class T>
__device__ __forceinline__ void products(T* g, u64 pitch, const T* x, u32 m, u32 replaced, u64 len, u32 leaves,
                                         double* partial) {
    const u64 leaf = (u64)blockIdx.y * (blockDim.x / LANES) + threadIdx.x / LANES;
    const u32 n = leaf_len(leaf, len);
    const u64 from = n == 0 ? 0 : leaf * LEAF;
    const u32 first = blockIdx.x * 4;
    const T* row[4];
    double sum[4] = {0.0, 0.0, 0.0, 0.0};
#pragma unroll
    for (u32 r = 0; r < 4; ++r) {
        const u32 at = first + r < m ? first + r : first;
        row[r] = (at == replaced ? x : g + at * pitch) + from;
    }
    lane_products<T, 4, 4>(x + from, row, n, sum);
    if (replaced - first < 4) {
        for (u32 i = lane(); i < n; i += LANES) g[replaced * pitch + from + i] = x[from + i];
    }
#pragma unroll
    for (u32 r = 0; r < 4; ++r) {
        const double total = pairwise(sum[r]);
        if (lane() == 0 && leaf < leaves && first + r < m) partial[(u64)(first + r) * leaves + leaf] = total;
    }
}

// `start` is what sums begin with, as in lincomb.cu; a is 0 where x is left out.
template <class T>
__device__ __forceinline__ void combine(const T* g, u64 pitch, const double* c, u32 m, double start, double a, const T* x, T* out,
                                        u64 len) {
    typedef Pack<T> P;
    const u64 at = global_thread() * P::SIZE;
    if (at >= len) return;
    const bool whole = at + P::SIZE <= len;
    double sum[P::SIZE];
    P p = {};
    if (whole) p = *(const P*)(x + at);
#pragma unroll
    for (int j = 0; j < P::SIZE; ++j) {
        if (!whole && at + j < len) p.v[j] = x[at + j];
        sum[j] = add_product(start, a, p.v[j]);
    }
#pragma unroll 8
    for (u32 r = 0; r < m; ++r) {
        // Rows are padded: the last 16 bytes may be read, though not used, whole.
        const P row = *(const P*)(g + r * pitch + at);
        const double cr = c[r];
#pragma unroll
        for (int j = 0; j < P::SIZE; ++j) sum[j] = add_product(sum[j], cr, row.v[j]);
    }
#pragma unroll
    for (int j = 0; j < P::SIZE; ++j) p.v[j] = (T)sum[j];
    if (whole) {
        *(P*)(out + at) = p;
    } else {
#pragma unroll
        for (int j = 0; j < P::SIZE; ++j) {
            if (at + j < len) out[at + j] = p.v[j];
        }
    }
}

#define ENTRIES(T, SUFFIX)                                                                                                   \
    extern "C" __global__ void __launch_bounds__(256) ihvp_products_##SUFFIX(T* g, u64 pitch, const T* x, u32 m, u32 replaced, \
                                                                             u64 len, u32 leaves, double* partial) {         \
        products<T>(g, pitch, x, m, replaced, len, leaves, partial);                                                         \
    }                                                                                                                        \
    extern "C" __global__ void __launch_bounds__(256) ihvp_combine_##SUFFIX(                                                 \
        const T* g, u64 pitch, const double* c, u32 m, double start, double a, const T* x, T* out, u64 len) {                \
        combine<T>(g, pitch, c, m, start, a, x, out, len);                                                                   \
    }
BOTH(ENTRIES)
