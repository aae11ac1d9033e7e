// The vectors of the instruction set that kernels.cpp is compiled for.
#pragma once

#include "simd/interface.hpp"

#define SDTW_STRING_OF(a) #a
#define SDTW_STRING(a) SDTW_STRING_OF(a)
// clang-format off
#define SDTW_LEVEL_FILE SDTW_STRING(simd/SDTW_ISA.hpp)
// clang-format on
#include SDTW_LEVEL_FILE

namespace sdtw {
namespace SDTW_ISA {

template <class F, class T>
constexpr bool complete() {
  static_assert(sizeof(typename F::T) == sizeof(T), "T is the wrong type");
  static_assert(sizeof(typename F::V) == F::L * sizeof(T),
                "V has not the size of L numbers");
  static_assert(sizeof(typename F::X) == F::L * sizeof(T),
                "X has not the size of L numbers, whose arrays keep it");
  static_assert(F::L <= kMaxLanes, "kMaxLanes is too small");
  return true;
}
static_assert(complete<F64, double>() && complete<F32, float>(), "");

}  // namespace SDTW_ISA
}  // namespace sdtw
