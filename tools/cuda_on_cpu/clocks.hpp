// When each word of memory was last accessed, and what a thread knows of the
// accesses of other blocks.
#pragma once

#include <stdint.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace cuda_on_cpu {

constexpr unsigned kWarp = 32;

struct Stamp {
  uint32_t time = 0, thread = 0;
};

// `a` is the latest read, `b` the latest of another thread, `c` the latest of
// another warp: if none of them races with a write, no earlier one does.
struct Reads {
  Stamp a, b, c;

  void note(Stamp now) {
    if (a.thread == now.thread) {
      a.time = now.time;
      return;
    }
    if (a.thread / kWarp != now.thread / kWarp) c = a;
    b = a;
    a = now;
  }
};

struct SharedWord {
  Stamp write;
  Reads reads;
};

struct GlobalWord {
  Stamp write;
  uint32_t write_block = 0, read_block = 0;
  Reads reads;  // of read_block
  Stamp other;  // the latest read of another block
  uint32_t other_block = 0;
};

// An array given to the launch.
struct Buffer {
  uintptr_t low, high;
  GlobalWord* words;    // null if the launch cannot write it
  uintptr_t words_low;  // address of the first of them
  int argument;
};

// What a block makes known by publish().
struct Release {
  uint32_t barrier = 0, warp_barrier = 0, time = 0, thread = 0;

  bool covers(Stamp s) const {
    return s.time < barrier ||
           (s.thread / kWarp == thread / kWarp && s.time < warp_barrier) ||
           (s.thread == thread && s.time <= time);
  }
};
// By block and publishing thread, in order.
using Clock = std::vector<std::pair<uint64_t, Release>>;
using ClockPtr = std::shared_ptr<const Clock>;

inline uint64_t clock_key(uint32_t block, uint32_t thread) {
  return (uint64_t)block << 32 | thread;
}

inline bool covers(const ClockPtr& clock, uint32_t block, Stamp s) {
  if (!clock) return false;
  auto at = std::lower_bound(
      clock->begin(), clock->end(), clock_key(block, 0),
      [](const auto& entry, uint64_t key) { return entry.first < key; });
  for (; at != clock->end() && at->first >> 32 == block; ++at) {
    if (at->second.covers(s)) return true;
  }
  return false;
}

inline ClockPtr merged(const ClockPtr& a, const ClockPtr& b) {
  if (!a || !b || a == b) return a ? a : b;
  auto sum = std::make_shared<Clock>();
  sum->reserve(a->size() + b->size());
  auto i = a->begin(), j = b->begin();
  while (i != a->end() || j != b->end()) {
    if (j == b->end() || (i != a->end() && i->first < j->first)) {
      sum->push_back(*i++);
    } else if (i == a->end() || j->first < i->first) {
      sum->push_back(*j++);
    } else {
      sum->push_back(i->second.time > j->second.time ? *i : *j);
      ++i, ++j;
    }
  }
  return sum;
}

struct Published {
  int value;
  bool initial;  // by an earlier launch, or by the host
  uint32_t block;
  ClockPtr clock;
};

}  // namespace cuda_on_cpu
