// Which kernel takes a pair.
#pragma once

#include "strip.cuh"

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
// magnified by 1 / gamma. Those of series are computed with what rounding
// takes from them, those of matrices have no such error.
template <class C>
SDTW_DEVICE double max_bits() {
  return sizeof(C) == 8 || kExplicit ? Format<C>::kSum : 1048576;
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

// Whether a pair of float arrays is swept in double. Of cells of series, the
// largest cost that occurs decides, unless no bound is finite: then there is
// none, or no path.
SDTW_DEVICE bool is_wide(const Arguments& args, const Strip& s) {
  const Global<const double> bounds = args.cost_bounds + kBounds * s.b;
  if (!(bounds[0] < infinity<double>())) return true;
  return !fits<float>(bounds[kUnivariate || kExplicit ? 0 : 2], s.m, s.n,
                      args.rate);
}

// Whether a pair that has been swept has a path: series without a band always
// have one, whatever it costs.
SDTW_DEVICE bool has_path(const Arguments& args, const Strip& s) {
  const double value = args.result[s.b];
  return value - value == 0 || !(kExplicit || args.band);
}

// How this kernel sweeps a pair.
SDTW_DEVICE Route route_of(const Arguments& args, const Strip& s) {
  const double largest = args.cost_bounds[kBounds * s.b];
  const double lowest = args.cost_bounds[kBounds * s.b + 1];
  constexpr bool kWide = sizeof(T) == 8;
  if (!s.valid || largest != largest)
    return kWide ? Route::kNan : Route::kNone;
  if (sizeof(In) == 4 && is_wide(args, s) != kWide) return Route::kNone;
  Route route = Route::kSoft;
  if (args.rate == 0)
    route = Route::kLogSpace;
  else if (kWide && !fits<double>(largest, s.m, s.n, args.rate))
    route = may_cap(largest, lowest, s.m, s.n, args.rate) ? Route::kCapped
                                                          : Route::kLogSpace;
  const Turn turn = (Turn)args.turn;
  if (kWide && turn != Turn::kFirst) {
    if (route == Route::kCapped && args.noted[s.b]) return Route::kLogSpace;
    if (turn == Turn::kOnlyNoted) return Route::kNone;
  }
  return route;
}

}  // namespace
