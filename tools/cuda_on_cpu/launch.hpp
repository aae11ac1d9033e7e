// Launches of kernels, and the functions that Python calls.
#pragma once

#include <tuple>
#include <type_traits>
#include <utility>

#include "blocks.hpp"
#include "global.hpp"

namespace cuda_on_cpu {

struct Argument {
  uintptr_t data;
  long long size;  // bytes; of an array if `pointer`
  int pointer;
};

template <class A>
struct Parameter {
  static_assert(std::is_trivially_copyable<A>::value, "not for kernels");
  static constexpr bool kPointer = false, kConst = true;
  static void describe(char* to, size_t n) {
    snprintf(to, n, "%c%zu",
             std::is_floating_point<A>::value ? 'f'
             : std::is_integral<A>::value     ? 'i'
                                              : 'x',
             sizeof(A));
  }
  static A get(const Argument& a, int) {
    A v;
    memcpy(&v, (const void*)a.data, sizeof v);
    return v;
  }
};

template <class T>
struct Parameter<GlobalPointer<T>> {
  static constexpr bool kPointer = true, kConst = std::is_const<T>::value;
  static void describe(char* to, size_t n) {
    snprintf(to, n, kConst ? "c" : "g");
  }
  static GlobalPointer<T> get(const Argument& a, int i) {
    if (!a.data) return {};
    return {Key(), a.data, &state.buffers[(size_t)i]};
  }
};

// Finds which arrays overlap, and room for what is known of each word.
inline void lay_out(const Argument* arguments, const bool* constant,
                    size_t count) {
  State& s = state;
  s.buffers.assign(count, Buffer{0, 0, nullptr, 0, 0});
  std::vector<size_t> order;
  for (size_t i = 0; i < count; ++i) {
    const Argument& a = arguments[i];
    s.buffers[i] = {a.data, a.data, nullptr, a.data, (int)i};
    if (!a.pointer || !a.data) continue;
    s.buffers[i].high += (uintptr_t)a.size;
    if (a.size) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return s.buffers[a].low < s.buffers[b].low;
  });
  size_t words = 0;
  std::vector<size_t> firsts(count, SIZE_MAX);
  for (size_t i = 0; i < order.size();) {
    const uintptr_t low = s.buffers[order[i]].low / 4 * 4;
    uintptr_t high = low;
    bool written = false;
    size_t j = i;
    for (; j < order.size(); ++j) {
      const Buffer& b = s.buffers[order[j]];
      if (j > i && b.low / 4 * 4 >= high) break;
      high = std::max(high, (b.high + 3) / 4 * 4);
      written |= !constant[order[j]];
    }
    for (; i < j; ++i) {
      s.buffers[order[i]].words_low = low;
      if (written) firsts[order[i]] = words;
    }
    if (written) words += (high - low) / 4;
  }
  if (words > s.capacity) {
    free(s.words);
    s.capacity = words * 2;
    s.words = (GlobalWord*)calloc(s.capacity, sizeof(GlobalWord));
    if (!s.words) abort();
  }
  for (size_t i = 0; i < count; ++i) {
    if (firsts[i] != SIZE_MAX) s.buffers[i].words = s.words + firsts[i];
  }
}

struct Options {
  unsigned grid, threads;
  long long shared;
  unsigned long long seed;
};

template <auto kFunction>
struct Launch;

template <class... A, void (*kFunction)(A...)>
struct Launch<kFunction> {
  using Arguments = std::tuple<A...>;

  static void describe(char* to, size_t n) {
    [[maybe_unused]] char one[16];
    to[0] = 0;
    ((Parameter<A>::describe(one, sizeof one),
      strncat(to, one, n - strlen(to) - 1),
      strncat(to, ",", n - strlen(to) - 1)),
     ...);
  }

  static void invoke(void* arguments) {
    std::apply(kFunction, *(const Arguments*)arguments);
  }

  template <size_t... I>
  static Arguments unpack([[maybe_unused]] const Argument* a,
                          std::index_sequence<I...>) {
    return Arguments{Parameter<A>::get(a[I], (int)I)...};
  }

  static void run(const char* name, const Argument* arguments,
                  const Options& options) {
    State& s = state;
    constexpr bool constant[] = {Parameter<A>::kConst..., true};
    s.kernel = name;
    s.grid = {options.grid, 1, 1};
    s.threads = {options.threads, 1, 1};
    s.dynamic_bytes = (size_t)options.shared;
    s.random = options.seed;
    s.error = kOk;
    s.message[0] = 0;
    if (s.now > 1u << 31) {
      s.now = 0;
      memset((void*)s.words, 0, s.capacity * sizeof(GlobalWord));
      for (Block& b : s.slots) {
        memset((void*)b.words, 0, b.capacity / 4 * sizeof(SharedWord));
      }
    }
    s.launch_start = ++s.now;
    lay_out(arguments, constant, sizeof...(A));
    Arguments values = unpack(arguments, std::index_sequence_for<A...>());
    s.invoke = invoke;
    s.arguments = &values;
    run_grid();
  }
};

struct Kernel {
  const char* name;
  int bounds;  // threads of a block at most, or 0
  void (*describe)(char*, size_t);
  void (*run)(const char*, const Argument*, const Options&);
};

template <auto kFunction>
constexpr Kernel kernel(const char* name, int bounds = 0) {
  return {name, bounds, Launch<kFunction>::describe, Launch<kFunction>::run};
}

// Defined where the kernels are.
extern const Kernel kernels[];
extern const int kernel_count;

}  // namespace cuda_on_cpu

// --- What Python calls ---

#define CUDA_ON_CPU_EXPORT extern "C" __attribute__((visibility("default")))

CUDA_ON_CPU_EXPORT const char* cuda_on_cpu_name(int i) {
  using namespace cuda_on_cpu;
  return i < kernel_count ? kernels[i].name : nullptr;
}

CUDA_ON_CPU_EXPORT int cuda_on_cpu_bounds(int i) {
  return cuda_on_cpu::kernels[i].bounds;
}

CUDA_ON_CPU_EXPORT void cuda_on_cpu_describe(int i, char* to, size_t n) {
  cuda_on_cpu::kernels[i].describe(to, n);
}

CUDA_ON_CPU_EXPORT int cuda_on_cpu_launch(
    int i, const cuda_on_cpu::Argument* arguments,
    const cuda_on_cpu::Options* options) {
  const cuda_on_cpu::Kernel& k = cuda_on_cpu::kernels[i];
  k.run(k.name, arguments, *options);
  return cuda_on_cpu::state.error;
}

CUDA_ON_CPU_EXPORT void cuda_on_cpu_release() {
  cuda_on_cpu::release_stacks();
}

CUDA_ON_CPU_EXPORT const char* cuda_on_cpu_message() {
  return cuda_on_cpu::state.message;
}
