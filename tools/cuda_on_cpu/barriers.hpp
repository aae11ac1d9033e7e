// Barriers, shuffles and votes.
#pragma once

#include <string.h>

#include <type_traits>

#include "scheduler.hpp"

namespace cuda_on_cpu {

inline void learn(Warp& w) {
  for (const Learnt& l : w.learnt) w.clock = merged(w.clock, l.clock);
  w.learnt.clear();
}

inline void meet(Warp& w) {
  w.barrier = ++state.now;
  if (!w.learnt.empty()) learn(w);
  if (w.block->warps.size() == 1) w.block->barrier = w.barrier;
}

// The last lane of `mask` has arrived.
inline void complete(Warp& w, uint32_t mask, uint32_t kind) {
  uint32_t votes = 0;
  for (uint32_t rest = mask; rest; rest &= rest - 1) {
    const uint32_t i = __builtin_ctz(rest);
    if (CUDA_ON_CPU_UNLIKELY(w.mask[i] != mask || w.kind[i] != kind)) {
      fail(kDivergence,
           "divergence: it is in %s with mask 0x%x, thread %u is in %s with "
           "mask 0x%x",
           operation_name(kind), mask, w.lanes[i].thread.x,
           operation_name(w.kind[i]), w.mask[i]);
    }
    votes |= (uint32_t)(w.value[i] != 0) << i;
  }
  const uint32_t operation = kind & 7;
  if (operation == kSyncWarp) {
    if (mask == w.exists) meet(w);
  } else if (operation >= kBallot) {
    const uint64_t vote = operation == kBallot ? votes
                          : operation == kAny  ? votes != 0
                                               : votes == mask;
    for (uint64_t& r : w.result) r = vote;
  } else {
    for (uint32_t rest = mask; rest; rest &= rest - 1) {
      const uint32_t i = __builtin_ctz(rest), from = w.source[i];
      if (CUDA_ON_CPU_UNLIKELY(!(mask >> from & 1))) {
        fail(kDivergence,
             "divergence: %s of lane %u reads lane %u, which is not in mask "
             "0x%x",
             operation_name(kind), i, from, mask);
      }
      w.result[i] = w.value[from];
    }
  }
  w.arrived &= ~mask;
  w.runnable |= mask;
}

inline uint64_t collect(uint32_t mask, uint32_t kind, uint64_t value,
                        uint32_t source) {
  Warp& w = *state.warp;
  const uint32_t lane = state.self->thread.x % kWarp, bit = 1u << lane;
  if (CUDA_ON_CPU_UNLIKELY(!(mask & bit))) {
    fail(kDivergence, "divergence: %s with mask 0x%x without the own lane",
         operation_name(kind), mask);
  }
  if (CUDA_ON_CPU_UNLIKELY(mask & (w.done | ~w.exists))) {
    fail(kDivergence,
         "divergence: %s with mask 0x%x, but lanes 0x%x have returned or do "
         "not exist",
         operation_name(kind), mask, mask & (w.done | ~w.exists));
  }
  w.mask[lane] = mask;
  w.kind[lane] = kind;
  w.value[lane] = value;
  w.source[lane] = source;
  w.arrived |= bit;
  if ((w.arrived & mask) == mask) {
    complete(w, mask, kind);
  } else {
    stop(&w, bit);
    yield();
  }
  return w.result[lane];
}

template <class T>
inline T shuffle(uint32_t mask, uint32_t operation, T value, uint32_t source,
                 int width) {
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof value);
  bits = collect(mask,
                 operation | (uint32_t)width << 8 | (uint32_t)sizeof(T) << 16 |
                     (uint32_t)std::is_floating_point<T>::value << 24,
                 bits, source);
  memcpy(&value, &bits, sizeof value);
  return value;
}

inline uint32_t lane_up(unsigned delta, int width) {
  const uint32_t lane = state.self->thread.x % kWarp;
  const uint32_t first = lane & ~(uint32_t)(width - 1);
  return lane < first + delta ? lane : lane - delta;
}

inline uint32_t lane_down(unsigned delta, int width) {
  const uint32_t lane = state.self->thread.x % kWarp;
  const uint32_t last = lane | (uint32_t)(width - 1);
  return delta > last - lane ? lane : lane + delta;
}

inline uint32_t lane_at(int source, int width) {
  const uint32_t lane = state.self->thread.x % kWarp;
  const uint32_t within = (uint32_t)(width - 1);
  return (lane & ~within) | ((uint32_t)source & within);
}

inline uint32_t lane_xor(int by, int width) {
  const uint32_t lane = state.self->thread.x % kWarp;
  const uint32_t from = lane ^ (uint32_t)by;
  return from <= (lane | (uint32_t)(width - 1)) && from < kWarp ? from : lane;
}

inline void sync_threads() {
  State& s = state;
  Block& b = *s.block;
  Warp& own = *s.warp;
  if (CUDA_ON_CPU_UNLIKELY(b.done)) {
    fail(kDivergence,
         "barrier divergence: __syncthreads, but %u of the block's threads "
         "have returned",
         b.done);
  }
  if (++b.arrived < s.threads.x) {
    own.at_barrier |= own_lane();
    stop(&own, own_lane());
    yield();
    return;
  }
  b.arrived = 0;
  b.barrier = ++s.now;
  ClockPtr all;
  if (b.news) {
    for (Warp& w : b.warps) {
      learn(w);
      all = merged(all, w.clock);
    }
  }
  for (Warp& w : b.warps) {
    w.barrier = b.barrier;
    w.at_barrier = 0;
    if (b.news) w.clock = all;
    make_runnable(&w, w.exists);
  }
  b.news = false;
  if (draw_random() & 1) yield();
}

}  // namespace cuda_on_cpu
