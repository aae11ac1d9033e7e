// Threads, and how sweeps in several of them end early.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
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

// Ends a sweep early, in all its threads: when one of them failed, or when a
// signal came, which the thread that called looks for now and then.
class Watch {
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kInterval{100};
  const std::thread::id caller_ = std::this_thread::get_id();
  std::atomic<bool> stopped_{false};
  Clock::time_point next_ = Clock::now() + kInterval;
  int calls_ = 0;

 public:
  struct Stopped : std::exception {};

  void stop() { stopped_ = true; }

  // Called by all threads, far more often than once in kInterval.
  void check() {
    if (std::this_thread::get_id() == caller_ && ++calls_ % 16 == 0) look();
    if (stopped_) throw Stopped();
  }

  // Look for a signal if it is time.
  void look();

  // Wait for something that other threads do, asked for again and again.
  template <class Fn>
  void wait(Fn done) {
    for (int spin = 0; !done(); ++spin) {
      check();
      if (spin > 200) std::this_thread::yield();
    }
  }

  // The same for what takes longer; for the thread that called.
  template <class Fn>
  void sleep(std::unique_lock<std::mutex>& lock,
             std::condition_variable& changed, Fn done) {
    while (!changed.wait_for(lock, kInterval, done)) {
      lock.unlock();
      look();
      lock.lock();
    }
  }
};

// Run fn(0) ... fn(count - 1) in a thread each, fewer if the system has no
// more, and rethrow what the first of them threw: fn takes its work from a
// counter. Threads live for this call only, so that a fork is always safe.
template <class Fn>
void run_threads(Watch& watch, int count, Fn fn) {
  if (count <= 1) {
    fn(0);
    return;
  }
  std::exception_ptr error;
  std::mutex lock;
  std::condition_variable ended;
  int running = 0;  // besides this one
  auto guarded = [&](int i) {
    try {
      fn(i);
    } catch (...) {
      std::lock_guard<std::mutex> hold(lock);
      if (!error) error = std::current_exception();
      watch.stop();
    }
    if (i == 0) return;
    std::lock_guard<std::mutex> hold(lock);
    --running;
    ended.notify_one();
  };
  std::vector<std::thread> pool;
  pool.reserve(count - 1);
  try {
    for (int i = 1; i < count; ++i) {
      std::lock_guard<std::mutex> hold(lock);
      pool.emplace_back(guarded, i);
      ++running;
    }
  } catch (const std::system_error&) {
    // No more threads to be had: those that started do all the work.
  }
  guarded(0);
  {
    std::unique_lock<std::mutex> hold(lock);
    watch.sleep(hold, ended, [&] { return running == 0; });
  }
  for (auto& t : pool) t.join();
  if (error) std::rethrow_exception(error);
  watch.check();  // a signal may have come after the others' last
}

}  // namespace sdtw
