// The pair and the strip of a block.
#pragma once

#include "route.cuh"

namespace {

// The arguments of a sweep. `rate` is 1 / (gamma ln 2), or 0 for gamma = 0;
// `forbidden` the cost that stands for +inf.
struct Sweep {
  Global<const In> x, y;
  Global<const int> x_length, y_length;
  // Two numbers for each pair: see the surveys.
  Global<const double> most;
  // Of each pair, whether it has been noted: see Turn.
  Global<int> outside;
  Turn turn;
  int batch, m, n, d;
  double rate, forbidden;
  // The first column of each row and the one after its last, or null; of so
  // many rows per pair, or 0 for the same of all.
  Global<const int2> band;
  int band_rows;
  // The tape: bytes per pair, entries of an edge and of a strip's states,
  // strips per slab, the slab with a fine tape.
  Global<Packed> tape;
  long long slot;
  int edge;
  long long states;
  int slab_strips, slabs, kept;
  // What this launch sweeps, and how far it is: a counter of strips drawn,
  // then segments done per strip and pair.
  int first, last;
  Global<int> progress;
  // Dual numbers: numbers from one pair's direction to the next, or 0.
  Global<const In> direction;
  long long direction_stride;
};

// Some columns, from the first to before the last.
struct Range {
  int first, stop;
  SDTW_DEVICE bool has(int j) const { return j >= first && j < stop; }
};

struct Strip {
  int b, index;    // the pair, the strip's place in it
  int m, n;        // lengths of the pair
  int strips;      // of the pair
  int row, lead;   // its first row, steps before the first column
  int start, end;  // its first segment, the step after its last
  Part part;
  Global<const In> x, y;  // of the pair
  Global<const In> direction;
  Global<Packed> slot;
  Shared<const int2> band;  // of the rows that it has to do with, if any

  SDTW_DEVICE bool last() const { return index == strips - 1; }
  // The segment after its last.
  SDTW_DEVICE int segments() const { return (end + kSteps - 1) / kSteps; }
  // The same of so many rows, the last of which ends before a column.
  SDTW_DEVICE int segments_of(int rows, int stop) const {
    return (stop + rows - 1 + lead + kSteps - 1) / kSteps;
  }
  // The segment of the step before the first row is at its first column.
  SDTW_DEVICE int start_of(int column) const {
    return (column + lead - 1) / kSteps;
  }
  // Steps of a segment, in whole groups.
  SDTW_DEVICE int count(int q) const {
    const int left = (end - q * kSteps + kGroup - 1) / kGroup * kGroup;
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

// The columns of a row of the strip, and of some others.
constexpr int kAbove = -1;
constexpr int kBelow = kRows;
constexpr int kLastBelow = kRows + 1;  // the last row of the strip below

SDTW_DEVICE Range columns_of(const Sweep& w, const Strip& s, int row) {
  if (!w.band) return {0, s.n};
  const int2 found = s.band[row + 1];
  return {found.x, found.y};
}

// Bring the band to shared memory; rows that there are not are the nearest.
SDTW_DEVICE void load_band(const Sweep& w, const Strip& s, Shared<int2> to) {
  if (threadIdx.x < kRows) {
    SDTW_UNROLL_BY(1)
    for (int k = threadIdx.x; k < kRows + 3; k += kRows) {
      const int row =
          k - 1 == kLastBelow ? s.row + 2 * kRows - 1 : s.row + k - 1;
      int2 found = w.band[(long long)s.b * w.band_rows + within(row, s.m)];
      found.y = min(found.y, s.n);
      to[k] = found;
    }
  }
  __syncthreads();
}

// Draw the next strip; the same for all threads of the block.
SDTW_DEVICE Strip draw_strip(const Sweep& w, Shared<char>& memory,
                             bool upwards) {
  const Shared<int> ticket = take<int>(memory, kTicketBytes / 4);
  const Shared<int2> band = take<int2>(memory, kBandRows);
  if (threadIdx.x == 0) ticket[0] = draw(w.progress);
  __syncthreads();
  const int number = ticket[0];
  Strip s;
  s.b = number % w.batch;
  s.index =
      upwards ? w.last - 1 - number / w.batch : w.first + number / w.batch;
  s.m = w.x_length ? (int)w.x_length[s.b] : w.m;
  s.n = w.y_length ? (int)w.y_length[s.b] : w.n;
  const bool valid = s.m >= 1 && s.m <= w.m && s.n >= 1 && s.n <= w.n;
  if (!valid) s.m = w.m, s.n = w.n;
  s.strips = (s.m + kRows - 1) / kRows;
  s.row = s.index * kRows;
  const int rest = (s.m - 1) % kRows;
  s.lead = kGroup - (s.n + rest) % kGroup;
  const int last = s.index == s.strips - 1 ? rest : kRows - 1;
  s.start = 0;
  s.end = s.n + s.lead + last;
  s.band = band;
  if (w.band) {
    load_band(w, s, band);
    s.start = s.start_of(columns_of(w, s, 0).first);
    // One segment at least, as others wait for it.
    s.end =
        max(columns_of(w, s, last).stop + s.lead + last, s.start * kSteps + 1);
  }

  const double most = w.most[2 * s.b];
  constexpr bool kLast = sizeof(T) == 8;
  s.part = Part::kSoft;
  if (s.index >= s.strips)
    s.part = Part::kNone;
  else if (!valid || most != most)
    s.part = kLast ? Part::kNan : Part::kNone;
  else if (sizeof(In) == 4 && fits<float>(most, s.m, s.n, w.rate) == kLast)
    s.part = Part::kNone;
  else if (w.rate == 0)
    s.part = Part::kLogSpace;
  else if (kLast && !fits<double>(most, s.m, s.n, w.rate))
    s.part = may_cap(most, w.most[2 * s.b + 1], s.m, s.n, w.rate)
                 ? Part::kCapped
                 : Part::kLogSpace;
  if (kLast && w.turn != Turn::kFirst) {
    if (s.part == Part::kCapped && w.outside[s.b])
      s.part = Part::kLogSpace;
    else if (w.turn == Turn::kAgain)
      s.part = Part::kNone;
  }

  if (kExplicit) {
    s.x = w.x + (long long)s.b * w.m * w.n;
    if (kDual) s.direction = w.direction + s.b * w.direction_stride;
  } else {
    s.x = w.x + (long long)s.b * w.m * w.d;
    s.y = w.y + (long long)s.b * w.n * w.d;
  }
  s.slot = w.tape + s.b * (w.slot / (long long)sizeof(Packed));
  return s;
}

}  // namespace
