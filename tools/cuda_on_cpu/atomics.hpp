// What the blocks of a launch tell each other.
#pragma once

#include <memory>
#include <vector>

#include "language.hpp"
#include "math.hpp"

inline int draw(Global<int> counter) {
  int* p = counter[0].checked();
  cuda_on_cpu::yield();
  return (*p)++;
}

template <class T>
inline T load_fresh(Global<T> p, long long i) {
  return p[i].template load<true>();
}

inline void raise(Global<double> p, double value) {
  double* at = p[0].checked();
  if ((unsigned long long)to_bits(value) > (unsigned long long)to_bits(*at)) {
    *at = value;
  }
}

inline void publish(Global<int> progress, int value) {
  using namespace cuda_on_cpu;
  State& s = state;
  int* at = progress[0].checked();
  const uint32_t thread = s.self->thread.x, own = s.block->id.x;
  auto release = std::make_shared<Clock>();
  release->push_back(
      {clock_key(own, thread),
       Release{s.block->barrier, s.warp->barrier, s.now, thread}});
  ClockPtr clock = merged(s.warp->clock, release);
  for (const Learnt& l : s.warp->learnt) {
    if (l.thread == thread) clock = merged(clock, l.clock);
  }
  auto& history = s.published[(uintptr_t)at];
  if (history.empty()) history.push_back({*at, true, 0, nullptr});
  history.push_back({value, false, own, clock});
  progress[0].mark_written();
  ++s.now;
  *at = value;
  for (size_t i = 0; i < s.waiters.size();) {
    const Waiter w = s.waiters[i];
    if (w.at != at || value < w.value) {
      ++i;
      continue;
    }
    make_runnable(w.fiber->warp, 1u << w.fiber->thread.x % kWarp);
    s.waiters[i] = s.waiters.back();
    s.waiters.pop_back();
  }
  yield();
}

inline void await(Global<int> progress, int value) {
  using namespace cuda_on_cpu;
  State& s = state;
  const auto ref = progress[0];
  const int* at = ref.checked();
  yield();
  while (*(const volatile int*)at < value) {
    const Place place = ref.place();
    s.waiters.push_back({s.self, at, value, place.argument, place.index});
    stop(s.warp, own_lane());
    yield();
  }
  // The least that may have been seen.
  const auto found = s.published.find((uintptr_t)at);
  if (found == s.published.end()) return;
  const std::vector<Published>& history = found->second;
  size_t i = history.size();
  while (i > 0 && history[i - 1].value >= value) --i;
  if (i == history.size() || history[i].initial) return;
  s.warp->learnt.push_back({s.self->thread.x, history[i].clock});
  s.block->news = true;
}
