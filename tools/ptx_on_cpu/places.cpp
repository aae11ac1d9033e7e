#include "places.hpp"

#include <string.h>

namespace ptx_on_cpu {

namespace {

[[noreturn]] void fail_bounds(const Warp& w, int lane, uint64_t address,
                              uint32_t bytes, bool writes) {
  const std::string place = place_of(w, address, (int)bytes);
  fail(w, lane, Error::kOutOfBounds, "out of bounds: %s %s",
       writes ? "writes" : "reads", place.c_str());
}

// The lanes whose bytes are not within `size` from `low` on.
uint32_t outside(const Places& p, uint64_t low, uint64_t size,
                 uint32_t bytes) {
  uint64_t farthest = 0;
  for (int l = 0; l < kLanes; ++l) {
    const uint64_t offset = p.lanes >> l & 1 ? p.address[l] - low : 0;
    farthest = offset > farthest ? offset : farthest;
  }
  if (farthest + bytes <= size && farthest <= size) return 0;
  uint32_t lanes = 0;
  for (int l = 0; l < kLanes; ++l) {
    const uint64_t offset = p.address[l] - low;
    lanes |= (uint32_t)(offset + bytes > size || offset > size) << l;
  }
  return lanes & p.lanes;
}

void find_global(const Warp& w, uint32_t bytes, bool writes, Places& p) {
  const Machine& m = *w.machine;
  const int lane = first(p.lanes);
  const uint64_t slot = p.address[lane] >> kWindowBits;
  if (slot == 0 || slot > m.windows.size()) {
    fail_bounds(w, lane, p.address[lane], bytes, writes);
  }
  const Window& window = m.windows[slot - 1];
  p.lanes &= ~outside(p, window.low, window.size, bytes);
  if (!(p.lanes >> lane & 1)) {
    fail_bounds(w, lane, p.address[lane], bytes, writes);
  }
  p.host = window.host - window.low;
  p.words = window.words;
  p.low = window.low / 4 * 4;
  p.tracked = m.options.races;
  p.start = m.memory.launch;
}

void find_shared(const Warp& w, uint32_t bytes, bool writes, Places& p) {
  Block& b = *w.block;
  const uint32_t beyond = outside(p, 0, b.shared.size(), bytes);
  if (beyond) {
    const int lane = first(beyond);
    fail_bounds(w, lane, p.address[lane] + kSharedWindow, bytes, writes);
  }
  p.host = (uintptr_t)b.shared.data();
  p.words = b.words.data();
  p.low = 0;
  p.shared = true;
  p.tracked = w.machine->options.races;
  p.start = b.start;
}

void find_local(const Warp& w, uint32_t bytes, bool writes, Places& p) {
  const uint64_t size = (uint64_t)w.machine->kernel.local_bytes;
  const uint32_t beyond = outside(p, 0, size, bytes);
  if (beyond) {
    const int lane = first(beyond);
    fail_bounds(w, lane, p.address[lane] + kLocalWindow, bytes, writes);
  }
  p.host = (uintptr_t)w.local.data();
  p.stride = size;
}

void check_alignment(const Warp& w, const Places& p, uint64_t window,
                     uint32_t bytes) {
  uint64_t bits = 0;
  for (int l = 0; l < kLanes; ++l) {
    bits |= p.lanes >> l & 1 ? p.address[l] : 0;
  }
  if (!(bits & (bytes - 1))) return;
  uint32_t rest = p.lanes;
  while (!(p.address[first(rest)] & (bytes - 1))) rest &= rest - 1;
  const int l = first(rest);
  fail(w, l, Error::kMisaligned,
       "misaligned: %s is not at a multiple of %u bytes",
       place_of(w, p.address[l] + window, (int)bytes).c_str(), bytes);
}

}  // namespace

void compute_addresses(const Warp& w, const Instruction& i, Places& p) {
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
}

void find_places(const Warp& w, Space space, uint32_t lanes, uint32_t bytes,
                 bool writes, Places& p) {
  p.lanes = lanes;
  p.shared = p.tracked = false;
  p.stride = 0;
  if (space == Space::kGeneric) {
    const int lane = first(lanes);
    const uint64_t window = p.address[lane] >> 60 << 60;
    for (int l = 0; l < kLanes; ++l) {
      if (p.address[l] >> 60 << 60 != window) p.lanes &= ~(1u << l);
      p.address[l] -= window;
    }
    space = window == kSharedWindow  ? Space::kShared
            : window == kLocalWindow ? Space::kLocal
                                     : Space::kGlobal;
    if (space == Space::kGlobal && window) {
      fail_bounds(w, lane, p.address[lane] + window, bytes, writes);
    }
  }
  check_alignment(w, p,
                  space == Space::kShared  ? kSharedWindow
                  : space == Space::kLocal ? kLocalWindow
                                           : 0,
                  bytes);
  if (space == Space::kShared) {
    find_shared(w, bytes, writes, p);
  } else if (space == Space::kLocal) {
    find_local(w, bytes, writes, p);
  } else {
    find_global(w, bytes, writes, p);
  }
}

void note_reads(Warp& w, Places& p, uint32_t bytes, Scope scope) {
  Accesses accesses(w, scope, p.start);
  const uint32_t words = (bytes + 3) / 4;
  memset(p.missing, 0, sizeof p.missing);
  bool together = true;  // as long as several lanes read the same
  for (uint32_t rest = p.lanes; rest;) {
    const int l = first(rest);
    uint32_t lanes = 1u << l;
    if (together) {
      const uint64_t address = p.address[l];
      for (int k = 0; k < kLanes; ++k) {
        lanes |= (uint32_t)(p.address[k] == address) << k;
      }
      lanes &= rest;
      together = lanes & (lanes - 1);
    }
    rest &= ~lanes;
    Word* const at = &p.word(l);
    if (bytes < 4) accesses.set_bytes(p.address[l], bytes);
    for (uint32_t k = 0; k < words; ++k) {
      if (p.shared && at[k].write_time < p.start) {
        p.missing[k] |= lanes;
      } else {
        accesses.read(at[k], lanes, p.full(l) + 4 * k);
      }
    }
  }
}

void note_writes(Warp& w, const Places& p, uint32_t bytes, Scope scope) {
  Accesses accesses(w, scope, p.start);
  const uint32_t words = (bytes + 3) / 4;
  for (uint32_t rest = p.lanes; rest; rest &= rest - 1) {
    const int l = first(rest);
    Word* const at = &p.word(l);
    if (bytes < 4) accesses.set_bytes(p.address[l], bytes);
    for (uint32_t k = 0; k < words; ++k) {
      accesses.write(at[k], l, p.full(l) + 4 * k);
    }
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
