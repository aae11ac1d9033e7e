// Registers that hold what was never written. Compilers move them about, and
// compute with them what is not used; an address, a condition, or what is
// stored or given to other lanes may not depend on them.
#include <algorithm>

#include "machine.hpp"

namespace ptx_on_cpu {

namespace {

const Poison* find(const Warp& w, At at) {
  if (at == kNone || at < 0) return nullptr;
  for (const Poison& p : w.poison) {
    if (p.at == at) return &p;
  }
  return nullptr;
}

uint32_t lanes_of(const Poison* p) { return p ? p->lanes : 0; }

[[noreturn]] void fail_undefined(const Warp& w, const Poison& p,
                                 uint32_t lanes) {
  const Kernel& kernel = w.machine->kernel;
  const char* name = kernel.register_names[(size_t)p.number].c_str();
  if (p.origin < 0) {
    fail(w, first(lanes), Error::kUninitialized,
         "uninitialized: uses register %s, which depends on one that was not "
         "written",
         name);
  }
  fail(w, first(lanes), Error::kUninitialized,
       "uninitialized: uses register %s, which depends on shared memory that "
       "the block has not written, read by %s",
       name, line_of(*w.machine, p.origin).c_str());
}

void clear(Warp& w, At at, uint32_t lanes) {
  for (size_t k = 0; k < w.poison.size(); ++k) {
    Poison& p = w.poison[k];
    if (p.at != at) continue;
    p.lanes &= ~lanes;
    if (!p.lanes) {
      p = w.poison.back();
      w.poison.pop_back();
    }
    return;
  }
}

// The lanes whose predicate is known to have a value.
uint32_t known(const Warp& w, At at, bool value) {
  const uint32_t p = *w.in<uint32_t>(at);
  return (value ? p : ~p) & ~lanes_of(find(w, at));
}

}  // namespace

void add_poison(Warp& w, At at, int number, int origin, uint32_t lanes) {
  if (!lanes) return;
  for (Poison& p : w.poison) {
    if (p.at == at) {
      p = {at, number, origin, p.lanes | lanes};
      return;
    }
  }
  w.poison.push_back({at, number, origin, lanes});
  w.poisoned |= place_bit(at);
}

void pass_on_poison(Warp& w, int at, uint32_t lanes, uint32_t active) {
  const Kernel& kernel = w.machine->kernel;
  const Instruction& i = kernel.code[(size_t)at];
  if (i.tracked) {
    const Tracked& tracked = kernel.tracked[(size_t)i.tracked];
    for (const Tracked::Read& r : tracked.reads) {
      add_poison(w, r.at, r.number, -1, lanes & ~*w.in<uint32_t>(r.mask));
    }
    for (const At mask : tracked.writes) *w.out<uint32_t>(mask) |= active;
  }
  if (!(i.touches & w.poisoned)) return;
  const Poison* guard = find(w, i.guard);
  if (lanes_of(guard) & lanes) {
    fail_undefined(w, *guard, guard->lanes & lanes);
  }
  uint32_t result = 0;
  Poison cause{};
  for (const At source : i.from) {
    const Poison* p = find(w, source);
    if (!p || !(p->lanes & active)) continue;
    if (i.undefined == Undefined::kRefuses) {
      fail_undefined(w, *p, p->lanes & active);
    }
    result |= p->lanes & active;
    cause = *p;
  }
  if (i.stores) {
    for (const At source : i.to) {
      const Poison* p = find(w, source);
      if (lanes_of(p) & active) fail_undefined(w, *p, p->lanes & active);
    }
    return;
  }
  if (result && i.undefined == Undefined::kSelects) {
    const uint32_t p = *w.in<uint32_t>(i.from[2]);
    result = active & (lanes_of(find(w, i.from[2])) |
                       (p & lanes_of(find(w, i.from[0]))) |
                       (~p & lanes_of(find(w, i.from[1]))));
  } else if (result && i.undefined == Undefined::kAnd) {
    result &= ~(known(w, i.from[0], false) | known(w, i.from[1], false));
  } else if (result && i.undefined == Undefined::kOr) {
    result &= ~(known(w, i.from[0], true) | known(w, i.from[1], true));
  }
  for (size_t k = 0; k < 4; ++k) {
    if (i.to[k] == kNone) continue;
    clear(w, i.to[k], active);
    add_poison(w, i.to[k], kernel.results[(size_t)at][k], cause.origin,
               result);
  }
}

void forget_poison(Warp& w) {
  const auto needed = [&](const Poison& p) {
    const Extent& e = w.machine->kernel.extents[(size_t)p.number];
    for (int k = 0; k < w.count; ++k) {
      const Group& g = w.groups[(size_t)k];
      if ((g.lanes & p.lanes) && g.at >= e.begin && g.at <= e.end) return true;
    }
    return false;
  };
  w.poison.erase(std::remove_if(w.poison.begin(), w.poison.end(),
                                [&](const Poison& p) { return !needed(p); }),
                 w.poison.end());
  w.poisoned = 0;
  for (const Poison& p : w.poison) w.poisoned |= place_bit(p.at);
}

}  // namespace ptx_on_cpu
