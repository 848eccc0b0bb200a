// Dual meshes: a vertex in each crossed cell, at the mean of the crossings on its edges, and a quad around each crossed edge
// that has four cells.
//
// Threads: one for each crossed cell, blocks of 256. `count` and `quads` look at the three edges from a cell's first sample.
// Shapes:  those of signs.cuh; points of crossings and vertices, three coordinates each; order [256][16]: how many edges a
//   case has crossed, and these in the order in which their points are added; starts [nx − 1, ny − 1, width]: crossed cells
//   before each word of cells; places: where a cell's quads begin.
// Bound:   memory, some 200 bytes a crossed cell.
// Twin:    `kernel::nets::{means, quads}`, bit for bit.

// The number of a crossed cell.
__device__ __forceinline__ u32 rank_of(const u32* signs, const u32* starts, Grid g, u32 i, u32 j, u32 k) {
    const u32 before = active(signs, g, i, j, k / 32) & ((1u << (k % 32)) - 1);
    return starts[((u64)i * (g.ny - 1) + j) * g.width + k / 32] + __popc(before);
}

// Whether the edge along an axis from the first sample of a cell is crossed and has four cells around it.
__device__ __forceinline__ bool has_quad(Cell c, u32 axis) {
    if (((c.bits >> (1u << axis) ^ c.bits) & 1) == 0) return false;
    return (axis == 0 || c.i > 0) && (axis == 1 || c.j > 0) && (axis == 2 || c.k > 0);
}

template <class T>
__device__ __forceinline__ void means(const u32* signs, Grid g, const u32* cells, u32 count, const u8* order, const u32* firsts,
                                      const T* points, T* out) {
    const u64 a = global_thread();
    if (a >= count) return;
    const Cell c = cell_of(signs, g, cells[a]);
    const u8* row = order + 16 * c.bits;
    double x = 0.0, y = 0.0, z = 0.0;
    for (u32 e = 1; e <= row[0]; ++e) {
        const T* p = points + 3 * (u64)name_of(signs, firsts, g, c, row[e]);
        x += (double)p[0];
        y += (double)p[1];
        z += (double)p[2];
    }
    const double scale = 1.0 / (double)row[0];
    out[3 * a] = (T)(x * scale);
    out[3 * a + 1] = (T)(y * scale);
    out[3 * a + 2] = (T)(z * scale);
}

extern "C" __global__ void __launch_bounds__(256) nets_count(const u32* signs, u32 nx, u32 ny, u32 nz, const u32* cells, u32 count,
                                                             u32* numbers) {
    const u64 a = global_thread();
    if (a >= count) return;
    const Cell c = cell_of(signs, grid_of(nx, ny, nz), cells[a]);
    numbers[a] = (has_quad(c, 0) ? 1 : 0) + (has_quad(c, 1) ? 1 : 0) + (has_quad(c, 2) ? 1 : 0);
}

extern "C" __global__ void __launch_bounds__(256) nets_quads(const u32* signs, u32 nx, u32 ny, u32 nz, const u32* cells, u32 count,
                                                             const u32* starts, const u32* places, u32* out) {
    const u64 a = global_thread();
    if (a >= count) return;
    const Grid g = grid_of(nx, ny, nz);
    const Cell c = cell_of(signs, g, cells[a]);
    u32* quad = out + 4 * (u64)places[a];
    for (u32 axis = 0; axis < 3; ++axis) {
        if (!has_quad(c, axis)) continue;
        // Steps back along the two other axes, ascending: p of weight 1, q of weight 2.
        const u32 pi = axis == 0 ? 0 : 1, pj = axis == 0 ? 1 : 0;
        const u32 qj = axis == 2 ? 1 : 0, qk = axis == 2 ? 0 : 1;
        const u32 both = rank_of(signs, starts, g, c.i - pi, c.j - pj - qj, c.k - qk);
        const u32 second = rank_of(signs, starts, g, c.i, c.j - qj, c.k - qk);
        const u32 first = rank_of(signs, starts, g, c.i - pi, c.j - pj, c.k);
        // The normal goes from the inside end of the edge to the outside end.
        const bool turned = ((c.bits & 1) == 1) == (axis == 1);
        quad[0] = both;
        quad[1] = turned ? first : second;
        quad[2] = (u32)a;
        quad[3] = turned ? second : first;
        quad += 4;
    }
}

#define ENTRIES(T, SUFFIX)                                                                                                  \
    extern "C" __global__ void __launch_bounds__(256) nets_means_##SUFFIX(                                                   \
        const u32* signs, u32 nx, u32 ny, u32 nz, const u32* cells, u32 count, const u8* order, const u32* firsts,          \
        const T* points, T* out) {                                                                                          \
        means<T>(signs, grid_of(nx, ny, nz), cells, count, order, firsts, points, out);                                     \
    }
BOTH(ENTRIES)
