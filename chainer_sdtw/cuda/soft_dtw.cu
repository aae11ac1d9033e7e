// The value and adjoint sweeps of soft-DTW on a GPU, and their tangents.
//
// Options, given by _variants.py:
//   SDTW_IN          type of the arrays: float or double
//   SDTW_T           type that is computed in: float or double
//   SDTW_COST        struct of the cost, see costs.cuh; Explicit: x is cost
//                    matrices
//   SDTW_UNIVARIATE  1 if series have one feature, or 0
//   SDTW_DUAL        1 to sweep dual numbers, each with its tangent along a
//                    direction, an array like the cost; with Explicit only; or
//                    0
//
// The table of a pair is cut into strips of 32 rows, one row per lane of a
// warp. A strip is swept in steps: at step t, row r is at column t - lead - r,
// so that a step touches an anti-diagonal and all its cells are independent;
// what a row needs from the one above comes by a shuffle. `lead` makes the
// steps of the last strip a multiple of eight. Columns before the first and
// after the last are swept like others; no path comes from there.
//
// A block, of one warp, works on one strip. Blocks draw their strips in order,
// so that the strip that one waits for has always been drawn before; they
// follow each other along the columns through words in global memory, see
// tape.cuh. Columns are swept in segments of 32 steps. What the adjoint sweep
// needs stays in memory: the tape has the bottom edge of every strip and the
// state of every strip at the start of every segment. From these it sweeps a
// segment again, keeps the shares of its cells in shared memory, and goes
// back.
//
// Univariate costs are computed as they are swept, and gradients are made as
// the masses go back. Of other series, and of cost matrices, soft_dtw_cells
// computes the cells before and soft_dtw_gradients the gradients after, see
// cells.cuh.
//
// In a band, where each row has columns of its own, a strip has the segments
// that its rows need, counted as without a band. Cells of these segments
// outside of the band are forbidden.
//
// If the tape would be too large, strips are gathered in slabs, one of which
// has a tape at a time; of the others only the edge below is kept.
//
// Kernels that compute in float leave pairs whose exponents float32 cannot
// hold to those that compute in double.
//
// Where float64 cannot hold them either, costs are capped: the sweep is right
// if its value is in range, as no alignment that matters has a capped cost. If
// it is not, the pair is noted, and another launch of the same kernel sweeps
// it in log space. Adjoint sweeps look at the notes.
#include "adjoint.cuh"
#include "cost_gradients.cuh"
#include "gradients.cuh"
#include "survey.cuh"
#include "tiled_cells.cuh"
#include "value.cuh"

namespace {

// Whether a launch has no pair to sweep.
SDTW_DEVICE bool is_idle(const Arguments& args) {
  if (sizeof(In) < sizeof(T) && args.counts[kWidePairs] == 0) return true;
  return (Turn)args.turn == Turn::kOnlyNoted && args.counts[kNotedPairs] == 0;
}

}  // namespace

// The values of all pairs, and their tangents; blocks: pairs times the strips
// to sweep.
SDTW_KERNEL void SDTW_BOUNDS(kRows, kValueBlocks)
    soft_dtw_value(const Arguments args) {
  if (is_idle(args)) return;
  Shared<char> memory = shared_memory<kValueBytes>();
  const Strip s = draw_strip(args, memory, false);
  if (s.index >= s.strips) return;
  const Route route = route_of(args, s);
  if (route == Route::kSoft || route == Route::kCapped)
    value_strip<SoftSemiring>(args, s, route, memory);
  else if (route == Route::kLogSpace)
    value_strip<LogSpaceSemiring>(args, s, route, memory);
  else if (route == Route::kNan)
    value_of_nan(args, s);
  else if (sizeof(T) == 4 && s.index == args.strip_begin && threadIdx.x == 0)
    draw(args.counts + kWidePairs);
}

// The masses of all pairs; blocks as before. Univariate, also the gradients,
// written where a pair has elements.
SDTW_KERNEL void SDTW_BOUNDS(kRows, kAdjointBlocks)
    soft_dtw_adjoint(const Arguments args) {
  if (is_idle(args)) return;
  Shared<char> memory = shared_memory<kAdjointBytes>();
  const Strip s = draw_strip(args, memory, true);
  if (s.index >= s.strips) return;
  const Route route = route_of(args, s);
  if (route == Route::kSoft || route == Route::kCapped)
    adjoint_strip<SoftSemiring>(args, s, memory);
  else if (route == Route::kLogSpace)
    adjoint_strip<LogSpaceSemiring>(args, s, memory);
  else if (route == Route::kNan && kUnivariate)
    gradients_of_nan(args, s);
}

// Make zeros of what strips hand to each other in the next launch: of masses
// if there are any, else of edges; blocks as before.
SDTW_KERNEL void SDTW_BOUNDS(kRows, 16) soft_dtw_clear(const Arguments args) {
  if (is_idle(args)) return;
  const int b = args.pair_begin + (int)blockIdx.x % args.pairs;
  const int place = blockIdx.x / args.pairs;
  const Strip s = strip_of(args, b, args.strip_begin + place);
  if (route_of(args, s) == Route::kNone) return;
  const bool back = args.masses != nullptr;
  const long long words = (long long)args.segments * kSteps *
                          (back ? MassWords::kCount : kEdgeWords);
  const Global<Word> row = row_of(back ? args.masses : args.edges,
                                  back ? args.pair_masses : args.pair_edges,
                                  b - args.pair_begin, place, words);
  for (long long k = threadIdx.x; k < words; k += kRows) row[k] = 0;
}
