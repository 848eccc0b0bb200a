// What every family uses. Arithmetic is as it is written: sources are compiled with contraction off, and a fused
// multiply-add stands where its product is exact anyway, so that the bits are those of the processor's loops.

typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned char u8;

// 16 bytes of elements, moved by one instruction.
template <class T>
struct alignas(16) Pack {
    static constexpr int SIZE = 16 / sizeof(T);
    T v[SIZE];
};

// What a launcher passes several states in: addresses and coefficients.
constexpr int TABLE = 16;
template <class T>
struct Table {
    const T* x[TABLE];
    double c[TABLE];
};

__device__ __forceinline__ u64 global_thread() {
    return (u64)blockIdx.x * blockDim.x + threadIdx.x;
}

// sum + c·x. The coefficients of f32 states have 29 bits: their products are exact.
__device__ __forceinline__ double add_product(double sum, double c, float x) { return fma(c, (double)x, sum); }
__device__ __forceinline__ double add_product(double sum, double c, double x) { return sum + c * x; }

__device__ __forceinline__ bool is_finite(float x) { return (__float_as_uint(x) & 0x7fffffffu) < 0x7f800000u; }
__device__ __forceinline__ bool is_finite(double x) {
    return ((u64)__double_as_longlong(x) & 0x7fffffffffffffffull) < 0x7ff0000000000000ull;
}

__device__ __forceinline__ double magnitude(double x) {
    return __longlong_as_double((long long)((u64)__double_as_longlong(x) & 0x7fffffffffffffffull));
}

// Entry points for both element types: BOTH(MACRO) with MACRO(type, suffix).
#define BOTH(MACRO) MACRO(float, f32) MACRO(double, f64)
