// Products and quotients of integers.
#include "lanes.hpp"

namespace ptx_on_cpu {

namespace {

template <class T>
struct Wider;
template <>
struct Wider<uint16_t> {
  using type = uint32_t;
};
template <>
struct Wider<int16_t> {
  using type = int32_t;
};
template <>
struct Wider<uint32_t> {
  using type = uint64_t;
};
template <>
struct Wider<int32_t> {
  using type = int64_t;
};
template <>
struct Wider<uint64_t> {
  using type = unsigned __int128;
};
template <>
struct Wider<int64_t> {
  using type = __int128;
};
template <class T>
using Wide = typename Wider<T>::type;

// --- Products ---

enum Half : uint8_t { kLow, kHigh };

template <class T, Half kHalf>
inline T product(T a, T b) {
  if constexpr (kHalf == kHigh) {
    return (T)((Wide<T>)a * (Wide<T>)b >> 8 * sizeof(T));
  } else {
    using U = std::common_type_t<std::make_unsigned_t<T>, uint32_t>;
    return (T)((U)a * (U)b);
  }
}

template <class T, Half kHalf>
void multiply(Warp& w, const Instruction& i, uint32_t lanes) {
  const T* a = w.in<T>(i.from[0]);
  const T* b = w.in<T>(i.from[1]);
  set_lanes(w.out<T>(i.to[0]), lanes,
            [=](int l) { return product<T, kHalf>(a[l], b[l]); });
}

template <class T, Half kHalf>
void multiply_add(Warp& w, const Instruction& i, uint32_t lanes) {
  const T* a = w.in<T>(i.from[0]);
  const T* b = w.in<T>(i.from[1]);
  const T* c = w.in<T>(i.from[2]);
  set_lanes(w.out<T>(i.to[0]), lanes, [=](int l) {
    using U = std::make_unsigned_t<T>;
    return (T)((U)product<T, kHalf>(a[l], b[l]) + (U)c[l]);
  });
}

template <class T>
void multiply_wide(Warp& w, const Instruction& i, uint32_t lanes) {
  const T* a = w.in<T>(i.from[0]);
  const T* b = w.in<T>(i.from[1]);
  set_lanes(w.out<Wide<T>>(i.to[0]), lanes,
            [=](int l) { return (Wide<T>)a[l] * (Wide<T>)b[l]; });
}

template <class T>
void multiply_add_wide(Warp& w, const Instruction& i, uint32_t lanes) {
  using U = std::make_unsigned_t<Wide<T>>;
  const T* a = w.in<T>(i.from[0]);
  const T* b = w.in<T>(i.from[1]);
  const U* c = w.in<U>(i.from[2]);
  set_lanes(w.out<U>(i.to[0]), lanes,
            [=](int l) { return (U)((Wide<T>)a[l] * (Wide<T>)b[l]) + c[l]; });
}

template <class T, bool kRemainder>
void divide(Warp& w, const Instruction& i, uint32_t lanes) {
  const T* a = w.in<T>(i.from[0]);
  const T* b = w.in<T>(i.from[1]);
  set_each(w.out<T>(i.to[0]), lanes, [&](int l) -> T {
    if (!b[l]) fail(w, l, Error::kLaunch, "division by zero");
    if (std::is_signed_v<T> && b[l] == (T)-1) {
      return kRemainder ? 0 : (T)(0 - (std::make_unsigned_t<T>)a[l]);
    }
    return (T)(kRemainder ? a[l] % b[l] : a[l] / b[l]);
  });
}

// --- Choosing ---

template <class F>
Choice half_of(const Statement& s, F choose) {
  if (s.has("lo")) return choose(std::integral_constant<Half, kLow>());
  if (s.has("hi")) return choose(std::integral_constant<Half, kHigh>());
  s.refuse("neither lo nor hi nor wide");
}

// Types that have a product of twice their size.
template <class F>
Choice for_wide(const Statement& s, F choose) {
  switch (s.type()) {
    case Type::kU16:
      return choose(Tag<uint16_t>());
    case Type::kS16:
      return choose(Tag<int16_t>());
    case Type::kU32:
      return choose(Tag<uint32_t>());
    case Type::kS32:
      return choose(Tag<int32_t>());
    default:
      s.refuse("not for this type");
  }
}

Choice choose_product(const Statement& s, Instruction&) {
  if (s.has("wide")) {
    return for_wide(s, [](auto tag) {
      using T = typename decltype(tag)::type;
      return Choice{multiply_wide<T>, sources_of<T>(2)};
    });
  }
  return for_integer(s, s.type(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    return half_of(s, [](auto half) {
      return Choice{multiply<T, decltype(half)::value>, sources_of<T>(2)};
    });
  });
}

Choice choose_sum_of_product(const Statement& s, Instruction&) {
  if (s.has("wide")) {
    return for_wide(s, [](auto tag) {
      using T = typename decltype(tag)::type;
      return Choice{multiply_add_wide<T>, sizeof(T) == 2 ? "224" : "448"};
    });
  }
  if (s.has("sat")) s.refuse("saturation is not known");
  return for_integer(s, s.type(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    return half_of(s, [](auto half) {
      return Choice{multiply_add<T, decltype(half)::value>, sources_of<T>(3)};
    });
  });
}

template <bool kRemainder>
Choice choose_divide(const Statement& s, Instruction&) {
  return for_integer(s, s.type(), [](auto tag) {
    using T = typename decltype(tag)::type;
    return Choice{divide<T, kRemainder>, sources_of<T>(2)};
  });
}

const Operation operations[] = {
    {"mul", choose_product},
    {"mad", choose_sum_of_product},
    {"div", choose_divide<false>},
    {"rem", choose_divide<true>},
};

}  // namespace

Choose find_integer(std::string_view name) { return find(operations, name); }

}  // namespace ptx_on_cpu
