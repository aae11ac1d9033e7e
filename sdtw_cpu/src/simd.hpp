// Vectors of one instruction set, all behind one interface.
//
// Included by kernels.cpp only, which is compiled once per instruction set
// with SDTW_ISA set to generic, avx2 or avx512. Everything lives in a
// namespace of that name and nothing here instantiates templates of the
// standard library, so no code built for a newer processor can be merged by
// the linker into the baseline.
//
// F64 and F32 both provide
//   V        a vector of L numbers (double or float)
//   X        L exponents: integral doubles for F64, int32 for F32
//   shift_up / shift_down   move lanes by one and pull in a neighbour's lane
//   scale    m * 2**k for k <= 0; below 2**-100 (F32) or 2**-1000 (F64) the
//            result is negligible and need not be exact
//   renorm   move the exponent of a mantissa into the integer part
//   fused    a * b + c with an exact product, for sums that cancel
// and the file ends with
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

// Polynomials for 2**f on [-1/2, 1/2] (Chebyshev interpolation; relative
// errors 7e-18 and 2e-9, below the rounding of either format).
constexpr double kExp64[12] = {
    0x1.0000000000000p+0,  0x1.62e42fefa39efp-1,  0x1.ebfbdff82c5aep-3,
    0x1.c6b08d704a0c6p-5,  0x1.3b2ab6fb9f1a5p-7,  0x1.5d87fe78a3f9cp-10,
    0x1.430913112c61bp-13, 0x1.ffcbfc6da6ed1p-17, 0x1.62bfc2c86d700p-20,
    0x1.b524ebd13a55fp-24, 0x1.e6228acd1c6e5p-28, 0x1.e9ec1fcb69a7fp-32,
};
constexpr float kExp32[7] = {
    0x1.0000000000000p+0f,  0x1.62e4300000000p-1f, 0x1.ebfbe00000000p-3f,
    0x1.c6aecc0000000p-5f,  0x1.3b2a1c0000000p-7f, 0x1.5f48c00000000p-10f,
    0x1.4440000000000p-13f,
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

// Minus Scale::rate, in two parts that sum to it.
template <class F>
struct Rate {
  typename F::V neg_hi, neg_lo;
};

#if SDTW_LEVEL == SDTW_ID_avx512

struct F64 : Exponent64 {
  using T = double;
  using V = __m512d;
  using X = __m512d;
  static constexpr int L = 8;

  static SDTW_INLINE V set1(T a) { return _mm512_set1_pd(a); }
  static SDTW_INLINE V load(const T* p) { return _mm512_loadu_pd(p); }
  static SDTW_INLINE void store(T* p, V a) { _mm512_storeu_pd(p, a); }
  static SDTW_INLINE V add(V a, V b) { return _mm512_add_pd(a, b); }
  static SDTW_INLINE V sub(V a, V b) { return _mm512_sub_pd(a, b); }
  static SDTW_INLINE V mul(V a, V b) { return _mm512_mul_pd(a, b); }
  static SDTW_INLINE V fma(V a, V b, V c) { return _mm512_fmadd_pd(a, b, c); }
  static SDTW_INLINE V fnma(V a, V b, V c) {
    return _mm512_fnmadd_pd(a, b, c);
  }
  static SDTW_INLINE V fused(V a, V b, V c) { return fma(a, b, c); }
  static SDTW_INLINE V sqrt(V a) { return _mm512_sqrt_pd(a); }
  static SDTW_INLINE V min(V a, V b) { return _mm512_min_pd(a, b); }
  static SDTW_INLINE V max(V a, V b) { return _mm512_max_pd(a, b); }
  // 1 where a <= b, else 0.
  static SDTW_INLINE V leq(V a, V b) {
    return _mm512_maskz_mov_pd(_mm512_cmp_pd_mask(a, b, _CMP_LE_OQ), set1(1));
  }
  // x where a <= b, else y.
  static SDTW_INLINE V pick(V a, V b, V x, V y) {
    return _mm512_mask_mov_pd(y, _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ), x);
  }
  static SDTW_INLINE V recip(V a) {
    V r = _mm512_rcp14_pd(a);
    r = _mm512_fmadd_pd(_mm512_fnmadd_pd(a, r, set1(1)), r, r);
    return _mm512_fmadd_pd(_mm512_fnmadd_pd(a, r, set1(1)), r, r);
  }
  static SDTW_INLINE V shift_up(V v, V below) {
    return _mm512_castsi512_pd(_mm512_alignr_epi64(
        _mm512_castpd_si512(v), _mm512_castpd_si512(below), 7));
  }
  static SDTW_INLINE V shift_down(V v, V above) {
    return _mm512_castsi512_pd(_mm512_alignr_epi64(_mm512_castpd_si512(above),
                                                   _mm512_castpd_si512(v), 1));
  }
  static SDTW_INLINE void store_first(T* p, V a) {
    _mm_store_sd(p, _mm512_castpd512_pd128(a));
  }
  static SDTW_INLINE void store_last(T* p, V a) {
    _mm512_mask_storeu_pd(p - 7, 0x80, a);
  }

  static SDTW_INLINE X xset1(T a) { return set1(a); }
  static SDTW_INLINE X xload(const T* p) { return load(p); }
  static SDTW_INLINE void xstore(T* p, X a) { store(p, a); }
  static SDTW_INLINE X xload1(const T* p) { return set1(*p); }
  static SDTW_INLINE X xadd(X a, X b) { return add(a, b); }
  static SDTW_INLINE X xsub(X a, X b) { return sub(a, b); }
  static SDTW_INLINE X xmax(X a, X b) { return max(a, b); }
  static SDTW_INLINE X xshift_up(X v, X below) { return shift_up(v, below); }
  static SDTW_INLINE void xstore_last(T* p, X a) { store_last(p, a); }
  static SDTW_INLINE V scale(V m, X k) { return _mm512_scalef_pd(m, k); }
  static SDTW_INLINE void renorm(V& m, X& e) {
    e = add(e, _mm512_getexp_pd(m));
    m = _mm512_getmant_pd(m, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src);
  }
};

struct F32 : Exponent32 {
  using T = float;
  using V = __m512;
  using X = __m512i;
  static constexpr int L = 16;

  static SDTW_INLINE V set1(T a) { return _mm512_set1_ps(a); }
  static SDTW_INLINE V load(const T* p) { return _mm512_loadu_ps(p); }
  static SDTW_INLINE void store(T* p, V a) { _mm512_storeu_ps(p, a); }
  static SDTW_INLINE V add(V a, V b) { return _mm512_add_ps(a, b); }
  static SDTW_INLINE V sub(V a, V b) { return _mm512_sub_ps(a, b); }
  static SDTW_INLINE V mul(V a, V b) { return _mm512_mul_ps(a, b); }
  static SDTW_INLINE V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  static SDTW_INLINE V fnma(V a, V b, V c) {
    return _mm512_fnmadd_ps(a, b, c);
  }
  static SDTW_INLINE V fused(V a, V b, V c) { return fma(a, b, c); }
  static SDTW_INLINE V sqrt(V a) { return _mm512_sqrt_ps(a); }
  static SDTW_INLINE V min(V a, V b) { return _mm512_min_ps(a, b); }
  static SDTW_INLINE V max(V a, V b) { return _mm512_max_ps(a, b); }
  static SDTW_INLINE V leq(V a, V b) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, b, _CMP_LE_OQ), set1(1));
  }
  static SDTW_INLINE V pick(V a, V b, V x, V y) {
    return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ), x);
  }
  static SDTW_INLINE V recip(V a) {
    const V r = _mm512_rcp14_ps(a);
    return _mm512_fmadd_ps(_mm512_fnmadd_ps(a, r, set1(1)), r, r);
  }
  static SDTW_INLINE X xshift_up(X v, X below) {
    return _mm512_alignr_epi32(v, below, 15);
  }
  static SDTW_INLINE V shift_up(V v, V below) {
    return _mm512_castsi512_ps(
        xshift_up(_mm512_castps_si512(v), _mm512_castps_si512(below)));
  }
  static SDTW_INLINE V shift_down(V v, V above) {
    return _mm512_castsi512_ps(_mm512_alignr_epi32(_mm512_castps_si512(above),
                                                   _mm512_castps_si512(v), 1));
  }
  static SDTW_INLINE void store_first(T* p, V a) {
    _mm_store_ss(p, _mm512_castps512_ps128(a));
  }
  static SDTW_INLINE void store_last(T* p, V a) {
    _mm512_mask_storeu_ps(p - 15, 0x8000, a);
  }

  static SDTW_INLINE X xset1(T a) { return _mm512_set1_epi32((int)a); }
  static SDTW_INLINE X xload(const T* p) { return _mm512_loadu_si512(p); }
  static SDTW_INLINE void xstore(T* p, X a) { _mm512_storeu_si512(p, a); }
  static SDTW_INLINE X xload1(const T* p) {
    int32_t i;
    std::memcpy(&i, p, 4);
    return _mm512_set1_epi32(i);
  }
  static SDTW_INLINE X xadd(X a, X b) { return _mm512_add_epi32(a, b); }
  static SDTW_INLINE X xsub(X a, X b) { return _mm512_sub_epi32(a, b); }
  static SDTW_INLINE X xmax(X a, X b) { return _mm512_max_epi32(a, b); }
  static SDTW_INLINE void xstore_last(T* p, X a) {
    store_last(p, _mm512_castsi512_ps(a));
  }
  static SDTW_INLINE X to_x(V a) { return _mm512_cvtps_epi32(a); }
  static SDTW_INLINE V to_v(X a) { return _mm512_cvtepi32_ps(a); }
  static SDTW_INLINE V scale(V m, X k) {
    k = _mm512_max_epi32(k, _mm512_set1_epi32(-100));
    return _mm512_castsi512_ps(
        _mm512_add_epi32(_mm512_castps_si512(m), _mm512_slli_epi32(k, 23)));
  }
  static SDTW_INLINE void renorm(V& m, X& e) {
    X b = _mm512_castps_si512(m);
    e = _mm512_add_epi32(
        e, _mm512_sub_epi32(_mm512_srli_epi32(b, 23), _mm512_set1_epi32(127)));
    b = _mm512_and_si512(b, _mm512_set1_epi32(0x7fffff));
    m = _mm512_castsi512_ps(_mm512_or_si512(b, _mm512_set1_epi32(0x3f800000)));
  }
};

#elif SDTW_LEVEL == SDTW_ID_avx2

struct F64 : Exponent64 {
  using T = double;
  using V = __m256d;
  using X = __m256d;
  static constexpr int L = 4;

  static SDTW_INLINE V set1(T a) { return _mm256_set1_pd(a); }
  static SDTW_INLINE V load(const T* p) { return _mm256_loadu_pd(p); }
  static SDTW_INLINE void store(T* p, V a) { _mm256_storeu_pd(p, a); }
  static SDTW_INLINE V add(V a, V b) { return _mm256_add_pd(a, b); }
  static SDTW_INLINE V sub(V a, V b) { return _mm256_sub_pd(a, b); }
  static SDTW_INLINE V mul(V a, V b) { return _mm256_mul_pd(a, b); }
  static SDTW_INLINE V fma(V a, V b, V c) { return _mm256_fmadd_pd(a, b, c); }
  static SDTW_INLINE V fnma(V a, V b, V c) {
    return _mm256_fnmadd_pd(a, b, c);
  }
  static SDTW_INLINE V fused(V a, V b, V c) { return fma(a, b, c); }
  static SDTW_INLINE V sqrt(V a) { return _mm256_sqrt_pd(a); }
  static SDTW_INLINE V min(V a, V b) { return _mm256_min_pd(a, b); }
  static SDTW_INLINE V max(V a, V b) { return _mm256_max_pd(a, b); }
  static SDTW_INLINE V leq(V a, V b) {
    return _mm256_and_pd(_mm256_cmp_pd(a, b, _CMP_LE_OQ), set1(1));
  }
  static SDTW_INLINE V pick(V a, V b, V x, V y) {
    return _mm256_blendv_pd(y, x, _mm256_cmp_pd(a, b, _CMP_LE_OQ));
  }
  static SDTW_INLINE V recip(V a) { return _mm256_div_pd(set1(1), a); }
  static SDTW_INLINE V shift_up(V v, V below) {
    return _mm256_shuffle_pd(_mm256_permute2f128_pd(below, v, 0x21), v, 5);
  }
  static SDTW_INLINE V shift_down(V v, V above) {
    return _mm256_shuffle_pd(v, _mm256_permute2f128_pd(v, above, 0x21), 5);
  }
  static SDTW_INLINE void store_first(T* p, V a) {
    _mm_store_sd(p, _mm256_castpd256_pd128(a));
  }
  static SDTW_INLINE void store_last(T* p, V a) {
    _mm_storeh_pd(p, _mm256_extractf128_pd(a, 1));
  }

  static SDTW_INLINE X xset1(T a) { return set1(a); }
  static SDTW_INLINE X xload(const T* p) { return load(p); }
  static SDTW_INLINE void xstore(T* p, X a) { store(p, a); }
  static SDTW_INLINE X xload1(const T* p) { return set1(*p); }
  static SDTW_INLINE X xadd(X a, X b) { return add(a, b); }
  static SDTW_INLINE X xsub(X a, X b) { return sub(a, b); }
  static SDTW_INLINE X xmax(X a, X b) { return max(a, b); }
  static SDTW_INLINE X xshift_up(X v, X below) { return shift_up(v, below); }
  static SDTW_INLINE void xstore_last(T* p, X a) { store_last(p, a); }
  static SDTW_INLINE V scale(V m, X k) {
    // An integral double plus 1.5 * 2**52 carries the integer in its low
    // bits; shifted to the exponent field it multiplies by a power of two.
    k = _mm256_max_pd(k, set1(-1000));
    __m256i i = _mm256_castpd_si256(add(k, set1(0x1.8p52)));
    return _mm256_castsi256_pd(
        _mm256_add_epi64(_mm256_castpd_si256(m), _mm256_slli_epi64(i, 52)));
  }
  static SDTW_INLINE void renorm(V& m, X& e) {
    __m256i b = _mm256_castpd_si256(m);
    const __m256i magic = _mm256_castpd_si256(set1(0x1p52));
    V k =
        _mm256_castsi256_pd(_mm256_or_si256(_mm256_srli_epi64(b, 52), magic));
    e = add(e, sub(k, set1(0x1p52 + 1023)));
    b = _mm256_and_si256(b, _mm256_set1_epi64x(0xfffffffffffffLL));
    m = _mm256_or_pd(_mm256_castsi256_pd(b), set1(1));
  }
};

struct F32 : Exponent32 {
  using T = float;
  using V = __m256;
  using X = __m256i;
  static constexpr int L = 8;

  static SDTW_INLINE V set1(T a) { return _mm256_set1_ps(a); }
  static SDTW_INLINE V load(const T* p) { return _mm256_loadu_ps(p); }
  static SDTW_INLINE void store(T* p, V a) { _mm256_storeu_ps(p, a); }
  static SDTW_INLINE V add(V a, V b) { return _mm256_add_ps(a, b); }
  static SDTW_INLINE V sub(V a, V b) { return _mm256_sub_ps(a, b); }
  static SDTW_INLINE V mul(V a, V b) { return _mm256_mul_ps(a, b); }
  static SDTW_INLINE V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static SDTW_INLINE V fnma(V a, V b, V c) {
    return _mm256_fnmadd_ps(a, b, c);
  }
  static SDTW_INLINE V fused(V a, V b, V c) { return fma(a, b, c); }
  static SDTW_INLINE V sqrt(V a) { return _mm256_sqrt_ps(a); }
  static SDTW_INLINE V min(V a, V b) { return _mm256_min_ps(a, b); }
  static SDTW_INLINE V max(V a, V b) { return _mm256_max_ps(a, b); }
  static SDTW_INLINE V leq(V a, V b) {
    return _mm256_and_ps(_mm256_cmp_ps(a, b, _CMP_LE_OQ), set1(1));
  }
  static SDTW_INLINE V pick(V a, V b, V x, V y) {
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LE_OQ));
  }
  static SDTW_INLINE V recip(V a) { return _mm256_div_ps(set1(1), a); }
  static SDTW_INLINE X xshift_up(X v, X below) {
    return _mm256_alignr_epi8(v, _mm256_permute2x128_si256(below, v, 0x21),
                              12);
  }
  static SDTW_INLINE V shift_up(V v, V below) {
    return _mm256_castsi256_ps(
        xshift_up(_mm256_castps_si256(v), _mm256_castps_si256(below)));
  }
  static SDTW_INLINE V shift_down(V v, V above) {
    __m256i a = _mm256_castps_si256(v), b = _mm256_castps_si256(above);
    return _mm256_castsi256_ps(
        _mm256_alignr_epi8(_mm256_permute2x128_si256(a, b, 0x21), a, 4));
  }
  static SDTW_INLINE void store_first(T* p, V a) {
    _mm_store_ss(p, _mm256_castps256_ps128(a));
  }
  static SDTW_INLINE void store_last(T* p, V a) {
    __m128 h = _mm256_extractf128_ps(a, 1);
    _mm_store_ss(p, _mm_shuffle_ps(h, h, 0xff));
  }

  static SDTW_INLINE X xset1(T a) { return _mm256_set1_epi32((int)a); }
  static SDTW_INLINE X xload(const T* p) {
    return _mm256_loadu_si256((const __m256i*)p);
  }
  static SDTW_INLINE void xstore(T* p, X a) {
    _mm256_storeu_si256((__m256i*)p, a);
  }
  static SDTW_INLINE X xload1(const T* p) {
    int32_t i;
    std::memcpy(&i, p, 4);
    return _mm256_set1_epi32(i);
  }
  static SDTW_INLINE X xadd(X a, X b) { return _mm256_add_epi32(a, b); }
  static SDTW_INLINE X xsub(X a, X b) { return _mm256_sub_epi32(a, b); }
  static SDTW_INLINE X xmax(X a, X b) { return _mm256_max_epi32(a, b); }
  static SDTW_INLINE void xstore_last(T* p, X a) {
    store_last(p, _mm256_castsi256_ps(a));
  }
  static SDTW_INLINE X to_x(V a) { return _mm256_cvtps_epi32(a); }
  static SDTW_INLINE V to_v(X a) { return _mm256_cvtepi32_ps(a); }
  static SDTW_INLINE V scale(V m, X k) {
    k = _mm256_max_epi32(k, _mm256_set1_epi32(-100));
    return _mm256_castsi256_ps(
        _mm256_add_epi32(_mm256_castps_si256(m), _mm256_slli_epi32(k, 23)));
  }
  static SDTW_INLINE void renorm(V& m, X& e) {
    X b = _mm256_castps_si256(m);
    e = _mm256_add_epi32(
        e, _mm256_sub_epi32(_mm256_srli_epi32(b, 23), _mm256_set1_epi32(127)));
    b = _mm256_and_si256(b, _mm256_set1_epi32(0x7fffff));
    m = _mm256_castsi256_ps(_mm256_or_si256(b, _mm256_set1_epi32(0x3f800000)));
  }
};

#else  // generic: plain loops over 128 bits, which any compiler vectorises

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
    return map([&](int l) { return a.a[l] * b.a[l] + c.a[l]; });
  }
  static SDTW_INLINE V fnma(V a, V b, V c) {
    return map([&](int l) { return c.a[l] - a.a[l] * b.a[l]; });
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
  static SDTW_INLINE V recip(V a) {
    return map([&](int l) { return T(1) / a.a[l]; });
  }
  static SDTW_INLINE V shift_up(V v, V below) {
    return map([&](int l) { return l ? v.a[l ? l - 1 : 0] : below.a[L - 1]; });
  }
  static SDTW_INLINE V shift_down(V v, V above) {
    return map(
        [&](int l) { return l + 1 < L ? v.a[(l + 1) % L] : above.a[0]; });
  }
  static SDTW_INLINE void store_first(T* p, V a) { *p = a.a[0]; }
  static SDTW_INLINE void store_last(T* p, V a) { *p = a.a[L - 1]; }
};

struct F64 : Plain<double, 2>, Exponent64 {
  using X = V;
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
  static SDTW_INLINE X xset1(T a) { return set1(a); }
  static SDTW_INLINE X xload(const T* p) { return load(p); }
  static SDTW_INLINE void xstore(T* p, X a) { store(p, a); }
  static SDTW_INLINE X xload1(const T* p) { return set1(*p); }
  static SDTW_INLINE X xadd(X a, X b) { return add(a, b); }
  static SDTW_INLINE X xsub(X a, X b) { return sub(a, b); }
  static SDTW_INLINE X xmax(X a, X b) { return max(a, b); }
  static SDTW_INLINE X xshift_up(X v, X below) { return shift_up(v, below); }
  static SDTW_INLINE void xstore_last(T* p, X a) { store_last(p, a); }
  static SDTW_INLINE V scale(V m, X k) {
    k = xmax(k, set1(-1000));
    return map([&](int l) {
      int64_t b = bits(m.a[l]) + (int64_t)((uint64_t)(int64_t)k.a[l] << 52);
      return from_bits(b);
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

struct F32 : Plain<float, 4>, Exponent32 {
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
  static SDTW_INLINE X xshift_up(X v, X below) {
    return xmap(
        [&](int l) { return l ? v.a[l ? l - 1 : 0] : below.a[L - 1]; });
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
  static SDTW_INLINE V scale(V m, X k) {
    V r;
    for (int l = 0; l < L; ++l) {
      int32_t s = k.a[l] > -100 ? k.a[l] : -100;
      int32_t b;
      std::memcpy(&b, &m.a[l], 4);
      b = (int32_t)((uint32_t)b + ((uint32_t)s << 23));
      std::memcpy(&r.a[l], &b, 4);
    }
    return r;
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
};

#endif

SDTW_INLINE Inverse64<F64, F64::V> invert(F64, F64::V sum) {
  return Inverse64<F64, F64::V>(sum);
}
SDTW_INLINE Inverse32<F32, F32::V> invert(F32, F32::V sum) {
  return Inverse32<F32, F32::V>(sum);
}

// 2**(-c / (gamma ln 2)) = f * 2**n with f in [2**-0.5, 2**0.5]; `lo` is the
// part of c that its format could not hold (F32 only).
SDTW_INLINE void weight(const Rate<F64>& rate, F64::V c, F64::V& f,
                        F64::X& n) {
  const F64::V magic = F64::set1(0x1.8p52);
  n = F64::sub(F64::fma(c, rate.neg_hi, magic), magic);
  const F64::V r = F64::fused(c, rate.neg_hi, F64::sub(F64::set1(0), n));
  F64::V p = F64::set1(kExp64[11]);
  SDTW_UNROLL
  for (int k = 10; k >= 0; --k) p = F64::fma(p, r, F64::set1(kExp64[k]));
  f = p;
}

// `large` says that c / gamma may be so large, as that of forbidden cells is,
// that a product of 24 bits leaves more than 1/2 to the fraction.
SDTW_INLINE void weight(const Rate<F32>& rate, F32::V c, F32::V lo, bool large,
                        F32::V& f, F32::X& n) {
  n = F32::to_x(F32::mul(c, rate.neg_hi));
  F32::V r = F32::fused(c, rate.neg_hi, F32::sub(F32::set1(0), F32::to_v(n)));
  r = F32::fma(c, rate.neg_lo, r);
  r = F32::fma(lo, rate.neg_hi, r);
  if (large) {
    const F32::X more = F32::to_x(r);
    n = F32::xadd(n, more);
    r = F32::sub(r, F32::to_v(more));
  }
  F32::V p = F32::set1(kExp32[6]);
  SDTW_UNROLL
  for (int k = 5; k >= 0; --k) p = F32::fma(p, r, F32::set1(kExp32[k]));
  f = p;
}

}  // namespace SDTW_ISA
}  // namespace sdtw
