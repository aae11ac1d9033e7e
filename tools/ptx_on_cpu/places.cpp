#include "places.hpp"

#include <string.h>

namespace ptx_on_cpu {

namespace {

[[noreturn]] void fail_bounds(const Warp& w, const Instruction& i, int lane,
                              uint64_t address, uint32_t bytes, bool writes) {
  const std::string place = place_of(w, &i, address, (int)bytes);
  fail(w, lane, Error::kOutOfBounds, "out of bounds: %s %s",
       writes ? "writes" : "reads", place.c_str());
}

void find_global(const Warp& w, const Instruction& i, uint32_t bytes,
                 bool writes, Places& p) {
  const Machine& m = *w.machine;
  const Window* window = nullptr;
  for (uint32_t rest = p.lanes; rest;) {
    const int lane = first(rest);
    const uint64_t slot = p.address[lane] >> kWindowBits;
    if (slot == 0 || slot > m.windows.size()) {
      fail_bounds(w, i, lane, p.address[lane], bytes, writes);
    }
    window = &m.windows[slot - 1];
    // Of all lanes with the same window.
    const uint64_t low = window->low, end = low + window->size;
    uint32_t inside = 0;
    for (int l = 0; l < kLanes; ++l) {
      const uint64_t a = p.address[l];
      inside |= (uint32_t)(a >= low && a + bytes <= end) << l;
    }
    inside &= rest;
    if (!(inside >> lane & 1)) {
      fail_bounds(w, i, lane, p.address[lane], bytes, writes);
    }
    const uintptr_t to_host = window->host - low;
    Word* words = window->words;
    const uint64_t first_word = low / 4 * 4;
    for (int l = 0; l < kLanes; ++l) {
      if (!(inside >> l & 1)) continue;
      p.at[l] = (char*)(p.address[l] + to_host);
      p.words[l] = words + ((p.address[l] - first_word) >> 2);
    }
    rest &= ~inside;
  }
  p.tracked = m.options.races;
  p.start = m.memory.launch;
}

void find_shared(const Warp& w, const Instruction& i, uint32_t bytes,
                 bool writes, Places& p) {
  Block& b = *w.block;
  const uint64_t size = b.shared.size();
  uint32_t outside = 0;
  for (int l = 0; l < kLanes; ++l) {
    const uint64_t a = p.address[l];
    outside |= (uint32_t)(a + bytes > size || a > size) << l;
    p.at[l] = b.shared.data() + a;
    p.words[l] = b.words.data() + (a >> 2);
  }
  outside &= p.lanes;
  if (outside) {
    const int lane = first(outside);
    fail_bounds(w, i, lane, p.address[lane] + kSharedWindow, bytes, writes);
  }
  p.shared = true;
  p.tracked = w.machine->options.races;
  p.start = b.start;
}

void find_local(const Warp& w, const Instruction& i, uint32_t bytes,
                bool writes, Places& p) {
  const uint64_t size = (uint64_t)w.machine->kernel.local_bytes;
  for (uint32_t rest = p.lanes; rest; rest &= rest - 1) {
    const int l = first(rest);
    const uint64_t a = p.address[l];
    if (a > size || a + bytes > size) {
      fail_bounds(w, i, l, a + kLocalWindow, bytes, writes);
    }
    p.at[l] = (char*)w.local.data() + (size_t)l * size + a;
  }
}

}  // namespace

void find_places(const Warp& w, const Instruction& i, uint32_t lanes,
                 uint32_t bytes, bool writes, Places& p) {
  if (i.variant & kNarrowAddress) {
    const uint32_t* a = w.in<uint32_t>(i.from[0]);
    for (int l = 0; l < kLanes; ++l) {
      p.address[l] = (uint32_t)(a[l] + (uint32_t)i.offset);
    }
  } else {
    const uint64_t* a = w.in<uint64_t>(i.from[0]);
    for (int l = 0; l < kLanes; ++l) {
      p.address[l] = a[l] + (uint64_t)i.offset;
    }
  }
  p.lanes = lanes;
  p.shared = p.tracked = false;
  Space space = i.space;
  if (space == Space::kGeneric) {
    const uint64_t window = p.address[first(lanes)] >> 60 << 60;
    for (int l = 0; l < kLanes; ++l) {
      if (p.address[l] >> 60 << 60 != window) p.lanes &= ~(1u << l);
      p.address[l] -= window;
    }
    space = window == kSharedWindow  ? Space::kShared
            : window == kLocalWindow ? Space::kLocal
                                     : Space::kGlobal;
    if (space == Space::kGlobal && window) {
      fail_bounds(w, i, first(lanes), p.address[first(lanes)] + window, bytes,
                  writes);
    }
  }
  uint64_t odd = 0;
  for (int l = 0; l < kLanes; ++l) {
    odd |= p.lanes >> l & 1 ? p.address[l] : 0;
  }
  if (odd & (bytes - 1)) {
    uint32_t rest = p.lanes;
    while (!(p.address[first(rest)] & (bytes - 1))) rest &= rest - 1;
    const int l = first(rest);
    const uint64_t window = space == Space::kShared  ? kSharedWindow
                            : space == Space::kLocal ? kLocalWindow
                                                     : 0;
    fail(w, l, Error::kMisaligned,
         "misaligned: %s is not at a multiple of %u bytes",
         place_of(w, &i, p.address[l] + window, (int)bytes).c_str(), bytes);
  }
  if (space == Space::kShared) {
    find_shared(w, i, bytes, writes, p);
  } else if (space == Space::kLocal) {
    find_local(w, i, bytes, writes, p);
  } else {
    find_global(w, i, bytes, writes, p);
  }
}

void note_reads(Warp& w, Places& p, uint32_t bytes, Scope scope) {
  Accesses accesses(w, scope, p.start);
  const uint32_t words = (bytes + 3) / 4;
  memset(p.missing, 0, sizeof p.missing);
  for (uint32_t rest = p.lanes; rest; rest &= rest - 1) {
    const int l = first(rest);
    const uint64_t address = p.address[l] + (p.shared ? kSharedWindow : 0);
    for (uint32_t k = 0; k < words; ++k) {
      Word& word = p.words[l][k];
      if (p.shared && word.write_time < p.start) {
        p.missing[k] |= 1u << l;
        continue;
      }
      accesses.read(word, l, address + 4 * k);
    }
  }
}

void note_writes(Warp& w, const Places& p, uint32_t bytes, Scope scope) {
  Accesses accesses(w, scope, p.start);
  const uint32_t words = (bytes + 3) / 4;
  for (uint32_t rest = p.lanes; rest; rest &= rest - 1) {
    const int l = first(rest);
    const uint64_t address = p.address[l] + (p.shared ? kSharedWindow : 0);
    for (uint32_t k = 0; k < words; ++k) {
      accesses.write(p.words[l][k], l, address + 4 * k);
    }
  }
}

void acquire(Warp& w, int lane, char* at, uint8_t order, Scope scope) {
  auto& releases = w.machine->memory.releases;
  const auto found = releases.find((uintptr_t)at);
  if (found == releases.end()) return;
  const Release& r = found->second;
  const bool narrow = r.scope == Scope::kBlock || scope == Scope::kBlock;
  if (narrow && r.block != w.block->id) return;
  if (order & kAcquire) {
    learn(w, lane, r.clock);
  } else {
    ClockPtr& pending = w.knowledge.pending[(size_t)lane];
    pending = merged(pending, r.clock);
  }
}

void release(Warp& w, int lane, char* at, uint8_t order, Scope scope,
             bool modifies) {
  ClockPtr clock = order & kRelease ? known_through(w, lane)
                                    : w.knowledge.fenced[(size_t)lane];
  auto& releases = w.machine->memory.releases;
  // What an atomic operation modifies still tells of the release before it.
  if (modifies) {
    const auto found = releases.find((uintptr_t)at);
    if (found != releases.end()) clock = merged(clock, found->second.clock);
  }
  if (clock) {
    releases[(uintptr_t)at] = {clock, scope, w.block->id};
  } else {
    releases.erase((uintptr_t)at);
  }
}

void read_order(const Statement& s, Instruction& i, bool strong) {
  const bool acquires = s.has("acquire") || s.has("acq_rel") || s.has("sc");
  const bool releases = s.has("release") || s.has("acq_rel") || s.has("sc");
  i.order = (uint8_t)(acquires * kAcquire | releases * kRelease);
  if (strong || i.order || s.has("relaxed") || s.has("volatile")) {
    i.scope = s.has("cta") ? Scope::kBlock : Scope::kDevice;
  }
}

Space space_of(const Statement& s) {
  if (s.has("global") || s.has("const")) return Space::kGlobal;
  if (s.has("shared") || s.has("shared::cta")) return Space::kShared;
  if (s.has("local")) return Space::kLocal;
  if (s.has("param")) return Space::kParameter;
  if (s.has("shared::cluster")) s.refuse("clusters are not known");
  return Space::kGeneric;
}

}  // namespace ptx_on_cpu
