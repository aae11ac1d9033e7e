// When a word of memory was last accessed, and what a thread knows of others.
//
// Time counts what puts threads in order, in the whole launch. An access is
// stamped with the time at which its warp last took part in that, so that it
// is in order with all that follows what is counted later.
#pragma once

#include <stdint.h>

#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

#include "program.hpp"

namespace ptx_on_cpu {

// A thread or a warp by its number in the grid, with the scope of an access.
constexpr uint32_t kNumber = 0x3fffffff;

inline uint32_t with_scope(uint32_t number, Scope scope) {
  return number | (uint32_t)scope << 30;
}
inline Scope scope_of(uint32_t stamped) { return (Scope)(stamped >> 30); }

// Reads of a word by lanes of a warp at one time.
struct Reads {
  uint32_t time = 0, warp = 0, lanes = 0;
  uint32_t more = 0;  // index of others, or 0
};

// Of the reads, those are kept that no later one of them is in order with: a
// write that is in order with the later one is so with the earlier one.
struct Word {
  uint32_t write_time = 0, writer = 0;
  uint16_t written = 0, read = 0;  // which of its bytes, as bits
  Reads reads;
};

// The time of a write that ends later: nothing is in order with it.
constexpr uint32_t kPending = 0xffffffff;

// What is known through a thread: all accesses before these times by itself,
// by its warp, and by its block.
struct Seen {
  uint32_t thread, own, warp, block;

  bool covers(uint32_t other, uint32_t time) const {
    return time < block ||
           (other / kLanes == thread / kLanes && time < warp) ||
           (other == thread && time < own);
  }
};

// By thread, in order.
using Clock = std::vector<Seen>;
using ClockPtr = std::shared_ptr<const Clock>;

ClockPtr merged(const ClockPtr& a, const ClockPtr& b);
// `block` is the range of threads of its block.
bool covers(const ClockPtr& clock, uint32_t first, uint32_t last,
            uint32_t thread, uint32_t time);

// What the lanes of a warp know.
struct Knowledge {
  uint32_t time;    // stamps accesses
  uint32_t synced;  // when all lanes last met
  bool news;        // whether lanes know different things
  std::array<ClockPtr, kLanes> clocks;
  // When two lanes last met, if some met that are not all.
  std::unique_ptr<std::array<std::array<uint32_t, kLanes>, kLanes>> met;
  // What each lane knew at its last fence, and what it will know at the next.
  std::array<ClockPtr, kLanes> fenced, pending;
};

// A strong store, and what is known to those who acquire its value.
struct Store {
  uint64_t value;
  ClockPtr clock;
  Scope scope;
  uint32_t block, writer, time;  // writer: kNumber for what was there before
};

// The latest strong stores to a location. A load may see an older one.
struct History {
  uint32_t start;  // since when accesses count
  uint64_t first;  // the number of stores before those that are kept
  std::vector<Store> stores;
  // The store that threads of a block have seen: they see none before it.
  std::unordered_map<uint32_t, uint64_t> seen;
};

// Kept from launch to launch, so that it need not be cleared: what was before
// `launch` does not count.
struct Memory {
  uint32_t now = 0, launch = 0;
  std::vector<Word> words;        // of global memory
  std::vector<Reads> records{1};  // what `more` tells
  uint32_t free = 0;              // the first that is not used
  std::unordered_map<uintptr_t, History> histories;  // by place on the host

  void begin_launch();
};

}  // namespace ptx_on_cpu
