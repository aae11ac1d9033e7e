// How a block starts, and how the blocks of a grid follow each other.
#pragma once

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "scheduler.hpp"

namespace cuda_on_cpu {

constexpr size_t kStack = 65536;

// Shared memory of at least `bytes`, and what is known of it.
inline void reserve_shared(Block& b, size_t bytes) {
  if (bytes <= b.capacity) return;
  free(b.shared);
  free(b.words);
  b.capacity = (std::max(bytes, (size_t)49152) + 63) / 64 * 64;
  b.shared = (char*)aligned_alloc(64, b.capacity);
  b.words = (SharedWord*)calloc(b.capacity / 4, sizeof(SharedWord));
  if (!b.shared || !b.words) abort();
}

// Starts with what would be NaN in any format.
inline void poison(Block& b, size_t bytes) {
  b.bytes = bytes;
  memset(b.shared, 0xff, bytes);
}

inline void run_thread() {
  State& s = state;
  s.invoke(s.arguments);
  Warp& w = *s.warp;
  Block& b = *s.block;
  const uint32_t bit = own_lane();
  if (b.arrived) {
    fail(kDivergence,
         "barrier divergence: returns while %u threads of the block are in "
         "__syncthreads",
         b.arrived);
  }
  for (uint32_t rest = w.arrived; rest; rest &= rest - 1) {
    const uint32_t lane = __builtin_ctz(rest);
    if (w.mask[lane] & bit) {
      fail(kDivergence, "divergence: returns while thread %u is in %s",
           w.lanes[lane].thread.x, operation_name(w.kind[lane]));
    }
  }
  stop(&w, bit);
  w.done |= bit;
  void* dead;
  if (++b.done == s.threads.x) {
    s.ended = &b;
    cuda_on_cpu_switch(&dead, s.main);
  } else {
    Fiber* f = next();
    enter(f);
    cuda_on_cpu_switch(&dead, f->sp);
  }
  abort();
}

inline size_t page_size() { return (size_t)sysconf(_SC_PAGESIZE); }

// Unmap all stacks, when nothing runs.
inline void release_stacks() {
  const size_t guard = page_size();
  for (char* p : state.stacks) munmap(p - guard, kStack + guard);
  state.stacks.clear();
}

// Stack pointer of a new fiber on the stack of that number.
inline void* fresh_stack(size_t number) {
  State& s = state;
  while (s.stacks.size() <= number) {
    const size_t guard = page_size();
    char* p = (char*)mmap(nullptr, kStack + guard, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p, guard, PROT_NONE)) abort();
    s.stacks.push_back(p + guard);
  }
  // Not all at the same place in their page: they would share a cache line.
  char* top = s.stacks[number] + kStack - 64 - number * 576 % 4096 / 64 * 64;
#if defined(__x86_64__)
  void** sp = (void**)(top - 64);
  memset(sp, 0, 64);
  sp[6] = (void*)run_thread;  // and a return address of 0
#else
  void** sp = (void**)(top - 160);
  memset(sp, 0, 160);
  sp[11] = (void*)run_thread;
#endif
  return sp;
}

inline void start_block(Block& b, uint32_t id) {
  State& s = state;
  const unsigned threads = s.threads.x;
  b.id = {id, 0, 0};
  b.start = b.barrier = ++s.now;
  b.arrived = b.done = 0;
  b.news = false;
  b.static_bytes = -1;
  reserve_shared(b, s.dynamic_bytes);
  poison(b, s.dynamic_bytes);
  b.warps.resize((threads + kWarp - 1) / kWarp);
  b.fibers.resize(threads);
  for (unsigned i = 0; i < b.warps.size(); ++i) {
    Warp& w = b.warps[i];
    const unsigned lanes = std::min(kWarp, threads - i * kWarp);
    w.exists = 0xffffffffu >> (kWarp - lanes);
    w.arrived = w.at_barrier = w.done = 0;
    w.barrier = b.start;
    w.block = &b;
    w.lanes = b.fibers.data() + (size_t)i * kWarp;
    w.clock = nullptr;
    w.learnt.clear();
    w.runnable = 0;
    make_runnable(&w, w.exists);
  }
  for (unsigned t = 0; t < threads; ++t) {
    b.fibers[t] = {fresh_stack((size_t)b.slot * threads + t),
                   &b.warps[t / kWarp],
                   {t, 0, 0}};
  }
}

inline void run_grid() {
  State& s = state;
  std::vector<uint32_t> order(s.grid.x);
  for (uint32_t i = 0; i < s.grid.x; ++i) order[i] = i;
  for (uint32_t i = s.grid.x; i > 1; --i) {
    std::swap(order[i - 1], order[draw_random() % i]);
  }
  s.ready.clear();
  s.waiters.clear();
  s.published.clear();
  s.self = nullptr;
  s.warp = nullptr;
  size_t started = 0, live = 0;
  const size_t resident = 1 + draw_random() % kResident;
  for (Block& b : s.slots) {
    b.slot = (unsigned)(&b - s.slots);
    b.done = s.threads.x;
    b.warps.clear();
  }
  while (live < resident && started < order.size()) {
    start_block(s.slots[live++], order[started++]);
  }
  while (live) {
    s.ended = nullptr;
    if (s.ready.empty()) {
      explain_standstill();
      return;
    }
    Fiber* f = next();
    enter(f);
    cuda_on_cpu_switch(&s.main, f->sp);
    if (s.error) return;
    s.warp = nullptr;
    if (started < order.size()) {
      start_block(*s.ended, order[started++]);
    } else {
      live--;
    }
  }
}

}  // namespace cuda_on_cpu
