#include "clocks.hpp"

#include <algorithm>

namespace ptx_on_cpu {

ClockPtr merged(const ClockPtr& a, const ClockPtr& b) {
  if (!a || !b || a == b) return a ? a : b;
  auto sum = std::make_shared<Clock>();
  sum->reserve(a->size() + b->size());
  auto i = a->begin(), j = b->begin();
  while (i != a->end() || j != b->end()) {
    if (j == b->end() || (i != a->end() && i->thread < j->thread)) {
      sum->push_back(*i++);
    } else if (i == a->end() || j->thread < i->thread) {
      sum->push_back(*j++);
    } else {
      sum->push_back({i->thread, std::max(i->own, j->own),
                      std::max(i->warp, j->warp),
                      std::max(i->block, j->block)});
      ++i, ++j;
    }
  }
  return sum;
}

bool covers(const ClockPtr& clock, uint32_t first, uint32_t last,
            uint32_t thread, uint32_t time) {
  if (!clock) return false;
  auto at = std::lower_bound(
      clock->begin(), clock->end(), first,
      [](const Seen& s, uint32_t thread) { return s.thread < thread; });
  for (; at != clock->end() && at->thread < last; ++at) {
    if (at->covers(thread, time)) return true;
  }
  return false;
}

void Memory::begin_launch() {
  if (now > 1u << 31) {
    now = 0;
    words.clear();
  }
  launch = ++now;
  records.resize(1);
  free = 0;
  histories.clear();
}

}  // namespace ptx_on_cpu
