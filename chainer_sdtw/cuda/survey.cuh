// Bounds on the costs of each pair.
//
// Two numbers for each pair. First, a bound on the absolute values of its
// finite costs; NaN where there is a NaN or an infinity (but for +inf as a
// cost), else infinity where the band has no path. Second, the lowest of its
// costs, negated, or 0 if none is negative.
#pragma once

#include "strip.cuh"

namespace {

// Whether a path can come to a row from the one above, or begin or end there.
// Gives the columns of the row.
SDTW_DEVICE bool is_connected(Global<const int2> band, int row, int rows,
                              int n, Span& columns) {
  const int2 bounds = band[row];
  columns = {bounds.x, min(bounds.y, n)};
  int above = 0;
  if (row > 0) {
    const int2 columns_above = band[row - 1];
    above = columns_above.y;
  }
  return columns.begin <= above && columns.begin < columns.end &&
         (row < rows - 1 || columns.end == n);
}

}  // namespace

// Bounds for series, by a block for each pair. No cost is negative.
SDTW_KERNEL void SDTW_BOUNDS(kSurveyThreads, 4)
    soft_dtw_survey_series(Global<const In> x, Global<const In> y,
                           Global<const int> x_length,
                           Global<const int> y_length, Global<const int2> band,
                           int band_rows, int m, int n, int d,
                           Global<double> cost_bounds) {
  Shared<char> memory =
      shared_memory<(4 * (int)sizeof(In) + 8) * kSurveyThreads>();
  const Shared<double> totals = take<double>(memory, kSurveyThreads);
  const Shared<In> bounds = take<In>(memory, 4 * kSurveyThreads);
  const int b = blockIdx.x;
  const int at = threadIdx.x;
  const int x_count = x_length ? within((int)x_length[b] - 1, m) + 1 : m;
  const int y_count = y_length ? within((int)y_length[b] - 1, n) + 1 : n;
  // Neighbouring threads take neighbouring features.
  int features = 1;
  while (features < d && features < 32) features *= 2;
  const int rows = kSurveyThreads / features;
  const int row = at / features;
  double total = 0;
  if (band) {
    const Global<const int2> rows_of_pair = band + (long long)b * band_rows;
    Span columns;
    for (int i = at; i < x_count; i += kSurveyThreads)
      if (!is_connected(rows_of_pair, i, x_count, y_count, columns))
        total = infinity<double>();
  }
  for (int k0 = 0; k0 < d; k0 += features) {
    const int k = k0 + at % features;
    SDTW_UNROLL
    for (int side = 0; side < 2; ++side) {
      const Global<const In> series =
          side ? y + (long long)b * n * d : x + (long long)b * m * d;
      const int count = k < d ? (side ? y_count : x_count) : 0;
      In low = infinity<In>(), high = -infinity<In>();
      for (int i = row; i < count; i += rows) {
        const In v = series[(long long)i * d + k];
        if (!(v - v == 0)) total = from_bits(0x7ff8000000000000ll);
        low = v < low ? v : low;
        high = v > high ? v : high;
      }
      bounds[2 * side * kSurveyThreads + at] = low;
      bounds[(2 * side + 1) * kSurveyThreads + at] = high;
    }
    for (int half = rows / 2; half > 0; half /= 2) {
      __syncthreads();
      if (row < half) {
        SDTW_UNROLL
        for (int i = 0; i < 4; ++i) {
          const int place = i * kSurveyThreads + at;
          const In a = bounds[place];
          const In c = bounds[place + half * features];
          bounds[place] = (i % 2 ? a > c : a < c) ? a : c;
        }
      }
    }
    __syncthreads();
    if (row == 0 && k < d) {
      const double x_low = bounds[at];
      const double x_high = bounds[kSurveyThreads + at];
      const double y_low = bounds[2 * kSurveyThreads + at];
      const double y_high = bounds[3 * kSurveyThreads + at];
      const double a = x_high - y_low;
      const double c = y_high - x_low;
      const double widest = a > c ? a : c;
      total = BoundCost::add(total, widest);
    }
    __syncthreads();
  }
  totals[at] = total;
  for (int half = kSurveyThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (at < half) {
      const double other = totals[at + half];
      totals[at] += other;
    }
  }
  if (at == 0) {
    const double bound = totals[0];
    cost_bounds[2 * b] = BoundCost::kRoot ? sqrt(bound) : bound;
  }
}

// Bounds for cost matrices, which must be zeros before, by a block for every
// `rows` rows.
SDTW_KERNEL void SDTW_BOUNDS(kSurveyThreads, 4)
    soft_dtw_survey_cost(Global<const In> cost, Global<const int> x_length,
                         Global<const int> y_length, Global<const int2> band,
                         int band_rows, int m, int n, int rows,
                         Global<double> cost_bounds) {
  Shared<char> memory = shared_memory<2 * 8 * kSurveyThreads>();
  const Shared<double> largest = take<double>(memory, kSurveyThreads);
  const Shared<double> lowest = take<double>(memory, kSurveyThreads);
  const int blocks = (m + rows - 1) / rows;
  const int b = blockIdx.x / blocks;
  const int first = blockIdx.x % blocks * rows;
  const int height = x_length ? within((int)x_length[b] - 1, m) + 1 : m;
  const int width = y_length ? within((int)y_length[b] - 1, n) + 1 : n;
  const int last = first + rows < height ? first + rows : height;
  const int at = threadIdx.x;
  const In inf = infinity<In>();
  In highest = 0, below_zero = 0;
  bool bad = false, blocked = false;
  for (int i = first + at / 32; i < last; i += kSurveyThreads / 32) {
    Span columns = {0, width};
    if (band && !is_connected(band + (long long)b * band_rows, i, height,
                              width, columns))
      blocked = true;
    SDTW_UNROLL_BY(4)
    for (int j = columns.begin + at % 32; j < columns.end; j += 32) {
      const In v = cost[((long long)b * m + i) * n + j];
      const In a = v < 0 ? -v : v;
      bad |= !(v > -inf);
      highest = a > highest && a < inf ? a : highest;
      below_zero = -v > below_zero ? -v : below_zero;
    }
  }
  const double nan = from_bits(0x7ff8000000000000ll);
  largest[at] = bad ? nan : blocked ? infinity<double>() : (double)highest;
  lowest[at] = below_zero;
  for (int half = kSurveyThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (at < half) {
      const double a = largest[at];
      const double c = largest[at + half];
      largest[at] = c > a || c != c ? c : a;
      const double e = lowest[at];
      const double f = lowest[at + half];
      lowest[at] = f > e ? f : e;
    }
  }
  if (at == 0) {
    raise(cost_bounds + 2 * b, (double)largest[0]);
    raise(cost_bounds + 2 * b + 1, (double)lowest[0]);
  }
}
