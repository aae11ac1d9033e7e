// Series and bands in the order in which the kernels read them, and back.
#pragma once

#include "input.hpp"
#include "kernels.hpp"
#include "memory.hpp"
#include "plan.hpp"
#include "threads.hpp"

namespace sdtw {

// Buffers that follow a group while it is worked on.
template <class T>
struct GroupBuffers {
  Buffer<T> x, y, dx, dy, gx, gy, top, mass;
  Buffer<int> band_begin, band_end;
};

// Pack the series, their directions and the band of a group, with zeros for
// the gradients that are wanted.
template <class T>
void pack(const Input& in, PlannedGroup<T>& group, GroupBuffers<T>& buffers,
          bool want_gx, bool want_gy, Watch& watch);

// Add the factors to the packed gradients and copy them to those of the batch,
// which may be null.
template <class T>
void unpack(const Input& in, const PlannedGroup<T>& group, void* gx, void* gy,
            Watch& watch);

}  // namespace sdtw
