// Numbers as words that are never zero, so that zero means not yet written.
#pragma once

#include "device.cuh"

using Word = unsigned long long;

// Words that another block of the launch writes or reads, each by one access.
template <int kCount>
struct Words {
  Word word[kCount];

  SDTW_DEVICE bool written() const {
    bool all = true;
    SDTW_UNROLL
    for (int i = 0; i < kCount; ++i) all &= word[i] != 0;
    return all;
  }
  static SDTW_DEVICE Words load(Global<const Word> from) {
    Words w;
    SDTW_UNROLL
    for (int i = 0; i < kCount; ++i) w.word[i] = load_relaxed(from + i);
    return w;
  }
  SDTW_DEVICE void store(Global<Word> to) const {
    SDTW_UNROLL
    for (int i = 0; i < kCount; ++i) store_relaxed(to + i, word[i]);
  }
};

// Numbers as bits that are not 0: with the sign inverted, of 0 and not of -0.
SDTW_DEVICE int code(float a) { return to_bits(sum(a, 0.0f)) ^ (1 << 31); }
SDTW_DEVICE long long code(double a) {
  return to_bits(sum(a, 0.0)) ^ (1ll << 63);
}
SDTW_DEVICE float decode(int a) { return from_bits(a ^ (1 << 31)); }
SDTW_DEVICE double decode(long long a) { return from_bits(a ^ (1ll << 63)); }

// Two halves, the first of which is not 0.
SDTW_DEVICE Word halves(int first, int second) {
  return (unsigned)first | (Word)(unsigned)second << 32;
}
SDTW_DEVICE int first_half(Word w) { return (int)(unsigned)w; }
SDTW_DEVICE int second_half(Word w) { return (int)(unsigned)(w >> 32); }

// One or two numbers.
template <class T, int kParts>
struct NumberWords;

template <int kParts>
struct NumberWords<float, kParts> {
  enum : int { kCount = 1 };
  static SDTW_DEVICE Words<1> pack(const float* part) {
    if (kParts == 1) return {{halves(to_bits(part[0]), 1)}};
    return {{halves(code(part[0]), to_bits(part[kParts - 1]))}};
  }
  static SDTW_DEVICE void unpack(const Words<1>& w, float* part) {
    const int first = first_half(w.word[0]);
    part[0] = kParts == 1 ? from_bits(first) : decode(first);
    if (kParts > 1) part[kParts - 1] = from_bits(second_half(w.word[0]));
  }
};

template <int kParts>
struct NumberWords<double, kParts> {
  enum : int { kCount = kParts };
  static SDTW_DEVICE Words<kParts> pack(const double* part) {
    Words<kParts> w;
    SDTW_UNROLL
    for (int i = 0; i < kParts; ++i) w.word[i] = (Word)code(part[i]);
    return w;
  }
  static SDTW_DEVICE void unpack(const Words<kParts>& w, double* part) {
    SDTW_UNROLL
    for (int i = 0; i < kParts; ++i) part[i] = decode((long long)w.word[i]);
  }
};
