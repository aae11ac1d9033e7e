// The types and the cost that the kernels are compiled for.
#pragma once

#include "costs.cuh"
#include "semiring.cuh"

namespace {

using In = SDTW_IN;
using T = SDTW_T;
using Exponent = Format<T>::Exponent;

constexpr bool kDual = SDTW_DUAL;
using SoftSemiring = SemiringOf<T, Soft, kDual>::Semiring;
using LogSpaceSemiring = SemiringOf<T, LogSpace, kDual>::Semiring;

using PairCost = SDTW_COST<T>;
using BoundCost = SDTW_COST<double>;  // computes bounds on costs
constexpr bool kExplicit = PairCost::kExplicit;
static_assert(kExplicit || !kDual, "tangents of explicit costs");
constexpr bool kUnivariate = SDTW_UNIVARIATE;
static_assert(!kUnivariate || !(kExplicit || PairCost::kRoot),
              "one feature of a cost of series that is no root");

}  // namespace
