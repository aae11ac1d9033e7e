// Settings of all calls, and the look for signals.
#include "threads.hpp"

namespace sdtw {

namespace {

std::atomic<int> threads{1};
thread_local int own = 0;  // 0 for the same as all
std::atomic<bool (*)()> interrupted{nullptr};

}  // namespace

int num_threads() { return own ? own : threads.load(); }
void set_num_threads(int n) { threads = n; }
void set_own_threads(int n) { own = n; }
void set_interrupted(bool (*fn)()) { interrupted = fn; }

void Watch::look() {
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + kInterval;
  const auto fn = interrupted.load();
  if (fn && fn()) stop();
}

}  // namespace sdtw
