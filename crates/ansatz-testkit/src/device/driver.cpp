// A driver for tests: what the crate asks of CUDA's driver, done by the processor. Memory is the processor's, with every
// copy and every pointer of a kernel checked against what is allocated; launches run the kernels' own text, before this file,
// thread by thread. `CASES` is a table of names and kernels, written by the test.
//
// EMULATED_LAUNCHES=n: the device is lost at launch n.

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <type_traits>

namespace emulated {

using Launch = std::function<bool(void**)>;
constexpr int OUT_OF_MEMORY = 2, INVALID_VALUE = 1, NO_DEVICE = 101, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700;
constexpr size_t TOTAL = size_t(1) << 30;

static std::recursive_mutex guard;
static std::map<uint64_t, size_t> blocks;
static size_t used = 0;
static int contexts = 0;
static long launches = getenv("EMULATED_LAUNCHES") ? atol(getenv("EMULATED_LAUNCHES")) : -1;
static bool lost = false;

// Whether all these bytes belong to one block.
static bool inside(uint64_t at, size_t bytes) {
    auto after = blocks.upper_bound(at);
    if (after == blocks.begin()) return false;
    const auto [from, size] = *std::prev(after);
    return at + bytes <= from + size;
}

template <class... A>
Launch launcher(void (*kernel)(A...)) {
    return [kernel](void** given) {
        using Packed = std::pair<void (*)(A...), std::tuple<std::remove_const_t<A>...>>;
        size_t next = 0;
        const Packed packed{kernel, std::tuple<std::remove_const_t<A>...>{*(std::remove_const_t<A>*)given[next++]...}};
        bool sound = true;
        std::apply([&](auto... a) {
            const auto check = [&](auto x) {
                if constexpr (std::is_pointer_v<decltype(x)>) sound &= x == nullptr || inside((uint64_t)x, 1);
            };
            (check(a), ...);
        }, packed.second);
        if (!sound) return false;
        fibers::arguments = &packed;
        fibers::body = [](const void* p) { std::apply(((const Packed*)p)->first, ((const Packed*)p)->second); };
        for (unsigned z = 0; z < gridDim.z; ++z)
            for (unsigned y = 0; y < gridDim.y; ++y)
                for (unsigned x = 0; x < gridDim.x; ++x) {
                    blockIdx = {x, y, z};
                    fibers::block(blockDim.x, false);
                }
        return true;
    };
}

static const std::map<std::string, Launch> cases = {CASES};

// What `generated.cpp` does for modules that are text, and for graphs.
static void* text_module(const void* image);
static const Launch* text_function(void* module, const char* name);
static bool in_capture();
static bool keep_launch(const void* function, const unsigned* dims, void** arguments, int* answer);

}  // namespace emulated

using namespace emulated;
#define ON_DEVICE                                          \
    std::lock_guard<std::recursive_mutex> held(guard);     \
    if (lost) return ILLEGAL_ADDRESS

extern "C" {
int cuInit(unsigned) { return 0; }
int cuDeviceGetCount(int* count) { return *count = 1, 0; }
int cuDeviceGet(int* device, int ordinal) { return *device = ordinal, ordinal == 0 ? 0 : NO_DEVICE; }
int cuDeviceGetName(char* name, int, int) { return strcpy(name, "emulated"), 0; }
int cuDeviceGetAttribute(int* value, int which, int) {
    // Capability 8.0, pools, one multiprocessor.
    return *value = which == 75 ? 8 : which == 76 ? 0 : 1, 0;
}
int cuDevicePrimaryCtxRetain(void** context, int) {
    std::lock_guard<std::recursive_mutex> held(guard);
    return contexts += 1, *context = &contexts, 0;
}
int cuDevicePrimaryCtxRelease_v2(int) {
    std::lock_guard<std::recursive_mutex> held(guard);
    contexts -= 1;
    if (contexts == 0 && !blocks.empty() && !lost) stop("memory was not given back");
    return 0;
}
int cuCtxSetCurrent(void*) { return 0; }
int cuCtxGetCurrent(void** context) { return *context = nullptr, 0; }
int cuStreamCreate(void** stream, unsigned) {
    static int streams;
    return *stream = &streams, 0;
}
int cuStreamDestroy_v2(void*) { return 0; }
int cuStreamSynchronize(void*) {
    ON_DEVICE;
    return in_capture() ? INVALID_VALUE : 0;
}
int cuMemGetInfo_v2(size_t* free, size_t* total) { return *free = TOTAL - used, *total = TOTAL, 0; }
int cuMemAllocAsync(uint64_t* at, size_t bytes, void*) {
    ON_DEVICE;
    if (in_capture()) return INVALID_VALUE;
    if (used + bytes > TOTAL) return OUT_OF_MEMORY;
    *at = (uint64_t)::operator new(bytes, std::align_val_t(256));
    // Nobody may count on what new memory holds.
    memset((void*)*at, 0xff, bytes);
    blocks[*at] = bytes;
    return used += bytes, 0;
}
int cuMemFreeAsync(uint64_t at, void*) {
    std::lock_guard<std::recursive_mutex> held(guard);
    const auto block = blocks.find(at);
    if (block == blocks.end()) stop("memory is given back that was not taken");
    used -= block->second;
    blocks.erase(block);
    ::operator delete((void*)at, std::align_val_t(256));
    return 0;
}
int cuMemsetD8Async(uint64_t at, unsigned char value, size_t bytes, void*) {
    ON_DEVICE;
    return inside(at, bytes) ? (memset((void*)at, value, bytes), 0) : INVALID_VALUE;
}
int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void*) {
    ON_DEVICE;
    return inside(to, bytes) ? (memcpy((void*)to, from, bytes), 0) : INVALID_VALUE;
}
int cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void*) {
    ON_DEVICE;
    return inside(from, bytes) ? (memcpy(to, (void*)from, bytes), 0) : INVALID_VALUE;
}
int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void*) {
    ON_DEVICE;
    return inside(to, bytes) && inside(from, bytes) ? (memmove((void*)to, (void*)from, bytes), 0) : INVALID_VALUE;
}
int cuModuleLoadData(void** module, const void* image) {
    // Machine code, as it was asked for.
    if ((*module = text_module(image))) return 0;
    return *module = &contexts, memcmp(image, "\177ELF", 4) == 0 ? 0 : INVALID_VALUE;
}
int cuModuleUnload(void*) { return 0; }
int cuModuleGetFunction(void** function, void* module, const char* name) {
    // Kernels that are compiled into this driver, whatever made their module.
    const auto found = cases.find(name);
    if (found != cases.end()) return *function = (void*)&found->second, 0;
    return module != &contexts && (*function = (void*)text_function(module, name)) ? 0 : NOT_FOUND;
}
int cuLaunchKernel(void* function, unsigned x, unsigned y, unsigned z, unsigned size, unsigned sy, unsigned sz, unsigned, void*,
                   void** arguments, void**) {
    ON_DEVICE;
    int answer;
    const unsigned dims[4] = {x, y, z, size};
    if (keep_launch(function, dims, arguments, &answer)) return answer;
    if (launches == 0) return lost = true, ILLEGAL_ADDRESS;
    if (launches > 0) launches -= 1;
    if (x == 0 || y == 0 || z == 0 || x > 0x7fffffffu || y > 65535 || z > 65535) return INVALID_VALUE;
    if (size == 0 || size > 1024 || sy != 1 || sz != 1) return INVALID_VALUE;
    gridDim = {x, y, z};
    blockDim = {size, 1, 1};
    if (!(*(const Launch*)function)(arguments)) return lost = true, ILLEGAL_ADDRESS;
    return 0;
}
int cuGetErrorString(int, const char** text) { return *text = "emulated", 0; }
int cuGetErrorName(int, const char** text) { return *text = "emulated", 0; }
}
