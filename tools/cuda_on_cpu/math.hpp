// Vector types and functions of numbers.
#pragma once

#include <math.h>
#include <string.h>

struct alignas(8) int2 {
  int x, y;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
struct alignas(16) longlong2 {
  long long x, y;
};

#define CUDA_ON_CPU_MIN_MAX(A, B, T)                           \
  inline T min(A a, B b) { return (T)a < (T)b ? (T)a : (T)b; } \
  inline T max(A a, B b) { return (T)a > (T)b ? (T)a : (T)b; }
CUDA_ON_CPU_MIN_MAX(int, int, int)
CUDA_ON_CPU_MIN_MAX(unsigned, unsigned, unsigned)
CUDA_ON_CPU_MIN_MAX(int, unsigned, unsigned)
CUDA_ON_CPU_MIN_MAX(unsigned, int, unsigned)
CUDA_ON_CPU_MIN_MAX(long, long, long)
CUDA_ON_CPU_MIN_MAX(unsigned long, unsigned long, unsigned long)
CUDA_ON_CPU_MIN_MAX(long long, long long, long long)
CUDA_ON_CPU_MIN_MAX(unsigned long long, unsigned long long, unsigned long long)
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }

inline int to_bits(float a) {
  int b;
  memcpy(&b, &a, sizeof b);
  return b;
}
inline float from_bits(int a) {
  float b;
  memcpy(&b, &a, sizeof b);
  return b;
}
inline long long to_bits(double a) {
  long long b;
  memcpy(&b, &a, sizeof b);
  return b;
}
inline double from_bits(long long a) {
  double b;
  memcpy(&b, &a, sizeof b);
  return b;
}

inline int round_to_int(float a) {
  if (a != a) return 0;
  if (a >= 2147483648.0f) return 2147483647;
  if (a <= -2147483648.0f) return -2147483647 - 1;
  return (int)rintf(a);
}

inline float fused(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}
inline double fused(double a, double b, double c) {
  return __builtin_fma(a, b, c);
}
inline float product(float a, float b) { return a * b; }
inline double product(double a, double b) { return a * b; }
inline float sum(float a, float b) { return a + b; }
inline double sum(double a, double b) { return a + b; }
inline float reciprocal(float a) { return 1 / a; }
inline double reciprocal(double a) { return 1 / a; }
inline float inverse_root(float a) { return 1 / sqrtf(a); }
