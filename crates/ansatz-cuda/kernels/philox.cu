// Random bits and normal numbers by Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011) and Box-Muller.
//
// Threads: `bits`, one for each counter, blocks of 256. `normal`, one for each 16 bytes of out: two counters give four f32,
//   one counter gives two f64.
// Shapes:  counter k of a stream gives four words, and the normal numbers 2k and 2k + 1.
// Bound:   arithmetic in f64: about 90 operations a counter.
// Twin:    `Key::bits` and `Key::fill_normal`, bit for bit: logarithm, sine and cosine are the same polynomials in the same order.

struct Words {
    u32 w[4];
};

__device__ __forceinline__ Words philox(u64 seed, u64 stream, u64 counter) {
    u32 c0 = (u32)counter, c1 = (u32)(counter >> 32), c2 = (u32)stream, c3 = (u32)(stream >> 32);
    u32 k0 = (u32)seed, k1 = (u32)(seed >> 32);
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        if (round > 0) {
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        const u64 p = (u64)0xD2511F53u * c0, q = (u64)0xCD9E8D57u * c2;
        const u32 n0 = (u32)(q >> 32) ^ c1 ^ k0, n2 = (u32)(p >> 32) ^ c3 ^ k1;
        c1 = (u32)q;
        c3 = (u32)p;
        c0 = n0;
        c2 = n2;
    }
    return Words{{c0, c1, c2, c3}};
}

// (−1)ᵏ/(2k + first)! and 1/(2k + 1), by the recurrences of the twin.
__device__ constexpr double factorial(int first, int k) {
    return k == 0 ? 1.0 : factorial(first, k - 1) / -(double)((2 * k + first - 1) * (2 * k + first));
}
__device__ constexpr double odd(int, int k) { return 1.0 / (2 * k + 1); }

// Horner's rule for terms K to N − 1.
template <double (*C)(int, int), int FIRST, int K, int N>
struct Horner {
    static __device__ __forceinline__ double at(double z) {
        constexpr double c = C(FIRST, K);
        return Horner<C, FIRST, K + 1, N>::at(z) * z + c;
    }
};
template <double (*C)(int, int), int FIRST, int N>
struct Horner<C, FIRST, N, N> {
    static __device__ __forceinline__ double at(double) {
        constexpr double c = C(FIRST, N);
        return c;
    }
};

__device__ __forceinline__ double from_bits(u64 bits) { return __longlong_as_double((long long)bits); }
__device__ __forceinline__ u64 to_bits(double x) { return (u64)__double_as_longlong(x); }

constexpr u64 ONE = 0x3ff0000000000000ull, MAGIC = 0x4330000000000000ull, MANTISSA = 0x000fffffffffffffull;
constexpr u64 ROOT_HALF = 0x3fe6a09e667f3bcdull;

// −ln u for u in (0, 1]: u = 2ᵉ·m with m in [√½, √2), and 2·artanh of (m − 1)/(m + 1).
__device__ __forceinline__ double minus_ln(double u) {
    const u64 shifted = to_bits(u) + (ONE - ROOT_HALF);
    const double m = from_bits((shifted & MANTISSA) + ROOT_HALF);
    const double minus_e = 1023.0 - (from_bits(MAGIC | (shifted >> 52)) - from_bits(MAGIC));
    const double f = m - 1.0;
    const double s = f / (2.0 + f);
    const double ln_m = 2.0 * s * Horner<odd, 0, 0, 10>::at(s * s);
    return minus_e * 0.6931471803691238 + (minus_e * 1.9082149292705877e-10 - ln_m);
}

// (cos 2πv, sin 2πv) for v in [0, 1).
__device__ __forceinline__ void turn(double v, double& cosine, double& sine) {
    const double quarters = 4.0 * v + from_bits(MAGIC);
    const double remainder = v - 0.25 * (quarters - from_bits(MAGIC));
    const u64 quarter = to_bits(quarters);
    const double t = 6.283185307179586 * remainder, z = t * t;
    const double c = Horner<factorial, 0, 0, 9>::at(z), s = t * Horner<factorial, 1, 0, 8>::at(z);
    const bool even = (quarter & 1) == 0;
    cosine = from_bits(to_bits(even ? c : s) ^ (((quarter + 1) & 2) << 62));
    sine = from_bits(to_bits(even ? s : c) ^ ((quarter & 2) << 62));
}

__device__ __forceinline__ double unit(u32 low, u32 high) { return from_bits(ONE | ((u64)high << 32 | low) >> 12); }

__device__ __forceinline__ void normal_pair(u64 seed, u64 stream, u64 counter, double& x, double& y) {
    const Words r = philox(seed, stream, counter);
    const double radius = sqrt(2.0 * minus_ln(2.0 - unit(r.w[0], r.w[1])));
    double cosine, sine;
    turn(unit(r.w[2], r.w[3]) - 1.0, cosine, sine);
    x = radius * cosine;
    y = radius * sine;
}

template <class T>
__device__ __forceinline__ void normal(T* out, u64 seed, u64 stream, u64 len) {
    typedef Pack<T> P;
    const u64 i = global_thread();
    if (i * P::SIZE >= len) return;
    P p;
#pragma unroll
    for (int j = 0; j < P::SIZE; j += 2) {
        double x, y;
        normal_pair(seed, stream, i * (P::SIZE / 2) + j / 2, x, y);
        p.v[j] = (T)x;
        p.v[j + 1] = (T)y;
    }
    if ((i + 1) * P::SIZE <= len) {
        ((P*)out)[i] = p;
    } else {
#pragma unroll
        for (int j = 0; j < P::SIZE; ++j) {
            if (i * P::SIZE + j < len) out[i * P::SIZE + j] = p.v[j];
        }
    }
}

extern "C" __global__ void __launch_bounds__(256) philox_bits(u32* out, u64 seed, u64 stream, u64 first, u64 counters) {
    const u64 i = global_thread();
    if (i >= counters) return;
    const Words r = philox(seed, stream, first + i);
    Pack<u32> p;
#pragma unroll
    for (int j = 0; j < 4; ++j) p.v[j] = r.w[j];
    ((Pack<u32>*)out)[i] = p;
}

#define ENTRIES(T, SUFFIX)                                                                                            \
    extern "C" __global__ void __launch_bounds__(256) philox_normal_##SUFFIX(T* out, u64 seed, u64 stream, u64 len) { \
        normal<T>(out, seed, stream, len);                                                                            \
    }
BOTH(ENTRIES)
