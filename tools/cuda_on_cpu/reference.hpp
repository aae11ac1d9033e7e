// What references and pointers to global and to shared memory have in common.
#pragma once

#include <type_traits>

namespace cuda_on_cpu {

template <class T>
using Value = std::remove_const_t<T>;

// What p[i] is: read as a value, or assigned to. It cannot be kept, as that
// would be a pointer here and a value there.
#define CUDA_ON_CPU_REF_ASSIGNMENTS(Ref)                       \
  Value<T> operator=(const Value<T>& v) && {                   \
    store(v);                                                  \
    return v;                                                  \
  }                                                            \
  Value<T> operator=(Ref&& other) && {                         \
    const Value<T> v = other.load();                           \
    store(v);                                                  \
    return v;                                                  \
  }                                                            \
  void operator+=(const Value<T>& v) && { store(load() + v); } \
  void operator-=(const Value<T>& v) && { store(load() - v); } \
  void operator*=(const Value<T>& v) && { store(load() * v); } \
  void operator/=(const Value<T>& v) && { store(load() / v); } \
  operator Value<T>() && { return load(); }                    \
  Ref(const Ref&) = delete;

// All that follows from operator[] and operator+=.
#define CUDA_ON_CPU_POINTER_ARITHMETIC(Pointer, Ref)                  \
  Ref<T> operator*() const { return (*this)[0]; }                     \
  Pointer& operator-=(long long i) { return *this += -i; }            \
  Pointer& operator++() { return *this += 1; }                        \
  Pointer& operator--() { return *this += -1; }                       \
  friend Pointer operator+(Pointer p, long long i) { return p += i; } \
  friend Pointer operator+(long long i, Pointer p) { return p += i; } \
  friend Pointer operator-(Pointer p, long long i) { return p += -i; }

struct Key {};

}  // namespace cuda_on_cpu
