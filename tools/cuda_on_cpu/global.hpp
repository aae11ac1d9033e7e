// Pointers to global memory, which check every access.
#pragma once

#include <string.h>

#include <type_traits>

#include "races.hpp"
#include "reference.hpp"

namespace cuda_on_cpu {

template <class T>
class GlobalRef {
 public:
  GlobalRef(Key, uintptr_t at, const Buffer* buffer)
      : at_(at), buffer_(buffer) {}
  CUDA_ON_CPU_REF_ASSIGNMENTS(GlobalRef)

  template <bool kFresh = false>
  Value<T> load() const {
    check(false);
    if (buffer_->words) {
      each_word([this](GlobalWord& w, uint32_t offset) {
        note_read(w, offset, kFresh);
      });
    }
    Value<T> v;
    memcpy(&v, (const void*)at_, sizeof v);
    return v;
  }

  void store(const Value<T>& v) const {
    static_assert(!std::is_const<T>::value, "written through Global<const>");
    check(true);
    each_word(
        [this](GlobalWord& w, uint32_t offset) { note_write(w, offset); });
    memcpy((void*)at_, &v, sizeof v);
  }

  // For atomic access.
  Value<T>* checked() const {
    check(true);
    return (Value<T>*)at_;
  }
  void mark_written() const {
    each_word([](GlobalWord& w, uint32_t) { mark(w); });
  }
  Place place() const {
    const long long size = sizeof(T);
    if (!buffer_) return {"global", -1, (long long)at_ / size, -1, (int)size};
    const long long offset = (long long)(at_ - buffer_->low);
    return {"global", buffer_->argument,
            offset >= 0 ? offset / size : -((-offset + size - 1) / size),
            (long long)(buffer_->high - buffer_->low) / size, (int)size};
  }

 private:
  void check(bool writes) const {
    if (CUDA_ON_CPU_UNLIKELY(!buffer_ || at_ < buffer_->low ||
                             at_ + sizeof(T) > buffer_->high)) {
      fail_bounds(place(), writes);
    }
    if (CUDA_ON_CPU_UNLIKELY(at_ % alignof(T))) {
      fail_alignment(place(), alignof(T));
    }
  }

  template <class F>
  void each_word(const F& f) const {
    GlobalWord* w = buffer_->words + (at_ - buffer_->words_low) / 4;
    const uint32_t offset = (uint32_t)(at_ - buffer_->low);
    for (uint32_t i = 0; i < (sizeof(T) + 3) / 4; ++i) {
      f(w[i], offset + 4 * i);
    }
  }

  void note_read(GlobalWord& w, uint32_t offset, bool fresh) const {
    const State& s = state;
    const uint32_t own = s.block->id.x;
    if (w.write.time >= s.launch_start) {
      if (CUDA_ON_CPU_UNLIKELY(races(w.write_block, w.write))) {
        fail_race(place(), offset, false, w.write_block, w.write.thread, true);
      }
      if (CUDA_ON_CPU_UNLIKELY(w.write_block != own && !fresh)) {
        fail_stale(place(), w.write_block);
      }
    }
    const Stamp now = {s.now, s.self->thread.x};
    if (w.read_block == own && w.reads.a.time >= s.launch_start) {
      w.reads.note(now);
      return;
    }
    w.other = w.reads.a;
    w.other_block = w.read_block;
    w.read_block = own;
    w.reads = Reads();
    w.reads.a = now;
  }

  void note_write(GlobalWord& w, uint32_t offset) const {
    if (CUDA_ON_CPU_UNLIKELY(races(w.write_block, w.write))) {
      fail_race(place(), offset, true, w.write_block, w.write.thread, true);
    }
    for (const Stamp& r : {w.reads.a, w.reads.b, w.reads.c}) {
      if (CUDA_ON_CPU_UNLIKELY(races(w.read_block, r))) {
        fail_race(place(), offset, true, w.read_block, r.thread, false);
      }
    }
    if (CUDA_ON_CPU_UNLIKELY(races(w.other_block, w.other))) {
      fail_race(place(), offset, true, w.other_block, w.other.thread, false);
    }
    mark(w);
  }

  static void mark(GlobalWord& w) {
    w.write = {state.now, state.self->thread.x};
    w.write_block = state.block->id.x;
  }

  uintptr_t at_;
  const Buffer* buffer_;
};

// Global: an address and the argument that it comes from.
template <class T>
class GlobalPointer {
 public:
  GlobalPointer() : at_(0), buffer_(nullptr) {}
  GlobalPointer(std::nullptr_t) : GlobalPointer() {}
  GlobalPointer(Key, uintptr_t at, const Buffer* buffer)
      : at_(at), buffer_(buffer) {}
  template <class U, class = std::enable_if_t<std::is_same<const U, T>::value>>
  GlobalPointer(const GlobalPointer<U>& p) : at_(p.at_), buffer_(p.buffer_) {}

  GlobalRef<T> operator[](long long i) const {
    return {Key(), at_ + (uintptr_t)(i * (long long)sizeof(T)), buffer_};
  }
  GlobalPointer& operator+=(long long i) {
    at_ += (uintptr_t)(i * (long long)sizeof(T));
    return *this;
  }
  CUDA_ON_CPU_POINTER_ARITHMETIC(GlobalPointer, GlobalRef)
  friend long long operator-(const GlobalPointer& a, const GlobalPointer& b) {
    return (long long)(a.at_ - b.at_) / (long long)sizeof(T);
  }
  friend bool operator==(const GlobalPointer& a, const GlobalPointer& b) {
    return a.at_ == b.at_;
  }
  friend bool operator!=(const GlobalPointer& a, const GlobalPointer& b) {
    return a.at_ != b.at_;
  }
  friend bool operator==(const GlobalPointer& a, std::nullptr_t) {
    return !a.at_;
  }
  friend bool operator!=(const GlobalPointer& a, std::nullptr_t) {
    return a.at_;
  }
  explicit operator bool() const { return at_; }

  template <class U>
  GlobalPointer<U> as() const {
    static_assert(std::is_const<U>::value || !std::is_const<T>::value,
                  "casts const away");
    return {Key(), at_, buffer_};
  }

 private:
  template <class U>
  friend class GlobalPointer;
  uintptr_t at_;
  const Buffer* buffer_;
};

}  // namespace cuda_on_cpu
