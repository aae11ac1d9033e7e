// Conversions between types.
#include "lanes.hpp"

namespace ptx_on_cpu {

namespace {

enum Rounding : uint8_t { kExact, kNearest, kZero, kDown, kUp };

template <class T>
inline T rounded(T x, Rounding by) {
  return by == kNearest ? std::nearbyint(x)
         : by == kZero  ? std::trunc(x)
         : by == kDown  ? std::floor(x)
         : by == kUp    ? std::ceil(x)
                        : x;
}

// The nearest integer that the type has; NaN is 0, or the least of 64 bits.
template <class To, class From>
inline To to_integer(From x, Rounding by) {
  constexpr int bits = 8 * sizeof(To) - std::is_signed_v<To>;
  constexpr To least = std::numeric_limits<To>::min();
  constexpr To most = std::numeric_limits<To>::max();
  const From end = (From)std::ldexp(1.0, bits);
  x = rounded(x, by);
  if (x != x) return sizeof(To) == 8 ? (To)(1ull << 63) : 0;
  return x >= end ? most : x < (From)least ? least : (To)x;
}

// Where registers have the size of the type.
template <class To, class From, bool kFlush>
void convert(Warp& w, const Instruction& i, uint32_t lanes) {
  const From* a = w.in<From>(i.from[0]);
  const Rounding by = (Rounding)i.variant;
  set_lanes(w.out<To>(i.to[0]), lanes, [=](int l) -> To {
    From x = a[l];
    if constexpr (std::is_same_v<From, float> && kFlush) x = flushed(x);
    if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
      return to_integer<To>(x, by);
    } else {
      To v = (To)x;
      if constexpr (std::is_floating_point_v<From>) v = rounded(v, by);
      if constexpr (std::is_same_v<To, float> && kFlush) v = flushed(v);
      return v;
    }
  });
}

// Between integers of any width in registers of any width, which are at least
// as wide. `offset` has the types and the widths.
struct Widths {
  Type to, from;
  uint8_t to_bytes, from_bytes;
};

uint64_t load(const char* p, int bytes) {
  uint64_t v = 0;
  memcpy(&v, p, (size_t)bytes);
  return v;
}

uint64_t extended(uint64_t v, Type t) {
  const int unused = 64 - 8 * bytes_of(t);
  return is_signed(t) ? (uint64_t)((int64_t)(v << unused) >> unused)
                      : v << unused >> unused;
}

void convert_integers(Warp& w, const Instruction& i, uint32_t lanes) {
  Widths n;
  memcpy(&n, &i.offset, sizeof n);
  const char* from = w.in<char>(i.from[0]);
  char* to = w.out<char>(i.to[0]);
  for (uint32_t rest = lanes; rest; rest &= rest - 1) {
    const int l = first(rest);
    const uint64_t v = extended(
        extended(load(from + l * n.from_bytes, n.from_bytes), n.from), n.to);
    memcpy(to + l * n.to_bytes, &v, n.to_bytes);
  }
}

Choice choose_conversion(const Statement& s, Instruction& i) {
  if (s.types.size() != 2 || s.has("sat")) s.refuse("not known");
  const Type to = s.types[0], from = s.types[1];
  const int to_bytes = s.widths[0], from_bytes = s.widths[1];
  if (!is_float(to) && !is_float(from) &&
      (bytes_of(to) != to_bytes || bytes_of(from) != from_bytes)) {
    const Widths n = {to, from, (uint8_t)to_bytes, (uint8_t)from_bytes};
    memcpy(&i.offset, &n, sizeof n);
    return {convert_integers, "r"};
  }
  if (bytes_of(to) != to_bytes || bytes_of(from) != from_bytes) {
    s.refuse("registers of another width");
  }
  i.variant = s.has("rni")   ? kNearest
              : s.has("rzi") ? kZero
              : s.has("rmi") ? kDown
              : s.has("rpi") ? kUp
                             : kExact;
  if (s.has("rz") || s.has("rm") || s.has("rp")) {
    s.refuse("a rounding that is not known");
  }
  const bool flush = s.has("ftz");
  return for_any(s, to, [&](auto to_tag) {
    return for_any(s, from, [&](auto from_tag) -> Choice {
      using To = typename decltype(to_tag)::type;
      using From = typename decltype(from_tag)::type;
      if constexpr (std::is_same_v<To, float> || std::is_same_v<From, float>) {
        if (flush) return {convert<To, From, true>, sources_of<From>(1)};
      }
      return {convert<To, From, false>, sources_of<From>(1)};
    });
  });
}

// Between the address spaces: `offset` is added to an address.
template <class T>
void add_offset(Warp& w, const Instruction& i, uint32_t lanes) {
  const T* a = w.in<T>(i.from[0]);
  const T by = (T)i.offset;
  set_lanes(w.out<T>(i.to[0]), lanes, [=](int l) { return (T)(a[l] + by); });
}

Choice choose_address(const Statement& s, Instruction& i) {
  const uint64_t window = s.has("shared")  ? kSharedWindow
                          : s.has("local") ? kLocalWindow
                                           : 0;
  i.offset = (int64_t)(s.has("to") ? 0 - window : window);
  if (s.type() != Type::kU64) s.refuse("only with 64 bits");
  return {add_offset<uint64_t>, "8"};
}

const Operation operations[] = {
    {"cvt", choose_conversion},
    {"cvta", choose_address},
};

}  // namespace

Choose find_conversion(std::string_view name) {
  return find(operations, name);
}

}  // namespace ptx_on_cpu
