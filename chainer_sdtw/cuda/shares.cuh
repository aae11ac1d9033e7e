// The shares of a segment's cells in shared memory, on the way back. Pointers
// are to the first of a lane's row.
#pragma once

#include "cells.cuh"

namespace {

// Those of four steps of this lane's row, which are neighbours in each plane.
struct FourShares {
  T left[4], up[4], diagonal[4];
  T left_tangent[4], up_tangent[4];

  SDTW_DEVICE void set(int i, const Shares<T>& shares) {
    left[i] = shares.left;
    up[i] = shares.up;
    diagonal[i] = shares.diagonal;
    if (kDual) {
      left_tangent[i] = shares.left_tangent;
      up_tangent[i] = shares.up_tangent;
    }
  }
  SDTW_DEVICE void store(Shared<T> planes, int step) const {
    planes += cell_place(step, 0);
    store4(planes, left);
    store4(planes + kPlane, up);
    store4(planes + 2 * kPlane, diagonal);
    if (kDual) {
      store4(planes + 3 * kPlane, left_tangent);
      store4(planes + 4 * kPlane, up_tangent);
    }
  }
  SDTW_DEVICE void load(Shared<const T> planes, int step) {
    planes += cell_place(step, 0);
    load4(planes, left);
    load4(planes + kPlane, up);
    load4(planes + 2 * kPlane, diagonal);
    if (kDual) {
      load4(planes + 3 * kPlane, left_tangent);
      load4(planes + 4 * kPlane, up_tangent);
    }
  }
};

// Keep those of one step.
SDTW_DEVICE void store_shares(Shared<T> planes, int step,
                              const Shares<T>& shares) {
  planes += cell_place(step, 0);
  planes[0] = shares.left;
  planes[kPlane] = shares.up;
  planes[2 * kPlane] = shares.diagonal;
  if (kDual) {
    planes[3 * kPlane] = shares.left_tangent;
    planes[4 * kPlane] = shares.up_tangent;
  }
}

}  // namespace
