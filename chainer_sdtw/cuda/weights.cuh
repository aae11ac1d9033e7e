// The weights of cells, or their costs, as the warp that sweeps has them.
#pragma once

#include "cells.cuh"
#include "route.cuh"

namespace {

// A cost as it is weighed: at most that of a forbidden cell. Float sweeps take
// no series whose costs come near it.
template <class S>
SDTW_DEVICE T capped(const Arguments& args, T c) {
  if (S::kLogSpace || (sizeof(T) == 4 && !kExplicit)) return c;
  const T forbidden = args.forbidden;
  return c < forbidden ? c : forbidden;
}

// What the kernel of cells has put there for a group of steps of this lane's
// row.
struct RawGroup {
  T plane[kCellPlanes ? kCellPlanes : 1][kGroup];
};

// The weights of a segment's cells. For univariate series they are computed
// from this lane's element and those of all columns in shared memory, else
// read from the segment's planes. Cells outside of the table have the weights
// of the nearest inside or, with explicit costs, of the cost 0.
struct Weights {
  Shared<T> series;         // univariate
  Shared<const T> of_lane;  // univariate: that at this lane's first step
  T x;                      // univariate: this lane's
  Global<const T> cells;    // otherwise: this lane's first in segment 0
  // What has been read ahead: of a segment the columns, or a group of steps.
  T columns[2];
  RawGroup ahead;

  SDTW_DEVICE void open(const Arguments& args, const Strip& s) {
    if (kUnivariate)
      of_lane = series + (kRows - 1 - s.lane);
    else
      cells = plane_of<T>(args, segment_number(args, s, 0), 0) + s.lane * 4;
  }
  SDTW_DEVICE Global<const T> of_segment(int q) const {
    return cells + (long long)q * (kSegmentBytes / (int)sizeof(T));
  }
  // Begin to read what a segment needs first, but for cells.
  SDTW_DEVICE void start(const Strip& s, int q) {
    if (kUnivariate) {
      const int first = s.column(q * kSteps) - (kRows - 1) + s.lane;
      columns[0] = (T)s.y[within(first, s.n)];
      columns[1] = (T)s.y[within(first + kRows, s.n)];
    }
  }
  // Turn to it.
  SDTW_DEVICE void use(const Strip& s) {
    if (kUnivariate) {
      __syncwarp();
      series[s.lane] = columns[0];
      series[kRows + s.lane] = columns[1];
    }
  }
  // Begin to bring the cells of a segment from memory, a line by each lane at
  // a time.
  SDTW_DEVICE void prefetch_segment(const Strip& s, int q) const {
    constexpr int kLine = 128;
    const Global<const char> from =
        cast<const char>(of_segment(q) - s.lane * 4) + s.lane * kLine;
    SDTW_UNROLL
    for (int at = 0; at < kCellPlanes * kSegmentCells * (int)sizeof(T);
         at += kRows * kLine)
      prefetch(from + at);
  }
  // Begin to read a group of cells.
  SDTW_DEVICE void fetch(Global<const T> from) {
    SDTW_UNROLL
    for (int p = 0; p < kCellPlanes; ++p) {
      SDTW_UNROLL
      for (int i = 0; i < kGroup; i += 4)
        load4(from + (p * kSegmentCells + i * kRows), ahead.plane[p] + i);
    }
  }

  // Read what one step of a segment needs.
  SDTW_DEVICE void fetch_step(int q, int step, RawGroup& raw) const {
    SDTW_UNROLL
    for (int p = 0; p < kCellPlanes; ++p)
      raw.plane[p][0] = of_segment(q)[p * kSegmentCells + cell_place(step, 0)];
  }

  // The weight of this lane's cell at a step of the segment, the i-th of its
  // group; its cost in log space.
  template <class S>
  SDTW_DEVICE Weight<T> weight(const Arguments& args, const Rate<T>& rate,
                               const RawGroup& raw, int step, int i) const {
    Weight<T> cell = {};
    if (!kUnivariate && sizeof(T) == 4) {
      cell.fraction = raw.plane[0][i];
      if (!S::kLogSpace)
        cell.exponent = Format<T>::as_exponent(raw.plane[1][i]);
      if (kDual) cell.direction = raw.plane[kCellPlanes - 1][i];
      return cell;
    }
    T c, rest = 0;
    if (kUnivariate) {
      const T y = of_lane[step];
      const T a = sum(x, -y);
      c = PairCost::term(a);
      if (!S::kLogSpace) {
        // What rounding left out of the difference and of the cost.
        const T y_part = sum(a, -x);
        const T x_part = sum(a, -y_part);
        const T a_rest = sum(sum(x, -x_part), -sum(y, y_part));
        rest = PairCost::rest(a, a_rest, c);
      }
    } else {
      c = raw.plane[0][i];
    }
    const T cost = capped<S>(args, c);
    // A capped cost has no part in the tangent, but a direction of any size.
    if (kDual && cost == c && c < infinity<T>())
      cell.direction = raw.plane[kCellPlanes - 1][i];
    if (S::kLogSpace)
      cell.fraction = cost;
    else
      weigh<false>(rate, cost, rest, cell.fraction, cell.exponent);
    return cell;
  }

  // Four factors of the gradients of this lane's cells (Euclidean).
  SDTW_DEVICE void factors(int q, int step, T* to) const {
    load4(of_segment(q) + (sizeof(T) == 4 ? 2 * kSegmentCells : 0) +
              step * kRows,
          to);
    SDTW_UNROLL
    for (int i = 0; i < 4; ++i)
      if (sizeof(T) == 8) to[i] = to[i] > 0 ? reciprocal(to[i]) : T(0);
  }
};

}  // namespace
