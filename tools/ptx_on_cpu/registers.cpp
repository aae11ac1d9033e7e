// Places for registers: those that are not needed at the same time share one,
// so that what a warp works with fits into a cache. And which reads may be of
// a register that was not written.
#include <algorithm>

#include "parser.hpp"

namespace ptx_on_cpu {

namespace {

class Bits {
 public:
  explicit Bits(size_t count) : words_((count + 63) / 64) {}
  bool has(size_t k) const { return words_[k / 64] >> (k % 64) & 1; }
  void add(size_t k) { words_[k / 64] |= 1ull << (k % 64); }
  void fill() { std::fill(words_.begin(), words_.end(), ~0ull); }
  bool operator==(const Bits& other) const { return words_ == other.words_; }
  // this = a op b op c, word by word
  template <class F>
  bool update(const Bits& a, F f) {
    uint64_t changed = 0;
    for (size_t k = 0; k < words_.size(); ++k) {
      const uint64_t now = f(words_[k], a.words_[k], k);
      changed |= now ^ words_[k];
      words_[k] = now;
    }
    return changed;
  }
  uint64_t word(size_t k) const { return words_[k]; }
  template <class F>
  void for_each(F f) const {
    for (size_t k = 0; k < words_.size(); ++k) {
      for (uint64_t rest = words_[k]; rest; rest &= rest - 1) {
        f(64 * k + (size_t)__builtin_ctzll(rest));
      }
    }
  }

 private:
  std::vector<uint64_t> words_;
};

struct BasicBlock {
  int begin, end;
  std::vector<int> next;
  Bits used, written, live_in, live_out, assigned;
};

template <class F>
void for_reads(const Instruction& i, F f) {
  if (i.guard != kNone && i.guard >= 0) f(i.guard);
  for (const At at : i.from) {
    if (at != kNone && at >= 0) f(at);
  }
  if (!i.stores) return;
  for (const At at : i.to) {
    if (at != kNone && at >= 0) f(at);
  }
}

template <class F>
void for_writes(const Instruction& i, F f) {
  if (i.stores) return;
  for (const At at : i.to) {
    if (at != kNone) f(at);
  }
}

std::vector<BasicBlock> blocks_of(const Kernel& kernel, size_t registers) {
  const int count = (int)kernel.code.size();
  std::vector<int> number((size_t)count + 1, 0);  // of the block that begins
  for (int k = 0; k < count; ++k) {
    const Instruction& i = kernel.code[(size_t)k];
    if (i.kind == Kind::kBranch) number[(size_t)i.target] = 1;
    if (i.kind == Kind::kBranch || i.kind == Kind::kExit) {
      number[(size_t)k + 1] = 1;
    }
  }
  std::vector<BasicBlock> blocks;
  const Bits none(registers);
  for (int k = 0; k < count; ++k) {
    if (k == 0 || number[(size_t)k]) {
      if (!blocks.empty()) blocks.back().end = k;
      number[(size_t)k] = (int)blocks.size();
      blocks.push_back({k, count, {}, none, none, none, none, none});
    }
  }
  for (BasicBlock& b : blocks) {
    const Instruction& last = kernel.code[(size_t)b.end - 1];
    if (last.kind == Kind::kBranch)
      b.next.push_back(number[(size_t)last.target]);
    const bool goes_on =
        (last.kind != Kind::kBranch && last.kind != Kind::kExit) ||
        last.guard != kNone;
    if (goes_on && b.end < count) b.next.push_back(number[(size_t)b.end]);
    for (int k = b.begin; k < b.end; ++k) {
      const Instruction& i = kernel.code[(size_t)k];
      for_reads(i, [&](At r) {
        if (!b.written.has((size_t)r)) b.used.add((size_t)r);
      });
      if (i.guard == kNone) {
        for_writes(i, [&](At r) { b.written.add((size_t)r); });
      }
    }
  }
  return blocks;
}

void find_live(std::vector<BasicBlock>& blocks) {
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t k = blocks.size(); k-- > 0;) {
      BasicBlock& b = blocks[k];
      for (const int next : b.next) {
        b.live_out.update(
            blocks[(size_t)next].live_in,
            [](uint64_t own, uint64_t in, size_t) { return own | in; });
      }
      changed |=
          b.live_in.update(b.live_out, [&](uint64_t, uint64_t out, size_t w) {
            return b.used.word(w) | (out & ~b.written.word(w));
          });
    }
  }
}

// Registers that are written on every way to a block.
void find_assigned(std::vector<BasicBlock>& blocks,
                   const std::vector<Special>& specials) {
  for (size_t k = 1; k < blocks.size(); ++k) blocks[k].assigned.fill();
  for (const Special& s : specials) blocks[0].assigned.add((size_t)s.at);
  for (bool changed = true; changed;) {
    changed = false;
    for (const BasicBlock& b : blocks) {
      for (const int next : b.next) {
        changed |= blocks[(size_t)next].assigned.update(
            b.assigned, [&](uint64_t own, uint64_t in, size_t w) {
              return own & (in | b.written.word(w));
            });
      }
    }
  }
}

// From the first to the last instruction that needs a register: twice its
// number, and one more for what it writes.
struct Interval {
  int begin = INT32_MAX, end = -1, number;

  void include(int at) {
    begin = std::min(begin, at);
    end = std::max(end, at);
  }
};

std::vector<Interval> intervals_of(const Kernel& kernel,
                                   const std::vector<BasicBlock>& blocks,
                                   size_t registers) {
  std::vector<Interval> intervals(registers);
  for (size_t r = 0; r < registers; ++r) intervals[r].number = (int)r;
  for (const Special& s : kernel.specials) intervals[(size_t)s.at].include(0);
  for (const BasicBlock& b : blocks) {
    b.live_in.for_each([&](size_t r) { intervals[r].include(2 * b.begin); });
    b.live_out.for_each(
        [&](size_t r) { intervals[r].include(2 * b.end - 1); });
    for (int k = b.begin; k < b.end; ++k) {
      const Instruction& i = kernel.code[(size_t)k];
      for_reads(i, [&](At r) { intervals[(size_t)r].include(2 * k); });
      for_writes(i, [&](At r) { intervals[(size_t)r].include(2 * k + 1); });
    }
  }
  intervals.erase(std::remove_if(intervals.begin(), intervals.end(),
                                 [](const Interval& i) { return i.end < 0; }),
                  intervals.end());
  std::sort(
      intervals.begin(), intervals.end(),
      [](const Interval& a, const Interval& b) { return a.begin < b.begin; });
  return intervals;
}

// The place of each register; what a warp needs grows by new ones.
std::vector<At> place(const std::vector<Interval>& intervals,
                      const std::vector<int>& widths, size_t& bytes) {
  std::vector<At> places(widths.size(), kNone);
  std::vector<At> free[9];
  std::vector<Interval> active;
  for (const Interval& i : intervals) {
    for (size_t k = 0; k < active.size();) {
      if (active[k].end >= i.begin) {
        ++k;
        continue;
      }
      const size_t r = (size_t)active[k].number;
      free[widths[r]].push_back(places[r]);
      active[k] = active.back();
      active.pop_back();
    }
    const int width = widths[(size_t)i.number];
    At& at = places[(size_t)i.number];
    if (free[width].empty()) {
      at = (At)bytes;
      bytes += width ? (size_t)width * kLanes : 4;
      if (!width) bytes = (bytes + 63) / 64 * 64;
    } else {
      at = free[width].back();
      free[width].pop_back();
    }
    active.push_back(i);
  }
  return places;
}

}  // namespace

void Parser::allocate() {
  Kernel& kernel = *kernel_;
  const size_t registers = widths_.size();
  auto blocks = blocks_of(kernel, registers);
  find_live(blocks);
  find_assigned(blocks, kernel.specials);

  const auto tracked_at = [&](int at) -> Tracked& {
    int32_t& tracked = kernel.code[(size_t)at].tracked;
    if (!tracked) {
      tracked = (int32_t)kernel.tracked.size();
      kernel.tracked.emplace_back();
    }
    return kernel.tracked[(size_t)tracked];
  };

  // Reads that may come before a write.
  Bits doubtful(registers);
  for (const BasicBlock& b : blocks) {
    Bits assigned = b.assigned;
    for (int k = b.begin; k < b.end; ++k) {
      const Instruction& i = kernel.code[(size_t)k];
      for_reads(i, [&](At r) {
        if (assigned.has((size_t)r)) return;
        doubtful.add((size_t)r);
        tracked_at(k).reads.push_back({0, r, r});
      });
      if (i.guard != kNone) continue;
      for_writes(i, [&](At r) { assigned.add((size_t)r); });
    }
  }
  const auto intervals = intervals_of(kernel, blocks, registers);
  const auto places = place(intervals, widths_, kernel.register_bytes);

  kernel.extents.assign(registers, {0, 0});
  for (const Interval& i : intervals) {
    kernel.extents[(size_t)i.number] = {i.begin / 2, i.end / 2};
  }

  // The masks of what was written, and the constants.
  std::vector<At> masks(registers, kNone);
  for (size_t r = 0; r < registers; ++r) {
    if (!doubtful.has(r)) continue;
    masks[r] = (At)kernel.register_bytes;
    kernel.register_bytes += 4;
    kernel.masks.push_back(masks[r]);
  }
  std::vector<At> constants(constants_.size());
  for (const auto& [value, number] : constants_) {
    const auto& [bits, bytes] = value;
    auto& pool = kernel.constants;
    constants[(size_t)(number & 0x7fffffff)] = (At)(pool.size() | 0x80000000);
    if (!bytes)
      pool.insert(pool.end(), (const char*)&bits, (const char*)&bits + 4);
    for (int l = 0; l < kLanes && bytes; ++l) {
      pool.insert(pool.end(), (const char*)&bits, (const char*)&bits + bytes);
    }
    pool.resize((pool.size() + 63) / 64 * 64);
  }

  const auto replace = [&](At& at) {
    if (at == kNone) return;
    at = at < 0 ? constants[(size_t)(at & 0x7fffffff)] : places[(size_t)at];
  };
  for (int k = 0; k < (int)kernel.code.size(); ++k) {
    Instruction& i = kernel.code[(size_t)k];
    for_writes(i, [&](At r) {
      if (doubtful.has((size_t)r)) {
        tracked_at(k).writes.push_back(masks[(size_t)r]);
      }
    });
    kernel.results.push_back({i.to[0], i.to[1], i.to[2], i.to[3]});
    for (At& at : i.from) replace(at);
    for (At& at : i.to) replace(at);
    replace(i.guard);
  }
  for (Special& s : kernel.specials) replace(s.at);
  for (Tracked& tracked : kernel.tracked) {
    for (Tracked::Read& read : tracked.reads) {
      read.mask = masks[(size_t)read.number];
      read.at = places[(size_t)read.number];
    }
  }
  for (Instruction& i : kernel.code) {
    const auto touch = [&](At at) { i.touches |= place_bit(at); };
    for_reads(i, touch);
    for (const At at : i.to) {
      if (at != kNone && at >= 0) touch(at);
    }
  }
}

}  // namespace ptx_on_cpu
