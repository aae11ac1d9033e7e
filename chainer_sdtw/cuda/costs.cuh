// The costs that kernels are compiled for, one struct each.
//
// A cost is the sum over the features of a term, which is a function of the
// difference `a`, or the root of such a sum. A new one is a struct here with
// the name that Python has for it, capitalised.
#pragma once

#include "numerics.cuh"

namespace {

// What all costs have, and what it is for those that do not say otherwise.
template <class T, class Self>
struct Cost {
  static constexpr bool kExplicit = false;
  // Whether it is the root of a sum. Then the gradient of each cell has a
  // factor of its own, the inverse of the cost.
  static constexpr bool kRoot = false;
  // What the slope leaves out of the cost's derivative.
  static constexpr int kFactor = 1;
  // The same for a single term.
  static constexpr int kTermFactor = 1;
  // Costs from here on are not capped.
  static constexpr double kLargest = 1e150;
  // Costs that are computed in float are below it and above its inverse, if
  // it is not 0.
  static constexpr double kFloatRange = 0;
  // Features that are added in one turn of the loop.
  static constexpr int kUnroll = 2;

  // The term of a difference, and its derivative without the factors.
  static SDTW_DEVICE T term(T) { return T(0); }
  static SDTW_DEVICE T slope(T) { return T(0); }
  // A sum with one more term.
  static SDTW_DEVICE T add(T total, T a) { return total + Self::term(a); }
  // The same with what it adds to a difference to be `rest` / kTermFactor
  // more: by the slope in the middle, which is right for squares too.
  static SDTW_DEVICE T add_rest(T total, T a, T rest) {
    const T middle = fused(rest, T(0.5) / Self::kTermFactor, a);
    return fused(Self::slope(middle), rest, total);
  }
  // A bound on differences whose terms have a bound.
  static SDTW_DEVICE double reach(double bound) { return bound; }
  // What rounding left out of c = term(a) when it left `a_rest` out of the
  // difference.
  static SDTW_DEVICE T rest(T a, T a_rest, T) {
    return product(Self::kFactor * Self::slope(a), a_rest);
  }
  // A sum with `e` times the slope of x - y.
  static SDTW_DEVICE T add_slope(T total, T e, T x, T y) {
    return fused(e, Self::slope(x - y), total);
  }
};

// Matrices of costs in the place of series.
template <class T>
struct Explicit : Cost<T, Explicit<T>> {
  static constexpr bool kExplicit = true;
};

template <class T>
struct Sqeuclidean : Cost<T, Sqeuclidean<T>> {
  static constexpr int kFactor = 2;
  static constexpr int kTermFactor = 2;
  static constexpr double kLargest = 1e300;

  static SDTW_DEVICE T term(T a) { return product(a, a); }
  static SDTW_DEVICE T slope(T a) { return a; }
  static SDTW_DEVICE T add(T total, T a) { return fused(a, a, total); }
  static SDTW_DEVICE double reach(double bound) { return sqrt(bound); }
  static SDTW_DEVICE T rest(T a, T a_rest, T c) {
    return fused(a + a, a_rest, fused(a, a, -c));
  }
};

// The root of squares. Of one feature, it is computed as Manhattan.
template <class T>
struct Euclidean : Sqeuclidean<T> {
  static constexpr bool kRoot = true;
  static constexpr int kFactor = 1;
  static constexpr double kLargest = 1e150;
  static constexpr double kFloatRange = 1e15;  // float holds their squares
};

template <class T>
struct Manhattan : Cost<T, Manhattan<T>> {
  static constexpr int kUnroll = 1;

  static SDTW_DEVICE T term(T a) { return fabs(a); }
  static SDTW_DEVICE T slope(T a) { return a == 0 ? T(0) : copysign(T(1), a); }
  static SDTW_DEVICE T add_slope(T total, T e, T x, T y) {
    if (x > y) total += e;
    if (x < y) total -= e;
    return total;
  }
};

// Half of the square up to 1, and the absolute value less 1/2 beyond: both are
// s (a - s / 2), with the slope s.
template <class T>
struct Huber : Cost<T, Huber<T>> {
  static constexpr int kUnroll = 1;

  static SDTW_DEVICE T term(T a) { return product(slope(a), inner(a)); }
  static SDTW_DEVICE T slope(T a) {
    return fabs(a) > 1 ? copysign(T(1), a) : a;
  }
  static SDTW_DEVICE T add(T total, T a) {
    return fused(slope(a), inner(a), total);
  }
  static SDTW_DEVICE double reach(double bound) { return bound + 1; }
  static SDTW_DEVICE T rest(T a, T a_rest, T c) {
    const T s = slope(a);
    const T b = inner(a);
    const T b_rest = sum(sum(a, -b), -s / 2);
    return fused(s, a_rest + b_rest, fused(s, b, -c));
  }

 private:
  static SDTW_DEVICE T inner(T a) { return sum(a, -slope(a) / 2); }
};

}  // namespace
