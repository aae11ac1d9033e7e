// The alignment that adjoint sweeps leave in the place of cells, by tiles.
//
// A tile has the cells of a strip in 32 columns. Tile u ends before the column
// at which the first row of strips is at the start of segment u + 1: each row
// has one part of it in segment u - 1 and the rest in segment u. What it has
// of cells outside of the table is not defined.
#pragma once

#include "cells.cuh"

namespace {

constexpr int kTileThreads = 128;
constexpr int kTileStride = kRows + 4;  // of rows or columns in shared memory
constexpr int kTileNumbers = kSteps * kTileStride;
// Groups of four steps that a thread brings for its row, in both segments.
constexpr int kTileQuads = 2 * kSteps / 4 / (kTileThreads / kRows);

struct Tile {
  int before, after;  // numbers of the segments, or -1 where nothing is
  SDTW_DEVICE bool live() const { return before >= 0 || after >= 0; }
};

// The number of a segment of a strip that the adjoint sweep wrote, or -1.
SDTW_DEVICE int live_segment(const Arguments& args, const Strip& s, int q) {
  if (s.index >= s.strips || q < s.first_segment || q >= s.segments())
    return -1;
  const long long number = segment_number(args, s, q);
  return args.live[number] ? (int)number : -1;
}

// The first column of a tile, which may be outside of the table.
SDTW_DEVICE int first_column(const Strip& s, int u) {
  return s.column(u * kSteps) - (kRows - 1);
}

SDTW_DEVICE Tile tile_of(const Arguments& args, const Strip& s, int u) {
  return {live_segment(args, s, u - 1), live_segment(args, s, u)};
}

// The numbers of a plane in a tile, on their way to shared memory.
struct TileLoad {
  In numbers[kTileQuads][4];

  // The first step of a group, counted from the start of segment u - 1.
  static SDTW_DEVICE int step_of(int quad) {
    return (quad * (kTileThreads / kRows) + (int)threadIdx.x / kRows) * 4;
  }

  SDTW_DEVICE void load(const Arguments& args, const Tile& tile, int plane) {
    const int row = threadIdx.x % kRows;
    SDTW_UNROLL
    for (int i = 0; i < kTileQuads; ++i) {
      SDTW_UNROLL
      for (int k = 0; k < 4; ++k) numbers[i][k] = 0;
      const int step = step_of(i);
      const int segment = i < kTileQuads / 2 ? tile.before : tile.after;
      if (segment >= 0 && step + 2 >= row && step <= row + kSteps)
        fetch4(plane_of<const In>(args, segment, kAlignment + plane) +
                   cell_place(step % kSteps, row),
               numbers[i]);
    }
  }

  // Neighbours are rows or columns.
  template <bool kNeighbouringRows>
  SDTW_DEVICE void store(Shared<In> to) const {
    constexpr int kPerRow = kNeighbouringRows ? 1 : kTileStride;
    constexpr int kPerColumn = kNeighbouringRows ? kTileStride : 1;
    const int row = threadIdx.x % kRows;
    const int first = step_of(0) - 1 - row;  // column of the first number
    const Shared<In> at = to + (first * kPerColumn + row * kPerRow);
    SDTW_UNROLL
    for (int i = 0; i < kTileQuads; ++i) {
      SDTW_UNROLL
      for (int k = 0; k < 4; ++k) {
        const int place = step_of(i) - step_of(0) + k;
        if ((unsigned)(first + place) < kSteps)
          at[place * kPerColumn] = numbers[i][k];
      }
    }
  }
};

// What becomes of the gradients of a pair, whose value or tangent may be NaN
// or that may have no path.
enum class Outcome { kSums, kZeros, kNans };
SDTW_DEVICE Outcome outcome_of(const Arguments& args, const Strip& s) {
  const double value = args.result[s.b];
  const double tangent = kDual ? args.result_tangent[s.b] : 0.0;
  if (value != value || tangent != tangent) return Outcome::kNans;
  return has_path(args, s) ? Outcome::kSums : Outcome::kZeros;
}

}  // namespace
