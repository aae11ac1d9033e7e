// Whose turn it is.
#pragma once

#include "state.hpp"

namespace cuda_on_cpu {

inline void set_ready(Warp* w) {
  w->ready = state.ready.size();
  state.ready.push_back(w);
}

inline void clear_ready(Warp* w) {
  Warp* last = state.ready.back();
  state.ready[w->ready] = last;
  last->ready = w->ready;
  state.ready.pop_back();
}

inline void make_runnable(Warp* w, uint32_t lanes) {
  if (!w->runnable) set_ready(w);
  w->runnable |= lanes;
}

inline void stop(Warp* w, uint32_t lane) {
  w->runnable &= ~lane;
  if (!w->runnable) clear_ready(w);
}

CUDA_ON_CPU_COLD inline void explain_standstill();

// Any thread that can run, mostly of the same warp.
inline Fiber* next() {
  State& s = state;
  const uint32_t r = draw_random();
  Warp* w = s.warp;
  if (CUDA_ON_CPU_UNLIKELY(!w || !w->runnable || !(r & 0x3e0))) {
    if (CUDA_ON_CPU_UNLIKELY(s.ready.empty())) {
      explain_standstill();
      leave();
    }
    w = s.ready[(r >> 10) % s.ready.size()];
  }
  const uint32_t m = w->runnable, by = r % kWarp;
  const uint32_t turned = m >> by | m << ((kWarp - by) % kWarp);
  return w->lanes + (__builtin_ctz(turned) + by) % kWarp;
}

inline void enter(Fiber* f) {
  state.self = f;
  state.warp = f->warp;
  state.block = f->warp->block;
}

inline void resume(Fiber* f) {
  Fiber* previous = state.self;
  if (f == previous) return;
  enter(f);
  cuda_on_cpu_switch(&previous->sp, f->sp);
}

// Another may go first.
inline void yield() { resume(next()); }

inline uint32_t own_lane() { return 1u << state.self->thread.x % kWarp; }

inline const char* operation_name(uint32_t kind) {
  static const char* const names[] = {
      "__syncwarp",      "__shfl_sync",   "__shfl_up_sync", "__shfl_down_sync",
      "__shfl_xor_sync", "__ballot_sync", "__any_sync",     "__all_sync"};
  return names[kind & 7];
}

CUDA_ON_CPU_COLD inline void explain_standstill() {
  State& s = state;
  for (Block& b : s.slots) {
    if (b.done == s.threads.x) continue;
    for (Warp& w : b.warps) {
      if (!w.arrived) continue;
      const uint32_t lane = __builtin_ctz(w.arrived);
      for (uint32_t other = 0; other < kWarp; ++other) {
        const uint32_t bit = 1u << other;
        if (!(w.mask[lane] & bit)) continue;
        const char* where =
            w.at_barrier & bit ? "__syncthreads"
            : (w.arrived & bit) && w.mask[other] != w.mask[lane]
                ? "an operation with another mask"
                : nullptr;
        if (where) {
          fail_all(
              kDivergence,
              "barrier divergence: in block %u, thread %u waits in %s for "
              "thread %u, which waits in %s",
              b.id.x, w.lanes[lane].thread.x, operation_name(w.kind[lane]),
              w.lanes[other].thread.x, where);
          return;
        }
      }
    }
  }
  if (!s.waiters.empty()) {
    const Waiter& w = s.waiters.front();
    fail_all(kDeadlock,
             "deadlock: block %u, thread %u awaits at least %d in argument %d "
             "[%lld], which is %d, and no thread can go on",
             w.fiber->warp->block->id.x, w.fiber->thread.x, w.value,
             w.argument, w.index, *w.at);
    return;
  }
  fail_all(kDivergence, "barrier divergence: no thread can go on");
}

}  // namespace cuda_on_cpu
