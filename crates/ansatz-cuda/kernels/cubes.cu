// Triangles of crossed cells, from a table for the signs of their corners. Cells that the table leaves open get theirs from
// the caller.
//
// Threads: `cases`, `open`, `emit`, one for each crossed cell; `set`, `fill`, one for each open cell. Blocks of 256.
// Shapes:  those of signs.cuh; table [256][16]: how many triangles, their edges; 255 leaves the case open. ends[o]: triangles
//   of open cells up to cell o; places: where a crossed cell's triangles begin.
// Bound:   memory, some 100 bytes a crossed cell.
// Twin:    `kernel::cubes::twin`, bit for bit.

extern "C" __global__ void __launch_bounds__(256) cubes_cases(const u32* signs, u32 nx, u32 ny, u32 nz, const u32* cells, u32 count,
                                                              const u8* table, u32* numbers, u32* open) {
    const u64 a = global_thread();
    if (a >= count) return;
    const u32 n = table[16 * cell_of(signs, grid_of(nx, ny, nz), cells[a]).bits];
    numbers[a] = n == 255 ? 0 : n;
    open[a] = n == 255 ? 1 : 0;
}

// What the caller needs for an open cell: which crossed cell it is, its first sample, corner values, numbers of crossings.
template <class T>
__device__ __forceinline__ void open_cells(const T* samples, const u32* signs, Grid g, const u32* cells, u32 count, const u8* table,
                                           const u32* firsts, const u32* places, u32* which, T* corners, u32* names) {
    const u64 a = global_thread();
    if (a >= count) return;
    const Cell c = cell_of(signs, g, cells[a]);
    if (table[16 * c.bits] != 255) return;
    const u64 o = places[a];
    which[2 * o] = (u32)a;
    which[2 * o + 1] = cells[a];
    for (u32 n = 0; n < 8; ++n)
        corners[8 * o + n] = samples[((u64)(c.i + (n & 1)) * g.ny + c.j + (n >> 1 & 1)) * g.nz + c.k + (n >> 2)];
    for (u32 e = 0; e < 12; ++e) names[12 * o + e] = name_of(signs, firsts, g, c, e);
}

// Numbers of triangles of open cells: what the caller's end at, one after the other.
extern "C" __global__ void __launch_bounds__(256) cubes_set(const u32* which, const u32* ends, u32 count, u32* numbers) {
    const u64 o = global_thread();
    if (o < count) numbers[which[2 * o]] = ends[o] - (o == 0 ? 0 : ends[o - 1]);
}

extern "C" __global__ void __launch_bounds__(256) cubes_emit(const u32* signs, u32 nx, u32 ny, u32 nz, const u32* cells, u32 count,
                                                             const u8* table, const u32* firsts, const u32* places, u32* triangles) {
    const u64 a = global_thread();
    if (a >= count) return;
    const Grid g = grid_of(nx, ny, nz);
    const Cell c = cell_of(signs, g, cells[a]);
    const u8* row = table + 16 * c.bits;
    if (row[0] == 255) return;
    u32* out = triangles + 3 * (u64)places[a];
    for (u32 v = 0; v < 3 * row[0]; ++v) out[v] = name_of(signs, firsts, g, c, row[1 + v]);
}

extern "C" __global__ void __launch_bounds__(256) cubes_fill(const u32* which, const u32* ends, u32 count, const u32* own,
                                                             const u32* places, u32* triangles) {
    const u64 o = global_thread();
    if (o >= count) return;
    const u64 from = o == 0 ? 0 : ends[o - 1], to = ends[o];
    u32* out = triangles + 3 * (u64)places[which[2 * o]];
    for (u64 v = 3 * from; v < 3 * to; ++v) *out++ = own[v];
}

#define ENTRIES(T, SUFFIX)                                                                                                      \
    extern "C" __global__ void __launch_bounds__(256) cubes_open_##SUFFIX(                                                       \
        const T* samples, const u32* signs, u32 nx, u32 ny, u32 nz, const u32* cells, u32 count, const u8* table,               \
        const u32* firsts, const u32* places, u32* which, T* corners, u32* names) {                                             \
        open_cells<T>(samples, signs, grid_of(nx, ny, nz), cells, count, table, firsts, places, which, corners, names);         \
    }
BOTH(ENTRIES)
