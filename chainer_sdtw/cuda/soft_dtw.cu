// The value and adjoint sweeps of soft-DTW on a GPU.
//
// Options, all of them required:
//   SDTW_IN    type of the arrays: float or double
//   SDTW_T     type that is computed in: float or double
//   SDTW_COST  0: squared Euclidean, univariate; 1: the same with features;
//              2: explicit cost matrices, in the place of x
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
// If that is too much, strips are gathered in bands: of a band only the edge
// above it is kept (the coarse tape), and the rest (the fine tape) for one
// band at a time.
//
// Pairs whose exponents float32 cannot hold are left alone by the kernels that
// compute in float and taken by those that compute in double. These need twice
// the tape and have half as many strips per band.
#include "numerics.cuh"

namespace {

using In = SDTW_IN;
using T = SDTW_T;
using Packed = Format<T>::Packed;
using Exponent = Format<T>::Exponent;

constexpr bool kUnivariate = SDTW_COST == 0;
constexpr bool kExplicit = SDTW_COST == 2;

constexpr int kRows = 32;   // of a strip: lanes of a warp
constexpr int kSteps = 32;  // of a segment
constexpr int kGroup = 8;   // steps between two normalisations of mantissas
constexpr int kThreads = kUnivariate ? 32 : 64;
constexpr int kSurveyThreads = 256;

// Blocks per multiprocessor that registers are left for: more threads beat a
// few more registers, until they spill, as they do for CUDA 11 and for 7.0.
#if defined(__CUDA_ARCH__) && \
    (__CUDA_ARCH__ < 750 || __CUDACC_VER_MAJOR__ < 12)
constexpr int kFullBlocks = 4;
#else
constexpr int kFullBlocks = 5;
#endif
constexpr int kBlocks = kUnivariate                   ? 12
                        : kExplicit || sizeof(T) == 8 ? 4
                                                      : kFullBlocks;

// Shared memory. A plane has a number for every step and row of a segment;
// rows of planes, and of features, are padded so that both can be walked along
// either axis without conflicts between banks.
constexpr int kStride = kRows + 1;
constexpr int kPlane = kSteps * kStride;
constexpr int kSpan = kSteps + kRows;  // columns that a segment touches, + 1
constexpr int kChunk = 16;             // features at a time
constexpr int kRowStride = kRows + 4;  // feature by feature, for the costs
constexpr int kColumnStride = kSpan + 1;
constexpr int kFeatureStride = kChunk + 4;  // row by row, for the gradients
constexpr int kStage = (kRows + kSpan) * kFeatureStride;
static_assert(kStage >= kChunk * (kRowStride + kColumnStride), "staging");

constexpr int kSeriesBytes = (int)sizeof(T) * (kUnivariate ? kSpan
                                               : kExplicit ? 0
                                                           : kStage);
constexpr int kValueBytes = 2 * kSteps * (int)sizeof(Packed) + kSeriesBytes +
                            (kUnivariate ? 0 : 2 * kPlane * (int)sizeof(T)) +
                            16;
constexpr int kAdjointBytes =
    kSteps * ((int)sizeof(Packed) + 3 * (int)sizeof(T)) + kSeriesBytes +
    3 * kPlane * (int)sizeof(T) + 16;

// --- Which kernel takes a pair ---

enum class Part { kNone, kSoft, kHard, kNan };

// Bits of exponent that a single cost may take: what rounding takes from it is
// magnified by 1 / gamma. Univariate costs are exact and explicit ones given.
template <class C>
SDTW_DEVICE double most_bits() {
  if (sizeof(C) == 8) return Format<C>::kSum;
  return kUnivariate ? 1048576 : kExplicit ? Format<C>::kSum : 8192;
}

template <class C>
SDTW_DEVICE bool fits(double most, int m, int n, double rate) {
  const double total = most * ((double)m + n);
  const double huge = Format<C>::kHuge;
  if (!(total < huge)) return false;
  if (rate == 0) return true;
  const double sum_bits =
      kExplicit ? Format<C>::kSum : Format<C>::kSumOfSeries;
  return most * rate < most_bits<C>() && total * rate < sum_bits &&
         rate > 1 / huge && Format<C>::kCell * 4 / rate < huge;
}

// --- The pair and the strip of a block ---

// The arguments of a sweep. `rate` is 1 / (gamma ln 2), or 0 for gamma = 0;
// `forbidden` the cost that stands for +inf.
struct Sweep {
  Global<const In> x, y;
  Global<const int> x_length, y_length;
  Global<const double> most;
  int batch, m, n, d;
  double rate, forbidden;
  // The tape: bytes per pair, strips per band, the band with a fine tape.
  Global<Packed> tape;
  long long slot;
  int band_strips, bands, kept;
  // What this launch sweeps, and how far it is: a counter of strips drawn,
  // then segments done per strip and pair.
  int first, last;
  Global<int> progress;
};

struct Strip {
  int b, index;   // the pair, the strip's place in it
  int m, n;       // lengths of the pair
  int strips;     // of the pair
  int row, lead;  // its first row, steps before the first column
  int end;        // its steps
  Part part;
  Global<const In> x, y;  // of the pair
  Global<Packed> slot;

  SDTW_DEVICE bool last() const { return index == strips - 1; }
  SDTW_DEVICE int segments() const { return (end + kSteps - 1) / kSteps; }
  // Segments of the strips above the last.
  SDTW_DEVICE int full_segments() const {
    return (n + kRows - 1 + lead + kSteps - 1) / kSteps;
  }
  // Steps of a segment, in whole groups.
  SDTW_DEVICE int count(int q) const {
    const int left = (end - q * kSteps + kGroup - 1) / kGroup * kGroup;
    return left < kSteps ? left : kSteps;
  }
  // The column of the first row at a step.
  SDTW_DEVICE int column(int t) const { return t - lead; }
};

// Draw the next strip; the same for all threads of the block.
SDTW_DEVICE Strip draw_strip(const Sweep& w, Shared<int> ticket,
                             bool upwards) {
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
  s.end = s.n + s.lead + (s.index == s.strips - 1 ? rest : kRows - 1);

  const double most = w.most[s.b];
  constexpr bool kLast = sizeof(T) == 8;
  s.part = Part::kSoft;
  if (s.index >= s.strips)
    s.part = Part::kNone;
  else if (!valid || most != most)
    s.part = kLast ? Part::kNan : Part::kNone;
  else if (sizeof(In) == 4 && fits<float>(most, s.m, s.n, w.rate) == kLast)
    s.part = Part::kNone;
  else if (w.rate == 0 || (kLast && !fits<double>(most, s.m, s.n, w.rate)))
    s.part = Part::kHard;

  if (kExplicit) {
    s.x = w.x + (long long)s.b * w.m * w.n;
  } else {
    s.x = w.x + (long long)s.b * w.m * w.d;
    s.y = w.y + (long long)s.b * w.n * w.d;
  }
  s.slot = w.tape + s.b * (w.slot / (long long)sizeof(Packed));
  return s;
}

// --- The tape ---
//
// Per pair: edges of the strips of a band, states of the strips of a band,
// edges above all bands but the first, and one more edge that the strips of
// other bands hand on (and that holds masses in the adjoint sweep).

constexpr int kState = 2 * kRows;

SDTW_DEVICE long long states_of_strip(const Sweep& w) {
  const int segments = (w.n + kRows - 1 + kGroup + kSteps - 1) / kSteps;
  return (long long)(segments - 1) * kState;
}
SDTW_DEVICE long long fine_size(const Sweep& w) {
  if (w.kept < 0) return 0;
  return w.band_strips * (w.n + states_of_strip(w));
}
SDTW_DEVICE Global<Packed> running_edge(const Sweep& w, const Strip& s) {
  return s.slot + (fine_size(w) + (long long)(w.bands - 1) * w.n);
}
// The edge below a strip.
SDTW_DEVICE Global<Packed> edge_below(const Sweep& w, const Strip& s,
                                      int index) {
  const int band = index / w.band_strips;
  const int place = index - band * w.band_strips;
  if (place == w.band_strips - 1 && band < w.bands - 1)
    return s.slot + (fine_size(w) + (long long)band * w.n);
  if (band == w.kept) return s.slot + (long long)place * w.n;
  return running_edge(w, s);
}
// The states of a strip of the kept band at the start of segment q > 0.
SDTW_DEVICE Global<Packed> state(const Sweep& w, const Strip& s, int q) {
  const int place = s.index - w.kept * w.band_strips;
  return s.slot + ((long long)w.band_strips * w.n +
                   place * states_of_strip(w) + (long long)(q - 1) * kState);
}

// --- Costs ---

SDTW_DEVICE int within(int i, int count) {
  return i < 0 ? 0 : i < count ? i : count - 1;
}

// The series of a segment, or its weights, in shared memory. Rows and columns
// outside of the table have those of the nearest inside, and explicit costs 0.
struct Costs {
  Shared<T> series;
  Shared<T> plane;  // the first of those for fractions and exponents
  T x;              // univariate: this lane's

  SDTW_DEVICE void start(const Strip& s) {
    if (kUnivariate) x = (T)s.x[within(s.row + (int)threadIdx.x, s.m)];
  }

  // What a segment needs before it can be swept; all threads of the block.
  template <class S>
  SDTW_DEVICE void fill(const Sweep& w, const Strip& s, int q) {
    const int column = s.column(q * kSteps) - (kRows - 1);
    if (kUnivariate) {
      SDTW_UNROLL
      for (int i = threadIdx.x; i < kSpan; i += kThreads)
        series[i] = (T)s.y[within(column + i, s.n)];
    } else if (kExplicit) {
      explicit_costs<S>(w, s, column);
    } else {
      squared_distances<S>(w, s, column);
    }
  }

  // The weight of this lane's cell at a step of the segment; as a cost, if
  // the minimum is hard.
  template <class S>
  SDTW_DEVICE void weight(const Rate<T>& rate, int step, T& fraction,
                          Exponent& exponent) const {
    const int lane = threadIdx.x % kRows;
    exponent = 0;
    if (kUnivariate) {
      const T y = series[step + kRows - 1 - lane];
      const T a = sum(x, -y);
      const T c = product(a, a);
      if (S::kHard) {
        fraction = c;
        return;
      }
      // What rounding left out of the difference and of the square.
      const T y_part = sum(a, -x);
      const T x_part = sum(a, -y_part);
      const T a_rest = sum(sum(x, -x_part), -sum(y, y_part));
      const T c_rest = fused(a + a, a_rest, fused(a, a, -c));
      weigh<false>(rate, c, c_rest, fraction, exponent);
      return;
    }
    fraction = plane[step * kStride + lane];
    if (!S::kHard)
      exponent = Format<T>::as_exponent(plane[kPlane + step * kStride + lane]);
  }

 private:
  template <class S, bool kLarge>
  SDTW_DEVICE void put(const Rate<T>& rate, int at, T cost, T rest) {
    if (S::kHard) {
      plane[at] = cost;
      return;
    }
    T fraction;
    Exponent exponent;
    weigh<kLarge>(rate, cost, rest, fraction, exponent);
    plane[at] = fraction;
    plane[kPlane + at] = Format<T>::as_number(exponent);
  }

  template <class S>
  SDTW_DEVICE void explicit_costs(const Sweep& w, const Strip& s, int column) {
    const Rate<T> rate(w.rate);
    const T forbidden = S::kHard ? infinity<T>() : (T)w.forbidden;
    const int step = threadIdx.x % kSteps;
    SDTW_UNROLL_BY(4)
    for (int r = threadIdx.x / kSteps; r < kRows; r += kThreads / kSteps) {
      const int i = s.row + r;
      const int j = column + kRows - 1 + step - r;
      T c = 0;
      if (i < s.m && j >= 0 && j < s.n) {
        c = (T)s.x[(long long)i * w.n + j];
        c = c < forbidden ? c : forbidden;
      }
      put<S, true>(rate, step * kStride + r, c, T(0));
    }
  }

  // Every thread sums the costs of four rows by four steps. Sums of the
  // features of a chunk are added with what rounding takes from them.
  template <class S>
  SDTW_DEVICE void squared_distances(const Sweep& w, const Strip& s,
                                     int column) {
    const int r0 = threadIdx.x % 8 * 4;
    const int t0 = threadIdx.x / 8 * 4;
    const Shared<T> xs = series;
    const Shared<T> ys = series + kChunk * kRowStride;
    T high[4][4], low[4][4];
    for (int k0 = 0; k0 < w.d; k0 += kChunk) {
      const int count = w.d - k0 < kChunk ? w.d - k0 : kChunk;
      __syncthreads();
      const int k = threadIdx.x % kChunk;
      for (int i = threadIdx.x / kChunk; k < count && i < kRows;
           i += kThreads / kChunk)
        xs[k * kRowStride + i] =
            (T)s.x[(long long)within(s.row + i, s.m) * w.d + k0 + k];
      for (int i = threadIdx.x / kChunk; k < count && i < kSpan;
           i += kThreads / kChunk)
        ys[k * kColumnStride + i] =
            (T)s.y[(long long)within(column + i, s.n) * w.d + k0 + k];
      __syncthreads();
      T part[4][4] = {};
      SDTW_UNROLL_BY(1)
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
            part[i][j] = fused(c, c, part[i][j]);
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
    SDTW_UNROLL
    for (int j = 0; j < 4; ++j) {
      SDTW_UNROLL
      for (int i = 0; i < 4; ++i)
        put<S, false>(rate, (t0 + j) * kStride + r0 + i, high[i][j],
                      low[i][j]);
    }
  }
};

// --- Sweeping a segment ---

// The cells of a strip's rows at one step, and those of the rows above them at
// the step before.
template <class S>
struct Front {
  typename S::Val current, diagonal;

  SDTW_DEVICE Front() : current(S::none()), diagonal(S::none()) {}

  // Sweep a segment forwards, by one warp; with the edge above in `above`.
  // Keeps the edge below, or each cell's shares in the planes of `costs`.
  template <bool kShares>
  SDTW_DEVICE void sweep(const Sweep& w, const Strip& s, const Costs& costs,
                         int q, int count, Shared<const Packed> above,
                         Shared<Packed> below) {
    const Rate<T> rate(w.rate);
    int step0 = 0;
    if (s.index == 0 && q == 0) {
      // The group that has the step before the first column, after which all
      // paths start.
      SDTW_UNROLL_BY(1)
      for (int step = 0; step < kGroup; ++step) {
        advance<kShares>(rate, costs, step, above, below);
        if (step == s.lead - 1 && threadIdx.x == 0) diagonal = S::one();
      }
      step0 = kGroup;
    }
    for (; step0 < count; step0 += kGroup) {
      SDTW_UNROLL
      for (int i = 0; i < kGroup; ++i)
        advance<kShares>(rate, costs, step0 + i, above, below);
      S::renorm(current);
      S::renorm(diagonal);
    }
  }

 private:
  template <bool kShares>
  SDTW_DEVICE void advance(const Rate<T>& rate, const Costs& costs, int step,
                           Shared<const Packed> above, Shared<Packed> below) {
    const int lane = threadIdx.x;
    T fraction;
    Exponent exponent;
    costs.weight<S>(rate, step, fraction, exponent);
    const typename S::Val edge = S::unpack(above[step]);
    typename S::Val up = S::shuffle_up(current);
    if (lane == 0) up = edge;
    Shares<T> shares;
    current = S::template step<kShares>(current, up, diagonal, fraction,
                                        exponent, shares);
    diagonal = up;
    if (kShares) {
      const int at = step * kStride + lane;
      costs.plane[at] = shares.left;
      costs.plane[kPlane + at] = shares.up;
      costs.plane[2 * kPlane + at] = shares.diagonal;
    } else if (lane == kRows - 1) {
      below[step] = S::pack(current);
    }
  }
};

// The edge above a strip for a segment: all entries, one per lane.
template <class S>
SDTW_DEVICE void load_edge(const Sweep& w, const Strip& s, int q,
                           Shared<Packed> above) {
  const int lane = threadIdx.x;
  const int j = s.column(q * kSteps + lane);
  Packed p = S::pack(S::none());
  if (s.index > 0 && j >= 0 && j < s.n)
    p = load_fresh(edge_below(w, s, s.index - 1), j);
  above[lane] = p;
}

SDTW_DEVICE Global<int> progress_of(const Sweep& w, const Strip& s,
                                    int index) {
  return w.progress + (1 + (long long)(index - w.first) * w.batch + s.b);
}

// --- Value ---

template <class S>
SDTW_DEVICE void value_strip(const Sweep& w, const Strip& s,
                             Shared<char> memory, Global<double> result,
                             Global<In> value) {
  const Shared<Packed> above = take<Packed>(memory, kSteps);
  const Shared<Packed> below = take<Packed>(memory, kSteps);
  Costs costs;
  if (!kExplicit) costs.series = take<T>(memory, kUnivariate ? kSpan : kStage);
  if (!kUnivariate) costs.plane = take<T>(memory, 2 * kPlane);
  costs.start(s);

  const int lane = threadIdx.x;
  const bool keep = s.index / w.band_strips == w.kept;
  const Global<Packed> edge = edge_below(w, s, s.index);
  Front<S> front;
  const int segments = s.segments();
  for (int q = 0; q < segments; ++q) {
    costs.template fill<S>(w, s, q);
    if (threadIdx.x == 0 && s.index > w.first) {
      const int all = s.full_segments();
      await(progress_of(w, s, s.index - 1), q + 2 < all ? q + 2 : all);
    }
    __syncthreads();
    if (threadIdx.x < kRows) {
      if (keep && q > 0) {
        const Global<Packed> to = state(w, s, q);
        to[lane] = S::pack(front.current);
        to[kRows + lane] = S::pack(front.diagonal);
      }
      load_edge<S>(w, s, q, above);
      __syncwarp();
      const int count = s.count(q);
      front.template sweep<false>(w, s, costs, q, count, above, below);
      __syncwarp();
      const int j = s.column(q * kSteps + lane) - (kRows - 1);
      if (!s.last() && lane < count && j >= 0 && j < s.n)
        edge[j] = below[lane];
    }
    __syncthreads();
    if (threadIdx.x == 0 && !s.last())
      publish(progress_of(w, s, s.index), q + 1);
  }
  if (s.last() && lane == (s.m - 1) % kRows) {
    const double v = S::value(front.current, w.rate, kExplicit);
    result[s.b] = v;
    value[s.b] = (In)v;
  }
}

// --- Adjoint ---

struct Gradients {
  Global<const double> result;  // the values
  Global<const In> seed;        // the gradient with respect to them
  Global<In> x, y;              // of all pairs; x: or the cost's
};

// The mass of the alignment on its way back through a strip.
struct Mass {
  T keep, hand, diagonal;  // to the left, up, and up one step later
  T x_sum, y_sum;          // univariate: sums of E (x - y)

  // Sweep a segment back, by one warp; the alignment replaces the shares to
  // the left. Takes what the strip below hands to the last row and puts what
  // the first row hands on.
  SDTW_DEVICE void back(const Costs& costs, int count,
                        Shared<const T> from_below, Shared<T> to_above,
                        Shared<T> y_sums) {
    const int lane = threadIdx.x;
    const Shared<T> plane = costs.plane;
    for (int step0 = count - kGroup; step0 >= 0; step0 -= kGroup) {
      SDTW_UNROLL
      for (int i = kGroup - 1; i >= 0; --i) {
        const int step = step0 + i;
        const int at = step * kStride + lane;
        const T edge = from_below[step];
        T below = __shfl_down_sync(0xffffffffu, hand, 1);
        if (lane == kRows - 1) below = edge;
        const T e = keep + below;
        keep = product(plane[at], e);
        hand = fused(plane[kPlane + at], e, diagonal);
        diagonal = product(plane[2 * kPlane + at], e);
        if (kUnivariate) {
          const T a = sum(costs.x, -costs.series[step + kRows - 1 - lane]);
          x_sum = fused(e, a, x_sum);
          T travelling = __shfl_down_sync(0xffffffffu, y_sum, 1);
          if (lane == kRows - 1) travelling = 0;
          y_sum = fused(-e, a, travelling);
        } else {
          plane[at] = e;
        }
        if (lane == 0) {
          to_above[step] = hand;
          if (kUnivariate) y_sums[step] = y_sum;
        }
      }
    }
    if (!kUnivariate) {
      for (int step = count; step < kSteps; ++step)
        plane[step * kStride + lane] = 0;
    }
  }
};

// Add a segment's E (x - y) to the gradients, twice that and times the seed.
// One warp sums for four rows by four features a thread, the other for four
// columns; sums for a column are handed on from strip to strip.
SDTW_DEVICE void series_gradients(const Sweep& w, const Strip& s,
                                  const Gradients& g, const Costs& costs,
                                  int q, T factor) {
  const int column = s.column(q * kSteps) - (kRows - 1);
  const Shared<T> xs = costs.series;
  const Shared<T> ys = costs.series + kRows * kFeatureStride;
  const Shared<T> plane = costs.plane;
  const int lane = threadIdx.x % 32;
  const int k4 = lane % 4 * 4;
  const int at = lane / 4 * 4;
  for (int k0 = 0; k0 < w.d; k0 += kChunk) {
    __syncthreads();
    const int k = threadIdx.x % kChunk;
    const bool inside = k0 + k < w.d;
    for (int i = threadIdx.x / kChunk; i < kRows; i += kThreads / kChunk)
      xs[i * kFeatureStride + k] =
          inside ? (T)s.x[(long long)within(s.row + i, s.m) * w.d + k0 + k]
                 : T(0);
    for (int i = threadIdx.x / kChunk; i < kSpan; i += kThreads / kChunk)
      ys[i * kFeatureStride + k] =
          inside ? (T)s.y[(long long)within(column + i, s.n) * w.d + k0 + k]
                 : T(0);
    __syncthreads();
    if (threadIdx.x < 32) {
      if (!g.x) continue;
      T x[4][4], total[4][4] = {};
      SDTW_UNROLL
      for (int i = 0; i < 4; ++i)
        load4(xs + ((at + i) * kFeatureStride + k4), x[i]);
      // Row at + i is at this column in step u + i.
      SDTW_UNROLL_BY(1)
      for (int u = -3; u < kSteps; ++u) {
        T y[4];
        load4(ys + ((u - at + kRows - 1) * kFeatureStride + k4), y);
        SDTW_UNROLL
        for (int i = 0; i < 4; ++i) {
          const int step = u + i;
          const T e = step >= 0 && step < kSteps
                          ? (T)plane[step * kStride + at + i]
                          : T(0);
          SDTW_UNROLL
          for (int j = 0; j < 4; ++j)
            total[i][j] = fused(e, x[i][j] - y[j], total[i][j]);
        }
      }
      const Global<In> to =
          g.x + (((long long)s.b * w.m + s.row + at) * w.d + k0 + k4);
      SDTW_UNROLL
      for (int i = 0; i < 4; ++i) {
        SDTW_UNROLL
        for (int j = 0; j < 4; ++j) {
          if (s.row + at + i < s.m && k0 + k4 + j < w.d)
            to[(long long)i * w.d + j] += (In)(factor * total[i][j]);
        }
      }
    } else if (g.y) {
      SDTW_UNROLL_BY(1)
      for (int half = 0; half < 2; ++half) {
        const int c0 = at + half * kRows;
        T y[4][4], total[4][4] = {};
        SDTW_UNROLL
        for (int i = 0; i < 4; ++i)
          load4(ys + ((c0 + i) * kFeatureStride + k4), y[i]);
        // Row r is at column c0 + i in step c0 + i - 31 + r.
        const int from = kRows - 4 - c0 > 0 ? kRows - 4 - c0 : 0;
        const int to = kSpan - 1 - c0 < kRows ? kSpan - 1 - c0 : kRows;
        SDTW_UNROLL_BY(1)
        for (int r = from; r < to; ++r) {
          T x[4];
          load4(xs + (r * kFeatureStride + k4), x);
          SDTW_UNROLL
          for (int i = 0; i < 4; ++i) {
            const int step = c0 + i - (kRows - 1) + r;
            const T e = step >= 0 && step < kSteps
                            ? (T)plane[step * kStride + r]
                            : T(0);
            SDTW_UNROLL
            for (int j = 0; j < 4; ++j)
              total[i][j] = fused(e, y[i][j] - x[j], total[i][j]);
          }
        }
        SDTW_UNROLL
        for (int i = 0; i < 4; ++i) {
          const int j0 = column + c0 + i;
          if (c0 + i == kSpan - 1 || j0 < 0 || j0 >= s.n) continue;
          const Global<In> to_y =
              g.y + (((long long)s.b * w.n + j0) * w.d + k0 + k4);
          SDTW_UNROLL
          for (int j = 0; j < 4; ++j) {
            if (k0 + k4 + j < w.d)
              to_y[j] = load_fresh(to_y, j) + (In)(factor * total[i][j]);
          }
        }
      }
    }
  }
}

// Write a segment of the alignment times the seed.
SDTW_DEVICE void cost_gradient(const Sweep& w, const Strip& s,
                               const Gradients& g, const Costs& costs, int q,
                               T seed) {
  const int step = threadIdx.x % kSteps;
  SDTW_UNROLL_BY(4)
  for (int r = threadIdx.x / kSteps; r < kRows; r += kThreads / kSteps) {
    const int i = s.row + r;
    const int j = s.column(q * kSteps + step) - r;
    if (i >= s.m || j < 0 || j >= s.n) continue;
    const long long at = (long long)i * w.n + j;
    const bool open = (In)s.x[at] < infinity<In>();
    g.x[(long long)s.b * w.m * w.n + at] =
        open ? (In)(seed * costs.plane[step * kStride + r]) : In(0);
  }
}

template <class S>
SDTW_DEVICE void adjoint_strip(const Sweep& w, const Strip& s,
                               Shared<char> memory, const Gradients& g) {
  const Shared<Packed> above = take<Packed>(memory, kSteps);
  Costs costs;
  if (!kExplicit) costs.series = take<T>(memory, kUnivariate ? kSpan : kStage);
  costs.plane = take<T>(memory, 3 * kPlane);
  const Shared<T> from_below = take<T>(memory, kSteps);
  const Shared<T> to_above = take<T>(memory, kSteps);
  const Shared<T> y_sums = take<T>(memory, kSteps);
  costs.start(s);

  const double value = g.result[s.b];
  const T seed = value - value == 0 || !kExplicit ? (T)g.seed[s.b] : T(0);
  const int lane = threadIdx.x;
  const bool bottom = s.index + 1 >= (s.strips < w.last ? s.strips : w.last);
  const Global<T> masses = cast<T>(running_edge(w, s));
  Mass mass = {};
  if (s.last() && lane == (s.m - 1) % kRows) mass.keep = 1;
  for (int q = s.segments() - 1; q >= 0; --q) {
    costs.template fill<S>(w, s, q);
    if (threadIdx.x == 0 && !bottom) {
      const int all =
          s.index + 2 == s.strips
              ? (s.n + s.lead + (s.m - 1) % kRows + kSteps - 1) / kSteps
              : s.full_segments();
      const int open = q > 1 ? q - 1 : 0;
      await(progress_of(w, s, s.index + 1), all - open);
    }
    __syncthreads();
    if (threadIdx.x < kRows) {
      const int j = s.column(q * kSteps + lane);
      const int j_last = j - (kRows - 1);
      load_edge<S>(w, s, q, above);
      from_below[lane] = !s.last() && j_last >= 0 && j_last < s.n
                             ? load_fresh(masses, j_last)
                             : T(0);
      Front<S> front;
      if (q > 0) {
        const Global<Packed> from = state(w, s, q);
        front.current = S::unpack(from[lane]);
        front.diagonal = S::unpack(from[kRows + lane]);
      }
      __syncwarp();
      const int count = s.count(q);
      front.template sweep<true>(w, s, costs, q, count, above, above);
      mass.back(costs, count, from_below, to_above, y_sums);
      __syncwarp();
      if (s.index > 0 && lane < count && j >= 0 && j < s.n)
        masses[j] = to_above[lane];
      if (kUnivariate && g.y && lane < count && j >= 0 && j < s.n) {
        const Global<In> to = g.y + ((long long)s.b * w.n + j);
        to[0] = load_fresh(to, 0) + (In)(2 * seed * y_sums[lane]);
      }
    }
    if (!kUnivariate) {
      __syncthreads();
      if (kExplicit)
        cost_gradient(w, s, g, costs, q, seed);
      else
        series_gradients(w, s, g, costs, q, 2 * seed);
    }
    __syncthreads();
    if (threadIdx.x == 0 && s.index > w.first)
      publish(progress_of(w, s, s.index), s.segments() - q);
  }
  if (kUnivariate && g.x && s.row + lane < s.m)
    g.x[(long long)s.b * w.m + s.row + lane] = (In)(2 * seed * mass.x_sum);
}

// Gradients of a pair whose value is NaN.
SDTW_DEVICE void fill_nan(const Sweep& w, const Strip& s, const Gradients& g) {
  const In nan = (In)from_bits(0x7ff8000000000000ll);
  const int rows = s.m - s.row < kRows ? s.m - s.row : kRows;
  const long long width = kExplicit ? w.n : w.d;
  const int valid = kExplicit ? s.n : w.d;
  if (g.x) {
    for (int r = 0; r < rows; ++r)
      for (int k = threadIdx.x; k < valid; k += kThreads)
        g.x[((long long)s.b * w.m + s.row + r) * width + k] = nan;
  }
  if (g.y && s.index == 0) {
    const long long count = (long long)s.n * w.d;
    for (long long k = threadIdx.x; k < count; k += kThreads)
      g.y[(long long)s.b * w.n * w.d + k] = nan;
  }
}

}  // namespace

// --- Kernels ---

#define SDTW_SWEEP_PARAMETERS                                           \
  Global<const In> x, Global<const In> y, Global<const int> x_length,   \
      Global<const int> y_length, Global<const double> most, int batch, \
      int m, int n, int d, double rate, double forbidden,               \
      Global<Packed> tape, long long slot, int band_strips, int bands,  \
      int kept, int first, int last, Global<int> progress
#define SDTW_SWEEP                                                \
  {x,     y,    x_length, y_length,  most,    batch, m,           \
   n,     d,    rate,     forbidden, tape,    slot,  band_strips, \
   bands, kept, first,    last,      progress}

// A bound on the absolute values of each pair's finite costs; NaN where there
// is a NaN or an infinity (but for +inf as a cost).

// Of series; a block per pair.
SDTW_KERNEL void SDTW_BOUNDS(kSurveyThreads, 4)
    soft_dtw_survey_series(Global<const In> x, Global<const In> y,
                           Global<const int> x_length,
                           Global<const int> y_length, int m, int n, int d,
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
      total += widest * widest;
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
  if (at == 0) most[b] = totals[0];
}

// Of cost matrices: blocks of `rows` rows each; raises zeros.
SDTW_KERNEL void SDTW_BOUNDS(kSurveyThreads, 4)
    soft_dtw_survey_cost(Global<const In> cost, Global<const int> x_length,
                         Global<const int> y_length, int m, int n, int rows,
                         Global<double> most) {
  Shared<char> memory = shared_memory<8 * kSurveyThreads>();
  const Shared<double> largest = take<double>(memory, kSurveyThreads);
  const int blocks = (m + rows - 1) / rows;
  const int b = blockIdx.x / blocks;
  const int first = blockIdx.x % blocks * rows;
  const int height = x_length ? within((int)x_length[b] - 1, m) + 1 : m;
  const int width = y_length ? within((int)y_length[b] - 1, n) + 1 : n;
  const int last = first + rows < height ? first + rows : height;
  const int at = threadIdx.x;
  const In inf = infinity<In>();
  In found = 0;
  bool bad = false;
  for (int i = first + at / 32; i < last; i += kSurveyThreads / 32) {
    SDTW_UNROLL_BY(4)
    for (int j = at % 32; j < width; j += 32) {
      const In v = cost[((long long)b * m + i) * n + j];
      const In a = v < 0 ? -v : v;
      bad |= !(v > -inf);
      found = a > found && a < inf ? a : found;
    }
  }
  const double nan = from_bits(0x7ff8000000000000ll);
  largest[at] = bad ? nan : (double)found;
  for (int half = kSurveyThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (at < half) {
      const double a = largest[at];
      const double c = largest[at + half];
      largest[at] = c > a || c != c ? c : a;
    }
  }
  if (at == 0) raise(most + b, (double)largest[0]);
}

// The values of all pairs; blocks: batch times the strips to sweep.
SDTW_KERNEL void SDTW_BOUNDS(kThreads, kBlocks)
    soft_dtw_value(SDTW_SWEEP_PARAMETERS, Global<double> result,
                   Global<In> value) {
  Shared<char> memory = shared_memory<kValueBytes>();
  const Sweep w = SDTW_SWEEP;
  const Strip s = draw_strip(w, take<int>(memory, 4), false);
  if (s.part == Part::kSoft) {
    value_strip<Soft<T>>(w, s, memory, result, value);
  } else if (s.part == Part::kHard) {
    value_strip<Hard<T>>(w, s, memory, result, value);
  } else if (s.part == Part::kNan && s.last() && threadIdx.x == 0) {
    result[s.b] = from_bits(0x7ff8000000000000ll);
    value[s.b] = (In)from_bits(0x7ff8000000000000ll);
  }
}

// The gradients of all pairs, added to zeros: gx and gy, each of them or null,
// or that with respect to the cost in the place of gx.
SDTW_KERNEL void SDTW_BOUNDS(kThreads, kBlocks)
    soft_dtw_adjoint(SDTW_SWEEP_PARAMETERS, Global<const double> result,
                     Global<const In> seed, Global<In> gx, Global<In> gy) {
  Shared<char> memory = shared_memory<kAdjointBytes>();
  const Sweep w = SDTW_SWEEP;
  const Gradients g = {result, seed, gx, gy};
  const Strip s = draw_strip(w, take<int>(memory, 4), true);
  if (s.part == Part::kSoft)
    adjoint_strip<Soft<T>>(w, s, memory, g);
  else if (s.part == Part::kHard)
    adjoint_strip<Hard<T>>(w, s, memory, g);
  else if (s.part == Part::kNan)
    fill_nan(w, s, g);
}
