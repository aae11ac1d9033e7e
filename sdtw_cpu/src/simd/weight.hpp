// The weights of costs, and the shares of sums.
#pragma once

#include "simd/level.hpp"

namespace sdtw {
namespace SDTW_ISA {

// Polynomials for 2**f on [-1/2, 1/2] (Chebyshev interpolation; relative
// errors 3e-16 and 2e-9: beside the roundings of a cell they do not show).
constexpr double kExp64[11] = {
    0x1.0000000000000p+0,  0x1.62e42fefa3a19p-1,  0x1.ebfbdff82c598p-3,
    0x1.c6b08d703ce49p-5,  0x1.3b2ab6fba1ddap-7,  0x1.5d87fe9d7a584p-10,
    0x1.430913096fd9fp-13, 0x1.ffcb54062e698p-17, 0x1.62bfd47773353p-20,
    0x1.b675bca4eeebbp-24, 0x1.e6063f7217bc6p-28,
};
constexpr float kExp32[7] = {
    0x1.0000000000000p+0f,  0x1.62e4300000000p-1f, 0x1.ebfbe00000000p-3f,
    0x1.c6aecc0000000p-5f,  0x1.3b2a1c0000000p-7f, 0x1.5f48c00000000p-10f,
    0x1.4440000000000p-13f,
};

// The inverse of a sum as `high + low`, and shares of the sum. In float32 a
// product with the inverse alone would often give 1 - 2**-24 where the share
// is 1 but never more than 1, and that loss of mass would add up along a path.
template <class F, class V>
struct Inverse64 {
  V high;
  explicit SDTW_INLINE Inverse64(V sum) : high(F::recip(sum)) {}
  SDTW_INLINE V share(V part) const { return F::mul(part, high); }
};
template <class F, class V>
struct Inverse32 {
  V high, low;
  explicit SDTW_INLINE Inverse32(V sum) : high(F::recip(sum)) {
    const V minus = F::sub(F::set1(0), sum);
    low = F::mul(high, F::fused(high, minus, F::set1(1)));
  }
  SDTW_INLINE V share(V part) const {
    return F::fused(part, high, F::mul(part, low));
  }
};

SDTW_INLINE Inverse64<F64, F64::V> invert(F64, F64::V sum) {
  return Inverse64<F64, F64::V>(sum);
}
SDTW_INLINE Inverse32<F32, F32::V> invert(F32, F32::V sum) {
  return Inverse32<F32, F32::V>(sum);
}

// Scale::weight_rate, negated, in two parts: a cost c weighs
// 2**(-c * weight_rate).
template <class F>
struct Rate {
  typename F::V high, low;
};

// 2**(-c * weight_rate) = f * 2**n with f in [2**-0.5, 2**0.5]. `rest` is what
// the format could not hold of the cost (F32 only).
SDTW_INLINE void weigh(const Rate<F64>& rate, F64::V c, F64::V& f, F64::X& n) {
  const F64::V magic = F64::set1(0x1.8p52);
  n = F64::sub(F64::fma(c, rate.high, magic), magic);
  const F64::V r = F64::fused_sub(c, rate.high, n);
  F64::V p = F64::set1(kExp64[10]);
  SDTW_UNROLL
  for (int k = 9; k >= 0; --k) p = F64::fma(p, r, F64::set1(kExp64[k]));
  f = p;
}

// `large` says that the exponent may be so large, like that of a forbidden
// cell, that a product of 24 bits leaves more than 1/2 to the fraction.
SDTW_INLINE void weigh(const Rate<F32>& rate, F32::V c, F32::V rest,
                       bool large, F32::V& f, F32::X& n) {
  n = F32::to_x(F32::mul(c, rate.high));
  F32::V r = F32::fused_sub(c, rate.high, F32::to_v(n));
  r = F32::fma(c, rate.low, r);
  r = F32::fma(rest, rate.high, r);
  if (large) {
    const F32::X carry = F32::to_x(r);
    n = F32::xadd(n, carry);
    r = F32::sub(r, F32::to_v(carry));
  }
  F32::V p = F32::set1(kExp32[6]);
  SDTW_UNROLL
  for (int k = 5; k >= 0; --k) p = F32::fma(p, r, F32::set1(kExp32[k]));
  f = p;
}

}  // namespace SDTW_ISA
}  // namespace sdtw
