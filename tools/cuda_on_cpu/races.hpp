// Which accesses race, and how a faulty access is reported.
#pragma once

#include "state.hpp"

namespace cuda_on_cpu {

// From when on accesses of `thread` are not in order with this thread.
inline uint32_t unordered_since(uint32_t thread) {
  return thread / kWarp == state.self->thread.x / kWarp ? state.warp->barrier
                                                        : state.block->barrier;
}

inline bool races(Stamp s) {
  return s.thread != state.self->thread.x &&
         s.time >= unordered_since(s.thread);
}

CUDA_ON_CPU_COLD inline bool known(uint32_t block, Stamp s) {
  if (covers(state.warp->clock, block, s)) return true;
  for (const Learnt& l : state.warp->learnt) {
    if (l.thread == state.self->thread.x && covers(l.clock, block, s)) {
      return true;
    }
  }
  return false;
}

inline bool races(uint32_t block, Stamp s) {
  if (s.time < state.launch_start) return false;
  return block == state.block->id.x ? races(s) : !known(block, s);
}

// Where an access is, for messages.
struct Place {
  const char* memory;
  int argument;
  long long index, count;
  int size;

  void name(char* to, size_t n) const {
    if (argument >= 0) {
      snprintf(to, n, "argument %d [%lld]", argument, index);
    } else {
      snprintf(to, n, "shared memory [%lld] of %lld elements of %d bytes",
               index, count, size);
    }
  }
};

[[noreturn]] CUDA_ON_CPU_COLD inline void fail_race(
    const Place& place, uint32_t offset, bool writes, uint32_t block,
    uint32_t thread, bool wrote) {
  char where[128];
  place.name(where, sizeof where);
  fail(kRace,
       "race: it %s %s (byte %u), which block %u, thread %u has %s without a "
       "%s in between",
       writes ? "writes" : "reads", where, offset, block, thread,
       wrote ? "written" : "read",
       block == state.block->id.x ? "barrier" : "publish and await");
}

[[noreturn]] CUDA_ON_CPU_COLD inline void fail_bounds(const Place& place,
                                                      bool writes) {
  if (place.count < 0) {
    fail(kOutOfBounds, "%s [%lld] of a null pointer",
         writes ? "writes" : "reads", place.index);
  }
  char argument[32] = "";
  if (place.argument >= 0) {
    snprintf(argument, sizeof argument, ", argument %d", place.argument);
  }
  fail(kOutOfBounds,
       "out of bounds: %s [%lld] of an array of %lld elements of %d bytes in "
       "%s memory%s",
       writes ? "writes" : "reads", place.index, place.count, place.size,
       place.memory, argument);
}

[[noreturn]] CUDA_ON_CPU_COLD inline void fail_alignment(const Place& place,
                                                         size_t alignment) {
  char where[128];
  place.name(where, sizeof where);
  fail(kMisaligned, "misaligned: %s is not at a multiple of %zu bytes", where,
       alignment);
}

[[noreturn]] CUDA_ON_CPU_COLD inline void fail_uninitialized(
    const Place& place) {
  char where[128];
  place.name(where, sizeof where);
  fail(kUninitialized, "uninitialized: reads %s, which it never wrote", where);
}

[[noreturn]] CUDA_ON_CPU_COLD inline void fail_stale(const Place& place,
                                                     uint32_t block) {
  char where[128];
  place.name(where, sizeof where);
  fail(kRace,
       "stale read possible: reads %s, which block %u has written in this "
       "launch: use load_fresh",
       where, block);
}

}  // namespace cuda_on_cpu
