// Bits, and moves between registers.
#include "lanes.hpp"

namespace ptx_on_cpu {

namespace {

// --- Bits ---

template <class T, char kOperation>
void logic(Warp& w, const Instruction& i, uint32_t lanes) {
  const T* a = w.in<T>(i.from[0]);
  const T* b = w.in<T>(i.from[1]);
  set_lanes(w.out<T>(i.to[0]), lanes, [=](int l) {
    return (T)(kOperation == '&'   ? a[l] & b[l]
               : kOperation == '|' ? a[l] | b[l]
                                   : a[l] ^ b[l]);
  });
}

template <char kOperation>
void predicate_logic(Warp& w, const Instruction& i, uint32_t lanes) {
  const uint32_t a = *w.in<uint32_t>(i.from[0]);
  const uint32_t b = *w.in<uint32_t>(i.from[1]);
  set_predicate(w, i.to[0], lanes,
                kOperation == '&'   ? a & b
                : kOperation == '|' ? a | b
                                    : a ^ b);
}

template <class T>
void complement(Warp& w, const Instruction& i, uint32_t lanes) {
  const T* a = w.in<T>(i.from[0]);
  set_lanes(w.out<T>(i.to[0]), lanes, [=](int l) { return (T)~a[l]; });
}

void predicate_not(Warp& w, const Instruction& i, uint32_t lanes) {
  set_predicate(w, i.to[0], lanes, ~*w.in<uint32_t>(i.from[0]));
}

void predicate_move(Warp& w, const Instruction& i, uint32_t lanes) {
  set_predicate(w, i.to[0], lanes, *w.in<uint32_t>(i.from[0]));
}

// Bits that are shifted out are lost, however far.
template <class T>
void shift_left(Warp& w, const Instruction& i, uint32_t lanes) {
  const T* a = w.in<T>(i.from[0]);
  const uint32_t* by = w.in<uint32_t>(i.from[1]);
  constexpr uint32_t width = 8 * sizeof(T);
  set_lanes(w.out<T>(i.to[0]), lanes, [=](int l) {
    const T shifted = (T)(a[l] << (by[l] & (width - 1)));
    return by[l] < width ? shifted : (T)0;
  });
}

template <class T>
void shift_right(Warp& w, const Instruction& i, uint32_t lanes) {
  const T* a = w.in<T>(i.from[0]);
  const uint32_t* by = w.in<uint32_t>(i.from[1]);
  constexpr uint32_t width = 8 * sizeof(T);
  set_lanes(w.out<T>(i.to[0]), lanes, [=](int l) {
    const T most = (T)(std::is_signed_v<T> && a[l] < 0 ? -1 : 0);
    const T shifted = (T)(a[l] >> (by[l] & (width - 1)));
    return by[l] < width ? shifted : most;
  });
}

// variant: 1 to the left, 2 wraps
void funnel_shift(Warp& w, const Instruction& i, uint32_t lanes) {
  const uint32_t* low = w.in<uint32_t>(i.from[0]);
  const uint32_t* high = w.in<uint32_t>(i.from[1]);
  const uint32_t* by = w.in<uint32_t>(i.from[2]);
  const bool left = i.variant & 1, wraps = i.variant & 2;
  set_each(w.out<uint32_t>(i.to[0]), lanes, [=](int l) {
    const uint64_t both = (uint64_t)high[l] << 32 | low[l];
    const uint32_t n = wraps ? by[l] & 31 : by[l] < 32 ? by[l] : 32;
    return (uint32_t)(left ? (n == 32 ? both << 32 : both << n) >> 32
                           : both >> n);
  });
}

void any_logic(Warp& w, const Instruction& i, uint32_t lanes) {
  const uint32_t* a = w.in<uint32_t>(i.from[0]);
  const uint32_t* b = w.in<uint32_t>(i.from[1]);
  const uint32_t* c = w.in<uint32_t>(i.from[2]);
  const uint32_t table = *w.in<uint32_t>(i.from[3]);
  set_lanes(w.out<uint32_t>(i.to[0]), lanes, [=](int l) {
    uint32_t r = 0;
    for (uint32_t k = 0; k < 8; ++k) {
      const uint32_t here = (k & 4 ? a[l] : ~a[l]) & (k & 2 ? b[l] : ~b[l]) &
                            (k & 1 ? c[l] : ~c[l]);
      r |= table >> k & 1 ? here : 0;
    }
    return r;
  });
}

void permute(Warp& w, const Instruction& i, uint32_t lanes) {
  const uint32_t* a = w.in<uint32_t>(i.from[0]);
  const uint32_t* b = w.in<uint32_t>(i.from[1]);
  const uint32_t* by = w.in<uint32_t>(i.from[2]);
  set_each(w.out<uint32_t>(i.to[0]), lanes, [=](int l) {
    const uint64_t both = (uint64_t)b[l] << 32 | a[l];
    uint32_t r = 0;
    for (int k = 0; k < 4; ++k) {
      const uint32_t q = by[l] >> 4 * k & 15;
      uint32_t byte = (uint32_t)(both >> 8 * (q & 7)) & 255;
      if (q & 8) byte = byte & 128 ? 255 : 0;
      r |= byte << 8 * k;
    }
    return r;
  });
}

template <class T>
inline T low_bits(uint32_t count) {
  return count >= 8 * sizeof(T) ? (T) ~(T)0 : (T)(((T)1 << count) - 1);
}

template <class T>
void insert_bits(Warp& w, const Instruction& i, uint32_t lanes) {
  const T* a = w.in<T>(i.from[0]);
  const T* b = w.in<T>(i.from[1]);
  const uint32_t* at = w.in<uint32_t>(i.from[2]);
  const uint32_t* count = w.in<uint32_t>(i.from[3]);
  set_each(w.out<T>(i.to[0]), lanes, [=](int l) {
    const uint32_t p = at[l] & 255;
    if (p >= 8 * sizeof(T)) return b[l];
    const T mask = low_bits<T>(count[l] & 255);
    return (T)((b[l] & ~(mask << p)) | (a[l] & mask) << p);
  });
}

template <class T>
void extract_bits(Warp& w, const Instruction& i, uint32_t lanes) {
  using U = std::make_unsigned_t<T>;
  const T* a = w.in<T>(i.from[0]);
  const uint32_t* at = w.in<uint32_t>(i.from[1]);
  const uint32_t* count = w.in<uint32_t>(i.from[2]);
  set_each(w.out<T>(i.to[0]), lanes, [=](int l) -> T {
    constexpr uint32_t width = 8 * sizeof(T);
    const uint32_t p = at[l] & 255, n = count[l] & 255;
    if (!n) return 0;
    const U sign = std::is_signed_v<T>
                       ? (U)a[l] >> (p + n - 1 < width ? p + n - 1 : width - 1)
                       : 0;
    const U fill = sign & 1 ? (U)~low_bits<U>(n) : 0;
    const U found = p < width ? (U)a[l] >> p : 0;
    U r = (U)((found & low_bits<U>(n)) | fill);
    // Bits beyond the upper end are copies of the sign.
    if ((sign & 1) && p + n > width && p < width) {
      r |= (U)~low_bits<U>(width - p);
    }
    return (T)r;
  });
}

template <class T, char kOperation>
void count_bits(Warp& w, const Instruction& i, uint32_t lanes) {
  const T* a = w.in<T>(i.from[0]);
  set_each(w.out<uint32_t>(i.to[0]), lanes, [=](int l) -> uint32_t {
    constexpr uint32_t width = 8 * sizeof(T);
    if (kOperation == 'p') return (uint32_t)__builtin_popcountll(a[l]);
    if (!a[l]) return kOperation == 'c' ? width : ~0u;
    const uint32_t leading = (uint32_t)__builtin_clzll(a[l]) - (64 - width);
    return kOperation == 'f' ? width - 1 - leading : leading;
  });
}

template <class T>
void reverse_bits(Warp& w, const Instruction& i, uint32_t lanes) {
  const T* a = w.in<T>(i.from[0]);
  set_each(w.out<T>(i.to[0]), lanes, [=](int l) {
    T r = 0;
    for (uint32_t k = 0; k < 8 * sizeof(T); ++k) {
      r = (T)(r << 1 | (a[l] >> k & 1));
    }
    return r;
  });
}

// --- Moves ---

template <class T>
void move(Warp& w, const Instruction& i, uint32_t lanes) {
  const T* a = w.in<T>(i.from[0]);
  set_lanes(w.out<T>(i.to[0]), lanes, [=](int l) { return a[l]; });
}

template <class T>
void select(Warp& w, const Instruction& i, uint32_t lanes) {
  const T* a = w.in<T>(i.from[0]);
  const T* b = w.in<T>(i.from[1]);
  const uint32_t p = *w.in<uint32_t>(i.from[2]);
  set_lanes(w.out<T>(i.to[0]), lanes,
            [=](int l) { return p >> l & 1 ? a[l] : b[l]; });
}

// Of registers one that is `count` times as wide.
template <class T, class Part>
void pack(Warp& w, const Instruction& i, uint32_t lanes) {
  constexpr int count = sizeof(T) / sizeof(Part);
  const Part* parts[count];
  for (int k = 0; k < count; ++k) parts[k] = w.in<Part>(i.from[k]);
  T* to = w.out<T>(i.to[0]);
  set_lanes(to, lanes, [=](int l) {
    T v = 0;
    for (int k = 0; k < count; ++k) {
      v |= (T)parts[k][l] << 8 * sizeof(Part) * (size_t)k;
    }
    return v;
  });
}

template <class T, class Part>
void unpack(Warp& w, const Instruction& i, uint32_t lanes) {
  constexpr int count = sizeof(T) / sizeof(Part);
  T v[kLanes];
  memcpy(v, w.in<T>(i.from[0]), sizeof v);
  for (int k = 0; k < count; ++k) {
    if (i.to[k] == kNone) continue;
    set_lanes(w.out<Part>(i.to[k]), lanes, [&](int l) {
      return (Part)(v[l] >> 8 * sizeof(Part) * (size_t)k);
    });
  }
}

// --- Choosing ---

template <char kOperation>
Choice choose_logic(const Statement& s, Instruction&) {
  if (s.type() == Type::kPredicate) {
    return {predicate_logic<kOperation>, "pp"};
  }
  return for_unsigned(s, s.type(), [](auto tag) {
    using T = typename decltype(tag)::type;
    return Choice{logic<T, kOperation>, sources_of<T>(2)};
  });
}

template <class F>
Choice for_shift(const Statement& s, F choose) {
  return for_integer(s, s.type(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    return Choice{choose(tag), sizeof(T) == 2   ? "24"
                               : sizeof(T) == 4 ? "44"
                                                : "84"};
  });
}

template <char kOperation>
Choice choose_count(const Statement& s, Instruction& i) {
  if (kOperation == 'f' && s.has("shiftamt")) return choose_count<'s'>(s, i);
  if (bytes_of(s.type()) == 4) return {count_bits<uint32_t, kOperation>, "4"};
  if (bytes_of(s.type()) == 8) return {count_bits<uint64_t, kOperation>, "8"};
  s.refuse("not for this type");
}

Choice choose_move(const Statement& s, Instruction& i) {
  if (s.type() == Type::kPredicate) return {predicate_move, "p"};
  const bool packs = s.operands[1][0] == '{';
  const bool unpacks = s.operands[0][0] == '{';
  if (packs || unpacks) {
    i.count = (uint8_t)elements(s.operands[packs]).size();
    const int bytes = bytes_of(s.type());
    if (bytes == 8 && i.count == 2) {
      return {packs ? pack<uint64_t, uint32_t> : unpack<uint64_t, uint32_t>,
              packs ? "4" : "8"};
    }
    if (bytes == 8 && i.count == 4) {
      return {packs ? pack<uint64_t, uint16_t> : unpack<uint64_t, uint16_t>,
              packs ? "2" : "8"};
    }
    if (bytes == 4 && i.count == 2) {
      return {packs ? pack<uint32_t, uint16_t> : unpack<uint32_t, uint16_t>,
              packs ? "2" : "4"};
    }
    s.refuse("a vector of another size");
  }
  return for_unsigned(s, s.type(), [](auto tag) {
    using T = typename decltype(tag)::type;
    return Choice{move<T>, sources_of<T>(1)};
  });
}

Choice choose_select(const Statement& s, Instruction&) {
  return for_unsigned(s, s.type(), [](auto tag) {
    using T = typename decltype(tag)::type;
    return Choice{select<T>, sizeof(T) == 2   ? "22p"
                             : sizeof(T) == 4 ? "44p"
                                              : "88p"};
  });
}

const Operation operations[] = {
    {"and", choose_logic<'&'>},
    {"or", choose_logic<'|'>},
    {"xor", choose_logic<'^'>},
    {"not",
     [](const Statement& s, Instruction&) -> Choice {
       if (s.type() == Type::kPredicate) return {predicate_not, "p"};
       return for_unsigned(s, s.type(), [](auto tag) {
         using T = typename decltype(tag)::type;
         return Choice{complement<T>, sources_of<T>(1)};
       });
     }},
    {"shl",
     [](const Statement& s, Instruction&) {
       return for_shift(s, [](auto tag) {
         using T = typename decltype(tag)::type;
         return shift_left<std::make_unsigned_t<T>>;
       });
     }},
    {"shr",
     [](const Statement& s, Instruction&) {
       return for_shift(s, [](auto tag) {
         return shift_right<typename decltype(tag)::type>;
       });
     }},
    {"shf",
     [](const Statement& s, Instruction& i) -> Choice {
       i.variant = (uint8_t)(s.has("l") | s.has("wrap") << 1);
       return {funnel_shift, "444"};
     }},
    {"lop3",
     [](const Statement& s, Instruction&) -> Choice {
       if (s.operands.size() != 5) s.refuse("another number of operands");
       return {any_logic, "4444"};
     }},
    {"prmt",
     [](const Statement& s, Instruction&) -> Choice {
       if (s.type() != Type::kB32 || s.parts.size() != 2) {
         s.refuse("a mode that is not known");
       }
       return {permute, "444"};
     }},
    {"bfi",
     [](const Statement& s, Instruction&) -> Choice {
       if (bytes_of(s.type()) == 4) return {insert_bits<uint32_t>, "4444"};
       return {insert_bits<uint64_t>, "8844"};
     }},
    {"bfe",
     [](const Statement& s, Instruction&) {
       return for_integer(s, s.type(), [](auto tag) {
         using T = typename decltype(tag)::type;
         return Choice{extract_bits<T>, sizeof(T) == 4 ? "444" : "844"};
       });
     }},
    {"popc", choose_count<'p'>},
    {"clz", choose_count<'c'>},
    {"bfind", choose_count<'f'>},
    {"brev",
     [](const Statement& s, Instruction&) {
       return for_unsigned(s, s.type(), [](auto tag) {
         using T = typename decltype(tag)::type;
         return Choice{reverse_bits<T>, sources_of<T>(1)};
       });
     }},
    {"mov", choose_move},
    {"selp", choose_select},
};

}  // namespace

Choose find_bits(std::string_view name) { return find(operations, name); }

}  // namespace ptx_on_cpu
