// Reading series of several features.
#pragma once

#include "strip.cuh"

namespace {

// Whether four features at a multiple of four can be read at once.
SDTW_DEVICE bool has_quads(const Arguments& args) {
  return args.d % 4 == 0 && is_aligned(args.x) && is_aligned(args.y);
}

// Four features of an element, of which `left` exist, at least one; the others
// are 0. With `quads` all of them exist.
SDTW_DEVICE void fetch_features(Global<const In> from, int left, bool quads,
                                In* to) {
  if (quads) {
    fetch4(from, to);
  } else {
    SDTW_UNROLL
    for (int i = 0; i < 4; ++i) to[i] = i < left ? (In)from[i] : In(0);
  }
}

}  // namespace
