// How many rows, steps and threads there are, and what lies in shared memory.
#pragma once

#include "options.cuh"

namespace {

constexpr int kRows = SDTW_ROWS;    // of a strip: lanes of a warp
constexpr int kSteps = SDTW_STEPS;  // of a segment
constexpr int kGroup = SDTW_GROUP;  // steps between two normalisations
constexpr int kSurveyThreads = SDTW_SURVEY_THREADS;

// Warps per multiprocessor that registers are left for, one per block.
constexpr int kValueBlocks = sizeof(T) == 8 ? 8 : kUnivariate ? 16 : 12;
constexpr int kAdjointBlocks = sizeof(T) == 8 ? 8 : 12;

// Shared memory. A plane has a number for every step and row of a segment.
constexpr int kPlane = kSteps * kRows;
constexpr int kSegmentColumns = kSteps + kRows;  // that it touches, + 1
constexpr int kSeries = kUnivariate ? kSegmentColumns : 0;
// Shares of each cell, with tangents of two of them.
constexpr int kSharePlanes = kDual ? 5 : 3;

// Words of an entry of an edge.
constexpr int kEdgeWords = SoftSemiring::kWords;
// Numbers that strips hand back: masses, with their tangents or, univariate,
// with the sums of columns.
constexpr int kMassParts = kUnivariate || kDual ? 2 : 1;
using MassWords = NumberWords<T, kMassParts>;

}  // namespace
