// Vectors of one instruction set, all behind one interface.
//
// Included by kernels.cpp only, which is compiled once per instruction set
// with SDTW_ISA set to the name of one of the files beside this one.
// Everything lives in a namespace of that name and nothing here instantiates
// templates of the standard library, so no code built for a newer processor
// can be merged by the linker into the baseline.
//
// F64 and F32 both provide
//   V        a vector of L numbers (double or float)
//   X        L exponents: integral doubles for F64, int32 for F32
//   shift_up / shift_down   move lanes by one and pull in a neighbour's lane
//   scale    m * 2**k for k <= 0; below 2**-100 (F32) or 2**-1000 (F64) the
//            result is negligible and need not be exact
//   renorm   move the exponent of a mantissa into the integer part
//   fused    a * b + c with an exact product, for sums that cancel
// and weight.hpp has
//   weight   2**(-c / (gamma ln 2)) as (fraction, exponent)
#pragma once

#include <math.h>

#include <cstdint>
#include <cstring>

#if defined(_MSC_VER)
#define SDTW_INLINE __forceinline
#define SDTW_NOINLINE __declspec(noinline)
#define SDTW_UNROLL
#else
#define SDTW_INLINE inline __attribute__((always_inline))
#define SDTW_NOINLINE __attribute__((noinline))
#define SDTW_UNROLL _Pragma("GCC unroll 16")
#endif

#define SDTW_ID_generic 1
#define SDTW_ID_avx2 2
#define SDTW_ID_avx512 3
#define SDTW_CAT_(a, b) a##b
#define SDTW_CAT(a, b) SDTW_CAT_(a, b)
#define SDTW_LEVEL SDTW_CAT(SDTW_ID_, SDTW_ISA)

#if SDTW_LEVEL != SDTW_ID_generic
#include <immintrin.h>
#elif defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
#define SDTW_HAVE_MXCSR 1
#endif
#if SDTW_LEVEL != SDTW_ID_generic
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
#else
 public:
  FlushSubnormals() {}
#endif
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;
};

// Exponents are kept in arrays of the format's own numbers.
struct Exponent64 {
  static SDTW_INLINE double number(const double* p) { return *p; }
};
struct Exponent32 {
  static SDTW_INLINE double number(const float* p) {
    int32_t i;
    std::memcpy(&i, p, sizeof i);
    return i;
  }
};

}  // namespace SDTW_ISA
}  // namespace sdtw
