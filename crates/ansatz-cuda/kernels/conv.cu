// Convolution with 3×3×3 taps, zeros around, bias and a rectifier: the layer of networks for search directions on grids.
//
// Threads: blocks of 256 make 4×4×16 places (z, y, x) of 8 channels, one place a thread; x has its border in shared memory,
//   one channel at a time. Tiles of places along x, groups of channels along y, images along z.
// Shapes:  x [batch, inputs, nz, ny, nx], w [outputs, inputs, 3, 3, 3], bias [outputs], y [batch, outputs, nz, ny, nx].
// Bound:   arithmetic, 54·inputs·outputs operations a place; shared memory is read 3 times for 8 multiply-adds.
// Twin:    `kernel::conv::twin`, bit for bit: taps are added by fused multiply-add, channel by channel, in the order of memory.
// y = v where v > 0, slope·v elsewhere: slope 0 is ReLU, slope 1 no rectifier.

constexpr u32 TZ = 4, TY = 4, TX = 16, OUT = 8;

template <class T>
struct alignas(8 * sizeof(T)) Taps {
    T v[OUT];
};

template <class T>
__device__ __forceinline__ void conv(const T* x, const T* w, const T* bias, T* y, u32 inputs, u32 outputs, u32 nz, u32 ny, u32 nx,
                                     double slope) {
    __shared__ T tile[TZ + 2][TY + 2][TX + 2];
    __shared__ Taps<T> taps[27];
    const u32 t = threadIdx.x;
    const u32 tiles_x = (nx + TX - 1) / TX, tiles_y = (ny + TY - 1) / TY;
    const u32 x0 = blockIdx.x % tiles_x * TX, y0 = blockIdx.x / tiles_x % tiles_y * TY, z0 = blockIdx.x / tiles_x / tiles_y * TZ;
    const u32 first = blockIdx.y * OUT;
    const u32 tx = t % TX, ty = t / TX % TY, tz = t / (TX * TY);
    const u64 volume = (u64)nz * ny * nx;
    const T* image = x + blockIdx.z * inputs * volume;
    T sum[OUT];
#pragma unroll
    for (u32 o = 0; o < OUT; ++o) sum[o] = first + o < outputs ? bias[first + o] : (T)0;
    for (u32 c = 0; c < inputs; ++c) {
        __syncthreads();
        for (u32 e = t; e < (TZ + 2) * (TY + 2) * (TX + 2); e += 256) {
            const u32 ex = e % (TX + 2), ey = e / (TX + 2) % (TY + 2), ez = e / ((TX + 2) * (TY + 2));
            // Places before 0 wrap around and are beyond the end, too.
            const u32 px = x0 + ex - 1, py = y0 + ey - 1, pz = z0 + ez - 1;
            tile[ez][ey][ex] = px < nx && py < ny && pz < nz ? image[c * volume + ((u64)pz * ny + py) * nx + px] : (T)0;
        }
        if (t < 27 * OUT) {
            const u32 o = t / 27, tap = t % 27;
            taps[tap].v[o] = first + o < outputs ? w[((u64)(first + o) * inputs + c) * 27 + tap] : (T)0;
        }
        __syncthreads();
#pragma unroll
        for (u32 tap = 0; tap < 27; ++tap) {
            const T v = tile[tz + tap / 9][ty + tap / 3 % 3][tx + tap % 3];
            const Taps<T> k = taps[tap];
#pragma unroll
            for (u32 o = 0; o < OUT; ++o) sum[o] = fma(k.v[o], v, sum[o]);
        }
    }
    const u32 px = x0 + tx, py = y0 + ty, pz = z0 + tz;
    if (px >= nx || py >= ny || pz >= nz) return;
#pragma unroll
    for (u32 o = 0; o < OUT; ++o) {
        if (first + o >= outputs) break;
        const T v = sum[o] > (T)0 ? sum[o] : (T)slope * sum[o];
        y[((u64)blockIdx.z * outputs + first + o) * volume + ((u64)pz * ny + py) * nx + px] = v;
    }
}

#define ENTRIES(T, SUFFIX)                                                                                                      \
    extern "C" __global__ void __launch_bounds__(256) conv_taps_##SUFFIX(const T* x, const T* w, const T* bias, T* y, u32 inputs, \
                                                                         u32 outputs, u32 nz, u32 ny, u32 nx, double slope) {   \
        conv<T>(x, w, bias, y, inputs, outputs, nz, ny, nx, slope);                                                             \
    }
BOTH(ENTRIES)
