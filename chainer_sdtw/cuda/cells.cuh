// Where the cells of series of several features and of cost matrices are.
//
// A kernel of their own, soft_dtw_cells, computes weights or costs of all
// cells of some strips, from which they are swept; the adjoint sweep puts the
// alignment in their place, of which other kernels make gradients. Segments
// of a strip follow each other. Within a segment, numbers of one kind make a
// plane: in it, four steps of a row are neighbours, so that a warp brings
// four steps of all rows at once.
//
// Planes of a segment:
//   float   fractions and exponents of weights (for gamma = 0 costs); then
//           directions of costs, or the factors of gradients (Euclidean)
//   double  costs; then directions of costs
//   then    the alignment, of type In, from plane kAlignment on; with
//           tangents, its tangent in the next
#pragma once

#include "strip.cuh"

namespace {

constexpr int kSegmentCells = kRows * kSteps;
constexpr int kSegmentBytes = kSegmentCells * SDTW_CELL_BYTES;
// Planes that are swept.
constexpr int kCellPlanes = kUnivariate ? 0 : (sizeof(T) == 4 ? 2 : 1) + kDual;

// The factors of floats, which are needed to the end, make room cell by cell.
constexpr int kAlignment = PairCost::kRoot && sizeof(In) == 4 ? 2 : 0;

// The place of a cell in a plane.
SDTW_DEVICE int cell_place(int step, int row) {
  return (step & ~3) * kRows + row * 4 + (step & 3);
}

// The number of a segment among all of the strips that are swept.
SDTW_DEVICE long long segment_number(const Arguments& args, const Strip& s,
                                     int q) {
  const long long strip = (long long)(s.b - args.pair_begin) *
                              (args.strip_end - args.strip_begin) +
                          (s.index - args.strip_begin);
  return strip * args.segments + (q - s.first_segment);
}

// A plane of a segment.
template <class U>
SDTW_DEVICE Global<U> plane_of(const Arguments& args, long long segment,
                               int plane) {
  return cast<U>(args.cells + segment * kSegmentBytes) + plane * kSegmentCells;
}

}  // namespace
