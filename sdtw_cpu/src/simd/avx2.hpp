// AVX2 with FMA.
#pragma once

#include <immintrin.h>

#include "simd/interface.hpp"

namespace sdtw {
namespace SDTW_ISA {

constexpr bool kBaseline = false;

struct Doubles {
  using T = double;
  using V = __m256d;
  static constexpr int L = 4;

  static SDTW_INLINE V set1(T a) { return _mm256_set1_pd(a); }
  static SDTW_INLINE V load(const T* p) { return _mm256_loadu_pd(p); }
  static SDTW_INLINE void store(T* p, V a) { _mm256_storeu_pd(p, a); }
  static SDTW_INLINE void keep(V& v) {
#if defined(__GNUC__)
    asm("" : "+v"(v));
#else
    (void)v;
#endif
  }
  static SDTW_INLINE V add(V a, V b) { return _mm256_add_pd(a, b); }
  static SDTW_INLINE V sub(V a, V b) { return _mm256_sub_pd(a, b); }
  static SDTW_INLINE V mul(V a, V b) { return _mm256_mul_pd(a, b); }
  static SDTW_INLINE V fma(V a, V b, V c) { return _mm256_fmadd_pd(a, b, c); }
  static SDTW_INLINE V fnma(V a, V b, V c) {
    return _mm256_fnmadd_pd(a, b, c);
  }
  static SDTW_INLINE V fused(V a, V b, V c) { return fma(a, b, c); }
  static SDTW_INLINE V fused_sub(V a, V b, V c) {
    return _mm256_fmsub_pd(a, b, c);
  }
  static SDTW_INLINE V sqrt(V a) { return _mm256_sqrt_pd(a); }
  static SDTW_INLINE V min(V a, V b) { return _mm256_min_pd(a, b); }
  static SDTW_INLINE V max(V a, V b) { return _mm256_max_pd(a, b); }
  static SDTW_INLINE V leq(V a, V b) {
    return _mm256_and_pd(_mm256_cmp_pd(a, b, _CMP_LE_OQ), set1(1));
  }
  static SDTW_INLINE V pick(V a, V b, V x, V y) {
    return _mm256_blendv_pd(y, x, _mm256_cmp_pd(a, b, _CMP_LE_OQ));
  }
  static SDTW_INLINE V above(V a, V b, V x) {
    return _mm256_and_pd(x, _mm256_cmp_pd(a, b, _CMP_GT_OQ));
  }
  static SDTW_INLINE V recip(V a) { return _mm256_div_pd(set1(1), a); }
  static SDTW_INLINE V shift_up(V v, V previous) {
    return _mm256_shuffle_pd(_mm256_permute2f128_pd(previous, v, 0x21), v, 5);
  }
  static SDTW_INLINE V shift_down(V v, V next) {
    return _mm256_shuffle_pd(v, _mm256_permute2f128_pd(v, next, 0x21), 5);
  }
  static SDTW_INLINE void store_first(T* p, V a) {
    _mm_store_sd(p, _mm256_castpd256_pd128(a));
  }
  static SDTW_INLINE void store_last(T* p, V a) {
    _mm_storeh_pd(p, _mm256_extractf128_pd(a, 1));
  }
};

struct F64 : DoubleExponents<Doubles> {
  // An integral double plus 1.5 * 2**52 carries the integer in its low bits;
  // with the bias added and shifted to the exponent field it is a power of
  // two.
  static SDTW_INLINE X base(X e) { return sub(e, set1(0x1.8p52 + 1023)); }
  static SDTW_INLINE V power(X x, X base) {
    const X biased = max(sub(x, base), set1(0x1.8p52));
    return _mm256_castsi256_pd(
        _mm256_slli_epi64(_mm256_castpd_si256(biased), 52));
  }
  static SDTW_INLINE V scale(V m, X x, X base) {
    return mul(m, power(x, base));
  }
  static SDTW_INLINE V add_scaled(V m, X x, X base, V v) {
    return fma(m, power(x, base), v);
  }
  static SDTW_INLINE V unscale(V v, V m) {
    const __m256i field = _mm256_set1_epi64x(0x7ffLL << 52);
    const __m256i k = _mm256_and_si256(_mm256_castpd_si256(m), field);
    return mul(v, _mm256_castsi256_pd(
                      _mm256_sub_epi64(_mm256_set1_epi64x(2046LL << 52), k)));
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

struct F32 : IntExponents {
  using T = float;
  using V = __m256;
  using X = __m256i;
  static constexpr int L = 8;

  static SDTW_INLINE V set1(T a) { return _mm256_set1_ps(a); }
  static SDTW_INLINE V load(const T* p) { return _mm256_loadu_ps(p); }
  static SDTW_INLINE void store(T* p, V a) { _mm256_storeu_ps(p, a); }
  static SDTW_INLINE void keep(V& v) {
#if defined(__GNUC__)
    asm("" : "+v"(v));
#else
    (void)v;
#endif
  }
  static SDTW_INLINE V add(V a, V b) { return _mm256_add_ps(a, b); }
  static SDTW_INLINE V sub(V a, V b) { return _mm256_sub_ps(a, b); }
  static SDTW_INLINE V mul(V a, V b) { return _mm256_mul_ps(a, b); }
  static SDTW_INLINE V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static SDTW_INLINE V fnma(V a, V b, V c) {
    return _mm256_fnmadd_ps(a, b, c);
  }
  static SDTW_INLINE V fused(V a, V b, V c) { return fma(a, b, c); }
  static SDTW_INLINE V fused_sub(V a, V b, V c) {
    return _mm256_fmsub_ps(a, b, c);
  }
  static SDTW_INLINE V sqrt(V a) { return _mm256_sqrt_ps(a); }
  static SDTW_INLINE V min(V a, V b) { return _mm256_min_ps(a, b); }
  static SDTW_INLINE V max(V a, V b) { return _mm256_max_ps(a, b); }
  static SDTW_INLINE V leq(V a, V b) {
    return _mm256_and_ps(_mm256_cmp_ps(a, b, _CMP_LE_OQ), set1(1));
  }
  static SDTW_INLINE V pick(V a, V b, V x, V y) {
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LE_OQ));
  }
  static SDTW_INLINE V above(V a, V b, V x) {
    return _mm256_and_ps(x, _mm256_cmp_ps(a, b, _CMP_GT_OQ));
  }
  static SDTW_INLINE V recip(V a) { return _mm256_div_ps(set1(1), a); }
  static SDTW_INLINE X xshift_up(X v, X previous) {
    return _mm256_alignr_epi8(v, _mm256_permute2x128_si256(previous, v, 0x21),
                              12);
  }
  static SDTW_INLINE V shift_up(V v, V previous) {
    return _mm256_castsi256_ps(
        xshift_up(_mm256_castps_si256(v), _mm256_castps_si256(previous)));
  }
  static SDTW_INLINE V shift_down(V v, V next) {
    __m256i a = _mm256_castps_si256(v), b = _mm256_castps_si256(next);
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
  static SDTW_INLINE X base(X e) {
    return _mm256_sub_epi32(e, _mm256_set1_epi32(127));
  }
  static SDTW_INLINE V power(X x, X base) {
    const X biased =
        _mm256_max_epi32(_mm256_sub_epi32(x, base), _mm256_setzero_si256());
    return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
  }
  static SDTW_INLINE V scale(V m, X x, X base) {
    return mul(m, power(x, base));
  }
  static SDTW_INLINE V add_scaled(V m, X x, X base, V v) {
    return fma(m, power(x, base), v);
  }
  static SDTW_INLINE V unscale(V v, V m) {
    const X k = _mm256_and_si256(_mm256_castps_si256(m),
                                 _mm256_set1_epi32(0xff << 23));
    return mul(v, _mm256_castsi256_ps(
                      _mm256_sub_epi32(_mm256_set1_epi32(254 << 23), k)));
  }
  static SDTW_INLINE void renorm(V& m, X& e) {
    X b = _mm256_castps_si256(m);
    e = _mm256_add_epi32(
        e, _mm256_sub_epi32(_mm256_srli_epi32(b, 23), _mm256_set1_epi32(127)));
    b = _mm256_and_si256(b, _mm256_set1_epi32(0x7fffff));
    m = _mm256_castsi256_ps(_mm256_or_si256(b, _mm256_set1_epi32(0x3f800000)));
  }
};

}  // namespace SDTW_ISA
}  // namespace sdtw
