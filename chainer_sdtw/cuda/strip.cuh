// The strip that a block works on, and how it is drawn.
#pragma once

#include "arguments.cuh"

namespace {

// A half-open range of columns or steps.
struct Span {
  int begin, end;
  SDTW_DEVICE bool has(int j) const { return j >= begin && j < end; }
};

struct Strip {
  int b, index;                 // the pair, the strip's place in it
  int lane;                     // of this thread, where a warp has a strip
  int m, n;                     // lengths of the pair
  int strips;                   // of the pair
  int row, lead;                // its first row, steps before the first column
  int first_segment, end_step;  // its first segment, the step after its last
  bool valid;                   // whether the lengths are in range
  Global<const In> x, y;        // of the pair
  Shared<const int2> band;  // of its rows and some others, see columns_of()

  SDTW_DEVICE bool last() const { return index == strips - 1; }
  // The end of its segments.
  SDTW_DEVICE int segments() const { return (end_step + kSteps - 1) / kSteps; }
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

SDTW_DEVICE int within(int i, int count) { return max(min(i, count - 1), 0); }

// The columns of a row in the band. Rows outside of the pair have those of the
// nearest one inside.
SDTW_DEVICE int2 band_of(const Arguments& args, const Strip& s, int row) {
  int2 columns = args.band[(long long)s.b * args.band_rows + within(row, s.m)];
  columns.y = min(columns.y, s.n);
  return columns;
}

// A strip of a pair, but for the shared memory of its band.
SDTW_DEVICE Strip strip_of(const Arguments& args, int b, int index) {
  Strip s;
  s.b = b;
  s.index = index;
  s.m = args.x_length ? (int)args.x_length[b] : args.m;
  s.n = args.y_length ? (int)args.y_length[b] : args.n;
  s.valid = s.m >= 1 && s.m <= args.m && s.n >= 1 && s.n <= args.n;
  if (!s.valid) s.m = args.m, s.n = args.n;
  s.strips = (s.m + kRows - 1) / kRows;
  s.row = index * kRows;
  const int rest = (s.m - 1) % kRows;
  s.lead = kGroup - (s.n + rest) % kGroup;
  const int last = s.last() ? rest : kRows - 1;
  s.first_segment = 0;
  s.end_step = s.n + s.lead + last;
  if (args.band) {
    s.first_segment = s.segment_of(band_of(args, s, s.row).x);
    // At least one segment, as other strips wait for it.
    s.end_step = max(band_of(args, s, s.row + last).y + s.lead + last,
                     s.first_segment * kSteps + 1);
  }
  const long long pair = b;
  s.x = args.x + pair * args.m * (kExplicit ? args.n : args.d);
  if (!kExplicit) s.y = args.y + pair * args.n * args.d;
  return s;
}

// Of an element of a semiring.
constexpr int kElementBytes = (int)sizeof(SoftSemiring::Val);
static_assert(sizeof(LogSpaceSemiring::Val) == sizeof(SoftSemiring::Val),
              "elements of one size");
constexpr int kTicketBytes = 16;
constexpr int kBandRows = kRows + 4;  // rounded up to 16 bytes
constexpr int kHeadBytes = kTicketBytes + kBandRows * (int)sizeof(int2);
constexpr int kValueBytes =
    kHeadBytes + kRows * kElementBytes + kSeries * (int)sizeof(T);
constexpr int kAdjointBytes =
    kValueBytes +
    (2 * kRows * kMassParts + kSharePlanes * kPlane) * (int)sizeof(T);

// Rows that columns_of() has beside those of the strip: the one above, the
// first of the strip below, and the first of the strip above.
constexpr int kAbove = -1;
constexpr int kBelow = kRows;
constexpr int kFirstAbove = kRows + 1;

SDTW_DEVICE Span columns_of(const Arguments& args, const Strip& s, int row) {
  if (!args.band) return {0, s.n};
  const int2 columns = s.band[row + 1];
  return {columns.x, columns.y};
}

// The first segment of a strip, given its first row as columns_of() has it.
SDTW_DEVICE int first_segment_of(const Arguments& args, const Strip& s,
                                 int row) {
  return args.band ? s.segment_of(columns_of(args, s, row).begin) : 0;
}

// Bring the band to shared memory.
SDTW_DEVICE void load_band(const Arguments& args, const Strip& s,
                           Shared<int2> to) {
  if (threadIdx.x < kRows) {
    SDTW_UNROLL_BY(1)
    for (int k = threadIdx.x; k < kRows + 3; k += kRows) {
      const int row = k - 1 == kFirstAbove ? -kRows : k - 1;
      to[k] = band_of(args, s, s.row + row);
    }
  }
  __syncthreads();
}

// Draw the next strip; the same for all threads of the block.
SDTW_DEVICE Strip draw_strip(const Arguments& args, Shared<char>& memory,
                             bool upwards) {
  const Shared<int> ticket = take<int>(memory, kTicketBytes / 4);
  const Shared<int2> band = take<int2>(memory, kBandRows);
  if (threadIdx.x == 0) ticket[0] = draw(args.ticket);
  __syncthreads();
  const int number = ticket[0];
  const int place = number / args.pairs;
  Strip s = strip_of(
      args, args.pair_begin + number % args.pairs,
      upwards ? args.strip_end - 1 - place : args.strip_begin + place);
  s.band = band;
  s.lane = held((int)threadIdx.x);
  if (args.band) load_band(args, s, band);
  return s;
}

}  // namespace
