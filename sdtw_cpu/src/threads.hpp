// Threads, and how sweeps in several of them end early.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace sdtw {

int num_threads();
void set_num_threads(int n);

// Set the number for calls of this thread alone; 0 takes it back.
void set_own_threads(int n);

// Set the function that the thread that called asks some ten times a second
// whether to stop. Then sweeps throw an exception of their own. Null asks
// nothing.
void set_interrupted(bool (*fn)());

// Where the threads of a sweep wait for each other. Also ends it early: when
// one of them failed, or when a signal came, which the thread that called
// looks for now and then.
class Watch {
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kInterval{100};
  // What comes soon is worth no sleep. A thread that waits longer lets go of
  // its core, which the one that it waits for may need.
  static constexpr std::chrono::microseconds kSpin{50};
  const std::thread::id caller_ = std::this_thread::get_id();
  std::atomic<bool> stopped_{false};
  std::atomic<int> waiting_{0};
  std::atomic<int> inside_{0};  // threads besides the caller's; -1: closed
  std::mutex lock_;
  std::condition_variable changed_;
  Clock::time_point next_ = Clock::now() + kInterval;
  int64_t work_ = 0;  // of the caller's thread since it looked at the clock

  bool by_caller() const { return std::this_thread::get_id() == caller_; }

  // Look for a signal if it is time.
  void look();

 public:
  struct Stopped : std::exception {};
  static constexpr int64_t kTile = 1 << 13;  // cells, about

  void stop() {
    stopped_ = true;
    wake_all();
  }
  bool stopped() const { return stopped_; }

  // Called by threads that begin and end to take part; false if closed.
  bool enter() {
    int n = inside_;
    while (n >= 0 && !inside_.compare_exchange_weak(n, n + 1)) {
    }
    return n >= 0;
  }
  void leave() {
    if (--inside_ == 0) wake_all();
  }
  // Wait for those that take part and let no others in.
  void close() {
    wait([&] {
      int none = 0;
      return inside_.compare_exchange_strong(none, -1);
    });
  }

  // Called by all threads, far more often than once in kInterval, with how
  // many numbers were, or will be, worked on since the last call.
  void check(int64_t work = kTile) {
    if (by_caller() && (work_ += work) >= 16 * kTile) {
      work_ = 0;
      look();
    }
    if (stopped_) throw Stopped();
  }

  // Wait until done(), which is asked now and whenever another thread says
  // that something has changed.
  template <class Fn>
  void wait(Fn done) {
    for (const auto end = Clock::now() + kSpin; Clock::now() < end;)
      if (done()) return;
    std::unique_lock<std::mutex> hold(lock_);
    ++waiting_;
    while (!changed_.wait_for(hold, kInterval, done)) {
      hold.unlock();
      if (by_caller()) look();
      hold.lock();
    }
    --waiting_;
  }

  // Whether a thread sleeps. What it waits for must have changed before, by a
  // write to an atomic.
  bool waiting() const { return waiting_ > 0; }
  void wake_one() {
    {
      std::lock_guard<std::mutex> hold(lock_);
    }
    changed_.notify_one();
  }
  void wake_all() {
    {
      std::lock_guard<std::mutex> hold(lock_);
    }
    changed_.notify_all();
  }
};

// Run fn(0) ... fn(count - 1) in a thread each, fewer if the system has no
// more, and rethrow what the first of them threw: fn takes its work from a
// counter. Threads live for this call only, so that a fork is always safe. One
// that the system starts when all is done, as the cores were busy, is not
// waited for: it finds the watch closed and touches nothing else.
template <class Fn>
void run_threads(const std::shared_ptr<Watch>& watch, int count, Fn fn) {
  if (count <= 1) {
    fn(0);
    return;
  }
  std::exception_ptr error;
  std::atomic<bool> failed{false};
  const auto guarded = [&](int i) {
    try {
      fn(i);
    } catch (...) {
      if (!failed.exchange(true)) error = std::current_exception();
      watch->stop();
    }
  };
  try {
    for (int i = 1; i < count; ++i)
      std::thread([watch, &guarded, i] {
        if (!watch->enter()) return;
        guarded(i);
        watch->leave();
      }).detach();
  } catch (const std::exception&) {
    // No more threads to be had: those that started do all the work.
  }
  guarded(0);
  watch->close();
  if (error) std::rethrow_exception(error);
  watch->check();  // a signal may have come after the others' last
}

}  // namespace sdtw
