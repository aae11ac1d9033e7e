// Atomic operations, fences and asynchronous copies.
#include <algorithm>

#include "lanes.hpp"
#include "places.hpp"

namespace ptx_on_cpu {

namespace {

// --- Atomic operations ---

struct AtomicAdd {
  template <class T>
  T operator()(T a, T b, T) const {
    return (T)(a + b);
  }
};
struct AtomicMin {
  template <class T>
  T operator()(T a, T b, T) const {
    return std::min(a, b);
  }
};
struct AtomicMax {
  template <class T>
  T operator()(T a, T b, T) const {
    return std::max(a, b);
  }
};
struct AtomicExchange {
  template <class T>
  T operator()(T, T b, T) const {
    return b;
  }
};
struct AtomicCompare {
  template <class T>
  T operator()(T a, T b, T c) const {
    return a == b ? c : a;
  }
};
struct AtomicIncrement {
  template <class T>
  T operator()(T a, T b, T) const {
    return a >= b ? 0 : a + 1;
  }
};
struct AtomicDecrement {
  template <class T>
  T operator()(T a, T b, T) const {
    return a == 0 || a > b ? b : a - 1;
  }
};
template <char kOperation>
struct AtomicLogic {
  template <class T>
  T operator()(T a, T b, T) const {
    return kOperation == '&' ? a & b : kOperation == '|' ? a | b : a ^ b;
  }
};

// One lane after the other, any first.
template <class T, class F>
void atomic(Warp& w, const Instruction& i, uint32_t lanes) {
  w.machine->looks = 0;
  const T* b = w.in<T>(i.from[1]);
  const T* c = w.in<T>(i.from[i.from[2] == kNone ? 1 : 2]);
  T* to = i.to[0] == kNone ? nullptr : w.out<T>(i.to[0]);
  const uint32_t turn = w.machine->random() % kLanes;
  for_places(w, i, lanes, sizeof(T), true, [&](Places& p) {
    if (p.tracked) {
      note_reads(w, p, sizeof(T), i.scope);
      note_writes(w, p, sizeof(T), i.scope);
    }
    for (uint32_t k = 0; k < kLanes; ++k) {
      const int l = (int)((k + turn) % kLanes);
      if (!(p.lanes >> l & 1)) continue;
      T old;
      memcpy(&old, p.at(l), sizeof old);
      const T now = F()(old, b[l], c[l]);
      if (p.tracked) {
        begin_store(w, p, l, sizeof(T));
        observe(w, p, l, i, true);
      }
      memcpy(p.at(l), &now, sizeof now);
      if (p.tracked) end_store(w, p, l, sizeof(T), i, true);
      if (to) to[l] = old;
    }
  });
}

template <class F>
Choice atomic_of_integers(const Statement& s) {
  return for_integer(s, s.type(), [&](auto tag) -> Choice {
    using T = typename decltype(tag)::type;
    if constexpr (sizeof(T) == 2) {
      s.refuse("not for this type");
    } else {
      const bool three = std::is_same_v<F, AtomicCompare>;
      const char* const sources = sizeof(T) == 4 ? three ? "a44" : "a4"
                                  : three        ? "a88"
                                                 : "a8";
      return {atomic<T, F>, sources};
    }
  });
}

Choice atomic_sum(const Statement& s) {
  if (s.type() == Type::kF32) return {atomic<float, AtomicAdd>, "a4"};
  if (s.type() == Type::kF64) return {atomic<double, AtomicAdd>, "a8"};
  return atomic_of_integers<AtomicAdd>(s);
}

Choice choose_atomic(const Statement& s, Instruction& i) {
  i.space = space_of(s);
  if (s.has("vec") || s.has("v2") || s.has("v4")) s.refuse("no vectors");
  read_order(s, i, true);
  i.kind = Kind::kPause;
  if (s.has("add")) return atomic_sum(s);
  if (s.has("exch")) return atomic_of_integers<AtomicExchange>(s);
  if (s.has("cas")) return atomic_of_integers<AtomicCompare>(s);
  if (s.has("min")) return atomic_of_integers<AtomicMin>(s);
  if (s.has("max")) return atomic_of_integers<AtomicMax>(s);
  if (s.has("and")) return atomic_of_integers<AtomicLogic<'&'>>(s);
  if (s.has("or")) return atomic_of_integers<AtomicLogic<'|'>>(s);
  if (s.has("xor")) return atomic_of_integers<AtomicLogic<'^'>>(s);
  if (s.has("inc")) return {atomic<uint32_t, AtomicIncrement>, "a4"};
  if (s.has("dec")) return {atomic<uint32_t, AtomicDecrement>, "a4"};
  s.refuse("an operation that is not known");
}

// --- Fences ---

// What a lane has seen counts from here on, and what it did before counts for
// those who see what it writes from here on.
void fence(Warp& w, const Instruction&, uint32_t lanes) {
  if (!w.machine->options.races) return;
  for (uint32_t rest = lanes; rest; rest &= rest - 1) {
    const int l = first(rest);
    ClockPtr& pending = w.knowledge.pending[(size_t)l];
    learn(w, l, pending);
    pending.reset();
    w.knowledge.fenced[(size_t)l] = known_through(w, l);
  }
}

void nothing(Warp&, const Instruction&, uint32_t) {}

void trap(Warp& w, const Instruction&, uint32_t lanes) {
  fail(w, first(lanes), Error::kLaunch, "trap");
}

// --- Asynchronous copies ---

// Until it is waited for, the place that is copied to belongs to the copy.
void start_copy(Warp& w, const Instruction& i, uint32_t lanes) {
  const uint32_t bytes = (uint32_t)i.count;
  const uint64_t* from = w.in<uint64_t>(i.from[1]);
  const uint32_t* size =
      i.from[2] == kNone ? nullptr : w.in<uint32_t>(i.from[2]);
  for_places(w, i, lanes, bytes, true, [&](Places& p) {
    if (!p.shared) {
      fail(w, first(p.lanes), Error::kOutOfBounds,
           "out of bounds: an asynchronous copy to no shared memory");
    }
    if (p.tracked) note_writes(w, p, bytes, Scope::kWeak);
    for (uint32_t rest = p.lanes; rest; rest &= rest - 1) {
      const int l = first(rest);
      memset(p.at(l), 0xff, bytes);
      if (p.tracked) {
        for (uint32_t k = 0; k < bytes / 4; ++k) {
          (&p.word(l))[k].write_time = kPending;
        }
      }
      w.copies.push_back({(uint32_t)l, w.committed[(size_t)l], bytes,
                          size ? std::min(size[l], bytes) : bytes,
                          p.address[l],
                          from[l] + (uint64_t)(int64_t)i.target});
    }
  });
}

// As a load and a store of the lane, here.
void finish_copy(Warp& w, const Copy& c) {
  const int l = (int)c.lane;
  Places p;
  char value[16] = {};
  if (c.source_bytes) {
    p.address[l] = c.from;
    find_places(w, Space::kGlobal, 1u << l, c.bytes, false, p);
    if (p.tracked) note_reads(w, p, c.source_bytes, Scope::kWeak);
    memcpy(value, p.at(l), c.source_bytes);
  }
  p.address[l] = c.to;
  find_places(w, Space::kShared, 1u << l, c.bytes, true, p);
  if (p.tracked) {
    for (uint32_t k = 0; k < c.bytes / 4; ++k) {
      (&p.word(l))[k].write_time = 0;
    }
    note_writes(w, p, c.bytes, Scope::kWeak);
  }
  memcpy(p.at(l), value, c.bytes);
}

// All but the last `allowed` groups of each lane.
void wait_for_copies(Warp& w, uint32_t lanes, uint32_t allowed, bool all) {
  size_t kept = 0;
  for (size_t k = 0; k < w.copies.size(); ++k) {
    const Copy c = w.copies[k];
    const bool done = (lanes >> c.lane & 1) &&
                      (all || c.group + allowed < w.committed[c.lane]);
    if (done)
      finish_copy(w, c);
    else
      w.copies[kept++] = c;
  }
  w.copies.resize(kept);
}

void commit_group(Warp& w, const Instruction&, uint32_t lanes) {
  for (uint32_t rest = lanes; rest; rest &= rest - 1) {
    ++w.committed[(size_t)first(rest)];
  }
}

void wait_group(Warp& w, const Instruction& i, uint32_t lanes) {
  wait_for_copies(w, lanes, *w.in<uint32_t>(i.from[0]), false);
}

void wait_all(Warp& w, const Instruction&, uint32_t lanes) {
  wait_for_copies(w, lanes, 0, true);
}

Choice choose_copy(const Statement& s, Instruction& i) {
  if (s.has("bulk") || s.has("mbarrier")) s.refuse("not known");
  if (s.has("commit_group")) return {commit_group, ""};
  if (s.has("wait_group")) return {wait_group, "4"};
  if (s.has("wait_all")) return {wait_all, ""};
  const std::string_view bytes = s.operands.size() > 2 ? s.operands[2] : "";
  i.count = bytes == "4" ? 4 : bytes == "8" ? 8 : bytes == "16" ? 16 : 0;
  if (!i.count) s.refuse("copies of 4, 8 or 16 bytes are known");
  i.space = Space::kShared;
  return {start_copy, s.operands.size() > 3 ? "a@x4" : "a@x"};
}

const Operation operations[] = {
    {"atom", choose_atomic},
    {"red", choose_atomic},
    {"membar",
     [](const Statement&, Instruction&) -> Choice { return {fence, ""}; }},
    {"fence",
     [](const Statement& s, Instruction&) -> Choice {
       return {s.has("proxy") ? nothing : fence, ""};
     }},
    {"prefetch",
     [](const Statement&, Instruction&) -> Choice {
       return {nothing, nullptr};
     }},
    {"prefetchu",
     [](const Statement&, Instruction&) -> Choice {
       return {nothing, nullptr};
     }},
    {"griddepcontrol",
     [](const Statement&, Instruction&) -> Choice {
       return {nothing, nullptr};
     }},
    {"trap",
     [](const Statement&, Instruction&) -> Choice { return {trap, ""}; }},
    {"nanosleep",
     [](const Statement&, Instruction& i) -> Choice {
       i.kind = Kind::kPause;
       return {nothing, "4"};
     }},
    {"cp", choose_copy},
};

}  // namespace

Choose find_atomic(std::string_view name) { return find(operations, name); }

}  // namespace ptx_on_cpu
