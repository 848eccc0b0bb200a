// dst ← beta·dst + Σ c·x, each element in f64 and rounded once.
//
// Threads: one for each 16 bytes of dst, blocks of 256; then one for each element that is left (a tail, or everything where
//   an address is not a multiple of 16). `vectors` counts the former.
// Shapes:  dst and all x have `len` elements. `lincomb_N` takes N terms, `lincomb_any` up to 16. `start` is what a sum
//   begins with where beta = 0: −0 is the number that changes no bit of what is added to it. `lincomb_rows` takes states
//   of rows of `row` elements and a coefficient for each row and term, c[k·rows + r].
// Bound:   memory, (N + 1)·sizeof(T) bytes an element, one more sizeof(T) where beta ≠ 0.
// Twin:    `State::lincomb`, `RowState::row_lincomb`, `RowState::blend` of vectors, bit for bit.
// `broken`, where given, is set to 1 if a result is not finite.

template <class T, int N, bool ANY>
__device__ __forceinline__ T combine(double beta, double start, const Table<T>& t, u32 terms, T d, const T (&x)[N == 0 ? 1 : N]) {
    double sum = beta != 0.0 ? beta * (double)d : start;
#pragma unroll
    for (int k = 0; k < N; ++k) {
        if (!ANY || k < terms) sum = add_product(sum, t.c[k], x[k]);
    }
    return (T)sum;
}

template <class T, int N, bool ANY>
__device__ __forceinline__ void lincomb(T* dst, double beta, double start, const Table<T>& t, u32 terms, u64 vectors, u64 len,
                                        u32* broken) {
    typedef Pack<T> P;
    constexpr int ROOM = N == 0 ? 1 : N;
    const u64 i = global_thread();
    bool finite = true;
    if (i < vectors) {
        P x[ROOM];
#pragma unroll
        for (int k = 0; k < N; ++k) {
            if (!ANY || k < terms) x[k] = ((const P*)t.x[k])[i];
        }
        P d = {};
        if (beta != 0.0) d = ((const P*)dst)[i];
#pragma unroll
        for (int j = 0; j < P::SIZE; ++j) {
            T e[ROOM];
#pragma unroll
            for (int k = 0; k < N; ++k) {
                if (!ANY || k < terms) e[k] = x[k].v[j];
            }
            d.v[j] = combine<T, N, ANY>(beta, start, t, terms, d.v[j], e);
            finite = finite && is_finite(d.v[j]);
        }
        ((P*)dst)[i] = d;
    }
    const u64 j = vectors * P::SIZE + i;
    if (j < len) {
        T e[ROOM];
#pragma unroll
        for (int k = 0; k < N; ++k) {
            if (!ANY || k < terms) e[k] = t.x[k][j];
        }
        T old = (T)0;
        if (beta != 0.0) old = dst[j];
        const T d = combine<T, N, ANY>(beta, start, t, terms, old, e);
        finite = finite && is_finite(d);
        dst[j] = d;
    }
    if (broken != nullptr && !finite) atomicOr(broken, 1u);
}

// The same with coefficients of rows.
template <class T>
__device__ __forceinline__ void lincomb_rows(T* dst, double beta, double start, const Table<T>& t, const double* c, u32 terms,
                                             u64 row, u64 vectors, u64 len) {
    typedef Pack<T> P;
    const u64 i = global_thread(), rows = len / row;
    if (i < vectors) {
        const u64 from = i * P::SIZE;
        double sum[P::SIZE];
        P d = {};
        if (beta != 0.0) d = ((const P*)dst)[i];
#pragma unroll
        for (int j = 0; j < P::SIZE; ++j) sum[j] = beta != 0.0 ? beta * (double)d.v[j] : start;
        const u64 r = from / row, end = (r + 1) * row;
        for (u32 k = 0; k < terms; ++k) {
            const P x = ((const P*)t.x[k])[i];
            const double* ck = c + k * rows;
            // Rows of any length: those that 16 bytes reach are few, and most of the time one.
            u64 at = r, next = end;
            double here = ck[at];
#pragma unroll
            for (int j = 0; j < P::SIZE; ++j) {
                if (from + j == next) {
                    here = ck[++at];
                    next += row;
                }
                sum[j] = add_product(sum[j], here, x.v[j]);
            }
        }
#pragma unroll
        for (int j = 0; j < P::SIZE; ++j) d.v[j] = (T)sum[j];
        ((P*)dst)[i] = d;
    }
    const u64 j = vectors * P::SIZE + i;
    if (j < len) {
        double sum = beta != 0.0 ? beta * (double)dst[j] : start;
        for (u32 k = 0; k < terms; ++k) sum = add_product(sum, c[k * rows + j / row], t.x[k][j]);
        dst[j] = (T)sum;
    }
}

template <class T>
__device__ __forceinline__ T blended(T x, T mask, T value) {
    const double m = (double)mask;
    return m != 0.0 ? (T)((1.0 - m) * (double)x + m * (double)value) : x;
}

// dst ← (1 − m)·dst + m·value where the mask's m is not 0.
template <class T>
__device__ __forceinline__ void blend(T* dst, const T* mask, const T* value, u64 vectors, u64 len) {
    typedef Pack<T> P;
    const u64 i = global_thread();
    if (i < vectors) {
        P d = ((const P*)dst)[i];
        const P m = ((const P*)mask)[i], v = ((const P*)value)[i];
#pragma unroll
        for (int j = 0; j < P::SIZE; ++j) d.v[j] = blended(d.v[j], m.v[j], v.v[j]);
        ((P*)dst)[i] = d;
    }
    const u64 j = vectors * P::SIZE + i;
    if (j < len) dst[j] = blended(dst[j], mask[j], value[j]);
}

#define ENTRY(T, SUFFIX, NAME, N, ANY)                                                                                   \
    extern "C" __global__ void __launch_bounds__(256)                                                                    \
        lincomb_##NAME##_##SUFFIX(T* dst, double beta, double start, const __grid_constant__ Table<T> t, u32 terms,      \
                                  u64 vectors, u64 len, u32* broken) {                                                   \
        lincomb<T, N, ANY>(dst, beta, start, t, terms, vectors, len, broken);                                            \
    }
#define ENTRIES(T, SUFFIX)        \
    ENTRY(T, SUFFIX, 0, 0, false) \
    ENTRY(T, SUFFIX, 1, 1, false) \
    ENTRY(T, SUFFIX, 2, 2, false) \
    ENTRY(T, SUFFIX, 3, 3, false) \
    ENTRY(T, SUFFIX, 4, 4, false) \
    ENTRY(T, SUFFIX, 5, 5, false) \
    ENTRY(T, SUFFIX, 6, 6, false) \
    ENTRY(T, SUFFIX, 7, 7, false) \
    ENTRY(T, SUFFIX, 8, 8, false) \
    ENTRY(T, SUFFIX, any, TABLE, true) \
    extern "C" __global__ void __launch_bounds__(256)                                                                    \
        lincomb_rows_##SUFFIX(T* dst, double beta, double start, const __grid_constant__ Table<T> t, const double* c,    \
                              u32 terms, u64 row, u64 vectors, u64 len) {                                                \
        lincomb_rows<T>(dst, beta, start, t, c, terms, row, vectors, len);                                               \
    }                                                                                                                    \
    extern "C" __global__ void __launch_bounds__(256)                                                                    \
        lincomb_blend_##SUFFIX(T* dst, const T* mask, const T* value, u64 vectors, u64 len) {                            \
        blend<T>(dst, mask, value, vectors, len);                                                                        \
    }
BOTH(ENTRIES)
