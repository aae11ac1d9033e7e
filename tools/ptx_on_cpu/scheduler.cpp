// Whose turn it is: blocks, warps and groups of lanes, in random order.
#include <algorithm>

#include "machine.hpp"

namespace ptx_on_cpu {

namespace {

// How often threads may look whether another one has written something while
// nothing happens, for each warp that can run.
constexpr uint64_t kMostLooks = 4000;

// The next group of its family that this one may come to.
int next_join(const Warp& w, const Group& g) {
  int join = INT32_MAX;
  for (int k = 0; k < w.count; ++k) {
    const Group& other = w.groups[(size_t)k];
    if (&other != &g && other.state == State::kReady &&
        other.family == g.family && other.at >= g.at) {
      join = std::min(join, other.at);
    }
  }
  return join;
}

// The lanes of a group that `taken` are at `target`, the others go on.
void diverge(Warp& w, Group& g, uint32_t taken, int target) {
  Group& other = w.groups[(size_t)w.count++];
  other = g;
  other.lanes = taken;
  other.at = target;
  g.lanes &= ~taken;
  ++g.at;
  // The one that is behind goes first.
  if (other.at < g.at) std::swap(other, g);
}

// Runs a group until it waits or leaves, or is no more.
void run(Warp& w, size_t index, int steps) {
  Machine& m = *w.machine;
  const Instruction* code = m.kernel.code.data();
  Group& g = w.groups[index];
  int join = w.count > 1 ? next_join(w, g) : INT32_MAX;
  int at = g.at;
  uint32_t lanes = g.lanes;
  int left = steps;
  while (left-- > 0 && at != join) {
    const Instruction& i = code[at];
    uint32_t active = lanes;
    w.current = at;
    if (i.guard != kNone) {
      const uint32_t p = *w.in<uint32_t>(i.guard);
      active &= i.negated_guard ? ~p : p;
    }
    if (i.tracked || (i.touches & w.poisoned)) {
      pass_on_poison(w, at, lanes, active);
    }
    if (i.kind == Kind::kPlain) {
      if (active) i.execute(w, i, active);
      ++at;
      continue;
    }
    g.at = at;
    switch (i.kind) {
      case Kind::kBranch:
        if (!active) {
          ++at;
        } else if (active == lanes) {
          at = i.target;
          if (w.count > 1) {
            g.at = at;
            join = next_join(w, g);
            if (join != INT32_MAX) left = std::min(left, 256);
          }
        } else {
          diverge(w, g, active, i.target);
          at = g.at;
          lanes = g.lanes;
          join = next_join(w, g);
        }
        continue;
      case Kind::kPause:
        if (active) i.execute(w, i, active);
        g.at = at + 1;
        m.executed += (uint64_t)(steps - left);
        return;
      case Kind::kExit:
        if (!active) {
          ++at;
          continue;
        }
        g.lanes &= ~active;
        g.at = at + 1;
        if (!g.lanes) g = w.groups[(size_t)--w.count];
        leave(w, active);
        m.executed += (uint64_t)(steps - left);
        return;
      default:
        if (!active) {
          ++at;
          continue;
        }
        if (active != lanes) {
          // Those that do not take part go on by themselves.
          Group& other = w.groups[(size_t)w.count++];
          other = g;
          other.lanes = lanes & ~active;
          ++other.at;
          g.lanes = active;
        }
        if (i.kind == Kind::kBarrier) {
          arrive_at_barrier(w, g, i);
        } else {
          arrive(w, g, i);
          if (w.count == 1 && index == 0 && g.state == State::kReady) {
            at = g.at;
            lanes = g.lanes;
            join = INT32_MAX;
            continue;
          }
        }
        m.executed += (uint64_t)(steps - left);
        return;
    }
  }
  g.at = at;
  m.executed += (uint64_t)(steps - left);
}

// A ready group: mostly the one that is behind all others of its family.
size_t choose_group(Warp& w, uint32_t random) {
  size_t ready[kLanes];
  size_t count = 0;
  for (size_t k = 0; k < (size_t)w.count; ++k) {
    if (w.groups[k].state == State::kReady) ready[count++] = k;
  }
  size_t chosen = ready[random % count];
  if (random >> 8 & 7) {
    for (size_t k = 0; k < count; ++k) {
      const Group& g = w.groups[ready[k]];
      if (g.family == w.groups[chosen].family && g.at < w.groups[chosen].at) {
        chosen = ready[k];
      }
    }
  }
  return chosen;
}

bool any_ready(const Warp& w) {
  for (int k = 0; k < w.count; ++k) {
    if (w.groups[(size_t)k].state == State::kReady) return true;
  }
  return false;
}

// Lets some lanes of a group go on by themselves until they meet again.
void split(Warp& w, size_t index, uint32_t lanes) {
  Group& g = w.groups[index];
  lanes &= g.lanes;
  if (g.state != State::kReady || !lanes || lanes == g.lanes) return;
  Group& other = w.groups[(size_t)w.count++];
  other = g;
  other.lanes = lanes;
  other.family = ++w.families;
  g.lanes &= ~lanes;
}

}  // namespace

void Machine::start(Block& b, uint32_t id) {
  const uint32_t threads = options.threads;
  b.id = id;
  b.first_warp = id * warps_per_block;
  b.start = b.barrier = ++memory.now;
  b.done = 0;
  b.news = false;
  b.barriers.fill({});
  const size_t align = (size_t)kernel.dynamic_alignment;
  const size_t bytes = ((size_t)kernel.shared_bytes + align - 1) / align *
                           align * (options.dynamic_bytes > 0) +
                       (options.dynamic_bytes ? options.dynamic_bytes
                                              : (size_t)kernel.shared_bytes);
  b.shared.assign(bytes, (char)0xff);
  b.words.resize((bytes + 3) / 4);
  b.warps.resize(warps_per_block);
  for (uint32_t k = 0; k < warps_per_block; ++k) {
    Warp& w = b.warps[k];
    const uint32_t lanes = std::min<uint32_t>(kLanes, threads - k * kLanes);
    w.storage.resize(kernel.register_bytes + 64);
    w.registers = (char*)(((uintptr_t)w.storage.data() + 63) / 64 * 64);
    w.constants = kernel.constants.data();
    w.machine = this;
    w.block = &b;
    w.number = b.first_warp + k;
    w.exists = kAll >> (kLanes - lanes);
    w.done = 0;
    w.groups[0] = {w.exists, 0, 0, 0, State::kReady};
    w.count = 1;
    w.families = 0;
    w.current = 0;
    w.knowledge = Knowledge();
    w.knowledge.time = w.knowledge.synced = b.start;
    w.local.assign((size_t)kernel.local_bytes * kLanes, (char)0xff);
    w.copies.clear();
    w.poison.clear();
    w.poisoned = 0;
    w.committed.fill(0);
    w.ready = kNotReady;
    set_ready(w);
    for (const At at : kernel.masks) *w.out<uint32_t>(at) = 0;
    for (const Special& special : kernel.specials) {
      uint32_t* to = w.out<uint32_t>(special.at);
      for (uint32_t l = 0; l < kLanes; ++l) {
        const std::string& name = special.name;
        to[l] = name == "%tid.x"         ? k * kLanes + l
                : name == "%ntid.x"      ? threads
                : name == "%ctaid.x"     ? id
                : name == "%nctaid.x"    ? options.blocks
                : name == "%laneid"      ? l
                : name == "%warpid"      ? k
                : name == "%nwarpid"     ? warps_per_block
                : name == "%lanemask_eq" ? 1u << l
                : name == "%lanemask_lt" ? (1u << l) - 1
                : name == "%lanemask_le" ? (2u << l) - 1
                : name == "%lanemask_ge" ? kAll << l
                : name == "%lanemask_gt" ? kAll << l << 1
                : name.find("n") == 1    ? 1  // %ntid.y and the like
                                         : 0;
      }
    }
  }
}

void Machine::run() {
  std::vector<uint32_t> order(options.blocks);
  for (uint32_t k = 0; k < options.blocks; ++k) order[k] = k;
  for (uint32_t k = options.blocks; k > 1; --k) {
    std::swap(order[k - 1], order[random() % k]);
  }
  size_t started = 0;
  while (blocks.size() < options.resident && started < order.size()) {
    blocks.push_back(std::make_unique<Block>());
    start(*blocks.back(), order[started++]);
  }
  size_t live = blocks.size();
  while (live) {
    if (ready.empty()) explain_standstill();
    if (looks > kMostLooks * (ready.size() + 4)) explain_standstill();
    const uint32_t r = random();
    Warp& w = *ready[r % ready.size()];
    const uint32_t s = random();
    const size_t g = w.count > 1 ? choose_group(w, s) : 0;
    const int steps =
        s & 0xf000 ? 64 + (int)(s >> 16 & 511) : 1 + (int)(s >> 16 & 7);
    ptx_on_cpu::run(w, g, steps);
    if (w.count > 1) {
      merge(w);
    } else if (!w.count) {
      clear_ready(w);
      Block& b = *w.block;
      if (b.done < options.threads) continue;
      if (started < order.size()) {
        start(b, order[started++]);
      } else {
        --live;
      }
      continue;
    }
    if (!w.poison.empty()) forget_poison(w);
    if (!(r >> 24 & 15))
      split(w, random() % (uint32_t)w.count, random() << 1 ^ random());
    if (!any_ready(w) && w.ready != kNotReady) clear_ready(w);
  }
}

}  // namespace ptx_on_cpu
