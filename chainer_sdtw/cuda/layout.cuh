// How many rows, steps and threads there are, and what lies in shared memory.
#pragma once

#include "options.cuh"

namespace {

constexpr int kRows = SDTW_ROWS;    // of a strip: lanes of a warp
constexpr int kSteps = SDTW_STEPS;  // of a segment
constexpr int kGroup = SDTW_GROUP;  // steps between two normalisations
constexpr int kSurveyThreads = SDTW_SURVEY_THREADS;

// The first warp of a block sweeps. Where costs and gradients are more work
// than that, more warps help. They fill the planes with the weights of the
// next segment and make gradients of the alignment of the last, if shared
// memory holds two sets of planes, and otherwise take turns with the first.
constexpr int kFillers = kUnivariate ? 0 : 2;
constexpr int kHelpers = SDTW_HELPERS;
static_assert(kUnivariate ? kHelpers == 0 : kHelpers >= kFillers, "helpers");
constexpr int kThreads = 32 * (1 + kHelpers);
constexpr int kSets = kHelpers && sizeof(T) == 4 ? 2 : 1;

// Blocks per multiprocessor that registers are left for: more threads beat a
// few more registers, until they spill. With three blocks, the adjoint kernel
// of Euclidean costs spills on architectures before 9.0. Three were chosen by
// what CUDA 13 makes of the kernels; with older compilers there are two.
constexpr int kValueBlocks = kUnivariate ? 12 : sizeof(T) == 8 ? 2 : 3;
#if defined(__CUDA_ARCH__) && \
    (__CUDA_ARCH__ < 900 || __CUDACC_VER_MAJOR__ < 13)
constexpr int kAdjointBlocks = kUnivariate ? 12 : 2;
#else
constexpr int kAdjointBlocks = kValueBlocks;
#endif

// Shared memory. A plane has a number for every step and row of a segment;
// rows of planes, and of features, are padded so that both can be walked along
// either axis without conflicts between banks.
constexpr int kStride = kRows + 1;
constexpr int kPlane = kSteps * kStride;
constexpr int kSegmentColumns =
    kSteps + kRows;         // columns that a segment touches, + 1
constexpr int kChunk = 16;  // features at a time
// Of a helper: half the steps of a segment, and the columns they touch, + 1.
constexpr int kHalf = kSteps / 2;
constexpr int kHalfColumns = kHalf + kRows;
constexpr int kRowStride = kRows + 4;  // feature by feature, for the costs
constexpr int kColumnStride = kHalfColumns + 1;
constexpr int kFeatureStride = kChunk + 4;  // row by row, for the gradients
constexpr int kStage = kChunk * (kRowStride + kColumnStride);
static_assert(kStage >= kSegmentColumns * kFeatureStride, "staging");

// The third helper has only rows to bring in.
constexpr int kSeries =
    kUnivariate ? kSegmentColumns
    : kExplicit ? 0
                : 2 * kStage + (kHelpers - 2) * kRows * kFeatureStride;
constexpr int kValuePlanes = kUnivariate ? 0 : kDual ? 3 : 2;
// The fourth has the factors of cells. Where there is one set only, they
// fit in where the helpers stage series, which they do before and after.
constexpr int kAdjointPlanes = kDual                           ? 5
                               : PairCost::kRoot && kSets == 2 ? 4
                                                               : 3;
// Masses that are handed on: of the alignment and, if so, of its tangent.
constexpr int kMasses = kDual ? 2 : 1;
constexpr int kFactorGap = kSets == 2 ? 0 : kStage - kHalf * kStride;
static_assert(kFactorGap >= 0, "staging");

}  // namespace
