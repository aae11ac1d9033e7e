// Pointers to shared memory, which check every access.
#pragma once

#include <string.h>

#include <type_traits>

#include "races.hpp"
#include "reference.hpp"

namespace cuda_on_cpu {

template <class T>
class SharedRef {
 public:
  SharedRef(Key, long long at, int low, int high)
      : at_(at), low_(low), high_(high) {}
  CUDA_ON_CPU_REF_ASSIGNMENTS(SharedRef)

  Value<T> load() const {
    check(false, alignof(T));
    const State& s = state;
    const Stamp now = {s.now, s.self->thread.x};
    SharedWord* w = s.block->words + at_ / 4;
    for (unsigned i = 0; i < (sizeof(T) + 3) / 4; ++i) {
      if (CUDA_ON_CPU_UNLIKELY(w[i].write.time < s.block->start)) {
        fail_uninitialized(place());
      }
      if (CUDA_ON_CPU_UNLIKELY(races(w[i].write))) {
        fail_race(place(), (uint32_t)at_ + 4 * i, false, s.block->id.x,
                  w[i].write.thread, true);
      }
      w[i].reads.note(now);
    }
    Value<T> v;
    memcpy(&v, s.block->shared + at_, sizeof v);
    return v;
  }

  void store(const Value<T>& v) const {
    static_assert(!std::is_const<T>::value, "written through Shared<const>");
    check(true, alignof(T));
    const State& s = state;
    SharedWord* w = s.block->words + at_ / 4;
    for (unsigned i = 0; i < (sizeof(T) + 3) / 4; ++i) {
      if (CUDA_ON_CPU_UNLIKELY(races(w[i].write))) {
        fail_race(place(), (uint32_t)at_ + 4 * i, true, s.block->id.x,
                  w[i].write.thread, true);
      }
      for (const Stamp& r : {w[i].reads.a, w[i].reads.b, w[i].reads.c}) {
        if (CUDA_ON_CPU_UNLIKELY(races(r))) {
          fail_race(place(), (uint32_t)at_ + 4 * i, true, s.block->id.x,
                    r.thread, false);
        }
      }
      w[i].write = {s.now, s.self->thread.x};
    }
    memcpy(s.block->shared + at_, &v, sizeof v);
  }

  void check(bool writes, size_t alignment) const {
    if (CUDA_ON_CPU_UNLIKELY(at_ < low_ || at_ + (int)sizeof(T) > high_)) {
      fail_bounds(place(), writes);
    }
    if (CUDA_ON_CPU_UNLIKELY((size_t)at_ % alignment)) {
      fail_alignment(place(), alignment);
    }
  }
  Place place() const {
    const long long size = sizeof(T), offset = at_ - low_;
    return {"shared", -1,
            offset >= 0 ? offset / size : -((-offset + size - 1) / size),
            high_ < 0 ? -1 : (high_ - low_) / size, (int)size};
  }

 private:
  long long at_;
  int low_, high_;
};

// Shared: an offset and the range that it may take.
template <class T>
class SharedPointer {
 public:
  SharedPointer() : at_(0), low_(0), high_(-1) {}
  SharedPointer(std::nullptr_t) : SharedPointer() {}
  SharedPointer(Key, int at, int low, int high)
      : at_(at), low_(low), high_(high) {}
  template <class U, class = std::enable_if_t<std::is_same<const U, T>::value>>
  SharedPointer(const SharedPointer<U>& p)
      : at_(p.at_), low_(p.low_), high_(p.high_) {}

  SharedRef<T> operator[](long long i) const {
    return {Key(), at_ + i * (long long)sizeof(T), low_, high_};
  }
  SharedPointer& operator+=(long long i) {
    at_ += (int)i * (int)sizeof(T);
    return *this;
  }
  CUDA_ON_CPU_POINTER_ARITHMETIC(SharedPointer, SharedRef)
  friend long long operator-(const SharedPointer& a, const SharedPointer& b) {
    return (a.at_ - b.at_) / (long long)sizeof(T);
  }
  friend bool operator==(const SharedPointer& a, const SharedPointer& b) {
    return a.at_ == b.at_ && (a.high_ < 0) == (b.high_ < 0);
  }
  friend bool operator!=(const SharedPointer& a, const SharedPointer& b) {
    return !(a == b);
  }
  friend bool operator==(const SharedPointer& a, std::nullptr_t) { return !a; }
  friend bool operator!=(const SharedPointer& a, std::nullptr_t) {
    return (bool)a;
  }
  explicit operator bool() const { return high_ >= 0; }

  int offset() const { return at_; }
  int low() const { return low_; }
  int high() const { return high_; }

 private:
  template <class U>
  friend class SharedPointer;
  int at_, low_, high_;
};

}  // namespace cuda_on_cpu
