// Which kernel takes a pair.
#pragma once

#include "layout.cuh"

namespace {

// kCapped is kSoft with large costs made smaller. If its value is out of range
// all the same, the pair becomes one for kLogSpace.
enum class Part { kNone, kSoft, kCapped, kLogSpace, kNan };

// Which pairs a launch of a kernel in double sweeps, and how: all of them, and
// notes the capped ones whose values are out of range; only those noted; or
// all of them, those noted in log space.
enum class Turn { kFirst, kAgain, kNoted };

// Bits of exponent that a single cost may take: what rounding takes from it is
// magnified by 1 / gamma. Univariate costs are exact and explicit ones given.
template <class C>
SDTW_DEVICE double most_bits() {
  if (sizeof(C) == 8) return Format<C>::kSum;
  return kUnivariate ? 1048576 : kExplicit ? Format<C>::kSum : 8192;
}

template <class C>
SDTW_DEVICE bool is_usual(double rate) {
  const double huge = Format<C>::kHuge;
  return rate > 1 / huge && rate < Format<C>::kSteepest &&
         Format<C>::kCell * 4 / rate < huge;
}

template <class C>
SDTW_DEVICE bool fits(double most, int m, int n, double rate) {
  const double total = most * ((double)m + n);
  const double huge = Format<C>::kHuge;
  if (!(total < huge)) return false;
  constexpr double kRange = PairCost::kFloatRange;
  if (kRange != 0 && sizeof(C) == 4 &&
      !(most > 1 / kRange && most < kRange && rate < kRange))
    return false;
  if (rate == 0) return true;
  const double sum_bits =
      kExplicit ? Format<C>::kSum : Format<C>::kSumOfSeries;
  return most * rate < most_bits<C>() && total * rate < sum_bits &&
         is_usual<C>(rate);
}

// Whether large costs may be capped. Sums of negative ones must be in range.
// In the gradient for series, a capped cell's share, up to 2**-1000, times the
// difference of its elements must be negligible. `lowest` is that of the
// costs, negated, or 0.
SDTW_DEVICE bool may_cap(double most, double lowest, int m, int n,
                         double rate) {
  const double limit = kExplicit ? infinity<double>() : PairCost::kLargest;
  return most < limit &&
         lowest * ((double)m + n) * rate < Format<double>::kSum &&
         is_usual<double>(rate);
}

}  // namespace
