// Which numbers a pair can be swept with.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "input.hpp"
#include "kernels.hpp"
#include "threads.hpp"

namespace sdtw {

// Bits of exponent that the sums of a pair's costs may take in each format,
// and that a forbidden cell takes, up to four times as many. With int32
// exponents and a floor of -2**29 at every step none of them overflows;
// integral doubles hold more, but cells must stay under 2**51 (see weight()
// in simd/weight.hpp). kCost bounds a single cost: what rounding x - y takes
// from it is magnified by 1 / gamma, and above 2**13 would show in the
// gradient. kFlattest is the largest gamma for which forbidden cells have a
// cost. For a larger one the pair fits only if its costs are negligible beside
// gamma.
template <class T>
struct Range;
template <>
struct Range<float> {
  static constexpr double kCost = 0x1p13, kSum = 0x1p26, kCell = 0x1p28,
                          kFloor = -0x1p29;
  static constexpr double kHuge = 1e37, kFlattest = 1e25;
};
template <>
struct Range<double> {
  static constexpr double kCost = 0x1p47, kSum = 0x1p47, kCell = 0x1p49,
                          kFloor = -0x1p52;
  static constexpr double kHuge = 1e307, kFlattest = 1e290;
};

// A difference whose square is infinite.
template <class T>
const double kTooFar =
    std::ldexp(1.0, std::numeric_limits<T>::max_exponent / 2);

// What distances are cut at where they are roots of sums of squares.
template <class T>
const double kMostRoot = 0.1 * std::sqrt(Range<T>::kHuge);

struct Pair {
  int64_t index;
  int m, n;
  bool nan = false;      // NaN somewhere, or an infinity that is not a cost
  bool blocked = false;  // the band leaves no path
  double most = 0;       // bound on the finite costs' absolute values
  double negative = 0;   // the same of those below 0, if that matters
  double squares = 0;    // bound on what a cost is the root of
  double reach = 0;      // largest absolute value in x and y
};

const double kLn2 = 0.693147180559945309417232121458;

inline double rate_of(double gamma) { return 1 / (gamma * kLn2); }

// The rate that costs weigh at.
template <class T>
double weight_rate(double gamma) {
  return rate_of(std::min(gamma, Range<T>::kFlattest));
}

// Whether a format has the weights of forbidden cells for a gamma.
template <class T>
bool has_rate(double gamma) {
  const double rate = weight_rate<T>(gamma);
  return rate > 1 / Range<T>::kHuge && rate < Range<T>::kHuge &&
         Range<T>::kCell * 4 / rate < Range<T>::kHuge;
}

template <class T>
bool fits(const Pair& p, double gamma) {
  const double sum = p.most * ((double)p.m + p.n);
  if (!(sum < Range<T>::kHuge) || !(p.reach < Range<T>::kHuge) ||
      !(std::sqrt(p.squares) < kMostRoot<T> / 10))
    return false;
  if (gamma == 0) return true;
  const double rate = weight_rate<T>(gamma);
  if (gamma > Range<T>::kFlattest && !(sum * rate < 0x1p-30)) return false;
  return has_rate<T>(gamma) && p.most * rate < Range<T>::kCost &&
         sum * rate < Range<T>::kSum;
}

inline bool in_range(double value, double gamma) {
  return value * rate_of(gamma) < Range<double>::kSum;
}

// Whether squares of all differences that make up distances would underflow.
template <class T>
bool vanishes(const Input& in, const Pair& p) {
  return in.cost == kEuclideanCost && p.most > 0 &&
         p.most < 1e7 * std::sqrt(std::numeric_limits<T>::min());
}

template <class T>
Scale make_scale(Minimum minimum, double gamma) {
  Scale s;
  s.minimum = minimum;
  s.forbidden = std::numeric_limits<double>::infinity();
  if (minimum == Minimum::kHard) return s;
  s.rate = rate_of(gamma);
  s.curvature = -1 / gamma;
  if (minimum == Minimum::kLogSpace) return s;
  s.weight_rate = weight_rate<T>(gamma);
  // The power of four whose weight is 2**-kCell or up to four times that.
  s.forbidden = std::ldexp(
      1.0, 2 * (int)std::ceil(std::log2(Range<T>::kCell / s.weight_rate) / 2));
  s.floor = Range<T>::kFloor;
  s.infeasible = -2 * Range<T>::kSum;
  return s;
}

// Whether a pair that does not fit can be swept with the costs that are too
// large in the place of forbidden ones. The result is right if it is in range:
// paths through such a cell then weigh at least 2**48 bits less. Where series
// differ by more than kFarthest, even the least mass might show in gradients.
inline bool may_cap(const Pair& p, double gamma) {
  constexpr double kFarthest = 1e150;
  return has_rate<double>(gamma) && p.reach < kFarthest &&
         p.negative * ((double)p.m + p.n) * rate_of(gamma) <
             Range<double>::kSum;
}

// Find out about the pair of an index: the rest of `p`.
void inspect(const Input& in, Pair& p, Watch& watch);

}  // namespace sdtw
