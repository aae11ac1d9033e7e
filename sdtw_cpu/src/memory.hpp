// Memory that is kept from one call to the next.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace sdtw {

// Tell AddressSanitizer how many of the bytes that were allocated may be used:
// it knows nothing of memory that is kept, or larger than what was asked for.
inline void mark_used(void* memory, size_t used, size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  __asan_unpoison_memory_region(memory, used);
  __asan_poison_memory_region((char*)memory + used, bytes - used);
#else
  (void)memory, (void)used, (void)bytes;
#endif
}

// Memory from earlier calls: taking it fresh from the system costs a page
// fault for every 4 KiB, a tenth of the time of a batch of short series. The
// lock can only be tried, so that a child forked while it was held goes on
// without the pool.
class MemoryPool {
  class TryLock {
    std::atomic_flag held_ = ATOMIC_FLAG_INIT;

   public:
    bool try_lock() { return !held_.test_and_set(std::memory_order_acquire); }
    void unlock() { held_.clear(std::memory_order_release); }
  };
  static constexpr size_t kBlock = 8 << 20, kTotal = 32 << 20;
  struct Block {
    void* memory;
    size_t bytes;
  };
  TryLock lock_;
  std::vector<Block> blocks_;
  size_t total_ = 0;

 public:
  static constexpr std::align_val_t kLine{64};

  static MemoryPool& get() {
    static MemoryPool* pool = new MemoryPool();  // outlives every thread
    return *pool;
  }

  // Memory of at least `bytes`, which becomes the size that it has.
  void* acquire(size_t& bytes) {
    std::unique_lock<TryLock> hold(lock_, std::try_to_lock);
    if (hold) {
      auto best = blocks_.end();
      for (auto i = blocks_.begin(); i != blocks_.end(); ++i)
        if (i->bytes >= bytes && i->bytes / 2 <= bytes &&
            (best == blocks_.end() || i->bytes < best->bytes))
          best = i;
      if (best != blocks_.end()) {
        const Block block = *best;
        *best = blocks_.back();
        blocks_.pop_back();
        total_ -= block.bytes;
        bytes = block.bytes;
        return block.memory;
      }
      hold.unlock();
    }
    return ::operator new(bytes, kLine);
  }

  void release(void* memory, size_t bytes) {
    mark_used(memory, 0, bytes);
    if (!keep({memory, bytes})) ::operator delete(memory, kLine);
  }

  // Give all of it back to the system.
  void clear() {
    std::unique_lock<TryLock> hold(lock_, std::try_to_lock);
    if (!hold) return;
    for (const Block& block : blocks_) ::operator delete(block.memory, kLine);
    blocks_ = {};
    total_ = 0;
  }

 private:
  bool keep(const Block& block) {
    std::unique_lock<TryLock> hold(lock_, std::try_to_lock);
    if (!hold || block.bytes > kBlock || total_ + block.bytes > kTotal)
      return false;
    try {
      blocks_.push_back(block);
    } catch (const std::bad_alloc&) {
      return false;  // no room to note it
    }
    total_ += block.bytes;
    return true;
  }
};

// A buffer that only grows, aligned to cache lines; its memory is not touched.
template <class T>
class Buffer {
  T* data_ = nullptr;
  size_t bytes_ = 0;

 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)) {}
  Buffer& operator=(Buffer&&) = delete;
  ~Buffer() { clear(); }

  T* get(size_t n) {
    size_t bytes = n * sizeof(T);
    if (bytes > bytes_) {
      clear();
      data_ = static_cast<T*>(MemoryPool::get().acquire(bytes));
      bytes_ = bytes;
    }
    mark_used(data_, n * sizeof(T), bytes_);
    return data_;
  }
  T* zeros(size_t n) {
    T* p = get(n);
    std::fill_n(p, n, T(0));
    return p;
  }
  T* data() const { return data_; }

 private:
  void clear() {
    if (data_) MemoryPool::get().release(data_, bytes_);
    data_ = nullptr;
    bytes_ = 0;
  }
};

}  // namespace sdtw
