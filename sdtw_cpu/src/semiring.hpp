// What is added and minimised.
//
// kCosts says that the table holds costs and not weights.
#pragma once

#include <math.h>

#include "lanes.hpp"
#include "simd/weight.hpp"

namespace sdtw {
namespace SDTW_ISA {
namespace {

template <class F, class G>
struct Soft {
  using T = typename F::T;
  using V = typename F::V;
  using X = typename F::X;
  static constexpr bool kCosts = false;
  static constexpr int kPlanes = 2;
  struct Val {
    V m;
    X e;
  };
  struct Cell {
    V f;
    X n;
  };
  X floor;
  explicit Soft(const Scale& s) : floor(F::xset1((T)s.floor)) {}

  SDTW_INLINE Val none() const { return {F::set1(1), floor}; }
  static SDTW_INLINE Val load(const T* p, int stride) {
    return {F::load(p), F::xload(p + stride)};
  }
  static SDTW_INLINE void store(T* p, int stride, const Val& v) {
    F::store(p, v.m);
    F::xstore(p + stride, v.e);
  }
  static SDTW_INLINE Val get(Edge<T> p, ptrdiff_t i) {
    return {G::get(p.m + i), G::xget(p.e + i)};
  }
  static SDTW_INLINE void put(Edge<T> p, ptrdiff_t i, const Val& v) {
    G::put_last(p.m + i, v.m);
    G::xput_last(p.e + i, v.e);
  }
  static SDTW_INLINE Val up(const Val& v, const Val& previous) {
    return {G::up(v.m, previous.m), G::xup(v.e, previous.e)};
  }
  static SDTW_INLINE Cell cell(const T* fraction, const T* exponent) {
    return {F::load(fraction), F::xload(exponent)};
  }
  template <bool kStore>
  SDTW_INLINE Val step(const Val& left, const Val& upper, const Val& diag,
                       const Cell& w, T* shares) const {
    const X e = F::xmax(F::xmax(upper.e, diag.e), left.e);
    const V u = F::scale(upper.m, F::xsub(upper.e, e));
    const V g = F::scale(diag.m, F::xsub(diag.e, e));
    const V l = F::scale(left.m, F::xsub(left.e, e));
    const V sum = F::add(F::add(u, g), l);
    if (kStore) {
      const auto inverse = invert(F(), sum);
      F::store(shares, inverse.share(l));
      F::store(shares + F::L, inverse.share(u));
      F::store(shares + 2 * F::L, inverse.share(g));
    }
    return {F::mul(sum, w.f), F::xmax(F::xadd(e, w.n), floor)};
  }
  static SDTW_INLINE void renorm(Val& v) { F::renorm(v.m, v.e); }
  // The exponent of a forbidden cell.
  static T forbidden(const Scale& s) {
    T all[F::L];
    F::xstore(all, F::xset1((T)::floor(-s.forbidden * s.weight_rate)));
    return all[0];
  }
  static double result(const Scale& s, const T* p, int stride) {
    const double exponent = F::number(p + stride);
    if (exponent < s.infeasible) return HUGE_VAL;
    return -(exponent + log2((double)*p)) / s.rate;
  }
};

template <class F, class G>
struct Hard {
  using T = typename F::T;
  using V = typename F::V;
  static constexpr bool kCosts = true;
  static constexpr int kPlanes = 1;
  struct Val {
    V r;
  };
  struct Cell {
    V c;
  };
  explicit Hard(const Scale&) {}

  SDTW_INLINE Val none() const { return {F::set1((T)HUGE_VAL)}; }
  static SDTW_INLINE Val load(const T* p, int) { return {F::load(p)}; }
  static SDTW_INLINE void store(T* p, int, const Val& v) { F::store(p, v.r); }
  static SDTW_INLINE Val get(Edge<T> p, ptrdiff_t i) {
    return {G::get(p.m + i)};
  }
  static SDTW_INLINE void put(Edge<T> p, ptrdiff_t i, const Val& v) {
    G::put_last(p.m + i, v.r);
  }
  static SDTW_INLINE Val up(const Val& v, const Val& previous) {
    return {G::up(v.r, previous.r)};
  }
  static SDTW_INLINE Cell cell(const T* fraction, const T*) {
    return {F::load(fraction)};
  }
  template <bool kStore>
  SDTW_INLINE Val step(const Val& left, const Val& upper, const Val& diag,
                       const Cell& w, T* shares) const {
    const V least = F::min(F::min(upper.r, diag.r), left.r);
    if (kStore) {  // ties: the diagonal first, then the row above
      const V g = F::leq(diag.r, least);
      const V u =
          F::sub(F::leq(upper.r, least), F::mul(F::leq(upper.r, least), g));
      F::store(shares, F::sub(F::sub(F::set1(1), g), u));
      F::store(shares + F::L, u);
      F::store(shares + 2 * F::L, g);
    }
    return {F::add(least, w.c)};
  }
  static SDTW_INLINE void renorm(Val&) {}
  static T forbidden(const Scale& s) { return (T)s.forbidden; }
  static double result(const Scale&, const T* p, int) { return (double)*p; }
};

// The soft minimum of costs of any size. An element is an unevaluated sum of
// two numbers: `high` is the hard minimum, and `low` has what rounding took
// from that and how far the soft minimum is below. So alignments that cost the
// same count as that many, however small gamma is beside their cost. Slow, and
// only for pairs whose value is out of the range of Soft.
template <class F, class G>
struct LogSpace {
  using T = typename F::T;
  using V = typename F::V;
  static constexpr bool kCosts = true;
  static constexpr int kPlanes = 2;
  struct Val {
    V high, low;
  };
  struct Cell {
    V c;
  };
  T rate;
  explicit LogSpace(const Scale& s) : rate((T)s.rate) {}

  SDTW_INLINE Val none() const { return {F::set1((T)HUGE_VAL), F::set1(0)}; }
  static SDTW_INLINE Val load(const T* p, int stride) {
    return {F::load(p), F::load(p + stride)};
  }
  static SDTW_INLINE void store(T* p, int stride, const Val& v) {
    F::store(p, v.high);
    F::store(p + stride, v.low);
  }
  static SDTW_INLINE Val get(Edge<T> p, ptrdiff_t i) {
    return {G::get(p.m + i), G::get(p.e + i)};
  }
  static SDTW_INLINE void put(Edge<T> p, ptrdiff_t i, const Val& v) {
    G::put_last(p.m + i, v.high);
    G::put_last(p.e + i, v.low);
  }
  static SDTW_INLINE Val up(const Val& v, const Val& previous) {
    return {G::up(v.high, previous.high), G::up(v.low, previous.low)};
  }
  static SDTW_INLINE Cell cell(const T* fraction, const T*) {
    return {F::load(fraction)};
  }
  template <bool kStore>
  SDTW_INLINE Val step(const Val& left, const Val& upper, const Val& diag,
                       const Cell& w, T* shares) const {
    constexpr int L = F::L;
    T high[3 * L], low[3 * L], cost[L], share[3 * L];
    const Val* from[3] = {&left, &upper, &diag};
    for (int k = 0; k < 3; ++k) {
      F::store(high + k * L, from[k]->high);
      F::store(low + k * L, from[k]->low);
    }
    F::store(cost, w.c);
    for (int l = 0; l < L; ++l) {
      const T least = fmin(fmin(high[l], high[L + l]), high[2 * L + l]);
      const T sum = least + cost[l];
      share[l] = share[L + l] = 0;
      share[2 * L + l] = 1;
      T rest = 0;
      if (sum < (T)HUGE_VAL) {
        T excess[3], first = (T)HUGE_VAL, total = 0;
        for (int k = 0; k < 3; ++k) {
          excess[k] = (high[k * L + l] - least) + low[k * L + l];
          first = fmin(first, excess[k]);
        }
        for (int k = 0; k < 3; ++k)
          total += excess[k] = exp2((first - excess[k]) * rate);
        for (int k = 0; k < 3; ++k) share[k * L + l] = excess[k] / total;
        // What the sum of two numbers leaves out (Knuth).
        const T back = sum - least;
        rest = (least - (sum - back)) + (cost[l] - back);
        rest += first - log2(total) / rate;
      }
      high[l] = sum;
      low[l] = rest;
    }
    if (kStore)
      for (int k = 0; k < 3; ++k)
        F::store(shares + k * L, F::load(share + k * L));
    return {F::load(high), F::load(low)};
  }
  static SDTW_INLINE void renorm(Val&) {}
  static T forbidden(const Scale& s) { return (T)s.forbidden; }
  static double result(const Scale&, const T* p, int stride) {
    return *p < HUGE_VAL ? *p + p[stride] : HUGE_VAL;
  }
};

}  // namespace
}  // namespace SDTW_ISA
}  // namespace sdtw
