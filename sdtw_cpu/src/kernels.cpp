// The value and adjoint sweeps; compiled once per instruction set.
//
// Cuturi and Blondel, "Soft-DTW: a Differentiable Loss Function for
// Time-Series", ICML 2017. With Z = exp(-R / gamma) the recursion of their
// Algorithm 1 is Z[i,j] = w[i,j] (Z[i-1,j-1] + Z[i-1,j] + Z[i,j-1]), which is
// computed on pairs (mantissa, exponent): no logarithm, no loss of digits
// however large R / gamma is. Algorithm 2 hands the mass of each cell to its
// three predecessors in proportion to their Z.
//
// The tangent sweeps differentiate both along a direction. With the softmin's
// weights w_p they are linear: the tangent of R is its direction plus the
// weighted mean of its predecessors' tangents, and that of a weight is
// -w_p / gamma times how far its predecessor's tangent is from that mean
// (Blondel, Mensch and Vert, "Differentiable Divergences Between Time Series",
// AISTATS 2021; Mensch and Blondel, "Differentiable Dynamic Programming for
// Structured Prediction and Attention", ICML 2018, Algorithm 2).
#include "kernels.hpp"

#include <math.h>

#include <type_traits>

#include "simd/weight.hpp"

namespace sdtw {
namespace SDTW_ISA {
namespace {

// --- How lanes lie in the table -------------------------------------------
//
// Mantissas are brought back to [1, 2) every kRenorm steps. In between they
// drift by at most 2**2.1 a step. A column passes a strip in kRows steps, of
// which at least one renormalises, so nothing adds up from strip to strip.

template <class F>
struct Along {
  using T = typename F::T;
  using V = typename F::V;
  using X = typename F::X;
  static constexpr bool kAcross = false;
  static constexpr int L = F::L;
  static constexpr int kRows = 32;
  static_assert(kRows % L == 0, "a strip has whole vectors");
  static constexpr int R = kRows / L;  // vectors per strip
  static constexpr int kLag = kRows - 1;
  static constexpr int kEntry = 1;
  static constexpr int kRenorm = 8;

  static SDTW_INLINE V up(V v, V below) { return F::shift_up(v, below); }
  static SDTW_INLINE X xup(X v, X below) { return F::xshift_up(v, below); }
  static SDTW_INLINE V down(V v, V above) { return F::shift_down(v, above); }
  static SDTW_INLINE V get(const T* p) { return F::set1(*p); }
  static SDTW_INLINE X xget(const T* p) { return F::xload1(p); }
  static SDTW_INLINE void put_last(T* p, V v) { F::store_last(p, v); }
  static SDTW_INLINE void xput_last(T* p, X v) { F::xstore_last(p, v); }
  static SDTW_INLINE void put_first(T* p, V v) { F::store_first(p, v); }
  // Where the columns of vector r at step t lie in y.
  static SDTW_INLINE const T* columns(const T* y, int n, int t, int r) {
    return y + (n - 1 + kRows - t + r * L);
  }
};

template <class F>
struct Across {
  using T = typename F::T;
  using V = typename F::V;
  using X = typename F::X;
  static constexpr bool kAcross = true;
  static constexpr int L = F::L;
  static constexpr int kRows = 4;
  static constexpr int R = kRows;
  static constexpr int kLag = kRows - 1;
  static constexpr int kEntry = L;
  static constexpr int kRenorm = kRows;

  static SDTW_INLINE V up(V, V below) { return below; }
  static SDTW_INLINE X xup(X, X below) { return below; }
  static SDTW_INLINE V down(V, V above) { return above; }
  static SDTW_INLINE V get(const T* p) { return F::load(p); }
  static SDTW_INLINE X xget(const T* p) { return F::xload(p); }
  static SDTW_INLINE void put_last(T* p, V v) { F::store(p, v); }
  static SDTW_INLINE void xput_last(T* p, X v) { F::xstore(p, v); }
  static SDTW_INLINE void put_first(T* p, V v) { F::store(p, v); }
  static SDTW_INLINE const T* columns(const T* y, int, int t, int r) {
    return y + (ptrdiff_t)(kRows + t - r) * L;
  }
};

// --- What is added and minimised ------------------------------------------
//
// kCosts says that the table holds costs and not weights.

template <class F, class G>
struct Soft {
  using T = typename F::T;
  using V = typename F::V;
  using X = typename F::X;
  static constexpr bool kCosts = false;
  static constexpr int kPlanes = 2;
  struct Val {
    V m;
    X e;
  };
  struct Cell {
    V f;
    X n;
  };
  X floor;
  explicit Soft(const Scale& s) : floor(F::xset1((T)s.floor)) {}

  SDTW_INLINE Val none() const { return {F::set1(1), floor}; }
  static SDTW_INLINE Val load(const T* p, int stride) {
    return {F::load(p), F::xload(p + stride)};
  }
  static SDTW_INLINE void store(T* p, int stride, const Val& v) {
    F::store(p, v.m);
    F::xstore(p + stride, v.e);
  }
  static SDTW_INLINE Val get(Edge<T> p, ptrdiff_t i) {
    return {G::get(p.m + i), G::xget(p.e + i)};
  }
  static SDTW_INLINE void put(Edge<T> p, ptrdiff_t i, const Val& v) {
    G::put_last(p.m + i, v.m);
    G::xput_last(p.e + i, v.e);
  }
  static SDTW_INLINE Val up(const Val& v, const Val& below) {
    return {G::up(v.m, below.m), G::xup(v.e, below.e)};
  }
  static SDTW_INLINE Cell cell(const T* fraction, const T* exponent) {
    return {F::load(fraction), F::xload(exponent)};
  }
  template <bool kStore>
  SDTW_INLINE Val step(const Val& left, const Val& upper, const Val& diag,
                       const Cell& w, T* choice) const {
    const X e = F::xmax(F::xmax(upper.e, diag.e), left.e);
    const V u = F::scale(upper.m, F::xsub(upper.e, e));
    const V g = F::scale(diag.m, F::xsub(diag.e, e));
    const V l = F::scale(left.m, F::xsub(left.e, e));
    const V sum = F::add(F::add(u, g), l);
    if (kStore) {
      const auto inverse = invert(F(), sum);
      F::store(choice, inverse.share(l));
      F::store(choice + F::L, inverse.share(u));
      F::store(choice + 2 * F::L, inverse.share(g));
    }
    return {F::mul(sum, w.f), F::xmax(F::xadd(e, w.n), floor)};
  }
  static SDTW_INLINE void renorm(Val& v) { F::renorm(v.m, v.e); }
  // The exponent of a forbidden cell.
  static T forbidden(const Scale& s) {
    T all[F::L];
    F::xstore(all, F::xset1((T)::floor(-s.forbidden * s.weight_rate)));
    return all[0];
  }
  static double result(const Scale& s, const T* p, int stride) {
    const double exponent = F::number(p + stride);
    if (exponent < s.infeasible) return HUGE_VAL;
    return -(exponent + log2((double)*p)) / s.rate;
  }
};

template <class F, class G>
struct Hard {
  using T = typename F::T;
  using V = typename F::V;
  static constexpr bool kCosts = true;
  static constexpr int kPlanes = 1;
  struct Val {
    V r;
  };
  struct Cell {
    V c;
  };
  explicit Hard(const Scale&) {}

  SDTW_INLINE Val none() const { return {F::set1((T)HUGE_VAL)}; }
  static SDTW_INLINE Val load(const T* p, int) { return {F::load(p)}; }
  static SDTW_INLINE void store(T* p, int, const Val& v) { F::store(p, v.r); }
  static SDTW_INLINE Val get(Edge<T> p, ptrdiff_t i) {
    return {G::get(p.m + i)};
  }
  static SDTW_INLINE void put(Edge<T> p, ptrdiff_t i, const Val& v) {
    G::put_last(p.m + i, v.r);
  }
  static SDTW_INLINE Val up(const Val& v, const Val& below) {
    return {G::up(v.r, below.r)};
  }
  static SDTW_INLINE Cell cell(const T* fraction, const T*) {
    return {F::load(fraction)};
  }
  template <bool kStore>
  SDTW_INLINE Val step(const Val& left, const Val& upper, const Val& diag,
                       const Cell& w, T* choice) const {
    const V least = F::min(F::min(upper.r, diag.r), left.r);
    if (kStore) {  // ties: the diagonal first, then the row above
      const V g = F::leq(diag.r, least);
      const V u =
          F::sub(F::leq(upper.r, least), F::mul(F::leq(upper.r, least), g));
      F::store(choice, F::sub(F::sub(F::set1(1), g), u));
      F::store(choice + F::L, u);
      F::store(choice + 2 * F::L, g);
    }
    return {F::add(least, w.c)};
  }
  static SDTW_INLINE void renorm(Val&) {}
  static T forbidden(const Scale& s) { return (T)s.forbidden; }
  static double result(const Scale&, const T* p, int) { return (double)*p; }
};

// The soft minimum of costs of any size. An element is an unevaluated sum of
// two numbers: `high` is the hard minimum, and `low` has what rounding took
// from that and how far the soft minimum is below. So alignments that cost the
// same count as that many, however small gamma is beside their cost. Slow, and
// only for pairs whose value is out of the range of Soft.
template <class F, class G>
struct LogSpace {
  using T = typename F::T;
  using V = typename F::V;
  static constexpr bool kCosts = true;
  static constexpr int kPlanes = 2;
  struct Val {
    V high, low;
  };
  struct Cell {
    V c;
  };
  T rate;
  explicit LogSpace(const Scale& s) : rate((T)s.rate) {}

  SDTW_INLINE Val none() const { return {F::set1((T)HUGE_VAL), F::set1(0)}; }
  static SDTW_INLINE Val load(const T* p, int stride) {
    return {F::load(p), F::load(p + stride)};
  }
  static SDTW_INLINE void store(T* p, int stride, const Val& v) {
    F::store(p, v.high);
    F::store(p + stride, v.low);
  }
  static SDTW_INLINE Val get(Edge<T> p, ptrdiff_t i) {
    return {G::get(p.m + i), G::get(p.e + i)};
  }
  static SDTW_INLINE void put(Edge<T> p, ptrdiff_t i, const Val& v) {
    G::put_last(p.m + i, v.high);
    G::put_last(p.e + i, v.low);
  }
  static SDTW_INLINE Val up(const Val& v, const Val& below) {
    return {G::up(v.high, below.high), G::up(v.low, below.low)};
  }
  static SDTW_INLINE Cell cell(const T* fraction, const T*) {
    return {F::load(fraction)};
  }
  template <bool kStore>
  SDTW_INLINE Val step(const Val& left, const Val& upper, const Val& diag,
                       const Cell& w, T* choice) const {
    constexpr int L = F::L;
    T high[3 * L], low[3 * L], cost[L], share[3 * L];
    const Val* from[3] = {&left, &upper, &diag};
    for (int k = 0; k < 3; ++k) {
      F::store(high + k * L, from[k]->high);
      F::store(low + k * L, from[k]->low);
    }
    F::store(cost, w.c);
    for (int l = 0; l < L; ++l) {
      const T least = fmin(fmin(high[l], high[L + l]), high[2 * L + l]);
      const T sum = least + cost[l];
      share[l] = share[L + l] = 0;
      share[2 * L + l] = 1;
      T rest = 0;
      if (sum < (T)HUGE_VAL) {
        T more[3], first = (T)HUGE_VAL, total = 0;
        for (int k = 0; k < 3; ++k) {
          more[k] = (high[k * L + l] - least) + low[k * L + l];
          first = fmin(first, more[k]);
        }
        for (int k = 0; k < 3; ++k)
          total += more[k] = exp2((first - more[k]) * rate);
        for (int k = 0; k < 3; ++k) share[k * L + l] = more[k] / total;
        // What the sum of two numbers leaves out (Knuth).
        const T back = sum - least;
        rest = (least - (sum - back)) + (cost[l] - back);
        rest += first - log2(total) / rate;
      }
      high[l] = sum;
      low[l] = rest;
    }
    if (kStore)
      for (int k = 0; k < 3; ++k)
        F::store(choice + k * L, F::load(share + k * L));
    return {F::load(high), F::load(low)};
  }
  static SDTW_INLINE void renorm(Val&) {}
  static T forbidden(const Scale& s) { return (T)s.forbidden; }
  static double result(const Scale&, const T* p, int stride) {
    return *p < HUGE_VAL ? *p + p[stride] : HUGE_VAL;
  }
};

// --- Weights of a segment --------------------------------------------------

// Turn the costs in `c` into weights, in place for the fraction.
SDTW_INLINE void put_weight(const Rate<F64>& rate, F64::V c, F64::V, bool,
                            double* f, double* n) {
  F64::V fraction;
  F64::X exponent;
  weight(rate, c, fraction, exponent);
  F64::store(f, fraction);
  F64::xstore(n, exponent);
}

SDTW_INLINE void put_weight(const Rate<F32>& rate, F32::V c, F32::V lo,
                            bool large, float* f, float* n) {
  F32::V fraction;
  F32::X exponent;
  weight(rate, c, lo, large, fraction, exponent);
  F32::store(f, fraction);
  F32::xstore(n, exponent);
}

// What rounding left out of c = a * a: float32 needs it because c is magnified
// by 1 / gamma.
SDTW_INLINE F32::V square_rest(F32::V a, F32::V c) {
  return F32::fused(a, a, F32::sub(F32::set1(0), c));
}
SDTW_INLINE F64::V square_rest(F64::V, F64::V c) { return c; }

// --- Costs of series -------------------------------------------------------

// Each is a sum over features of a function of the difference, and the root
// of it or not; `slope` is the function's derivative, or half of it.

template <class F>
struct Squares {
  using V = typename F::V;
  static constexpr bool kSquare = true;
  static SDTW_INLINE V add(V a, V sum) { return F::fma(a, a, sum); }
  static SDTW_INLINE V slope(V a) { return a; }
};

template <class F>
struct Absolutes {
  using V = typename F::V;
  static constexpr bool kSquare = false;
  static SDTW_INLINE V add(V a, V sum) {
    return F::add(sum, F::max(a, F::sub(F::set1(0), a)));
  }
  static SDTW_INLINE V slope(V a) {
    const V zero = F::set1(0);
    return F::sub(F::leq(zero, a), F::leq(a, zero));
  }
};

template <class F, class G, class S>
struct Kernel {
  using T = typename F::T;
  using V = typename F::V;
  using Val = typename S::Val;
  static constexpr int L = F::L;
  static constexpr int R = G::R;
  static constexpr int kTile = R * L;  // numbers per step
  // Of a state; the tangents come after.
  static constexpr int kState = 2 * S::kPlanes * kTile;

  static int strips(const Group<T>& g) {
    return (g.m + G::kRows - 1) / G::kRows;
  }
  // Steps of a segment.
  static Span steps(const Group<T>& g, int strip, int segment) {
    const Span all = g.steps[strip];
    const int t0 = all.begin + segment * g.width;
    return {t0, t0 + g.width < all.end ? t0 + g.width : all.end};
  }

  static void begin(const Group<T>& g, Edge<T> edge) {
    const S s(g.scale);
    const ptrdiff_t first = -(ptrdiff_t)G::kRows * G::kEntry;
    const ptrdiff_t last = (ptrdiff_t)(g.n + G::kRows) * G::kEntry;
    T none[2 * L];
    S::store(none, L, s.none());
    for (ptrdiff_t i = first; i < last; ++i) {
      edge.m[i] = none[0];
      if (S::kPlanes == 2) edge.e[i] = none[L];
      if (g.direction != Direction::kNone) edge.t[i] = 0;
    }
    for (int l = 0; G::kAcross && l < g.pairs; ++l) {
      const int c = g.col0[l] - g.row0[l];
      if (c > 0) put_one(edge, (ptrdiff_t)(c - 1) * L + l);
    }
  }

  // The value 0 of R, at one number of an edge.
  static void put_one(Edge<T> edge, ptrdiff_t i) {
    edge.m[i] = S::kCosts ? T(0) : T(1);
    if (S::kPlanes == 2) edge.e[i] = T(0);  // all bits zero in both formats
  }

  static void start(const Group<T>& g, int strip, Edge<T> in, Val* cur,
                    Val* diag) {
    const S s(g.scale);
    for (int r = 0; r < R; ++r) cur[r] = diag[r] = s.none();
    if (strip > 0) {
      const ptrdiff_t t = g.steps[strip].begin;
      if (t > 0) diag[0] = S::up(diag[0], S::get(in, (t - 1) * G::kEntry));
      return;
    }
    T corner[2 * L];
    S::store(corner, L, s.none());
    for (int l = 0; l < (G::kAcross ? g.pairs : 1); ++l)
      if (!G::kAcross || g.col0[l] == g.row0[l])
        put_one({corner, corner + L, nullptr}, l);
    diag[0] = S::load(corner, L);
  }

  // --- costs ---

  // Columns of the steps [t0, t1) at which a row of a strip has cells.
  static Span columns(const Group<T>& g, int row, int r, int l, int t0,
                      int t1) {
    if (g.open) {
      const ptrdiff_t i = (ptrdiff_t)(row + r) * G::kEntry + l;
      t0 = t0 > g.open[i] ? t0 : g.open[i];
      t1 = t1 < g.close[i] ? t1 : g.close[i];
    }
    return {t0 - r, t1 - r};
  }

  template <class C>
  static void explicit_costs(const Group<T>& g, int row, int t0, int t1,
                             T* tile) {
    const T forbidden = (T)g.scale.forbidden;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)(t1 - t0) * kTile; ++i) tile[i] = 0;
    const int lanes = G::kAcross ? g.pairs : 1;
    for (int l = 0; l < lanes; ++l) {
      const int row0 = G::kAcross ? g.row0[l] : 0;
      const int col0 = G::kAcross ? g.col0[l] : 0;
      for (int r = 0; r < G::kRows && row + r < g.m; ++r) {
        const int i = row + r - row0;
        const Span in = columns(g, row, r, l, t0, t1);
        const int from = in.begin > 0 ? in.begin : 0;
        const int to = in.end < g.n ? in.end : g.n;
        T* out = tile + (ptrdiff_t)(from + r - t0) * kTile +
                 r * (G::kAcross ? L : 1) + l;
        int col = from;
        for (; col < to && (i < 0 || col < col0); ++col, out += kTile)
          *out = i == col - col0 ? T(0) : forbidden;
        const char* c =
            g.c[l] + i * g.c_row + (ptrdiff_t)(col - col0) * g.c_col;
        for (; col < to; ++col, out += kTile, c += g.c_col) {
          const T v = (T) * (const C*)c;
          *out = v < forbidden ? v : forbidden;
        }
      }
    }
  }

  // Weights of the costs of univariate series.
  template <template <class> class N>
  static void univariate(const Group<T>& g, int row, int t0, int t1,
                         const Rate<F>& rate, T* f, T* n) {
    const V cut = F::set1((T)g.cut);
    const V minus_cut = F::sub(F::set1(0), cut);
    const V zero = F::set1(0);
    V x[R];
    for (int r = 0; r < R; ++r)
      x[r] = F::load(g.x + (ptrdiff_t)row * G::kEntry + r * L);
    for (int t = t0; t < t1; ++t) {
      SDTW_UNROLL
      for (int r = 0; r < R; ++r, f += L, n += L) {
        V a = F::sub(x[r], F::load(G::columns(g.y, g.n, t, r)));
        if (g.capped) a = F::max(F::min(a, cut), minus_cut);
        const V c = N<F>::kSquare ? F::mul(a, a) : N<F>::add(a, zero);
        const V rest = N<F>::kSquare ? square_rest(a, c) : zero;
        if (S::kCosts)
          F::store(f, c);
        else
          put_weight(rate, c, rest, g.capped, f, n);
      }
    }
  }

  // The same with features, a few at a time so that the elements of x stay in
  // registers while the columns pass.
  template <template <class> class N>
  static void multivariate(const Group<T>& g, int row, int t0, int t1,
                           const Rate<F>& rate, T* f, T* n) {
    constexpr int kFeatures = R < 16 ? 16 / R : 1;
    const V zero = F::set1(0);
    const V forbidden = F::set1((T)g.scale.forbidden);
    const ptrdiff_t xs = (ptrdiff_t)strips(g) * kTile;
    const ptrdiff_t ys = (ptrdiff_t)(g.n + 2 * G::kRows) * G::kEntry;
    for (int k = 0; k < g.d; k += kFeatures) {
      const T* x = g.x + k * xs + (ptrdiff_t)row * G::kEntry;
      const T* y = g.y + k * ys;
      const int count = g.d - k < kFeatures ? g.d - k : kFeatures;
      const bool last = k + count == g.d;
      V xr[kFeatures][R];
      for (int i = 0; i < kFeatures; ++i)
        for (int r = 0; r < R; ++r)
          xr[i][r] = F::load(x + (i < count ? i : 0) * xs + r * L);
      T* c = f;
      for (int t = t0; t < t1; ++t) {
        SDTW_UNROLL
        for (int r = 0; r < R; ++r, c += L) {
          V sum = k ? F::load(c) : zero;
          const T* yr = G::columns(y, g.n, t, r);
          if (count == kFeatures) {
            SDTW_UNROLL
            for (int i = 0; i < kFeatures; ++i) {
              const V a = F::sub(xr[i][r], F::load(yr + i * ys));
              sum = N<F>::add(a, sum);
            }
          } else {
            for (int i = 0; i < count; ++i) {
              const V a =
                  F::sub(F::load(x + i * xs + r * L), F::load(yr + i * ys));
              sum = N<F>::add(a, sum);
            }
          }
          if (last && g.cost == Cost::kEuclidean) sum = F::sqrt(sum);
          if (last && g.capped) sum = F::min(sum, forbidden);
          F::store(c, sum);
        }
      }
    }
    if (S::kCosts) return;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)(t1 - t0) * R; ++i, f += L, n += L)
      put_weight(rate, F::load(f), zero, g.capped, f, n);
  }

  static SDTW_NOINLINE void cell_weights(const Group<T>& g, int strip, int t0,
                                         int t1, const Scratch<T>& scratch) {
    const int row = strip * G::kRows;
    const Rate<F> rate = {
        F::set1((T)-g.scale.weight_rate),
        F::set1((T)(-g.scale.weight_rate + (T)g.scale.weight_rate))};
    const V zero = F::set1(0);
    T* f = scratch.fraction;
    T* n = scratch.exponent;
    if (g.cost == Cost::kManhattan) {
      if (g.d == 1)
        univariate<Absolutes>(g, row, t0, t1, rate, f, n);
      else
        multivariate<Absolutes>(g, row, t0, t1, rate, f, n);
      return;
    }
    if (g.cost == Cost::kSqEuclidean || g.cost == Cost::kEuclidean) {
      if (g.d == 1)
        univariate<Squares>(g, row, t0, t1, rate, f, n);
      else
        multivariate<Squares>(g, row, t0, t1, rate, f, n);
      return;
    }
    if (g.cost == Cost::kExplicitF32)
      explicit_costs<float>(g, row, t0, t1, f);
    else
      explicit_costs<double>(g, row, t0, t1, f);
    if (S::kCosts) return;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)(t1 - t0) * R; ++i, f += L, n += L)
      put_weight(rate, F::load(f), zero, true, f, n);
  }

  // Give the cells outside of the band the weight of forbidden ones.
  static void forbid(const Group<T>& g, int strip, int t0, int t1, T* tile) {
    const int* open = g.open + (ptrdiff_t)strip * kTile;
    const int* close = g.close + (ptrdiff_t)strip * kTile;
    int opened = t0, closing = t1;  // all rows are in the band in between
    for (int i = 0; i < kTile; ++i) {
      opened = opened > open[i] ? opened : open[i];
      closing = closing < close[i] ? closing : close[i];
    }
    const T weight = S::forbidden(g.scale);
    for (int t = t0; t < t1; ++t, tile += kTile) {
      if (opened <= t && t < closing) continue;
      for (int i = 0; i < kTile; ++i)
        tile[i] = (t < open[i]) | (t >= close[i]) ? weight : tile[i];
    }
  }

  static void weights(const Group<T>& g, int strip, int t0, int t1,
                      const Scratch<T>& scratch) {
    cell_weights(g, strip, t0, t1, scratch);
    if (g.open)
      forbid(g, strip, t0, t1,
             S::kCosts ? scratch.fraction : scratch.exponent);
  }

  // --- directions ---

  // Those that are given; zero where a cell is forbidden, has a cost that is
  // capped, or is padding.
  template <class C>
  static void explicit_directions(const Group<T>& g, int row, int t0, int t1,
                                  T* tile) {
    const bool costs = g.c[0] != nullptr;
    const T limit = (T)g.limit;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)(t1 - t0) * kTile; ++i) tile[i] = 0;
    for (int l = 0; l < g.pairs; ++l) {
      const int row0 = G::kAcross ? g.row0[l] : 0;
      const int col0 = G::kAcross ? g.col0[l] : 0;
      for (int r = 0; r < G::kRows && row + r < g.m; ++r) {
        const int i = row + r - row0;
        if (i < 0) continue;
        const Span at = columns(g, row, r, l, t0, t1);
        const int from = at.begin > col0 ? at.begin : col0;
        const int to = at.end < g.n ? at.end : g.n;
        T* out = tile + (ptrdiff_t)(from + r - t0) * kTile +
                 r * (G::kAcross ? L : 1) + l;
        const ptrdiff_t j = from - col0;
        const char* z = g.z[l] + i * g.z_row + j * g.z_col;
        const char* c = costs ? g.c[l] + i * g.c_row + j * g.c_col : z;
        const ptrdiff_t c_col = costs ? g.c_col : g.z_col;
        for (int col = from; col < to;
             ++col, out += kTile, z += g.z_col, c += c_col)
          *out =
              !costs || (T) * (const C*)c < limit ? (T) * (const C*)z : T(0);
      }
    }
  }

  // Distances (of the Euclidean cost), and what the direction of the series
  // or of the costs makes of the costs; zero in padding.
  template <template <class> class N>
  static void series_directions(const Group<T>& g, int row, int t0, int t1,
                                const Scratch<T>& scratch) {
    const bool euclidean = g.cost == Cost::kEuclidean;
    const bool series = g.direction == Direction::kSeries;
    const ptrdiff_t xs = (ptrdiff_t)strips(g) * kTile;
    const ptrdiff_t ys = (ptrdiff_t)(g.n + 2 * G::kRows) * G::kEntry;
    const ptrdiff_t first = (ptrdiff_t)row * G::kEntry;
    const V cut = F::set1((T)g.cut);
    const V minus_cut = F::sub(F::set1(0), cut);
    const V zero = F::set1(0);
    const V limit = F::set1((T)g.limit);
    const V factor = F::set1(N<F>::kSquare && !euclidean ? T(2) : T(1));
    T* z = scratch.direction;
    for (int t = t0; t < t1; ++t, z += kTile) {
      V sum[R], dot[R];
      SDTW_UNROLL
      for (int r = 0; r < R; ++r) sum[r] = dot[r] = zero;
      for (int k = 0; k < g.d; ++k) {
        SDTW_UNROLL
        for (int r = 0; r < R; ++r) {
          V a = F::sub(F::load(g.x + k * xs + first + r * L),
                       F::load(G::columns(g.y + k * ys, g.n, t, r)));
          if (g.capped) a = F::max(F::min(a, cut), minus_cut);
          sum[r] = N<F>::add(a, sum[r]);
          if (!series) continue;
          const V v = F::sub(F::load(g.dx + k * xs + first + r * L),
                             F::load(G::columns(g.dy + k * ys, g.n, t, r)));
          dot[r] = F::fma(N<F>::slope(a), v, dot[r]);
        }
      }
      SDTW_UNROLL
      for (int r = 0; r < R; ++r) {
        V c = sum[r];
        V d = F::mul(dot[r], factor);
        if (euclidean) {
          c = F::sqrt(c);
          F::store(scratch.distance + (ptrdiff_t)(t - t0) * kTile + r * L, c);
          d = F::mul(d, inverse(c));
        }
        if (!series) d = c;
        if (g.capped) d = F::mul(d, F::leq(c, limit));
        F::store(z + r * L, d);
      }
    }
  }

  // 1 / c, or 0 for 0.
  static SDTW_INLINE V inverse(V c) {
    const V none = F::leq(c, F::set1(0));
    return F::mul(F::recip(F::add(c, none)), F::sub(F::set1(1), none));
  }

  static void directions(const Group<T>& g, int strip, int t0, int t1,
                         const Scratch<T>& scratch) {
    const int row = strip * G::kRows;
    if (g.direction == Direction::kExplicitF32)
      explicit_directions<float>(g, row, t0, t1, scratch.direction);
    else if (g.direction == Direction::kExplicitF64)
      explicit_directions<double>(g, row, t0, t1, scratch.direction);
    else if (g.cost == Cost::kManhattan)
      series_directions<Absolutes>(g, row, t0, t1, scratch);
    else
      series_directions<Squares>(g, row, t0, t1, scratch);
  }

  // --- value ---

  template <bool kStore>
  static SDTW_NOINLINE void sweep(const Group<T>& g, int strip, int t0, int t1,
                                  Edge<T> in, Edge<T> out, const T* state_in,
                                  T* state_out, const Scratch<T>& scratch,
                                  T* choice) {
    const S s(g.scale);
    Val cur[R], diag[R];
    if (t0 == g.steps[strip].begin) {
      start(g, strip, in, cur, diag);
    } else {
      for (int r = 0; r < R; ++r) {
        cur[r] = S::load(state_in + r * L, kTile);
        diag[r] = S::load(state_in + kState / 2 + r * L, kTile);
      }
    }
    // The row above has no cells from here on.
    const int limit = strip ? g.steps[strip - 1].end - G::kLag : g.n;
    const T* f = scratch.fraction;
    const T* n = scratch.exponent;
    for (int t = t0; t < t1; ++t, f += kTile, n += kTile) {
      const Val below =
          t < limit ? S::get(in, (ptrdiff_t)t * G::kEntry) : s.none();
      SDTW_UNROLL
      for (int r = R - 1; r >= 0; --r) {
        const Val upper =
            S::up(cur[r], r > 0 ? cur[r > 0 ? r - 1 : 0] : below);
        cur[r] = s.template step<kStore>(cur[r], upper, diag[r],
                                         S::cell(f + r * L, n + r * L),
                                         choice + r * 3 * L);
        diag[r] = upper;
      }
      if (kStore) choice += 3 * kTile;
      if ((t + 1) % G::kRenorm == 0) {
        SDTW_UNROLL
        for (int r = 0; r < R; ++r) {
          S::renorm(cur[r]);
          S::renorm(diag[r]);
        }
      }
      S::put(out, (ptrdiff_t)(t - G::kLag) * G::kEntry, cur[R - 1]);
    }
    if (state_out) {
      for (int r = 0; r < R; ++r) {
        S::store(state_out + r * L, kTile, cur[r]);
        S::store(state_out + kState / 2 + r * L, kTile, diag[r]);
      }
    }
  }

  // The tangent of the segment that `choice` is of; and of `choice` itself.
  // Differences keep the digits that the tangents have in common.
  template <bool kStore>
  static SDTW_NOINLINE void tangent(const Group<T>& g, int strip, int t0,
                                    int t1, Edge<T> in, Edge<T> out,
                                    const T* state_in, T* state_out,
                                    const Scratch<T>& scratch, const T* choice,
                                    T* change) {
    V cur[R], diag[R];
    const bool first = t0 == g.steps[strip].begin;
    for (int r = 0; r < R; ++r) {
      const T* from = state_in + kState + r * L;
      cur[r] = first ? F::set1(0) : F::load(from);
      diag[r] = first ? F::set1(0) : F::load(from + kTile);
    }
    if (first && strip && t0)
      diag[0] = G::up(diag[0], G::get(in.t + (ptrdiff_t)(t0 - 1) * G::kEntry));
    const int limit = strip ? g.steps[strip - 1].end - G::kLag : g.n;
    const V curvature = F::set1((T)g.scale.curvature);
    const T* z = scratch.direction;
    for (int t = t0; t < t1; ++t, z += kTile, choice += 3 * kTile) {
      const V below =
          t < limit ? G::get(in.t + (ptrdiff_t)t * G::kEntry) : F::set1(0);
      SDTW_UNROLL
      for (int r = R - 1; r >= 0; --r) {
        const V upper = G::up(cur[r], r > 0 ? cur[r > 0 ? r - 1 : 0] : below);
        const T* p = choice + r * 3 * L;
        const V l = F::load(p), u = F::load(p + L), g = F::load(p + 2 * L);
        // The mean, as the tangent with the largest weight plus a rest. Added
        // up otherwise, a huge tangent whose weight is 0 could cost all
        // digits.
        const V base =
            F::pick(F::max(l, u), g, diag[r], F::pick(l, u, upper, cur[r]));
        const V rest = F::fma(
            l, F::sub(cur[r], base),
            F::fma(u, F::sub(upper, base), F::mul(g, F::sub(diag[r], base))));
        if (kStore) {
          // How far each is from the mean, from differences alone: this stays
          // exact where weights are tiny.
          T* to = change + r * 3 * L;
          const V left = F::sub(cur[r], diag[r]);
          const V up = F::sub(upper, diag[r]);
          const V mean = F::fma(l, left, F::mul(u, up));
          const V across = F::sub(left, up);
          const V lc = F::mul(l, curvature), uc = F::mul(u, curvature);
          F::store(to, F::mul(lc, F::fma(u, across, F::mul(g, left))));
          F::store(to + L, F::mul(uc, F::fnma(l, across, F::mul(g, up))));
          F::store(to + 2 * L,
                   F::mul(F::mul(g, curvature), F::sub(F::set1(0), mean)));
        }
        cur[r] = F::add(F::add(base, rest), F::load(z + r * L));
        diag[r] = upper;
      }
      if (kStore) change += 3 * kTile;
      G::put_last(out.t + (ptrdiff_t)(t - G::kLag) * G::kEntry, cur[R - 1]);
    }
    if (!state_out) return;
    for (int r = 0; r < R; ++r) {
      T* to = state_out + kState + r * L;
      F::store(to, cur[r]);
      F::store(to + kTile, diag[r]);
    }
  }

  static void value(Group<T>& g, const Scratch<T>& scratch, int strip,
                    int segment, Edge<T> in, Edge<T> out, const T* state_in,
                    T* state_out) {
    const FlushSubnormals flush;
    const Span at = steps(g, strip, segment);
    weights(g, strip, at.begin, at.end, scratch);
    const bool along = g.direction != Direction::kNone;
    if (along) {
      directions(g, strip, at.begin, at.end, scratch);
      sweep<true>(g, strip, at.begin, at.end, in, out, state_in, state_out,
                  scratch, scratch.choice);
      tangent<false>(g, strip, at.begin, at.end, in, out, state_in, state_out,
                     scratch, scratch.choice, nullptr);
    } else {
      sweep<false>(g, strip, at.begin, at.end, in, out, state_in, state_out,
                   scratch, nullptr);
    }
    if (at.end < g.steps[strip].end || strip < strips(g) - 1) return;
    const T* last = state_out + (g.m - 1) % G::kRows * G::kEntry;
    for (int l = 0; l < g.pairs; ++l) {
      g.value[l] = S::result(g.scale, last + l, kTile);
      if (along) g.tangent[l] = (double)last[kState + l];
    }
  }

  // --- adjoint ---

  // The mass that cells keep for their left, hand up, and hand up one step
  // later.
  struct Mass {
    V keep[R], hand[R], diag[R];

    void start(const T* last) {
      for (int r = 0; r < R; ++r) {
        keep[r] = F::load(last + r * L);
        hand[r] = diag[r] = F::set1(0);
      }
    }
    void load(const T* p) {
      for (int r = 0; r < R; ++r) {
        keep[r] = F::load(p + r * L);
        hand[r] = F::load(p + kTile + r * L);
        diag[r] = F::load(p + 2 * kTile + r * L);
      }
    }
    void store(T* p) const {
      for (int r = 0; r < R; ++r) {
        F::store(p + r * L, keep[r]);
        F::store(p + kTile + r * L, hand[r]);
        F::store(p + 2 * kTile + r * L, diag[r]);
      }
    }
    SDTW_INLINE V arrived(int r, V above) const {
      return F::add(
          keep[r],
          G::down(hand[r], r + 1 < R ? hand[r + 1 < R ? r + 1 : 0] : above));
    }
  };

  // Sweep the mass back, and its tangent; the alignment replaces the weights
  // in scratch, and its tangent the direction.
  template <bool kTangent>
  static SDTW_NOINLINE void back(Group<T>& g, int strip, int t0, int t1,
                                 bool first, const Scratch<T>& scratch,
                                 const T* choice, const T* change) {
    Mass mass, tangents;
    if (first) {
      T one[kTile] = {}, other[kTile] = {};
      const int last = (g.m - 1) % G::kRows * G::kEntry;
      for (int l = 0; strip == strips(g) - 1 && l < G::kEntry; ++l) {
        one[last + l] = g.mass[l];
        other[last + l] = g.mass_tangent[l];
      }
      mass.start(one);
      if (kTangent) tangents.start(other);
    } else {
      mass.load(scratch.mass);
      if (kTangent) tangents.load(scratch.mass + 3 * kTile);
    }
    const ptrdiff_t size = (ptrdiff_t)(t1 - t0) * kTile;
    T* tile = scratch.fraction + size;
    T* tangent_tile = kTangent ? scratch.direction + size : nullptr;
    choice += 3 * size;
    if (kTangent) change += 3 * size;
    for (int t = t1 - 1; t >= t0; --t) {
      const ptrdiff_t in = (ptrdiff_t)(t - G::kLag) * G::kEntry;
      const ptrdiff_t out = (ptrdiff_t)t * G::kEntry;
      tile -= kTile;
      choice -= 3 * kTile;
      const V above = G::get(g.mass_edge + in);
      V above_tangent = above;
      if (kTangent) {
        above_tangent = G::get(g.mass_edge_tangent + in);
        tangent_tile -= kTile;
        change -= 3 * kTile;
      }
      SDTW_UNROLL
      for (int r = 0; r < R; ++r) {
        const V e = mass.arrived(r, above);
        F::store(tile + r * L, e);
        const T* p = choice + r * 3 * L;
        if (kTangent) {
          const V et = tangents.arrived(r, above_tangent);
          F::store(tangent_tile + r * L, et);
          const T* q = change + r * 3 * L;
          tangents.keep[r] = F::fma(F::load(q), e, F::mul(F::load(p), et));
          tangents.hand[r] = F::fma(
              F::load(q + L), e, F::fma(F::load(p + L), et, tangents.diag[r]));
          tangents.diag[r] =
              F::fma(F::load(q + 2 * L), e, F::mul(F::load(p + 2 * L), et));
        }
        mass.keep[r] = F::mul(F::load(p), e);
        mass.hand[r] = F::fma(F::load(p + L), e, mass.diag[r]);
        mass.diag[r] = F::mul(F::load(p + 2 * L), e);
      }
      G::put_first(g.mass_edge + out, mass.hand[0]);
      if (kTangent) G::put_first(g.mass_edge_tangent + out, tangents.hand[0]);
    }
    if (t0 == g.steps[strip].begin) {
      const ptrdiff_t out = (ptrdiff_t)(t0 - 1) * G::kEntry;
      G::put_first(g.mass_edge + out, mass.diag[0]);
      if (kTangent) G::put_first(g.mass_edge_tangent + out, tangents.diag[0]);
    }
    mass.store(scratch.mass);
    if (kTangent) tangents.store(scratch.mass + 3 * kTile);
  }

  // From the alignment E and its tangent, in place, to the factors of the
  // gradient's terms: of differences of the series (in the place of the
  // tangent, if there is one), and of differences of their directions.
  static void factors(const Group<T>& g, int strip, int t0, int t1,
                      const Scratch<T>& scratch) {
    const bool euclidean = g.cost == Cost::kEuclidean;
    const bool along = g.direction != Direction::kNone;
    const ptrdiff_t size = (ptrdiff_t)(t1 - t0) * kTile;
    T* e = scratch.fraction;
    T* et = scratch.direction;
    if (!euclidean) {
      if (g.direction == Direction::kCost)
        for (ptrdiff_t i = 0; i < size; i += L)
          F::store(et + i, F::add(F::load(et + i), F::load(e + i)));
      return;
    }
    // The direction is made again, one segment's at a time.
    Scratch<T> other = scratch;
    other.direction = scratch.exponent;
    series_directions<Squares>(g, strip * G::kRows, t0, t1, other);
    const T* distance = scratch.distance;
    const T* z = scratch.exponent;
    const bool series = g.direction == Direction::kSeries;
    const bool cost = g.direction == Direction::kCost;
    for (ptrdiff_t i = 0; i < size; i += L) {
      const V by = inverse(F::load(distance + i));
      const V mass = F::load(e + i);
      const V p = F::mul(mass, by);
      F::store(e + i, p);
      if (!along) continue;
      V q = F::load(et + i);
      if (series) q = F::fnma(p, F::load(z + i), q);
      if (cost) q = F::add(q, mass);
      F::store(et + i, F::mul(q, by));
    }
  }

  // Add one segment's sums of a factor times the slope of x - y to gx and
  // subtract them from gy; with kSeries another factor times dx - dy as well.
  // The sums for a column travel with it from the strip's last row to its
  // first.
  template <template <class> class N, bool kX, bool kY, bool kSeries>
  static SDTW_NOINLINE void gradients(Group<T>& g, int strip, int t0, int t1,
                                      bool first, const Scratch<T>& scratch) {
    const bool along = g.direction != Direction::kNone;
    const int row = strip * G::kRows;
    const ptrdiff_t xs = (ptrdiff_t)strips(g) * kTile;
    const ptrdiff_t ys = (ptrdiff_t)(g.n + 2 * G::kRows) * G::kEntry;
    // Columns from here on only have cells of strips below.
    const int lag = g.m - row < G::kRows ? g.m - row - 1 : G::kLag;
    const int limit = g.steps[strip].end - lag;
    for (int k = 0; k < g.d; ++k) {
      const T* x = g.x + k * xs + (ptrdiff_t)row * G::kEntry;
      T* gx = kX ? g.gx + k * xs + (ptrdiff_t)row * G::kEntry : nullptr;
      T* gy = kY ? g.gy + k * ys + (ptrdiff_t)G::kRows * G::kEntry : nullptr;
      T* travel = scratch.grad + (ptrdiff_t)k * kTile;
      V xr[R], sx[R], sy[R];
      for (int r = 0; r < R; ++r) {
        xr[r] = F::load(x + r * L);
        sx[r] = kX ? F::load(gx + r * L) : F::set1(0);
        sy[r] = !kY || first ? F::set1(0) : F::load(travel + r * L);
      }
      const T* dx =
          kSeries ? g.dx + k * xs + (ptrdiff_t)row * G::kEntry : nullptr;
      const ptrdiff_t size = (ptrdiff_t)(t1 - t0) * kTile;
      const T* tile = (along ? scratch.direction : scratch.fraction) + size;
      const T* more = scratch.fraction + size;
      for (int t = t1 - 1; t >= t0; --t) {
        tile -= kTile;
        more -= kTile;
        V above = F::set1(0);
        if (kY) above = G::get(gy + (ptrdiff_t)(t - G::kLag) * G::kEntry);
        SDTW_UNROLL
        for (int r = 0; r < R; ++r) {
          const V a =
              F::sub(xr[r], F::load(G::columns(g.y + k * ys, g.n, t, r)));
          const V slope = N<F>::slope(a);
          const V e = F::load(tile + r * L);
          if (kX) sx[r] = F::fma(e, slope, sx[r]);
          if (kY)
            sy[r] = F::fnma(
                e, slope,
                G::down(sy[r], r + 1 < R ? sy[r + 1 < R ? r + 1 : 0] : above));
          if (kSeries) {
            const V v = F::sub(F::load(dx + r * L),
                               F::load(G::columns(g.dy + k * ys, g.n, t, r)));
            const V p = F::load(more + r * L);
            if (kX) sx[r] = F::fma(p, v, sx[r]);
            if (kY) sy[r] = F::fnma(p, v, sy[r]);
          }
        }
        if (kY && t < limit)
          G::put_first(gy + (ptrdiff_t)t * G::kEntry, sy[0]);
      }
      for (int r = 0; r < R; ++r) {
        if (kX) F::store(gx + r * L, sx[r]);
        if (kY) F::store(travel + r * L, sy[r]);
      }
    }
  }

  template <template <class> class N, bool kSeries>
  static void gradients(Group<T>& g, int strip, int t0, int t1, bool first,
                        const Scratch<T>& scratch) {
    if (g.gx && g.gy)
      gradients<N, true, true, kSeries>(g, strip, t0, t1, first, scratch);
    else if (g.gx)
      gradients<N, true, false, kSeries>(g, strip, t0, t1, first, scratch);
    else
      gradients<N, false, true, kSeries>(g, strip, t0, t1, first, scratch);
  }

  // Scatter one segment of the alignment into the caller's arrays.
  template <class C>
  static void alignment(const Group<T>& g, int strip, int t0, int t1,
                        const T* tile) {
    for (int l = 0; l < g.pairs; ++l) {
      const int row0 = G::kAcross ? g.row0[l] : 0;
      const int col0 = G::kAcross ? g.col0[l] : 0;
      for (int r = 0; r < G::kRows; ++r) {
        const int row = strip * G::kRows + r;
        if (row >= g.m || row < row0) continue;
        const Span at = columns(g, strip * G::kRows, r, l, t0, t1);
        const int from = at.begin > col0 ? at.begin : col0;
        const int to = at.end < g.n ? at.end : g.n;
        const T* in = tile + (ptrdiff_t)(from + r - t0) * kTile +
                      r * (G::kAcross ? L : 1) + l;
        const ptrdiff_t j = from - col0;
        const char* c = g.c[l] + (row - row0) * g.c_row + j * g.c_col;
        char* e = g.e[l] + (row - row0) * g.e_row + j * g.e_col;
        for (int col = from; col < to;
             ++col, in += kTile, c += g.c_col, e += g.e_col)
          *(C*)e = *(const C*)c < (C)HUGE_VAL ? (C)(*in * g.seed[l]) : C(0);
      }
    }
  }

  static void adjoint(Group<T>& g, const Scratch<T>& scratch, int block,
                      int segment, Edge<T> in, const T* state_in) {
    const FlushSubnormals flush;
    const int first = block * g.block;
    const int count =
        g.block < strips(g) - first ? g.block : strips(g) - first;
    const ptrdiff_t size = (ptrdiff_t)g.width * 3 * kTile;
    const bool along = g.direction != Direction::kNone;
    for (int q = 0; q < count; ++q) {
      const Span at = steps(g, first + q, segment);
      const Edge<T> upper = q ? scratch.edge : in;
      T* choice = scratch.choice + q * size;
      weights(g, first + q, at.begin, at.end, scratch);
      sweep<true>(g, first + q, at.begin, at.end, upper, scratch.edge,
                  state_in, nullptr, scratch, choice);
      if (!along) continue;
      directions(g, first + q, at.begin, at.end, scratch);
      tangent<true>(g, first + q, at.begin, at.end, upper, scratch.edge,
                    state_in, nullptr, scratch, choice,
                    scratch.change + q * size);
    }
    for (int q = count - 1; q >= 0; --q) {
      const int strip = first + q;
      const int t0 = steps(g, strip, segment).begin;
      const int t1 = steps(g, strip, segment).end;
      const bool last = t1 == g.steps[strip].end;
      const T* choice = scratch.choice + q * size;
      if (along)
        back<true>(g, strip, t0, t1, last, scratch, choice,
                   scratch.change + q * size);
      else
        back<false>(g, strip, t0, t1, last, scratch, choice, nullptr);
      const T* result = along ? scratch.direction : scratch.fraction;
      if (g.cost == Cost::kExplicitF32) {
        alignment<float>(g, strip, t0, t1, result);
        continue;
      }
      if (g.cost == Cost::kExplicitF64) {
        alignment<double>(g, strip, t0, t1, result);
        continue;
      }
      factors(g, strip, t0, t1, scratch);
      if (g.cost == Cost::kManhattan)
        gradients<Absolutes, false>(g, strip, t0, t1, last, scratch);
      else if (g.direction == Direction::kSeries)
        gradients<Squares, true>(g, strip, t0, t1, last, scratch);
      else
        gradients<Squares, false>(g, strip, t0, t1, last, scratch);
    }
  }
};

// --- The table that the driver picks from ----------------------------------

template <class F, class G>
struct Entry {
  using T = typename F::T;
  using SoftK = Kernel<F, G, Soft<F, G>>;
  using HardK = Kernel<F, G, Hard<F, G>>;
  // Pairs that need it are swept one by one, in double, and by generic code:
  // it has nothing for vectors.
  static constexpr bool kLogSpace = !G::kAcross && sizeof(T) == 8 && kBaseline;
  using LogSpaceK =
      std::conditional_t<kLogSpace, Kernel<F, G, LogSpace<F, G>>, SoftK>;

  // fn of the kernel for a group.
  template <class Fn>
  static void with_kernel(const Group<T>& g, Fn fn) {
    if (g.scale.minimum == Minimum::kHard)
      fn(HardK());
    else if (kLogSpace && g.scale.minimum == Minimum::kLogSpace)
      fn(LogSpaceK());
    else
      fn(SoftK());
  }
  static void begin(const Group<T>& g, Edge<T> edge) {
    with_kernel(g, [&](auto k) { decltype(k)::begin(g, edge); });
  }
  static void value(Group<T>& g, const Scratch<T>& s, int strip, int segment,
                    Edge<T> in, Edge<T> out, const T* si, T* so) {
    with_kernel(g, [&](auto k) {
      decltype(k)::value(g, s, strip, segment, in, out, si, so);
    });
  }
  static void adjoint(Group<T>& g, const Scratch<T>& s, int block, int segment,
                      Edge<T> in, const T* si) {
    with_kernel(g, [&](auto k) {
      decltype(k)::adjoint(g, s, block, segment, in, si);
    });
  }
};

template <class F>
struct Table {
  using T = typename F::T;
  using A = Entry<F, Along<F>>;
  using B = Entry<F, Across<F>>;
  static void begin(const Group<T>& g, Edge<T> edge) {
    g.across ? B::begin(g, edge) : A::begin(g, edge);
  }
  static void value(Group<T>& g, const Scratch<T>& s, int strip, int segment,
                    Edge<T> in, Edge<T> out, const T* si, T* so) {
    g.across ? B::value(g, s, strip, segment, in, out, si, so)
             : A::value(g, s, strip, segment, in, out, si, so);
  }
  static void adjoint(Group<T>& g, const Scratch<T>& s, int block, int segment,
                      Edge<T> in, const T* si) {
    g.across ? B::adjoint(g, s, block, segment, in, si)
             : A::adjoint(g, s, block, segment, in, si);
  }
  template <class G>
  static constexpr Geometry geometry() {
    return {G::L, G::kRows, G::kLag, G::kEntry};
  }
  static constexpr Sweeps<T> sweeps() {
    return {geometry<Along<F>>(), geometry<Across<F>>(), &begin, &value,
            &adjoint};
  }
};

}  // namespace

extern const Level kLevel;
const Level kLevel = {SDTW_STRING(SDTW_ISA), Table<F32>::sweeps(),
                      Table<F64>::sweeps()};

}  // namespace SDTW_ISA
}  // namespace sdtw
