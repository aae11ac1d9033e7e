// Bounds on the costs of each pair.
//
// Two numbers for each pair, which must be zeros before. First, a bound on the
// absolute values of its finite costs; NaN where there is a NaN or an infinity
// (but for +inf as a cost), else infinity where the band has no path. Second,
// the lowest of its costs, negated, or 0 if none is negative.
//
// Several blocks read the rows of a pair. They combine what they find by
// maxima, which do not depend on the order.
#pragma once

#include "strip.cuh"

namespace {

constexpr int kInFlight = 8;  // loads of a thread

// A number that compares as the float of the same bits; 0 is below all, and
// the largest one is that of NaN and of infinities.
SDTW_DEVICE unsigned ordered(float v) {
  const unsigned bits = (unsigned)to_bits(v);
  if (!(v - v == 0)) return 0xffffffffu;
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}
SDTW_DEVICE unsigned long long ordered(double v) {
  const unsigned long long bits = (unsigned long long)to_bits(v);
  if (!(v - v == 0)) return 0xffffffffffffffffull;
  return bits >> 63 ? ~bits : bits | 0x8000000000000000ull;
}
// The other way, NaN for the largest.
SDTW_DEVICE float from_ordered(unsigned a) {
  return from_bits((int)(a >> 31 ? a & 0x7fffffffu : ~a));
}
SDTW_DEVICE double from_ordered(unsigned long long a) {
  return from_bits((long long)(a >> 63 ? a & 0x7fffffffffffffffull : ~a));
}
using Ordered = decltype(ordered(In(0)));

// A part of the rows of a pair, one for each block.
struct SurveyPart {
  int b, m, n;  // the pair, its lengths as far as they are in range
  int part, parts;

  SDTW_DEVICE explicit SurveyPart(const Arguments& args) {
    parts = (int)gridDim.x / args.pairs;
    b = (int)blockIdx.x / parts;
    part = (int)blockIdx.x - b * parts;
    m = args.x_length ? within(args.x_length[b] - 1, args.m) + 1 : args.m;
    n = args.y_length ? within(args.y_length[b] - 1, args.n) + 1 : args.n;
  }
  SDTW_DEVICE int begin(int rows) const {
    return (int)((long long)rows * part / parts);
  }
  SDTW_DEVICE int end(int rows) const {
    return (int)((long long)rows * (part + 1) / parts);
  }
};

// Whether a path can come to a row from the one above, or begin or end there.
// Gives the columns of the row.
SDTW_DEVICE bool is_connected(const Arguments& args, const SurveyPart& s,
                              int row, Span& columns) {
  columns = {0, s.n};
  if (!args.band) return true;
  const Global<const int2> band = args.band + (long long)s.b * args.band_rows;
  const int2 bounds = band[row];
  columns = {bounds.x, min(bounds.y, s.n)};
  int above = 0;
  if (row > 0) {
    const int2 columns_above = band[row - 1];
    above = columns_above.y;
  }
  return columns.begin <= above && columns.begin < columns.end &&
         (row < s.m - 1 || columns.end == s.n);
}

// The extremes of some rows of a series in one feature.
struct Extremes {
  Ordered high, low;  // low of the numbers negated

  SDTW_DEVICE void see(In v) {
    high = max(high, ordered(v));
    low = max(low, ordered(-v));
  }
  SDTW_DEVICE void see(Global<const In> series, int first, int end, int step,
                       int d) {
    int i = first;
    for (; i < end - (kInFlight - 1) * step; i += kInFlight * step) {
      In v[kInFlight];
      SDTW_UNROLL
      for (int k = 0; k < kInFlight; ++k)
        v[k] = series[(long long)(i + k * step) * d];
      SDTW_UNROLL
      for (int k = 0; k < kInFlight; ++k) see(v[k]);
    }
    for (; i < end; i += step) see(series[(long long)i * d]);
  }
};

// What the blocks of a pair find of its series, in zeros: how many are done,
// and four numbers for each feature.
SDTW_DEVICE Global<int> survey_words(const Arguments& args, int b) {
  const long long words = 2 + 4ll * args.d * (sizeof(In) / 4);
  return args.ticket + b * words;
}

// The sum of the terms of the widest differences, for this thread's features.
SDTW_DEVICE double widest_terms(const Arguments& args, Global<Ordered> found) {
  double total = 0;
  for (int k = threadIdx.x; k < args.d; k += kSurveyThreads) {
    double bounds[4];
    SDTW_UNROLL
    for (int i = 0; i < 4; ++i)
      bounds[i] = from_ordered((Ordered)load_relaxed(found + (4ll * k + i)));
    // The highest of x and of y, and the lowest, negated.
    const double a = bounds[0] + bounds[3];
    const double c = bounds[2] + bounds[1];
    total = BoundCost::add(total, a > c || a != a ? a : c);
  }
  return total;
}

}  // namespace

// Bounds for series, by any number of blocks for each pair. No cost is
// negative.
SDTW_KERNEL void SDTW_BOUNDS(kSurveyThreads, 4)
    soft_dtw_survey_series(const Arguments args) {
  Shared<char> memory =
      shared_memory<(4 * (int)sizeof(In) + 8) * kSurveyThreads + 16>();
  const Shared<double> totals = take<double>(memory, kSurveyThreads);
  const Shared<Ordered> highs = take<Ordered>(memory, 2 * kSurveyThreads);
  const Shared<Ordered> lows = take<Ordered>(memory, 2 * kSurveyThreads);
  const Shared<int> done = take<int>(memory, 1);
  const SurveyPart s(args);
  const int at = threadIdx.x;
  const Global<double> bound = args.cost_bounds + kBounds * s.b;
  const Global<int> words = survey_words(args, s.b);
  const Global<Ordered> found = cast<Ordered>(words + 2);
  if (args.band) {
    bool blocked = false;
    Span columns;
    for (int i = s.begin(s.m) + at; i < s.end(s.m); i += kSurveyThreads)
      blocked |= !is_connected(args, s, i, columns);
    if (blocked) raise(bound, infinity<double>());
  }
  // Neighbouring threads take neighbouring features.
  int features = 1;
  while (features < args.d && features < 32) features *= 2;
  const int rows = kSurveyThreads / features;
  const int row = at / features;
  for (int k0 = 0; k0 < args.d; k0 += features) {
    const int k = k0 + at % features;
    SDTW_UNROLL
    for (int side = 0; side < 2; ++side) {
      const int count = side ? s.n : s.m;
      const Global<const In> series =
          side ? args.y + (long long)s.b * args.n * args.d
               : args.x + (long long)s.b * args.m * args.d;
      Extremes extremes = {0, 0};
      if (k < args.d)
        extremes.see(series + k, s.begin(count) + row, s.end(count), rows,
                     args.d);
      highs[side * kSurveyThreads + at] = extremes.high;
      lows[side * kSurveyThreads + at] = extremes.low;
    }
    for (int half = rows / 2; half > 0; half /= 2) {
      __syncthreads();
      if (row < half) {
        SDTW_UNROLL
        for (int side = 0; side < 2; ++side) {
          const int to = side * kSurveyThreads + at;
          const int from = to + half * features;
          const Ordered high = highs[from];
          const Ordered low = lows[from];
          if (high > highs[to]) highs[to] = high;
          if (low > lows[to]) lows[to] = low;
        }
      }
    }
    __syncthreads();
    // Four numbers of each feature, by neighbouring threads.
    for (int i = at; i < 4 * features; i += kSurveyThreads) {
      const int place = i / 2 % 2 * kSurveyThreads + i / 4;
      const Ordered v = i % 2 ? lows[place] : highs[place];
      if (k0 + i / 4 < args.d) raise(found + (4 * k0 + i), v);
    }
    __syncthreads();
  }
  // The last of the blocks sums up.
  if (at == 0) done[0] = draw_in_turn(words);
  __syncthreads();
  if (done[0] != s.parts - 1) return;
  totals[at] = widest_terms(args, found);
  for (int half = kSurveyThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (at < half) {
      const double other = totals[at + half];
      totals[at] += other;
    }
  }
  if (at == 0) {
    const double total = totals[0];
    raise(bound, BoundCost::kRoot ? sqrt(total) : total);
  }
}

// Bounds for cost matrices, by any number of blocks for each pair.
SDTW_KERNEL void SDTW_BOUNDS(kSurveyThreads, 4)
    soft_dtw_survey_cost(const Arguments args) {
  Shared<char> memory = shared_memory<2 * 8 * kSurveyThreads>();
  const Shared<double> largest = take<double>(memory, kSurveyThreads);
  const Shared<double> lowest = take<double>(memory, kSurveyThreads);
  const SurveyPart s(args);
  const int at = threadIdx.x;
  const In inf = infinity<In>();
  In highest = 0, below_zero = 0;
  bool bad = false, blocked = false;
  for (int i = s.begin(s.m) + at / 32; i < s.end(s.m);
       i += kSurveyThreads / 32) {
    Span columns;
    blocked |= !is_connected(args, s, i, columns);
    const Global<const In> costs =
        args.x + ((long long)s.b * args.m + i) * args.n;
    SDTW_UNROLL_BY(8)
    for (int j = columns.begin + at % 32; j < columns.end; j += 32) {
      const In v = costs[j];
      const In a = v < 0 ? -v : v;
      bad |= !(v > -inf);
      highest = a > highest && a < inf ? a : highest;
      below_zero = -v > below_zero ? -v : below_zero;
    }
  }
  const double nan = not_a_number<double>();
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
    raise(args.cost_bounds + kBounds * s.b, (double)largest[0]);
    raise(args.cost_bounds + (kBounds * s.b + 1), (double)lowest[0]);
  }
}
