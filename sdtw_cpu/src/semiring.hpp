// What a sweep adds up with: the soft, the hard and the log-space semiring.
//
// Each semiring has
//   kCosts        whether weights are the costs themselves
//   kPlanes       how many numbers an element has
//   Val, Weight   vectors of elements, and of the weights of cells
//   none()        the element where no path ends
//   load(), store()   elements in a state, whose planes are `stride` apart
//   get(), put()      the entries of an edge, for one row
//   up(v, previous)   the elements of the rows above
//   weight()      a weight from the planes of a segment
//   step()        a cell from its predecessors, and what it keeps
//   renorm()      keeps mantissas in range
//   forbidden()   the exponent, or the cost, of a forbidden cell
//   value()       R from an element in a state
//   last()        what masses of that element are divided by, see Keep
#pragma once

#include <math.h>

#include "lanes.hpp"
#include "simd/weight.hpp"

namespace sdtw {
namespace SDTW_ISA {
namespace {

// What a cell keeps for the way back, of its predecessors on the left, above
// and on the diagonal: nothing; their shares of the soft minimum; or how its
// mantissa depends on theirs, and last that mantissa itself. With the latter,
// the way back is the transpose of the way there, without a division: messages
// are derivatives with respect to mantissas, and a cell's product with its
// mantissa is its mass.
enum class Keep { kNothing, kShares, kDerivatives };

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
  struct Weight {
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
  static SDTW_INLINE Weight weight(const T* fraction, const T* exponent) {
    return {F::load(fraction), F::xload(exponent)};
  }
  static constexpr Keep kBack = Keep::kDerivatives;
  template <Keep kKeep>
  SDTW_INLINE Val step(const Val& left, const Val& upper, const Val& diagonal,
                       const Weight& weight, T* kept) const {
    const X e = F::xmax(F::xmax(upper.e, diagonal.e), left.e);
    const X base = F::base(e);
    const V g = F::scale(diagonal.m, diagonal.e, base);
    const V ug = F::add_scaled(upper.m, upper.e, base, g);
    const V sum = F::add_scaled(left.m, left.e, base, ug);
    const V m = F::mul(sum, weight.f);
    if (kKeep == Keep::kDerivatives) {
      F::store(kept, F::scale(weight.f, left.e, base));
      F::store(kept + F::L, F::scale(weight.f, upper.e, base));
      F::store(kept + 2 * F::L, F::scale(weight.f, diagonal.e, base));
      F::store(kept + 3 * F::L, m);
    }
    if (kKeep == Keep::kShares) {
      const auto inverse = invert(F(), sum);
      const V l = F::scale(left.m, left.e, base);
      const V u = F::scale(upper.m, upper.e, base);
      F::store(kept, inverse.share(l));
      F::store(kept + F::L, inverse.share(u));
      F::store(kept + 2 * F::L, inverse.share(g));
    }
    return {m, F::xmax(F::xadd(e, weight.n), floor)};
  }
  static SDTW_INLINE void renorm(Val& v) { F::renorm(v.m, v.e); }
  static T last(const T* p) { return *p; }
  static T forbidden(const Scale& s) {
    T all[F::L];
    F::xstore(all, F::xset1((T)::floor(-s.forbidden * s.weight_rate)));
    return all[0];
  }
  static double value(const Scale& s, const T* p, int stride) {
    const double exponent = F::number(p + stride);
    if (exponent < s.infeasible) return HUGE_VAL;
    // A mantissa depends on when it was last brought into range, and so on
    // what else is swept: the value must not.
    int shift;
    const double mantissa = frexp((double)*p, &shift);
    return -(exponent + shift + log2(mantissa)) / s.rate;
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
  struct Weight {
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
  static SDTW_INLINE Weight weight(const T* fraction, const T*) {
    return {F::load(fraction)};
  }
  static constexpr Keep kBack = Keep::kShares;
  template <Keep kKeep>
  SDTW_INLINE Val step(const Val& left, const Val& upper, const Val& diagonal,
                       const Weight& weight, T* kept) const {
    const V least = F::min(F::min(upper.r, diagonal.r), left.r);
    if (kKeep ==
        Keep::kShares) {  // ties: the diagonal first, then the row above
      const V g = F::leq(diagonal.r, least);
      const V u =
          F::sub(F::leq(upper.r, least), F::mul(F::leq(upper.r, least), g));
      F::store(kept, F::sub(F::sub(F::set1(1), g), u));
      F::store(kept + F::L, u);
      F::store(kept + 2 * F::L, g);
    }
    return {F::add(least, weight.c)};
  }
  static SDTW_INLINE void renorm(Val&) {}
  static T last(const T*) { return 1; }
  static T forbidden(const Scale& s) { return (T)s.forbidden; }
  static double value(const Scale&, const T* p, int) { return (double)*p; }
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
  struct Weight {
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
  static SDTW_INLINE Weight weight(const T* fraction, const T*) {
    return {F::load(fraction)};
  }
  static constexpr Keep kBack = Keep::kShares;
  template <Keep kKeep>
  SDTW_INLINE Val step(const Val& left, const Val& upper, const Val& diagonal,
                       const Weight& weight, T* kept) const {
    constexpr int L = F::L;
    T high[3 * L], low[3 * L], cost[L], share[3 * L];
    const Val* from[3] = {&left, &upper, &diagonal};
    for (int k = 0; k < 3; ++k) {
      F::store(high + k * L, from[k]->high);
      F::store(low + k * L, from[k]->low);
    }
    F::store(cost, weight.c);
    for (int l = 0; l < L; ++l) {
      const T least = fmin(fmin(high[l], high[L + l]), high[2 * L + l]);
      const T sum = least + cost[l];
      share[l] = share[L + l] = 0;
      share[2 * L + l] = 1;
      T rest = 0;
      if (sum < (T)HUGE_VAL) {
        T gap[3], first = (T)HUGE_VAL, total = 0;
        for (int k = 0; k < 3; ++k) {
          gap[k] = (high[k * L + l] - least) + low[k * L + l];
          first = fmin(first, gap[k]);
        }
        for (int k = 0; k < 3; ++k)
          total += share[k * L + l] = exp2((first - gap[k]) * rate);
        for (int k = 0; k < 3; ++k) share[k * L + l] /= total;
        // What the sum of two numbers leaves out (Knuth).
        const T cost_in = sum - least;
        rest = (least - (sum - cost_in)) + (cost[l] - cost_in);
        rest += first - log2(total) / rate;
      }
      high[l] = sum;
      low[l] = rest;
    }
    if (kKeep == Keep::kShares)
      for (int k = 0; k < 3; ++k)
        F::store(kept + k * L, F::load(share + k * L));
    return {F::load(high), F::load(low)};
  }
  static SDTW_INLINE void renorm(Val&) {}
  static T last(const T*) { return 1; }
  static T forbidden(const Scale& s) { return (T)s.forbidden; }
  static double value(const Scale&, const T* p, int stride) {
    return *p < HUGE_VAL ? *p + p[stride] : HUGE_VAL;
  }
};

}  // namespace
}  // namespace SDTW_ISA
}  // namespace sdtw
