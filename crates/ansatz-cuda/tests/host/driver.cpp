// Reads buffers and calls, runs the calls with the kernels above, and writes the buffers. What a call's arguments are must be
// what the kernel's parameters are. `CASES` is a table of names and kernels, written by the test.

#include <functional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

struct Argument {
    std::string kind;
    std::vector<uint64_t> words;
};

static std::vector<std::pair<char*, size_t>> buffers;

// Addresses are (buffer + 1) << 40 | byte.
static char* resolve(uint64_t address) {
    if (address == 0) return nullptr;
    const size_t which = (address >> 40) - 1;
    if (which >= buffers.size()) stop("an address beyond the buffers");
    return buffers[which].first + (address & ((1ull << 40) - 1));
}

template <class T>
std::string name_of() {
    using U = std::remove_const_t<T>;
    if constexpr (std::is_same_v<U, float>) return "f32";
    else if constexpr (std::is_same_v<U, double>) return "f64";
    else if constexpr (std::is_same_v<U, u8>) return "u8";
    else if constexpr (std::is_same_v<U, u32>) return "u32";
    else if constexpr (std::is_same_v<U, int>) return "i32";
    else if constexpr (std::is_same_v<U, u64>) return "u64";
    else static_assert(sizeof(U) == 0);
}

static void demand(const Argument& a, const std::string& expected) {
    if (a.kind != expected) stop(("a parameter of kind " + expected + " gets " + a.kind).c_str());
}

template <class A>
struct Take {
    static A from(const Argument& a) {
        if constexpr (std::is_pointer_v<A>) {
            using E = std::remove_pointer_t<A>;
            if (a.kind == "null") return nullptr;
            demand(a, (std::is_const_v<E> ? "read " : "write ") + name_of<E>());
            return (A)resolve(a.words[0]);
        } else {
            demand(a, name_of<A>());
            return same_bits<A>((std::conditional_t<sizeof(A) == 4, uint32_t, uint64_t>)a.words[0]);
        }
    }
};
template <class T>
struct Take<Table<T>> {
    static Table<T> from(const Argument& a) {
        demand(a, "table " + name_of<T>());
        Table<T> t;
        for (int k = 0; k < TABLE; ++k) {
            t.x[k] = (const T*)resolve(a.words[k]);
            t.c[k] = same_bits<double>(a.words[TABLE + k]);
        }
        return t;
    }
};

using Launch = std::function<void(const std::vector<Argument>&, bool)>;

template <class... A>
Launch launcher(void (*kernel)(A...)) {
    return [kernel](const std::vector<Argument>& given, bool descending) {
        if (given.size() != sizeof...(A)) stop("another number of arguments than parameters");
        size_t next = 0;
        using Packed = std::pair<void (*)(A...), std::tuple<std::remove_const_t<A>...>>;
        const Packed packed{kernel, std::tuple<std::remove_const_t<A>...>{Take<std::remove_const_t<A>>::from(given[next++])...}};
        fibers::arguments = &packed;
        fibers::body = [](const void* p) { std::apply(((const Packed*)p)->first, ((const Packed*)p)->second); };
        const uint64_t count = (uint64_t)gridDim.x * gridDim.y * gridDim.z;
        for (uint64_t k = 0; k < count; ++k) {
            const uint64_t b = descending ? count - 1 - k : k;
            blockIdx = {(unsigned)(b % gridDim.x), (unsigned)(b / gridDim.x % gridDim.y), (unsigned)(b / gridDim.x / gridDim.y)};
            fibers::block(blockDim.x, descending);
        }
    };
}

static void input(void* to, size_t bytes) {
    if (bytes > 0 && fread(to, 1, bytes, stdin) != bytes) stop("the input ends too early");
}
static uint64_t number() {
    uint64_t x;
    input(&x, 8);
    return x;
}
static std::string text() {
    std::string s(number(), ' ');
    input(s.data(), s.size());
    return s;
}

int main(int, char** argv) {
    const bool descending = std::string_view(argv[1]) == "descending";
    const std::vector<std::pair<std::string, Launch>> cases = {CASES};
    for (uint64_t n = number(); n > 0; --n) {
        const size_t bytes = number();
        // As a device aligns them, and not a byte longer: the sanitizer sees what reaches beyond.
        char* at = (char*)::operator new(bytes, std::align_val_t(256));
        input(at, bytes);
        buffers.push_back({at, bytes});
    }
    for (uint64_t n = number(); n > 0; --n) {
        const std::string name = text();
        gridDim = {(unsigned)number(), 1, 1};
        gridDim.y = (unsigned)number();
        gridDim.z = (unsigned)number();
        blockDim = {(unsigned)number(), 1, 1};
        std::vector<Argument> arguments(number());
        for (Argument& a : arguments) {
            a.kind = text();
            a.words.resize(number());
            input(a.words.data(), 8 * a.words.size());
        }
        const Launch* found = nullptr;
        for (const auto& [key, launch] : cases) {
            if (key == name) found = &launch;
        }
        if (found == nullptr) stop(("no kernel " + name).c_str());
        (*found)(arguments, descending);
    }
    for (auto [at, bytes] : buffers) fwrite(at, 1, bytes, stdout);
    for (auto [at, bytes] : buffers) ::operator delete(at, std::align_val_t(256));
}
