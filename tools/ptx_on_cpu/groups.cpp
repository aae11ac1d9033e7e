// Groups of lanes: where they wait for each other, and meet.
#include "collective.hpp"
#include "machine.hpp"

namespace ptx_on_cpu {

namespace {

const Instruction& instruction_of(const Warp& w, const Group& g) {
  return w.machine->kernel.code[(size_t)g.at];
}

// A group goes on after what it has waited for.
void go_on(Group& g) {
  ++g.at;
  g.state = State::kReady;
  g.family = 0;
}

// Those of some threads of a block who wait at a barrier learn of each other.
void meet_some(Block& b, uint32_t number, Memory& memory) {
  const uint32_t now = ++memory.now;
  ClockPtr all = b.barriers[number].clock;
  for (int pass = 0; pass < 2; ++pass) {
    for (Warp& w : b.warps) {
      Knowledge& k = w.knowledge;
      uint32_t lanes = 0;
      for (int g = 0; g < w.count; ++g) {
        const Group& group = w.groups[(size_t)g];
        if (group.state == State::kBarrier && group.mask == number) {
          lanes |= group.lanes;
        }
      }
      const uint32_t warp = lanes == w.exists ? now : k.synced;
      for (uint32_t rest = lanes; rest; rest &= rest - 1) {
        const int l = first(rest);
        ClockPtr& own = k.clocks[(size_t)l];
        if (pass) {
          own = merged(own, all);
          continue;
        }
        all = merged(all, own);
        if (lanes == w.exists && l != first(lanes)) continue;
        auto seen = std::make_shared<Clock>();
        seen->push_back(
            {w.number * kLanes + (uint32_t)l, now, warp, b.barrier});
        all = merged(all, seen);
      }
      if (!pass || !lanes) continue;
      k.time = now;
      if (lanes == w.exists) k.synced = now;
      k.news = b.news = true;
    }
  }
}

void open(Block& b, uint32_t number) {
  Barrier& barrier = b.barriers[number];
  Memory& memory = b.warps[0].machine->memory;
  if (barrier.expected == b.warps[0].machine->options.threads) {
    meet_all(b, memory);
  } else {
    meet_some(b, number, memory);
  }
  for (Warp& w : b.warps) {
    bool waited = false;
    for (int g = 0; g < w.count; ++g) {
      Group& group = w.groups[(size_t)g];
      if (group.state != State::kBarrier || group.mask != number) continue;
      go_on(group);
      waited = true;
    }
    if (!waited) continue;
    merge(w);
    set_ready(w);
  }
  barrier = {};
}

}  // namespace

void set_ready(Warp& w) {
  if (w.ready != kNotReady) return;
  w.ready = w.machine->ready.size();
  w.machine->ready.push_back(&w);
}

void clear_ready(Warp& w) {
  auto& ready = w.machine->ready;
  Warp* last = ready.back();
  ready[w.ready] = last;
  last->ready = w.ready;
  ready.pop_back();
  w.ready = kNotReady;
}

void merge(Warp& w) {
  for (int a = 0; a < w.count; ++a) {
    Group& g = w.groups[(size_t)a];
    for (int b = w.count - 1; b > a; --b) {
      const Group& h = w.groups[(size_t)b];
      if (g.at == h.at && g.family == h.family && g.state == State::kReady &&
          h.state == State::kReady) {
        g.lanes |= h.lanes;
        w.groups[(size_t)b] = w.groups[(size_t)--w.count];
      }
    }
  }
}

void arrive(Warp& w, Group& g, const Instruction& i) {
  const uint32_t mask = mask_of(w, i, g.lanes);
  Arrival arrivals[kLanes];
  Group* groups[kLanes];
  int count = 0;
  uint32_t arrived = 0;
  g.state = State::kCollective;
  g.mask = mask;
  for (int k = 0; k < w.count; ++k) {
    Group& other = w.groups[(size_t)k];
    if (other.state != State::kCollective || !(other.lanes & mask) ||
        other.mask != mask) {
      continue;
    }
    const Instruction& theirs = instruction_of(w, other);
    if (theirs.variant != i.variant) {
      fail(w, first(g.lanes), Error::kDivergence,
           "divergence: thread %d is in another operation with the same mask "
           "0x%x",
           (int)(w.number % w.machine->warps_per_block) * kLanes +
               first(other.lanes),
           mask);
    }
    arrivals[count] = {other.lanes, &theirs};
    groups[count++] = &other;
    arrived |= other.lanes;
  }
  if (arrived != mask) return;
  w.machine->looks = 0;
  complete(w, mask, arrivals, count);
  for (int k = 0; k < count; ++k) go_on(*groups[k]);
  merge(w);
}

void arrive_at_barrier(Warp& w, Group& g, const Instruction& i) {
  Block& b = *w.block;
  const uint32_t threads = w.machine->options.threads;
  const int lane = first(g.lanes);
  const uint32_t number = w.in<uint32_t>(i.from[0])[lane];
  uint32_t expected = threads;
  if (i.from[1] != kNone) expected = w.in<uint32_t>(i.from[1])[lane];
  if (number >= kBarriers || expected > threads || !expected) {
    fail(w, lane, Error::kLaunch, "barrier %u of %u threads", number,
         expected);
  }
  Barrier& barrier = b.barriers[number];
  if (barrier.arrived && barrier.expected != expected) {
    fail(w, lane, Error::kDivergence,
         "barrier divergence: barrier %u of %u threads, but %u threads wait "
         "there for %u",
         number, expected, barrier.arrived, barrier.expected);
  }
  if (expected == threads && b.done) {
    fail(w, lane, Error::kDivergence,
         "barrier divergence: at the barrier of all threads, but %u of the "
         "block's threads have returned",
         b.done);
  }
  barrier.expected = expected;
  barrier.arrived += (uint32_t)__builtin_popcount(g.lanes);
  if (i.variant) {  // does not wait
    for (uint32_t rest = g.lanes; rest; rest &= rest - 1) {
      barrier.clock = merged(barrier.clock, known_through(w, first(rest)));
    }
    ++g.at;
  } else {
    for (int k = 0; k < w.count && i.negated; ++k) {
      const Group& other = w.groups[(size_t)k];
      if (&other != &g && other.state == State::kBarrier &&
          other.mask == number && other.at != g.at) {
        fail(w, lane, Error::kDivergence,
             "barrier divergence: lane %d of the warp waits in another "
             "bar.sync",
             first(other.lanes));
      }
    }
    g.state = State::kBarrier;
    g.mask = number;
  }
  if (barrier.arrived > barrier.expected) {
    fail(w, lane, Error::kDivergence,
         "barrier divergence: %u threads at barrier %u of %u", barrier.arrived,
         number, barrier.expected);
  }
  w.machine->looks = 0;
  if (barrier.arrived == barrier.expected) open(b, number);
}

void leave(Warp& w, uint32_t lanes) {
  Block& b = *w.block;
  const uint32_t threads = w.machine->options.threads;
  for (const Barrier& barrier : b.barriers) {
    if (barrier.arrived && barrier.expected == threads) {
      fail(w, first(lanes), Error::kDivergence,
           "barrier divergence: returns while %u threads of the block are at "
           "a barrier",
           barrier.arrived);
    }
  }
  for (int k = 0; k < w.count; ++k) {
    const Group& g = w.groups[(size_t)k];
    if (g.state == State::kCollective && (g.mask & lanes)) {
      fail(w, first(lanes), Error::kDivergence,
           "divergence: returns while lane %d waits for it", first(g.lanes));
    }
  }
  w.done |= lanes;
  b.done += (uint32_t)__builtin_popcount(lanes);
  w.machine->looks = 0;
}

}  // namespace ptx_on_cpu
