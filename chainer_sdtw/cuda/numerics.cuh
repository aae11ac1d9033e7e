// Numbers in float and in double: their formats, weights and roots.
#pragma once

#include "words.cuh"

template <class T>
SDTW_DEVICE T infinity() {
  return (T)from_bits(0x7ff0000000000000ll);
}

template <class T>
SDTW_DEVICE T not_a_number() {
  return (T)from_bits(0x7ff8000000000000ll);
}

// A number in another type. Conversions of the device take what is subnormal
// in float for 0.
template <class T>
SDTW_DEVICE T widen(double a) {
  return (T)a;
}
template <class T>
SDTW_DEVICE T widen(float a) {
  const int bits = to_bits(a);
  if (sizeof(T) == 4 || (bits & 0x7f800000)) return a;
  const T magnitude = (T)((bits & 0x007fffff) * 1.401298464324817e-45);
  return bits < 0 ? -magnitude : magnitude;
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
  static constexpr int kFloor = -536870912;          // -2**29
  static constexpr double kSum = 67108864;           // 2**26
  static constexpr double kSumOfSeries = 268435456;  // 2**28: none forbidden
  static constexpr double kCell = 1ll << SDTW_FLOAT_CELL_BITS;
  static constexpr double kHuge = 1e37;
  // More than that, and costs would end among the subnormal numbers.
  static constexpr double kSteepest = 1e30;

  static SDTW_DEVICE int as_exponent(float a) { return to_bits(a); }
  static SDTW_DEVICE float as_number(int e) { return from_bits(e); }
  // Two numbers as words; the first of them is not 0.
  static constexpr int kWords = 1;
  static SDTW_DEVICE Words<1> pack(int first, int second) {
    return {{halves(first, second)}};
  }
  static SDTW_DEVICE int first(const Words<1>& w) {
    return first_half(w.word[0]);
  }
  static SDTW_DEVICE int second(const Words<1>& w) {
    return second_half(w.word[0]);
  }
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
  static constexpr long long kFloor = -4503599627370496;  // -2**52
  static constexpr double kSum = 140737488355328;         // 2**47
  static constexpr double kSumOfSeries = kSum;
  static constexpr double kCell = 1ll << SDTW_DOUBLE_CELL_BITS;
  static constexpr double kHuge = 1e307;
  static constexpr double kSteepest = 1e300;

  static SDTW_DEVICE long long as_exponent(double a) { return to_bits(a); }
  static SDTW_DEVICE double as_number(long long e) { return from_bits(e); }
  // The second is not -2**63 or -0, whose sign inverted leaves 0.
  static constexpr int kWords = 2;
  static constexpr Word kSign = 1ull << 63;
  static SDTW_DEVICE Words<2> pack(long long first, long long second) {
    return {{(Word)first, (Word)second ^ kSign}};
  }
  static SDTW_DEVICE long long first(const Words<2>& w) {
    return (long long)w.word[0];
  }
  static SDTW_DEVICE long long second(const Words<2>& w) {
    return (long long)(w.word[1] ^ kSign);
  }
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
  // In double there are no registers to spare.
  SDTW_DEVICE Rate held_in_registers() const {
    Rate r = *this;
    if (sizeof(T) == 4) r.high = held(high), r.low = held(low);
    return r;
  }
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
    const int carry = round_to_int(r);
    n += carry;
    r = sum(r, -(float)carry);
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

// A power of two above a number that is not negative.
SDTW_DEVICE double above(double a) {
  return from_bits((to_bits(a) & 0x7ff0000000000000ll) + (1ll << 52));
}

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
