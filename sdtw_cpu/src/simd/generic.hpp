// Plain loops over 128 bits, which any compiler vectorises.
#pragma once

#include <math.h>

#include "simd/interface.hpp"

namespace sdtw {
namespace SDTW_ISA {

constexpr bool kBaseline = true;

template <class T_, int L_>
struct Plain {
  using T = T_;
  static constexpr int L = L_;
  struct V {
    T a[L];
  };
  template <class Fn>
  static SDTW_INLINE V map(Fn fn) {
    V r;
    for (int l = 0; l < L; ++l) r.a[l] = fn(l);
    return r;
  }
  static SDTW_INLINE V set1(T a) {
    return map([&](int) { return a; });
  }
  static SDTW_INLINE V load(const T* p) {
    return map([&](int l) { return p[l]; });
  }
  static SDTW_INLINE void store(T* p, const V& a) {
    for (int l = 0; l < L; ++l) p[l] = a.a[l];
  }
  static SDTW_INLINE void keep(V&) {}
  static SDTW_INLINE V add(V a, V b) {
    return map([&](int l) { return a.a[l] + b.a[l]; });
  }
  static SDTW_INLINE V sub(V a, V b) {
    return map([&](int l) { return a.a[l] - b.a[l]; });
  }
  static SDTW_INLINE V mul(V a, V b) {
    return map([&](int l) { return a.a[l] * b.a[l]; });
  }
  static SDTW_INLINE V fma(V a, V b, V c) {
    return map([&](int l) { return sum(a.a[l], b.a[l], c.a[l]); });
  }
  static SDTW_INLINE V fnma(V a, V b, V c) {
    return map([&](int l) { return sum(-a.a[l], b.a[l], c.a[l]); });
  }
  static SDTW_INLINE V sqrt(V a) {
    return map([&](int l) { return (T)::sqrt((double)a.a[l]); });
  }
  static SDTW_INLINE V min(V a, V b) {
    return map([&](int l) { return a.a[l] < b.a[l] ? a.a[l] : b.a[l]; });
  }
  static SDTW_INLINE V max(V a, V b) {
    return map([&](int l) { return a.a[l] > b.a[l] ? a.a[l] : b.a[l]; });
  }
  static SDTW_INLINE V leq(V a, V b) {
    return map([&](int l) { return a.a[l] <= b.a[l] ? T(1) : T(0); });
  }
  static SDTW_INLINE V pick(V a, V b, V x, V y) {
    return map([&](int l) { return a.a[l] <= b.a[l] ? x.a[l] : y.a[l]; });
  }
  static SDTW_INLINE V above(V a, V b, V x) {
    return map([&](int l) { return a.a[l] > b.a[l] ? x.a[l] : T(0); });
  }
  static SDTW_INLINE V recip(V a) {
    return map([&](int l) { return T(1) / a.a[l]; });
  }
  static SDTW_INLINE V shift_up(V v, V previous) {
    return map(
        [&](int l) { return l ? v.a[l ? l - 1 : 0] : previous.a[L - 1]; });
  }
  static SDTW_INLINE V shift_down(V v, V next) {
    return map(
        [&](int l) { return l + 1 < L ? v.a[(l + 1) % L] : next.a[0]; });
  }
  static SDTW_INLINE void store_first(T* p, V a) { *p = a.a[0]; }
  static SDTW_INLINE void store_last(T* p, V a) { *p = a.a[L - 1]; }

 private:
  // a * b + c; nothing else is contracted (setup.py).
  static SDTW_INLINE T sum(T a, T b, T c) {
#if defined(__FP_FAST_FMA) && defined(__FP_FAST_FMAF)
    return sizeof(T) == 8 ? __builtin_fma(a, b, c) : __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
  }
};

struct F64 : DoubleExponents<Plain<double, 2>> {
  static SDTW_INLINE V fused(V a, V b, V c) {
    return map([&](int l) {
#if defined(__FP_FAST_FMA)
      return __builtin_fma(a.a[l], b.a[l], c.a[l]);
#else
      const double ah = leading(a.a[l]), bh = leading(b.a[l]);
      return (ah * bh + c.a[l]) +
             (ah * (b.a[l] - bh) + (a.a[l] - ah) * b.a[l]);
#endif
    });
  }
  static SDTW_INLINE V fused_sub(V a, V b, V c) {
    return fused(a, b, sub(set1(0), c));
  }
  // An integral double plus 1.5 * 2**52 carries the integer in its low bits.
  static SDTW_INLINE X base(X e) { return sub(e, set1(0x1.8p52 + 1023)); }
  static SDTW_INLINE V power(X x, X base) {
    const X biased = max(sub(x, base), set1(0x1.8p52));
    return map([&](int l) {
      return from_bits((int64_t)((uint64_t)bits(biased.a[l]) << 52));
    });
  }
  static SDTW_INLINE V scale(V m, X x, X base) {
    return mul(m, power(x, base));
  }
  static SDTW_INLINE V add_scaled(V m, X x, X base, V v) {
    return fma(m, power(x, base), v);
  }
  static SDTW_INLINE V unscale(V v, V m) {
    return map([&](int l) {
      const int64_t k = bits(m.a[l]) & 0x7ffLL << 52;
      return v.a[l] * from_bits((2046LL << 52) - k);
    });
  }
  static SDTW_INLINE void renorm(V& m, X& e) {
    for (int l = 0; l < L; ++l) {
      int64_t b = bits(m.a[l]);
      e.a[l] += double((b >> 52) - 1023);
      m.a[l] = from_bits((b & 0xfffffffffffffLL) | 0x3ff0000000000000LL);
    }
  }

 private:
  static SDTW_INLINE int64_t bits(double a) {
    int64_t b;
    std::memcpy(&b, &a, 8);
    return b;
  }
  static SDTW_INLINE double from_bits(int64_t b) {
    double a;
    std::memcpy(&a, &b, 8);
    return a;
  }
  // Half of the digits: products of two are exact.
  static SDTW_INLINE double leading(double a) {
    return from_bits(bits(a) & ~0x7ffffffLL);
  }
};

struct F32 : Plain<float, 4>, IntExponents {
  struct X {
    int32_t a[L];
  };
  template <class Fn>
  static SDTW_INLINE X xmap(Fn fn) {
    X r;
    for (int l = 0; l < L; ++l) r.a[l] = fn(l);
    return r;
  }
  static SDTW_INLINE X xset1(T a) {
    return xmap([&](int) { return (int32_t)a; });
  }
  static SDTW_INLINE X xload(const T* p) {
    X r;
    std::memcpy(r.a, p, sizeof r.a);
    return r;
  }
  static SDTW_INLINE void xstore(T* p, X a) {
    std::memcpy(p, a.a, sizeof a.a);
  }
  static SDTW_INLINE X xload1(const T* p) {
    int32_t i;
    std::memcpy(&i, p, 4);
    return xmap([&](int) { return i; });
  }
  static SDTW_INLINE X xadd(X a, X b) {
    return xmap([&](int l) { return a.a[l] + b.a[l]; });
  }
  static SDTW_INLINE X xsub(X a, X b) {
    return xmap([&](int l) { return a.a[l] - b.a[l]; });
  }
  static SDTW_INLINE X xmax(X a, X b) {
    return xmap([&](int l) { return a.a[l] > b.a[l] ? a.a[l] : b.a[l]; });
  }
  static SDTW_INLINE X xshift_up(X v, X previous) {
    return xmap(
        [&](int l) { return l ? v.a[l ? l - 1 : 0] : previous.a[L - 1]; });
  }
  static SDTW_INLINE void xstore_last(T* p, X a) {
    std::memcpy(p, &a.a[L - 1], 4);
  }
  // a * b + c with the product exact: in double where there is no fma.
  static SDTW_INLINE V fused(V a, V b, V c) {
    return map([&](int l) {
#if defined(__FP_FAST_FMAF) && !defined(__SSE2__)
      return __builtin_fmaf(a.a[l], b.a[l], c.a[l]);
#else
      return (float)((double)a.a[l] * b.a[l] + c.a[l]);
#endif
    });
  }
  static SDTW_INLINE V fused_sub(V a, V b, V c) {
    return fused(a, b, sub(set1(0), c));
  }
  static SDTW_INLINE X to_x(V a) {
    // Round to nearest, ties to even, for |a| < 2**22; larger ones are
    // integral enough after truncation.
    return xmap([&](int l) {
      const float big = 12582912.0f;
      float v = a.a[l];
      float r = (v + big) - big;
      return (int32_t)(v < 4194304.0f && v > -4194304.0f ? r : v);
    });
  }
  static SDTW_INLINE V to_v(X a) {
    return map([&](int l) { return (float)a.a[l]; });
  }
  static SDTW_INLINE X base(X e) {
    return xmap([&](int l) { return e.a[l] - 127; });
  }
  static SDTW_INLINE V power(X x, X base) {
    return from_bits(xmap([&](int l) {
      const int32_t biased = x.a[l] - base.a[l];
      return (int32_t)((uint32_t)(biased > 0 ? biased : 0) << 23);
    }));
  }
  static SDTW_INLINE V scale(V m, X x, X base) {
    return mul(m, power(x, base));
  }
  static SDTW_INLINE V add_scaled(V m, X x, X base, V v) {
    return fma(m, power(x, base), v);
  }
  static SDTW_INLINE V unscale(V v, V m) {
    X k;
    std::memcpy(&k, &m, sizeof k);
    return mul(v, from_bits(xmap([&](int l) {
                 return (254 << 23) - (k.a[l] & 0xff << 23);
               })));
  }
  static SDTW_INLINE void renorm(V& m, X& e) {
    for (int l = 0; l < L; ++l) {
      int32_t b;
      std::memcpy(&b, &m.a[l], 4);
      e.a[l] += (b >> 23) - 127;
      b = (b & 0x7fffff) | 0x3f800000;
      std::memcpy(&m.a[l], &b, 4);
    }
  }

 private:
  static SDTW_INLINE V from_bits(X b) {
    V r;
    std::memcpy(&r, &b, sizeof r);
    return r;
  }
};

}  // namespace SDTW_ISA
}  // namespace sdtw
