#include "races.hpp"

#include <algorithm>

namespace ptx_on_cpu {

bool Accesses::known(int lane, uint32_t thread, uint32_t time) const {
  if (time == kPending) return false;
  if (thread / kLanes == w_.number && k_.met &&
      time < (*k_.met)[(size_t)lane][thread % kLanes]) {
    return true;
  }
  const ClockPtr& clock = k_.clocks[(size_t)lane];
  if (!clock) return false;
  const uint32_t threads = w_.machine->warps_per_block * kLanes;
  const uint32_t begin = thread / threads * threads;
  return covers(clock, begin, begin + threads, thread, time);
}

bool Accesses::both_strong(uint32_t stamped, uint32_t thread) const {
  const Scope weaker = std::min(scope_, scope_of(stamped));
  if (weaker == Scope::kDevice) return true;
  const uint32_t warp = (thread & kNumber) / kLanes;
  return weaker == Scope::kBlock &&
         warp - w_.block->first_warp < w_.machine->warps_per_block;
}

void Accesses::check_write(const Word& word, int lane, uint64_t address,
                           bool writes) {
  if (!(word.written & bytes_)) return;
  if (both_strong(word.writer, word.writer)) return;
  fail_race(lane, address, writes, word.writer & kNumber, true,
            word.write_time == kPending);
}

void Accesses::check_reads(Word& word, int lane, uint64_t address) {
  Memory& memory = w_.machine->memory;
  bool keep = false;
  for (const Reads* r = &word.reads;;) {
    const uint32_t warp = r->warp & kNumber;
    if ((word.read & bytes_) && !both_strong(r->warp, warp * kLanes)) {
      for (uint32_t rest = r->lanes; rest; rest &= rest - 1) {
        const uint32_t reader = warp * kLanes + (uint32_t)first(rest);
        if (!ordered(lane, reader, r->time)) {
          fail_race(lane, address, true, reader, false, false);
        }
      }
    } else {
      keep = true;  // a weak write may come that races with it
    }
    if (!r->more) break;
    r = &memory.records[r->more];
  }
  if (keep) return;
  uint32_t more = word.reads.more;
  while (more) {
    const uint32_t next = memory.records[more].more;
    memory.records[more].more = memory.free;
    memory.free = more;
    more = next;
  }
  word.reads = {};
}

// The record of this warp comes first, the others after it.
void Accesses::add_reads(Word& word, uint32_t lanes) {
  Memory& memory = w_.machine->memory;
  uint32_t* link = &word.reads.more;
  while (*link) {
    Reads& r = memory.records[*link];
    const bool own = r.warp == self_ && r.time == k_.time;
    if (own || gives_way(r)) {
      // It takes the place of the first.
      const Reads old = word.reads;
      const Reads now = {k_.time, self_, own ? r.lanes | lanes : lanes,
                         old.more};
      r = {old.time, old.warp, old.lanes, r.more};
      word.reads = now;
      return;
    }
    link = &r.more;
  }
  uint32_t index = memory.free;
  if (index) {
    memory.free = memory.records[index].more;
  } else {
    index = (uint32_t)memory.records.size();
    memory.records.push_back({});
  }
  memory.records[index] = word.reads;
  word.reads = {k_.time, self_, lanes, index};
}

void Accesses::fail_race(int lane, uint64_t address, bool writes,
                         uint32_t other, bool wrote, bool pending) const {
  const uint32_t threads = w_.machine->warps_per_block * kLanes;
  const uint32_t block = other / threads;
  const std::string where = place_of(w_, address, 4);
  if (pending) {
    fail(w_, lane, Error::kRace,
         "race: it %s %s, into which thread %u of block %u copies "
         "asynchronously",
         writes ? "writes" : "reads", where.c_str(), other % threads, block);
  }
  fail(w_, lane, Error::kRace,
       "race: it %s %s, which block %u, thread %u has %s without a %s in "
       "between",
       writes ? "writes" : "reads", where.c_str(), block, other % threads,
       wrote ? "written" : "read",
       block == w_.block->id ? "barrier" : "release and acquire");
}

// --- What puts threads in order ---

void meet(Warp& w, uint32_t mask) {
  Knowledge& k = w.knowledge;
  const uint32_t now = ++w.machine->memory.now;
  k.time = now;
  if (mask == w.exists) {
    k.synced = now;
    k.met.reset();
    if (w.machine->warps_per_block == 1) w.block->barrier = now;
  } else {
    if (!k.met) {
      k.met.reset(new std::array<std::array<uint32_t, kLanes>, kLanes>);
      for (auto& row : *k.met) row.fill(k.synced);
    }
    auto& met = *k.met;
    std::array<uint32_t, kLanes> row{};
    for (int i = 0; i < kLanes; ++i) {
      for (uint32_t rest = mask; rest; rest &= rest - 1) {
        row[(size_t)i] =
            std::max(row[(size_t)i], met[(size_t)first(rest)][(size_t)i]);
      }
      if (mask >> i & 1) row[(size_t)i] = now;
    }
    for (uint32_t rest = mask; rest; rest &= rest - 1) {
      met[(size_t)first(rest)] = row;
    }
  }
  if (!k.news) return;
  ClockPtr all;
  for (uint32_t rest = mask; rest; rest &= rest - 1) {
    all = merged(all, k.clocks[(size_t)first(rest)]);
  }
  for (uint32_t rest = mask; rest; rest &= rest - 1) {
    k.clocks[(size_t)first(rest)] = all;
  }
  if (mask == w.exists) k.news = false;
}

void meet_all(Block& b, Memory& memory) {
  b.barrier = ++memory.now;
  ClockPtr all;
  if (b.news) {
    for (Warp& w : b.warps) {
      for (uint32_t rest = w.exists; rest; rest &= rest - 1) {
        all = merged(all, w.knowledge.clocks[(size_t)first(rest)]);
      }
    }
  }
  for (Warp& w : b.warps) {
    Knowledge& k = w.knowledge;
    k.time = k.synced = b.barrier;
    k.met.reset();
    k.news = false;
    if (b.news) k.clocks.fill(all);
  }
  b.news = false;
}

ClockPtr known_through(Warp& w, int lane) {
  Knowledge& k = w.knowledge;
  const uint32_t self = w.number * kLanes + (uint32_t)lane;
  const uint32_t now = ++w.machine->memory.now;
  auto own = std::make_shared<Clock>();
  for (uint32_t i = 0; i < kLanes; ++i) {
    const uint32_t met = k.met ? (*k.met)[(size_t)lane][i] : k.synced;
    if (i == (uint32_t)lane) {
      own->push_back({self, now, k.synced, w.block->barrier});
    } else if (met > k.synced) {
      own->push_back({w.number * kLanes + i, met, 0, 0});
    }
  }
  k.time = now;
  return merged(k.clocks[(size_t)lane], own);
}

void learn(Warp& w, int lane, const ClockPtr& clock) {
  if (!clock) return;
  ClockPtr& own = w.knowledge.clocks[(size_t)lane];
  own = merged(own, clock);
  w.knowledge.news = w.block->news = true;
}

}  // namespace ptx_on_cpu
