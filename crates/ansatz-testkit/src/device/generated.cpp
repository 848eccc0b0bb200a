// What programs of generated kernels ask for beside the driver, done by the processor: a run-time compiler whose machine code
// is the source, which the C++ compiler takes behind the shim when a module is loaded; captured graphs, which are lists of
// launches; matrix products. `COMPILER` is the compiler's name, defined by the test kit; `shim.h` and `generated.h` lie beside
// this library.

#include <dlfcn.h>
#include <unistd.h>

#include <fstream>

namespace emulated {

static std::string folder() {
    Dl_info info;
    if (!dladdr((void*)&folder, &info)) stop("this library has no place");
    const std::string path = info.dli_fname;
    return path.substr(0, path.rfind('/') + 1);
}

struct Text {
    std::string source;
    void* library = nullptr;

    void compile() {
        if (library) return;
        std::string entries;
        for (size_t at = 0; (at = source.find(" program_", at)) != std::string::npos; ++at) {
            entries += "RUN(" + source.substr(at + 1, source.find('(', at) - at - 1) + ")\n";
        }
        const std::string whole = "#include \"shim.h\"\n" + source + "\n#include \"generated.h\"\n" + entries;
        const std::string stem = folder() + "module-" + std::to_string(std::hash<std::string>{}(whole));
        const std::string made = stem + ".so", kept = stem + ".cpp";
        // Of an earlier run; the text decides, not its hash.
        std::ifstream old(kept);
        const std::string found{std::istreambuf_iterator<char>(old), {}};
        if (found != whole || access(made.c_str(), R_OK) != 0) {
            const std::string fresh = stem + "-" + std::to_string(getpid());
            std::ofstream(fresh + ".cpp") << whole;
            const std::string command = COMPILER " -std=c++20 -O1 -shared -fPIC -w -ffp-contract=off -I'" + folder() + "' '" + fresh +
                                        ".cpp' -o '" + fresh + ".so'";
            if (system(command.c_str()) != 0) stop("a generated module does not compile");
            rename((fresh + ".so").c_str(), made.c_str());
            rename((fresh + ".cpp").c_str(), kept.c_str());
        }
        library = dlopen(made.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (!library) stop(dlerror());
    }
};

static const char* const MARK = "\177ELF text";

// A module that is text; `nullptr` for other machine code.
static void* text_module(const void* image) {
    if (strncmp((const char*)image, MARK, strlen(MARK)) != 0) return nullptr;
    return new Text{(const char*)image + strlen(MARK)};
}

// How many arguments text functions have.
static std::map<const void*, size_t> arities;

static const Launch* text_function(void* module, const char* name) {
    Text* text = (Text*)module;
    const size_t at = text->source.find(" " + std::string(name) + "(");
    if (at == std::string::npos) {
        // Kernels of states, whose names macros make; opening a device loads them.
        if (text->source.find(" program_") != std::string::npos) return nullptr;
        return new Launch([](void**) -> bool { stop("this driver runs programs alone"); });
    }
    const std::string parameters = text->source.substr(at, text->source.find(')', at) - at);
    const std::string entry = "run_" + std::string(name);
    // Compiled when it runs: many modules are loaded of which nothing is.
    const auto launch = new Launch([text, entry](void** given) {
        text->compile();
        using Run = bool (*)(void**, const unsigned*, unsigned, bool (*)(uint64_t, size_t));
        const Run run = (Run)dlsym(text->library, entry.c_str());
        if (!run) stop("a generated kernel is not there");
        const unsigned grid[3] = {gridDim.x, gridDim.y, gridDim.z};
        return run(given, grid, blockDim.x, inside);
    });
    arities[launch] = std::count(parameters.begin(), parameters.end(), '*');
    return launch;
}

// --- graphs -----------------------------------------------------------------------------------------------------------------

using Work = std::function<int()>;
static bool capturing = false;
static std::vector<Work> captured;
constexpr int NOT_IN_CAPTURE = 900;

// Does work, or keeps it for the graph that is being captured.
static int now_or_later(Work work) {
    if (!capturing) return work();
    captured.push_back(std::move(work));
    return 0;
}

static bool in_capture() { return capturing; }

// Keeps a launch with its arguments; false outside of captures.
static bool keep_launch(const void* function, const unsigned* dims, void** arguments, int* answer) {
    if (!capturing) return false;
    const auto arity = arities.find(function);
    if (arity == arities.end()) return *answer = NOT_IN_CAPTURE, true;
    std::vector<uint64_t> words;
    for (size_t k = 0; k < arity->second; ++k) words.push_back(*(uint64_t*)arguments[k]);
    const std::array<unsigned, 4> sizes{dims[0], dims[1], dims[2], dims[3]};
    captured.push_back([function, sizes, words]() mutable {
        std::vector<void*> given;
        for (uint64_t& w : words) given.push_back(&w);
        return cuLaunchKernel((void*)function, sizes[0], sizes[1], sizes[2], sizes[3], 1, 1, 0, nullptr, given.data(), nullptr);
    });
    return *answer = 0, true;
}

}  // namespace emulated

extern "C" {
int cuStreamBeginCapture_v2(void*, int) {
    ON_DEVICE;
    if (capturing) return INVALID_VALUE;
    captured.clear();
    return capturing = true, 0;
}
int cuStreamEndCapture(void*, void** graph) {
    ON_DEVICE;
    if (!capturing) return INVALID_VALUE;
    capturing = false;
    return *graph = new std::vector<Work>(std::move(captured)), 0;
}
int cuGraphInstantiateWithFlags(void** exec, void* graph, unsigned long long) {
    return *exec = new std::vector<Work>(*(std::vector<Work>*)graph), 0;
}
int cuGraphLaunch(void* exec, void*) {
    ON_DEVICE;
    if (capturing) return NOT_IN_CAPTURE;
    for (Work& work : *(std::vector<Work>*)exec) {
        if (const int answer = work()) return answer;
    }
    return 0;
}
int cuGraphExecDestroy(void* exec) { return delete (std::vector<Work>*)exec, 0; }
int cuGraphDestroy(void* graph) { return delete (std::vector<Work>*)graph, 0; }

// --- the run-time compiler ------------------------------------------------------------------------------------------------

int nvrtcGetNumSupportedArchs(int* count) { return *count = 1, 0; }
int nvrtcGetSupportedArchs(int* list) { return *list = 80, 0; }
int nvrtcCreateProgram(void** program, const char* source, const char*, int, const char* const*, const char* const*) {
    return *program = new std::string(source), 0;
}
int nvrtcCompileProgram(void*, int, const char* const*) { return 0; }
int nvrtcDestroyProgram(void** program) { return delete (std::string*)*program, 0; }
int nvrtcGetProgramLogSize(void*, size_t* size) { return *size = 1, 0; }
int nvrtcGetProgramLog(void*, char* log) { return *log = 0, 0; }
int nvrtcGetPTXSize(void* program, size_t* size) { return *size = ((std::string*)program)->size() + 1, 0; }
int nvrtcGetPTX(void* program, char* text) { return strcpy(text, ((std::string*)program)->c_str()), 0; }
int nvrtcGetCUBINSize(void* program, size_t* size) {
    return *size = strlen(MARK) + ((std::string*)program)->size() + 1, 0;
}
int nvrtcGetCUBIN(void* program, char* code) {
    return strcpy(stpcpy(code, MARK), ((std::string*)program)->c_str()), 0;
}
const char* nvrtcGetErrorString(int) { return "emulated"; }

// --- matrix products ------------------------------------------------------------------------------------------------------

int cublasCreate_v2(void** handle) { return *handle = new int(0), 0; }
int cublasDestroy_v2(void* handle) { return delete (int*)handle, 0; }
int cublasSetStream_v2(void*, void*) { return 0; }
int cublasSetWorkspace_v2(void*, void* at, size_t bytes) { return inside((uint64_t)at, bytes) ? 0 : 7; }
}

// Factors of fewer bits: 13 or 16 less, to the nearest.
static float with_less(float x, int bits) {
    const float c = x * (float)((1 << bits) + 1);
    return bits == 0 ? x : c - (c - x);
}
static double with_less(double x, int) { return x; }

// out = op(a)·op(b), column by column, as the library stores matrices.
template <class T>
static int products(bool ta, bool tb, int m, int n, int k, const T* a, int lda, long long sa, const T* b, int ldb, long long sb, T* c, int ldc,
                    long long sc, int count, int bits) {
    const auto last = [](long long columns, int ld, int rows) { return (columns - 1) * ld + rows; };
    const long long la = ta ? last(m, lda, k) : last(k, lda, m), lb = tb ? last(k, ldb, n) : last(n, ldb, k), lc = last(n, ldc, m);
    if (lda < (ta ? k : m) || ldb < (tb ? n : k) || ldc < m) return 7;
    for (int s = 0; s < count; ++s) {
        if (!inside((uint64_t)(a + s * sa), la * sizeof(T)) || !inside((uint64_t)(b + s * sb), lb * sizeof(T)) ||
            !inside((uint64_t)(c + s * sc), lc * sizeof(T)))
            return lost = true, 13;
        for (int j = 0; j < n; ++j)
            for (int i = 0; i < m; ++i) {
                T sum = 0;
                for (int l = 0; l < k; ++l) {
                    const T x = a[s * sa + (ta ? (long long)i * lda + l : (long long)l * lda + i)];
                    const T y = b[s * sb + (tb ? (long long)l * ldb + j : (long long)j * ldb + l)];
                    sum += with_less(x, bits) * with_less(y, bits);
                }
                c[s * sc + (long long)j * ldc + i] = sum;
            }
    }
    return 0;
}

extern "C" int cublasGemmStridedBatchedEx(void*, int ta, int tb, int m, int n, int k, const void*, const void* a, int kind, int lda, long long sa,
                                          const void* b, int, int ldb, long long sb, const void*, void* c, int, int ldc, long long sc,
                                          int count, int compute, int) {
    ON_DEVICE;
    const int bits = compute == 77 ? 13 : compute == 75 ? 16 : 0;
    return now_or_later([=] {
        return kind == 0 ? products<float>(ta, tb, m, n, k, (const float*)a, lda, sa, (const float*)b, ldb, sb, (float*)c, ldc, sc, count, bits)
                         : products<double>(ta, tb, m, n, k, (const double*)a, lda, sa, (const double*)b, ldb, sb, (double*)c, ldc, sc, count, 0);
    });
}

extern "C" int cublasGemmBatchedEx(void* handle, int ta, int tb, int m, int n, int k, const void* one, const void* const* a, int kind, int lda,
                                   const void* const* b, int, int ldb, const void* zero, void* const* c, int, int ldc, int count,
                                   int compute, int algorithm) {
    ON_DEVICE;
    for (const void* list : {(const void*)a, (const void*)b, (const void*)c}) {
        if (!inside((uint64_t)list, count * sizeof(void*))) return lost = true, 13;
    }
    for (int s = 0; s < count; ++s) {
        const int answer = cublasGemmStridedBatchedEx(handle, ta, tb, m, n, k, one, a[s], kind, lda, 0, b[s], kind, ldb, 0, zero, c[s], kind,
                                                      ldc, 0, 1, compute, algorithm);
        if (answer) return answer;
    }
    return 0;
}
