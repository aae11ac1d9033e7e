// What comes to a strip from its neighbour.
#pragma once

#include "tape.cuh"

namespace {

// Entries for the steps of a segment, one for each lane, as they come.
template <int kCount>
struct Incoming {
  Global<const Word> row;   // of the neighbour, from the step that is this
                            // lane's in segment 0
  Global<const Word> from;  // this lane's entry
  Words<kCount> entry;

  SDTW_DEVICE void of_row(Global<const Word> words, int shift) {
    row = words + (long long)((int)threadIdx.x + shift) * kCount;
  }
  // Begin to read those of a segment. A lane that has none gets the given
  // words.
  SDTW_DEVICE void start(int q, bool any, const Words<kCount>& without) {
    from = row + (long long)q * kSteps * kCount;
    entry = any ? Words<kCount>::load(from) : without;
  }
  // Read again what has not been written, without waiting for it.
  SDTW_DEVICE void look() {
    if (!here()) entry = Words<kCount>::load(from);
  }
  // Whether this lane has its entry.
  SDTW_DEVICE bool here() const { return entry.written(); }
  // Whether all lanes have theirs.
  SDTW_DEVICE bool all_here() const { return __all_sync(kAllLanes, here()); }
  // Wait for those of a group of steps.
  SDTW_DEVICE void wait(int step0) {
    const bool needed = (int)threadIdx.x / kGroup == step0 / kGroup;
    while (__any_sync(kAllLanes, needed && !here())) {
      pause();
      look();
    }
  }
  // The same, and bring them to all lanes, unpacked.
  template <class To, class Unpack>
  SDTW_DEVICE void bring(int step0, Shared<To> to, Unpack unpack) {
    wait(step0);
    if ((int)threadIdx.x / kGroup == step0 / kGroup)
      to[threadIdx.x] = unpack(entry);
    look();
    __syncwarp();
  }
};

}  // namespace
