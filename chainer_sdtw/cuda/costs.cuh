// The costs that kernels are compiled for, one struct each.
//
// The cost of two elements is a sum over their features of a function of the
// difference `a`, and what finish() makes of that. A new cost is a struct here
// with the name that Python has for it, capitalised.
#pragma once

#include "numerics.cuh"

namespace {

// What all costs have, and what it is for those that do not say otherwise.
template <class T, class Self>
struct Cost {
  static constexpr bool kExplicit = false;
  // Whether finish() does anything, and gives a factor of the gradient that
  // each cell has for itself.
  static constexpr bool kFinish = false;
  // The derivative of the function is so many times what slope() gives.
  static constexpr int kFactor = 1;
  // Costs from here on are not capped.
  static constexpr double kLargest = 1e150;
  // Costs that are computed in float are below it and above its inverse, if
  // it is not 0.
  static constexpr double kFloatRange = 0;
  // Features that are added in one turn of the loop.
  static constexpr int kUnroll = 2;

  // The function of a difference.
  static SDTW_DEVICE T term(T) { return T(0); }
  static SDTW_DEVICE T slope(T) { return T(0); }
  // A sum with the function of one more difference.
  static SDTW_DEVICE T add(T total, T a) { return total + Self::term(a); }
  // What rounding left out of `c`, the function of `a`, when it left `a_rest`
  // out of the difference.
  static SDTW_DEVICE T rest(T a, T a_rest, T) {
    return product(Self::kFactor * Self::slope(a), a_rest);
  }
  // A sum with `e` times the slope of x - y.
  static SDTW_DEVICE T add_slope(T total, T e, T x, T y) {
    return fused(e, Self::slope(x - y), total);
  }
  // The cost of a sum `c`, in place. `rest` is what the format could not hold,
  // of the sum and then of the cost.
  static SDTW_DEVICE void finish(T&, T&, T& factor) { factor = 1; }

  // The largest value of the function, of differences up to `widest`; and the
  // largest cost, of a sum of these.
  static SDTW_DEVICE double bound(double widest) { return widest; }
  static SDTW_DEVICE double finish_bound(double total) { return total; }
};

// Matrices of costs in the place of series.
template <class T>
struct Explicit : Cost<T, Explicit<T>> {
  static constexpr bool kExplicit = true;
};

template <class T>
struct Sqeuclidean : Cost<T, Sqeuclidean<T>> {
  static constexpr int kFactor = 2;
  static constexpr double kLargest = 1e300;

  static SDTW_DEVICE T term(T a) { return product(a, a); }
  static SDTW_DEVICE T slope(T a) { return a; }
  static SDTW_DEVICE T add(T total, T a) { return fused(a, a, total); }
  static SDTW_DEVICE T rest(T a, T a_rest, T c) {
    return fused(a + a, a_rest, fused(a, a, -c));
  }
  static SDTW_DEVICE double bound(double widest) { return widest * widest; }
};

// The root of squares. Of one feature, it is computed as Manhattan.
template <class T>
struct Euclidean : Sqeuclidean<T> {
  static constexpr bool kFinish = true;
  static constexpr int kFactor = 1;
  static constexpr double kLargest = 1e150;
  static constexpr double kFloatRange = 1e15;  // float holds their squares

  // The factor is the inverse of the distance.
  static SDTW_DEVICE void finish(T& c, T& rest, T& factor) {
    root(c, rest, factor);
  }
  static SDTW_DEVICE double finish_bound(double total) { return sqrt(total); }
};

template <class T>
struct Manhattan : Cost<T, Manhattan<T>> {
  static constexpr int kUnroll = sizeof(T) == 8 ? 1 : 2;

  static SDTW_DEVICE T term(T a) { return fabs(a); }
  static SDTW_DEVICE T slope(T a) { return a == 0 ? T(0) : copysign(T(1), a); }
  static SDTW_DEVICE T add_slope(T total, T e, T x, T y) {
    if (x > y) total += e;
    if (x < y) total -= e;
    return total;
  }
};

}  // namespace
