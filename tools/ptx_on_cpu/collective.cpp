// Shuffles, votes and barriers of the lanes of a warp.
#include "collective.hpp"

#include "lanes.hpp"

namespace ptx_on_cpu {

namespace {

// The lane that each one reads from, and whether it is within its segment.
int source_lane(Collective kind, int lane, uint32_t by, uint32_t limits,
                bool& inside) {
  const int segment = (int)(limits >> 8 & 31), clamp = (int)(limits & 31);
  const int low = lane & segment, most = low | (clamp & ~segment);
  const int b = (int)(by & 31);
  int from = 0;
  switch (kind) {
    case Collective::kUp:
      from = lane - b;
      inside = from >= most;
      break;
    case Collective::kDown:
      from = lane + b;
      inside = from <= most;
      break;
    case Collective::kXor:
      from = lane ^ b;
      inside = from <= most;
      break;
    default:
      from = low | (b & ~segment);
      inside = from <= most;
  }
  return inside ? from : lane;
}

void shuffle(Warp& w, uint32_t mask, const Arrival* arrivals, int count) {
  uint32_t value[kLanes];
  for (int k = 0; k < count; ++k) {
    const uint32_t* a = w.in<uint32_t>(arrivals[k].instruction->from[0]);
    for (uint32_t rest = arrivals[k].lanes; rest; rest &= rest - 1) {
      value[first(rest)] = a[first(rest)];
    }
  }
  for (int k = 0; k < count; ++k) {
    const Instruction& i = *arrivals[k].instruction;
    const uint32_t* by = w.in<uint32_t>(i.from[1]);
    const uint32_t* limits = w.in<uint32_t>(i.from[2]);
    uint32_t* to = w.out<uint32_t>(i.to[0]);
    uint32_t result[kLanes], within = 0;
    for (uint32_t rest = arrivals[k].lanes; rest; rest &= rest - 1) {
      const int l = first(rest);
      bool inside;
      const int from =
          source_lane((Collective)i.variant, l, by[l], limits[l], inside);
      if (!(mask >> from & 1)) {
        fail(w, l, Error::kDivergence,
             "divergence: lane %d reads lane %d, which is not in mask 0x%x", l,
             from, mask);
      }
      result[l] = value[from];
      within |= (uint32_t)inside << l;
    }
    for (uint32_t rest = arrivals[k].lanes; rest; rest &= rest - 1) {
      to[first(rest)] = result[first(rest)];
    }
    if (i.to[1] != kNone) {
      set_predicate(w, i.to[1], arrivals[k].lanes, within);
    }
  }
}

// Whose source is a predicate that may be negated.
void vote(Warp& w, uint32_t mask, const Arrival* arrivals, int count) {
  uint32_t votes = 0;
  for (int k = 0; k < count; ++k) {
    const Instruction& i = *arrivals[k].instruction;
    uint32_t p = *w.in<uint32_t>(i.from[0]);
    if (i.negated) p = ~p;
    votes |= p & arrivals[k].lanes;
  }
  for (int k = 0; k < count; ++k) {
    const Instruction& i = *arrivals[k].instruction;
    const uint32_t lanes = arrivals[k].lanes;
    switch ((Collective)i.variant) {
      case Collective::kBallot:
        set_lanes(w.out<uint32_t>(i.to[0]), lanes, [=](int) { return votes; });
        break;
      case Collective::kAny:
        set_predicate(w, i.to[0], lanes, votes ? kAll : 0);
        break;
      case Collective::kAllOf:
        set_predicate(w, i.to[0], lanes, votes == mask ? kAll : 0);
        break;
      default:
        set_predicate(w, i.to[0], lanes, votes == mask || !votes ? kAll : 0);
    }
  }
}

void reduce(Warp& w, uint32_t, const Arrival* arrivals, int count) {
  bool first_one = true;
  uint32_t sum = 0;
  const auto kind = (Collective)arrivals[0].instruction->variant;
  for (int k = 0; k < count; ++k) {
    const uint32_t* a = w.in<uint32_t>(arrivals[k].instruction->from[0]);
    for (uint32_t rest = arrivals[k].lanes; rest; rest &= rest - 1) {
      const uint32_t v = a[first(rest)];
      if (first_one) {
        sum = v;
        first_one = false;
        continue;
      }
      switch (kind) {
        case Collective::kSum:
          sum += v;
          break;
        case Collective::kLeast:
          sum = v < sum ? v : sum;
          break;
        case Collective::kMost:
          sum = v > sum ? v : sum;
          break;
        case Collective::kLeastSigned:
          sum = (int32_t)v < (int32_t)sum ? v : sum;
          break;
        case Collective::kMostSigned:
          sum = (int32_t)v > (int32_t)sum ? v : sum;
          break;
        case Collective::kAndOf:
          sum &= v;
          break;
        case Collective::kOrOf:
          sum |= v;
          break;
        default:
          sum ^= v;
      }
    }
  }
  for (int k = 0; k < count; ++k) {
    set_lanes(w.out<uint32_t>(arrivals[k].instruction->to[0]),
              arrivals[k].lanes, [=](int) { return sum; });
  }
}

void active_mask(Warp& w, const Instruction& i, uint32_t lanes) {
  set_lanes(w.out<uint32_t>(i.to[0]), lanes, [=](int) { return lanes; });
}

Choice choose_shuffle(const Statement& s, Instruction& i) {
  if (!s.has("sync")) s.refuse("only with sync");
  i.kind = Kind::kCollective;
  i.variant = (uint8_t)(s.has("up")     ? Collective::kUp
                        : s.has("down") ? Collective::kDown
                        : s.has("bfly") ? Collective::kXor
                                        : Collective::kIndex);
  return {nullptr, "4444"};
}

Choice choose_vote(const Statement& s, Instruction& i) {
  if (!s.has("sync")) s.refuse("only with sync");
  i.kind = Kind::kCollective;
  i.variant = (uint8_t)(s.has("ballot") ? Collective::kBallot
                        : s.has("any")  ? Collective::kAny
                        : s.has("all")  ? Collective::kAllOf
                                        : Collective::kUniform);
  i.negated = s.operands[1][0] == '!';
  return {nullptr, "p4"};
}

Choice choose_reduction(const Statement& s, Instruction& i) {
  if (s.type() == Type::kF32) s.refuse("not for this type");
  i.kind = Kind::kCollective;
  const bool sign = is_signed(s.type());
  i.variant = (uint8_t)(s.has("add")   ? Collective::kSum
                        : s.has("min") ? sign ? Collective::kLeastSigned
                                              : Collective::kLeast
                        : s.has("max") ? sign ? Collective::kMostSigned
                                              : Collective::kMost
                        : s.has("and") ? Collective::kAndOf
                        : s.has("or")  ? Collective::kOrOf
                                       : Collective::kXorOf);
  return {nullptr, "44"};
}

// bar.warp.sync, and barriers of the block: their number and, perhaps, how
// many threads.
Choice choose_barrier(const Statement& s, Instruction& i) {
  if (s.has("warp")) {
    i.kind = Kind::kCollective;
    i.variant = (uint8_t)Collective::kSync;
    return {nullptr, "4"};
  }
  if (s.has("red") || s.has("cluster")) s.refuse("not known");
  i.kind = Kind::kBarrier;
  i.variant = s.has("arrive");
  i.negated = !(s.parts[0] == "barrier" && !s.has("aligned"));
  return {nullptr, s.operands.size() > 1 ? "44" : "4"};
}

const Operation operations[] = {
    {"shfl", choose_shuffle},
    {"vote", choose_vote},
    {"redux", choose_reduction},
    {"bar", choose_barrier},
    {"barrier", choose_barrier},
    {"activemask",
     [](const Statement&, Instruction&) -> Choice {
       return {active_mask, ""};
     }},
};

}  // namespace

void complete(Warp& w, uint32_t mask, const Arrival* arrivals, int count) {
  const auto kind = (Collective)arrivals[0].instruction->variant;
  if (kind == Collective::kSync) {
    meet(w, mask);
  } else if (kind <= Collective::kXor) {
    shuffle(w, mask, arrivals, count);
  } else if (kind <= Collective::kUniform) {
    vote(w, mask, arrivals, count);
  } else {
    reduce(w, mask, arrivals, count);
  }
}

uint32_t mask_of(const Warp& w, const Instruction& i, uint32_t lanes) {
  int last = 3;
  while (i.from[last] == kNone) --last;
  const uint32_t* masks = w.in<uint32_t>(i.from[last]);
  const uint32_t mask = masks[first(lanes)];
  for (uint32_t rest = lanes; rest; rest &= rest - 1) {
    const int l = first(rest);
    if (masks[l] != mask) {
      fail(w, l, Error::kDivergence,
           "divergence: the mask is 0x%x, that of lane %d is 0x%x", masks[l],
           first(lanes), mask);
    }
  }
  if (lanes & ~mask) {
    fail(w, first(lanes & ~mask), Error::kDivergence,
         "divergence: mask 0x%x is without the own lane", mask);
  }
  if (mask & (w.done | ~w.exists)) {
    fail(w, first(lanes), Error::kDivergence,
         "divergence: of mask 0x%x, lanes 0x%x have returned or do not exist",
         mask, mask & (w.done | ~w.exists));
  }
  return mask;
}

Choose find_collective(std::string_view name) {
  return find(operations, name);
}

}  // namespace ptx_on_cpu
