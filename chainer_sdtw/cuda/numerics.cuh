// The two semirings that a table is swept in, and both with tangents.
//
// Cuturi and Blondel, "Soft-DTW: a Differentiable Loss Function for
// Time-Series", ICML 2017. With Z = exp(-R / gamma) the recursion of their
// Algorithm 1 is Z[i,j] = w[i,j] (Z[i-1,j-1] + Z[i-1,j] + Z[i,j-1]), which is
// computed on pairs (mantissa, exponent): no logarithm, no loss of digits
// however large R / gamma is.
//
// What exponents of float64 cannot hold is computed in log space, on R as an
// unevaluated sum of two numbers, which have twice the digits. For gamma = 0
// it is the hard minimum, on one number. The arithmetic is that of sdtw_cpu.
#pragma once

#include "device.cuh"

template <class T>
SDTW_DEVICE T infinity() {
  return (T)from_bits(0x7ff0000000000000ll);
}

// --- Formats ---

// Bits of exponent: kSum bounds what the costs of a path add up to, unless it
// has no part in the value; kCell is what a forbidden cell takes (up to four
// times as much), kFloor is where exponents end. Then none of them overflows:
// kFloor - 4 * kCell is in range.
template <class T>
struct Format;

template <>
struct Format<float> {
  using Exponent = int;
  using Packed = int2;
  static constexpr int kFloor = -536870912;          // -2**29
  static constexpr double kSum = 67108864;           // 2**26
  static constexpr double kSumOfSeries = 268435456;  // 2**28: none forbidden
  static constexpr double kCell = 268435456;         // 2**28
  static constexpr double kHuge = 1e37;
  // More than that, and costs would end among the subnormal numbers.
  static constexpr double kSteepest = 1e30;

  static SDTW_DEVICE int2 pack(float m, int e) {
    int2 p;
    p.x = to_bits(m), p.y = e;
    return p;
  }
  static SDTW_DEVICE int as_exponent(float a) { return to_bits(a); }
  static SDTW_DEVICE float as_number(int e) { return from_bits(e); }
  // m * 2**k for k <= 0; what is below 2**-100 m is negligible.
  static SDTW_DEVICE float scale(float m, int k) {
    return from_bits(to_bits(m) + (int)((unsigned)max(k, -100) << 23));
  }
  static SDTW_DEVICE void renorm(float& m, int& e) {
    const int b = to_bits(m);
    e += (b >> 23) - 127;
    m = from_bits((b & 0x007fffff) | 0x3f800000);
  }
};

template <>
struct Format<double> {
  using Exponent = long long;
  using Packed = longlong2;
  static constexpr long long kFloor = -4503599627370496;  // -2**52
  static constexpr double kSum = 140737488355328;         // 2**47
  static constexpr double kSumOfSeries = kSum;
  static constexpr double kCell = 562949953421312;  // 2**49
  static constexpr double kHuge = 1e307;
  static constexpr double kSteepest = 1e300;

  static SDTW_DEVICE longlong2 pack(double m, long long e) {
    longlong2 p;
    p.x = to_bits(m), p.y = e;
    return p;
  }
  static SDTW_DEVICE long long as_exponent(double a) { return to_bits(a); }
  static SDTW_DEVICE double as_number(long long e) { return from_bits(e); }
  static SDTW_DEVICE double scale(double m, long long k) {
    const long long s = max(k, -1000ll);
    return from_bits(to_bits(m) + (long long)((unsigned long long)s << 52));
  }
  static SDTW_DEVICE void renorm(double& m, long long& e) {
    const long long b = to_bits(m);
    e += (b >> 52) - 1023;
    m = from_bits((b & 0xfffffffffffffll) | 0x3ff0000000000000ll);
  }
};

// --- Weights ---

// 1 / (gamma ln 2), negated, in two parts: a cost c weighs 2**(-c * rate).
template <class T>
struct Rate {
  T high, low;
  SDTW_DEVICE explicit Rate(double rate)
      : high((T)-rate), low((T)(-rate - (double)(T)-rate)) {}
  SDTW_DEVICE T inverse() const { return reciprocal(high); }
};

// 2**f on [-1/2, 1/2], and a little beyond.
SDTW_DEVICE float exp2_fraction(float f) {
  float p = 0.000154614449f;
  p = fused(p, f, 0.0013400428f);
  p = fused(p, f, 0.00961805694f);
  p = fused(p, f, 0.0555032715f);
  p = fused(p, f, 0.240226507f);
  p = fused(p, f, 0.693147182f);
  return fused(p, f, 1.0f);
}

SDTW_DEVICE double exp2_fraction(double f) {
  double p = 4.4558179083360645e-10;
  p = fused(p, f, 7.074194297288521e-09);
  p = fused(p, f, 1.0178057087733941e-07);
  p = fused(p, f, 1.3215432535912375e-06);
  p = fused(p, f, 1.5252733841556773e-05);
  p = fused(p, f, 0.00015403530463724353);
  p = fused(p, f, 0.001333355814640647);
  p = fused(p, f, 0.009618129107587256);
  p = fused(p, f, 0.055504108664821625);
  p = fused(p, f, 0.24022650695910158);
  p = fused(p, f, 0.6931471805599453);
  return fused(p, f, 1.0);
}

// 2**(-c * rate) = f * 2**n with f in [2**-0.5, 2**0.5]. `rest` is what the
// format could not hold of the cost; `kLarge` says that the exponent may reach
// that of a forbidden cell, else it stays below 2**21.
template <bool kLarge>
SDTW_DEVICE void weigh(const Rate<float>& rate, float c, float rest, float& f,
                       int& n) {
  float r;
  const float v = product(c, rate.high);
  if (kLarge) {
    n = round_to_int(v);
    r = fused(c, rate.high, -(float)n);
  } else {
    const float magic = 12582912;  // 3 * 2**22
    const float shifted = sum(v, magic);
    n = to_bits(shifted) - to_bits(magic);
    r = fused(c, rate.high, -sum(shifted, -magic));
  }
  r = fused(c, rate.low, r);
  r = fused(rest, rate.high, r);
  if (kLarge) {
    const int more = round_to_int(r);
    n += more;
    r = sum(r, -(float)more);
  }
  f = exp2_fraction(r);
}

template <bool kLarge>
SDTW_DEVICE void weigh(const Rate<double>& rate, double c, double, double& f,
                       long long& n) {
  const double magic = 6755399441055744;  // 3 * 2**51
  const double shifted = fused(c, rate.high, magic);
  n = to_bits(shifted) - to_bits(magic);
  f = exp2_fraction(fused(c, rate.high, -sum(shifted, -magic)));
}

// --- Distances ---

// The root of a square `c` and the inverse of that root, or 0 of 0. `rest` is
// what the format could not hold, of the square and then of the root.
SDTW_DEVICE void root(float& c, float& rest, float& inverse) {
  const float square = c;
  inverse = square > 0 ? inverse_root(square) : 0;
  const float about = product(square, inverse);
  rest = inverse / 2 * (fused(-about, about, square) + rest);
  c = sum(about, rest);
  rest = sum(rest, sum(about, -c));
}
SDTW_DEVICE void root(double& c, double& rest, double& inverse) {
  c = sqrt(c);
  inverse = c > 0 ? reciprocal(c) : 0;
  rest = 0;
}

// --- Shares ---

// Parts of a sum as shares of it. In float32 a product with the inverse alone
// would often give 1 - 2**-24 where the share is 1 but never more than 1, and
// that loss of mass would add up along a path: the inverse has two parts.
struct Inverse32 {
  float high, low;
  SDTW_DEVICE explicit Inverse32(float total) : high(reciprocal(total)) {
    low = product(high, fused(high, -total, 1.0f));
  }
  SDTW_DEVICE float share(float part) const {
    return fused(part, high, product(part, low));
  }
};
struct Inverse64 {
  double high;
  SDTW_DEVICE explicit Inverse64(double total) : high(reciprocal(total)) {}
  SDTW_DEVICE double share(double part) const { return product(part, high); }
};
SDTW_DEVICE Inverse32 invert(float total) { return Inverse32(total); }
SDTW_DEVICE Inverse64 invert(double total) { return Inverse64(total); }

// What a cell hands to each of its predecessors, as shares of its mass. With
// tangents, also what two of theirs are beyond the diagonal one's.
template <class T>
struct Shares {
  T left, up, diagonal;
  T left_tangent, up_tangent;
};

// --- Semirings ---

// What a cell adds to its predecessors: the fraction and the exponent of its
// weight or, in log space, its cost in the place of the fraction; with
// tangents, the direction.
template <class T>
struct Weight {
  T fraction;
  typename Format<T>::Exponent exponent;
  T direction;
};

// All have: Val, an element; none(), where no path ends; one(), where all
// start; forbid(), for the weight of a cell that no path may use; step(), a
// cell from its predecessors; kSoft, whether gamma may be other than 0.

template <class T>
struct Soft {
  static constexpr bool kLogSpace = false;
  static constexpr bool kSoft = true;
  using F = Format<T>;
  using Exponent = typename F::Exponent;
  using Packed = typename F::Packed;
  struct Val {
    T m;
    Exponent e;
  };

  static SDTW_DEVICE Val none() { return {T(1), F::kFloor}; }
  static SDTW_DEVICE Val one() { return {T(1), 0}; }
  static SDTW_DEVICE void forbid(Weight<T>& weight) {
    weight = {T(1), F::kFloor, T(0)};
  }
  static SDTW_DEVICE Packed pack(const Val& v) { return F::pack(v.m, v.e); }
  static SDTW_DEVICE Val unpack(const Packed& p) {
    return {from_bits(p.x), p.y};
  }
  static SDTW_DEVICE Val shuffle_up(const Val& v) {
    return {__shfl_up_sync(0xffffffffu, v.m, 1),
            __shfl_up_sync(0xffffffffu, v.e, 1)};
  }
  static SDTW_DEVICE void renorm(Val& v) { F::renorm(v.m, v.e); }

  template <bool kShares>
  static SDTW_DEVICE Val step(const Val& left, const Val& up,
                              const Val& diagonal, const Weight<T>& weight,
                              const Rate<T>&, Shares<T>& shares) {
    const Exponent e = max(max(up.e, diagonal.e), left.e);
    const T u = F::scale(up.m, up.e - e);
    const T g = F::scale(diagonal.m, diagonal.e - e);
    const T l = F::scale(left.m, left.e - e);
    const T total = sum(sum(u, g), l);
    if (kShares) {
      const auto inverse = invert(total);
      shares.left = inverse.share(l);
      shares.up = inverse.share(u);
      shares.diagonal = inverse.share(g);
    }
    return {product(total, weight.fraction),
            max(e + weight.exponent, F::kFloor)};
  }

  // The value, in units of the cost; +inf where no path ends.
  static SDTW_DEVICE double value(const Val& v, double rate, bool forbidden) {
    if (forbidden && (double)v.e < -2 * F::kSum) return infinity<double>();
    return -((double)v.e + log2((double)v.m)) / rate;
  }
  // Whether a path with a capped cost may have a part in the value.
  static SDTW_DEVICE bool is_out_of_range(const Val& v) {
    return (double)v.e <= -F::kSum;
  }
  static SDTW_DEVICE T tangent(const Val&) { return T(0); }
};

// R as high + low: the least that the costs of a path add up to, rounded; and
// what rounding took from it, and what all other paths take from R. In float32
// there is high alone, and the minimum is hard.
template <class T>
struct LogSpace {
  static constexpr bool kLogSpace = true;
  static constexpr bool kSoft = sizeof(T) == 8;
  using F = Format<T>;
  using Exponent = typename F::Exponent;
  using Packed = typename F::Packed;
  struct Val {
    T high, low;
  };

  static SDTW_DEVICE Val none() { return {infinity<T>(), T(0)}; }
  static SDTW_DEVICE Val one() { return {T(0), T(0)}; }
  static SDTW_DEVICE void forbid(Weight<T>& weight) {
    weight = {infinity<T>(), 0, T(0)};
  }
  static SDTW_DEVICE Packed pack(const Val& v) {
    return F::pack(v.high, to_bits(v.low));
  }
  static SDTW_DEVICE Val unpack(const Packed& p) {
    return {from_bits(p.x), kSoft ? from_bits(p.y) : T(0)};
  }
  static SDTW_DEVICE Val shuffle_up(const Val& v) {
    return {__shfl_up_sync(0xffffffffu, v.high, 1),
            kSoft ? __shfl_up_sync(0xffffffffu, v.low, 1) : T(0)};
  }
  static SDTW_DEVICE void renorm(Val&) {}

  // For gamma = 0, of equal predecessors the diagonal one is taken, then the
  // one above; so is the diagonal one where no path comes from any.
  template <bool kShares>
  static SDTW_DEVICE Val step(const Val& left, const Val& up,
                              const Val& diagonal, const Weight<T>& weight,
                              const Rate<T>& rate, Shares<T>& shares) {
    const T least = fmin(fmin(up.high, diagonal.high), left.high);
    const T cost = weight.fraction;
    const T high = sum(least, cost);
    if (!kSoft || rate.high == 0) {
      if (kShares) {
        const bool g = diagonal.high <= least;
        const bool u = !g && up.high <= least;
        shares.diagonal = g ? T(1) : T(0);
        shares.up = u ? T(1) : T(0);
        shares.left = g || u ? T(0) : T(1);
      }
      return {high, T(0)};
    }
    const T u_gap = beyond(up, least);
    const T g_gap = beyond(diagonal, least);
    const T l_gap = beyond(left, least);
    const T first = fmin(fmin(u_gap, g_gap), l_gap);
    const bool reached = least < infinity<T>();
    const T u = reached ? weight_of(sum(u_gap, -first), rate) : T(0);
    const T g = reached ? weight_of(sum(g_gap, -first), rate) : T(1);
    const T l = reached ? weight_of(sum(l_gap, -first), rate) : T(0);
    const T total = sum(sum(u, g), l);
    if (kShares) {
      const auto inverse = invert(total);
      shares.left = inverse.share(l);
      shares.up = inverse.share(u);
      shares.diagonal = inverse.share(g);
    }
    const T cost_in = sum(high, -least);
    const T least_in = sum(high, -cost_in);
    const T rest = sum(sum(least, -least_in), sum(cost, -cost_in));
    const T low = sum(fused(log2(total), rate.inverse(), first), rest);
    return {high, high - high == 0 ? low : T(0)};
  }

  static SDTW_DEVICE double value(const Val& v, double, bool) {
    return (double)v.high + (double)v.low;
  }
  static SDTW_DEVICE bool is_out_of_range(const Val&) { return false; }
  static SDTW_DEVICE T tangent(const Val&) { return T(0); }

 private:
  static SDTW_DEVICE T beyond(const Val& v, T least) {
    return v.high > least ? sum(sum(v.high, -least), v.low) : v.low;
  }
  // 2**(-gap * rate), or 0 if that is negligible.
  static SDTW_DEVICE T weight_of(T gap, const Rate<T>& rate) {
    T fraction;
    Exponent exponent;
    weigh<true>(rate, gap, T(0), fraction, exponent);
    return product(gap, rate.high) > -1000 ? F::scale(fraction, exponent)
                                           : T(0);
  }
};

// --- Tangents ---

// A pair, and a tangent in the place of another's first half.
template <class Packed>
struct DualPacked {
  Packed value, tangent;
};
template <class Packed>
SDTW_DEVICE DualPacked<Packed> load_fresh(Global<DualPacked<Packed>> p,
                                          long long i) {
  const Global<Packed> halves = cast<Packed>(p);
  return {load_fresh(halves, 2 * i), load_fresh(halves, 2 * i + 1)};
}

// Every R with its derivative along a direction: that of the cell and, by
// their shares, those of its predecessors. These come in as differences, which
// are small where their values are not.
template <class T, template <class> class Base>
struct Dual {
  using S = Base<T>;
  static constexpr bool kLogSpace = S::kLogSpace;
  static constexpr bool kSoft = S::kSoft;
  using Packed = DualPacked<typename S::Packed>;
  struct Val {
    typename S::Val value;
    T tangent;
  };

  static SDTW_DEVICE Val none() { return {S::none(), T(0)}; }
  static SDTW_DEVICE Val one() { return {S::one(), T(0)}; }
  static SDTW_DEVICE void forbid(Weight<T>& weight) { S::forbid(weight); }
  static SDTW_DEVICE Packed pack(const Val& v) {
    return {S::pack(v.value), Format<T>::pack(v.tangent, 0)};
  }
  static SDTW_DEVICE Val unpack(const Packed& p) {
    return {S::unpack(p.value), from_bits(p.tangent.x)};
  }
  static SDTW_DEVICE Val shuffle_up(const Val& v) {
    return {S::shuffle_up(v.value), __shfl_up_sync(0xffffffffu, v.tangent, 1)};
  }
  static SDTW_DEVICE void renorm(Val& v) { S::renorm(v.value); }

  template <bool kShares>
  static SDTW_DEVICE Val step(const Val& left, const Val& up,
                              const Val& diagonal, const Weight<T>& weight,
                              const Rate<T>& rate, Shares<T>& shares) {
    const typename S::Val v = S::template step<true>(
        left.value, up.value, diagonal.value, weight, rate, shares);
    shares.left_tangent = sum(left.tangent, -diagonal.tangent);
    shares.up_tangent = sum(up.tangent, -diagonal.tangent);
    // The mean, as the tangent with the largest weight plus a rest. Added up
    // otherwise, a huge tangent whose weight is 0 could cost all digits.
    const T l = shares.left, u = shares.up, g = shares.diagonal;
    const T base = fmax(l, u) <= g ? diagonal.tangent
                   : l <= u        ? up.tangent
                                   : left.tangent;
    const T rest = fused(l, sum(left.tangent, -base),
                         fused(u, sum(up.tangent, -base),
                               product(g, sum(diagonal.tangent, -base))));
    return {v, sum(sum(base, rest), weight.direction)};
  }

  static SDTW_DEVICE double value(const Val& v, double rate, bool forbidden) {
    return S::value(v.value, rate, forbidden);
  }
  static SDTW_DEVICE bool is_out_of_range(const Val& v) {
    return S::is_out_of_range(v.value);
  }
  static SDTW_DEVICE T tangent(const Val& v) { return v.tangent; }
};

// One of the above.
template <class T, template <class> class Base, bool kDual>
struct Choice {
  using Semiring = Base<T>;
};
template <class T, template <class> class Base>
struct Choice<T, Base, true> {
  using Semiring = Dual<T, Base>;
};
