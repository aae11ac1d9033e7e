// The built-in costs of series, for bounds in plain numbers and for vectors.
//
// A cost is the sum over the features of a term, which is a function of the
// difference x - y, or the root of such a sum. A new one needs its term as a
// struct like those below, a name in CostKind, the name that Python has for it
// in cost_kind, and a case in with_cost.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <string>

#include "inline.hpp"
#include "limits.hpp"

namespace sdtw {

enum class CostKind {
  kExplicit,
  kSqEuclidean,
  kEuclidean,
  kManhattan,
  kHuber
};

// The kind of the cost that has this name in Python.
inline CostKind cost_kind(const std::string& name) {
  static const std::map<std::string, CostKind> kinds = {
      {"sqeuclidean", CostKind::kSqEuclidean},
      {"euclidean", CostKind::kEuclidean},
      {"manhattan", CostKind::kManhattan},
      {"huber", CostKind::kHuber},
  };
  return kinds.at(name);
}

// Of single numbers Euclidean and Manhattan distances are the same, and the
// latter need no root.
inline CostKind swept_as(CostKind kind, int64_t features) {
  return kind == CostKind::kEuclidean && features == 1 ? CostKind::kManhattan
                                                       : kind;
}

// One number, with the functions of a vector that terms are made of.
struct Number {
  using V = double;
  static SDTW_INLINE V set1(double a) { return a; }
  static SDTW_INLINE V add(V a, V b) { return a + b; }
  static SDTW_INLINE V sub(V a, V b) { return a - b; }
  static SDTW_INLINE V mul(V a, V b) { return a * b; }
  static SDTW_INLINE V fma(V a, V b, V c) { return a * b + c; }
  static SDTW_INLINE V min(V a, V b) { return a < b ? a : b; }
  static SDTW_INLINE V max(V a, V b) { return a > b ? a : b; }
  static SDTW_INLINE V pick(V a, V b, V x, V y) { return a <= b ? x : y; }
};

// The interface of a term is that of the first one.
template <class F>
struct Squares {
  using V = typename F::V;
  // The term of a difference, which grows with the absolute value of `a`; and
  // a sum with one more term.
  static SDTW_INLINE V term(V a) { return F::mul(a, a); }
  static SDTW_INLINE V add(V total, V a) { return F::fma(a, a, total); }
  // What rounding left out of c = term(a), if that matters in float32: it is
  // magnified by 1 / gamma.
  static SDTW_INLINE V rest(V a, V c) { return F::fused_sub(a, a, c); }
  // The term's derivative without the factor, and the slope's along v; whether
  // that is ever other than 0.
  static constexpr double kFactor = 2;
  static SDTW_INLINE V slope(V a) { return a; }
  static SDTW_INLINE V bend(V, V v) { return v; }
  static constexpr bool kCurved = true;
  // The difference of a term, and one whose term is infinite in T.
  static double difference(double term) { return std::sqrt(term); }
  template <class T>
  static double farthest() {
    return std::ldexp(1.0, std::numeric_limits<T>::max_exponent / 2);
  }
};

template <class F>
struct Absolutes {
  using V = typename F::V;
  static SDTW_INLINE V term(V a) { return F::max(a, F::sub(F::set1(0), a)); }
  static SDTW_INLINE V add(V total, V a) { return F::add(total, term(a)); }
  static SDTW_INLINE V rest(V, V) { return F::set1(0); }
  static constexpr double kFactor = 1;
  static SDTW_INLINE V slope(V a) {
    const V zero = F::set1(0);
    return F::sub(F::leq(zero, a), F::leq(a, zero));
  }
  static SDTW_INLINE V bend(V, V) { return F::set1(0); }
  static constexpr bool kCurved = false;
  static double difference(double term) { return term; }
  template <class T>
  static double farthest() {
    return std::numeric_limits<double>::infinity();
  }
};

// Half of the square up to 1, and the absolute value less 1/2 beyond.
template <class F>
struct Hubers {
  using V = typename F::V;
  // Both are s (a - s / 2), with the slope s.
  static SDTW_INLINE V term(V a) { return F::mul(slope(a), inner(a)); }
  static SDTW_INLINE V add(V total, V a) {
    return F::fma(slope(a), inner(a), total);
  }
  static SDTW_INLINE V rest(V a, V c) {
    const V s = slope(a), b = inner(a);
    const V of_product = F::fused_sub(s, b, c);
    return F::fma(s, F::sub(F::sub(a, b), half(s)), of_product);
  }
  static constexpr double kFactor = 1;
  static SDTW_INLINE V slope(V a) {
    return F::max(F::min(a, F::set1(1)), F::set1(-1));
  }
  static SDTW_INLINE V bend(V a, V v) {
    return F::pick(Absolutes<F>::term(a), F::set1(1), v, F::set1(0));
  }
  static constexpr bool kCurved = true;
  static double difference(double term) {
    return term < 0.5 ? std::sqrt(2 * term) : term + 0.5;
  }
  template <class T>
  static double farthest() {
    return std::numeric_limits<double>::infinity();
  }

 private:
  static SDTW_INLINE V half(V s) { return F::mul(F::set1(0.5), s); }
  static SDTW_INLINE V inner(V a) { return F::sub(a, half(slope(a))); }
};

// What distances are cut at that are roots of sums of squares.
template <class T>
double largest_root() {
  return 0.1 * std::sqrt(Format<T>::kHuge);
}

template <template <class> class N>
struct SumOf {
  template <class F>
  using Term = N<F>;
  static constexpr bool kRoot = false;
  // What the slope leaves out of the cost's derivative.
  static constexpr double kFactor = N<Number>::kFactor;
  // The difference of one feature that costs so much.
  static double difference(double cost) { return N<Number>::difference(cost); }
  // Where differences are cut so that no cost and no exponent overflows.
  template <class T>
  static double cut(double forbidden) {
    return std::min(difference(forbidden), N<Number>::template farthest<T>());
  }
  // Costs above are those of padding or forbid a cell.
  template <class T>
  static double limit(double forbidden) {
    return forbidden / 2;
  }
};

struct Euclidean {
  template <class F>
  using Term = Squares<F>;
  static constexpr bool kRoot = true;
  static constexpr double kFactor = Squares<Number>::kFactor / 2;
  static double difference(double cost) { return cost; }
  template <class T>
  static double cut(double forbidden) {
    return std::min(forbidden, largest_root<T>());
  }
  template <class T>
  static double limit(double forbidden) {
    return cut<T>(forbidden) / 2;
  }
};

using SqEuclidean = SumOf<Squares>;
using Manhattan = SumOf<Absolutes>;
using Huber = SumOf<Hubers>;

// fn of the cost of this kind, which is not explicit.
template <class Fn>
SDTW_INLINE auto with_cost(CostKind kind, Fn fn) {
  if (kind == CostKind::kHuber) return fn(Huber());
  if (kind == CostKind::kManhattan) return fn(Manhattan());
  if (kind == CostKind::kEuclidean) return fn(Euclidean());
  return fn(SqEuclidean());
}

// Whether it is the root of a sum.
inline bool is_root(CostKind kind) {
  return kind != CostKind::kExplicit &&
         with_cost(kind, [](auto cost) { return decltype(cost)::kRoot; });
}

}  // namespace sdtw
