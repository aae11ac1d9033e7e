// The types and the cost that the kernels are compiled for.
#pragma once

#include "numerics.cuh"
#include "semiring.cuh"

#ifndef SDTW_DUAL
#define SDTW_DUAL 0
#endif

namespace {

using In = SDTW_IN;
using T = SDTW_T;
using Exponent = Format<T>::Exponent;

constexpr bool kDual = SDTW_DUAL;
using SoftMinimum = Choice<T, Soft, kDual>::Semiring;
using LogSpaceMinimum = Choice<T, LogSpace, kDual>::Semiring;
using Packed = SoftMinimum::Packed;

constexpr bool kUnivariate = SDTW_COST == 0 || SDTW_COST == 3;
constexpr bool kExplicit = SDTW_COST == 2;
static_assert(kExplicit || !kDual, "tangents of explicit costs");
constexpr bool kEuclidean = SDTW_COST == 4;
// Sums of absolute differences, or of one of them.
constexpr bool kAbsolute = SDTW_COST == 3 || SDTW_COST == 5;
// The cost's gradient is so many times what slope() gives.
constexpr int kFactor = kEuclidean || kAbsolute ? 1 : 2;

}  // namespace
