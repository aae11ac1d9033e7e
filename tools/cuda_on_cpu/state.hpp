// Threads, warps and blocks, the state of a launch, and how it fails.
#pragma once

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <unordered_map>
#include <vector>

#include "clocks.hpp"
#include "switch.hpp"

namespace cuda_on_cpu {

#define CUDA_ON_CPU_COLD __attribute__((cold))
#define CUDA_ON_CPU_LIKELY(x) __builtin_expect(!!(x), 1)
#define CUDA_ON_CPU_UNLIKELY(x) __builtin_expect(!!(x), 0)

enum Error {
  kOk,
  kLaunch,
  kRace,
  kOutOfBounds,
  kMisaligned,
  kDivergence,
  kDeadlock,
  kUninitialized,
};

constexpr unsigned kResident = 8;

// --- Threads ---

struct Dim3 {
  unsigned x, y, z;
};

struct Warp;
struct Block;

struct Fiber {
  void* sp;
  Warp* warp;
  Dim3 thread;
};

// Something learnt by await(), not yet passed on by a barrier.
struct Learnt {
  uint32_t thread;
  ClockPtr clock;
};

enum Operation {
  kSyncWarp,
  kShuffle,
  kShuffleUp,
  kShuffleDown,
  kShuffleXor,
  kBallot,
  kAny,
  kAll,
};

struct Warp {
  // Bit masks of lanes.
  uint32_t exists, runnable, arrived, at_barrier, done;
  uint32_t barrier;  // when its lanes last met
  size_t ready;      // where in the list of warps that can run
  Block* block;
  Fiber* lanes;
  uint32_t mask[kWarp], kind[kWarp], source[kWarp];
  uint64_t value[kWarp], result[kWarp];
  ClockPtr clock;
  std::vector<Learnt> learnt;
};

struct Block {
  unsigned slot;
  Dim3 id;
  uint32_t start, barrier;
  unsigned arrived, done;
  bool news;  // whether any warp has learnt something since the last barrier
  int static_bytes;
  size_t bytes;  // of shared memory
  char* shared = nullptr;
  SharedWord* words = nullptr;
  size_t capacity = 0;
  std::vector<Warp> warps;
  std::vector<Fiber> fibers;
};

struct Waiter {
  Fiber* fiber;
  const int* at;
  int value, argument;
  long long index;
};

struct State {
  // Of the thread that runs. `warp` and `block` go with `self`.
  Fiber* self;
  Warp* warp;
  Block* block;
  uint32_t now = 0, launch_start;
  uint64_t random;

  const char* kernel;
  void (*invoke)(void*);
  void* arguments;
  Dim3 grid, threads;
  size_t dynamic_bytes;

  std::vector<Warp*> ready;
  std::vector<Waiter> waiters;
  std::unordered_map<uintptr_t, std::vector<Published>> published;
  std::vector<Buffer> buffers;

  void* main;
  Block* ended;
  Error error;
  char message[1024];

  Block slots[kResident];
  std::vector<char*> stacks;
  GlobalWord* words = nullptr;
  size_t capacity = 0;
};

inline State state;

inline uint32_t draw_random() {
  state.random = state.random * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state.random >> 33);
}

// --- Errors ---

[[noreturn]] CUDA_ON_CPU_COLD inline void leave() {
  void* dead;
  cuda_on_cpu_switch(&dead, state.main);
  abort();
}

CUDA_ON_CPU_COLD inline void report(Error error, const char* format,
                                    va_list arguments) {
  State& s = state;
  s.error = error;
  int n = snprintf(s.message, sizeof s.message, "%s: ", s.kernel);
  if (s.self) {
    n += snprintf(s.message + n, sizeof s.message - n,
                  "block %u, thread %u: ", s.block->id.x, s.self->thread.x);
  }
  vsnprintf(s.message + n, sizeof s.message - (size_t)n, format, arguments);
}

// Of the thread that runs: does not return.
[[noreturn]] __attribute__((format(printf, 2, 3))) CUDA_ON_CPU_COLD inline void
fail(Error error, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  report(error, format, arguments);
  va_end(arguments);
  leave();
}

// Of the launch.
__attribute__((format(printf, 2, 3))) CUDA_ON_CPU_COLD inline void fail_all(
    Error error, const char* format, ...) {
  state.self = nullptr;
  va_list arguments;
  va_start(arguments, format);
  report(error, format, arguments);
  va_end(arguments);
}

}  // namespace cuda_on_cpu
