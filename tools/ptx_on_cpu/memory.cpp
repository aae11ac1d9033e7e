// Loads and stores.
#include "lanes.hpp"
#include "places.hpp"

namespace ptx_on_cpu {

namespace {

// --- Values ---

// Of elements as wide as the registers.
template <class T>
void load_values(Warp& w, const Instruction& i, const Places& p) {
  for (int k = 0; k < i.count; ++k) {
    if (i.to[k] == kNone) continue;
    T* to = w.out<T>(i.to[k]);
    for (uint32_t rest = p.lanes; rest; rest &= rest - 1) {
      const int l = first(rest);
      memcpy(to + l, p.at(l) + sizeof(T) * (size_t)k, sizeof(T));
    }
  }
}

template <class T>
void store_values(Warp& w, const Instruction& i, const Places& p) {
  for (int k = 0; k < i.count; ++k) {
    const T* from = w.in<T>(i.to[k]);
    for (uint32_t rest = p.lanes; rest; rest &= rest - 1) {
      const int l = first(rest);
      memcpy(p.at(l) + sizeof(T) * (size_t)k, from + l, sizeof(T));
    }
  }
}

// Of narrower ones, with the sign or zeros above.
template <class T, class Register>
void load_narrow(Warp& w, const Instruction& i, const Places& p) {
  for (int k = 0; k < i.count; ++k) {
    Register* to = w.out<Register>(i.to[k]);
    for (uint32_t rest = p.lanes; rest; rest &= rest - 1) {
      const int l = first(rest);
      T v;
      memcpy(&v, p.at(l) + sizeof(T) * (size_t)k, sizeof(T));
      to[l] = (Register)v;
    }
  }
}

template <class T, class Register>
void store_narrow(Warp& w, const Instruction& i, const Places& p) {
  for (int k = 0; k < i.count; ++k) {
    const Register* from = w.in<Register>(i.to[k]);
    for (uint32_t rest = p.lanes; rest; rest &= rest - 1) {
      const int l = first(rest);
      const T v = (T)from[l];
      memcpy(p.at(l) + sizeof(T) * (size_t)k, &v, sizeof(T));
    }
  }
}

using Values = void (*)(Warp&, const Instruction&, const Places&);

// --- Instructions ---

[[noreturn]] void fail_read_only(const Warp& w, const Places& p, int l) {
  fail(w, l, Error::kRace,
       "stale read possible: reads %s, which this launch has written, through "
       "the cache of read-only data",
       place_of(w, p.address[l], 4).c_str());
}

// Registers that were read from shared memory that the block has not written.
// It is no error before they are used: compilers load early.
void mark_missing(Warp& w, const Instruction& i, const Places& p,
                  uint32_t bytes) {
  for (int k = 0; k < i.count; ++k) {
    const size_t word = (size_t)k * bytes / 4;
    const uint32_t lanes =
        p.missing[word] | (bytes == 8 ? p.missing[word + 1] : 0);
    if (!lanes || i.to[k] == kNone) continue;
    const auto& results = w.machine->kernel.results[(size_t)w.current];
    add_poison(w, i.to[k], results[(size_t)k], w.current, lanes);
  }
}

template <Values kValues, uint32_t kBytes>
void load(Warp& w, const Instruction& i, uint32_t lanes) {
  const uint32_t bytes = kBytes * i.count;
  for_places(w, i, lanes, bytes, false, [&](Places& p) {
    if (p.tracked) {
      note_reads(w, p, bytes, i.scope);
      if (p.shared) mark_missing(w, i, p, kBytes);
      if (i.variant & kReadOnly) {
        for (uint32_t rest = p.lanes; rest; rest &= rest - 1) {
          const int l = first(rest);
          if (p.word(l).write_time >= p.start) fail_read_only(w, p, l);
        }
      }
    }
    kValues(w, i, p);
  });
}

template <Values kValues, uint32_t kBytes>
void store(Warp& w, const Instruction& i, uint32_t lanes) {
  const uint32_t bytes = kBytes * i.count;
  w.machine->looks = 0;
  for_places(w, i, lanes, bytes, true, [&](Places& p) {
    if (p.tracked) note_writes(w, p, bytes, i.scope);
    kValues(w, i, p);
  });
}

// Ones that other threads may be waiting for, or wait for them.
template <Values kValues, uint32_t kBytes>
void load_strong(Warp& w, const Instruction& i, uint32_t lanes) {
  Machine& m = *w.machine;
  ++m.looks;
  for_places(w, i, lanes, kBytes * i.count, false, [&](Places& p) {
    const int looks = first(p.lanes);
    m.looking = {&w, looks, w.current, p.full(looks)};
    kValues(w, i, p);
    if (!p.tracked) return;
    note_reads(w, p, kBytes * i.count, i.scope);
    // Of vectors and narrow numbers, the latest value is seen.
    const bool whole = i.count == 1 && kBytes >= 4;
    for (uint32_t rest = p.lanes; rest; rest &= rest - 1) {
      const int l = first(rest);
      const Store* seen = observe(w, p, l, i, !whole);
      if (!seen || !whole) continue;
      memcpy(w.out<char>(i.to[0]) + kBytes * (size_t)l, &seen->value, kBytes);
    }
  });
}

template <Values kValues, uint32_t kBytes>
void store_strong(Warp& w, const Instruction& i, uint32_t lanes) {
  const uint32_t bytes = kBytes * i.count;
  w.machine->looks = 0;
  for_places(w, i, lanes, bytes, true, [&](Places& p) {
    for (uint32_t rest = p.tracked ? p.lanes : 0; rest; rest &= rest - 1) {
      begin_store(w, p, first(rest), bytes);
    }
    if (p.tracked) note_writes(w, p, bytes, i.scope);
    kValues(w, i, p);
    for (uint32_t rest = p.tracked ? p.lanes : 0; rest; rest &= rest - 1) {
      end_store(w, p, first(rest), bytes, i, false);
    }
  });
}

// Of parameters, which all lanes share.
template <class T, class Register>
void load_parameter(Warp& w, const Instruction& i, uint32_t lanes) {
  const uint64_t* a = w.in<uint64_t>(i.from[0]);
  const std::vector<char>& parameters = w.machine->parameters;
  for (int k = 0; k < i.count; ++k) {
    Register* to = w.out<Register>(i.to[k]);
    set_each(to, lanes, [&](int l) {
      const uint64_t at = a[l] + (uint64_t)i.offset + sizeof(T) * (size_t)k;
      if (at + sizeof(T) > parameters.size()) {
        fail(w, l, Error::kOutOfBounds,
             "out of bounds: reads byte %llu of %zu of the parameters",
             (unsigned long long)at, parameters.size());
      }
      T v;
      memcpy(&v, parameters.data() + at, sizeof v);
      return (Register)v;
    });
  }
}

// --- Choosing ---

template <class T, class Register>
Execute load_of(const Instruction& i) {
  if (i.space == Space::kParameter) return load_parameter<T, Register>;
  if constexpr (sizeof(T) == sizeof(Register)) {
    if (i.scope != Scope::kWeak) return load_strong<load_values<T>, sizeof(T)>;
    return load<load_values<T>, sizeof(T)>;
  } else {
    if (i.scope != Scope::kWeak) {
      return load_strong<load_narrow<T, Register>, sizeof(T)>;
    }
    return load<load_narrow<T, Register>, sizeof(T)>;
  }
}

template <class T, class Register>
Execute store_of(const Instruction& i) {
  if constexpr (sizeof(T) == sizeof(Register)) {
    if (i.scope != Scope::kWeak) {
      return store_strong<store_values<T>, sizeof(T)>;
    }
    return store<store_values<T>, sizeof(T)>;
  } else {
    if (i.scope != Scope::kWeak) {
      return store_strong<store_narrow<T, Register>, sizeof(T)>;
    }
    return store<store_narrow<T, Register>, sizeof(T)>;
  }
}

template <class F>
Execute for_access(const Statement& s, int width, F choose) {
  const int bytes = bytes_of(s.type());
  const bool sign = is_signed(s.type());
  switch (10 * bytes + width) {
    case 12:
      return sign ? choose(Tag<int8_t>(), Tag<uint16_t>())
                  : choose(Tag<uint8_t>(), Tag<uint16_t>());
    case 14:
      return sign ? choose(Tag<int8_t>(), Tag<uint32_t>())
                  : choose(Tag<uint8_t>(), Tag<uint32_t>());
    case 18:
      return sign ? choose(Tag<int8_t>(), Tag<uint64_t>())
                  : choose(Tag<uint8_t>(), Tag<uint64_t>());
    case 22:
      return choose(Tag<uint16_t>(), Tag<uint16_t>());
    case 24:
      return sign ? choose(Tag<int16_t>(), Tag<uint32_t>())
                  : choose(Tag<uint16_t>(), Tag<uint32_t>());
    case 44:
      return choose(Tag<uint32_t>(), Tag<uint32_t>());
    case 48:
      return sign ? choose(Tag<int32_t>(), Tag<uint64_t>())
                  : choose(Tag<uint32_t>(), Tag<uint64_t>());
    case 88:
      return choose(Tag<uint64_t>(), Tag<uint64_t>());
  }
  s.refuse("registers of another width");
}

void read_access(const Statement& s, Instruction& i) {
  i.space = space_of(s);
  i.count = s.has("v2") ? 2 : s.has("v4") ? 4 : 1;
  read_order(s, i, false);
  if (i.scope != Scope::kWeak) i.kind = Kind::kPause;
}

const Operation operations[] = {
    {"ld",
     [](const Statement& s, Instruction& i) -> Choice {
       read_access(s, i);
       if (s.has("nc")) i.variant |= kReadOnly;
       return {for_access(s, s.widths[0],
                          [&](auto type, auto width) {
                            return load_of<typename decltype(type)::type,
                                           typename decltype(width)::type>(i);
                          }),
               "a"};
     }},
    {"st",
     [](const Statement& s, Instruction& i) -> Choice {
       read_access(s, i);
       if (i.space == Space::kParameter) s.refuse("calls are not known");
       return {
           for_access(s, s.widths[1] < 0 ? bytes_of(s.type()) : s.widths[1],
                      [&](auto type, auto width) {
                        return store_of<typename decltype(type)::type,
                                        typename decltype(width)::type>(i);
                      }),
           "av"};
     }},
};

}  // namespace

Choose find_memory(std::string_view name) { return find(operations, name); }

}  // namespace ptx_on_cpu
