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
// A block works on one strip. Blocks draw their strips in order, so that the
// strip that one waits for has always been drawn before; they follow each
// other along the columns, a segment of 32 steps at a time, through the edge
// between them in global memory. What the adjoint sweep needs stays there:
// the tape has the bottom edge of every strip and the state of every strip at
// the start of every segment.
//
// In a band, where each row has columns of its own, a strip has the segments
// that its rows need, counted as without a band, and its edge the columns of
// its last row. Cells of these segments outside of the band are forbidden.
//
// If the tape would be too large, strips are gathered in slabs: of a slab only
// the edge above it is kept (the coarse tape), and the rest (the fine tape)
// for one slab at a time.
//
// Kernels that compute in float leave pairs whose exponents float32 cannot
// hold to those that compute in double. These need twice the tape and have
// half as many strips per slab.
//
// Where float64 cannot hold them either, costs are capped: the sweep is right
// if its value is in range, as no alignment that matters has a capped cost. If
// it is not, the pair is noted, and another launch of the same kernel sweeps
// it in log space. Adjoint sweeps look at the notes.
#include "adjoint.cuh"
#include "survey.cuh"
#include "value.cuh"

// The values of all pairs, and their tangents; blocks: batch times the strips
// to sweep.
SDTW_KERNEL void SDTW_BOUNDS(kThreads, kValueBlocks)
    soft_dtw_value(SDTW_ARGUMENTS(SDTW_PARAMETER) Global<double> result,
                   Global<In> value, Global<In> tangent) {
  Shared<char> memory = shared_memory<kValueBytes>();
  const Arguments args = {SDTW_ARGUMENTS(SDTW_NAME)};
  const Strip s = draw_strip(args, memory, false);
  if (s.route == Route::kSoft || s.route == Route::kCapped) {
    value_strip<SoftSemiring>(args, s, memory, result, value, tangent);
  } else if (s.route == Route::kLogSpace) {
    value_strip<LogSpaceSemiring>(args, s, memory, result, value, tangent);
  } else if (s.route == Route::kNan && s.last() && threadIdx.x == 0) {
    result[s.b] = from_bits(0x7ff8000000000000ll);
    value[s.b] = (In)from_bits(0x7ff8000000000000ll);
    if (kDual) tangent[s.b] = (In)from_bits(0x7ff8000000000000ll);
  }
}

// The gradients of all pairs, added to zeros: gx and gy, each of them or null,
// or that with respect to the cost in the place of gx. With dual numbers, its
// tangent there, and itself in `alignment`.
SDTW_KERNEL void SDTW_BOUNDS(kThreads, kAdjointBlocks) soft_dtw_adjoint(
    SDTW_ARGUMENTS(SDTW_PARAMETER) Global<const double> result,
    Global<const In> grad, Global<In> gx, Global<In> gy,
    Global<const In> grad_tangent, Global<In> alignment) {
  Shared<char> memory = shared_memory<kAdjointBytes>();
  const Arguments args = {SDTW_ARGUMENTS(SDTW_NAME)};
  const Gradients g = {result, grad, gx, gy, grad_tangent, alignment};
  Strip s = draw_strip(args, memory, true);
  if (kDual && s.route != Route::kNone) {
    const double tangent = result[args.batch + s.b];
    if (tangent != tangent) s.route = Route::kNan;
  }
  if (s.route == Route::kNan)
    fill_nan(args, s, g);
  else if (s.route == Route::kSoft || s.route == Route::kCapped)
    adjoint_strip<SoftSemiring>(args, s, memory, g);
  else if (s.route == Route::kLogSpace)
    adjoint_strip<LogSpaceSemiring>(args, s, memory, g);
}
