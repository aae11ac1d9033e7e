// Which accesses race: what happens at every one.
#pragma once

#include "machine.hpp"

namespace ptx_on_cpu {

// Accesses of a lane to words that were accessed since `start`.
class Accesses {
 public:
  Accesses(Warp& w, Scope scope, uint32_t start)
      : w_(w),
        k_(w.knowledge),
        start_(start),
        scope_(scope),
        self_(with_scope(w.number, scope)) {}

  // Which bytes of a word are accessed, as bits: some of it.
  void set_bytes(uint64_t address, uint32_t bytes) {
    bytes_ = (uint16_t)(((1u << bytes) - 1) << address % 4);
  }

  void read(Word& word, uint32_t lanes, uint64_t address) {
    if (word.write_time >= start_ &&
        !ordered(first(lanes), word.writer, word.write_time)) {
      check_write(word, first(lanes), address, false);
    }
    if (lanes & (lanes - 1)) check_others(word, lanes, address);
    Reads& r = word.reads;
    word.read = (uint16_t)(r.time < start_ ? bytes_ : word.read | bytes_);
    if (r.time == k_.time && r.warp == self_) {
      r.lanes |= lanes;
    } else if (r.time < start_ || gives_way(r) ||
               (r.warp == self_ && !(r.lanes & ~lanes))) {
      if (r.time < start_) r.more = 0;
      r = {k_.time, self_, lanes, r.more};
    } else {
      add_reads(word, lanes);
    }
  }

  void write(Word& word, int lane, uint64_t address) {
    if (word.write_time >= start_ &&
        !ordered(lane, word.writer, word.write_time)) {
      check_write(word, lane, address, true);
    }
    Reads& r = word.reads;
    if (r.time >= start_) {
      if (!r.more && (came_before(r) || ((r.warp & kNumber) == w_.number &&
                                         !(r.lanes & ~(1u << lane))))) {
        r = {};
      } else {
        check_reads(word, lane, address);
      }
    }
    const uint32_t self =
        with_scope(w_.number * kLanes + (uint32_t)lane, scope_);
    const bool same = word.writer == self && word.write_time >= start_;
    word.written = (uint16_t)(same ? word.written | bytes_ : bytes_);
    word.write_time = k_.time;
    word.writer = self;
  }

  // Whether what a thread did at a time came before what `lane` does now.
  bool ordered(int lane, uint32_t thread, uint32_t time) const {
    thread &= kNumber;
    const uint32_t warp = thread / kLanes;
    if (warp == w_.number) {
      if (time < k_.synced) return true;
      if (thread % kLanes == (uint32_t)lane && time != kPending) return true;
    } else if (warp - w_.block->first_warp < w_.machine->warps_per_block &&
               time < w_.block->barrier) {
      return true;
    }
    return known(lane, thread, time);
  }

 private:
  // Whether all lanes of a block's warp have met those of this one since.
  bool came_before(const Reads& r) const {
    const uint32_t warp = r.warp & kNumber;
    return warp == w_.number
               ? r.time < k_.synced
               : warp - w_.block->first_warp < w_.machine->warps_per_block &&
                     r.time < w_.block->barrier;
  }
  // Whether a read of this warp can take its place: no write races with it
  // that does not race with this one.
  bool gives_way(const Reads& r) const {
    return came_before(r) && scope_of(r.warp) >= scope_;
  }
  bool known(int lane, uint32_t thread, uint32_t time) const;
  // Whether an access of this scope is no race with one of a thread.
  bool both_strong(uint32_t stamped, uint32_t thread) const;
  void check_write(const Word& word, int lane, uint64_t address, bool writes);
  void check_reads(Word& word, int lane, uint64_t address);
  void add_reads(Word& word, uint32_t lanes);
  // The same of the other lanes, if what is in order differs.
  void check_others(const Word& word, uint32_t lanes, uint64_t address) {
    const uint32_t warp = (word.writer & kNumber) / kLanes;
    if (word.write_time < start_ ||
        (warp == w_.number && word.write_time < k_.synced) ||
        (warp - w_.block->first_warp < w_.machine->warps_per_block &&
         word.write_time < w_.block->barrier)) {
      return;
    }
    for (uint32_t rest = lanes & (lanes - 1); rest; rest &= rest - 1) {
      if (!ordered(first(rest), word.writer, word.write_time)) {
        check_write(word, first(rest), address, false);
      }
    }
  }
  [[noreturn]] void fail_race(int lane, uint64_t address, bool writes,
                              uint32_t other, bool wrote, bool pending) const;

  Warp& w_;
  const Knowledge& k_;
  const uint32_t start_;
  const Scope scope_;
  const uint32_t self_;
  uint16_t bytes_ = 15;
};

// --- What puts threads in order ---

// The lanes of `mask` meet, all of those that exist or not.
void meet(Warp& w, uint32_t mask);
// All threads of a block meet.
void meet_all(Block& b, Memory& memory);
// What a lane knows, with what it did itself, for others.
ClockPtr known_through(Warp& w, int lane);
// A lane comes to know something.
void learn(Warp& w, int lane, const ClockPtr& clock);

}  // namespace ptx_on_cpu
