// AVX-512.
#pragma once

#include <immintrin.h>

#include "simd/interface.hpp"

namespace sdtw {
namespace SDTW_ISA {

constexpr bool kBaseline = false;

struct Doubles {
  using T = double;
  using V = __m512d;
  static constexpr int L = 8;

  static SDTW_INLINE V set1(T a) { return _mm512_set1_pd(a); }
  static SDTW_INLINE V load(const T* p) { return _mm512_loadu_pd(p); }
  static SDTW_INLINE void store(T* p, V a) { _mm512_storeu_pd(p, a); }
  static SDTW_INLINE void keep(V& v) {
#if defined(__GNUC__)
    asm("" : "+v"(v));
#else
    (void)v;
#endif
  }
  static SDTW_INLINE V add(V a, V b) { return _mm512_add_pd(a, b); }
  static SDTW_INLINE V sub(V a, V b) { return _mm512_sub_pd(a, b); }
  static SDTW_INLINE V mul(V a, V b) { return _mm512_mul_pd(a, b); }
  static SDTW_INLINE V fma(V a, V b, V c) { return _mm512_fmadd_pd(a, b, c); }
  static SDTW_INLINE V fnma(V a, V b, V c) {
    return _mm512_fnmadd_pd(a, b, c);
  }
  static SDTW_INLINE V fused(V a, V b, V c) { return fma(a, b, c); }
  static SDTW_INLINE V fused_sub(V a, V b, V c) {
    return _mm512_fmsub_pd(a, b, c);
  }
  static SDTW_INLINE V sqrt(V a) { return _mm512_sqrt_pd(a); }
  static SDTW_INLINE V min(V a, V b) { return _mm512_min_pd(a, b); }
  static SDTW_INLINE V max(V a, V b) { return _mm512_max_pd(a, b); }
  static SDTW_INLINE V leq(V a, V b) {
    return _mm512_maskz_mov_pd(_mm512_cmp_pd_mask(a, b, _CMP_LE_OQ), set1(1));
  }
  static SDTW_INLINE V pick(V a, V b, V x, V y) {
    return _mm512_mask_mov_pd(y, _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ), x);
  }
  static SDTW_INLINE V above(V a, V b, V x) {
    return _mm512_maskz_mov_pd(_mm512_cmp_pd_mask(a, b, _CMP_GT_OQ), x);
  }
  static SDTW_INLINE V recip(V a) {
    V r = _mm512_rcp14_pd(a);
    r = _mm512_fmadd_pd(_mm512_fnmadd_pd(a, r, set1(1)), r, r);
    return _mm512_fmadd_pd(_mm512_fnmadd_pd(a, r, set1(1)), r, r);
  }
  static SDTW_INLINE V shift_up(V v, V previous) {
    return _mm512_castsi512_pd(_mm512_alignr_epi64(
        _mm512_castpd_si512(v), _mm512_castpd_si512(previous), 7));
  }
  static SDTW_INLINE V shift_down(V v, V next) {
    return _mm512_castsi512_pd(_mm512_alignr_epi64(_mm512_castpd_si512(next),
                                                   _mm512_castpd_si512(v), 1));
  }
  static SDTW_INLINE void store_first(T* p, V a) {
    _mm_store_sd(p, _mm512_castpd512_pd128(a));
  }
  static SDTW_INLINE void store_last(T* p, V a) {
    _mm512_mask_storeu_pd(p - 7, 0x80, a);
  }
};

struct F64 : DoubleExponents<Doubles> {
  static SDTW_INLINE X base(X e) { return e; }
  static SDTW_INLINE V scale(V m, X x, X base) {
    return _mm512_scalef_pd(m, sub(x, base));
  }
  static SDTW_INLINE V power(X x, X base) { return scale(set1(1), x, base); }
  static SDTW_INLINE V add_scaled(V m, X x, X base, V v) {
    return add(scale(m, x, base), v);
  }
  static SDTW_INLINE V unscale(V v, V m) {
    const __m512i field = _mm512_set1_epi64(0x7ffLL << 52);
    const __m512i k = _mm512_and_si512(_mm512_castpd_si512(m), field);
    return mul(v, _mm512_castsi512_pd(
                      _mm512_sub_epi64(_mm512_set1_epi64(2046LL << 52), k)));
  }
  static SDTW_INLINE void renorm(V& m, X& e) {
    e = add(e, _mm512_getexp_pd(m));
    m = _mm512_getmant_pd(m, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src);
  }
};

struct F32 : IntExponents {
  using T = float;
  using V = __m512;
  using X = __m512i;
  static constexpr int L = 16;

  static SDTW_INLINE V set1(T a) { return _mm512_set1_ps(a); }
  static SDTW_INLINE V load(const T* p) { return _mm512_loadu_ps(p); }
  static SDTW_INLINE void store(T* p, V a) { _mm512_storeu_ps(p, a); }
  static SDTW_INLINE void keep(V& v) {
#if defined(__GNUC__)
    asm("" : "+v"(v));
#else
    (void)v;
#endif
  }
  static SDTW_INLINE V add(V a, V b) { return _mm512_add_ps(a, b); }
  static SDTW_INLINE V sub(V a, V b) { return _mm512_sub_ps(a, b); }
  static SDTW_INLINE V mul(V a, V b) { return _mm512_mul_ps(a, b); }
  static SDTW_INLINE V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  static SDTW_INLINE V fnma(V a, V b, V c) {
    return _mm512_fnmadd_ps(a, b, c);
  }
  static SDTW_INLINE V fused(V a, V b, V c) { return fma(a, b, c); }
  static SDTW_INLINE V fused_sub(V a, V b, V c) {
    return _mm512_fmsub_ps(a, b, c);
  }
  static SDTW_INLINE V sqrt(V a) { return _mm512_sqrt_ps(a); }
  static SDTW_INLINE V min(V a, V b) { return _mm512_min_ps(a, b); }
  static SDTW_INLINE V max(V a, V b) { return _mm512_max_ps(a, b); }
  static SDTW_INLINE V leq(V a, V b) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, b, _CMP_LE_OQ), set1(1));
  }
  static SDTW_INLINE V pick(V a, V b, V x, V y) {
    return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ), x);
  }
  static SDTW_INLINE V above(V a, V b, V x) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), x);
  }
  static SDTW_INLINE V recip(V a) {
    const V r = _mm512_rcp14_ps(a);
    return _mm512_fmadd_ps(_mm512_fnmadd_ps(a, r, set1(1)), r, r);
  }
  static SDTW_INLINE X xshift_up(X v, X previous) {
    return _mm512_alignr_epi32(v, previous, 15);
  }
  static SDTW_INLINE V shift_up(V v, V previous) {
    return _mm512_castsi512_ps(
        xshift_up(_mm512_castps_si512(v), _mm512_castps_si512(previous)));
  }
  static SDTW_INLINE V shift_down(V v, V next) {
    return _mm512_castsi512_ps(_mm512_alignr_epi32(_mm512_castps_si512(next),
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
  static SDTW_INLINE X base(X e) {
    return _mm512_sub_epi32(e, _mm512_set1_epi32(127));
  }
  static SDTW_INLINE V power(X x, X base) {
    const X biased =
        _mm512_max_epi32(_mm512_sub_epi32(x, base), _mm512_setzero_si512());
    return _mm512_castsi512_ps(_mm512_slli_epi32(biased, 23));
  }
  static SDTW_INLINE V scale(V m, X x, X base) {
    return mul(m, power(x, base));
  }
  static SDTW_INLINE V add_scaled(V m, X x, X base, V v) {
    return fma(m, power(x, base), v);
  }
  static SDTW_INLINE V unscale(V v, V m) {
    const X k = _mm512_and_si512(_mm512_castps_si512(m),
                                 _mm512_set1_epi32(0xff << 23));
    return mul(v, _mm512_castsi512_ps(
                      _mm512_sub_epi32(_mm512_set1_epi32(254 << 23), k)));
  }
  static SDTW_INLINE void renorm(V& m, X& e) {
    X b = _mm512_castps_si512(m);
    e = _mm512_add_epi32(
        e, _mm512_sub_epi32(_mm512_srli_epi32(b, 23), _mm512_set1_epi32(127)));
    b = _mm512_and_si512(b, _mm512_set1_epi32(0x7fffff));
    m = _mm512_castsi512_ps(_mm512_or_si512(b, _mm512_set1_epi32(0x3f800000)));
  }
};

}  // namespace SDTW_ISA
}  // namespace sdtw
