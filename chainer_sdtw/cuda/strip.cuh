// The strip that a block works on, and how it is drawn.
#pragma once

#include "arguments.cuh"
#include "route.cuh"

namespace {

// A half-open range of columns or steps.
struct Span {
  int begin, end;
  SDTW_DEVICE bool has(int j) const { return j >= begin && j < end; }
};

struct Strip {
  int b, index;                 // the pair, the strip's place in it
  int m, n;                     // lengths of the pair
  int strips;                   // of the pair
  int row, lead;                // its first row, steps before the first column
  int first_segment, end_step;  // its first segment, the step after its last
  Route route;
  Global<const In> x, y;  // of the pair
  Global<const In> direction;
  Global<Packed> tape;
  Shared<const int2> band;  // of its rows and some others, see columns_of()

  SDTW_DEVICE bool last() const { return index == strips - 1; }
  // The end of its segments.
  SDTW_DEVICE int segments() const { return (end_step + kSteps - 1) / kSteps; }
  // The same for `rows` rows, the last of which ends before column `end`.
  SDTW_DEVICE int segments_of(int rows, int end) const {
    return (end + rows - 1 + lead + kSteps - 1) / kSteps;
  }
  // The segment of the step before the one at which the first row is at a
  // column.
  SDTW_DEVICE int segment_of(int column) const {
    return (column + lead - 1) / kSteps;
  }
  // Steps of a segment, in whole groups.
  SDTW_DEVICE int count(int q) const {
    const int left = (end_step - q * kSteps + kGroup - 1) / kGroup * kGroup;
    return left < kSteps ? left : kSteps;
  }
  // The column of the first row at a step.
  SDTW_DEVICE int column(int t) const { return t - lead; }
};

constexpr int kTicketBytes = 16;
constexpr int kBandRows = kRows + 4;  // rounded up to 16 bytes
constexpr int kHeadBytes = kTicketBytes + kBandRows * (int)sizeof(int2);
constexpr int kValueBytes =
    kHeadBytes + 2 * kSteps * (int)sizeof(Packed) +
    (kSeries + kSets * kValuePlanes * kPlane) * (int)sizeof(T);
constexpr int kAdjointBytes =
    kHeadBytes + kSteps * (int)sizeof(Packed) +
    ((1 + 2 * kMasses) * kSteps + kSeries + kSets * kAdjointPlanes * kPlane) *
        (int)sizeof(T) +
    (kHelpers ? (int)sizeof(Strip) : 0);

SDTW_DEVICE int within(int i, int count) { return max(min(i, count - 1), 0); }

// Rows that columns_of() has beside those of the strip: the one above, and the
// first and the last of the strip below.
constexpr int kAbove = -1;
constexpr int kBelow = kRows;
constexpr int kLastBelow = kRows + 1;

SDTW_DEVICE Span columns_of(const Arguments& args, const Strip& s, int row) {
  if (!args.band) return {0, s.n};
  const int2 columns = s.band[row + 1];
  return {columns.x, columns.y};
}

// Bring the band to shared memory. Rows outside of the pair have the columns
// of the nearest one inside.
SDTW_DEVICE void load_band(const Arguments& args, const Strip& s,
                           Shared<int2> to) {
  if (threadIdx.x < kRows) {
    SDTW_UNROLL_BY(1)
    for (int k = threadIdx.x; k < kRows + 3; k += kRows) {
      const int row =
          k - 1 == kLastBelow ? s.row + 2 * kRows - 1 : s.row + k - 1;
      int2 columns =
          args.band[(long long)s.b * args.band_rows + within(row, s.m)];
      columns.y = min(columns.y, s.n);
      to[k] = columns;
    }
  }
  __syncthreads();
}

// Draw the next strip; the same for all threads of the block.
SDTW_DEVICE Strip draw_strip(const Arguments& args, Shared<char>& memory,
                             bool upwards) {
  const Shared<int> ticket = take<int>(memory, kTicketBytes / 4);
  const Shared<int2> band = take<int2>(memory, kBandRows);
  if (threadIdx.x == 0) ticket[0] = draw(args.progress);
  __syncthreads();
  const int number = ticket[0];
  Strip s;
  s.b = number % args.batch;
  s.index = upwards ? args.strip_end - 1 - number / args.batch
                    : args.strip_begin + number / args.batch;
  s.m = args.x_length ? (int)args.x_length[s.b] : args.m;
  s.n = args.y_length ? (int)args.y_length[s.b] : args.n;
  const bool valid = s.m >= 1 && s.m <= args.m && s.n >= 1 && s.n <= args.n;
  if (!valid) s.m = args.m, s.n = args.n;
  s.strips = (s.m + kRows - 1) / kRows;
  s.row = s.index * kRows;
  const int rest = (s.m - 1) % kRows;
  s.lead = kGroup - (s.n + rest) % kGroup;
  const int last = s.index == s.strips - 1 ? rest : kRows - 1;
  s.first_segment = 0;
  s.end_step = s.n + s.lead + last;
  s.band = band;
  if (args.band) {
    load_band(args, s, band);
    s.first_segment = s.segment_of(columns_of(args, s, 0).begin);
    // At least one segment, as other strips wait for it.
    s.end_step = max(columns_of(args, s, last).end + s.lead + last,
                     s.first_segment * kSteps + 1);
  }

  const double largest = args.cost_bounds[2 * s.b];
  constexpr bool kWide = sizeof(T) == 8;
  s.route = Route::kSoft;
  if (s.index >= s.strips)
    s.route = Route::kNone;
  else if (!valid || largest != largest)
    s.route = kWide ? Route::kNan : Route::kNone;
  else if (sizeof(In) == 4 &&
           fits<float>(largest, s.m, s.n, args.rate) == kWide)
    s.route = Route::kNone;
  else if (args.rate == 0)
    s.route = Route::kLogSpace;
  else if (kWide && !fits<double>(largest, s.m, s.n, args.rate))
    s.route =
        may_cap(largest, args.cost_bounds[2 * s.b + 1], s.m, s.n, args.rate)
            ? Route::kCapped
            : Route::kLogSpace;
  const Turn turn = (Turn)args.turn;
  if (kWide && turn != Turn::kFirst) {
    if (s.route == Route::kCapped && args.noted[s.b])
      s.route = Route::kLogSpace;
    else if (turn == Turn::kOnlyNoted)
      s.route = Route::kNone;
  }

  if (kExplicit) {
    s.x = args.x + (long long)s.b * args.m * args.n;
    if (kDual) s.direction = args.direction + s.b * args.direction_stride;
  } else {
    s.x = args.x + (long long)s.b * args.m * args.d;
    s.y = args.y + (long long)s.b * args.n * args.d;
  }
  s.tape = args.tape + s.b * (args.pair_bytes / (long long)sizeof(Packed));
  return s;
}

}  // namespace
