// The value and adjoint sweeps of soft-DTW on a GPU, and their tangents.
//
// Options, required but for the last:
//   SDTW_IN    type of the arrays: float or double
//   SDTW_T     type that is computed in: float or double
//   SDTW_COST  0: squared Euclidean, univariate; 1: the same with features;
//              2: explicit cost matrices, in the place of x; 3: absolute
//              differences; 4: Euclidean, 5: Manhattan, both with features
//   SDTW_DUAL  1: sweep dual numbers, every one with its tangent along a
//              direction, an array as the cost; with explicit costs only
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
// If that is too much, strips are gathered in slabs: of a slab only the edge
// above it is kept (the coarse tape), and the rest (the fine tape) for one
// slab at a time.
//
// Pairs whose exponents float32 cannot hold are left alone by the kernels that
// compute in float and taken by those that compute in double. These need twice
// the tape and have half as many strips per slab.
//
// Where float64 cannot hold them either, costs are capped: the sweep is right
// if its value is in range, as no alignment that matters has a capped cost. If
// it is not, the pair is noted, and another launch of the same kernel sweeps
// it in log space. Adjoint sweeps look at the notes.
#include "numerics.cuh"

#ifndef SDTW_DUAL
#define SDTW_DUAL 0
#endif

namespace {

using In = SDTW_IN;
using T = SDTW_T;
using Exponent = Format<T>::Exponent;

constexpr bool kDual = SDTW_DUAL;
using SoftMinimum = Choice<T, Soft, kDual>::Semiring;
using LogSpaceMinimum = Choice<T, LogSpace, kDual>::Semiring;
using Packed = SoftMinimum::Packed;

constexpr bool kUnivariate = SDTW_COST == 0 || SDTW_COST == 3;
constexpr bool kExplicit = SDTW_COST == 2;
static_assert(kExplicit || !kDual, "tangents of explicit costs");
constexpr bool kEuclidean = SDTW_COST == 4;
// Sums of absolute differences, or of one of them.
constexpr bool kAbsolute = SDTW_COST == 3 || SDTW_COST == 5;
// The cost's gradient is so many times what slope() gives.
constexpr int kFactor = kEuclidean || kAbsolute ? 1 : 2;

constexpr int kRows = 32;   // of a strip: lanes of a warp
constexpr int kSteps = 32;  // of a segment
constexpr int kGroup = 8;   // steps between two normalisations of mantissas
constexpr int kSurveyThreads = 256;

// The first warp of a block sweeps. Where costs and gradients are more work
// than that, more warps help: they fill the planes with the weights of the
// next segment and make gradients of the alignment of the last, if there is
// room for two sets of planes, and else take turns with the first.
constexpr int kFillers = kUnivariate ? 0 : 2;
constexpr int kHelpers = kUnivariate ? 0 : kExplicit || sizeof(T) == 8 ? 2 : 3;
constexpr int kThreads = 32 * (1 + kHelpers);
constexpr int kSets = kHelpers && sizeof(T) == 4 ? 2 : 1;

// Blocks per multiprocessor that registers are left for: more threads beat a
// few more registers, until they spill.
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
constexpr int kSpan = kSteps + kRows;  // columns that a segment touches, + 1
constexpr int kChunk = 16;             // features at a time
// Of a helper: half the steps of a segment, and the columns they touch, + 1.
constexpr int kHalf = kSteps / 2;
constexpr int kHalfSpan = kHalf + kRows;
constexpr int kRowStride = kRows + 4;  // feature by feature, for the costs
constexpr int kColumnStride = kHalfSpan + 1;
constexpr int kFeatureStride = kChunk + 4;  // row by row, for the gradients
constexpr int kStage = kChunk * (kRowStride + kColumnStride);
static_assert(kStage >= kSpan * kFeatureStride, "staging");

// The third helper has only rows to bring in.
constexpr int kSeries =
    kUnivariate ? kSpan
    : kExplicit ? 0
                : 2 * kStage + (kHelpers - 2) * kRows * kFeatureStride;
constexpr int kValuePlanes = kUnivariate ? 0 : kDual ? 3 : 2;
// The fourth has the inverses of distances. Where there is one set only, they
// fit in where the helpers stage series, which they do before and after.
constexpr int kAdjointPlanes = kDual ? 5 : kEuclidean && kSets == 2 ? 4 : 3;
// Masses that are handed on: of the alignment and, if so, of its tangent.
constexpr int kMasses = kDual ? 2 : 1;
constexpr int kInverseGap = kSets == 2 ? 0 : kStage - kHalf * kStride;
static_assert(kInverseGap >= 0, "staging");

// --- Which kernel takes a pair ---

// kCapped is kSoft with large costs made smaller. If its value is out of range
// all the same, the pair becomes one for kLogSpace.
enum class Part { kNone, kSoft, kCapped, kLogSpace, kNan };

// Which pairs a launch of a kernel in double sweeps, and how: all of them, and
// notes the capped ones whose values are out of range; only those noted; or
// all of them, those noted in log space.
enum class Turn { kFirst, kAgain, kNoted };

// Bits of exponent that a single cost may take: what rounding takes from it is
// magnified by 1 / gamma. Univariate costs are exact and explicit ones given.
template <class C>
SDTW_DEVICE double most_bits() {
  if (sizeof(C) == 8) return Format<C>::kSum;
  return kUnivariate ? 1048576 : kExplicit ? Format<C>::kSum : 8192;
}

template <class C>
SDTW_DEVICE bool is_usual(double rate) {
  const double huge = Format<C>::kHuge;
  return rate > 1 / huge && rate < Format<C>::kSteepest &&
         Format<C>::kCell * 4 / rate < huge;
}

template <class C>
SDTW_DEVICE bool fits(double most, int m, int n, double rate) {
  const double total = most * ((double)m + n);
  const double huge = Format<C>::kHuge;
  if (!(total < huge)) return false;
  // Distances whose squares the format cannot hold.
  constexpr double kRange = 1e15;
  if (kEuclidean && sizeof(C) == 4 &&
      !(most > 1 / kRange && most < kRange && rate < kRange))
    return false;
  if (rate == 0) return true;
  const double sum_bits =
      kExplicit ? Format<C>::kSum : Format<C>::kSumOfSeries;
  return most * rate < most_bits<C>() && total * rate < sum_bits &&
         is_usual<C>(rate);
}

// Whether large costs may be capped. Sums of negative ones must be in range.
// In the gradient for series, a capped cell's share, up to 2**-1000, times the
// difference of its elements must be negligible. `lowest` is that of the
// costs, negated, or 0.
SDTW_DEVICE bool may_cap(double most, double lowest, int m, int n,
                         double rate) {
  const double limit = kExplicit                 ? infinity<double>()
                       : kEuclidean || kAbsolute ? 1e150
                                                 : 1e300;
  return most < limit &&
         lowest * ((double)m + n) * rate < Format<double>::kSum &&
         is_usual<double>(rate);
}

// --- The pair and the strip of a block ---

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

// --- The tape ---
//
// Per pair: edges of the strips of a slab, states of the strips of a slab,
// edges above all slabs but the first, and one more edge that the strips of
// other slabs hand on (and that holds masses in the adjoint sweep).

constexpr int kState = 2 * kRows;

SDTW_DEVICE long long fine_size(const Sweep& w) {
  if (w.kept < 0) return 0;
  return w.slab_strips * (w.edge + w.states);
}
SDTW_DEVICE Global<Packed> running_edge(const Sweep& w, const Strip& s) {
  return s.slot + (fine_size(w) + (long long)(w.slabs - 1) * w.edge);
}
// The edge below a strip: of the columns of its last row.
SDTW_DEVICE Global<Packed> edge_below(const Sweep& w, const Strip& s,
                                      int index) {
  const int slab = index / w.slab_strips;
  const int place = index - slab * w.slab_strips;
  if (place == w.slab_strips - 1 && slab < w.slabs - 1)
    return s.slot + (fine_size(w) + (long long)slab * w.edge);
  if (slab == w.kept) return s.slot + (long long)place * w.edge;
  return running_edge(w, s);
}
// The states of a strip of the kept slab at the start of a segment after its
// first.
SDTW_DEVICE Global<Packed> state(const Sweep& w, const Strip& s, int q) {
  const int place = s.index - w.kept * w.slab_strips;
  return s.slot + ((long long)w.slab_strips * w.edge + place * w.states +
                   (long long)(q - s.start - 1) * kState);
}

// --- Costs ---

// Bring some elements of a series to shared memory, one warp's work: each lane
// has one feature of every other element. Elements outside of the series are
// those of the nearest inside, features outside are 0.
template <int kCount>
SDTW_DEVICE void stage(Global<const In> series, int first, int length, int d,
                       int k0, Shared<T> to, int element, int feature) {
  const int k = threadIdx.x % kChunk;
  const int i0 = threadIdx.x / kChunk % 2;
  const bool inside = k0 + k < d;
  // Several loads on their way at a time, but not so many that their numbers
  // take the registers of everything else.
  constexpr int kBatch = sizeof(T) == 8 ? 4 : kCount % 24 ? 16 : 12;
  static_assert(kCount / 2 % kBatch == 0, "whole batches");
  SDTW_UNROLL_BY(1)
  for (int j0 = i0; j0 < kCount; j0 += 2 * kBatch) {
    In v[kBatch];
    SDTW_UNROLL
    for (int j = 0; j < kBatch; ++j) {
      const long long i = within(first + j0 + 2 * j, length);
      v[j] = inside ? (In)series[i * d + k0 + k] : In(0);
    }
    SDTW_UNROLL
    for (int j = 0; j < kBatch; ++j)
      to[(j0 + 2 * j) * element + k * feature] = (T)v[j];
  }
}

// A cost as it is weighed: at most that of a forbidden cell. Float sweeps take
// no series whose costs come near it.
template <class S>
SDTW_DEVICE T capped(const Sweep& w, T c) {
  if (S::kLogSpace || (sizeof(T) == 4 && !kExplicit)) return c;
  const T forbidden = w.forbidden;
  return c < forbidden ? c : forbidden;
}

// The gradient of a difference's part in the cost: of its square, by two; of
// its absolute value, 0 at 0.
SDTW_DEVICE T slope(T a) {
  if (!kAbsolute) return a;
  return a == 0 ? T(0) : copysign(T(1), a);
}

// The weights of a segment's cells: from the series, in shared memory, of this
// lane's row and all columns (univariate), or two planes of fractions and
// exponents. Cells outside of the table have the weights of the nearest inside
// or, with explicit costs, of the cost 0.
struct Costs {
  Shared<T> series;
  T x;  // univariate: this lane's
  Shared<T> weights;

  SDTW_DEVICE void use(Shared<T> planes) { weights = planes; }

  // Euclidean: where the inverse of a distance is, for the adjoint sweep.
  SDTW_DEVICE Shared<T> inverse(int step, int row) const {
    const Shared<T> from = kSets == 2 ? weights + 2 * kPlane : series;
    return from + (step * kStride + step / kHalf * kInverseGap + row);
  }

  // The weight of this lane's cell at a step of the segment; as a cost, in log
  // space.
  template <class S>
  SDTW_DEVICE Weight<T> weight(const Sweep& w, const Rate<T>& rate,
                               int step) const {
    const int lane = threadIdx.x;
    Weight<T> found = {};
    if (kUnivariate) {
      const T y = series[step + kRows - 1 - lane];
      const T a = sum(x, -y);
      const T c = kAbsolute ? fabs(a) : product(a, a);
      if (S::kLogSpace) {
        found.fraction = c;
        return found;
      }
      // What rounding left out of the difference and of the square.
      const T y_part = sum(a, -x);
      const T x_part = sum(a, -y_part);
      const T a_rest = sum(sum(x, -x_part), -sum(y, y_part));
      const T c_rest = kAbsolute ? product(slope(a), a_rest)
                                 : fused(a + a, a_rest, fused(a, a, -c));
      weigh<false>(rate, capped<S>(w, c), c_rest, found.fraction,
                   found.exponent);
      return found;
    }
    const int at = step * kStride + lane;
    found.fraction = weights[at];
    if (!S::kLogSpace)
      found.exponent = Format<T>::as_exponent(weights[kPlane + at]);
    if (kDual) found.direction = weights[2 * kPlane + at];
    return found;
  }

  // Univariate: the columns of a segment, by the warp that sweeps.
  SDTW_DEVICE void load_series(const Strip& s, int q) {
    const int column = s.column(q * kSteps) - (kRows - 1);
    SDTW_UNROLL
    for (int i = 0; i < kSpan; i += kRows)
      series[i + threadIdx.x] = (T)s.y[within(column + i + threadIdx.x, s.n)];
  }

  // Otherwise: the planes of a segment, by the warps that help.
  template <class S, bool kAdjoint>
  SDTW_DEVICE void fill(const Sweep& w, const Strip& s, int q,
                        Shared<T> planes) {
    use(planes);
    if (threadIdx.x / 32 > kFillers) return;
    if (kExplicit)
      explicit_costs<S>(w, s, q);
    else
      distances<S, kAdjoint>(w, s, q);
  }

 private:
  template <class S, bool kLarge>
  SDTW_DEVICE void put(const Rate<T>& rate, int at, T cost, T rest) {
    if (S::kLogSpace) {
      weights[at] = cost;
      return;
    }
    T fraction;
    Exponent exponent;
    weigh<kLarge>(rate, cost, rest, fraction, exponent);
    weights[at] = fraction;
    weights[kPlane + at] = Format<T>::as_number(exponent);
  }

  template <class S>
  SDTW_DEVICE void explicit_costs(const Sweep& w, const Strip& s, int q) {
    const Rate<T> rate(w.rate);
    const int step = threadIdx.x % kSteps;
    SDTW_UNROLL_BY(8)
    for (int r = threadIdx.x / 32 - 1; r < kRows; r += kFillers) {
      const int i = s.row + r;
      const int j = s.column(q * kSteps + step) - r;
      T c = 0;
      T direction = 0;
      if (i < s.m && j >= 0 && j < s.n) {
        const long long from = (long long)i * w.n + j;
        const T given = (T)s.x[from];
        c = capped<S>(w, given);
        // A capped cost has no part in the tangent, but a direction of any
        // size.
        if (kDual && c == given && c < infinity<T>())
          direction = (T)s.direction[from];
      }
      const int at = step * kStride + r;
      put<S, true>(rate, at, c, T(0));
      if (kDual) weights[2 * kPlane + at] = direction;
    }
  }

  // Each warp takes half of the steps, each lane four rows by four steps. Sums
  // of the features of a chunk are added with what rounding takes from them.
  template <class S, bool kAdjoint>
  SDTW_DEVICE void distances(const Sweep& w, const Strip& s, int q) {
    const int helper = threadIdx.x / 32 - 1;
    const int lane = threadIdx.x % 32;
    const int r0 = lane % 8 * 4;
    const int t0 = lane / 8 * 4;
    const int column = s.column(q * kSteps + helper * kHalf) - (kRows - 1);
    const Shared<T> xs = series + helper * kStage;
    const Shared<T> ys = xs + kChunk * kRowStride;
    T high[4][4], low[4][4];
    for (int k0 = 0; k0 < w.d; k0 += kChunk) {
      const int count = w.d - k0 < kChunk ? w.d - k0 : kChunk;
      __syncwarp();
      stage<kRows>(s.x, s.row, s.m, w.d, k0, xs, 1, kRowStride);
      stage<kHalfSpan>(s.y, column, s.n, w.d, k0, ys, 1, kColumnStride);
      __syncwarp();
      T part[4][4] = {};
      constexpr int kTogether = kAbsolute && sizeof(T) == 8 ? 1 : 2;
      SDTW_UNROLL_BY(kTogether)
      for (int f = 0; f < count; ++f) {
        T a[4], b[7];
        load4(xs + (f * kRowStride + r0), a);
        SDTW_UNROLL
        for (int i = 0; i < 7; ++i)
          b[i] = ys[f * kColumnStride + t0 - r0 + kRows - 4 + i];
        SDTW_UNROLL
        for (int i = 0; i < 4; ++i) {
          SDTW_UNROLL
          for (int j = 0; j < 4; ++j) {
            const T c = a[i] - b[j - i + 3];
            part[i][j] =
                kAbsolute ? part[i][j] + fabs(c) : fused(c, c, part[i][j]);
          }
        }
      }
      SDTW_UNROLL
      for (int i = 0; i < 4; ++i) {
        SDTW_UNROLL
        for (int j = 0; j < 4; ++j) {
          if (k0 == 0) {
            high[i][j] = part[i][j];
            low[i][j] = 0;
          } else {
            const T before = high[i][j];
            high[i][j] = sum(before, part[i][j]);
            const T part_in = sum(high[i][j], -before);
            const T before_in = sum(high[i][j], -part_in);
            low[i][j] +=
                sum(sum(before, -before_in), sum(part[i][j], -part_in));
          }
        }
      }
    }
    const Rate<T> rate(w.rate);
    if (kEuclidean && kAdjoint) __syncwarp();
    SDTW_UNROLL
    for (int j = 0; j < 4; ++j) {
      const int step = helper * kHalf + t0 + j;
      SDTW_UNROLL
      for (int i = 0; i < 4; ++i) {
        T c = high[i][j];
        T rest = low[i][j];
        if (kEuclidean) {
          T inverted;
          root(c, rest, inverted);
          if (kAdjoint) inverse(step, r0 + i)[0] = inverted;
        }
        put<S, false>(rate, step * kStride + r0 + i, capped<S>(w, c), rest);
      }
    }
  }
};

// --- Sweeping a segment ---

// The steps of a segment at which this lane's row is in the band.
SDTW_DEVICE Range open_steps(const Sweep& w, const Strip& s, int q) {
  Range r = columns_of(w, s, threadIdx.x);
  const int shift = s.lead + (int)threadIdx.x - q * kSteps;
  r.first += shift, r.stop += shift;
  return r;
}

// The cells of a strip's rows at one step, and those of the rows above them at
// the step before.
template <class S>
struct Front {
  typename S::Val current, diagonal;

  SDTW_DEVICE Front() : current(S::none()), diagonal(S::none()) {}

  // Sweep a segment forwards, by one warp; with the edge above in `above`.
  // Keeps the edge below, or each cell's shares in three planes.
  template <bool kShares>
  SDTW_DEVICE void sweep(const Sweep& w, const Strip& s, const Costs& costs,
                         int q, int count, Shared<const Packed> above,
                         Shared<Packed> below, Shared<T> planes) {
    const Rate<T> rate(w.rate);
    // Step by step: the group that has the step before the first column, after
    // which all paths start; and all of a soft minimum in log space.
    const bool first = s.index == 0 && q == 0;
    int step0 = first ? kGroup : 0;
    if (S::kLogSpace && S::kSoft && w.rate != 0) step0 = count;
    SDTW_UNROLL_BY(1)
    for (int step = 0; step < step0; ++step) {
      Weight<T> weight = costs.weight<S>(w, rate, step);
      if (w.band && !open_steps(w, s, q).has(step)) S::forbid(weight);
      advance<kShares>(weight, above[step], rate, step, below, planes);
      if (first && step == s.lead - 1 && threadIdx.x == 0) diagonal = S::one();
    }
    const Rate<T> in_groups(S::kLogSpace ? 0 : w.rate);
    for (; step0 < count; step0 += kGroup) {
      // What a group reads comes before what it writes, which it would wait
      // for otherwise.
      Weight<T> weights[kGroup];
      Packed edges[kGroup];
      SDTW_UNROLL
      for (int i = 0; i < kGroup; ++i) {
        weights[i] = costs.weight<S>(w, in_groups, step0 + i);
        edges[i] = above[step0 + i];
      }
      if (w.band) {
        const Range open = open_steps(w, s, q);
        SDTW_UNROLL
        for (int i = 0; i < kGroup; ++i)
          if (!open.has(step0 + i)) S::forbid(weights[i]);
      }
      SDTW_UNROLL
      for (int i = 0; i < kGroup; ++i)
        advance<kShares>(weights[i], edges[i], in_groups, step0 + i, below,
                         planes);
      S::renorm(current);
      S::renorm(diagonal);
    }
  }

 private:
  template <bool kShares>
  SDTW_DEVICE void advance(const Weight<T>& weight, const Packed& edge,
                           const Rate<T>& rate, int step, Shared<Packed> below,
                           Shared<T> planes) {
    const int lane = threadIdx.x;
    const typename S::Val outside = S::unpack(edge);
    typename S::Val up = S::shuffle_up(current);
    if (lane == 0) up = outside;
    Shares<T> shares;
    current =
        S::template step<kShares>(current, up, diagonal, weight, rate, shares);
    diagonal = up;
    if (kShares) {
      const int at = step * kStride + lane;
      planes[at] = shares.left;
      planes[kPlane + at] = shares.up;
      planes[2 * kPlane + at] = shares.diagonal;
      if (kDual) {
        planes[3 * kPlane + at] = shares.left_tangent;
        planes[4 * kPlane + at] = shares.up_tangent;
      }
    } else if (lane == kRows - 1) {
      below[step] = S::pack(current);
    }
  }
};

// The edge above a strip for a segment: all entries, one per lane.
template <class S>
SDTW_DEVICE void load_edge(const Sweep& w, const Strip& s, int q,
                           const Range& columns, Shared<Packed> above) {
  const int lane = threadIdx.x;
  const int j = s.column(q * kSteps + lane);
  Packed p = S::pack(S::none());
  if (s.index > 0 && columns.has(j))
    p = load_fresh(edge_below(w, s, s.index - 1), j - columns.first);
  above[lane] = p;
}

// Segments that are done of a strip: of its sweep, or of the gradient that it
// adds to what other strips have added.
SDTW_DEVICE Global<int> progress_of(const Sweep& w, const Strip& s, int index,
                                    bool gradient = false) {
  const long long strips = w.last - w.first;
  return w.progress +
         (1 + (index - w.first + (gradient ? strips : 0)) * w.batch + s.b);
}

// Sets of planes take turns.
SDTW_DEVICE Shared<T> set_of(Shared<T> planes, int count, int q) {
  return planes + q % kSets * count * kPlane;
}

// --- Value ---

template <class S>
SDTW_DEVICE void value_strip(const Sweep& w, const Strip& s,
                             Shared<char> memory, Global<double> result,
                             Global<In> value, Global<In> tangent) {
  const Shared<Packed> above = take<Packed>(memory, kSteps);
  const Shared<Packed> below = take<Packed>(memory, kSteps);
  Costs costs;
  if (kSeries) costs.series = take<T>(memory, kSeries);
  Shared<T> planes;
  if (kValuePlanes) planes = take<T>(memory, kSets * kValuePlanes * kPlane);

  const int lane = threadIdx.x;
  const bool sweeps = threadIdx.x < kRows;
  const bool keep = s.index / w.slab_strips == w.kept;
  const Global<Packed> edge = edge_below(w, s, s.index);
  const int segments = s.segments();
  Front<S> front;
  if (kUnivariate) costs.x = (T)s.x[within(s.row + lane, s.m)];
  if (kHelpers) {
    if (!sweeps)
      costs.template fill<S, false>(w, s, s.start,
                                    set_of(planes, kValuePlanes, s.start));
    __syncthreads();
  }
  for (int q = s.start; q < segments; ++q) {
    if (sweeps) {
      if (kUnivariate) costs.load_series(s, q);
      const Range columns = columns_of(w, s, kAbove);
      if (lane == 0 && s.index > w.first) {
        const int all = s.segments_of(kRows, columns.stop);
        await(progress_of(w, s, s.index - 1), q + 2 < all ? q + 2 : all);
      }
      __syncwarp();
      load_edge<S>(w, s, q, columns, above);
      if (keep && q > s.start) {
        const Global<Packed> to = state(w, s, q);
        to[lane] = S::pack(front.current);
        to[kRows + lane] = S::pack(front.diagonal);
      }
      __syncwarp();
      if (kHelpers) costs.use(set_of(planes, kValuePlanes, q));
      const int count = s.count(q);
      front.template sweep<false>(w, s, costs, q, count, above, below, planes);
      __syncwarp();
      const int j = s.column(q * kSteps + lane) - (kRows - 1);
      if (!s.last() && lane < count) {
        const Range columns = columns_of(w, s, kRows - 1);
        if (columns.has(j)) edge[j - columns.first] = below[lane];
      }
      __syncwarp();
      if (lane == 0 && !s.last()) publish(progress_of(w, s, s.index), q + 1);
    }
    if (kHelpers) {
      if (kSets == 1) __syncthreads();
      if (!sweeps && q + 1 < segments)
        costs.template fill<S, false>(w, s, q + 1,
                                      set_of(planes, kValuePlanes, q + 1));
      __syncthreads();
    }
  }
  if (s.last() && lane == (s.m - 1) % kRows) {
    double v = S::value(front.current, w.rate, kExplicit);
    if (columns_of(w, s, lane).stop < s.n) v = infinity<double>();
    result[s.b] = v;
    value[s.b] = (In)v;
    if (s.part == Part::kCapped && w.turn == Turn::kFirst &&
        S::is_out_of_range(front.current))
      w.outside[s.b] = 1;
    if (kDual) {
      const T t = v - v == 0 ? S::tangent(front.current) : T(0);
      result[w.batch + s.b] = t;
      tangent[s.b] = (In)t;
    }
  }
}

// --- Adjoint ---

struct Gradients {
  Global<const double> result;  // the values, and their tangents
  Global<const In> seed;        // the gradient with respect to them
  Global<In> x, y;              // of all pairs; x: or the cost's
  // Dual numbers: the tangent of the seed, and what takes the alignment times
  // the seed, or null.
  Global<const In> seed_tangent;
  Global<In> alignment;
};

// The mass of the alignment on its way back through a strip.
struct Mass {
  T keep, hand, diagonal;  // to the left, up, and up one step later
  T x_sum, y_sum;          // univariate: sums of E (x - y)
  // Dual numbers: tangents of the first three.
  T keep_tangent, hand_tangent, diagonal_tangent;

  // Sweep a segment back, by one warp; the alignment replaces the shares to
  // the left, its tangent those up. Takes what the strip below hands to the
  // last row and puts what the first row hands on. `inverse_gamma` is 0 for
  // gamma = 0.
  SDTW_DEVICE void back(const Costs& costs, Shared<T> plane, int count,
                        T inverse_gamma, Shared<const T> from_below,
                        Shared<T> to_above, Shared<T> y_sums) {
    const int lane = threadIdx.x;
    for (int step0 = count - kGroup; step0 >= 0; step0 -= kGroup) {
      T left[kGroup], up[kGroup], across[kGroup], edge[kGroup];
      T left_tangent[kGroup], up_tangent[kGroup], edge_tangent[kGroup];
      SDTW_UNROLL
      for (int i = 0; i < kGroup; ++i) {
        const int at = (step0 + i) * kStride + lane;
        left[i] = plane[at];
        up[i] = plane[kPlane + at];
        across[i] = plane[2 * kPlane + at];
        edge[i] = from_below[step0 + i];
        if (kDual) {
          left_tangent[i] = plane[3 * kPlane + at];
          up_tangent[i] = plane[4 * kPlane + at];
          edge_tangent[i] = from_below[kSteps + step0 + i];
        }
      }
      SDTW_UNROLL
      for (int i = kGroup - 1; i >= 0; --i) {
        const int step = step0 + i;
        T below = __shfl_down_sync(0xffffffffu, hand, 1);
        if (lane == kRows - 1) below = edge[i];
        const T e = keep + below;
        if (kDual) {
          T below_tangent = __shfl_down_sync(0xffffffffu, hand_tangent, 1);
          if (lane == kRows - 1) below_tangent = edge_tangent[i];
          const T tangent = keep_tangent + below_tangent;
          // A share p changes by -p (its tangent - their mean) / gamma.
          const T steep = product(e, inverse_gamma);
          const T mean =
              fused(up[i], up_tangent[i], product(left[i], left_tangent[i]));
          keep_tangent = product(
              left[i], fused(sum(mean, -left_tangent[i]), steep, tangent));
          hand_tangent =
              fused(up[i], fused(sum(mean, -up_tangent[i]), steep, tangent),
                    diagonal_tangent);
          diagonal_tangent = product(across[i], fused(mean, steep, tangent));
          plane[kPlane + step * kStride + lane] = tangent;
        }
        keep = product(left[i], e);
        hand = fused(up[i], e, diagonal);
        diagonal = product(across[i], e);
        if (kUnivariate) {
          const T y = costs.series[step + kRows - 1 - lane];
          const T a = slope(sum(costs.x, -y));
          x_sum = fused(e, a, x_sum);
          T travelling = __shfl_down_sync(0xffffffffu, y_sum, 1);
          if (lane == kRows - 1) travelling = 0;
          y_sum = fused(-e, a, travelling);
        } else if (kEuclidean) {
          plane[step * kStride + lane] =
              product(e, costs.inverse(step, lane)[0]);
        } else {
          plane[step * kStride + lane] = e;
        }
        if (lane == 0) {
          to_above[step] = hand;
          if (kDual) to_above[kSteps + step] = hand_tangent;
          if (kUnivariate) y_sums[step] = y_sum;
        }
      }
    }
    if (!kUnivariate) {
      for (int step = count; step < kSteps; ++step) {
        plane[step * kStride + lane] = 0;
        if (kDual) plane[kPlane + step * kStride + lane] = 0;
      }
    }
  }
};

// Sums of E (x - y) over the cells of a segment, for four elements by four
// features a lane. `kChecked` where a step may lie outside of the segment.
struct Tile {
  T own[4][4], total[4][4];

  // Elements outside of the series are those of the nearest inside.
  SDTW_DEVICE void start(Global<const In> series, int first, int length, int d,
                         int k) {
    SDTW_UNROLL
    for (int i = 0; i < 4; ++i) {
      const Global<const In> from =
          series + ((long long)within(first + i, length) * d + k);
      SDTW_UNROLL
      for (int j = 0; j < 4; ++j) {
        own[i][j] = k + j < d ? (T)from[j] : T(0);
        total[i][j] = 0;
      }
    }
  }

  // Add the sums to the gradient of elements inside. All are read before the
  // first is written, to wait for memory once.
  SDTW_DEVICE void add_to(Global<In> gradient, int first, int length, int d,
                          int k, T factor) const {
    In before[4][4];
    SDTW_UNROLL
    for (int i = 0; i < 4; ++i) {
      const Global<In> from = gradient + ((long long)(first + i) * d + k);
      const bool inside = first + i >= 0 && first + i < length;
      SDTW_UNROLL
      for (int j = 0; j < 4; ++j)
        before[i][j] = inside && k + j < d ? load_fresh(from, j) : In(0);
    }
    SDTW_UNROLL
    for (int i = 0; i < 4; ++i) {
      const Global<In> to = gradient + ((long long)(first + i) * d + k);
      const bool inside = first + i >= 0 && first + i < length;
      SDTW_UNROLL
      for (int j = 0; j < 4; ++j) {
        if (inside && k + j < d)
          to[j] = before[i][j] + (In)(factor * total[i][j]);
      }
    }
  }

  // Element i meets another one in the step `step + i * kSteps`.
  template <bool kChecked>
  SDTW_DEVICE void meet(Shared<const T> other, Shared<const T> plane, int step,
                        int row, int row_step) {
    T y[4];
    load4(other, y);
    SDTW_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int t = step + i;
      T e = 0;
      if (!kChecked || (t >= 0 && t < kSteps))
        e = plane[t * kStride + row + i * row_step];
      SDTW_UNROLL
      for (int j = 0; j < 4; ++j)
        if (kAbsolute) {
          if (own[i][j] > y[j]) total[i][j] += e;
          if (own[i][j] < y[j]) total[i][j] -= e;
        } else {
          total[i][j] = fused(e, own[i][j] - y[j], total[i][j]);
        }
    }
  }
};

// Add a segment's E (x - y) to the gradient of the strip's rows, times the
// seed and what the cost asks for; by one warp.
SDTW_DEVICE void gradient_of_rows(const Sweep& w, const Strip& s,
                                  Global<In> gradient, Shared<T> ys,
                                  Shared<const T> plane, int q, T factor) {
  const int lane = threadIdx.x % 32;
  const int row = lane / 4 * 4;
  const int column = s.column(q * kSteps) - (kRows - 1);
  for (int k0 = 0; k0 < w.d; k0 += kChunk) {
    const int k = k0 + lane % 4 * 4;
    __syncwarp();
    stage<kSpan>(s.y, column, s.n, w.d, k0, ys, kFeatureStride, 1);
    __syncwarp();
    Tile tile;
    tile.start(s.x, s.row + row, s.m, w.d, k);
    // Row + i is at the column of row `row` at step u in step u + i.
    Shared<const T> y = ys + ((kRows - 4 - row) * kFeatureStride + k - k0);
    int u = -3;
    SDTW_UNROLL_BY(1)
    for (; u < 0; ++u, y += kFeatureStride)
      tile.meet<true>(y, plane, u, row, 1);
    SDTW_UNROLL_BY(1)
    for (; u < kSteps - 3; ++u, y += kFeatureStride)
      tile.meet<false>(y, plane, u, row, 1);
    SDTW_UNROLL_BY(1)
    for (; u < kSteps; ++u, y += kFeatureStride)
      tile.meet<true>(y, plane, u, row, 1);
    tile.add_to(gradient, s.row + row, s.m, w.d, k, factor);
  }
}

// Add a segment's E (y - x) to the gradient of half of its columns, to which
// the strips below have added theirs; by one warp.
SDTW_DEVICE void gradient_of_columns(const Sweep& w, const Strip& s,
                                     Global<In> gradient, Shared<T> xs,
                                     Shared<const T> plane, int q, int half,
                                     T factor) {
  const int lane = threadIdx.x % 32;
  const int c = lane / 4 * 4 + half * kRows;
  const int column = s.column(q * kSteps) - (kRows - 1) + c;
  // Row r is at column c + i in step c + i - 31 + r.
  const int from = max(kRows - 4 - c, 0);
  const int to = min(kSpan - 1 - c, kRows);
  for (int k0 = 0; k0 < w.d; k0 += kChunk) {
    const int k = k0 + lane % 4 * 4;
    __syncwarp();
    stage<kRows>(s.x, s.row, s.m, w.d, k0, xs, kFeatureStride, 1);
    __syncwarp();
    Tile tile;
    tile.start(s.y, column, s.n, w.d, k);
    SDTW_UNROLL_BY(1)
    for (int r = from; r < to; ++r)
      tile.meet<true>(xs + (r * kFeatureStride + k - k0), plane,
                      c - (kRows - 1) + r, r, 0);
    // The last of the columns has no cell in the segment.
    tile.add_to(gradient, column, c + 4 == kSpan ? min(s.n, column + 3) : s.n,
                w.d, k, factor);
  }
}

// Write a segment of the alignment times the seed, or of the tangent of that;
// by the warps that help.
SDTW_DEVICE void cost_gradient(const Sweep& w, const Strip& s,
                               const Gradients& g, Shared<const T> plane,
                               int q, T seed, T seed_tangent) {
  const int step = threadIdx.x % kSteps;
  SDTW_UNROLL_BY(4)
  for (int r = threadIdx.x / 32 - 1; r < kRows; r += kFillers) {
    const int i = s.row + r;
    const int j = s.column(q * kSteps + step) - r;
    if (i >= s.m || j < 0 || j >= s.n) continue;
    const long long from = (long long)i * w.n + j;
    const long long to = (long long)s.b * w.m * w.n + from;
    const int at = step * kStride + r;
    const bool open =
        columns_of(w, s, r).has(j) && (In)s.x[from] < infinity<In>();
    const T e = open ? (T)plane[at] : T(0);
    if (kDual) {
      const T tangent = open ? (T)plane[kPlane + at] : T(0);
      g.x[to] = (In)fused(seed, tangent, product(seed_tangent, e));
      if (g.alignment) g.alignment[to] = (In)(seed * e);
    } else {
      g.x[to] = (In)(seed * e);
    }
  }
}

// The progress of the strip below when it is done with a segment on its way
// back, or has added to the gradient of all its columns in that segment.
SDTW_DEVICE int done_below(const Sweep& w, const Strip& s, int q,
                           bool gradient = false) {
  const int rows = min(s.m - s.row - kRows, kRows);
  const int stop = columns_of(w, s, kLastBelow).stop;
  const int start = s.start_of(columns_of(w, s, kBelow).first);
  // Columns of the segment before the first too, where there is one.
  const int end = gradient && start > 0 ? start - 1 : start;
  return s.segments_of(rows, stop) - max(q, end);
}

// What the strip below hands to this lane's column of the last row.
SDTW_DEVICE void load_masses(const Sweep& w, const Strip& s, Global<T> masses,
                             int j, Shared<T> to) {
  const Range columns = columns_of(w, s, kRows - 1);
  const bool handed =
      !s.last() && columns.has(j) && j >= columns_of(w, s, kBelow).first - 1;
  SDTW_UNROLL
  for (int k = 0; k < kMasses; ++k)
    to[k * kSteps] =
        handed ? load_fresh(masses, (long long)k * w.edge + j - columns.first)
               : T(0);
}

// What the warps that help do with the alignment of a segment.
SDTW_DEVICE void gradients_of_segment(const Sweep& w, const Strip& s,
                                      const Gradients& g, Shared<T> series,
                                      Shared<const T> plane, int q, T seed,
                                      T seed_tangent, bool bottom) {
  if (kExplicit) {
    cost_gradient(w, s, g, plane, q, seed, seed_tangent);
  } else if (threadIdx.x / 32 == 1) {
    if (g.x)
      gradient_of_rows(w, s, g.x + (long long)s.b * w.m * w.d, series, plane,
                       q, kFactor * seed);
  } else if (g.y) {
    // Each column belongs to the second half of a segment and to the first
    // half of the next, which comes earlier. When a second half is done, so
    // is the first half of the segment before, a barrier ago.
    const int helper = threadIdx.x / 32;
    const int last = kHelpers == 2 || helper == 3;
    const Global<int> progress = progress_of(w, s, s.index, true);
    for (int half = kHelpers == 2 ? 0 : last; half <= last; ++half) {
      if (threadIdx.x % 32 == 0 && !bottom)
        await(progress_of(w, s, s.index + 1, true),
              done_below(w, s, half ? q : q - 1, true));
      __syncwarp();
      gradient_of_columns(w, s, g.y + (long long)s.b * w.n * w.d,
                          series + (helper - 1) * kStage, plane, q, half,
                          kFactor * seed);
    }
    __syncwarp();
    if (threadIdx.x % 32 == 0 && last && s.index > w.first)
      publish(progress, s.segments() - q);
  }
}

template <class S>
SDTW_DEVICE void adjoint_strip(const Sweep& w, const Strip& s,
                               Shared<char> memory, const Gradients& g) {
  const Shared<Packed> above = take<Packed>(memory, kSteps);
  Costs costs;
  if (kSeries) costs.series = take<T>(memory, kSeries);
  const Shared<T> planes = take<T>(memory, kSets * kAdjointPlanes * kPlane);
  const Shared<T> from_below = take<T>(memory, kMasses * kSteps);
  const Shared<T> to_above = take<T>(memory, kMasses * kSteps);
  const Shared<T> y_sums = take<T>(memory, kSteps);

  const double value = g.result[s.b];
  const bool reached = value - value == 0 || !(kExplicit || w.band);
  const T seed = reached ? (T)g.seed[s.b] : T(0);
  const T seed_tangent = kDual && reached ? (T)g.seed_tangent[s.b] : T(0);
  const T inverse_gamma = (T)(w.rate * 0.6931471805599453);
  const int lane = threadIdx.x;
  const bool sweeps = threadIdx.x < kRows;
  // The strip below is not this launch's.
  const bool bottom = s.index + 1 >= min(s.strips, w.last);
  const int segments = s.segments();
  Mass mass = {};
  if (s.last() && lane == (s.m - 1) % kRows) mass.keep = 1;
  if (kUnivariate) costs.x = (T)s.x[within(s.row + lane, s.m)];
  Shared<Strip> again;
  if (kHelpers) {
    again = take<Strip>(memory, 1);
    if (threadIdx.x == 0) again[0] = s;
    if (!sweeps)
      costs.template fill<S, true>(
          w, s, s.segments() - 1,
          set_of(planes, kAdjointPlanes, s.segments() - 1) + kPlane);
    __syncthreads();
  }
  const Strip drawn = s;
  for (int q = s.segments() - 1;; --q) {
    // As of here, not from before the loop: what follows from it would take
    // too many registers all the time.
    const Strip s = kHelpers ? (Strip)again[0] : drawn;
    if (q <= s.start - kSets) break;
    if (sweeps && q >= s.start) {
      const Global<T> masses = cast<T>(running_edge(w, s));
      if (kUnivariate) costs.load_series(s, q);
      if (lane == 0 && !bottom)
        await(progress_of(w, s, s.index + 1), done_below(w, s, q - 1));
      __syncwarp();
      const int j = s.column(q * kSteps + lane);
      const Range columns = columns_of(w, s, kAbove);
      load_edge<S>(w, s, q, columns, above);
      load_masses(w, s, masses, j - (kRows - 1), from_below + lane);
      Front<S> front;
      if (q > s.start) {
        const Global<Packed> from = state(w, s, q);
        front.current = S::unpack(from[lane]);
        front.diagonal = S::unpack(from[kRows + lane]);
      }
      __syncwarp();
      const Shared<T> plane = set_of(planes, kAdjointPlanes, q);
      costs.use(plane + kPlane);
      const int count = s.count(q);
      front.template sweep<true>(w, s, costs, q, count, above, above, plane);
      mass.back(costs, plane, count, inverse_gamma, from_below, to_above,
                y_sums);
      __syncwarp();
      if (s.index > 0 && lane < count && columns.has(j)) {
        SDTW_UNROLL
        for (int k = 0; k < kMasses; ++k)
          masses[(long long)k * w.edge + j - columns.first] =
              to_above[k * kSteps + lane];
      }
      if (kUnivariate && g.y && lane < count && j >= 0 && j < s.n) {
        const Global<In> to = g.y + ((long long)s.b * w.n + j);
        to[0] = load_fresh(to, 0) + (In)(kFactor * seed * y_sums[lane]);
      }
      __syncwarp();
      if (lane == 0 && s.index > w.first)
        publish(progress_of(w, s, s.index), segments - q);
    }
    if (kHelpers) {
      if (kSets == 1) __syncthreads();
      if (!sweeps) {
        const int done = q + kSets - 1;
        if (done < segments)
          gradients_of_segment(w, s, g, costs.series,
                               set_of(planes, kAdjointPlanes, done), done,
                               seed, seed_tangent, bottom);
        if (q > s.start)
          costs.template fill<S, true>(
              w, s, q - 1, set_of(planes, kAdjointPlanes, q - 1) + kPlane);
      }
      __syncthreads();
    }
  }
  if (kHelpers && g.y && s.index > w.first && s.start > 0 && lane == 0)
    publish(progress_of(w, s, s.index, true), s.segments() - s.start + 1);
  if (kUnivariate && g.x && s.row + lane < s.m)
    g.x[(long long)s.b * w.m + s.row + lane] =
        (In)(kFactor * seed * mass.x_sum);
}

// Gradients of a pair whose value is NaN.
SDTW_DEVICE void fill_nan(const Sweep& w, const Strip& s, const Gradients& g) {
  const In nan = (In)from_bits(0x7ff8000000000000ll);
  const int rows = s.m - s.row < kRows ? s.m - s.row : kRows;
  const long long width = kExplicit ? w.n : w.d;
  const int valid = kExplicit ? s.n : w.d;
  for (int r = 0; r < rows; ++r) {
    const long long from = ((long long)s.b * w.m + s.row + r) * width;
    for (int k = threadIdx.x; k < valid; k += kThreads) {
      if (g.x) g.x[from + k] = nan;
      if (kDual && g.alignment) g.alignment[from + k] = nan;
    }
  }
  if (g.y && s.index == 0) {
    const long long count = (long long)s.n * w.d;
    for (long long k = threadIdx.x; k < count; k += kThreads)
      g.y[(long long)s.b * w.n * w.d + k] = nan;
  }
}

}  // namespace

// --- Kernels ---

#define SDTW_SWEEP_PARAMETERS                                                \
  Global<const In> x, Global<const In> y, Global<const int> x_length,        \
      Global<const int> y_length, Global<const double> most,                 \
      Global<int> outside, int turn, int batch, int m, int n, int d,         \
      double rate, double forbidden, Global<const int2> band, int band_rows, \
      Global<Packed> tape, long long slot, int edge, long long states,       \
      int slab_strips, int slabs, int kept, int first, int last,             \
      Global<int> progress, Global<const In> direction,                      \
      long long direction_stride
#define SDTW_SWEEP                     \
  {x,          y,           x_length,  \
   y_length,   most,        outside,   \
   (Turn)turn, batch,       m,         \
   n,          d,           rate,      \
   forbidden,  band,        band_rows, \
   tape,       slot,        edge,      \
   states,     slab_strips, slabs,     \
   kept,       first,       last,      \
   progress,   direction,   direction_stride}

// Two numbers for each pair. First, a bound on the absolute values of its
// finite costs; NaN where there is a NaN or an infinity (but for +inf as a
// cost), else infinity where the band has no path. Second, the lowest of its
// costs, negated, or 0 if none is negative.

// Whether a path can come to a row from the one above, or begin or end there.
// Gives its columns.
SDTW_DEVICE bool is_connected(Global<const int2> band, int row, int rows,
                              int n, Range& columns) {
  const int2 here = band[row];
  columns = {here.x, min(here.y, n)};
  int above = 0;
  if (row > 0) {
    const int2 found = band[row - 1];
    above = found.y;
  }
  return columns.first <= above && columns.first < columns.stop &&
         (row < rows - 1 || columns.stop == n);
}

// Of series; a block per pair. No cost is negative.
SDTW_KERNEL void SDTW_BOUNDS(kSurveyThreads, 4)
    soft_dtw_survey_series(Global<const In> x, Global<const In> y,
                           Global<const int> x_length,
                           Global<const int> y_length, Global<const int2> band,
                           int band_rows, int m, int n, int d,
                           Global<double> most) {
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
    Range columns;
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
          const int here = i * kSurveyThreads + at;
          const In a = bounds[here];
          const In c = bounds[here + half * features];
          bounds[here] = (i % 2 ? a > c : a < c) ? a : c;
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
      total += kAbsolute ? widest : widest * widest;
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
    most[2 * b] = kEuclidean ? sqrt(bound) : bound;
  }
}

// Of cost matrices: blocks of `rows` rows each; raises zeros.
SDTW_KERNEL void SDTW_BOUNDS(kSurveyThreads, 4)
    soft_dtw_survey_cost(Global<const In> cost, Global<const int> x_length,
                         Global<const int> y_length, Global<const int2> band,
                         int band_rows, int m, int n, int rows,
                         Global<double> most) {
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
  In found = 0, below = 0;
  bool bad = false, blocked = false;
  for (int i = first + at / 32; i < last; i += kSurveyThreads / 32) {
    Range columns = {0, width};
    if (band && !is_connected(band + (long long)b * band_rows, i, height,
                              width, columns))
      blocked = true;
    SDTW_UNROLL_BY(4)
    for (int j = columns.first + at % 32; j < columns.stop; j += 32) {
      const In v = cost[((long long)b * m + i) * n + j];
      const In a = v < 0 ? -v : v;
      bad |= !(v > -inf);
      found = a > found && a < inf ? a : found;
      below = -v > below ? -v : below;
    }
  }
  const double nan = from_bits(0x7ff8000000000000ll);
  largest[at] = bad ? nan : blocked ? infinity<double>() : (double)found;
  lowest[at] = below;
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
    raise(most + 2 * b, (double)largest[0]);
    raise(most + 2 * b + 1, (double)lowest[0]);
  }
}

// The values of all pairs, and their tangents; blocks: batch times the strips
// to sweep.
SDTW_KERNEL void SDTW_BOUNDS(kThreads, kValueBlocks)
    soft_dtw_value(SDTW_SWEEP_PARAMETERS, Global<double> result,
                   Global<In> value, Global<In> tangent) {
  Shared<char> memory = shared_memory<kValueBytes>();
  const Sweep w = SDTW_SWEEP;
  const Strip s = draw_strip(w, memory, false);
  if (s.part == Part::kSoft || s.part == Part::kCapped) {
    value_strip<SoftMinimum>(w, s, memory, result, value, tangent);
  } else if (s.part == Part::kLogSpace) {
    value_strip<LogSpaceMinimum>(w, s, memory, result, value, tangent);
  } else if (s.part == Part::kNan && s.last() && threadIdx.x == 0) {
    result[s.b] = from_bits(0x7ff8000000000000ll);
    value[s.b] = (In)from_bits(0x7ff8000000000000ll);
    if (kDual) tangent[s.b] = (In)from_bits(0x7ff8000000000000ll);
  }
}

// The gradients of all pairs, added to zeros: gx and gy, each of them or null,
// or that with respect to the cost in the place of gx. With dual numbers, its
// tangent there, and itself in `alignment`.
SDTW_KERNEL void SDTW_BOUNDS(kThreads, kAdjointBlocks)
    soft_dtw_adjoint(SDTW_SWEEP_PARAMETERS, Global<const double> result,
                     Global<const In> seed, Global<In> gx, Global<In> gy,
                     Global<const In> seed_tangent, Global<In> alignment) {
  Shared<char> memory = shared_memory<kAdjointBytes>();
  const Sweep w = SDTW_SWEEP;
  const Gradients g = {result, seed, gx, gy, seed_tangent, alignment};
  Strip s = draw_strip(w, memory, true);
  if (kDual && s.part != Part::kNone) {
    const double tangent = result[w.batch + s.b];
    if (tangent != tangent) s.part = Part::kNan;
  }
  if (s.part == Part::kNan)
    fill_nan(w, s, g);
  else if (s.part == Part::kSoft || s.part == Part::kCapped)
    adjoint_strip<SoftMinimum>(w, s, memory, g);
  else if (s.part == Part::kLogSpace)
    adjoint_strip<LogSpaceMinimum>(w, s, memory, g);
}
