// Signs of the samples of a grid, 32 to a word along z, and what they say of edges and cells.
//
// Samples [nx, ny, nz] (nz fastest), words [nx, ny, width] with width = ⌈nz/32⌉. An edge is crossed where its ends differ.
// Crossings are numbered by rows (i, j): those along z, then y, then x, each by ascending k; `firsts` [nx, ny, 3, width] has
// the number of the first one of each word. Corner bits x + 2y + 4z; edge 4·axis + o + 2p with the offsets of its lower end on
// the other two axes, ascending.

struct Grid {
    u32 nx, ny, nz, width;
};

__device__ __forceinline__ Grid grid_of(u32 nx, u32 ny, u32 nz) { return {nx, ny, nz, (nz + 31) / 32}; }

// Signs of the samples one further along z.
__device__ __forceinline__ u32 shifted(const u32* row, u32 w, u32 width) {
    return row[w] >> 1 | (w + 1 < width ? row[w + 1] << 31 : 0);
}

// Bits of a word whose sample has a next one.
__device__ __forceinline__ u32 before_last(u32 w, u32 nz) {
    const u32 left = nz - 1 - 32 * w;
    return left >= 32 ? 0xffffffffu : (1u << left) - 1;
}

// Crossed edges along an axis from the samples of word w of row (i, j).
__device__ __forceinline__ u32 crossed(const u32* signs, Grid g, u32 i, u32 j, u32 w, u32 axis) {
    const u32* row = signs + ((u64)i * g.ny + j) * g.width;
    if (axis == 2) return (row[w] ^ shifted(row, w, g.width)) & before_last(w, g.nz);
    if (axis == 1) return j + 1 < g.ny ? row[w] ^ row[g.width + w] : 0;
    return i + 1 < g.nx ? row[w] ^ row[(u64)g.ny * g.width + w] : 0;
}

__device__ __forceinline__ u64 slot(Grid g, u32 i, u32 j, u32 w, u32 axis) {
    return (((u64)i * g.ny + j) * 3 + (2 - axis)) * g.width + w;
}

// Crossed cells of the word, where (i, j) is a row of cells.
__device__ __forceinline__ u32 active(const u32* signs, Grid g, u32 i, u32 j, u32 w) {
    u32 any = 0, all = 0xffffffffu;
#pragma unroll
    for (u32 c = 0; c < 4; ++c) {
        const u32* row = signs + ((u64)(i + (c & 1)) * g.ny + j + (c >> 1)) * g.width;
        const u32 low = row[w], high = shifted(row, w, g.width);
        any |= low | high;
        all &= low & high;
    }
    return any & ~all & before_last(w, g.nz);
}

// A crossed cell: its place and the signs of its corners.
struct Cell {
    u32 i, j, k, bits;
};
__device__ __forceinline__ Cell cell_of(const u32* signs, Grid g, u32 cell) {
    Cell c = {cell / g.nz / g.ny, cell / g.nz % g.ny, cell % g.nz, 0};
#pragma unroll
    for (u32 corner = 0; corner < 8; ++corner) {
        const u32 k = c.k + (corner >> 2);
        const u64 row = (u64)(c.i + (corner & 1)) * g.ny + c.j + (corner >> 1 & 1);
        c.bits |= (signs[row * g.width + k / 32] >> (k % 32) & 1) << corner;
    }
    return c;
}

// The number of the crossing on an edge of a cell.
__device__ __forceinline__ u32 name_of(const u32* signs, const u32* firsts, Grid g, Cell c, u32 edge) {
    const u32 axis = edge / 4, o = edge & 1, p = edge >> 1 & 1;
    const u32 i = c.i + (axis == 0 ? 0 : o), j = c.j + (axis == 0 ? o : axis == 1 ? 0 : p), k = c.k + (axis == 2 ? 0 : p);
    const u32 before = crossed(signs, g, i, j, k / 32, axis) & ((1u << (k % 32)) - 1);
    return firsts[slot(g, i, j, k / 32, axis)] + __popc(before);
}
