// dst ← beta·dst + Σ c·x, each element in f64 and rounded once.
//
// Threads: one for each 16 bytes of dst, blocks of 256; then one for each element that is left (a tail, or everything where
//   an address is not a multiple of 16). `vectors` counts the former.
// Shapes:  dst and all x have `len` elements. `lincomb_N` takes N terms, `lincomb_any` up to 16. `start` is what a sum
//   begins with where beta = 0: −0 is the number that changes no bit of what is added to it.
// Bound:   memory, (N + 1)·sizeof(T) bytes an element, one more sizeof(T) where beta ≠ 0.
// Twin:    `State::lincomb` of vectors, bit for bit.
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
    ENTRY(T, SUFFIX, any, TABLE, true)
BOTH(ENTRIES)
