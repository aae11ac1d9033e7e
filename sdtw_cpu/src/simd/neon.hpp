// NEON, which every aarch64 processor has.
#pragma once

#include <arm_neon.h>

#include "simd/interface.hpp"

namespace sdtw {
namespace SDTW_ISA {

constexpr bool kBaseline = false;  // that is generic code, here as elsewhere

struct Doubles {
  using T = double;
  using V = float64x2_t;
  static constexpr int L = 2;

  static SDTW_INLINE V set1(T a) { return vdupq_n_f64(a); }
  static SDTW_INLINE V load(const T* p) { return vld1q_f64(p); }
  static SDTW_INLINE void store(T* p, V a) { vst1q_f64(p, a); }
  static SDTW_INLINE void keep(V& v) {
#if defined(__GNUC__)
    asm("" : "+w"(v));
#else
    (void)v;
#endif
  }
  static SDTW_INLINE V add(V a, V b) { return vaddq_f64(a, b); }
  static SDTW_INLINE V sub(V a, V b) { return vsubq_f64(a, b); }
  static SDTW_INLINE V mul(V a, V b) { return vmulq_f64(a, b); }
  static SDTW_INLINE V fma(V a, V b, V c) { return vfmaq_f64(c, a, b); }
  static SDTW_INLINE V fnma(V a, V b, V c) { return vfmsq_f64(c, a, b); }
  static SDTW_INLINE V fused(V a, V b, V c) { return fma(a, b, c); }
  static SDTW_INLINE V fused_sub(V a, V b, V c) {
    return fma(a, b, vnegq_f64(c));
  }
  static SDTW_INLINE V sqrt(V a) { return vsqrtq_f64(a); }
  static SDTW_INLINE V min(V a, V b) { return vminq_f64(a, b); }
  static SDTW_INLINE V max(V a, V b) { return vmaxq_f64(a, b); }
  static SDTW_INLINE V leq(V a, V b) { return pick(a, b, set1(1), set1(0)); }
  static SDTW_INLINE V pick(V a, V b, V x, V y) {
    return vbslq_f64(vcleq_f64(a, b), x, y);
  }
  static SDTW_INLINE V above(V a, V b, V x) {
    return vbslq_f64(vcgtq_f64(a, b), x, set1(0));
  }
  static SDTW_INLINE V recip(V a) { return vdivq_f64(set1(1), a); }
  static SDTW_INLINE V shift_up(V v, V previous) {
    return vextq_f64(previous, v, 1);
  }
  static SDTW_INLINE V shift_down(V v, V next) {
    return vextq_f64(v, next, 1);
  }
  static SDTW_INLINE void store_first(T* p, V a) { vst1q_lane_f64(p, a, 0); }
  static SDTW_INLINE void store_last(T* p, V a) { vst1q_lane_f64(p, a, 1); }
};

struct F64 : DoubleExponents<Doubles> {
  // An integral double plus 1.5 * 2**52 carries the integer in its low bits.
  static SDTW_INLINE X base(X e) { return sub(e, set1(0x1.8p52 + 1023)); }
  static SDTW_INLINE V power(X x, X base) {
    const X biased = max(sub(x, base), set1(0x1.8p52));
    return vreinterpretq_f64_s64(
        vshlq_n_s64(vreinterpretq_s64_f64(biased), 52));
  }
  static SDTW_INLINE V scale(V m, X x, X base) {
    return mul(m, power(x, base));
  }
  static SDTW_INLINE V add_scaled(V m, X x, X base, V v) {
    return fma(m, power(x, base), v);
  }
  static SDTW_INLINE V unscale(V v, V m) {
    const int64x2_t k = vandq_s64(vreinterpretq_s64_f64(m), exponent());
    const int64x2_t inverse = vsubq_s64(vdupq_n_s64(2046LL << 52), k);
    return mul(v, vreinterpretq_f64_s64(inverse));
  }
  static SDTW_INLINE void renorm(V& m, X& e) {
    const int64x2_t k = vshrq_n_s64(vreinterpretq_s64_f64(m), 52);
    e = add(e, sub(vcvtq_f64_s64(k), set1(1023)));
    m = vbslq_f64(vreinterpretq_u64_s64(exponent()), set1(1), m);
  }

 private:
  static SDTW_INLINE int64x2_t exponent() {
    return vdupq_n_s64(0x7ffLL << 52);
  }
};

struct F32 : IntExponents {
  using T = float;
  using V = float32x4_t;
  using X = int32x4_t;
  static constexpr int L = 4;

  static SDTW_INLINE V set1(T a) { return vdupq_n_f32(a); }
  static SDTW_INLINE V load(const T* p) { return vld1q_f32(p); }
  static SDTW_INLINE void store(T* p, V a) { vst1q_f32(p, a); }
  static SDTW_INLINE void keep(V& v) {
#if defined(__GNUC__)
    asm("" : "+w"(v));
#else
    (void)v;
#endif
  }
  static SDTW_INLINE V add(V a, V b) { return vaddq_f32(a, b); }
  static SDTW_INLINE V sub(V a, V b) { return vsubq_f32(a, b); }
  static SDTW_INLINE V mul(V a, V b) { return vmulq_f32(a, b); }
  static SDTW_INLINE V fma(V a, V b, V c) { return vfmaq_f32(c, a, b); }
  static SDTW_INLINE V fnma(V a, V b, V c) { return vfmsq_f32(c, a, b); }
  static SDTW_INLINE V fused(V a, V b, V c) { return fma(a, b, c); }
  static SDTW_INLINE V fused_sub(V a, V b, V c) {
    return fma(a, b, vnegq_f32(c));
  }
  static SDTW_INLINE V sqrt(V a) { return vsqrtq_f32(a); }
  static SDTW_INLINE V min(V a, V b) { return vminq_f32(a, b); }
  static SDTW_INLINE V max(V a, V b) { return vmaxq_f32(a, b); }
  static SDTW_INLINE V leq(V a, V b) { return pick(a, b, set1(1), set1(0)); }
  static SDTW_INLINE V pick(V a, V b, V x, V y) {
    return vbslq_f32(vcleq_f32(a, b), x, y);
  }
  static SDTW_INLINE V above(V a, V b, V x) {
    return vbslq_f32(vcgtq_f32(a, b), x, set1(0));
  }
  static SDTW_INLINE V recip(V a) { return vdivq_f32(set1(1), a); }
  static SDTW_INLINE V shift_up(V v, V previous) {
    return vextq_f32(previous, v, 3);
  }
  static SDTW_INLINE V shift_down(V v, V next) {
    return vextq_f32(v, next, 1);
  }
  static SDTW_INLINE void store_first(T* p, V a) { vst1q_lane_f32(p, a, 0); }
  static SDTW_INLINE void store_last(T* p, V a) { vst1q_lane_f32(p, a, 3); }

  static SDTW_INLINE X xset1(T a) { return vdupq_n_s32((int)a); }
  static SDTW_INLINE X xload(const T* p) {
    return vreinterpretq_s32_f32(load(p));
  }
  static SDTW_INLINE void xstore(T* p, X a) {
    store(p, vreinterpretq_f32_s32(a));
  }
  static SDTW_INLINE X xload1(const T* p) {
    return vreinterpretq_s32_f32(vld1q_dup_f32(p));
  }
  static SDTW_INLINE X xadd(X a, X b) { return vaddq_s32(a, b); }
  static SDTW_INLINE X xsub(X a, X b) { return vsubq_s32(a, b); }
  static SDTW_INLINE X xmax(X a, X b) { return vmaxq_s32(a, b); }
  static SDTW_INLINE X xshift_up(X v, X previous) {
    return vextq_s32(previous, v, 3);
  }
  static SDTW_INLINE void xstore_last(T* p, X a) {
    store_last(p, vreinterpretq_f32_s32(a));
  }
  static SDTW_INLINE X to_x(V a) { return vcvtnq_s32_f32(a); }
  static SDTW_INLINE V to_v(X a) { return vcvtq_f32_s32(a); }
  static SDTW_INLINE X base(X e) { return xsub(e, vdupq_n_s32(127)); }
  static SDTW_INLINE V power(X x, X base) {
    const X biased = xmax(xsub(x, base), vdupq_n_s32(0));
    return vreinterpretq_f32_s32(vshlq_n_s32(biased, 23));
  }
  static SDTW_INLINE V scale(V m, X x, X base) {
    return mul(m, power(x, base));
  }
  static SDTW_INLINE V add_scaled(V m, X x, X base, V v) {
    return fma(m, power(x, base), v);
  }
  static SDTW_INLINE V unscale(V v, V m) {
    const X k = vandq_s32(vreinterpretq_s32_f32(m), exponent());
    const X inverse = xsub(vdupq_n_s32(254 << 23), k);
    return mul(v, vreinterpretq_f32_s32(inverse));
  }
  static SDTW_INLINE void renorm(V& m, X& e) {
    const X k = vshrq_n_s32(vreinterpretq_s32_f32(m), 23);
    e = xadd(e, xsub(k, vdupq_n_s32(127)));
    m = vbslq_f32(vreinterpretq_u32_s32(exponent()), set1(1), m);
  }

 private:
  static SDTW_INLINE X exponent() { return vdupq_n_s32(0xff << 23); }
};

}  // namespace SDTW_ISA
}  // namespace sdtw
