// Products of half spectra: the middle of a convolution between two Fourier transforms.
//
// Threads: one for each complex number, blocks of 256.
// Shapes:  x [batch, bins] complex, in place, k [bins] complex, real and imaginary parts side by side.
// Bound:   memory, 4·sizeof(T) bytes a number, and k once.
// Twin:    `kernel::spectrum::twin`, bit for bit.
// conjugate: with the conjugate of k, for the transposed matrix.

template <class T>
__device__ __forceinline__ void multiply(T* x, const T* k, u64 bins, u64 count, u32 conjugate) {
    const u64 i = global_thread();
    if (i >= count) return;
    const T re = x[2 * i], im = x[2 * i + 1];
    const T kre = k[2 * (i % bins)], own = k[2 * (i % bins) + 1], kim = conjugate != 0 ? -own : own;
    x[2 * i] = re * kre - im * kim;
    x[2 * i + 1] = re * kim + im * kre;
}

#define ENTRIES(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) spectrum_multiply_##SUFFIX(T* x, const T* k, u64 bins, u64 count,  \
                                                                                 u32 conjugate) {                       \
        multiply<T>(x, k, bins, count, conjugate);                                                                      \
    }
BOTH(ENTRIES)
