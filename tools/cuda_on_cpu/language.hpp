// What kernels write: indices of threads, memory, barriers and shuffles.
#pragma once

#include "barriers.hpp"
#include "blocks.hpp"
#include "global.hpp"
#include "shared.hpp"

#define threadIdx (cuda_on_cpu::state.self->thread)
#define blockIdx (cuda_on_cpu::state.block->id)
#define blockDim (cuda_on_cpu::state.threads)
#define gridDim (cuda_on_cpu::state.grid)

template <class T>
using Global = cuda_on_cpu::GlobalPointer<T>;
template <class T>
using Shared = cuda_on_cpu::SharedPointer<T>;

template <class U, class T>
inline Global<U> cast(Global<T> p) {
  return p.template as<U>();
}

// Without a size, what the launch asks for.
template <int kBytes = -1>
inline Shared<char> shared_memory() {
  static_assert(kBytes <= 49152, "more than the 48 KB of a block");
  cuda_on_cpu::Block& b = *cuda_on_cpu::state.block;
  if (kBytes >= 0 && b.static_bytes != kBytes) {
    if (b.static_bytes >= 0) {
      cuda_on_cpu::fail(cuda_on_cpu::kLaunch,
                        "shared_memory() of %d and of %d bytes in one kernel",
                        b.static_bytes, kBytes);
    }
    cuda_on_cpu::reserve_shared(b, (size_t)kBytes);
    cuda_on_cpu::poison(b, (size_t)kBytes);
    b.static_bytes = kBytes;
  }
  return {cuda_on_cpu::Key(), 0, 0, (int)b.bytes};
}

template <class T>
inline Shared<T> take(Shared<char>& at, int count) {
  const int low = at.offset(), bytes = count * (int)sizeof(T);
  if (count < 0 || low < at.low() || low + bytes > at.high()) {
    cuda_on_cpu::fail(cuda_on_cpu::kOutOfBounds,
                      "out of bounds: takes %d elements of %d bytes at byte "
                      "%d of %d of shared memory",
                      count, (int)sizeof(T), low, at.high());
  }
  if (count && low % alignof(T)) {
    cuda_on_cpu::fail(
        cuda_on_cpu::kMisaligned,
        "misaligned: takes elements at byte %d of shared memory, "
        "no multiple of %d",
        low, (int)alignof(T));
  }
  at += bytes;
  return {cuda_on_cpu::Key(), low, low, low + bytes};
}

inline void load4(Shared<const float> p, float* to) {
  p[0].check(false, 16);
  for (int i = 0; i < 4; ++i) to[i] = p[i];
}
inline void load4(Shared<const double> p, double* to) {
  p[0].check(false, 16);
  for (int i = 0; i < 4; ++i) to[i] = p[i];
}

inline void __syncthreads() { cuda_on_cpu::sync_threads(); }
inline void __syncwarp(unsigned mask = 0xffffffffu) {
  cuda_on_cpu::collect(mask, cuda_on_cpu::kSyncWarp, 0, 0);
}

#define CUDA_ON_CPU_SHUFFLES(T)                                              \
  inline T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {   \
    using namespace cuda_on_cpu;                                             \
    return shuffle(mask, kShuffle, value, lane_at(lane, width), width);      \
  }                                                                          \
  inline T __shfl_up_sync(unsigned mask, T value, unsigned delta,            \
                          int width = 32) {                                  \
    using namespace cuda_on_cpu;                                             \
    return shuffle(mask, kShuffleUp, value, lane_up(delta, width), width);   \
  }                                                                          \
  inline T __shfl_down_sync(unsigned mask, T value, unsigned delta,          \
                            int width = 32) {                                \
    using namespace cuda_on_cpu;                                             \
    return shuffle(mask, kShuffleDown, value, lane_down(delta, width),       \
                   width);                                                   \
  }                                                                          \
  inline T __shfl_xor_sync(unsigned mask, T value, int by, int width = 32) { \
    using namespace cuda_on_cpu;                                             \
    return shuffle(mask, kShuffleXor, value, lane_xor(by, width), width);    \
  }
CUDA_ON_CPU_SHUFFLES(int)
CUDA_ON_CPU_SHUFFLES(unsigned)
CUDA_ON_CPU_SHUFFLES(long long)
CUDA_ON_CPU_SHUFFLES(unsigned long long)
CUDA_ON_CPU_SHUFFLES(float)
CUDA_ON_CPU_SHUFFLES(double)

inline unsigned __ballot_sync(unsigned mask, int vote) {
  return (unsigned)cuda_on_cpu::collect(mask, cuda_on_cpu::kBallot, vote != 0,
                                        0);
}
inline int __any_sync(unsigned mask, int vote) {
  return (int)cuda_on_cpu::collect(mask, cuda_on_cpu::kAny, vote != 0, 0);
}
inline int __all_sync(unsigned mask, int vote) {
  return (int)cuda_on_cpu::collect(mask, cuda_on_cpu::kAll, vote != 0, 0);
}
