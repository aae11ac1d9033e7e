// What lanes of a warp do together.
#pragma once

#include "races.hpp"

namespace ptx_on_cpu {

enum class Collective : uint8_t {
  kSync,
  kIndex,
  kUp,
  kDown,
  kXor,
  kBallot,
  kAny,
  kAllOf,
  kUniform,
  kSum,
  kLeast,
  kMost,
  kLeastSigned,
  kMostSigned,
  kAndOf,
  kOrOf,
  kXorOf,
};

// Lanes that have arrived at an instruction.
struct Arrival {
  uint32_t lanes;
  const Instruction* instruction;
};

// All lanes of a mask have arrived.
void complete(Warp& w, uint32_t mask, const Arrival* arrivals, int count);

// The mask that lanes name; checks that it is one of lanes that can come.
uint32_t mask_of(const Warp& w, const Instruction& i, uint32_t lanes);

}  // namespace ptx_on_cpu
