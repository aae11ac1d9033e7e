// Which numbers a pair can be swept with.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "costs.hpp"
#include "input.hpp"
#include "kernels.hpp"
#include "limits.hpp"
#include "threads.hpp"

namespace sdtw {

struct Pair {
  int64_t index;  // in the batch
  int m, n;
  bool nan = false;         // NaN somewhere, or an infinity that is not a cost
  bool blocked = false;     // the band leaves no path
  double max_cost = 0;      // bound on the finite costs' absolute values
  double max_negative = 0;  // the same of those below 0, if that matters
  double max_sum = 0;       // bound on what a cost is the root of
  double max_value = 0;     // largest absolute value in x and y
};

constexpr double kLn2 = 0.693147180559945309417232121458;

inline double rate_of(double gamma) { return 1 / (gamma * kLn2); }

// The rate that costs weigh at.
template <class T>
double weight_rate(double gamma) {
  return rate_of(std::min(gamma, Format<T>::kFlattest));
}

// Whether a format has the weights of forbidden cells for a gamma.
template <class T>
bool has_forbidden_cost(double gamma) {
  const double rate = weight_rate<T>(gamma);
  return rate > 1 / Format<T>::kHuge && rate < Format<T>::kHuge &&
         Format<T>::kCell * 4 / rate < Format<T>::kHuge;
}

template <class T>
bool fits(const Pair& p, double gamma) {
  const double sum = p.max_cost * ((double)p.m + p.n);
  if (!(sum < Format<T>::kHuge) || !(p.max_value < Format<T>::kHuge) ||
      !(std::sqrt(p.max_sum) < largest_root<T>() / 10))
    return false;
  if (gamma == 0) return true;
  const double rate = weight_rate<T>(gamma);
  if (gamma > Format<T>::kFlattest && !(sum * rate < 0x1p-30)) return false;
  return has_forbidden_cost<T>(gamma) &&
         p.max_cost * rate < Format<T>::kCost && sum * rate < Format<T>::kSum;
}

inline bool in_range(double value, double gamma) {
  return value * rate_of(gamma) < Format<double>::kSum;
}

// Whether squares of all differences that make up distances would underflow.
template <class T>
bool underflows(const Input& in, const Pair& p) {
  return is_root(in.cost) && p.max_cost > 0 &&
         p.max_cost < 1e7 * std::sqrt(std::numeric_limits<T>::min());
}

template <class T>
Scale make_scale(Semiring semiring, double gamma) {
  Scale s;
  s.semiring = semiring;
  s.forbidden = std::numeric_limits<double>::infinity();
  if (semiring == Semiring::kHard) return s;
  s.rate = rate_of(gamma);
  s.curvature = -1 / gamma;
  if (semiring == Semiring::kLogSpace) return s;
  s.weight_rate = weight_rate<T>(gamma);
  // The power of four whose weight is 2**-kCell or up to four times that.
  s.forbidden = std::ldexp(
      1.0,
      2 * (int)std::ceil(std::log2(Format<T>::kCell / s.weight_rate) / 2));
  s.floor = Format<T>::kFloor;
  s.infeasible = -2 * Format<T>::kSum;
  return s;
}

// Whether a pair that does not fit can be swept with the costs that are too
// large in the place of forbidden ones. The result is right if it is in range:
// paths through such a cell then weigh at least 2**48 bits less. Where series
// differ by more than kFarthest, even the least mass might show in gradients.
inline bool may_cap(const Pair& p, double gamma) {
  constexpr double kFarthest = 1e150;
  return has_forbidden_cost<double>(gamma) && p.max_value < kFarthest &&
         p.max_negative * ((double)p.m + p.n) * rate_of(gamma) <
             Format<double>::kSum;
}

// Set all else of a pair whose index and lengths are set.
void inspect(const Input& in, Pair& p, Watch& watch);

}  // namespace sdtw
