// Stands behind the shim and the text of a generated module: how the driver runs its kernels, whose parameters are pointers
// alone. `RUN(name)` gives the driver an entry for a kernel.

#include <tuple>

template <class... A>
static bool run_kernel(void (*kernel)(A...), void** given, const unsigned* grid, unsigned size, bool (*inside)(uint64_t, size_t)) {
    size_t next = 0;
    static std::tuple<A...> packed;
    packed = std::tuple<A...>{*(A*)given[next++]...};
    static void (*called)(A...);
    called = kernel;
    bool sound = true;
    std::apply([&](auto... a) { ((sound &= inside((uint64_t)a, 1)), ...); }, packed);
    if (!sound) return false;
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {size, 1, 1};
    fibers::body = [](const void*) { std::apply(called, packed); };
    for (unsigned z = 0; z < grid[2]; ++z)
        for (unsigned y = 0; y < grid[1]; ++y)
            for (unsigned x = 0; x < grid[0]; ++x) {
                blockIdx = {x, y, z};
                fibers::block(size, false);
            }
    return true;
}

#define RUN(name)                                                                                                       \
    extern "C" bool run_##name(void** given, const unsigned* grid, unsigned size, bool (*inside)(uint64_t, size_t)) { \
        return run_kernel(name, given, grid, size, inside);                                                            \
    }
