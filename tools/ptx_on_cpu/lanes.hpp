// Operations on all lanes of a warp, in loops that compilers vectorize.
#pragma once

#include <math.h>
#include <string.h>

#include "machine.hpp"
#include "statement.hpp"

namespace ptx_on_cpu {

#if defined(__clang__)
#define PTX_ON_CPU_VECTORIZE _Pragma("clang loop vectorize(assume_safety)")
#else
#define PTX_ON_CPU_VECTORIZE _Pragma("GCC ivdep")
#endif

// to[l] = value(l) for the lanes.
template <class T, class F>
inline void set_lanes(T* to, uint32_t lanes, F value) {
  if (lanes == kAll) {
    PTX_ON_CPU_VECTORIZE
    for (int l = 0; l < kLanes; ++l) to[l] = value(l);
  } else {
    PTX_ON_CPU_VECTORIZE
    for (int l = 0; l < kLanes; ++l) {
      const T v = value(l);
      to[l] = lanes >> l & 1 ? v : to[l];
    }
  }
}

// The same where a value must not be computed for other lanes.
template <class T, class F>
inline void set_each(T* to, uint32_t lanes, F value) {
  for (uint32_t rest = lanes; rest; rest &= rest - 1) {
    const int l = first(rest);
    to[l] = value(l);
  }
}

// Of predicates, each lane has a bit.
inline void set_predicate(Warp& w, At at, uint32_t lanes, uint32_t bits) {
  uint32_t* p = w.out<uint32_t>(at);
  *p = (*p & ~lanes) | (bits & lanes);
}

template <class F>
inline uint32_t lanes_where(F condition) {
  uint32_t bits = 0;
  for (int l = 0; l < kLanes; ++l) bits |= (uint32_t)condition(l) << l;
  return bits;
}

template <class U, class T>
inline U bits_as(T a) {
  static_assert(sizeof(U) == sizeof(T), "another size");
  U b;
  memcpy(&b, &a, sizeof b);
  return b;
}

// Denormal numbers become zeros of their sign.
inline float flushed(float a) {
  const uint32_t bits = bits_as<uint32_t>(a);
  return bits_as<float>(bits & 0x7f800000 ? bits : bits & 0x80000000);
}

template <bool kFlush, class T>
inline T maybe_flushed(T a) {
  if constexpr (kFlush) return flushed(a);
  return a;
}

// --- Choosing what is executed by the type of an operation ---

template <class T>
struct Tag {
  using type = T;
};

// Calls `choose(Tag<T>())` for the type of that size: unsigned, signed, or a
// floating-point number.
template <class F>
Choice for_unsigned(const Statement& s, Type t, F choose) {
  switch (bytes_of(t)) {
    case 2:
      return choose(Tag<uint16_t>());
    case 4:
      return choose(Tag<uint32_t>());
    case 8:
      return choose(Tag<uint64_t>());
  }
  s.refuse("not for this type");
}

template <class F>
Choice for_integer(const Statement& s, Type t, F choose) {
  if (is_float(t)) s.refuse("not for this type");
  if (!is_signed(t)) return for_unsigned(s, t, choose);
  switch (t) {
    case Type::kS16:
      return choose(Tag<int16_t>());
    case Type::kS32:
      return choose(Tag<int32_t>());
    case Type::kS64:
      return choose(Tag<int64_t>());
    default:
      s.refuse("not for this type");
  }
}

template <class F>
Choice for_any(const Statement& s, Type t, F choose) {
  if (t == Type::kF32) return choose(Tag<float>());
  if (t == Type::kF64) return choose(Tag<double>());
  return for_integer(s, t, choose);
}

// That many sources of the size of T.
template <class T>
constexpr const char* sources_of(int count) {
  return (sizeof(T) == 2 ? "222" : sizeof(T) == 4 ? "444" : "888") + 3 - count;
}

// What a name chooses, by the statement and, where it has more to tell than
// operands, in the instruction.
using Choose = Choice (*)(const Statement&, Instruction&);

struct Operation {
  std::string_view name;
  Choose choose;
};

// Null if there is no such operation.
Choose find_arithmetic(std::string_view name);
Choose find_comparison(std::string_view name);
Choose find_integer(std::string_view name);
Choose find_bits(std::string_view name);
Choose find_conversion(std::string_view name);
Choose find_memory(std::string_view name);
Choose find_atomic(std::string_view name);
Choose find_collective(std::string_view name);

template <size_t kCount>
Choose find(const Operation (&operations)[kCount], std::string_view name) {
  for (const Operation& o : operations) {
    if (o.name == name) return o.choose;
  }
  return nullptr;
}

}  // namespace ptx_on_cpu
