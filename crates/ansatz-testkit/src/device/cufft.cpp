// A library of real Fourier transforms for tests: what the crate asks of cuFFT, done by definition. Memory is the processor's.
// A plan that was not given its stream and its working memory is refused, and C2R destroys its input, as it may.

#include <cmath>
#include <cstddef>
#include <map>
#include <mutex>
#include <vector>

namespace {

constexpr int INVALID_PLAN = 1, INVALID_VALUE = 4, INVALID_SIZE = 8;
constexpr size_t WORK = 64;

struct Plan {
    int n = 0, type = 0, batch = 0;
    bool allocates = true, has_stream = false, has_work = false;
};
std::mutex guard;
std::map<int, Plan> plans;
int made = 0;

// cos and sin of 2πk/n.
std::vector<double> circle(int n) {
    std::vector<double> out(2 * (size_t)n);
    for (int k = 0; k < n; ++k) {
        const double angle = 2.0 * 3.14159265358979323846 * k / n;
        out[2 * k] = std::cos(angle);
        out[2 * k + 1] = std::sin(angle);
    }
    return out;
}

int find(int handle, int type, Plan& plan) {
    std::lock_guard<std::mutex> held(guard);
    const auto found = plans.find(handle);
    if (found == plans.end()) return INVALID_PLAN;
    plan = found->second;
    return plan.type == type && plan.has_stream && (plan.allocates || plan.has_work) ? 0 : INVALID_VALUE;
}

template <class T>
int forward(int handle, int type, const T* x, T* out) {
    Plan plan;
    if (const int wrong = find(handle, type, plan)) return wrong;
    const auto c = circle(plan.n);
    const size_t n = plan.n, bins = n / 2 + 1;
    for (int b = 0; b < plan.batch; ++b)
        for (size_t k = 0; k < bins; ++k) {
            double re = 0.0, im = 0.0;
            for (size_t j = 0; j < n; ++j) {
                re += x[b * n + j] * c[2 * (j * k % n)];
                im -= x[b * n + j] * c[2 * (j * k % n) + 1];
            }
            out[2 * (b * bins + k)] = (T)re;
            out[2 * (b * bins + k) + 1] = (T)im;
        }
    return 0;
}

template <class T>
int backward(int handle, int type, T* x, T* out) {
    Plan plan;
    if (const int wrong = find(handle, type, plan)) return wrong;
    const auto c = circle(plan.n);
    const size_t n = plan.n, bins = n / 2 + 1;
    for (int b = 0; b < plan.batch; ++b)
        for (size_t j = 0; j < n; ++j) {
            double sum = 0.0;
            for (size_t k = 0; k < bins; ++k) {
                const double re = x[2 * (b * bins + k)], im = x[2 * (b * bins + k) + 1];
                const bool single = k == 0 || 2 * k == n;
                sum += (single ? 1.0 : 2.0) * (re * c[2 * (j * k % n)] - (single ? 0.0 : im * c[2 * (j * k % n) + 1]));
            }
            out[b * n + j] = (T)sum;
        }
    for (size_t i = 0; i < 2 * bins * plan.batch; ++i) x[i] = (T)NAN;
    return 0;
}

}  // namespace

extern "C" {
int cufftCreate(int* handle) {
    std::lock_guard<std::mutex> held(guard);
    plans[++made] = {};
    return *handle = made, 0;
}
int cufftDestroy(int handle) {
    std::lock_guard<std::mutex> held(guard);
    return plans.erase(handle) == 1 ? 0 : INVALID_PLAN;
}
int cufftSetAutoAllocation(int handle, int on) {
    std::lock_guard<std::mutex> held(guard);
    return plans.count(handle) == 0 ? INVALID_PLAN : (plans[handle].allocates = on != 0, 0);
}
int cufftMakePlan1d(int handle, int n, int type, int batch, size_t* work) {
    std::lock_guard<std::mutex> held(guard);
    if (plans.count(handle) == 0) return INVALID_PLAN;
    if (n < 1 || batch < 1) return INVALID_SIZE;
    Plan& plan = plans[handle];
    plan.n = n, plan.type = type, plan.batch = batch;
    return *work = WORK, 0;
}
int cufftSetWorkArea(int handle, void* work) {
    std::lock_guard<std::mutex> held(guard);
    if (plans.count(handle) == 0) return INVALID_PLAN;
    if (work == nullptr) return INVALID_VALUE;
    // It belongs to the plan.
    for (size_t i = 0; i < WORK; ++i) ((char*)work)[i] = (char)0xff;
    return plans[handle].has_work = true, 0;
}
int cufftSetStream(int handle, void*) {
    std::lock_guard<std::mutex> held(guard);
    return plans.count(handle) == 0 ? INVALID_PLAN : (plans[handle].has_stream = true, 0);
}
int cufftExecR2C(int handle, float* x, float* out) { return forward(handle, 42, x, out); }
int cufftExecD2Z(int handle, double* x, double* out) { return forward(handle, 106, x, out); }
int cufftExecC2R(int handle, float* x, float* out) { return backward(handle, 44, x, out); }
int cufftExecZ2D(int handle, double* x, double* out) { return backward(handle, 108, x, out); }
}
