// Accesses that put threads in order: who sees which store, and learns what.
//
// A load may see any store since the last one that it is in order with, or
// that its block has seen. So a thread that waits for too little is found,
// also where the value is further by the time that it looks.
#include <string.h>

#include <algorithm>

#include "places.hpp"

namespace ptx_on_cpu {

namespace {

constexpr size_t kMostStores = 64;

History* find(Warp& w, const Places& p, int lane) {
  auto& histories = w.machine->memory.histories;
  const auto found = histories.find((uintptr_t)p.at(lane));
  if (found == histories.end() || found->second.start != p.start) {
    return nullptr;
  }
  return &found->second;
}

uint64_t value_at(const char* at, uint32_t bytes) {
  uint64_t value = 0;
  memcpy(&value, at, std::min<size_t>(bytes, sizeof value));
  return value;
}

}  // namespace

void begin_store(Warp& w, const Places& p, int lane, uint32_t bytes) {
  if (find(w, p, lane)) return;
  History& h = w.machine->memory.histories[(uintptr_t)p.at(lane)];
  h = {p.start, 0, {}, {}};
  h.stores.push_back(
      {value_at(p.at(lane), bytes), nullptr, Scope::kDevice, 0, kNumber, 0});
}

void end_store(Warp& w, const Places& p, int lane, uint32_t bytes,
               const Instruction& i, bool modifies) {
  History& h = *find(w, p, lane);
  const uint32_t time = w.knowledge.time;
  ClockPtr clock = i.order & kRelease ? known_through(w, lane)
                                      : w.knowledge.fenced[(size_t)lane];
  if (modifies) clock = merged(clock, h.stores.back().clock);
  if (h.stores.size() == kMostStores) {
    h.stores.erase(h.stores.begin());
    ++h.first;
  }
  h.stores.push_back({value_at(p.at(lane), bytes), clock, i.scope, w.block->id,
                      w.number * kLanes + (uint32_t)lane, time});
  h.seen[w.block->id] = h.first + h.stores.size() - 1;
}

const Store* observe(Warp& w, const Places& p, int lane, const Instruction& i,
                     bool latest) {
  History* h = find(w, p, lane);
  if (!h) return nullptr;
  const Accesses accesses(w, Scope::kWeak, p.start);
  uint64_t& seen = h->seen[w.block->id];
  size_t oldest = seen > h->first ? seen - h->first : 0;
  const size_t last = h->stores.size() - 1;
  for (size_t k = last; k > oldest; --k) {
    const Store& s = h->stores[k];
    if (s.writer != kNumber && accesses.ordered(lane, s.writer, s.time)) {
      oldest = k;
    }
  }
  const uint32_t random = w.machine->random();
  const size_t chosen = latest || random & 1
                            ? last
                            : oldest + (random >> 1) % (last - oldest + 1);
  seen = h->first + chosen;
  const Store& s = h->stores[chosen];
  const bool narrow = s.scope == Scope::kBlock || i.scope == Scope::kBlock;
  if (!narrow || s.block == w.block->id) {
    if (i.order & kAcquire) {
      learn(w, lane, s.clock);
    } else {
      ClockPtr& pending = w.knowledge.pending[(size_t)lane];
      pending = merged(pending, s.clock);
    }
  }
  return &s;
}

}  // namespace ptx_on_cpu
