// What generated kernels use: functions of numbers by one name for both types. Contraction of products and sums is off, so
// that arithmetic is as programs say.

// Counters that no index of a kernel reads.
#pragma nv_diag_suppress 177

typedef unsigned int u32;

// 16 bytes of elements, moved by one instruction.
template <class T>
struct alignas(16) Piece {
    T v[16 / sizeof(T)];
};

#define FUNCTION(name)                                                                   \
    __device__ __forceinline__ float f_##name(float x) { return name##f(x); }            \
    __device__ __forceinline__ double f_##name(double x) { return name(x); }
FUNCTION(sqrt)
FUNCTION(exp)
FUNCTION(expm1)
FUNCTION(exp2)
FUNCTION(log)
FUNCTION(log1p)
FUNCTION(log2)
FUNCTION(log10)
FUNCTION(sin)
FUNCTION(cos)
FUNCTION(tan)
FUNCTION(asin)
FUNCTION(acos)
FUNCTION(atan)
FUNCTION(sinh)
FUNCTION(cosh)
FUNCTION(tanh)
FUNCTION(asinh)
FUNCTION(acosh)
FUNCTION(atanh)
FUNCTION(erf)
FUNCTION(erfc)
FUNCTION(fabs)
__device__ __forceinline__ float f_pow(float x, float y) { return powf(x, y); }
__device__ __forceinline__ double f_pow(double x, double y) { return pow(x, y); }
__device__ __forceinline__ float f_atan2(float y, float x) { return atan2f(y, x); }
__device__ __forceinline__ double f_atan2(double y, double x) { return atan2(y, x); }
__device__ __forceinline__ float f_fma(float x, float y, float z) { return fmaf(x, y, z); }
__device__ __forceinline__ double f_fma(double x, double y, double z) { return fma(x, y, z); }

template <class T>
__device__ __forceinline__ T f_recip(T x) { return (T)1 / x; }
template <class T>
__device__ __forceinline__ T f_rsqrt(T x) { return (T)1 / f_sqrt(x); }
template <class T>
__device__ __forceinline__ T f_square(T x) { return x * x; }
template <class T>
__device__ __forceinline__ T f_sign(T x) { return x > 0 ? (T)1 : x < 0 ? (T)-1 : x * 0; }
template <class T>
__device__ __forceinline__ T f_sigmoid(T x) { return (T)1 / ((T)1 + f_exp(-x)); }
template <class T>
__device__ __forceinline__ T f_softplus(T x) { return (x > 0 ? x : 0) + f_log1p(f_exp(-f_fabs(x))); }
template <class T>
__device__ __forceinline__ T f_silu(T x) { return x / ((T)1 + f_exp(-x)); }
template <class T>
__device__ __forceinline__ T f_gelu(T x) { return (T)0.5 * x * f_erfc(-x * (T)0.70710678118654752440); }
template <class T>
__device__ __forceinline__ T f_less(T a, T b) { return a < b ? 1 : 0; }
template <class T>
__device__ __forceinline__ T f_less_or_equal(T a, T b) { return a <= b ? 1 : 0; }
template <class T>
__device__ __forceinline__ T f_equal(T a, T b) { return a == b ? 1 : 0; }
template <class T>
__device__ __forceinline__ T f_select(T c, T a, T b) { return c != 0 ? a : b; }
// NaN stays.
template <class T>
__device__ __forceinline__ T f_largest(T a, T b) { return b > a || b != b ? b : a; }

// The row of a table, or -1.
__device__ __forceinline__ int row(u32 x, int length) { return x < (u32)length ? (int)x : -1; }
template <class T>
__device__ __forceinline__ int row(T x, int length) {
    return x >= 0 && x < (T)length && x == (T)(int)x ? (int)x : -1;
}

// x with BITS bits less, to the nearest (T. J. Dekker, A floating-point technique for extending the available precision,
// 1971). What would overflow keeps its bits.
template <int BITS>
__device__ __forceinline__ float rounded(float x) {
    if (!(fabsf(x) < 1e30f)) return x;
    const float c = x * (float)((1 << BITS) + 1);
    return c - (c - x);
}

