// Which kernel takes a pair.
#pragma once

#include "layout.cuh"

namespace {

// How a kernel sweeps a pair, if it does. kCapped is kSoft with large costs
// made smaller. If the value is out of range all the same, the pair becomes
// one for kLogSpace.
enum class Route { kNone, kSoft, kCapped, kLogSpace, kNan };

// Which pairs a launch of a kernel in double sweeps, and how. The first sweeps
// all pairs and notes those that are capped and whose values are out of range.
// Others sweep only the noted pairs, or all, the noted ones in log space.
enum class Turn {
  kFirst = SDTW_TURN_FIRST,
  kOnlyNoted = SDTW_TURN_ONLY_NOTED,
  kAsNoted = SDTW_TURN_AS_NOTED
};

// Bits of exponent that a single cost may take: what rounding takes from it is
// magnified by 1 / gamma. Univariate and explicit costs have no such
// error.
template <class C>
SDTW_DEVICE double max_bits() {
  if (sizeof(C) == 8) return Format<C>::kSum;
  return kUnivariate ? 1048576 : kExplicit ? Format<C>::kSum : 8192;
}

// Whether forbidden cells have a cost in a format.
template <class C>
SDTW_DEVICE bool has_forbidden_cost(double rate) {
  const double huge = Format<C>::kHuge;
  return rate > 1 / huge && rate < Format<C>::kSteepest &&
         Format<C>::kCell * 4 / rate < huge;
}

// Whether a format holds the costs of a pair and the exponents of their sums.
template <class C>
SDTW_DEVICE bool fits(double largest, int m, int n, double rate) {
  const double total = largest * ((double)m + n);
  const double huge = Format<C>::kHuge;
  if (!(total < huge)) return false;
  constexpr double kRange = PairCost::kFloatRange;
  if (kRange != 0 && sizeof(C) == 4 &&
      !(largest > 1 / kRange && largest < kRange && rate < kRange))
    return false;
  if (rate == 0) return true;
  const double sum_bits =
      kExplicit ? Format<C>::kSum : Format<C>::kSumOfSeries;
  return largest * rate < max_bits<C>() && total * rate < sum_bits &&
         has_forbidden_cost<C>(rate);
}

// Whether large costs may be capped. Sums of negative ones must be in range.
// In the gradient for series, a capped cell's share, up to 2**-1000, times the
// difference of its elements must be negligible. `lowest` is the lowest cost,
// negated, or 0.
SDTW_DEVICE bool may_cap(double largest, double lowest, int m, int n,
                         double rate) {
  const double limit = kExplicit ? infinity<double>() : PairCost::kLargest;
  return largest < limit &&
         lowest * ((double)m + n) * rate < Format<double>::kSum &&
         has_forbidden_cost<double>(rate);
}

}  // namespace
