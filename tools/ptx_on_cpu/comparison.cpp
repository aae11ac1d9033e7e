// Comparisons, and predicates made of them.
#include "lanes.hpp"

namespace ptx_on_cpu {

namespace {

// Which comparison, with operands exchanged and results negated as needed.
struct Equal {
  template <class T>
  bool operator()(T a, T b) const {
    return a == b;
  }
};
struct Less {
  template <class T>
  bool operator()(T a, T b) const {
    return a < b;
  }
};
struct LessOrEqual {
  template <class T>
  bool operator()(T a, T b) const {
    return a <= b;
  }
};
struct Different {  // of numbers
  template <class T>
  bool operator()(T a, T b) const {
    return a < b || a > b;
  }
};
struct Numbers {
  template <class T>
  bool operator()(T a, T b) const {
    return a == a && b == b;
  }
};

enum Logic : uint8_t { kNoLogic, kAnd, kOr, kXor };

// from[2] is a predicate to combine the comparison with.
template <class T, bool kFlush, class F>
void compare(Warp& w, const Instruction& i, uint32_t lanes) {
  const T* a = w.in<T>(i.from[0]);
  const T* b = w.in<T>(i.from[1]);
  uint32_t bits = lanes_where([=](int l) {
    return F()(maybe_flushed<kFlush>(a[l]), maybe_flushed<kFlush>(b[l]));
  });
  if (i.negated) bits = ~bits;
  uint32_t other = ~bits;
  if (i.variant != kNoLogic) {
    uint32_t c = *w.in<uint32_t>(i.from[2]);
    if (i.count) c = ~c;
    const auto with = [&](uint32_t p) {
      return i.variant == kAnd ? p & c : i.variant == kOr ? p | c : p ^ c;
    };
    bits = with(bits);
    other = with(other);
  }
  set_predicate(w, i.to[0], lanes, bits);
  if (i.to[1] != kNone) set_predicate(w, i.to[1], lanes, other);
}

Choice choose_compare(const Statement& s, Instruction& i) {
  struct Comparison {
    std::string_view name;
    char relation;  // = < >, with - for the negated
    bool exchanged, negated;
  };
  static constexpr Comparison comparisons[] = {
      {"eq", '=', false, false},  {"ne", '!', false, false},
      {"lt", '<', false, false},  {"le", 'l', false, false},
      {"gt", '<', true, false},   {"ge", 'l', true, false},
      {"lo", '<', false, false},  {"ls", 'l', false, false},
      {"hi", '<', true, false},   {"hs", 'l', true, false},
      {"equ", '!', false, true},  {"neu", '=', false, true},
      {"ltu", 'l', true, true},   {"leu", '<', true, true},
      {"gtu", 'l', false, true},  {"geu", '<', false, true},
      {"num", 'n', false, false}, {"nan", 'n', false, true}};
  const Comparison* comparison = nullptr;
  for (const Comparison& c : comparisons) {
    if (s.has(c.name)) comparison = &c;
  }
  if (!comparison) s.refuse("no comparison that is known");
  i.negated = comparison->negated;
  i.variant = s.has("and")   ? kAnd
              : s.has("or")  ? kOr
              : s.has("xor") ? kXor
                             : kNoLogic;
  i.count = i.variant && s.operands.back()[0] == '!';
  // The parser exchanges the operands where `offset` says so.
  i.offset = comparison->exchanged;
  const bool flush = s.type() == Type::kF32 && s.has("ftz");
  const auto choose = [&](auto tag) -> Choice {
    using T = typename decltype(tag)::type;
    const char* const sources = !i.variant       ? sources_of<T>(2)
                                : sizeof(T) == 2 ? "22p"
                                : sizeof(T) == 4 ? "44p"
                                                 : "88p";
    const auto of = [&](auto relation) -> Choice {
      using F = decltype(relation);
      if constexpr (std::is_same_v<T, float>) {
        if (flush) return {compare<T, true, F>, sources};
      }
      return {compare<T, false, F>, sources};
    };
    switch (comparison->relation) {
      case '=':
        return of(Equal());
      case '<':
        return of(Less());
      case 'l':
        return of(LessOrEqual());
      case '!':
        return of(Different());
    }
    if constexpr (std::is_floating_point_v<T>) return of(Numbers());
    s.refuse("not for this type");
  };
  return for_any(s, s.type(), choose);
}

const Operation operations[] = {
    {"setp", choose_compare},
};

}  // namespace

Choose find_comparison(std::string_view name) {
  return find(operations, name);
}

}  // namespace ptx_on_cpu
