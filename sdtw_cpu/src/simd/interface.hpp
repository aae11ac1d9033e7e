// The interface that every instruction set has, and what all of them share.
//
// Included by kernels.cpp only, which is compiled once per instruction set
// with SDTW_ISA set to the name of one of the files beside this one.
// Everything lives in a namespace of that name and nothing here instantiates
// templates of the standard library, so no code built for a newer processor
// can be merged by the linker into the baseline.
//
// A file of an instruction set defines
//   kBaseline   whether every processor has it; only that level sweeps in log
//               space
//   F64, F32    vectors of double and of float
// Both structs have the types and the constant
//   T           a number: double or float
//   V           a vector of L numbers
//   X           L exponents: integral doubles for F64, int32 for F32; arrays
//               keep them in numbers of T
//   L           how many, at most kMaxLanes
// and these static functions, all of them SDTW_INLINE:
//   set1(a), load(p), store(p, v)
//   keep(v)                 leave v in its register: gcc would rather load it
//                           again for each use
//   add(a, b), sub(a, b), mul(a, b), min(a, b), max(a, b), sqrt(a)
//   fma(a, b, c)            a * b + c, fnma(a, b, c): c - a * b; one or two
//                           roundings
//   fused(a, b, c)          a * b + c with an exact product, for sums that
//                           cancel
//   fused_sub(a, b, c)      the same, a * b - c
//   recip(a)                1 / a, to the last digit or two
//   leq(a, b)               1 where a <= b, else 0
//   pick(a, b, x, y)        x where a <= b, else y
//   above(a, b, x)          x where a > b, else 0
//   shift_up(v, previous)   lane l becomes v[l - 1], lane 0 previous[L - 1]
//   shift_down(v, next)     lane l becomes v[l + 1], lane L - 1 next[0]
//   store_first(p, v), store_last(p, v)   one lane, at p
//   xset1(a), xload(p), xstore(p, x), xload1(p): all lanes from one number
//   xadd(a, b), xsub(a, b), xmax(a, b), xshift_up(x, previous)
//   xstore_last(p, x)
//   number(p)               one exponent of an array as a double
//   base(e)                 what power() takes for e
//   power(x, base(e))       2**(x - e) for x <= e, or 0 where that has no
//                           normal number
//   add_scaled(m, x, base(e), v)   m * power(x, base(e)) + v
//   scale(m, x, base(e))    the same without v
//   renorm(m, e)            move the exponent of a mantissa, which is positive
//                           and no subnormal, into e
//   unscale(v, m)           v / 2**k, where k is what renorm() adds to e
//   to_x(v), to_v(x)        F32 alone: to the nearest integers, and back
//
// DoubleExponents adds the functions of exponents that are doubles, and
// IntExponents::number is that of int32. level.hpp checks the rest.
#pragma once

#include <cstdint>
#include <cstring>

#include "inline.hpp"
#include "kernels.hpp"

#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
#define SDTW_HAVE_MXCSR 1
#endif

namespace sdtw {
namespace SDTW_ISA {

// Subnormal masses carry no information here and cost hundreds of cycles on
// some processors: flush them while a kernel runs.
class FlushSubnormals {
#ifdef SDTW_HAVE_MXCSR
  unsigned saved_ = _mm_getcsr();

 public:
  FlushSubnormals() { _mm_setcsr(saved_ | 0x8040u); }
  ~FlushSubnormals() { _mm_setcsr(saved_); }
#elif defined(__aarch64__) && defined(__GNUC__)
  uint64_t saved_;
  static void set(uint64_t fpcr) {
    asm volatile("msr fpcr, %0" : : "r"(fpcr) : "memory");
  }

 public:
  FlushSubnormals() {
    asm volatile("mrs %0, fpcr" : "=r"(saved_));
    set(saved_ | 1u << 24);
  }
  ~FlushSubnormals() { set(saved_); }
#else
 public:
  FlushSubnormals() {}
#endif
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;
};

// Vectors of doubles whose exponents are integral doubles.
template <class Vectors>
struct DoubleExponents : Vectors {
  using T = typename Vectors::T;
  using V = typename Vectors::V;
  using X = V;
  static SDTW_INLINE X xset1(T a) { return Vectors::set1(a); }
  static SDTW_INLINE X xload(const T* p) { return Vectors::load(p); }
  static SDTW_INLINE void xstore(T* p, X a) { Vectors::store(p, a); }
  static SDTW_INLINE X xload1(const T* p) { return Vectors::set1(*p); }
  static SDTW_INLINE X xadd(X a, X b) { return Vectors::add(a, b); }
  static SDTW_INLINE X xsub(X a, X b) { return Vectors::sub(a, b); }
  static SDTW_INLINE X xmax(X a, X b) { return Vectors::max(a, b); }
  static SDTW_INLINE X xshift_up(X v, X previous) {
    return Vectors::shift_up(v, previous);
  }
  static SDTW_INLINE void xstore_last(T* p, X a) { Vectors::store_last(p, a); }
  static SDTW_INLINE double number(const T* p) { return *p; }
};

// Exponents that are int32, in arrays of floats.
struct IntExponents {
  static SDTW_INLINE double number(const float* p) {
    int32_t i;
    std::memcpy(&i, p, sizeof i);
    return i;
  }
};

}  // namespace SDTW_ISA
}  // namespace sdtw
