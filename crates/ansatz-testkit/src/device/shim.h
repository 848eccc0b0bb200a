// What CUDA C++ kernels use of the language, on the processor: the tests put this before a family's source, unchanged, and
// run its kernels thread by thread. A thread is a fiber; barriers and warp operations give control to the others. Blocks
// and threads run in ascending or descending order, which must change nothing.

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __constant__ static const
#define __forceinline__ inline
#define __grid_constant__
#define __launch_bounds__(...)
#define __restrict__ __restrict

struct Index {
    unsigned x, y, z;
};
static Index threadIdx, blockIdx, blockDim, gridDim;

[[noreturn]] static void stop(const char* why) {
    fprintf(stderr, "block (%u, %u, %u), thread %u: %s\n", blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, why);
    exit(3);
}

namespace fibers {

enum class State { Ready, AtBlock, AtWarp, Done };
constexpr size_t STACK = 64 * 1024;

static void start();

// What runs on a stack of its own. The system's switch asks the kernel for the signal mask each time, which takes longer than
// most threads run; where we know the registers, we switch ourselves.
#if defined(__x86_64__)
struct Context {
    void* top = nullptr;
    void begin(char* stack) {
        uintptr_t end = (uintptr_t)(stack + STACK) & ~(uintptr_t)15;
        void** at = (void**)end;
        *--at = nullptr;        // where `start` would return to
        *--at = (void*)start;   // where the first switch goes
        for (int i = 0; i < 6; ++i) *--at = nullptr;
        top = at;
    }
};
extern "C" void fiber_switch(void** from, void* to);
asm(R"(
.text
.globl fiber_switch
fiber_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");
static void change(Context& from, Context& to) { fiber_switch(&from.top, to.top); }
#else
struct Context {
    ucontext_t context;
    void begin(char* stack) {
        getcontext(&context);
        context.uc_stack.ss_sp = stack;
        context.uc_stack.ss_size = STACK;
        context.uc_link = nullptr;
        makecontext(&context, start, 0);
    }
};
static void change(Context& from, Context& to) { swapcontext(&from.context, &to.context); }
#endif

struct Fiber {
    Context context;
    std::unique_ptr<char[]> stack;
    State state;
};
static std::vector<Fiber> threads;
static std::vector<uint64_t> slots;  // what a thread shows to its warp
static Context scheduler;
static void (*body)(const void*);
static const void* arguments;

static void start() {
    body(arguments);
    threads[threadIdx.x].state = State::Done;
    change(threads[threadIdx.x].context, scheduler);
}

static void wait(State at) {
    const unsigned me = threadIdx.x;
    threads[me].state = at;
    change(threads[me].context, scheduler);
    threadIdx = {me, 0, 0};
}

// Lets a group of threads go on if all of it waits at the same kind of barrier. True if it did.
static bool release(size_t from, size_t to, State at) {
    for (size_t i = from; i < to; ++i) {
        if (threads[i].state != at) return false;
    }
    for (size_t i = from; i < to; ++i) threads[i].state = State::Ready;
    return true;
}

static void block(unsigned size, bool descending) {
    if (threads.size() < size) {
        threads.resize(size);
        slots.resize(size);
    }
    for (unsigned i = 0; i < size; ++i) {
        Fiber& f = threads[i];
        // Not cleared: most of it is never touched.
        if (!f.stack) f.stack.reset(new char[STACK]);
        f.context.begin(f.stack.get());
        f.state = State::Ready;
    }
    for (;;) {
        bool done = true, moved = false;
        for (unsigned k = 0; k < size; ++k) {
            const unsigned i = descending ? size - 1 - k : k;
            if (threads[i].state == State::Done) continue;
            done = false;
            if (threads[i].state != State::Ready) continue;
            threadIdx = {i, 0, 0};
            change(scheduler, threads[i].context);
            moved = true;
        }
        if (done) return;
        for (unsigned w = 0; w < size; w += 32) moved |= release(w, w + 32 < size ? w + 32 : size, State::AtWarp);
        moved |= release(0, size, State::AtBlock);
        // Threads that ended, or went another way, will never come: the same would hang or be undefined on a device.
        if (!moved) stop("threads wait for others that do not come");
    }
}

template <class T, class From>
T exchange(T value, From from) {
    static_assert(sizeof(T) <= 8);
    const unsigned me = threadIdx.x;
    memcpy(&slots[me], &value, sizeof(T));
    wait(State::AtWarp);
    const unsigned other = from(me);
    T got;
    memcpy(&got, &slots[other < blockDim.x ? other : me], sizeof(T));
    wait(State::AtWarp);
    return got;
}

}  // namespace fibers

static void __syncthreads() { fibers::wait(fibers::State::AtBlock); }
static void __syncwarp(unsigned = 0xffffffffu) { fibers::wait(fibers::State::AtWarp); }

static void whole_warp(unsigned mask) {
    if (mask != 0xffffffffu) stop("a warp operation with part of a warp");
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    whole_warp(mask);
    return fibers::exchange(value, [=](unsigned i) { return i % width + delta < (unsigned)width ? i + delta : i; });
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    whole_warp(mask);
    return fibers::exchange(value, [=](unsigned i) { return i % width >= delta ? i - delta : i; });
}
template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
    whole_warp(mask);
    return fibers::exchange(value, [=](unsigned i) { return i - i % width + lane % width; });
}

[[maybe_unused]] static unsigned __ballot_sync(unsigned mask, bool value) {
    whole_warp(mask);
    const unsigned me = threadIdx.x;
    fibers::slots[me] = value;
    fibers::wait(fibers::State::AtWarp);
    unsigned all = 0;
    for (unsigned i = 0; i < 32; ++i) all |= (unsigned)(fibers::slots[me - me % 32 + i] != 0) << i;
    fibers::wait(fibers::State::AtWarp);
    return all;
}

template <class T>
T replace(T* at, T value) {
    const T old = *at;
    *at = value;
    return old;
}
[[maybe_unused]] static unsigned atomicOr(unsigned* at, unsigned v) { return replace(at, *at | v); }
[[maybe_unused]] static unsigned atomicAdd(unsigned* at, unsigned v) { return replace(at, *at + v); }
[[maybe_unused]] static unsigned long long atomicMax(unsigned long long* at, unsigned long long v) { return replace(at, *at > v ? *at : v); }

template <class To, class From>
To same_bits(From x) {
    static_assert(sizeof(To) == sizeof(From));
    To y;
    memcpy(&y, &x, sizeof y);
    return y;
}
[[maybe_unused]] static unsigned __float_as_uint(float x) { return same_bits<unsigned>(x); }
static long long __double_as_longlong(double x) { return same_bits<long long>(x); }
[[maybe_unused]] static double __longlong_as_double(long long x) { return same_bits<double>(x); }
[[maybe_unused]] static int __popc(unsigned x) { return __builtin_popcount(x); }
[[maybe_unused]] static int __ffs(int x) { return __builtin_ffs(x); }
using std::fma;
using std::sqrt;
